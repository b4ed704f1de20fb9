"""The models: how compounds become numbers, what each model is trained with, and its predictions."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from enclave.analyses.arrays import Bools, Floats
from protocol.errors import AnalysisError

if TYPE_CHECKING:
    from sklearn.preprocessing import StandardScaler

__all__ = ["MIN_LEAF", "MODELS", "PENALTY", "TREES", "Sample", "predict_activity"]

MODELS = ("ridge", "random forest", "gradient boosting")
MIN_LEAF = 10
"""Fewest training compounds in a leaf, and fewest at either value of a bit that is used."""
TREES = 100
PENALTY = 10.0
"""Of ridge regression, on bits of 0 and 1 and descriptors of mean 0 and variance 1: as good as 30 on ESOL, while 1
and 100 were worse."""
_BOOSTED_LEAVES = 8
"""A tenth of the time of scikit-learn's 31, and no worse on ESOL."""
_SHARE = 1 / 3
"""Of the features, tried at each split of a forest: Breiman's for regression."""
_BLOCK = 4096
"""Rows that are unpacked at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """``bits``: uint8, shape (n, width / 8). ``descriptors``: float, shape (n, d). ``activity``: float, shape (n,)."""

    bits: NDArray[np.uint8]
    descriptors: Floats
    activity: Floats


def predict_activity(models: Sequence[str], train: Sample, test: Sample, seed: bytes) -> Mapping[str, Floats]:
    """Train models on one sample and predict the activity of another.

    Parameters
    ----------
    models
        Some of ``MODELS``.
    train
        n compounds, n >= 1. Their order decides nothing but what random draws pick: it must not be the owner's.
    test
        m compounds. Their activity is not looked at.
    seed
        Decides the draws of trees.

    Returns
    -------
    Mapping
        By model the predictions, float64, shape (m,), in the activity's unit.

    Raises
    ------
    AnalysisError
        ``ACTIVITY_CONSTANT`` where there is nothing to learn.

    Notes
    -----
    A bit that fewer than ``MIN_LEAF`` training compounds have, or lack, is left out: no tree could split on it, and to
    ridge regression it would be a parameter of its own for these few. Descriptors are centred and scaled by their mean
    and deviation in the training set.

    Models: ``Ridge`` with penalty 10; ``RandomForestRegressor`` of 100 trees, a third of the features at each split;
    ``HistGradientBoostingRegressor`` of 100 trees with 8 leaves and rate 0.1. Leaves have at least ``MIN_LEAF``
    compounds.

    Disclosure
    ----------
    Models and predictions stay inside. What leaves are errors over a test set: see ``enclave.disclosure.metrics``.

    References
    ----------
    Hoerl and Kennard (1970), Technometrics 12:55. Breiman (2001), Mach Learn 45:5. Friedman (2001), Ann Stat 29:1189;
    Ke et al. (2017), NIPS 30, for boosting on histograms.

    Examples
    --------
    The activity is a descriptor; forty values of it shrink its coefficient by 40 / (40 + 10).

    >>> bits, numbers = np.zeros((40, 1), dtype=np.uint8), np.tile([[-1.0], [1.0]], (20, 1))
    >>> train = Sample(bits, numbers, numbers[:, 0] + 5)
    >>> predict_activity(["ridge"], train, Sample(bits[:2], numbers[:2], np.zeros(2)), bytes(32))["ridge"].round(6)
    array([4.2, 5.8])
    """
    if np.ptp(train.activity) == 0:
        raise AnalysisError("ACTIVITY_CONSTANT", "All training compounds have the same activity.")
    features = _Features.of(train)
    matrix, unseen = features.encode(train), features.encode(test)
    return {model: _estimator(model, seed).fit(matrix, train.activity).predict(unseen) for model in models}


@dataclass(frozen=True, slots=True, eq=False)
class _Features:
    """Which bits are used, and the mean and deviation of the descriptors."""

    used: Bools
    scaler: "StandardScaler"

    @classmethod
    def of(cls, train: Sample) -> "_Features":
        from sklearn.preprocessing import StandardScaler

        rows = len(train.bits)
        have = np.zeros(8 * train.bits.shape[1], dtype=int)
        for start in range(0, rows, _BLOCK):
            have += _unpack(train.bits[start : start + _BLOCK]).sum(axis=0, dtype=int)
        return cls(np.minimum(have, rows - have) >= MIN_LEAF, StandardScaler().fit(train.descriptors))

    def encode(self, sample: Sample) -> Floats:
        used = int(np.count_nonzero(self.used))
        matrix = np.empty((len(sample.bits), used + sample.descriptors.shape[1]))
        for start in range(0, len(matrix), _BLOCK):
            block = slice(start, start + _BLOCK)
            matrix[block, :used] = _unpack(sample.bits[block])[:, self.used]
        matrix[:, used:] = self.scaler.transform(sample.descriptors)
        return matrix


def _unpack(bits: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.unpackbits(bits, axis=1, bitorder="little")


def _estimator(model: str, seed: bytes) -> Any:  # noqa: ANN401 - scikit-learn ships no types
    from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
    from sklearn.linear_model import Ridge

    state = int.from_bytes(hmac.digest(seed, b"sealroom qsar trees v1" + model.encode(), hashlib.sha256)[:4])
    match model:
        case "ridge":
            return Ridge(alpha=PENALTY)
        case "random forest":
            return RandomForestRegressor(
                TREES, min_samples_leaf=MIN_LEAF, max_features=_SHARE, n_jobs=1, random_state=state
            )
        case _:
            return HistGradientBoostingRegressor(
                max_iter=TREES,
                min_samples_leaf=MIN_LEAF,
                max_leaf_nodes=_BOOSTED_LEAVES,
                early_stopping=False,
                random_state=state,
            )
