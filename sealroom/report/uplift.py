"""What pooling brings: each model on own and on pooled data, and the difference; or figures of pooled models alone."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from protocol.documents.outputs import Metric, Metrics
from sealroom.report.dumbbell import ALONE, BOTH, DIFFERENCE, HEADS, OWN, dumbbell_plot
from sealroom.report.performance import performance_notes, tested_on
from sealroom.report.section import MOST_DRAWN, Context, Section, Table, drawn_note, with_interval

__all__ = ["POOLED", "UPLIFT", "pooled_section", "uplift_section"]

UPLIFT: Final = re.compile(r"(?P<model>.+?)(?: on (?P<data>own|pooled) data|, pooled minus own): (?P<figure>[^:]+)")
POOLED: Final = re.compile(r"(?P<model>.+): (?P<figure>[^:]+)")
ERRORS: Final = ("RMSE", "MAE", "Brier")
SCORES: Final = ("R2", "AUROC")
IN_UNITS: Final = ("RMSE", "MAE")
OWN_POOLED: Final = (
    "Own: trained on the recipient's data alone. Pooled: trained on all partners' data. Whether pooling helps, the "
    "difference and its interval say; two intervals that overlap do not say that it does not."
)
MOST_PLOTTED: Final = 6
"""Figures that are drawn, each in a plot of its own."""


@dataclass(frozen=True, slots=True)
class _Figure:
    """One figure of all models: by data and model."""

    name: str
    entries: dict[str, dict[str, Metric]] = field(default_factory=dict)

    @property
    def models(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(model for of_data in self.entries.values() for model in of_data))

    @property
    def sense(self) -> str:
        """Which way is better, where that is known."""
        if self.name.startswith(ERRORS):
            return "lower is better"
        return "higher is better" if self.name.startswith(SCORES) else ""


def uplift_section(value: Metrics, context: Context) -> Section:
    """Lay own against pooled data out."""
    figures = _read(UPLIFT, value, context.labels)
    return _section("Own against pooled data", figures, (OWN, BOTH, DIFFERENCE), value, context, (OWN_POOLED,))


def pooled_section(value: Metrics, context: Context) -> Section:
    """Lay figures of models out, a column for each figure."""
    return _section("Model performance", _read(POOLED, value, context.labels), (ALONE,), value, context, ())


def _read(form: re.Pattern[str], value: Metrics, labels: Sequence[str]) -> tuple[_Figure, ...]:
    figures: dict[str, _Figure] = {}
    for entry in value.entries:
        found = form.fullmatch(labels[entry.label])
        if found is None:
            continue
        figure = figures.setdefault(found["figure"], _Figure(found["figure"]))
        data = ALONE if form is POOLED else found["data"] or DIFFERENCE
        figure.entries.setdefault(data, {})[found["model"]] = entry
    return tuple(figures.values())


def _section(
    kind: str,
    figures: Sequence[_Figure],
    kinds: Sequence[str],
    value: Metrics,
    context: Context,
    notes: tuple[str, ...],
) -> Section:
    models = tuple(dict.fromkeys(model for figure in figures for model in figure.models))
    rows = tuple(
        (figure.name, model, *(with_interval(figure.entries.get(data, {}).get(model)) for data in kinds))
        for figure in figures
        for model in figure.models
    )
    head = ("Figure", "Model", *(HEADS[data] for data in kinds))
    plots = tuple(
        dumbbell_plot(figure.name, figure.sense, models[:MOST_DRAWN], figure.entries, f"{context.prefix}-{place}")
        for place, figure in enumerate(figures[:MOST_PLOTTED])
    )
    senses = "; ".join(f"{figure.name}: {figure.sense}" for figure in figures if figure.sense)
    in_units = " and ".join(figure.name for figure in figures if figure.name in IN_UNITS)
    more = (f"Plots: the first {MOST_PLOTTED} of {len(figures)} figures.",) if len(figures) > MOST_PLOTTED else ()
    return Section(
        context.name,
        kind,
        tested_on(value, context),
        (Table(head, rows, frozenset(range(2, len(head))), caption="With 95 % intervals"),),
        plots,
        (
            *((f"{senses}.",) if senses else ()),
            *((f"{in_units}: in the unit of what was measured.",) if in_units else ()),
            *notes,
            *performance_notes(value, context),
            *drawn_note(len(models), "models"),
            *more,
        ),
    )
