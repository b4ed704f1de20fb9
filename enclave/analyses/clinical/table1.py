"""``clinical.table1``: who the subjects of a study are, by group."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from enclave.analyses.arrays import Bools
from enclave.analyses.base import Analysis, Descriptor, Inputs, OutputSpec, Plan
from enclave.analyses.columns import require_column, require_distinct
from enclave.analyses.parameters import ParameterSpec, names, text
from enclave.analyses.pooling import Pooled, pool_subjects
from enclave.analyses.results import RawCell, RawCounts, RawMean, RawMeans, RawResult
from protocol.documents.dataset import Column, DatasetSchema
from protocol.documents.study import Parameter
from protocol.errors import AnalysisError
from protocol.types import Name

__all__ = ["DESCRIPTOR", "Table1", "Table1Data"]

_EVERYBODY = "all"
_FEWEST_LEVELS = 2

DESCRIPTOR = Descriptor(
    name="clinical.table1",
    title="Table 1: subjects by group",
    estimand=(
        "Numbers of subjects at each level of categories, means and standard deviations of numbers, in each group of "
        "the partners' subjects taken together; each variable among those who have a value of it."
    ),
    profile="clinical",
    parameters=(
        ParameterSpec(
            "group",
            "column",
            "The category whose levels are the groups; subjects without a value of it are in none. Left out, all "
            "subjects are one group.",
            (),
        ),
        ParameterSpec("categories", "columns", "Categories whose levels are counted.", ("counts",)),
        ParameterSpec("numbers", "columns", "Numbers whose mean and standard deviation are taken.", ("means",)),
    ),
    outputs=(
        OutputSpec(
            "counts",
            "counts",
            "Subjects of each group at each level of the categories.",
            "About how many subjects of each group are at each level, rounded; of a category with a small cell none.",
        ),
        OutputSpec(
            "means",
            "means",
            "Mean and standard deviation of the numbers, by group.",
            "The mean and the spread of each number in each group, and about how many have a value of it.",
        ),
    ),
    references=("Hayes-Larson E, et al (2019). Who is in this study, anyway? J Clin Epidemiol 114:125-132.",),
    outside_answer="R 4.2.2, table, mean and sd, on the UCI heart disease data of four hospitals.",
)


@dataclass(frozen=True, slots=True)
class Roles:
    """Which column plays which part. ``sparse``: numbers that may be missing in some slot."""

    group: Column | None
    categories: tuple[Column, ...]
    numbers: tuple[Column, ...]
    sparse: frozenset[str]

    @property
    def groups(self) -> tuple[str, ...]:
        """Labels of the groups."""
        if self.group is None:
            return (_EVERYBODY,)
        return tuple(f"{self.group.name}: {level.label}" for level in self.group.levels)

    def cells(self, category: Column) -> tuple[str, ...]:
        """Labels of the cells of a category: group by group, its levels in the schema's order."""
        return tuple(f"{group}, {category.name}: {level.label}" for group in self.groups for level in category.levels)

    def means(self, number: Column) -> tuple[str, ...]:
        """Labels of the means of a number, group by group."""
        return tuple(f"{group}, {number.name} ({number.unit})" for group in self.groups)


@dataclass(frozen=True, slots=True, eq=False)
class Table1Data:
    """The pooled cohorts, the parts that their columns play, and each group's members (bool, shape (subjects,))."""

    pooled: Pooled
    roles: Roles
    members: tuple[Bools, ...]


class Table1(Analysis[Table1Data]):
    """Counts of categories, means and standard deviations of numbers, by group.

    Notes
    -----
    Each variable is described on its own complete cases. A subject without a value of the group is in no group. The
    standard deviation is that of a sample (n - 1). A level that nobody has is a cell of 0 subjects.

    Disclosure
    ----------
    A count is judged with all cells of its variable, which add up to the groups; a mean by the values behind it. There
    is no row for missing values and no total.
    """

    descriptor = DESCRIPTOR

    def label(
        self, parameters: Mapping[Name, Parameter], outputs: Sequence[Name], datasets: Mapping[Name, DatasetSchema]
    ) -> Mapping[Name, tuple[str, ...]]:
        """Check group, categories and numbers; see ``Analysis.label``."""
        roles = _roles(parameters, datasets)
        labels = {
            "counts": tuple(label for category in roles.categories for label in roles.cells(category)),
            "means": tuple(label for number in roles.numbers for label in roles.means(number)),
        }
        return {output: labels[output] for output in outputs}

    def pool(self, plan: Plan, inputs: Inputs) -> Table1Data:
        """Join the cohorts; ``AnalysisError`` with ``SUBJECT_TWICE``."""
        roles = _roles(plan.parameters, inputs.datasets)
        columns = [*roles.categories, *roles.numbers, *([roles.group] if roles.group else [])]
        pooled = pool_subjects(inputs.cohorts, [column.name for column in columns])
        if roles.group is None:
            return Table1Data(pooled, roles, (np.ones(len(pooled.frame), dtype=bool),))
        return Table1Data(pooled, roles, tuple(_at_levels(pooled, roles.group)))

    def estimate(self, output: Name, data: Table1Data) -> RawResult:
        """Compute one output."""
        if output == "counts":
            return RawCounts(tuple(_counts(data)))
        return RawMeans(tuple(_means(data)), data.pooled.owner_keys)


def _roles(parameters: Mapping[Name, Parameter], datasets: Mapping[Name, DatasetSchema]) -> Roles:
    group = text(parameters, "group") if "group" in parameters else None
    categories, numbers = names(parameters, "categories"), names(parameters, "numbers")
    require_distinct({"the group": [group] if group else [], "a category": categories})
    return Roles(
        group=_category(datasets, group, "group") if group else None,
        categories=tuple(_category(datasets, name, "categories") for name in categories),
        numbers=tuple(require_column(datasets, name, ("integer", "decimal"), "numbers") for name in numbers),
        sparse=frozenset(
            column.name
            for dataset in datasets.values()
            for column in dataset.table.columns
            if column.name in numbers and column.missing_allowed
        ),
    )


def _category(datasets: Mapping[Name, DatasetSchema], name: str, role: str) -> Column:
    column = require_column(datasets, name, ("category",), role)
    if len(column.levels) < _FEWEST_LEVELS:
        raise AnalysisError("GROUPS", f"{role}: column {name} has one level only, which everybody has; leave it out.")
    return column


def _at_levels(pooled: Pooled, category: Column) -> Iterator[Bools]:
    codes = pooled.frame[category.name]
    return ((codes == level.code).to_numpy(dtype=bool) for level in category.levels)


def _counts(data: Table1Data) -> Iterator[RawCell]:
    for category in data.roles.categories:
        levels = list(_at_levels(data.pooled, category))
        masks = (inside & level for inside in data.members for level in levels)
        for label, mask in zip(data.roles.cells(category), masks, strict=True):
            yield RawCell(label, data.pooled.support(mask), category.name)


def _means(data: Table1Data) -> Iterator[RawMean]:
    for number in data.roles.numbers:
        values = data.pooled.frame[number.name].to_numpy(dtype=float)
        present, owners = ~np.isnan(values), data.pooled.owners
        for label, inside in zip(data.roles.means(number), data.members, strict=True):
            absent = owners[inside & ~present] if number.name in data.roles.sparse else None
            yield RawMean(label, values[inside & present], owners[inside & present], absent, number.name)
