"""Which compounds are tested and which train: by scaffold, the same for all partners."""

import hashlib
import hmac
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from enclave.analyses.arrays import Bools
from enclave.analyses.discovery.qsar.compounds import Compounds

__all__ = ["TEST_SHARE", "Split", "split_by_scaffold"]

TEST_SHARE = Fraction(1, 5)
_LARGEST = Fraction(1, 2)
"""Of the test set: the most that one scaffold may be."""
_LABEL = b"sealroom qsar split v1"


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """``test`` and ``train``: bool, shape (n,). A compound may be neither."""

    test: Bools
    train: Bools


def split_by_scaffold(compounds: Compounds, seed: bytes) -> Split:
    """Draw scaffolds for the test set until it holds a fifth of all distinct compounds.

    Parameters
    ----------
    compounds
        Of all partners.
    seed
        32 secret bytes: who does not know them cannot tell which scaffolds are tested.

    Returns
    -------
    Split
        No scaffold has compounds on both sides, whoever owns them.

    Notes
    -----
    Scaffolds come in the order of a keyed hash and are taken while they fit, so the size of the test set hardly varies
    with the seed. A scaffold of more than half its size always trains: the test set would be this one series. All
    acyclic compounds are of one scaffold, the empty one. Where they are more than a tenth of all compounds, they train
    and are never tested, and the figures are about compounds with rings.

    A copy of a tested compound does not train anywhere: by its scaffold, which owners compute alike; and where one of
    them did not, by InChIKey or fingerprint. Such a copy is neither tested nor trained on.

    References
    ----------
    Sheridan (2013), J Chem Inf Model 53:783, on why a random split is too kind to a model.
    """
    order = sorted(
        range(len(compounds.scaffold_digests)),
        key=lambda place: hmac.digest(seed, _LABEL + compounds.scaffold_digests[place], hashlib.sha256),
    )
    distinct = np.unique(np.column_stack([compounds.scaffolds, compounds.compounds]), axis=0)
    sizes = np.bincount(distinct[:, 0], minlength=len(order))
    chosen = np.zeros(len(order), dtype=bool)
    room = int(TEST_SHARE * len(distinct))
    most = int(_LARGEST * room)
    for place in order:
        if sizes[place] <= min(room, most):
            chosen[place] = True
            room -= int(sizes[place])
    test = chosen[compounds.scaffolds]
    copies = np.isin(compounds.compounds, compounds.compounds[test])
    copies |= np.isin(compounds.structures, compounds.structures[test])
    return Split(test, ~copies)
