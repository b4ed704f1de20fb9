"""The logistic likelihood, and Firth's: penalised by the square root of the information's determinant."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from enclave.analyses.arrays import Bools, Floats, Integers
from enclave.analyses.newton import climb
from protocol.errors import AnalysisError

__all__ = ["WIDEST", "Fit", "Logistic", "fit_penalised"]

WIDEST = 700.0
"""Range of a linear predictor: the odds of e^700 are still a float."""
_ITERATIONS = 500
_TOLERANCE = 1e-10
"""The second derivatives are not exact, so that steps shrink linearly."""


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """What was estimated of the p covariates: float, shape (p,) each; log likelihoods without them and with them."""

    coefficients: Floats
    errors: Floats
    p_values: Floats
    log_likelihood: tuple[float, float]


class Logistic:
    """The log likelihood of a logistic model, by statsmodels.

    Parameters
    ----------
    event
        Bool, shape (n,): who has the outcome.
    matrix
        Float, shape (n, s + p): one column of ones and zeros for each of s intercepts, then the covariates.
    intercepts
        Their number, s >= 1.
    """

    def __init__(self, event: Bools, matrix: Floats, intercepts: int) -> None:
        from statsmodels.discrete.discrete_model import Logit

        self.event, self.matrix, self.intercepts = event, matrix, intercepts
        self._model: Any = Logit(event.astype(float), matrix)

    def loglike(self, params: Floats) -> float:
        """Log likelihood."""
        return float(self._model.loglike(params))

    def score(self, params: Floats) -> Floats:
        """Its gradient."""
        found: Floats = self._model.score(params)
        return found

    def hessian(self, params: Floats) -> Floats:
        """Its second derivatives: minus the information, observed and expected."""
        found: Floats = self._model.hessian(params)
        return found

    def probability(self, params: Floats) -> Floats:
        """Fitted probability of the outcome, shape (n,)."""
        found: Floats = self._model.predict(params)
        return found

    def null_likelihood(self) -> float:
        """Log likelihood without covariates: at each intercept's own share of events, which lies between 0 and 1."""
        member = self.matrix[:, : self.intercepts]
        rows, events = member.sum(axis=0), member[self.event].sum(axis=0)
        return float(np.sum(events * np.log(events / rows) + (rows - events) * np.log(1 - events / rows)))


class _Penalised:
    """Log likelihood plus half the log determinant of the information; coefficients not at ``free`` are 0."""

    def __init__(self, model: Logistic, free: Integers) -> None:
        self._model, self._free = model, free

    def whole(self, params: Floats) -> Floats:
        """Return all coefficients."""
        found = np.zeros(self._model.matrix.shape[1])
        found[self._free] = params
        return found

    def loglike(self, params: Floats) -> float:
        """Penalised log likelihood."""
        at = self.whole(params)
        return self._model.loglike(at) + float(np.linalg.slogdet(-self._model.hessian(at))[1]) / 2

    def score(self, params: Floats) -> Floats:
        """Its gradient: Firth's modified score."""
        at = self.whole(params)
        probability, leverage = self._leverage(at)
        modified: Floats = self._model.score(at) + self._model.matrix.T @ (leverage * (0.5 - probability))
        return modified[self._free]

    def hessian(self, params: Floats) -> Floats:
        """Its second derivatives but for what comes of a change in leverage: exact where each cell has its own mean."""
        probability, leverage = self._leverage(self.whole(params))
        columns = self._model.matrix[:, self._free]
        found: Floats = -(columns.T * (probability * (1 - probability) * (1 + leverage))) @ columns
        return found

    def _leverage(self, at: Floats) -> tuple[Floats, Floats]:
        """Return each subject's probability, and its diagonal element of the weighted hat matrix."""
        matrix, probability = self._model.matrix, self._model.probability(at)
        inverse = np.linalg.inv(-self._model.hessian(at))
        return probability, probability * (1 - probability) * np.einsum("ij,ij->i", matrix @ inverse, matrix)

    def maximise(self) -> tuple[Floats, float]:
        """Return all coefficients at the maximum, and the penalised log likelihood there."""
        nobody = np.zeros(len(self._free))
        try:
            columns = self._model.matrix[:, self._free]
            estimate = climb(
                self, columns, -self.hessian(nobody), iterations=_ITERATIONS, tolerance=_TOLERANCE, widest=WIDEST
            )
        except np.linalg.LinAlgError:
            estimate = None
        if estimate is None:
            raise AnalysisError("NOT_ESTIMABLE", "The penalised estimate is out of reach of floating-point numbers.")
        return self.whole(estimate), self.loglike(estimate)


def fit_penalised(model: Logistic) -> Fit:
    """Estimate by Firth's penalised likelihood.

    Parameters
    ----------
    model
        The likelihood of n subjects, its columns linearly independent.

    Returns
    -------
    Fit
        Estimates, standard errors from the information at the estimate, p values of the penalised likelihood ratio test
        (one degree of freedom) and penalised log likelihoods.

    Raises
    ------
    AnalysisError
        ``NOT_ESTIMABLE`` where floats do not carry the fit.

    Notes
    -----
    The estimate is finite whatever the outcomes. Under separation the penalised likelihood is far from symmetric and
    Wald's test is poor, so each p value is that of a fit with the one coefficient held at 0, under the penalty of the
    whole model, as R's ``logistf`` does it. Intercepts are penalised too.

    Disclosure
    ----------
    See ``enclave.disclosure.regression``.

    References
    ----------
    Firth (1993), Biometrika 80:27. Heinze and Schemper (2002), Stat Med 21:2409, eq. 2 and section 2.3.

    Examples
    --------
    With x = 0 two of three have the outcome, with x = 1 all three. Half a subject is added to each cell; without x the
    probability is (events + 1) / (subjects + 2).

    >>> matrix = np.column_stack([np.ones(6), np.repeat([0.0, 1.0], 3)])
    >>> fit = fit_penalised(Logistic(np.array([True, True, False, True, True, True]), matrix, 1))
    >>> f"{fit.coefficients[0]:.6f} {math.log((3.5 / 0.5) / (2.5 / 1.5)):.6f}"
    '1.435085 1.435085'
    >>> def height(low, high):  # of the penalised likelihood, at these probabilities
    ...     likelihood = 2 * math.log(low) + math.log(1 - low) + 3 * math.log(high)
    ...     return likelihood + math.log(9 * low * (1 - low) * high * (1 - high)) / 2
    >>> ratio = 2 * (height(2.5 / 4, 3.5 / 4) - height(6 / 8, 6 / 8))
    >>> f"{fit.p_values[0]:.6f} {math.erfc(math.sqrt(ratio / 2)):.6f}"
    '0.405928 0.405928'
    """
    places = np.arange(model.matrix.shape[1])
    covariates = places[model.intercepts :]
    estimate, reached = _Penalised(model, places).maximise()
    errors = np.sqrt(np.diag(np.linalg.inv(-model.hessian(estimate))))
    lower = np.array([_Penalised(model, np.delete(places, place)).maximise()[1] for place in covariates])
    # Twice the difference is chi-square with one degree of freedom; rounding may turn its sign.
    p_values = np.array([math.erfc(math.sqrt(max(reached - height, 0.0))) for height in lower])
    lowest = _Penalised(model, places[: model.intercepts]).maximise()[1]
    return Fit(estimate[covariates], errors[covariates], p_values, (lowest, reached))
