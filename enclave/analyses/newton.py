"""Newton's method for likelihoods: the climb that regressions share."""

import math
from typing import Protocol

import numpy as np

from enclave.analyses.arrays import Floats

__all__ = ["Likelihood", "climb"]

_ITERATIONS = 25
"""Newton steps. Cox fits with very skewed covariates took up to 12; R's ``coxph`` allows 20."""
_TOLERANCE = 1e-7
"""Of a last Newton step, relative to its coefficient: with quadratic convergence it leaves an error near 1e-14."""
_WIDEST = 80.0
"""Between two subjects' linear predictors: at a hazard ratio of e^80 sums of hazards have lost the smaller ones."""
_SLACK = 1e-10
"""By how much, relatively, rounding may lower the likelihood in a step that is right."""


class Likelihood(Protocol):
    """A log likelihood with its first and second derivatives, as statsmodels' models have them."""

    def loglike(self, params: Floats) -> float:
        """Log likelihood."""

    def score(self, params: Floats) -> Floats:
        """Its gradient, shape (p,)."""

    def hessian(self, params: Floats) -> Floats:
        """Its second derivatives, or minus an information, shape (p, p)."""


def climb(
    model: Likelihood,
    matrix: Floats,
    information: Floats,
    *,
    iterations: int = _ITERATIONS,
    tolerance: float = _TOLERANCE,
    widest: float = _WIDEST,
) -> Floats | None:
    """Return where a log likelihood is highest, or None where the steps do not shrink: it only grows in some direction.

    Parameters
    ----------
    model
        The likelihood of p coefficients.
    matrix
        Float, shape (n, p): the standardised columns, for the range of the linear predictor.
    information
        Float, shape (p, p): at zero, where the climb begins.
    iterations, tolerance
        Steps at most, and the size of the last one, relative to its coefficient.
    widest
        Range of the linear predictor at most: what floats can carry of the likelihood.

    Raises
    ------
    numpy.linalg.LinAlgError
        Where the information is singular.

    Notes
    -----
    Whole Newton steps, as statsmodels takes them, run away with skewed covariates, so steps are halved while they lead
    down or out of what floats can carry, as R's ``coxph`` does.
    """

    def height(at: Floats) -> float:
        return float(model.loglike(at)) if np.ptp(matrix @ at) <= widest else -math.inf

    estimate: Floats = np.zeros(matrix.shape[1])
    reached = height(estimate)
    for _ in range(iterations):
        step = np.linalg.solve(information, model.score(estimate))
        if np.all(np.abs(step) <= tolerance * np.maximum(np.abs(estimate), 1.0)):
            return estimate + step
        least = reached - _SLACK * abs(reached)
        while (reached := height(estimate + step)) < least:
            step /= 2
        estimate = estimate + step
        information = -model.hessian(estimate)  # the dearest part of a step: computed once for each place
    return None
