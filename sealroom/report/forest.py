"""The forest plot: ratios with 95 % intervals on a logarithmic axis."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

from sealroom.frames import Interval, ratio_text
from sealroom.report.figure import INK, PALETTE, QUIET, short, style, to_svg

__all__ = ["ForestRow", "forest_plot"]

WIDEST = 100.0
"""The axis ends at this ratio and its inverse; what goes beyond ends in an arrow."""
_NICE = (0.01, 0.02, 0.05, 0.1, 0.2, 0.33, 0.5, 0.67, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0)


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One term of a model."""

    label: str
    interval: Interval


def forest_plot(rows: Sequence[ForestRow], prefix: str, name: str) -> Markup:
    """Draw hazard ratios with 95 % confidence intervals; the numbers stand beside them."""
    with style():
        figure = Figure(figsize=(7.2, 0.42 * len(rows) + 1.0), layout="constrained")
        axes = figure.add_subplot()
        low, high = _limits(rows)
        axes.set_xscale("log")
        axes.set_xlim(low, high)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.axvline(1.0, color=QUIET, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        for place, row in enumerate(rows):
            _draw(axes, place, row.interval, low, high)
            numbers = f"{ratio_text(row.interval.ratio)}  ({ratio_text(row.interval.lower)} to "
            axes.text(
                1.02,
                place,
                f"{numbers}{ratio_text(row.interval.upper)})",
                transform=axes.get_yaxis_transform(),
                va="center",
            )
        axes.set_yticks(range(len(rows)), [short(row.label) for row in rows])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        ticks = [tick for tick in _NICE if low <= tick <= high]
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xticklabels([f"{tick:g}" for tick in ticks])
        axes.set_xlabel("Hazard ratio (logarithmic), 95 % confidence interval")
        words = "; ".join(
            f"{row.label} {ratio_text(row.interval.ratio)}, {ratio_text(row.interval.lower)} to "
            f"{ratio_text(row.interval.upper)}"
            for row in rows
        )
        return to_svg(figure, prefix, f"Forest plot of {name}. Hazard ratio, 95 % confidence interval: {words}.")


def _draw(axes: Axes, place: int, interval: Interval, low: float, high: float) -> None:
    left, right = max(interval.lower, low), min(interval.upper, high)
    axes.plot([left, right], [place, place], color=INK, linewidth=1.3, solid_capstyle="butt", zorder=2)
    for beyond, at, marker in ((interval.lower < low, low, "<"), (interval.upper > high, high, ">")):
        if beyond:
            axes.plot([at], [place], marker=marker, color=INK, markersize=5, clip_on=False, zorder=3)
    for at, inside in ((left, interval.lower >= low), (right, interval.upper <= high)):
        if inside:
            axes.plot([at, at], [place - 0.1, place + 0.1], color=INK, linewidth=1.3, zorder=2)
    if low <= interval.ratio <= high:
        axes.plot([interval.ratio], [place], marker="s", color=PALETTE[0], markersize=6.5, zorder=4)


def _limits(rows: Sequence[ForestRow]) -> tuple[float, float]:
    """Choose an axis that is symmetric around 1 only as far as the intervals ask for it."""
    low = min(max(min(row.interval.lower for row in rows), 1 / WIDEST), 0.75)
    high = max(min(max(row.interval.upper for row in rows), WIDEST), 1.33)
    margin = (high / low) ** 0.06
    return max(low / margin, 1 / WIDEST), min(high * margin, WIDEST)
