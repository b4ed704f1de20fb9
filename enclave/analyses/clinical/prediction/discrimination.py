"""How well predictions tell subjects with the event from those without."""

import math

import numpy as np

from enclave.analyses.arrays import Bools, Floats
from enclave.analyses.clinical.prediction.intervals import Estimate, Z, clipped

__all__ = ["above_threshold", "auroc"]


def auroc(score: Floats, event: Bools) -> Estimate:
    """Estimate the probability that a subject with the event has a higher score than one without.

    Parameters
    ----------
    score
        Float, shape (n,), finite; only its order counts.
    event
        Bool, shape (n,): at least two with the event and two without.

    Returns
    -------
    Estimate
        0 to 1, with DeLong's 95 % interval.

    Notes
    -----
    Ties count one half. DeLong's variance by midranks (Sun and Xu), in n log n steps; the interval is the normal one,
    cut at 0 and 1. It is a point where the scores separate the outcomes.

    Disclosure
    ----------
    A value of 1 says of every two subjects who has the higher risk: the gate suppresses it. The interval tells about
    how many subjects and events there are.

    References
    ----------
    DeLong et al (1988), Biometrics 44:837. Sun and Xu (2014), IEEE Signal Process Lett 21:1389.

    Examples
    --------
    >>> area = auroc(np.array([1.0, 2.0, 3.0, 4.0]), np.array([False, True, False, True]))
    >>> area.value, area.lower, area.upper
    (0.75, 0.057..., 1.0)
    """
    from scipy.stats import rankdata

    have, lack = score[event], score[~event]
    ranks = rankdata(score)
    # For each subject the share of the other group that it is on the right side of.
    won = (ranks[event] - rankdata(have)) / len(lack)
    lost = 1 - (ranks[~event] - rankdata(lack)) / len(have)
    area = float(won.mean())
    error = math.sqrt(won.var(ddof=1) / len(have) + lost.var(ddof=1) / len(lack))
    return clipped(area, area - Z * error, area + Z * error)


def above_threshold(score: Floats, event: Bools, tenths: int) -> Bools:
    """Return who has a score above the lowest threshold with at least this specificity.

    Parameters
    ----------
    score
        Float, shape (n,), finite.
    event
        Bool, shape (n,): at least one without the event.
    tenths
        Specificity in tenths, 1 to 9.

    Returns
    -------
    Bools
        Shape (n,). The threshold is the score of one without the event, and subjects who tie with it are not above.

    Disclosure
    ----------
    The thresholds are not released. How many events lie between two of them is a count: see
    ``enclave.disclosure.metrics``.

    Examples
    --------
    >>> score, event = np.arange(12.0), np.arange(12) > 9
    >>> above_threshold(score, event, 8).nonzero()[0].tolist()
    [8, 9, 10, 11]
    """
    lack = np.sort(score[~event])
    below = -(-tenths * len(lack) // 10)  # whole numbers: 0.7 * 10 is more than 7 to a float
    return np.asarray(score > lack[below - 1])
