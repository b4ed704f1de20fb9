"""On how few subjects a set of numbers rests: counts of values that are too easily found, a spread that few make up."""

from collections.abc import Sequence

import numpy as np

from enclave.analyses.arrays import Floats, Integers

__all__ = ["COMMONEST", "beside_commonest", "effective_number", "has_few_rare", "rests_on_many"]

COMMONEST = 3
"""Number, mean and deviation are three equations: counts at so many values follow from them."""
_ROUNDING = 1e-9


def beside_commonest(counts: Integers) -> Integers:
    """Return how many subjects are away from the commonest value, from the two and from the three commonest.

    >>> beside_commonest(np.array([1, 58, 1, 29])).tolist(), beside_commonest(np.array([60, 40])).tolist()
    ([31, 2, 1], [40, 0, 0])

    Parameters
    ----------
    counts
        Int, shape (v,): subjects at each value.
    """
    largest = np.zeros(COMMONEST, dtype=np.intp)
    first = np.sort(counts)[::-1][:COMMONEST]
    largest[: len(first)] = first
    found: Integers = counts.sum() - np.cumsum(largest)
    return found


def has_few_rare(away: Integers, k: int) -> bool:
    """Whether somebody, but fewer than k, are away from the two or from the three commonest values.

    Then their value, or how many have it, follows from number, mean and deviation, since the rest is three counts.
    """
    return bool(((away[1:] > 0) & (away[1:] < k)).any())


def rests_on_many(parts: Sequence[Floats], k: int) -> bool:
    """Whether a sum of squared deviations, each from the mean of its part, rests on at least k subjects.

    Its effective number must be k. And for each j below k, without whichever j subjects at least 1 / (j + 1) of it must
    be left, so nobody has more than half, no two more than two thirds. The first finds few far values among many; the
    second, few that are a good part of a small group, which take the mean with them.

    >>> few, many = np.repeat([0.0, 1.0], [31, 9]), np.repeat([0.0, 1.0], [30, 10])
    >>> rests_on_many([few], 10), rests_on_many([many], 10), rests_on_many([few], 9)
    (False, True, True)

    Parameters
    ----------
    parts
        Each float, shape (n,), finite; those that are compared with each other. Together at least k.
    """
    deviations = np.concatenate([part - part.mean() for part in parts if len(part)] or [np.empty(0)])
    largest = np.abs(deviations).max(initial=0.0)
    if largest <= 0:
        return False
    squares = (deviations / largest) ** 2
    # From medians, since without the far ones a part's mean is near that of the rest.
    centred = np.concatenate([part - np.median(part) for part in parts if len(part)]) / largest
    return effective_number(squares) >= k and _is_left(np.sort(centred), squares.sum(), k)


def _is_left(ordered: Floats, total: float, k: int) -> bool:
    """Whether without any j < k of some rising numbers their squared deviations are 1 / (j + 1) of a total or more."""
    sums, squares = (np.concatenate([[0.0], np.cumsum(powers)]) for powers in (ordered, ordered**2))
    for gone in range(1, k):
        # Without those j who take most, what is left lies together: so many are gone from below, the others from above.
        low = np.arange(gone + 1)
        high = len(ordered) - gone + low
        left = squares[high] - squares[low] - (sums[high] - sums[low]) ** 2 / (high - low)
        if left.min() < total / (gone + 1) - _ROUNDING * total:
            return False
    return True


def effective_number(squares: Floats) -> float:
    """Return on how many subjects a sum rests: the inverse of the sum of squared shares, k where k share it equally.

    Below 5 where one subject has half of the sum, or two have two thirds; 0 where the sum is 0, or no number.

    >>> round(effective_number(np.array([0.0] * 990 + [4.0] * 10)), 6), effective_number(np.zeros(3))
    (10.0, 0.0)
    >>> effective_number(np.array([1.0, np.nan] * 30)), effective_number(np.array([1.0, np.inf] * 30))
    (0.0, 0.0)

    Parameters
    ----------
    squares
        Float, shape (n,), not negative.
    """
    largest = squares.max(initial=0.0)
    if not 0 < largest < np.inf:
        return 0.0
    shares = squares / largest
    return float(shares.sum() ** 2 / (shares**2).sum())
