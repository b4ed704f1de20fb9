"""Own against pooled data: two marks for each model with their 95 % intervals and, beside them, the difference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from protocol.documents.outputs import Metric
from sealroom.report.figure import GRID, INK, PALETTE, QUIET, alternative, short, style, to_svg
from sealroom.report.section import with_interval

__all__ = ["ALONE", "BOTH", "DIFFERENCE", "HEADS", "OWN", "dumbbell_plot"]

OWN, BOTH, DIFFERENCE, ALONE = "own", "pooled", "difference", "alone"
HEADS: Final[Mapping[str, str]] = {
    OWN: "Own data",
    BOTH: "Pooled data",
    DIFFERENCE: "Pooled minus own",
    ALONE: "Value",
}
_HELPS: Final[Mapping[str, str]] = {
    "lower is better": "(below 0: pooling helps)",
    "higher is better": "(above 0: pooling helps)",
}


@dataclass(frozen=True, slots=True)
class _Mark:
    color: str
    marker: str
    fill: str
    offset: float


_MARKS: Final[Mapping[str, _Mark]] = {
    OWN: _Mark(PALETTE[1], "o", "white", -0.14),
    BOTH: _Mark(PALETTE[0], "s", PALETTE[0], 0.14),
    DIFFERENCE: _Mark(INK, "D", INK, 0.0),
    ALONE: _Mark(PALETTE[0], "s", PALETTE[0], 0.0),
}


def dumbbell_plot(
    name: str, sense: str, models: Sequence[str], entries: Mapping[str, Mapping[str, Metric]], prefix: str
) -> Markup:
    """Draw one figure of all models; ``entries`` are by data and model, of the difference only where there is any."""
    title = short(name) + (f" ({sense})" if sense else "")
    beside = [data for data in (OWN, BOTH, ALONE) if data in entries]
    with style():
        figure = Figure(figsize=(7.2, 0.5 * len(models) + 1.35), layout="constrained")
        both = DIFFERENCE in entries
        panels = figure.subplots(1, 2 if both else 1, sharey=True, squeeze=False, width_ratios=[3, 2] if both else [1])[
            0
        ]
        _draw(panels[0], models, {data: entries[data] for data in beside}, title)
        if len(beside) > 1:
            panels[0].legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, handletextpad=0.3)
        if both:
            panels[1].axvline(0, color=QUIET, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
            words = f"{short(name)}, pooled minus own\n{_HELPS.get(sense, '')}"
            _draw(panels[1], models, {DIFFERENCE: entries[DIFFERENCE]}, words.rstrip())
        rows = [
            f"{model} {HEADS[data].lower()} {with_interval(entries[data].get(model))}"
            for model in models
            for data in (*beside, DIFFERENCE)
            if data in entries
        ]
        return to_svg(figure, prefix, alternative(f"{name} of each model, 95 % intervals", rows))


def _draw(axes: Axes, models: Sequence[str], entries: Mapping[str, Mapping[str, Metric]], title: str) -> None:
    for data, by_model in entries.items():
        mark, alone = _MARKS[data], len(entries) == 1
        axes.plot([], [], color=mark.color, marker=mark.marker, markerfacecolor=mark.fill, label=HEADS[data])
        for place, model in enumerate(models):
            entry = by_model.get(model)
            if entry is None or entry.value is None:
                continue
            at, value = place + (0.0 if alone else mark.offset), float(entry.value)
            bounds = [float(entry.lower or value), float(entry.upper or value)]
            axes.plot(bounds, [at, at], color=mark.color, linewidth=1.4, solid_capstyle="butt", zorder=2)
            axes.plot(
                [value],
                [at],
                color=mark.color,
                marker=mark.marker,
                markerfacecolor=mark.fill,
                markersize=6.5,
                zorder=3,
            )
    axes.set_ylim(len(models) - 0.4, -0.6)
    axes.set_yticks(range(len(models)), [short(model) for model in models])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel(title)
