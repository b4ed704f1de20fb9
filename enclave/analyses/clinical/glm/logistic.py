"""Logistic regression: maximum likelihood, and Firth's penalised likelihood where that does not exist."""

import math

import numpy as np

from enclave.analyses.arrays import Bools, Integers
from enclave.analyses.clinical.glm.firth import WIDEST, Fit, Logistic, fit_penalised
from enclave.analyses.design import Coded, require_independent, standardise
from enclave.analyses.newton import climb
from enclave.analyses.pooling import Pooled
from enclave.analyses.results import Design, RawRegression, RawTerm
from protocol.errors import AnalysisError

__all__ = ["fit_logistic"]


def fit_logistic(
    pooled: Pooled, coded: Coded, event: Bools, labels: tuple[str, ...], *, by_site: bool
) -> RawRegression:
    """Estimate log odds ratios for one unit, or one level, of each covariate.

    Parameters
    ----------
    pooled
        n subjects without missing values.
    coded
        Their covariates, float, shape (n, p).
    event
        Bool, shape (n,): who has the outcome.
    labels
        Names of the p terms.
    by_site
        Give each owner an intercept of its own.

    Returns
    -------
    RawRegression
        Coefficients, standard errors from the information and two-sided p values; the log likelihoods without
        covariates and at the estimate. ``penalised``: no finite maximum likelihood estimate exists, for a combination
        of covariates separates subjects with the outcome from others; then estimate and log likelihoods are those of
        Firth's penalised likelihood. p is of Wald's test, and of the penalised likelihood ratio test where penalised.

    Raises
    ------
    AnalysisError
        ``OUTCOME_CONSTANT`` where all subjects, or none, have the outcome (by site: at each owner); ``COLLINEAR`` for a
        constant or redundant covariate; ``NOT_ESTIMABLE`` where the penalised estimate is out of reach of floats.

    Notes
    -----
    Likelihood, score and Hessian are those of statsmodels' ``Logit``, climbed by ``enclave.analyses.newton``.
    Covariates are centred (within owners) and scaled for the fit, and the result is scaled back. Under separation the
    steps do not shrink however long one iterates.

    By site, an owner whose subjects all have, or all lack, the outcome tells nothing of the covariates: its intercept
    is infinite and its likelihood one whatever they do. Its subjects are left out of the fit, which gives the other
    estimates as R's ``glm`` tends to them, and is no separation; penalised fits leave them out as well. Intercepts are
    not released: they would be figures of single institutions.

    Disclosure
    ----------
    A coefficient of a column that few subjects stand out in reveals these subjects' outcomes. A penalised fit says that
    all subjects on one side of some combination have the outcome, or lack it, so it does not leave the enclave: see
    ``enclave.disclosure.regression``.

    References
    ----------
    McCullagh and Nelder (1989), ch. 4. Firth (1993), Biometrika 80:27. Heinze and Schemper (2002), Stat Med 21:2409.

    Examples
    --------
    Of four with x = 0 one has the outcome, of four with x = 1 three: the odds ratio is 9. If all four have it, half a
    subject is added to each of the four cells.

    >>> import pandas as pd
    >>> pooled = Pooled(pd.DataFrame(index=range(8)), np.zeros(8, dtype=int), ("owner",))
    >>> coded = Coded(np.repeat([[0.0], [1.0]], 4, axis=0), np.empty((8, 0), dtype=bool))
    >>> for events in (3, 4):
    ...     event = np.array([True, False, False, False] + [number < events for number in range(4)])
    ...     model = fit_logistic(pooled, coded, event, ("x",), by_site=False)
    ...     print(f"{math.exp(model.terms[0].coefficient):.6f}", model.penalised)
    9.000000 False
    21.000000 True
    >>> f"{(4.5 / 0.5) / (1.5 / 3.5):.6f}"
    '21.000000'
    """
    strata = np.unique(pooled.owners, return_inverse=True)[1] if by_site else np.zeros(len(event), dtype=np.intp)
    varies = _informative(event, strata)
    if not varies.any():
        raise AnalysisError("OUTCOME_CONSTANT", "All subjects, or none, have the outcome.")
    inside = strata[varies]
    scaled, scale = standardise(coded.matrix[varies], inside)
    require_independent(scaled.T @ scaled, len(scaled))
    intercepts = (inside[:, None] == np.unique(inside)).astype(float)
    model = Logistic(event[varies], np.hstack([intercepts, scaled]), intercepts.shape[1])
    fit = _maximum_likelihood(model)
    penalised = fit is None
    if fit is None:
        fit = fit_penalised(model)
    terms = tuple(
        RawTerm(label, float(coefficient), float(error), float(p))
        for label, coefficient, error, p in zip(
            labels, fit.coefficients / scale, fit.errors / scale, fit.p_values, strict=True
        )
    )
    design = Design(
        pooled.owners,
        pooled.owner_keys,
        coded.matrix,
        coded.references,
        event,
        strata=pooled.owners if by_site else None,
    )
    return RawRegression(terms, fit.log_likelihood, design, pooled.left_out, effect="odds ratio", penalised=penalised)


def _informative(event: Bools, strata: Integers) -> Bools:
    """Rows of strata in which some subjects have the outcome and some have not."""
    rows, events = np.bincount(strata), np.bincount(strata, weights=event)
    found: Bools = ((events > 0) & (events < rows))[strata]
    return found


def _maximum_likelihood(model: Logistic) -> Fit | None:
    """Return the fit, or None where no finite estimate exists."""
    nobody = np.zeros(model.matrix.shape[1])
    try:
        estimate = climb(model, model.matrix, -model.hessian(nobody), widest=WIDEST)
        if estimate is None:
            return None
        information = -model.hessian(estimate)
        np.linalg.cholesky(information)  # raises where it is not positive definite
        errors = np.sqrt(np.diag(np.linalg.inv(information)))
    except np.linalg.LinAlgError:
        return None
    covariates = slice(model.intercepts, None)
    ratios = np.abs(estimate / errors)[covariates]
    wald = np.array([math.erfc(ratio / math.sqrt(2)) for ratio in ratios])
    return Fit(estimate[covariates], errors[covariates], wald, (model.null_likelihood(), model.loglike(estimate)))
