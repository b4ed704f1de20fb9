"""Each released output as it is shown: lead, table, plot, notes; everything computed, no markup but the plots."""

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from protocol.documents.outputs import (
    CountTable,
    Output,
    Refusal,
    Regression,
    ReleasedOutput,
    SurvivalCurve,
    TestStatistic,
)
from protocol.documents.study import ContractOutput
from protocol.presets import GatePreset
from sealroom.frames import interval_of, ratio_text
from sealroom.labels import spoken
from sealroom.report.facts import Table
from sealroom.report.forest import ForestRow, forest_plot
from sealroom.report.survival import NOT_RELEASED, read_grid, survival_plot

__all__ = ["Section", "section_of"]

REFUSALS = {
    "SCHEMA": "a dataset did not hold what its signed schema says",
    "POLICY": "the output gate would not let it out under the owners' terms",
    "BUDGET": "a budget that the owners set is spent",
    "INTERNAL": "the enclave could not compute it",
}
BETWEEN = (
    "The curve is known at the marked times only. Between two marks the estimate lies somewhere in the shaded box; the "
    "stepped line is a guide for the eye. Where there is no mark, nothing was released."
)
ROUNDING = {
    "counts": "Each subject counts once; counts are rounded to multiples of {base}; totals are sums of what is shown.",
    "regression": "Coefficients and standard errors have 4 significant digits; subjects and events are rounded to 5.",
    "test": "The statistic has 4 significant digits; p values have 2, or read <0.001.",
    "survival": "Survival has 2 decimals, at declared times only; numbers at risk are middles of steps of 6.",
}


@dataclass(frozen=True, slots=True)
class Section:
    """One output as it is shown."""

    name: str
    kind: str
    lead: str
    table: Table | None = None
    plot: Markup | None = None
    notes: tuple[str, ...] = ()
    refused: str = ""


def section_of(
    agreed: ContractOutput, released: Mapping[str, ReleasedOutput], preset: GatePreset, prefix: str
) -> Section:
    """Lay one output of the contract out; one that this recipient does not get is named as such."""
    if agreed.output not in released:
        return Section(agreed.output, agreed.type, "This output was sealed to other recipients.")
    shown = agreed.model_copy(update={"labels": spoken(agreed.labels)})
    return _laid_out(released[agreed.output].value, shown, preset, prefix)


def _laid_out(value: Output, agreed: ContractOutput, preset: GatePreset, prefix: str) -> Section:
    rounding = ROUNDING[agreed.type].format(base=preset.base)
    match value:
        case Regression():
            return _regression(value, agreed, rounding, prefix)
        case SurvivalCurve():
            return _survival(value, agreed, rounding, prefix)
        case TestStatistic():
            row = (agreed.labels[value.label], value.statistic, str(value.df), value.p)
            table = Table(("Test", "Statistic", "df", "p"), (row,), frozenset({1, 2, 3}))
            return Section(agreed.output, "Test", "", table, notes=(rounding,))
        case CountTable():
            return _counts(value, agreed, preset.k, rounding)
        case Refusal():
            return Section(
                agreed.output,
                "Not released",
                f"{agreed.output} was not released: {REFUSALS[value.refusal]}. The class {value.refusal} is all that "
                "leaves the enclave; the reason in detail could itself tell about the data. The run is spent.",
                refused=value.refusal,
            )


def _regression(value: Regression, agreed: ContractOutput, rounding: str, prefix: str) -> Section:
    rows, forest = [], []
    for term in value.terms:
        label, interval = agreed.labels[term.label], interval_of(term)
        bounds = f"{ratio_text(interval.lower)} to {ratio_text(interval.upper)}"
        rows.append((label, term.coefficient, term.standard_error, ratio_text(interval.ratio), bounds, term.p))
        forest.append(ForestRow(label, interval))
    head = ("Term", "Coefficient", "Standard error", "Hazard ratio", "95 % interval", "p")
    return Section(
        agreed.output,
        "Cox regression",
        f"{value.subjects:,} subjects, {value.events:,} events.",
        Table(head, tuple(rows), frozenset({1, 2, 3, 4, 5})),
        forest_plot(forest, prefix, agreed.output),
        (rounding, "Hazard ratios and intervals were computed here from the released, rounded numbers."),
    )


def _survival(value: SurvivalCurve, agreed: ContractOutput, rounding: str, prefix: str) -> Section:
    grid = read_grid(agreed.labels, len(value.groups))
    known = [{point.label: point for point in group.points} for group in value.groups]
    rows = []
    for label in grid.at:
        cells = [agreed.labels[label]]
        for points in known:
            cells += [points[label].survival, str(points[label].at_risk)] if label in points else [NOT_RELEASED] * 2
        rows.append(tuple(cells))
    groups = tuple((agreed.labels[group.label], 2) for group in value.groups)
    table = Table(
        ("Time", *("Survival", "At risk") * len(groups)),
        tuple(rows),
        frozenset(range(1, 2 * len(groups) + 1)),
        (("", 1), *groups),
    )
    notes = (BETWEEN, rounding)
    plot = survival_plot(value, agreed.labels, prefix, agreed.output)
    return Section(agreed.output, "Kaplan-Meier", "", table, plot, notes)


def _counts(value: CountTable, agreed: ContractOutput, k: int, rounding: str) -> Section:
    rows = [
        (agreed.labels[cell.label], "suppressed" if cell.count is None else f"{cell.count:,}") for cell in value.cells
    ]
    rows.append(("Total of the cells shown", f"{value.total:,}"))
    notes = [rounding]
    if any(cell.count is None for cell in value.cells):
        notes.append(f"Suppressed: fewer than {k} subjects (<{k}), or hidden so that such a cell cannot be worked out.")
    table = Table(("Group", "Subjects"), tuple(rows), frozenset({1}))
    return Section(agreed.output, "Counts", "", table, notes=tuple(notes))
