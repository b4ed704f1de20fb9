"""Test statistics: the groups that a test compares must each be large enough, and so must their events."""

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
        ``GROUP`` where a group has too few subjects, with the event or in all; ``SHAPE``, ``NOT_FINITE``,
        ``MAGNITUDE``.
    """
    if len(raw.groups) < _FEWEST_GROUPS:
        raise DisclosureRefused("SHAPE", "A test compares at least two groups.")
    for group in raw.groups:
        if safe_count(group.subjects, against) < preset.k or safe_count(group.events, against) < preset.k:
            raise DisclosureRefused("GROUP", "A group has too few subjects, or too few of them have the event.")
    return TestStatistic(label=0, statistic=significant(raw.statistic, DIGITS), df=raw.df, p=p_value(raw.p))
