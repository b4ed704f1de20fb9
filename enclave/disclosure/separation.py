"""Whose outcome the columns of a logistic model determine, which a penalised fit admits."""

import numpy as np

from enclave.analyses.arrays import Bools, Floats, Integers

__all__ = ["determined"]

_LEAST_GROWTH = 1e-6
"""Of a linear predictor whose coefficients, of columns that run from -1 to 1, are at most 1; less is rounding."""


def determined(matrix: Floats, event: Bools, strata: Integers) -> Bools:
    """Return the rows that some combination of the columns and strata puts apart from all of the other outcome.

    Parameters
    ----------
    matrix
        Float, shape (n, p), n >= 1, without intercepts.
    event
        Bool, shape (n,).
    strata
        Int, 0 or more, shape (n,): each has an intercept.

    Returns
    -------
    bool, shape (n,)
        True where a direction exists in which the linear predictor grows for this subject towards its outcome and for
        nobody against it. All False where a maximum likelihood estimate exists.

    Notes
    -----
    Linear programs: the direction in which all predictors together grow most, none against its outcome. Those who grow
    are done with, for a long enough step in this direction makes up for any other; the program is solved again for the
    rest until nobody grows, once for each dimension at most. Equal subjects share a row.

    References
    ----------
    Albert and Anderson (1984), Biometrika 71:1. Konis (2007), Linear programming algorithms for detecting separated
    data in binary logistic regression models, thesis, Oxford.

    Examples
    --------
    All with x = 1 have the event; with x = 0 one of two.

    >>> determined(np.array([[0.0], [0.0], [1.0]]), np.array([True, False, True]), np.zeros(3, dtype=int)).tolist()
    [False, False, True]
    """
    from scipy.optimize import linprog

    middle = (matrix.max(axis=0) + matrix.min(axis=0)) / 2
    half = np.maximum((matrix.max(axis=0) - matrix.min(axis=0)) / 2, np.finfo(float).tiny)
    intercepts = strata[:, None] == np.unique(strata)
    signed = np.where(event, 1.0, -1.0)[:, None] * np.hstack([intercepts, (matrix - middle) / half])
    kinds, kind = np.unique(signed, axis=0, return_inverse=True)
    covered = np.zeros(len(kinds), dtype=bool)
    while not covered.all():
        rows = kinds[~covered]
        found = linprog(-rows.mean(axis=0), A_ub=-rows, b_ub=np.zeros(len(rows)), bounds=(-1, 1), method="highs")
        grown = rows @ found.x > _LEAST_GROWTH
        if not grown.any():
            break
        covered[~covered] = grown
    told: Bools = covered[kind.reshape(-1)]
    return told
