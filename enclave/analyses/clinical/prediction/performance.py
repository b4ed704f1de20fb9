"""The figures that are told of a model, in the order and the words of the contract's labels."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from enclave.analyses.arrays import Bools, Floats
from enclave.analyses.clinical.prediction.calibration import EDGES, bin_risks, brier, calibration_line, mean_risk
from enclave.analyses.clinical.prediction.discrimination import above_threshold, auroc
from enclave.analyses.clinical.prediction.intervals import Estimate, wilson
from enclave.analyses.results import RawMetric, RawMetrics, Support
from protocol.errors import AnalysisError

__all__ = ["metric_labels", "rate_models"]

_OVERALL = ("AUROC", "Brier score", "calibration intercept", "calibration slope")
_SPECIFICITIES = range(9, 0, -1)
"""In tenths."""
_BINS = tuple(f"{lower} to {upper}" for lower, upper in zip((0.0, *EDGES), (*EDGES, 1.0), strict=True))
_FEWEST = 2
"""With the event, and without: an interval of the AUROC needs as many."""


def metric_labels(models: Sequence[str]) -> tuple[str, ...]:
    """Name the figures that ``rate_models`` gives, in its order."""
    figures = (
        *_OVERALL,
        *(f"sensitivity at specificity {tenths / 10}" for tenths in _SPECIFICITIES),
        *(f"observed at predicted {span}" for span in _BINS),
        *(f"mean predicted at predicted {span}" for span in _BINS),
    )
    return tuple(f"{model}: {figure}" for model in models for figure in figures)


def rate_models(log_odds: Sequence[tuple[str, Floats]], event: Bools, count: Callable[[Bools], Support]) -> RawMetrics:
    """Rate models by their predictions for one test set.

    Parameters
    ----------
    log_odds
        For each model its name and float, shape (n,): predicted log odds.
    event
        Bool, shape (n,): the outcome.
    count
        Counts the distinct subjects of a mask (bool, shape (n,)), owner by owner.

    Raises
    ------
    AnalysisError
        ``FEW_OUTCOMES`` with fewer than two test subjects with the event, or without; ``NOT_ESTIMABLE``, see
        ``calibration_line``.

    Disclosure
    ----------
    Each figure comes with its own subjects and events; bins of predicted risk are parts of the test set, points of the
    ROC curve its steps, and both cut one score: see ``enclave.disclosure.metrics``.
    """
    events = int(np.count_nonzero(event))
    if min(events, len(event) - events) < _FEWEST:
        raise AnalysisError("FEW_OUTCOMES", "Fewer than two test subjects have the event, or have it not.")
    entries = [entry for model, odds in log_odds for entry in _rate(model, odds, event, count)]
    return RawMetrics(tuple(entries), count(np.ones(len(event), dtype=bool)), count(event))


def _rate(model: str, log_odds: Floats, event: Bools, count: Callable[[Bools], Support]) -> list[RawMetric]:
    from scipy.special import expit

    labels = iter(metric_labels([model]))
    risk: Floats = expit(log_odds)

    def figure(estimate: Estimate, among: Bools, having: Bools, part: str = "") -> RawMetric:
        score = model if part else ""
        return RawMetric(next(labels), *estimate, count(among), count(among & having), part, score=score)

    everybody = np.ones(len(event), dtype=bool)
    overall = (auroc(log_odds, event), brier(risk, event), *calibration_line(log_odds, event))
    entries = [figure(estimate, everybody, event) for estimate in overall]
    for tenths in _SPECIFICITIES:
        above = above_threshold(log_odds, event, tenths)
        point = figure(_share(above, event), event, above)
        entries.append(replace(point, step=model, score=model, above=count(above)))
    bins = bin_risks(risk)
    entries += [figure(_share(event, inside), inside, event, part=f"{model}: observed") for inside in bins]
    entries += [figure(mean_risk(risk[inside]), inside, event, part=f"{model}: predicted") for inside in bins]
    return entries


def _share(having: Bools, among: Bools) -> Estimate:
    return wilson(int(np.count_nonzero(having & among)), int(np.count_nonzero(among)))
