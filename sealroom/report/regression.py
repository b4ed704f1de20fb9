"""A fitted model: its terms as a table and as a forest plot, worded by what its coefficients are."""

from collections.abc import Mapping
from dataclasses import dataclass

from protocol.documents.outputs import Effect, Regression
from sealroom.frames import interval_of
from sealroom.report.forest import SCALES, ForestRow, forest_plot
from sealroom.report.section import MOST_DRAWN, Context, Section, Table, drawn_note

__all__ = ["regression_section"]

ROUNDING = (
    "Coefficients and standard errors have 4 significant digits; {counted} are rounded to multiples of {base}. Where "
    "fewer than {k} of a partner have a missing value they are counted too, though the model leaves them out."
)


@dataclass(frozen=True, slots=True)
class _Words:
    kind: str
    head: tuple[str, ...]
    note: str


_WORDS: Mapping[Effect, _Words] = {
    "hazard ratio": _Words(
        "Cox regression",
        ("Coefficient", "Standard error", "Hazard ratio"),
        "Hazard ratios and intervals were computed here from the released, rounded numbers. Above 1: sooner events.",
    ),
    "odds ratio": _Words(
        "Logistic regression",
        ("Coefficient", "Standard error", "Odds ratio"),
        "Odds ratios and intervals were computed here from the released, rounded numbers. Above 1: likelier events.",
    ),
    "difference": _Words(
        "Linear regression",
        ("Difference", "Standard error"),
        "Differences are in the outcome's unit; their intervals were computed here from the released, rounded numbers.",
    ),
}


def regression_section(value: Regression, context: Context) -> Section:
    """Lay a model out."""
    words, scale = _WORDS[value.effect], SCALES[value.effect]
    rows, forest = [], []
    for term in value.terms:
        label, interval = context.labels[term.label], interval_of(term, value.effect)
        ratio = (scale.write(interval.ratio),) if scale.logarithmic else ()
        rows.append((label, term.coefficient, term.standard_error, *ratio, scale.bounds(interval), term.p))
        forest.append(ForestRow(label, interval))
    head = ("Term", *words.head, "95 % interval", "p")
    counted = context.units + ("" if value.events is None else " and events")
    return Section(
        context.name,
        words.kind,
        f"{value.subjects:,} {context.units}" + ("." if value.events is None else f", {value.events:,} events."),
        (Table(head, tuple(rows), frozenset(range(1, len(head)))),),
        (forest_plot(forest[:MOST_DRAWN], value.effect, context.prefix, context.name),),
        (
            words.note,
            ROUNDING.format(counted=counted, base=context.preset.base, k=context.preset.k),
            *drawn_note(len(rows), "terms"),
        ),
    )
