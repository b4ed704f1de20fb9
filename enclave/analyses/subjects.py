"""Subjects behind a result, as the gate judges them: counted by owner, or row by row."""

from collections.abc import Mapping
from dataclasses import dataclass

from enclave.analyses.arrays import Bools, Floats, Integers
from protocol.types import Key

__all__ = ["Design", "Support"]


@dataclass(frozen=True, slots=True)
class Support:
    """Distinct subjects behind one cell: how many of each owner's. Owners without any may be left out."""

    counts: Mapping[Key, int]

    @property
    def total(self) -> int:
        """Distinct subjects of all owners."""
        return sum(self.counts.values())

    def without(self, owners: frozenset[Key]) -> int:
        """Distinct subjects that belong to none of ``owners``."""
        return sum(count for owner, count in self.counts.items() if owner not in owners)

    def minus(self, other: "Support") -> "Support":
        """Return the subjects here and not in ``other``, which must be a subset."""
        return Support({owner: count - other.counts.get(owner, 0) for owner, count in self.counts.items()})


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """What a model was fitted on, one row per subject.

    Parameters
    ----------
    owners
        Array of int, shape (n,): index into ``owner_keys``.
    owner_keys
        Root keys of the owners.
    matrix
        Array of float, shape (n, p): the columns whose coefficients are released.
    references
        Array of bool, shape (n, r): membership of the reference level of each category.
    event
        Array of bool, shape (n,): the outcome; None where that is a number.
    strata
        Array of int, shape (n,), or None: rows are compared only within a stratum.
    outcome
        Array of float, shape (n,): the outcome where it is a number, else None.
    """

    owners: Integers
    owner_keys: tuple[Key, ...]
    matrix: Floats
    references: Bools
    event: Bools | None
    strata: Integers | None = None
    outcome: Floats | None = None
