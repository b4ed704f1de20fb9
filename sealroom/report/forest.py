"""The forest plot: ratios on a logarithmic axis, differences on a linear one, with 95 % intervals."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullFormatter, NullLocator

from protocol.documents.outputs import Effect
from sealroom.frames import Interval, difference_text, ratio_text
from sealroom.report.figure import INK, PALETTE, QUIET, alternative, short, style, to_svg

__all__ = ["SCALES", "ForestRow", "Scale", "forest_plot"]

WIDEST = 100.0
"""A logarithmic axis ends at this ratio and its inverse; what goes beyond ends in an arrow."""
_NICE = (0.01, 0.02, 0.05, 0.1, 0.2, 0.33, 0.5, 0.67, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0)


@dataclass(frozen=True, slots=True)
class Scale:
    """How an effect is drawn and written; ``nothing`` is its value where a term makes no difference."""

    title: str
    nothing: float
    write: Callable[[float], str]
    logarithmic: bool = True

    def text(self, interval: Interval) -> str:
        """Write an estimate with its interval."""
        return f"{self.write(interval.ratio)} ({self.bounds(interval)})"

    def bounds(self, interval: Interval) -> str:
        """Write an interval."""
        return f"{self.write(interval.lower)} to {self.write(interval.upper)}"


SCALES: Mapping[Effect, Scale] = {
    "hazard ratio": Scale("Hazard ratio", 1.0, ratio_text),
    "odds ratio": Scale("Odds ratio", 1.0, ratio_text),
    "difference": Scale("Difference", 0.0, difference_text, logarithmic=False),
}


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One term of a model."""

    label: str
    interval: Interval


def forest_plot(rows: Sequence[ForestRow], effect: Effect, prefix: str, name: str) -> Markup:
    """Draw effects with 95 % confidence intervals; the numbers stand beside them."""
    scale = SCALES[effect]
    with style():
        figure = Figure(figsize=(7.2, 0.42 * len(rows) + 1.0), layout="constrained")
        axes = figure.add_subplot()
        low, high = _limits(rows, scale)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.axvline(scale.nothing, color=QUIET, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        _set_axis(axes, scale, low, high)
        for place, row in enumerate(rows):
            _draw(axes, place, row.interval, low, high)
            numbers = scale.text(row.interval)
            axes.text(1.02, place, numbers, transform=axes.get_yaxis_transform(), va="center")
        axes.set_yticks(range(len(rows)), [short(row.label) for row in rows])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        words = alternative(
            f"Forest plot of {name}. {scale.title}, 95 % confidence interval",
            [f"{row.label} {scale.write(row.interval.ratio)}, {scale.bounds(row.interval)}" for row in rows],
        )
        return to_svg(figure, prefix, words)


def _set_axis(axes: Axes, scale: Scale, low: float, high: float) -> None:
    if not scale.logarithmic:
        axes.set_xlim(low, high)
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.set_xlabel(f"{scale.title}, 95 % confidence interval")
        return
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    ticks = [tick for tick in _NICE if low <= tick <= high]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xticklabels([f"{tick:g}" for tick in ticks])
    axes.set_xlabel(f"{scale.title} (logarithmic), 95 % confidence interval")


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


def _limits(rows: Sequence[ForestRow], scale: Scale) -> tuple[float, float]:
    """Choose an axis that holds the intervals and the value of no effect, and of ratios no more than is readable."""
    lowest, highest = min(row.interval.lower for row in rows), max(row.interval.upper for row in rows)
    if not scale.logarithmic:
        low, high = min(lowest, scale.nothing), max(highest, scale.nothing)
        margin = 0.06 * (high - low) or 1.0
        return low - margin, high + margin
    low, high = min(max(lowest, 1 / WIDEST), 0.75), max(min(highest, WIDEST), 1.33)
    factor = (high / low) ** 0.06
    return max(low / factor, 1 / WIDEST), min(high * factor, WIDEST)
