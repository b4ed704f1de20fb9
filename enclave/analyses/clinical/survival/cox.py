"""Cox proportional hazards regression."""

import math

import numpy as np

from enclave.analyses.arrays import Bools, Floats
from enclave.analyses.design import Coded, require_independent, standardise
from enclave.analyses.newton import climb
from enclave.analyses.pooling import Pooled
from enclave.analyses.results import Design, RawRegression, RawTerm
from protocol.errors import AnalysisError

__all__ = ["fit_cox"]


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
        is monotone in some direction, so that no finite estimate exists.

    Notes
    -----
    Ties by Efron's approximation. Covariates are centred and scaled for the fit, and the result is scaled back.
    Likelihood, score and Hessian are those of statsmodels' ``PHReg``, climbed by ``enclave.analyses.newton``. Where the
    likelihood is monotone the steps do not shrink however long one iterates (R warns by the same sign), and the fit is
    refused.

    Disclosure
    ----------
    A coefficient of a column that few subjects stand out in reveals these subjects' outcomes: see
    ``enclave.disclosure.regression``.

    References
    ----------
    Cox (1972), JRSS B 34:187. Efron (1977), JASA 72:557. Therneau and Grambsch (2000), Modeling Survival Data, 3.5.

    Examples
    --------
    Two events and one censored at the same time, one event with x = 1: Efron's score equation gives ln(6) / 2.

    >>> import pandas as pd
    >>> pooled = Pooled(pd.DataFrame(index=range(3)), np.zeros(3, dtype=int), ("owner",))
    >>> coded = Coded(np.array([[1.0], [0.0], [0.0]]), np.empty((3, 0), dtype=bool))
    >>> model = fit_cox(pooled, coded, np.full(3, 5.0), np.array([True, True, False]), ("x",), stratified=False)
    >>> f"{model.terms[0].coefficient:.6f} {math.log(6) / 2:.6f}"
    '0.895880 0.895880'
    """
    from statsmodels.duration.hazard_regression import PHReg

    if not event.any():
        raise AnalysisError("NO_EVENTS", "No subject without missing values has the event.")
    strata = pooled.owners if stratified else None
    scaled, scale = standardise(coded.matrix, strata)
    order = np.unique(time, return_inverse=True)[1].astype(float)
    model = PHReg(order, scaled, status=event.astype(int), ties="efron", strata=strata)
    try:
        at_zero = -model.hessian(np.zeros(scaled.shape[1]))
        # At zero it is, summed over events, the covariates' variance among those at risk together.
        require_independent(at_zero, int(np.count_nonzero(event)))
        estimate = climb(model, scaled, at_zero)
        if estimate is None:
            raise _separation()
        information = -model.hessian(estimate)
        np.linalg.cholesky(information)  # raises where it is not positive definite
        variance = np.diag(np.linalg.inv(information))
    except np.linalg.LinAlgError as error:
        raise _separation() from error
    errors = np.sqrt(variance)
    terms = tuple(
        RawTerm(label, float(b / s), float(e / s), math.erfc(abs(b / e) / math.sqrt(2)))
        for label, b, e, s in zip(labels, estimate, errors, scale, strict=True)
    )
    design = Design(pooled.owners, pooled.owner_keys, coded.matrix, coded.references, event, strata)
    likelihoods = float(model.loglike(np.zeros_like(estimate))), float(model.loglike(estimate))
    return RawRegression(terms, likelihoods, design, pooled.left_out)


def _separation() -> AnalysisError:
    return AnalysisError("SEPARATION", "A covariate separates events from the rest: no finite estimate exists.")
