"""The models that can be trained. None is ever released."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from enclave.analyses.arrays import Bools, Floats
from protocol.errors import AnalysisError

__all__ = ["LEAST_LEAF", "MODELS", "TREES", "predict_log_odds"]

LEAST_LEAF = 20
"""Fewest training subjects in a leaf of a tree."""


def _logistic_regression(seed: int) -> Any:  # noqa: ANN401 - scikit-learn has no types
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # tol and max_iter: far enough that the order of sums shows in no released digit
    return make_pipeline(StandardScaler(), LogisticRegression(C=1.0, tol=1e-8, max_iter=1000, random_state=seed))


def _gradient_boosting(seed: int) -> Any:  # noqa: ANN401 - as above
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        learning_rate=0.1,
        max_iter=100,
        max_depth=3,
        min_samples_leaf=LEAST_LEAF,
        early_stopping=False,
        random_state=seed,
    )


_MAKERS: Mapping[str, Callable[[int], Any]] = {
    "logistic regression": _logistic_regression,
    "gradient boosting": _gradient_boosting,
}
MODELS = tuple(_MAKERS)
TREES = "gradient boosting"
"""Its leaves count the rows of all who train alike, so one of them can make a leaf of its own rows and one subject of
another. That shows in the figures only where who does so also has a hand in the test set."""


def predict_log_odds(model: str, train: Floats, event: Bools, test: Floats, seed: int) -> Floats:
    """Train a model and predict the log odds of the event for other subjects.

    Parameters
    ----------
    model
        One of ``MODELS``.
    train
        Float, shape (n, p): covariates of the training subjects, nothing missing.
    event
        Bool, shape (n,): their outcome.
    test
        Float, shape (m, p): covariates of the test subjects.
    seed
        0 to 2^32 - 1. Neither model draws numbers below 200,000 subjects; above, boosting draws those that it bins by.

    Returns
    -------
    Floats
        Shape (m,): log odds. Their logistic function is the predicted risk.

    Raises
    ------
    AnalysisError
        ``ONE_OUTCOME`` where all training subjects have the same outcome.

    Notes
    -----
    Logistic regression has a ridge penalty of half the sum of squared coefficients of standardised covariates
    (C = 1, the intercept is free), so an estimate exists for separated subjects too. Means and deviations for
    standardising are those of the training subjects. Gradient boosting: 100 trees of depth 3 with at least 20 subjects
    in a leaf, learning rate 0.1, no early stopping; with fewer than 40 training subjects no tree splits, and all have
    the same risk.

    Disclosure
    ----------
    Predictions stay inside. One training subject less still shows in some digit of the figures that are released of
    them: of 300 it moved these by up to a seventh of half their interval (boosting: a third). Whoever gets two such
    releases and knows all else tells them apart: ``tests/security/test_gate_metrics_attacks.py``, THREAT_MODEL.md.

    References
    ----------
    Hastie, Tibshirani and Friedman (2009), The Elements of Statistical Learning, 4.4.4 and 10.10.

    Examples
    --------
    >>> ages = np.array([[50.0], [60.0], [70.0], [80.0]])
    >>> event = np.array([False, False, True, True])
    >>> odds = predict_log_odds("logistic regression", ages, event, np.array([[65.0], [90.0]]), seed=0)
    >>> bool(abs(odds[0]) < 1e-6), bool(odds[1] > 1)
    (True, True)
    """
    if event.all() or not event.any():
        raise AnalysisError("ONE_OUTCOME", "All training subjects have the same outcome.")
    fitted = _MAKERS[model](seed).fit(train, event)
    return np.asarray(fitted.decision_function(test), dtype=float)
