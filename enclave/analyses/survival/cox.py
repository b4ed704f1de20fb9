"""Cox proportional hazards regression."""

import math

import numpy as np

from enclave.analyses.arrays import Bools, Floats
from enclave.analyses.design import Coded, require_estimable, standardise
from enclave.analyses.pooling import Pooled
from enclave.analyses.results import Design, RawRegression, RawTerm
from protocol.errors import AnalysisError

__all__ = ["fit_cox"]

_ITERATIONS = 50
_TOLERANCE = 1e-7
"""Of a last Newton step, relative to its coefficient: with quadratic convergence it leaves an error near 1e-14."""


def fit_cox(
    pooled: Pooled, coded: Coded, time: Floats, event: Bools, labels: tuple[str, ...], *, stratified: bool
) -> RawRegression:
    """Estimate log hazard ratios by maximum partial likelihood.

    Parameters
    ----------
    pooled
        n subjects without missing values.
    coded
        Their covariates, float, shape (n, p).
    time
        Float, shape (n,), >= 0, in any unit: only the order counts.
    event
        Bool, shape (n,): True where ``time`` ends in the event, False where it is censored.
    labels
        Names of the p terms.
    stratified
        Give each owner a baseline hazard of its own.

    Returns
    -------
    RawRegression
        Coefficients, standard errors from the observed information, two-sided Wald p values, the log partial
        likelihood at zero and at the estimate.

    Raises
    ------
    AnalysisError
        ``NO_EVENTS``; ``COLLINEAR`` for a constant or redundant covariate; ``SEPARATION`` where the partial likelihood
        is monotone in some direction, so that no finite estimate exists; ``NOT_ESTIMABLE`` where it is too flat.

    Notes
    -----
    Ties by Efron's approximation. Covariates are centred and scaled for the fit, and the result is scaled back.
    statsmodels' ``PHReg`` maximises; one Newton step more is taken from its answer. Where the likelihood is monotone
    that step does not shrink however long one iterates (R's ``coxph`` warns by the same sign), and the fit is refused.

    Disclosure
    ----------
    A coefficient of a column that few subjects stand out in reveals these subjects' outcomes: see
    ``enclave.disclosure.regression``.

    References
    ----------
    Cox (1972), JRSS B 34:187. Efron (1977), JASA 72:557. Therneau and Grambsch (2000), Modeling Survival Data, 3.5.
    """
    from statsmodels.duration.hazard_regression import PHReg

    if not event.any():
        raise AnalysisError("NO_EVENTS", "No subject without missing values has the event.")
    strata = pooled.owners if stratified else None
    require_estimable(coded.matrix, strata)
    scaled, scale = standardise(coded.matrix, strata)
    order = np.unique(time, return_inverse=True)[1].astype(float)
    model = PHReg(order, scaled, status=event.astype(int), ties="efron", strata=strata)
    start = np.zeros(scaled.shape[1])
    try:
        rough = model.fit(start_params=start, method="newton", maxiter=_ITERATIONS, disp=False).params
        step = np.linalg.solve(-model.hessian(rough), model.score(rough))
        estimate = rough + step
        covariance = np.linalg.inv(-model.hessian(estimate))
    except (np.linalg.LinAlgError, ValueError, FloatingPointError) as error:
        raise AnalysisError("NOT_ESTIMABLE", "The partial likelihood has no curvature to estimate from.") from error
    if not np.all(np.abs(step) <= _TOLERANCE * np.maximum(np.abs(estimate), 1.0)):
        raise AnalysisError("SEPARATION", "A covariate separates events from the rest: no finite estimate exists.")
    variance = np.diag(covariance)
    if not (np.isfinite(estimate).all() and np.isfinite(variance).all() and (variance > 0).all()):
        raise AnalysisError("NOT_ESTIMABLE", "The partial likelihood has no curvature to estimate from.")
    errors = np.sqrt(variance)
    terms = tuple(
        RawTerm(label, float(b / s), float(e / s), math.erfc(abs(b / e) / math.sqrt(2)))
        for label, b, e, s in zip(labels, estimate, errors, scale, strict=True)
    )
    design = Design(pooled.owners, pooled.owner_keys, coded.matrix, coded.references, event, strata)
    return RawRegression(terms, (float(model.loglike(start)), float(model.loglike(estimate))), design)
