"""Kaplan-Meier: survival by group at the times of the grid, as a table and a plot with numbers at risk under it.

Only the grid's times were released. Between two of them the estimate lies somewhere between its values at both: that
box is shaded, and nothing is drawn beyond the last released time.
"""

import re
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from protocol.documents.outputs import SurvivalCurve, SurvivalGroup
from sealroom.report.figure import GRID, PALETTE, QUIET, alternative, short, style, to_svg
from sealroom.report.section import Context, Section, Table

__all__ = ["NOT_RELEASED", "Grid", "read_grid", "survival_plot", "survival_section"]

NOT_RELEASED = "\N{EN DASH}"
LEGEND_COLUMNS = 3
BETWEEN = (
    "The curve is known at the marked times only. Between two marks the estimate lies somewhere in the shaded box; the "
    "stepped line is a guide for the eye. Where there is no mark, nothing was released."
)
ROUNDING = "Survival has 2 decimals, at declared times only; numbers at risk are middles of steps of 6."
_TIME = re.compile(r"^(\d+(?:\.\d+)?)\s*(.*)$")
_LINES = ("-", (0, (5, 2)), (0, (1, 1.4)), (0, (6, 2, 1, 2)))
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")


@dataclass(frozen=True, slots=True)
class Grid:
    """The declared times: where they stand on the axis, by label number, their words, the axis' title."""

    at: dict[int, float]
    words: dict[int, str]
    title: str


def read_grid(labels: tuple[str, ...], groups: int) -> Grid:
    """Read the grid from the contract's labels: those after the groups. Words that are no numbers stand evenly."""
    numbered = list(enumerate(labels))[groups:]
    matches = [_TIME.match(label) for _, label in numbered]
    numbers = [float(match[1]) for match in matches if match]
    units = {match[2] for match in matches if match}
    words = dict(numbered)
    if len(numbers) == len(numbered) and len(units) <= 1 and sorted(set(numbers)) == numbers:
        unit = "".join(units)
        words = {label: f"{number:g}" for (label, _), number in zip(numbered, numbers, strict=True)}
        at = {label: number for (label, _), number in zip(numbered, numbers, strict=True)}
        return Grid(at, words, f"Time ({unit})" if unit else "Time")
    return Grid({label: float(place) for place, (label, _) in enumerate(numbered, start=1)}, words, "Time")


def survival_section(value: SurvivalCurve, context: Context) -> Section:
    """Lay the curves out: a row for each time, two columns for each group."""
    grid = read_grid(context.labels, len(value.groups))
    known = [{point.label: point for point in group.points} for group in value.groups]
    rows = []
    for label in grid.at:
        cells = [context.labels[label]]
        for points in known:
            cells += [points[label].survival, str(points[label].at_risk)] if label in points else [NOT_RELEASED] * 2
        rows.append(tuple(cells))
    groups = tuple((context.labels[group.label], 2) for group in value.groups)
    head = ("Time", *("Survival", "At risk") * len(groups))
    table = Table(head, tuple(rows), frozenset(range(1, len(head))), (("", 1), *groups))
    plot = survival_plot(value, context.labels, context.prefix, context.name)
    return Section(context.name, "Kaplan-Meier", "", (table,), (plot,), (BETWEEN, ROUNDING))


def survival_plot(curve: SurvivalCurve, labels: tuple[str, ...], prefix: str, name: str) -> Markup:
    """Draw the curves and, under them, the numbers at risk."""
    grid = read_grid(labels, len(curve.groups))
    with style():
        table = 0.24 * len(curve.groups) + 0.35
        figure = Figure(figsize=(7.2, 3.7 + table), layout="constrained")
        axes, below = figure.subplots(2, 1, sharex=True, height_ratios=[3.7, table])
        end = max(grid.at.values())
        for place, group in enumerate(curve.groups):
            _draw(axes, group, grid, place, short(labels[group.label]))
        axes.set_xlim(-0.02 * end, 1.03 * end)
        axes.set_ylim(0, 1.04)
        axes.set_ylabel("Survival (Kaplan-Meier)")
        axes.set_xticks([0.0, *grid.at.values()], ["0", *(grid.words[label] for label in grid.at)])
        axes.tick_params(labelbottom=True)
        axes.set_xlabel(grid.title)
        axes.grid(axis="y", color=GRID, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=LEGEND_COLUMNS, handlelength=3.6)
        _risk_table(below, curve, labels, grid)
        return to_svg(figure, prefix, _words(curve, labels, grid, name))


def _draw(axes: Axes, group: SurvivalGroup, grid: Grid, place: int, label: str) -> None:
    color, marker = PALETTE[place % len(PALETTE)], _MARKERS[place % len(_MARKERS)]
    line = _LINES[place % len(_LINES)]
    times = [0.0, *(grid.at[point.label] for point in group.points)]
    survival = [1.0, *(float(point.survival) for point in group.points)]
    for index in range(len(times) - 1):
        span = times[index : index + 2]
        axes.fill_between(span, survival[index + 1], survival[index], color=color, alpha=0.11, linewidth=0)
    axes.step(times, survival, where="post", color=color, linestyle=line, linewidth=1.5)
    axes.plot(times[1:], survival[1:], color=color, marker=marker, markersize=5.5, linestyle="none")
    axes.plot([], [], color=color, linestyle=line, marker=marker, markersize=5.5, linewidth=1.5, label=label)


def _risk_table(axes: Axes, curve: SurvivalCurve, labels: tuple[str, ...], grid: Grid) -> None:
    axes.set_ylim(len(curve.groups) - 0.4, -1.1)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(axis="both", length=0, labelbottom=False)
    axes.set_yticks(range(len(curve.groups)), [short(labels[group.label]) for group in curve.groups])
    axes.text(0.0, -0.95, "Number at risk (rounded)", color=QUIET, va="center", transform=axes.get_yaxis_transform())
    for place, group in enumerate(curve.groups):
        axes.get_yticklabels()[place].set_color(PALETTE[place % len(PALETTE)])
        known = {point.label: str(point.at_risk) for point in group.points}
        for label, time in grid.at.items():
            axes.text(time, place, known.get(label, NOT_RELEASED), ha="center", va="center")


def _words(curve: SurvivalCurve, labels: tuple[str, ...], grid: Grid, name: str) -> str:
    groups = [
        f"{labels[group.label]}: "
        + (", ".join(f"{point.survival} at {grid.words[point.label]}" for point in group.points) or "nothing released")
        for group in curve.groups
    ]
    return alternative(f"Kaplan-Meier plot of {name}, known at the grid's times only", groups)
