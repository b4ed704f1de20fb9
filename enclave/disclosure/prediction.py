"""Models of an event: nobody singles out one subject, neither by making the score nor by making the rows it meets.

Whoever trains a model makes its score, and whoever tests it makes rows that it is tried on. So both are judged like the
columns of a regression, without the rows of each coalition of owners:

- each model's score in the test set: of the predicted risk at least k away from the commonest value, and on either side
  of its mean at least k with the event and k without; maximum leverage at most 1/k, both of the risk, which makes the
  Brier score, and of the log odds, which make the calibration slope. Else a box around one subject's values would give
  him a risk of his own, and the AUROC would be his outcome;
- the training set: what ``regression`` wants of a logistic model, or nobody is left. Else rows that are made up read
  the coefficient of what one subject has. The models are penalised: each has an estimate whatever the outcomes are, so
  that there is one tells nothing, and columns may separate them;
- trees: a leaf of 20 may be 19 rows of one owner and one subject of another, and rows that are made up read the leaf.
  So no coalition that leaves anybody in the training set has rows both there and in the test set.
"""

import numpy as np

from enclave.analyses.arrays import Bools, Floats
from enclave.analyses.results import Design, RawMetrics, Support
from enclave.disclosure.regression import maximum_leverage, require_design
from enclave.disclosure.spread import code_values, require_events
from enclave.disclosure.support import Coalitions
from protocol.errors import DisclosureRefused
from protocol.types import Key

__all__ = ["require_scores", "require_training"]

_ROUNDING = 1e-9
"""By how much rounding may lift the leverage of k equal subjects above 1/k."""


def require_training(raw: RawMetrics, k: int, against: Coalitions) -> None:
    """Judge what the models of an event were trained on.

    Raises
    ------
    DisclosureRefused
        ``SHAPE`` where it is missing; ``TREES``; what ``require_design`` raises.
    """
    if raw.training is None or raw.trained is None:
        raise DisclosureRefused("SHAPE", "What the models were trained on is not there to be judged.")
    left = frozenset(coalition for coalition in against if raw.trained.without(coalition))
    if raw.trees and any(_has(coalition, raw.trained) and _has(coalition, raw.subjects) for coalition in left):
        raise DisclosureRefused("TREES", "Who trains trees beside others has a hand in the test set.")
    require_design(raw.training, "odds ratio", left, k, ridge=True)


def require_scores(scored: Design | None, k: int, against: Coalitions) -> None:
    """Judge each model's score of the test set.

    Raises
    ------
    DisclosureRefused
        ``SHAPE`` where it is missing; ``COLUMN_MINORITY``, ``COLUMN_OUTCOME``, ``LEVERAGE``.
    """
    if scored is None or scored.event is None:
        raise DisclosureRefused("SHAPE", "The scores of the test set are not there to be judged.")
    for coalition in sorted(against, key=sorted):
        gone = [place for place, key in enumerate(scored.owner_keys) if key in coalition]
        rest = ~np.isin(scored.owners, gone)
        for log_odds in scored.matrix[rest].T:
            _require_score(log_odds, scored.event[rest], k)


def _require_score(log_odds: Floats, event: Bools, k: int) -> None:
    from scipy.special import expit

    risk: Floats = expit(log_odds)
    require_events(*code_values(risk), event, np.zeros(len(event), dtype=np.intp), k, symmetric=True)
    if max(maximum_leverage(column[:, None]) for column in (risk, log_odds)) > 1 / k + _ROUNDING:
        raise DisclosureRefused("LEVERAGE", "Too few subjects have too much influence on what a score tells.")


def _has(coalition: frozenset[Key], subjects: Support) -> bool:
    return subjects.without(coalition) < subjects.total
