"""Kaplan-Meier curves on a declared grid."""

from collections.abc import Sequence

import numpy as np

from enclave.analyses.arrays import Bools, Floats
from enclave.analyses.pooling import Pooled
from enclave.analyses.results import RawCurve, RawPoint

__all__ = ["estimate_curve"]


def estimate_curve(
    pooled: Pooled,
    inside: Bools,
    time: Floats,
    event: Bools,
    label: str,
    grid: Sequence[tuple[int, str]],
) -> RawCurve:
    """Estimate the probability of being free of the event beyond each grid time, in one group.

    Parameters
    ----------
    pooled
        n subjects without missing values.
    inside
        Bool, shape (n,): who belongs to the group.
    time
        Float, shape (n,), days, >= 0.
    event
        Bool, shape (n,): True where ``time`` ends in the event.
    label
        The group's name.
    grid
        Days and their labels, growing.

    Returns
    -------
    RawCurve
        Survival is 1 before the first event. At a grid time t, ``at_risk`` are those with time >= t, ``left``
        those with time <= t, ``events`` those of them with the event. A group without subjects has survival 1 and
        nobody at risk: the gate stops there.

    Notes
    -----
    statsmodels' ``SurvfuncRight``: events at a time come before censoring at the same time.

    Disclosure
    ----------
    A step of the curve is one subject's event time: only the grid leaves, merged by ``enclave.disclosure.survival``.

    References
    ----------
    Kaplan and Meier (1958), JASA 53:457.

    Examples
    --------
    >>> import pandas as pd
    >>> pooled = Pooled(pd.DataFrame(index=range(4)), np.zeros(4, dtype=int), ("owner",))
    >>> time, event = np.array([5.0, 8.0, 8.0, 20.0]), np.array([True, True, False, False])
    >>> curve = estimate_curve(pooled, np.ones(4, dtype=bool), time, event, "all", [(7, "7 days"), (8, "8 days")])
    >>> [(round(p.survival, 9), p.at_risk.total, p.left.total, p.events.total) for p in curve.points]
    [(0.75, 3, 1, 1), (0.5, 3, 3, 2)]
    """
    from statsmodels.duration.survfunc import SurvfuncRight

    steps, heights = np.empty(0), np.empty(0)
    if inside.any():
        curve = SurvfuncRight(time[inside], event[inside].astype(int))
        steps, heights = np.asarray(curve.surv_times), np.asarray(curve.surv_prob)
    points = []
    for day, name in grid:
        passed = int(np.searchsorted(steps, day, side="right"))
        survival = float(heights[passed - 1]) if passed else 1.0
        left = inside & (time <= day)
        at_risk = pooled.support(inside & (time >= day))
        points.append(RawPoint(name, survival, at_risk, pooled.support(left), pooled.support(left & event)))
    return RawCurve(label, pooled.support(inside), tuple(points))
