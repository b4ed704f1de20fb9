"""Raw results: what an analysis hands to the output gate, at full precision. None of these ever leaves the enclave.

Beside its numbers each result carries what the gate has to judge it by: for a cell the distinct subjects behind it,
owner by owner (``Support``), for a model the design that it was fitted on (``Design``). The gate derives its counts
from these, so an analysis cannot wave itself through.
"""

from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from enclave.analyses.arrays import Floats, Integers
from enclave.analyses.subjects import Design, Support
from protocol.documents.outputs import Effect
from protocol.types import Key

__all__ = [
    "MIN_ALLELE_FREQUENCY",
    "Design",
    "Numbers",
    "RawCell",
    "RawCounts",
    "RawCurve",
    "RawGroup",
    "RawHit",
    "RawHits",
    "RawMean",
    "RawMeans",
    "RawMetric",
    "RawMetrics",
    "RawOverlap",
    "RawPoint",
    "RawRegression",
    "RawResult",
    "RawShared",
    "RawSurvival",
    "RawTerm",
    "RawTest",
    "Support",
    "Unavailable",
]

MIN_ALLELE_FREQUENCY: Final = 0.05
"""Of a variant's rarer allele: the gate releases no hit below it, so no analysis need offer one."""


@dataclass(frozen=True, slots=True)
class RawCell:
    """One cell of a count table.

    ``part``: cells of one part add up to a number that is public or follows from other parts, so they are told together
    or not at all. Without a word on it, all cells of a table are one part.
    """

    label: str
    support: Support
    part: str = ""


@dataclass(frozen=True, slots=True)
class RawCounts:
    """A count table, its cells in the order of the labels.

    ``rest``: subjects in no cell, where the number of all is public, so that the cells tell it.
    """

    cells: tuple[RawCell, ...]
    rest: Support | None = None
    type: Literal["counts"] = field(default="counts", init=False)

    @property
    def labels(self) -> tuple[str, ...]:
        """The dictionary that the contract must hold."""
        return tuple(cell.label for cell in self.cells)


@dataclass(frozen=True, slots=True)
class RawTerm:
    """A coefficient, its standard error and two-sided p value."""

    label: str
    coefficient: float
    standard_error: float
    p: float


@dataclass(frozen=True, slots=True, eq=False)
class RawRegression:
    """A fitted model; log likelihoods at zero and at the estimate are for checking and are not released.

    ``left_out``: subjects of the tables that have a missing value. ``penalised``: by Firth's likelihood.
    """

    terms: tuple[RawTerm, ...]
    log_likelihood: tuple[float, float]
    design: Design
    left_out: Support
    effect: Effect = "hazard ratio"
    penalised: bool = False
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


@dataclass(frozen=True, slots=True, eq=False)
class RawMean:
    """The values behind one mean, one for each subject: the gate takes mean, deviation and counts from them.

    Parameters
    ----------
    values
        Float, shape (n,), nothing missing; n may be 0.
    owners
        Int, shape (n,): index into ``owner_keys``.
    absent
        Int, shape (m,): the owners of the m subjects of the cell who have no value; None where the schemas allow none.
    part
        As in ``RawCell``: the subjects of one part's cells add up.
    """

    label: str
    values: Floats
    owners: Integers
    absent: Integers | None = None
    part: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class RawMeans:
    """A table of means, its cells in the order of the labels."""

    cells: tuple[RawMean, ...]
    owner_keys: tuple[Key, ...]
    type: Literal["means"] = field(default="means", init=False)

    @property
    def labels(self) -> tuple[str, ...]:
        """The dictionary that the contract must hold."""
        return tuple(cell.label for cell in self.cells)


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """What sums are made of, one number for each subject.

    Parameters
    ----------
    values
        Float, shape (s, n): of s sums over n subjects.
    owners
        Int, shape (n,): index into ``owner_keys``.
    owner_keys
        Root keys of the owners.
    """

    values: Floats
    owners: Integers
    owner_keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class RawMetric:
    """One figure with its 95 % interval, and whom it rests on: ``support``, and ``events`` of them (None: a number).

    Figures of one ``part`` are over disjoint subjects that make up the test set: the bins of a calibration curve.
    Figures of one ``step`` are over the same subjects, and the events of each are among those of the next: the
    points of a ROC curve. A figure about a number has its ``squares``: of errors, of deviations.

    Figures of one ``score`` cut it: bins, in the order in which it rises, and points of a curve. ``above`` the cut of a
    point are these subjects, and ``events`` are those of them with the event.
    """

    label: str
    value: float
    lower: float
    upper: float
    support: Support
    events: Support | None
    part: str = ""
    step: str = ""
    squares: Numbers | None = None
    score: str = ""
    above: Support | None = None


@dataclass(frozen=True, slots=True)
class RawMetrics:
    """How a model did on a test set: all its subjects and events, and each figure with those that it rests on.

    ``clusters``: distinct scaffolds of the test set's compounds, owner by owner; None where subjects are people.
    ``trained``: whom the models were trained on. ``left_out``: subjects of the tested tables that have a missing value;
    None where the test set is a part of these, drawn by chance. ``outcomes``: where they are numbers, of the test set
    and of the training set.

    Where the outcome is an event: ``training`` is what the models were trained on, ``scored`` the test set with the log
    odds that each model predicts as columns. ``trees``: a model is made of trees, whose leaves count all rows alike.
    """

    entries: tuple[RawMetric, ...]
    subjects: Support
    events: Support | None
    clusters: Support | None = None
    trained: Support | None = None
    left_out: Support | None = None
    outcomes: tuple[Numbers, Numbers] | None = None
    training: Design | None = field(default=None, compare=False)
    scored: Design | None = field(default=None, compare=False)
    trees: bool = False
    type: Literal["metrics"] = field(default="metrics", init=False)

    @property
    def labels(self) -> tuple[str, ...]:
        """The dictionary that the contract must hold."""
        return tuple(entry.label for entry in self.entries)


@dataclass(frozen=True, slots=True)
class RawShared:
    """Clusters of two owners' libraries: how many both have, the first alone, the second alone; ``counted`` says what.

    One owner twice is no pair.
    """

    label: str
    counted: str
    owners: tuple[Key, Key]
    both: int
    first: int
    second: int


@dataclass(frozen=True, slots=True)
class RawOverlap:
    """What libraries share, its cells in the order of the labels. ``secret``: the run's seed, for the gate's noise."""

    cells: tuple[RawShared, ...]
    secret: bytes = field(repr=False)
    type: Literal["counts"] = field(default="counts", init=False)

    @property
    def labels(self) -> tuple[str, ...]:
        """The dictionary that the contract must hold."""
        return tuple(cell.label for cell in self.cells)


@dataclass(frozen=True, slots=True)
class RawHit:
    """A variant of a scan: its place in the catalogue, effect of one copy of the first allele, standard error, p."""

    variant: int
    effect: float
    standard_error: float
    p: float


@dataclass(frozen=True, slots=True, eq=False)
class RawHits:
    """The strongest variants of a scan, in the catalogue's order, with what the gate judges them by.

    Parameters
    ----------
    label
        What an effect is.
    entries
        The m variants.
    dosages
        uint8, shape (n, m): copies of the first allele of each hit, 255 where missing.
    trait
        Float, shape (n,).
    covariates
        Float, shape (n, c), without intercepts.
    strata
        Int, shape (n,): each subject's cohort, where each cohort has an intercept of its own; None for one intercept.
    owners
        Int, shape (n,): index into ``owner_keys``.
    owner_keys
        Root keys of the owners.
    left_out
        Subjects of the tables that have a missing value.
    scanned
        Variants that these are the strongest of.
    """

    label: str
    entries: tuple[RawHit, ...]
    dosages: NDArray[np.uint8]
    trait: Floats
    covariates: Floats
    strata: Integers | None
    owners: Integers
    owner_keys: tuple[Key, ...]
    left_out: Support
    scanned: int
    type: Literal["hits"] = field(default="hits", init=False)

    @property
    def labels(self) -> tuple[str, ...]:
        """The dictionary that the contract must hold."""
        return (self.label,)


@dataclass(frozen=True, slots=True)
class Unavailable:
    """An output that could not be computed. ``code`` is an AnalysisError's, or ``INTERNAL``; it stays inside."""

    code: str
    type: Literal["unavailable"] = field(default="unavailable", init=False)


RawResult: TypeAlias = (
    RawCounts | RawRegression | RawTest | RawSurvival | RawMeans | RawMetrics | RawOverlap | RawHits | Unavailable
)
