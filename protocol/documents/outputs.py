"""Released outputs: typed, whole numbers and decimal strings; labels are indices into the contract's dictionary."""

from typing import Annotated, Final, Literal

from pydantic import Field

from protocol.documents.dataset import MAX_VARIANTS
from protocol.types import Count, Decimal, Document, Name

__all__ = [
    "MAX_HITS",
    "CountCell",
    "CountTable",
    "Effect",
    "Hit",
    "Hits",
    "Mean",
    "Means",
    "Metric",
    "Metrics",
    "Output",
    "PValue",
    "Refusal",
    "Regression",
    "ReleasedOutput",
    "SurvivalCurve",
    "SurvivalGroup",
    "SurvivalPoint",
    "Term",
    "TestStatistic",
]

Label = Annotated[int, Field(ge=0, le=9_999)]
PValue = Decimal | Literal["<0.001"]
Effect = Literal["hazard ratio", "odds ratio", "difference"]
MAX_HITS: Final = 200
"""Variants in one output: its size class is that of the type, whatever was found."""


class CountCell(Document):
    """Distinct subjects in one cell, rounded; None where suppressed."""

    label: Label
    count: Count | None


class CountTable(Document):
    """Counts in the order of the contract's labels; the total is the sum of released cells."""

    type: Literal["counts"] = "counts"
    cells: Annotated[tuple[CountCell, ...], Field(min_length=1, max_length=10_000)]
    total: Count


class Term(Document):
    """One coefficient with standard error (4 significant digits) and two-sided p value.

    p is of Wald's test (of the t distribution for a difference).
    """

    label: Label
    coefficient: Decimal
    standard_error: Decimal
    p: PValue


class Regression(Document):
    """A fitted model; ``subjects`` and ``events`` are rounded to the preset's base.

    ``effect`` says what a coefficient is: the logarithm of a hazard ratio or an odds ratio, or a difference in the
    outcome's unit (``events`` is None then). An owner's subjects with a missing value are counted among ``subjects``
    where they are fewer than the preset's smallest count.
    """

    type: Literal["regression"] = "regression"
    effect: Effect = "hazard ratio"
    subjects: Count
    events: Count | None
    terms: Annotated[tuple[Term, ...], Field(min_length=1, max_length=1000)]


class TestStatistic(Document):
    """A test statistic (4 significant digits) with its degrees of freedom."""

    __test__ = False  # not a test class, whatever its name begins with

    type: Literal["test"] = "test"
    label: Label
    statistic: Decimal
    df: Count
    p: PValue


class SurvivalPoint(Document):
    """Survival (2 decimals) and subjects at risk (midpoint 6) at one time of the grid, given by its label."""

    label: Label
    survival: Decimal
    at_risk: Count


class SurvivalGroup(Document):
    """A curve at those grid times that could be released."""

    label: Label
    points: Annotated[tuple[SurvivalPoint, ...], Field(max_length=200)]


class SurvivalCurve(Document):
    """Kaplan-Meier curves; labels hold the groups first, then the grid."""

    type: Literal["survival"] = "survival"
    groups: Annotated[tuple[SurvivalGroup, ...], Field(min_length=1, max_length=50)]


class Mean(Document):
    """Mean and standard deviation of one cell (3 significant digits); all None where suppressed.

    ``subjects`` alone is None where the number would say whether a few have no value.
    """

    label: Label
    subjects: Count | None
    mean: Decimal | None
    sd: Decimal | None


class Means(Document):
    """Means in the order of the contract's labels."""

    type: Literal["means"] = "means"
    cells: Annotated[tuple[Mean, ...], Field(min_length=1, max_length=10_000)]


class Metric(Document):
    """One figure of a model's performance with its 95 % interval (3 significant digits); all None where suppressed."""

    label: Label
    value: Decimal | None
    lower: Decimal | None
    upper: Decimal | None


class Metrics(Document):
    """How a model did on a test set of about so many subjects; ``events`` is None where the outcome is a number.

    Those with a missing value are counted as in ``Regression``.
    """

    type: Literal["metrics"] = "metrics"
    subjects: Count
    events: Count | None
    entries: Annotated[tuple[Metric, ...], Field(min_length=1, max_length=1000)]


class Hit(Document):
    """A variant by its place in the catalogue: effect of one copy of its first allele (2 significant digits)."""

    variant: Annotated[int, Field(ge=0, lt=MAX_VARIANTS)]
    effect: Decimal
    log10p: Annotated[int, Field(ge=0, le=400)]


class Hits(Document):
    """The variants that were released, in the catalogue's order, of a scan over about so many subjects."""

    type: Literal["hits"] = "hits"
    label: Label
    subjects: Count
    entries: Annotated[tuple[Hit, ...], Field(max_length=MAX_HITS)]


class Refusal(Document):
    """The output was not released; the class is all that its recipients learn."""

    type: Literal["refused"] = "refused"
    refusal: Literal["SCHEMA", "POLICY", "BUDGET", "INTERNAL"]


Output = Annotated[
    CountTable | Regression | TestStatistic | SurvivalCurve | Means | Metrics | Hits | Refusal,
    Field(discriminator="type"),
]


class ReleasedOutput(Document):
    """What a recipient opens: one output under its name."""

    output: Name
    value: Output
