"""Checks 10 and 11: when it happened, by whose word, and whether everything was valid then."""

from dataclasses import dataclass
from datetime import datetime

from protocol.errors import DocumentError
from protocol.governance import CLOCK_SKEW, Study, require_current
from protocol.types import Key, format_time, parse_time
from sealroom.verification.checks import Finding
from sealroom.verification.custody import Commits, Releases

__all__ = ["Moments", "find_moments", "require_valid"]


@dataclass(frozen=True, slots=True)
class Moments:
    """Times to judge at: the first and last key release, and the last word of all."""

    first_release: datetime
    last_release: datetime
    last: datetime

    @property
    def releases(self) -> tuple[datetime, ...]:
        """The times at which a custodian judged the evidence, earliest first."""
        return tuple(sorted({self.first_release, self.last_release}))


def find_moments(
    releases: Releases, commits: Commits, pinned: frozenset[Key], now: datetime, finding: Finding
) -> Moments:
    """Take the times that pinned custodians signed; without any, today's.

    Raises
    ------
    DocumentError
        ``TIME_FUTURE`` where a pinned custodian dated something after ``now``.
    """
    released = sorted(parse_time(item.document.time) for item in releases if item.document.custodian in pinned)
    committed = [parse_time(item.document.time) for item in commits if item.document.custodian in pinned]
    if not released:
        finding.unanchored(
            f"TIME UNPROVEN: no custodian with a pinned key dated this run; judged at {format_time(now)}"
        )
        return Moments(now, now, now)
    moments = Moments(released[0], released[-1], max((*released, *committed)))
    if moments.last > now + CLOCK_SKEW:
        raise DocumentError(
            "TIME_FUTURE", f"A custodian dated this run {format_time(moments.last)}; it is {format_time(now)}."
        )
    finding.found = f"released {format_time(moments.first_release)}, committed {format_time(moments.last)}"
    return moments


def require_valid(study: Study, moments: Moments, finding: Finding) -> None:
    """Require that nothing was in the future at the first release, and nothing had expired at the last word."""
    for moment in sorted({moments.first_release, moments.last_release, moments.last}):
        require_current(study, moment)
    finding.found = f"everything was valid from {format_time(moments.first_release)} to {format_time(moments.last)}"
