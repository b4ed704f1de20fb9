"""The calibration plot: observed share with its interval against the mean predicted risk, by group of risk."""

from collections.abc import Mapping

from markupsafe import Markup
from matplotlib.figure import Figure

from protocol.documents.outputs import Metric
from sealroom.report.figure import INK, PALETTE, alternative, short, style, to_svg
from sealroom.report.roc import SQUARE, unit_axes
from sealroom.report.section import with_interval

__all__ = ["calibration_plot"]


def calibration_plot(
    model: str, predicted: Mapping[str, Metric], observed: Mapping[str, Metric], prefix: str
) -> Markup:
    """Draw one model's groups; one whose mean prediction or observed share was kept back is left out."""
    rows = []
    with style():
        figure = Figure(figsize=SQUARE, layout="constrained")
        axes = figure.add_subplot()
        unit_axes(axes, f"Calibration: {short(model)}", "Mean predicted risk", "Observed share")
        for group, entry in observed.items():
            mean = predicted.get(group)
            if entry.value is None or mean is None or mean.value is None:
                rows.append(f"predicted {group}: suppressed")
                continue
            at, share = float(mean.value), float(entry.value)
            axes.plot([at, at], [float(entry.lower or share), float(entry.upper or share)], color=INK, linewidth=1.1)
            axes.plot([at], [share], color=PALETTE[1], marker="s", markersize=5.5)
            rows.append(f"predicted {group}: mean {mean.value}, observed {with_interval(entry)}")
        return to_svg(figure, prefix, alternative(f"Calibration of {model}, 95 % intervals", rows))
