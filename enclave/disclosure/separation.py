"""How many subjects keep the columns of a logistic model from separating the outcomes."""

import numpy as np

from enclave.analyses.arrays import Bools, Floats, Integers

__all__ = ["overlapping_groups"]

_LEAST = 1e-7
"""Length of a row, of columns that run from -1 to 1, that is more than rounding."""
_LEAST_WEIGHT = 1e-9
_ROWS_AT_ONCE = 1000
"""So many rows, evenly spread, are tried before all: a group needs few more than there are coefficients."""


def overlapping_groups(matrix: Floats, event: Bools, strata: Integers, wanted: int) -> int:
    """Count disjoint groups of rows in each of which, taken alone, no combination of the columns separates outcomes.

    Parameters
    ----------
    matrix
        Float, shape (n, p), n >= 1, without intercepts.
    event
        Bool, shape (n,).
    strata
        Int, 0 or more, shape (n,): each has an intercept.
    wanted
        Where to stop counting.

    Returns
    -------
    int
        0 to ``wanted``. Where m groups are found, a maximum likelihood estimate exists whatever the outcomes of any
        m - 1 rows are, also without these, and whatever other rows there are: one group is untouched, and every
        direction goes against somebody of it. There may be more groups than are found.

    Notes
    -----
    A group overlaps if its rows, each turned towards its outcome, span all coefficients and add up to zero with
    positive weights. Linear programs: a vertex of the possible weights has few rows; what these do not span is left to
    further ones. Intercepts alone separate nothing but strata of one outcome, so a group need not span all of these.

    References
    ----------
    Albert and Anderson (1984), Biometrika 71:1. Rousseeuw and Christmann (2003), Comput Stat Data Anal 43:315, count
    the fewest rows without which the rest is separated, which is no fewer.

    Examples
    --------
    Two subjects of either outcome at each of x = 0 and x = 1 are two groups of four.

    >>> x, event = np.repeat([[0.0], [1.0]], 4, axis=0), np.array([True, True, False, False] * 2)
    >>> overlapping_groups(x, event, np.zeros(8, dtype=int), wanted=5)
    2
    """
    signed = _signed(matrix, event, strata)
    intercepts, free = signed.shape[1] - matrix.shape[1], np.arange(len(signed))
    for found in range(wanted):
        few = free[:: len(free) // _ROWS_AT_ONCE + 1]
        group = _group(signed, intercepts, few)
        if group is None and len(few) < len(free):
            group = _group(signed, intercepts, free)
        if group is None:
            return found
        free = np.setdiff1d(free, group, assume_unique=True)
    return wanted


def _group(signed: Floats, intercepts: int, free: Integers) -> Integers | None:
    """Return some of the free rows that overlap, or None."""
    from scipy.linalg import null_space
    from scipy.optimize import linprog

    group, beyond = np.empty(0, dtype=np.intp), np.eye(signed.shape[1])
    # Directions that the group does not span yet, as long as they are not of intercepts alone.
    while np.abs(beyond[intercepts:]).max(initial=0.0) > _LEAST:
        rows = signed[free] @ beyond
        length = np.linalg.norm(rows, axis=1)
        places, rows = free[length > _LEAST], rows[length > _LEAST]
        if not len(rows):
            return None
        # Weights that add up to 1, under which the rows add up to 0: a last coordinate of 1 says the first.
        turned = np.column_stack([rows / length[length > _LEAST, None], np.ones(len(rows))])
        total = np.append(np.zeros(beyond.shape[1]), 1.0)
        found = linprog(np.zeros(len(rows)), A_eq=turned.T, b_eq=total, method="highs-ds")
        if not found.success:
            return None
        chosen = places[found.x > _LEAST_WEIGHT]
        group, free = np.append(group, chosen), np.setdiff1d(free, chosen, assume_unique=True)
        beyond = beyond @ null_space(signed[chosen] @ beyond, rcond=_LEAST)
    return group


def _signed(matrix: Floats, event: Bools, strata: Integers) -> Floats:
    """Return intercepts and columns, these from -1 to 1, negative without the event: who is predicted right grows."""
    middle = (matrix.max(axis=0) + matrix.min(axis=0)) / 2
    half = np.maximum((matrix.max(axis=0) - matrix.min(axis=0)) / 2, np.finfo(float).tiny)
    intercepts = strata[:, None] == np.unique(strata)
    signed: Floats = np.where(event, 1.0, -1.0)[:, None] * np.hstack([intercepts, (matrix - middle) / half])
    return signed
