"""Test statistics: the rule of the count table that the test compares.

Of each group at least k subjects must have the event and at least k must not, by safe count. A statistic over fewer is
a function of few subjects' outcomes, and one over a group in which all had the event says so of each of them.
"""

from enclave.analyses.results import RawTest
from enclave.disclosure.rounding import p_value, significant
from enclave.disclosure.support import Coalitions, safe_count
from protocol.documents.outputs import TestStatistic
from protocol.errors import DisclosureRefused
from protocol.presets import GatePreset

__all__ = ["DIGITS", "release_statistic"]

DIGITS = 4
_FEWEST_GROUPS = 2


def release_statistic(raw: RawTest, preset: GatePreset, against: Coalitions) -> TestStatistic:
    """Return the statistic as it may leave.

    Raises
    ------
    DisclosureRefused
        ``GROUP`` where too few of a group have, or have not, the event; ``SHAPE``, ``NOT_FINITE``,
        ``MAGNITUDE``.
    """
    if len(raw.groups) < _FEWEST_GROUPS:
        raise DisclosureRefused("SHAPE", "A test compares at least two groups.")
    for group in raw.groups:
        censored = group.subjects.minus(group.events)
        if min(safe_count(group.events, against), safe_count(censored, against)) < preset.k:
            raise DisclosureRefused("GROUP", "In a group too few subjects have the event, or too few have not.")
    return TestStatistic(label=0, statistic=significant(raw.statistic, DIGITS), df=raw.df, p=p_value(raw.p))
