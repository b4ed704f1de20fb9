"""The log-rank test, plain and stratified by owner."""

from collections.abc import Sequence

import numpy as np

from enclave.analyses.arrays import Bools, Floats
from enclave.analyses.pooling import Pooled
from enclave.analyses.results import RawGroup, RawTest
from protocol.errors import AnalysisError

__all__ = ["compare_survival"]

_FEWEST_GROUPS = 2


def compare_survival(
    pooled: Pooled,
    members: Sequence[Bools],
    time: Floats,
    event: Bools,
    label: str,
    *,
    stratified: bool,
) -> RawTest:
    """Test whether the hazard of the event is the same in all groups.

    Parameters
    ----------
    pooled
        n subjects without missing values.
    members
        For each group, bool, shape (n,): who belongs to it. Each subject is in one.
    time
        Float, shape (n,), >= 0, in any unit: only the order counts.
    event
        Bool, shape (n,): True where ``time`` ends in the event.
    label
        The test's name.
    stratified
        Sum observed minus expected and their variance over owners.

    Returns
    -------
    RawTest
        The statistic, chi-square with (groups with subjects - 1) degrees of freedom under the hypothesis.

    Raises
    ------
    AnalysisError
        ``FEW_GROUPS`` with fewer than two groups that have subjects; ``NO_EVENTS``; ``NOT_ESTIMABLE`` where the
        variance is singular, for instance if the groups are never at risk together.

    Notes
    -----
    statsmodels' ``survdiff``, hypergeometric variance, rho = 0.

    Disclosure
    ----------
    With a small group the statistic is a function of few subjects' outcomes: see ``enclave.disclosure.statistic``.

    References
    ----------
    Mantel (1966), Cancer Chemother Rep 50:163. Peto and Peto (1972), JRSS A 135:185.

    Examples
    --------
    Two subjects in each group, all with the event, the second group's after the first group's.

    >>> import pandas as pd
    >>> pooled = Pooled(pd.DataFrame(index=range(4)), np.zeros(4, dtype=int), ("owner",))
    >>> first = np.array([True, True, False, False])
    >>> time, event = np.array([1.0, 2.0, 3.0, 4.0]), np.ones(4, dtype=bool)
    >>> test = compare_survival(pooled, [first, ~first], time, event, "test", stratified=False)
    >>> f"{test.statistic:.4f} {(2 - 1 / 2 - 1 / 3) ** 2 / (1 / 4 + 2 / 9):.4f}"
    '2.8824 2.8824'
    """
    from scipy.special import chdtrc
    from statsmodels.duration.survfunc import survdiff

    present = sum(bool(inside.any()) for inside in members)
    if present < _FEWEST_GROUPS:
        raise AnalysisError("FEW_GROUPS", "Fewer than two groups have subjects without missing values.")
    if not event.any():
        raise AnalysisError("NO_EVENTS", "No subject without missing values has the event.")
    group = np.argmax(np.vstack(members), axis=0)
    strata = pooled.owners if stratified else None
    try:
        statistic = float(survdiff(time, event.astype(int), group, strata=strata)[0])
    except np.linalg.LinAlgError as error:
        raise AnalysisError("NOT_ESTIMABLE", "The groups are never at risk together.") from error
    groups = tuple(RawGroup(pooled.support(inside), pooled.support(inside & event)) for inside in members)
    return RawTest(label, statistic, present - 1, float(chdtrc(present - 1, statistic)), groups)
