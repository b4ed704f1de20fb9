"""Linear regression by least squares."""

import numpy as np

from enclave.analyses.arrays import Floats
from enclave.analyses.design import Coded, require_independent, standardise
from enclave.analyses.pooling import Pooled
from enclave.analyses.results import Design, RawRegression, RawTerm
from protocol.errors import AnalysisError

__all__ = ["fit_linear"]

_LEAST_RESIDUAL = 1e-10
"""Residual variance, as a share of the outcome's, below which the outcome is a function of the covariates."""


def fit_linear(
    pooled: Pooled, coded: Coded, outcome: Floats, labels: tuple[str, ...], *, by_site: bool
) -> RawRegression:
    """Estimate differences of the outcome's mean for one unit, or one level, of each covariate.

    Parameters
    ----------
    pooled
        n subjects without missing values.
    coded
        Their covariates, float, shape (n, p).
    outcome
        Float, shape (n,), in any unit.
    labels
        Names of the p terms.
    by_site
        Give each owner an intercept of its own.

    Returns
    -------
    RawRegression
        Coefficients in the outcome's unit, standard errors and two-sided p values of the t distribution with n - p - s
        degrees of freedom (s intercepts); the log likelihoods of the model without covariates and of this one, at
        the maximum likelihood estimate of the variance.

    Raises
    ------
    AnalysisError
        ``FEW_SUBJECTS`` where no degree of freedom is left; ``OUTCOME_CONSTANT`` (by site: for each owner);
        ``COLLINEAR`` for a constant or redundant covariate; ``EXACT_FIT`` where nothing of the outcome is left over.

    Notes
    -----
    statsmodels' ``OLS``, homoscedastic variance. Outcome and covariates are centred (within owners) and scaled for the
    fit, which gives what a model with the intercepts gives (Frisch-Waugh-Lovell); the result is scaled back. The
    intercepts are not estimated: they would be figures of single institutions.

    Disclosure
    ----------
    A coefficient of a column that few subjects stand out in reveals these subjects' outcomes, and one outlying outcome
    shows in the standard errors: see ``enclave.disclosure.regression``.

    References
    ----------
    Seber and Lee (2003), Linear Regression Analysis, 2nd ed., ch. 3. Lovell (1963), J Am Stat Assoc 58:993.

    Examples
    --------
    Outcomes 1, 3 and 6, 8 at x = 0 and x = 1: means 2 and 7, residual variance 4 / 2, so the squared error is 2.

    >>> import pandas as pd
    >>> pooled = Pooled(pd.DataFrame(index=range(4)), np.zeros(4, dtype=int), ("owner",))
    >>> coded = Coded(np.array([[0.0], [0.0], [1.0], [1.0]]), np.empty((4, 0), dtype=bool))
    >>> (term,) = fit_linear(pooled, coded, np.array([1.0, 3.0, 6.0, 8.0]), ("x",), by_site=False).terms
    >>> f"{term.coefficient:.6f} {term.standard_error**2:.6f}"
    '5.000000 2.000000'
    """
    from statsmodels.regression.linear_model import OLS

    strata = pooled.owners if by_site else None
    intercepts = len(np.unique(pooled.owners)) if by_site else 1
    freedom = len(outcome) - coded.matrix.shape[1] - intercepts
    if freedom < 1:
        raise AnalysisError("FEW_SUBJECTS", "There are not more subjects than parameters.")
    column, spread = standardise(outcome[:, None], strata)
    if not column.any():
        raise AnalysisError("OUTCOME_CONSTANT", "The outcome does not vary.")
    scaled, scale = standardise(coded.matrix, strata)
    require_independent(scaled.T @ scaled, len(scaled))
    model = OLS(column[:, 0], scaled)
    model.df_resid = freedom
    fit = model.fit(method="qr")
    if fit.ssr < _LEAST_RESIDUAL * len(column):
        raise AnalysisError("EXACT_FIT", "The outcome follows from the covariates.")
    back = spread[0] / scale
    terms = tuple(
        RawTerm(label, float(coefficient), float(error), float(p))
        for label, coefficient, error, p in zip(labels, fit.params * back, fit.bse * back, fit.pvalues, strict=True)
    )
    design = Design(
        pooled.owners, pooled.owner_keys, coded.matrix, coded.references, event=None, strata=strata, outcome=outcome
    )
    likelihoods = _log_likelihood(column[:, 0], spread[0]), _log_likelihood(fit.resid, spread[0])
    return RawRegression(terms, likelihoods, design, pooled.left_out, effect="difference")


def _log_likelihood(residuals: Floats, unit: float) -> float:
    """Of normal residuals, given in ``unit``, at their own mean square."""
    return float(-len(residuals) / 2 * (np.log(2 * np.pi * unit**2 * np.mean(residuals**2)) + 1))
