"""Safe counts: how many distinct subjects stay hidden behind a cell when somebody subtracts what he knows.

An owner knows its own subjects, so only the others hide each other. That holds for every owner, recipient or not: an
owner that is none may see the value all the same, through a recipient that owns no data, a key that was shared or
stolen, or a publication. With four or more contributing owners one further owner may collude (``collusion``). One
released value serves all recipients: the worst coalition decides.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations

from enclave.analyses.results import Support
from protocol.types import Key

__all__ = ["Coalitions", "coalitions", "collusion", "safe_count", "with_few_left_out"]

Coalitions = frozenset[frozenset[Key]]
_HONEST_CONTRIBUTORS = 3
"""Up to so many contributors, no two of them are taken to collude."""


def collusion(owners: Iterable[Key]) -> int:
    """Return how many further owners an owner or a recipient may collude with."""
    return 0 if len(set(owners)) <= _HONEST_CONTRIBUTORS else 1


def coalitions(recipients: Iterable[Key], owners: Sequence[Key]) -> Coalitions:
    """Return every set of owners whose subjects may be subtracted from one released value; none where nobody gets it.

    The only owner of a contract is no such set unless it is a recipient: beside its own there is nobody to protect.

    Parameters
    ----------
    recipients
        Root keys of the institutions that receive the value; they need not own data.
    owners
        Root keys of the owners whose data the contract uses.
    """
    found: set[frozenset[Key]] = set()
    contributors, leaders = set(owners), set(recipients)
    if leaders and len(contributors) > 1:
        leaders |= contributors
    for leader in leaders:
        others = sorted(contributors - {leader})
        size = min(collusion(owners), len(others))
        found.update(frozenset({leader, *chosen}) for chosen in combinations(others, size))
    return frozenset(found)


def safe_count(support: Support, against: Coalitions) -> int:
    """Return the distinct subjects left behind a cell by the worst coalition; 0 where nobody is named."""
    return min((support.without(coalition) for coalition in against), default=0)


def with_few_left_out(subjects: int, left_out: Support, k: int) -> int:
    """Count subjects as if every owner with fewer than ``k`` who were left out had none of them.

    The rows of each table are public, so the number of those without a missing value tells how many have one, and a
    recipe may declare any number missing: else the count would say whether anybody has just that number.
    """
    return subjects + sum(count for count in left_out.counts.values() if count < k)
