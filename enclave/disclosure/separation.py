"""Whose outcome the columns of a logistic model determine, which a penalised fit admits."""

import numpy as np

from enclave.analyses.arrays import Bools, Floats, Integers

__all__ = ["determined"]

_WIDEST = 1e6
"""Of a coefficient of a column that runs from -1 to 1; distances below its reciprocal are taken for none."""
_HALF = 0.5


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
    A linear program: slacks between 0 and 1 that growth must cover, as large in sum as can be. Directions may be added
    and stretched, so one of them covers all who can be covered, with slack 1. Equal subjects share a row.

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
    from scipy.sparse import csr_array, eye_array, hstack

    middle = (matrix.max(axis=0) + matrix.min(axis=0)) / 2
    half = np.maximum((matrix.max(axis=0) - matrix.min(axis=0)) / 2, np.finfo(float).tiny)
    intercepts = strata[:, None] == np.unique(strata)
    signed = np.where(event, 1.0, -1.0)[:, None] * np.hstack([intercepts, (matrix - middle) / half])
    kinds, kind, rows = np.unique(signed, axis=0, return_inverse=True, return_counts=True)
    count, width = kinds.shape
    found = linprog(
        c=np.concatenate([np.zeros(width), -rows.astype(float)]),
        A_ub=hstack([csr_array(-kinds), eye_array(count)], format="csr"),
        b_ub=np.zeros(count),
        bounds=[(-_WIDEST, _WIDEST)] * width + [(0.0, 1.0)] * count,
        method="highs",
    )
    covered: Bools = (found.x[width:] > _HALF)[kind.reshape(-1)]
    return covered
