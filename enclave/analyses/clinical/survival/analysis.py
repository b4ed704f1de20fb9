"""``clinical.survival``: time to an event, pooled over partners."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from enclave.analyses.arrays import Bools, Floats
from enclave.analyses.base import Analysis, Inputs, Plan
from enclave.analyses.clinical.survival.cox import fit_cox
from enclave.analyses.clinical.survival.descriptor import DESCRIPTOR, MAX_DAYS, MOST_GROUPS
from enclave.analyses.clinical.survival.kaplan_meier import estimate_curve
from enclave.analyses.clinical.survival.logrank import compare_survival
from enclave.analyses.columns import require_column, require_covariates, require_days, require_distinct, require_level
from enclave.analyses.design import code_columns, term_labels
from enclave.analyses.parameters import names, text, wholes
from enclave.analyses.pooling import Pooled, pool_subjects
from enclave.analyses.results import RawCell, RawCounts, RawRegression, RawResult, RawSurvival, RawTest
from protocol.documents.dataset import Column, DatasetSchema
from protocol.documents.study import Parameter
from protocol.errors import AnalysisError
from protocol.types import Name

__all__ = ["Survival"]


@dataclass(frozen=True, slots=True)
class Roles:
    """Which column plays which part."""

    time: Column
    event: Column
    event_level: Parameter
    covariates: tuple[Column, ...]
    group: Column | None
    grid: tuple[int, ...]

    @property
    def levels(self) -> tuple[str, ...]:
        """Labels of the groups."""
        return tuple(f"{self.group.name}: {level.label}" for level in self.group.levels) if self.group else ()

    @property
    def days(self) -> tuple[str, ...]:
        """Labels of the grid."""
        return tuple(f"{day} days" for day in self.grid)

    @property
    def cells(self) -> tuple[str, ...]:
        """Labels of the count table: group by group, with the event first."""
        return tuple(f"{level}, {word}" for level in self.levels for word in ("with the event", "censored"))


@dataclass(frozen=True, slots=True, eq=False)
class SurvivalData:
    """The pooled cohorts and the parts that their columns play."""

    pooled: Pooled
    roles: Roles


class Survival(Analysis[SurvivalData]):
    """Cox regression, Kaplan-Meier curves, log-rank tests and counts."""

    descriptor = DESCRIPTOR

    def label(
        self, parameters: Mapping[Name, Parameter], outputs: Sequence[Name], datasets: Mapping[Name, DatasetSchema]
    ) -> Mapping[Name, tuple[str, ...]]:
        """Check columns, levels and grid; see ``Analysis.label``."""
        roles = _roles(parameters, datasets)
        _require_grid(roles.grid)
        labels: dict[Name, tuple[str, ...]] = {}
        for output in outputs:
            match self.descriptor.output(output).type:
                case "regression":
                    labels[output] = term_labels(roles.covariates)
                case "survival":
                    labels[output] = roles.levels + roles.days
                case "test":
                    labels[output] = (_test_name(output, roles),)
                case _:
                    labels[output] = roles.cells
        return labels

    def pool(self, plan: Plan, inputs: Inputs) -> SurvivalData:
        """Join the cohorts.

        Raises
        ------
        AnalysisError
            ``SUBJECT_TWICE``; ``TIME_RANGE`` where a time is negative or beyond ``MAX_DAYS``.
        """
        roles = _roles(plan.parameters, inputs.datasets)
        columns = [roles.time, roles.event, *roles.covariates, *([roles.group] if roles.group else [])]
        pooled = pool_subjects(inputs.cohorts, list(dict.fromkeys(column.name for column in columns)))
        time = pooled.frame[roles.time.name]
        if not (time.isna() | time.between(0, MAX_DAYS)).all():
            raise AnalysisError("TIME_RANGE", f"A time is negative or beyond {MAX_DAYS} days.")
        return SurvivalData(pooled, roles)

    def estimate(self, output: Name, data: SurvivalData) -> RawResult:
        """Compute one output; see the module of its estimator."""
        stratified = output.endswith("-stratified")
        match self.descriptor.output(output).type:
            case "regression":
                return _cox(data, stratified=stratified)
            case "survival":
                return _kaplan_meier(data)
            case "test":
                return _log_rank(data, _test_name(output, data.roles), stratified=stratified)
            case _:
                return _subjects(data)


def _roles(parameters: Mapping[Name, Parameter], datasets: Mapping[Name, DatasetSchema]) -> Roles:
    time, event, covariates = text(parameters, "time"), text(parameters, "event"), names(parameters, "covariates")
    group = text(parameters, "group") if "group" in parameters else None
    require_distinct({"time": [time], "event": [event], "a covariate": covariates})
    require_distinct({"time": [time], "event": [event], "group": [group] if group else []})
    time_column = require_column(datasets, time, ("integer", "decimal"), "time")
    require_days(time_column, "time")
    event_column = require_column(datasets, event, ("integer", "category"), "event")
    require_level(event_column, parameters["event_level"], "event")
    return Roles(
        time=time_column,
        event=event_column,
        event_level=parameters["event_level"],
        covariates=require_covariates(datasets, covariates),
        group=_group(datasets, group) if group else None,
        grid=wholes(parameters, "grid"),
    )


def _group(datasets: Mapping[Name, DatasetSchema], name: str) -> Column:
    column = require_column(datasets, name, ("category",), "group")
    if not 1 < len(column.levels) <= MOST_GROUPS:
        raise AnalysisError("GROUPS", f"group: column {name} has {len(column.levels)} levels; 2 to {MOST_GROUPS} fit.")
    return column


def _require_grid(grid: tuple[int, ...]) -> None:
    growing = all(before < after for before, after in pairwise(grid))
    if grid and not (growing and grid[0] > 0 and grid[-1] <= MAX_DAYS):
        raise AnalysisError("GRID", f"grid must be growing whole days from 1 to {MAX_DAYS}.")


def _test_name(output: Name, roles: Roles) -> str:
    group = roles.group.name if roles.group else ""
    return f"{'Stratified log-rank' if output.endswith('-stratified') else 'Log-rank'} test of {group}"


def _outcome(pooled: Pooled, roles: Roles) -> tuple[Floats, Bools]:
    time = pooled.frame[roles.time.name].to_numpy(dtype=float)
    return time, (pooled.frame[roles.event.name] == roles.event_level).to_numpy(dtype=bool)


def _grouped(data: SurvivalData) -> tuple[Pooled, Floats, Bools, list[Bools]]:
    roles = data.roles
    if roles.group is None:
        raise AnalysisError("PARAMETER_MISSING", "This output needs the parameter group.")
    pooled = data.pooled.complete([roles.time.name, roles.event.name, roles.group.name])
    time, event = _outcome(pooled, roles)
    codes = pooled.frame[roles.group.name]
    return pooled, time, event, [(codes == level.code).to_numpy(dtype=bool) for level in roles.group.levels]


def _cox(data: SurvivalData, *, stratified: bool) -> RawRegression:
    roles = data.roles
    used = [roles.time.name, roles.event.name, *(column.name for column in roles.covariates)]
    pooled = data.pooled.complete(used)
    time, event = _outcome(pooled, roles)
    coded = code_columns(pooled.frame, roles.covariates)
    return fit_cox(pooled, coded, time, event, term_labels(roles.covariates), stratified=stratified)


def _kaplan_meier(data: SurvivalData) -> RawSurvival:
    pooled, time, event, members = _grouped(data)
    grid = list(zip(data.roles.grid, data.roles.days, strict=True))
    curves = tuple(
        estimate_curve(pooled, inside, time, event, label, grid)
        for inside, label in zip(members, data.roles.levels, strict=True)
    )
    return RawSurvival(curves, data.roles.days)


def _log_rank(data: SurvivalData, label: str, *, stratified: bool) -> RawTest:
    pooled, time, event, members = _grouped(data)
    return compare_survival(pooled, members, time, event, label, stratified=stratified)


def _subjects(data: SurvivalData) -> RawCounts:
    pooled, _time, event, members = _grouped(data)
    masks = [mask for inside in members for mask in (inside & event, inside & ~event)]
    cells = (RawCell(label, pooled.support(mask)) for label, mask in zip(data.roles.cells, masks, strict=True))
    return RawCounts(tuple(cells))
