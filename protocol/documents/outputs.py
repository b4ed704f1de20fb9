"""Released outputs: typed, whole numbers and decimal strings; labels are indices into the contract's dictionary."""

from typing import Annotated, Literal

from pydantic import Field

from protocol.types import Count, Decimal, Document, Name

__all__ = [
    "CountCell",
    "CountTable",
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
    """One coefficient with standard error (4 significant digits) and two-sided Wald p value."""

    label: Label
    coefficient: Decimal
    standard_error: Decimal
    p: PValue


class Regression(Document):
    """A fitted model; ``subjects`` and ``events`` are rounded to 5."""

    type: Literal["regression"] = "regression"
    subjects: Count
    events: Count
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


class Refusal(Document):
    """The output was not released; the class is all that its recipients learn."""

    type: Literal["refused"] = "refused"
    refusal: Literal["SCHEMA", "POLICY", "BUDGET", "INTERNAL"]


Output = Annotated[CountTable | Regression | TestStatistic | SurvivalCurve | Refusal, Field(discriminator="type")]


class ReleasedOutput(Document):
    """What a recipient opens: one output under its name."""

    output: Name
    value: Output
