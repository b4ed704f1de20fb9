"""``clinical.feasibility``: how many subjects match a filter."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from enclave.analyses.arrays import Bools
from enclave.analyses.base import Analysis, Descriptor, Inputs, OutputSpec, Plan
from enclave.analyses.columns import require_column, require_level
from enclave.analyses.parameters import ParameterSpec, names
from enclave.analyses.pooling import Pooled, pool_subjects
from enclave.analyses.results import RawCell, RawCounts, RawResult
from protocol.documents.dataset import Column, DatasetSchema
from protocol.documents.study import Parameter
from protocol.errors import AnalysisError
from protocol.types import Name

__all__ = ["DESCRIPTOR", "MOST_CONDITIONS", "Condition", "Feasibility", "FeasibilityData"]

MOST_CONDITIONS = 3
_TESTS = ("is", "at least", "at most")
_LABELS = ("matching", "not matching or missing")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,9})?")
_MATCHING = ("matching",)
_BOUNDS = ("at least", "at most")

DESCRIPTOR = Descriptor(
    name="clinical.feasibility",
    title="Feasibility: how many match",
    estimand="The number of the partners' subjects who meet every condition of a filter.",
    profile="clinical",
    parameters=(
        ParameterSpec(
            "where_columns",
            "texts",
            "The column of each condition, at most three; one column may stand twice, for a range.",
            _MATCHING,
        ),
        ParameterSpec("where_tests", "texts", "The test of each condition: is, at least, at most.", _MATCHING),
        ParameterSpec(
            "where_values", "texts", "What each condition compares with: a level's code, or a number.", _MATCHING
        ),
    ),
    outputs=(
        OutputSpec(
            "matching",
            "counts",
            "Subjects who match the filter, and the others.",
            "About how many subjects match over all partners together, rounded; nothing if few match, or all but "
            "a few. With two partners only, each learns how many of the other's match.",
        ),
    ),
    references=(
        "Denning DE, Denning PJ, Schwartz MD (1979). The tracker: a threat to database security. ACM TODS 4:76-96.",
    ),
    outside_answer="R 4.2.2, table of sex by disease in the UCI heart disease data of four hospitals.",
)


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition. ``value``: a level's code, or a number with at most the column's decimals, ``scale``."""

    column: Column
    test: str
    value: str
    scale: int

    def holds(self, pooled: Pooled) -> Bools:
        """Tell for each subject whether it holds; a missing value meets none.

        Numbers have no more decimals than ``scale``, so half a unit of the last one parts them whatever floats do.
        """
        values = pooled.frame[self.column.name]
        if self.column.kind == "category":
            return (values == self.value).to_numpy(dtype=bool)
        numbers, value, half = values.to_numpy(dtype=float), float(self.value), 0.5 * 10.0**-self.scale
        above, below = numbers > value - half, numbers < value + half
        return {"is": above & below, "at least": above, "at most": below}[self.test]


@dataclass(frozen=True, slots=True, eq=False)
class FeasibilityData:
    """The pooled cohorts, and who matches (bool, shape (subjects,))."""

    pooled: Pooled
    matching: Bools


class Feasibility(Analysis[FeasibilityData]):
    """Subjects who meet all conditions, and all others.

    Notes
    -----
    Conditions are joined by "and". A subject without a value that a condition asks for does not match.

    Disclosure
    ----------
    The rows of each dataset are public, so the number that match tells the number that do not: both must be safe, or
    neither is told. A condition that a partner's schema alone decides for all of its subjects is refused, since these
    would hide nobody.
    """

    descriptor = DESCRIPTOR

    def label(
        self, parameters: Mapping[Name, Parameter], outputs: Sequence[Name], datasets: Mapping[Name, DatasetSchema]
    ) -> Mapping[Name, tuple[str, ...]]:
        """Check the filter; see ``Analysis.label``."""
        _conditions(parameters, datasets)
        return dict.fromkeys(outputs, _LABELS)

    def pool(self, plan: Plan, inputs: Inputs) -> FeasibilityData:
        """Join the cohorts and apply the filter; ``AnalysisError`` with ``SUBJECT_TWICE``."""
        conditions = _conditions(plan.parameters, inputs.datasets)
        pooled = pool_subjects(inputs.cohorts, list({condition.column.name: None for condition in conditions}))
        return FeasibilityData(pooled, np.logical_and.reduce([condition.holds(pooled) for condition in conditions]))

    def estimate(self, output: Name, data: FeasibilityData) -> RawResult:
        """Count both sides of the filter."""
        del output
        masks = (data.matching, ~data.matching)
        cells = (RawCell(label, data.pooled.support(mask)) for label, mask in zip(_LABELS, masks, strict=True))
        return RawCounts(tuple(cells))


def _conditions(parameters: Mapping[Name, Parameter], datasets: Mapping[Name, DatasetSchema]) -> tuple[Condition, ...]:
    """Read the filter; ``AnalysisError`` with ``FILTER_*``, ``LEVEL_UNKNOWN`` or what ``require_column`` raises."""
    columns, tests, values = (names(parameters, f"where_{part}") for part in ("columns", "tests", "values"))
    if not len(columns) == len(tests) == len(values):
        raise AnalysisError(
            "FILTER_LENGTH",
            f"where_columns, where_tests and where_values have {len(columns)}, {len(tests)} and {len(values)} entries; "
            "they need one for each condition.",
        )
    if len(columns) > MOST_CONDITIONS:
        raise AnalysisError(
            "FILTER_LENGTH", f"The filter has {len(columns)} conditions; at most {MOST_CONDITIONS} are taken."
        )
    found = tuple(_condition(datasets, *item) for item in zip(columns, tests, values, strict=True))
    for name in columns:
        _require_range([condition for condition in found if condition.column.name == name])
    return found


def _condition(datasets: Mapping[Name, DatasetSchema], name: str, test: str, value: str) -> Condition:
    column = require_column(datasets, name, ("integer", "decimal", "category"), "where_columns")
    if test not in _TESTS:
        raise AnalysisError("FILTER_TEST", f"where_tests: there is no test {test!a}; there is {', '.join(_TESTS)}.")
    if column.kind == "category":
        if test != "is":
            raise AnalysisError(
                "FILTER_TEST", f"where_tests: column {name} is a category, whose levels have no order; take is."
            )
        require_level(column, value, "where_values")
        if len(column.levels) == 1:
            raise AnalysisError("FILTER_VALUE", f"where_values: column {name} has no other level than {value}.")
        return Condition(column, test, value, 0)
    own = {slot: found for slot, dataset in datasets.items() if (found := dataset.table.column(name))}
    scale = max(found.scale for found in own.values())
    if not _NUMBER.fullmatch(value) or Decimal(value) != round(Decimal(value), scale):
        raise AnalysisError(
            "FILTER_VALUE",
            f"where_values: {value!a} is not a number of column {name}, such as 40, with at most {scale} decimals.",
        )
    for slot, found in own.items():
        _require_undecided(slot, found, test, Decimal(value))
    return Condition(column, test, value, scale)


def _require_undecided(slot: Name, column: Column, test: str, value: Decimal) -> None:
    low = Decimal("-Infinity" if column.minimum is None else column.minimum)
    high = Decimal("Infinity" if column.maximum is None else column.maximum)
    possible = {
        "is": low <= value <= high and low < high,
        "at least": low < value <= high,
        "at most": low <= value < high,
    }
    if not possible[test]:
        raise AnalysisError(
            "FILTER_VALUE",
            f"where_values: in slot {slot} column {column.name} lies between {low} and {high}, so that {test} {value} "
            "holds for all subjects or for none. Choose another value, or leave the slot out.",
        )


def _require_range(conditions: Sequence[Condition]) -> None:
    """Of one column: a single condition, or a lower and an upper bound in this sense."""
    if len(conditions) == 1:
        return
    lower, upper = ([each.value for each in conditions if each.test == test] for test in _BOUNDS)
    if len(conditions) > len(_BOUNDS) or not (lower and upper) or Decimal(lower[0]) > Decimal(upper[0]):
        name = conditions[0].column.name
        raise AnalysisError(
            "FILTER_TWICE",
            f"where_columns: column {name} stands {len(conditions)} times; it may stand once, or as a range: at least "
            "a number and at most one that is not smaller.",
        )
