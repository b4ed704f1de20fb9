"""Safe counts: how many distinct subjects stay hidden behind a cell when its recipients subtract what they know.

A recipient's institution knows its own subjects, so only the others hide each other. With four or more contributing
owners one further owner may collude with it (``collusion``). One released value serves all recipients: the worst
coalition decides.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations

from enclave.analyses.results import Support
from protocol.types import Key

__all__ = ["Coalitions", "coalitions", "collusion", "safe_count"]

Coalitions = frozenset[frozenset[Key]]
_HONEST_CONTRIBUTORS = 3
"""Up to so many contributors, no two of them are taken to collude."""


def collusion(owners: Iterable[Key]) -> int:
    """Return how many further owners a recipient may collude with."""
    return 0 if len(set(owners)) <= _HONEST_CONTRIBUTORS else 1


def coalitions(recipients: Iterable[Key], owners: Sequence[Key]) -> Coalitions:
    """Return every set of owners whose subjects may be subtracted from one released value.

    Parameters
    ----------
    recipients
        Root keys of the institutions that receive the value; they need not own data.
    owners
        Root keys of the owners whose data the contract uses.
    """
    found: set[frozenset[Key]] = set()
    for recipient in recipients:
        others = sorted(set(owners) - {recipient})
        size = min(collusion(owners), len(others))
        found.update(frozenset({recipient, *chosen}) for chosen in combinations(others, size))
    return frozenset(found)


def safe_count(support: Support, against: Coalitions) -> int:
    """Return the distinct subjects left behind a cell by the worst coalition; 0 where nobody is named."""
    return min((support.without(coalition) for coalition in against), default=0)
