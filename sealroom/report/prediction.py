"""How predicted risks did: main figures, sensitivity at declared specificities (ROC), calibration in groups of risk."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from protocol.documents.outputs import Metric, Metrics
from sealroom.report.calibration import calibration_plot
from sealroom.report.performance import performance_notes, tested_on
from sealroom.report.roc import roc_plot
from sealroom.report.section import Context, Section, Table, with_interval

__all__ = ["PREDICTION", "Predictions", "prediction_section", "read_predictions"]

MAIN: Final = ("AUROC", "Brier score", "calibration intercept", "calibration slope")
MOST_PLOTTED: Final = 6
"""Models that are drawn, each with a figure for ROC and one for calibration."""
PREDICTION: Final = re.compile(
    rf"(?P<model>.+): (?:(?P<main>{'|'.join(MAIN)})"
    r"|sensitivity at specificity (?P<specificity>0\.[0-9]{1,3})"
    r"|(?P<risk>observed|mean predicted) at predicted (?P<group>[01](?:\.[0-9]{1,3})? to [01](?:\.[0-9]{1,3})?))"
)
ROC_NOTE: Final = (
    "ROC: released at the marked specificities only; bars and band are pointwise 95 % intervals, and both corners are "
    "known. A dotted line only joins the neighbours of points that were kept back. The dashed line is a model that "
    "knows nothing."
)
CALIBRATION_NOTE: Final = (
    "Calibration: the observed share with its 95 % interval, in groups of predicted risk. On the dashed line "
    "predictions are right; above it the model predicts too little."
)


@dataclass(frozen=True, slots=True)
class Predictions:
    """One model's released figures: by name, by specificity as written, by group of predicted risk."""

    model: str
    main: dict[str, Metric] = field(default_factory=dict)
    sensitivity: dict[str, Metric] = field(default_factory=dict)
    observed: dict[str, Metric] = field(default_factory=dict)
    predicted: dict[str, Metric] = field(default_factory=dict)


def read_predictions(value: Metrics, labels: Sequence[str]) -> tuple[Predictions, ...]:
    """Read the figures of each model from labels that all have the form ``PREDICTION``."""
    models: dict[str, Predictions] = {}
    for entry in value.entries:
        found = PREDICTION.fullmatch(labels[entry.label])
        if found is None:
            continue
        model = models.setdefault(found["model"], Predictions(found["model"]))
        if found["main"]:
            model.main[found["main"]] = entry
        elif found["specificity"]:
            model.sensitivity[found["specificity"]] = entry
        else:
            (model.observed if found["risk"] == "observed" else model.predicted)[found["group"]] = entry
    return tuple(models.values())


def prediction_section(value: Metrics, context: Context) -> Section:
    """Lay predictions out: a row for each model, then a plot of each kind for each model, then what they show."""
    models = read_predictions(value, context.labels)
    plots, notes = [], {}
    for place, model in enumerate(models[:MOST_PLOTTED]):
        if any(entry.value is not None for entry in model.sensitivity.values()):
            plots.append(roc_plot(model.model, model.sensitivity, f"{context.prefix}-{place}-roc", model.main))
            notes["roc"] = ROC_NOTE
        if _known_groups(model):
            prefix = f"{context.prefix}-{place}-calibration"
            plots.append(calibration_plot(model.model, model.predicted, model.observed, prefix))
            notes["calibration"] = CALIBRATION_NOTE
    tables = (
        _by_model(models, "Figure", [model.main for model in models], "Main figures, with 95 % intervals"),
        _by_model(
            models,
            "Specificity",
            [model.sensitivity for model in models],
            "Sensitivity at declared specificities, with 95 % intervals",
        ),
        _calibration(models),
    )
    more = (f"Plots: the first {MOST_PLOTTED} of {len(models)} models.",) if len(models) > MOST_PLOTTED else ()
    return Section(
        context.name,
        "Prediction",
        tested_on(value, context),
        tuple(table for table in tables if table.rows),
        tuple(plots),
        (*notes.values(), *performance_notes(value, context), *more),
    )


def _known_groups(model: Predictions) -> bool:
    """Whether a group of risk has both its mean prediction and its observed share."""
    return any(
        entry.value is not None and group in model.predicted and model.predicted[group].value is not None
        for group, entry in model.observed.items()
    )


def _by_model(models: Sequence[Predictions], what: str, figures: Sequence[dict[str, Metric]], caption: str) -> Table:
    """Lay figures out, a row for each and a column for each model."""
    rows = tuple(
        (name, *(with_interval(each.get(name)) for each in figures))
        for name in dict.fromkeys(name for each in figures for name in each)
    )
    names = tuple(model.model for model in models)
    return Table((what, *names), rows, frozenset(range(1, len(names) + 1)), caption=caption)


def _calibration(models: Sequence[Predictions]) -> Table:
    rows = tuple(
        (model.model, group, with_interval(model.predicted.get(group)), with_interval(model.observed.get(group)))
        for model in models
        for group in dict.fromkeys([*model.predicted, *model.observed])
    )
    head = ("Model", "Predicted", "Mean predicted", "Observed")
    return Table(
        head, rows, frozenset({1, 2, 3}), caption="Calibration in groups of predicted risk, with 95 % intervals"
    )
