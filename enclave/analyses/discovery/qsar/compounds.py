"""Compounds of all slots as arrays, in an order that no partner's order of rows decides."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from enclave.analyses.arrays import Bools, Floats, Integers
from enclave.analyses.results import Support
from enclave.ingest import Cohort
from protocol.documents.dataset import Column
from protocol.errors import AnalysisError
from protocol.types import Key, Name

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MOST_COMPOUNDS", "Compounds", "Roles", "join_compounds"]

MOST_COMPOUNDS = 50_000
"""Rows of all slots together. At 2,048 bits a training set of so many takes about 2 GB while a model is fitted."""


@dataclass(frozen=True, slots=True)
class Roles:
    """Which column plays which part."""

    activity: Column
    fingerprint: Column
    descriptors: tuple[Column, ...]
    scaffold: Column
    compound: Column


@dataclass(frozen=True, slots=True, eq=False)
class Compounds:
    """Measured compounds, n in all: slot after slot in the recipe's order, in each by the digest of the InChIKey.

    Parameters
    ----------
    bits
        uint8, shape (n, width / 8), lowest bit first.
    descriptors
        Float, shape (n, d), in the columns' units.
    activity
        Float, shape (n,), in the column's unit.
    compounds, structures
        Int, shape (n,): equal where InChIKeys, or fingerprints, are.
    scaffolds
        Int, shape (n,): index into ``scaffold_digests``.
    slots, owners
        Int, shape (n,): index into ``slot_names``, ``owner_keys``.
    """

    bits: NDArray[np.uint8]
    descriptors: Floats
    activity: Floats
    compounds: Integers
    structures: Integers
    scaffolds: Integers
    slots: Integers
    owners: Integers
    scaffold_digests: tuple[bytes, ...]
    slot_names: tuple[Name, ...]
    owner_keys: tuple[Key, ...]

    def support(self, rows: Bools, things: Integers) -> Support:
        """Count distinct ``things``, compounds or scaffolds, in ``rows``, owner by owner.

        What two owners have counts at each: each measured it.
        """
        return Support(
            {key: len(np.unique(things[rows & (self.owners == place)])) for place, key in enumerate(self.owner_keys)}
        )


def join_compounds(cohorts: Sequence[Cohort], roles: Roles) -> Compounds:
    """Take the compounds without missing values, each once in its slot.

    Raises
    ------
    AnalysisError
        ``COMPOUNDS_MANY`` beyond ``MOST_COMPOUNDS`` rows; ``FEW_COMPOUNDS`` where none is whole.

    Notes
    -----
    A compound in two rows of a slot was measured twice. Its activity is the mean of the two; what else is said of it
    is taken from the row whose subject comes first, so that the order of rows decides nothing. A row without a bit in
    its fingerprint, or without a value of activity or a descriptor, is left out.
    """
    import pandas as pd

    if sum(len(cohort.frame) for cohort in cohorts) > MOST_COMPOUNDS:
        raise AnalysisError("COMPOUNDS_MANY", f"This analysis takes up to {MOST_COMPOUNDS} compounds in all.")
    parts = [_measured(cohort, roles) for cohort in cohorts]
    frame = pd.concat(parts)
    if frame.empty:
        raise AnalysisError("FEW_COMPOUNDS", "No compound has a fingerprint, its descriptors and an activity.")
    rows = [part["row"].to_numpy() for part in parts]
    bits = np.concatenate([cohort.bits[roles.fingerprint.name][at] for cohort, at in zip(cohorts, rows, strict=True)])
    names = [column.name for column in roles.descriptors]
    numbers = [cohort.frame[names].to_numpy(dtype=float)[at] for cohort, at in zip(cohorts, rows, strict=True)]
    keys = tuple(dict.fromkeys(cohort.owner for cohort in cohorts))
    slots = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    scaffolds, digests = pd.factorize(frame["scaffold"], sort=True)
    return Compounds(
        bits=bits,
        descriptors=np.concatenate(numbers),
        activity=frame["activity"].to_numpy(dtype=float),
        compounds=pd.factorize(frame["compound"], sort=True)[0],
        structures=pd.factorize(pd.Series([row.tobytes() for row in bits], dtype=object))[0],
        scaffolds=scaffolds,
        slots=slots,
        owners=np.array([keys.index(cohort.owner) for cohort in cohorts])[slots],
        scaffold_digests=tuple(digests),
        slot_names=tuple(cohort.slot for cohort in cohorts),
        owner_keys=keys,
    )


def _measured(cohort: Cohort, roles: Roles) -> "pd.DataFrame":
    import pandas as pd

    frame = cohort.frame
    numbers = frame[[roles.activity.name, *(column.name for column in roles.descriptors)]]
    whole = numbers.notna().all(axis="columns").to_numpy() & cohort.bits[roles.fingerprint.name].any(axis=1)
    found = pd.DataFrame(
        {
            "compound": frame[roles.compound.name].to_numpy(),
            "scaffold": frame[roles.scaffold.name].to_numpy(),
            "activity": frame[roles.activity.name].to_numpy(),
            "subject": frame.index.to_numpy(),
            "row": np.arange(len(frame)),
        }
    )
    found = found[whole].sort_values(["compound", "subject"])
    mean = found.groupby("compound")["activity"].mean()  # in the order of compounds
    return found.drop_duplicates("compound").assign(activity=mean.to_numpy())
