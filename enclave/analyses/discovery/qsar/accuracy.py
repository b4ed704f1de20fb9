"""How far predictions are from measurements, with intervals."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from enclave.analyses.arrays import Floats, Integers
from protocol.errors import AnalysisError

__all__ = ["DRAWS", "Accuracy", "Figure", "measure_accuracy"]

DRAWS = 1000
_LEVEL = (0.025, 0.975)
_CONSTANT = 1e-12
"""A resample whose variance is below this share of the test set's has one value only, but for rounding."""


@dataclass(frozen=True, slots=True)
class Figure:
    """An estimate with its 95 % interval."""

    value: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True, eq=False)
class Accuracy:
    """RMSE and R2 of several predictions of one test set.

    ``rmse``, ``r2``: float, shape (1 + ``DRAWS``, predictions): first of the test set, then of each resample, which is
    the same for all of them. ``squares``: float, shape (n, 1 + predictions), what they are made of: squared deviations
    of the activity, and squared errors of each prediction.
    """

    rmse: Floats
    r2: Floats
    squares: Floats

    def figures(self, weights: Sequence[float]) -> tuple[Figure, Figure]:
        """Return RMSE and R2 of a combination of predictions: (-1, 1) is the second less the first."""
        return _figure(self.rmse @ np.asarray(weights)), _figure(self.r2 @ np.asarray(weights))

    def behind(self, measure: str, weights: Sequence[float]) -> list[Floats]:
        """Return the squares that a figure is made of: errors of each prediction in it; of R2 also deviations."""
        deviations, *errors = self.squares.T
        found = [of_one for of_one, weight in zip(errors, weights, strict=True) if weight]
        return [deviations, *found] if measure == "R2" else found


def measure_accuracy(
    activity: Floats, predictions: Sequence[Floats], compounds: Integers, seed: bytes, purpose: str
) -> Accuracy:
    """Estimate root mean squared error and coefficient of determination on a test set, with a paired bootstrap.

    Parameters
    ----------
    activity
        Float, shape (n,), in any unit.
    predictions
        Each float, shape (n,), in the same unit.
    compounds
        Int, shape (n,): measurements of one compound have one number, and are drawn together.
    seed, purpose
        Decide what is drawn. The order of rows does not, as long as compounds keep their numbers' order.

    Returns
    -------
    Accuracy
        RMSE in the activity's unit; R2 = 1 - SSE / SST about the test set's own mean (that of the resample in each
        resample), at most 1 and without a lower bound.

    Raises
    ------
    AnalysisError
        ``ACTIVITY_CONSTANT`` where the test set has no variance, so that R2 is not defined.

    Notes
    -----
    Percentile intervals of 1,000 resamples of compounds with replacement. Compounds of one scaffold are taken to be
    independent, so intervals are somewhat too short where a series dominates. Resamples of a single value have no R2
    and are left out of its interval.

    Disclosure
    ----------
    The figures are functions of all measurements of the test set: see ``enclave.disclosure.metrics``.

    References
    ----------
    Efron and Tibshirani (1993), An Introduction to the Bootstrap, ch. 13. Alexander, Tropsha and Winkler (2015), J Chem
    Inf Model 55:1316, eq. 1, on which R2 to report.

    Examples
    --------
    >>> activity = np.array([1.0, 2.0, 3.0, 4.0])
    >>> found = measure_accuracy(activity, [activity + 1, activity], np.arange(4), bytes(32), "example")
    >>> [round(figure.value, 3) for weights in ((1, 0), (-1, 1)) for figure in found.figures(weights)]
    [1.0, 0.2, -1.0, 0.8]
    """
    centred = activity - activity.mean()
    if np.ptp(activity) == 0:
        raise AnalysisError("ACTIVITY_CONSTANT", "All test compounds have the same activity.")
    squares = np.column_stack([centred**2, *((activity - predicted) ** 2 for predicted in predictions)])
    of_compound = np.unique(compounds, return_inverse=True)[1]
    columns = (np.ones_like(centred), centred, *squares.T)
    sums = np.column_stack([np.bincount(of_compound, weights=column) for column in columns])
    key = hmac.digest(seed, b"sealroom qsar bootstrap v1" + purpose.encode(), hashlib.sha256)
    generator, size = np.random.default_rng(int.from_bytes(key)), len(sums)
    drawn = (np.bincount(generator.integers(size, size=size), minlength=size) @ sums for _ in range(DRAWS))
    totals = np.vstack([sums.sum(axis=0), *drawn])
    rows, first, second, errors = totals[:, :1], totals[:, 1:2], totals[:, 2:3], totals[:, 3:]
    spread = second - first**2 / rows
    spread[spread <= _CONSTANT * rows * spread[0] / rows[0]] = np.nan
    return Accuracy(np.sqrt(errors / rows), 1 - errors / spread, squares)


def _figure(values: Floats) -> Figure:
    lower, upper = np.nanquantile(values[1:], _LEVEL)
    return Figure(float(values[0]), float(lower), float(upper))
