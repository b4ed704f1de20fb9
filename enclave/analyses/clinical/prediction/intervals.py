"""Estimates with 95 % intervals."""

from typing import NamedTuple

__all__ = ["Estimate", "Z", "clipped", "wilson"]

Z = 1.959963984540054
"""The normal distribution's quantile at 0.975."""


class Estimate(NamedTuple):
    """A figure and the bounds of its 95 % interval."""

    value: float
    lower: float
    upper: float


def clipped(value: float, lower: float, upper: float) -> Estimate:
    """Return the estimate of a share: bounds beyond 0 and 1 are cut there."""
    return Estimate(value, max(lower, 0.0), min(upper, 1.0))


def wilson(events: int, subjects: int) -> Estimate:
    """Estimate a probability from a count, with Wilson's score interval.

    Parameters
    ----------
    events
        0 to ``subjects``.
    subjects
        0 or more; of 0 the estimate is NaN, which the gate never shows.

    Returns
    -------
    Estimate
        0 to 1.

    Disclosure
    ----------
    Share and interval together give both counts back: the gate judges them as a cell.

    References
    ----------
    Wilson (1927), JASA 22:209.

    Examples
    --------
    >>> [round(bound, 4) for bound in wilson(9, 30)]
    [0.3, 0.1666, 0.4788]
    """
    from statsmodels.stats.proportion import proportion_confint

    if not subjects:
        return Estimate(float("nan"), float("nan"), float("nan"))
    lower, upper = proportion_confint(events, subjects, alpha=0.05, method="wilson")
    return clipped(events / subjects, float(lower), float(upper))
