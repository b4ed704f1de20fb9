"""How far predicted risks are right."""

import math

import numpy as np

from enclave.analyses.arrays import Bools, Floats
from enclave.analyses.clinical.prediction.intervals import Estimate, Z, clipped
from protocol.errors import AnalysisError

__all__ = ["EDGES", "bin_risks", "brier", "calibration_line", "mean_risk"]

EDGES = (0.2, 0.4, 0.6, 0.8)
"""Between the bins of predicted risk; a risk on an edge is in the upper bin."""
_FEWEST_FOR_SPREAD = 2


def brier(risk: Floats, event: Bools) -> Estimate:
    """Estimate the mean squared difference of predicted risk and outcome.

    Parameters
    ----------
    risk
        Float, shape (n,), 0 to 1; n is at least 2.
    event
        Bool, shape (n,).

    Returns
    -------
    Estimate
        0 (perfect) to 1, with the normal interval of a mean, cut at 0 and 1.

    Disclosure
    ----------
    A mean over all test subjects.

    References
    ----------
    Brier (1950), Mon Weather Rev 78:1.

    Examples
    --------
    >>> round(brier(np.array([0.2, 0.4]), np.array([False, True])).value, 3)
    0.2
    """
    return _mean((risk - event) ** 2)


def mean_risk(risk: Floats) -> Estimate:
    """Return the mean of predicted risks (float, 0 to 1) with its normal interval; NaN of fewer than two."""
    if len(risk) < _FEWEST_FOR_SPREAD:
        return Estimate(math.nan, math.nan, math.nan)  # which the gate never shows
    return _mean(risk)


def _mean(values: Floats) -> Estimate:
    value, error = float(values.mean()), float(values.std(ddof=1)) / math.sqrt(len(values))
    return clipped(value, value - Z * error, value + Z * error)


def bin_risks(risk: Floats) -> list[Bools]:
    """Return for each of the five bins of predicted risk who is in it.

    >>> [mask.tolist() for mask in bin_risks(np.array([0.1, 0.2, 1.0]))][:2]
    [[True, False, False], [False, True, False]]
    """
    places = np.digitize(risk, EDGES)
    return [places == place for place in range(len(EDGES) + 1)]


def calibration_line(log_odds: Floats, event: Bools) -> tuple[Estimate, Estimate]:
    """Estimate calibration in the large, and the calibration slope.

    Parameters
    ----------
    log_odds
        Float, shape (n,), finite: of the predicted risk.
    event
        Bool, shape (n,).

    Returns
    -------
    tuple
        Intercept: of a logistic regression of the outcome with the log odds as offset, 0 where predictions are right
        in the mean. Slope: the coefficient of the log odds in another one, 1 where their spread is right, below 1 where
        predictions are too extreme. Both with Wald's 95 % interval.

    Raises
    ------
    AnalysisError
        ``NOT_ESTIMABLE`` where all predictions are the same or the log odds separate the outcomes, so that no finite
        slope exists.

    Notes
    -----
    statsmodels' ``GLM``, binomial, by iteratively reweighted least squares.

    Disclosure
    ----------
    Two coefficients over all test subjects.

    References
    ----------
    Cox (1958), Biometrika 45:562. Van Calster et al (2016), J Clin Epidemiol 74:167.

    Examples
    --------
    Odds of 1 in 3 and 3 in 1 where log odds of 1 and -1 were predicted: the slope is ln 3.

    >>> odds = np.repeat([1.0, -1.0], 4)
    >>> intercept, slope = calibration_line(odds, np.array([1, 1, 1, 0, 1, 0, 0, 0], dtype=bool))
    >>> f"{abs(intercept.value):.6f} {slope.value:.6f} {math.log(3):.6f}"
    '0.000000 1.098612 1.098612'
    """
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_linear_model import GLM

    have, lack = log_odds[event], log_odds[~event]
    if np.ptp(log_odds) == 0 or have.min() >= lack.max() or have.max() <= lack.min():
        raise AnalysisError("NOT_ESTIMABLE", "Predictions are all the same, or separate the outcomes.")
    outcome, ones = event.astype(float), np.ones((len(event), 1))
    large = GLM(outcome, ones, family=Binomial(), offset=log_odds).fit()
    line = GLM(outcome, np.column_stack([ones, log_odds]), family=Binomial()).fit()
    return _wald(large.params[0], large.bse[0]), _wald(line.params[1], line.bse[1])


def _wald(value: float, error: float) -> Estimate:
    return Estimate(float(value), float(value - Z * error), float(value + Z * error))
