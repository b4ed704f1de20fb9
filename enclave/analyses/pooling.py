"""Joining cohorts: one frame for all owners, one row per subject, and who stands behind which rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from enclave.analyses.arrays import Bools, Integers
from enclave.analyses.results import Support
from enclave.ingest import Cohort
from protocol.errors import AnalysisError
from protocol.types import Key

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Pooled", "pool_subjects"]


@dataclass(frozen=True, slots=True, eq=False)
class Pooled:
    """The columns of an analysis from all cohorts, in the order of the slots.

    Parameters
    ----------
    frame
        One row per subject.
    owners
        Array of int, shape (rows,): index into ``owner_keys``.
    owner_keys
        Root keys of the owners in the order of their first slot.
    left_out
        Subjects of the cohorts who are not in the frame, for a value is missing.
    """

    frame: "pd.DataFrame"
    owners: Integers
    owner_keys: tuple[Key, ...]
    left_out: Support = field(default_factory=lambda: Support({}))

    def complete(self, columns: Sequence[str]) -> "Pooled":
        """Return the rows without a missing value in ``columns`` (complete-case analysis).

        Raises
        ------
        AnalysisError
            ``NO_SUBJECTS`` where none is left.
        """
        whole = self.frame[list(columns)].notna().all(axis="columns").to_numpy()
        if not whole.any():
            raise AnalysisError("NO_SUBJECTS", "No subject is without a missing value.")
        return Pooled(self.frame[whole], self.owners[whole], self.owner_keys, self.support(~whole))

    def support(self, mask: Bools) -> Support:
        """Count the distinct subjects where ``mask`` holds, owner by owner."""
        counts = np.bincount(self.owners[mask], minlength=len(self.owner_keys))
        return Support({key: int(count) for key, count in zip(self.owner_keys, counts, strict=True)})


def pool_subjects(cohorts: Sequence[Cohort], columns: Sequence[str]) -> Pooled:
    """Join cohorts in which each subject has one row.

    Subjects are told apart within an owner; two owners' identifiers have nothing to do with each other.

    Raises
    ------
    AnalysisError
        ``SUBJECT_TWICE`` where an owner's subject has two rows.
    """
    import pandas as pd

    keys = tuple(dict.fromkeys(cohort.owner for cohort in cohorts))
    owners = np.repeat([keys.index(cohort.owner) for cohort in cohorts], [len(cohort.frame) for cohort in cohorts])
    frame = pd.concat([cohort.frame[list(columns)] for cohort in cohorts])
    subjects = pd.MultiIndex.from_arrays([owners, frame.index])
    if not subjects.is_unique:
        raise AnalysisError(
            "SUBJECT_TWICE", "An owner's subject has two rows; this analysis takes one row per subject."
        )
    return Pooled(frame.reset_index(drop=True), owners, keys)
