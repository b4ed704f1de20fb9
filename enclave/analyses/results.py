"""Raw results: what an analysis hands to the output gate, at full precision. None of these ever leaves the enclave.

Beside its numbers each result carries what the gate has to judge it by: for a cell the distinct subjects behind it,
owner by owner (``Support``), for a model the design that it was fitted on (``Design``). The gate derives its counts
from these, so an analysis cannot wave itself through.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from enclave.analyses.arrays import Bools, Floats, Integers
from protocol.types import Key

__all__ = [
    "Design",
    "RawCell",
    "RawCounts",
    "RawCurve",
    "RawGroup",
    "RawPoint",
    "RawRegression",
    "RawResult",
    "RawSurvival",
    "RawTerm",
    "RawTest",
    "Support",
    "Unavailable",
]


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


@dataclass(frozen=True, slots=True)
class RawCell:
    """One cell of a count table."""

    label: str
    support: Support


@dataclass(frozen=True, slots=True)
class RawCounts:
    """A count table, its cells in the order of the labels."""

    cells: tuple[RawCell, ...]
    type: Literal["counts"] = field(default="counts", init=False)

    @property
    def labels(self) -> tuple[str, ...]:
        """The dictionary that the contract must hold."""
        return tuple(cell.label for cell in self.cells)


@dataclass(frozen=True, slots=True)
class RawTerm:
    """A coefficient, its standard error and two-sided Wald p value."""

    label: str
    coefficient: float
    standard_error: float
    p: float


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
        Array of bool, shape (n,): the outcome.
    strata
        Array of int, shape (n,), or None: rows are compared only within a stratum.
    """

    owners: Integers
    owner_keys: tuple[Key, ...]
    matrix: Floats
    references: Bools
    event: Bools
    strata: Integers | None = None


@dataclass(frozen=True, slots=True, eq=False)
class RawRegression:
    """A fitted model; log likelihoods at zero and at the estimate are for checking and are not released."""

    terms: tuple[RawTerm, ...]
    log_likelihood: tuple[float, float]
    design: Design
    type: Literal["regression"] = field(default="regression", init=False)

    @property
    def labels(self) -> tuple[str, ...]:
        """The dictionary that the contract must hold."""
        return tuple(term.label for term in self.terms)


@dataclass(frozen=True, slots=True)
class RawGroup:
    """A group that a test compares: its subjects, and those of them with the event."""

    subjects: Support
    events: Support


@dataclass(frozen=True, slots=True)
class RawTest:
    """A test statistic with its degrees of freedom and p value."""

    label: str
    statistic: float
    df: int
    p: float
    groups: tuple[RawGroup, ...]
    type: Literal["test"] = field(default="test", init=False)

    @property
    def labels(self) -> tuple[str, ...]:
        """The dictionary that the contract must hold."""
        return (self.label,)


@dataclass(frozen=True, slots=True)
class RawPoint:
    """One time of the grid.

    ``at_risk``: time >= t, as R's ``summary.survfit`` counts; ``left``: time <= t, those whom ``survival`` depends on;
    ``events``: those of ``left`` who had the event.
    """

    label: str
    survival: float
    at_risk: Support
    left: Support
    events: Support


@dataclass(frozen=True, slots=True)
class RawCurve:
    """The curve of one group: all its subjects, and its points in the order of time."""

    label: str
    subjects: Support
    points: tuple[RawPoint, ...]


@dataclass(frozen=True, slots=True)
class RawSurvival:
    """Kaplan-Meier curves on a declared grid."""

    curves: tuple[RawCurve, ...]
    grid: tuple[str, ...]
    type: Literal["survival"] = field(default="survival", init=False)

    @property
    def labels(self) -> tuple[str, ...]:
        """The dictionary that the contract must hold: groups first, then the grid."""
        return tuple(curve.label for curve in self.curves) + self.grid


@dataclass(frozen=True, slots=True)
class Unavailable:
    """An output that could not be computed. ``code`` is an AnalysisError's, or ``INTERNAL``; it stays inside."""

    code: str
    type: Literal["unavailable"] = field(default="unavailable", init=False)


RawResult: TypeAlias = RawCounts | RawRegression | RawTest | RawSurvival | Unavailable
