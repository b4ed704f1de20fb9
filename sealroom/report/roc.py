"""The ROC plot: sensitivity at the specificities that were released, with pointwise 95 % intervals."""

from collections.abc import Mapping
from itertools import pairwise

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from protocol.documents.outputs import Metric
from sealroom.report.figure import GRID, INK, PALETTE, QUIET, alternative, short, style, to_svg
from sealroom.report.section import with_interval

__all__ = ["SQUARE", "roc_plot", "unit_axes"]

SQUARE = (3.3, 3.45)
"""Inches of a plot that stands beside another."""


def roc_plot(model: str, sensitivity: Mapping[str, Metric], prefix: str, main: Mapping[str, Metric]) -> Markup:
    """Draw one model's curve; ``sensitivity`` is by specificity as it was written.

    A dotted line passes over suppressed ones.
    """
    known = {1.0 - float(at): _triple(entry) for at, entry in sensitivity.items()}
    points = {0.0: (0.0, 0.0, 0.0), **dict(sorted(known.items())), 1.0: (1.0, 1.0, 1.0)}
    area = with_interval(main["AUROC"]) if "AUROC" in main else ""
    with style():
        figure = Figure(figsize=SQUARE, layout="constrained")
        axes = figure.add_subplot()
        unit_axes(axes, f"ROC: {short(model)}", "1 \N{MINUS SIGN} specificity", "Sensitivity")
        told = {at: triple for at, triple in points.items() if triple is not None}
        places = list(points)
        for (left, low), (right, high) in pairwise(told.items()):
            if places.index(right) - places.index(left) > 1:  # between them points were kept back
                axes.plot([left, right], [low[0], high[0]], color=PALETTE[0], linewidth=0.9, linestyle=(0, (1, 2)))
                continue
            axes.fill_between([left, right], [low[1], high[1]], [low[2], high[2]], color=PALETTE[0], alpha=0.16, lw=0)
            axes.plot([left, right], [low[0], high[0]], color=PALETTE[0], linewidth=1.5)
        for at, entry in known.items():
            if entry is not None:
                axes.plot([at, at], entry[1:], color=INK, linewidth=1.1)
                axes.plot([at], entry[:1], color=PALETTE[0], marker="o", markersize=5)
        if area:
            axes.text(0.98, 0.04, f"AUROC {area}", ha="right", transform=axes.transAxes, in_layout=False)
        rows = [f"sensitivity {with_interval(entry)} at specificity {at}" for at, entry in sensitivity.items()]
        words = alternative(f"ROC curve of {model}, 95 % intervals", [*([f"AUROC {area}"] if area else []), *rows])
        return to_svg(figure, prefix, words)


def unit_axes(axes: Axes, title: str, across: str, up: str) -> None:
    """Lay out a square from 0 to 1 with its diagonal."""
    axes.set_title(title, fontsize=9.5, loc="left")
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_aspect("equal")
    axes.grid(color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    axes.set_xlabel(across)
    axes.set_ylabel(up)


def _triple(entry: Metric) -> tuple[float, float, float] | None:
    """Return value, lower and upper bound; a value without bounds stands for itself."""
    if entry.value is None:
        return None
    value = float(entry.value)
    return value, float(entry.lower or value), float(entry.upper or value)
