"""Cuts of one score by bins and by points: what both together leave over must be a cell too.

Counts of shown bins, and those above each point of a ROC curve, are told. Between two points, or a point and an end of
the score, lies a region. The shown bins in it, taken from it, leave counts over; so does a region within a run of
adjacent shown bins, taken from the run. Bins in part within a region leave nothing that is anybody's count.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from enclave.analyses.results import Support

__all__ = ["TOP", "Cut", "fits_bins"]


class Cut(NamedTuple):
    """Who is above some value of a score, and who of these has the event."""

    above: Support
    events: Support


TOP = Cut(Support({}), Support({}))
_Region = tuple[Cut, Cut]
"""Its lower cut and its upper one."""


def fits_bins(
    region: _Region, edges: Sequence[Cut], shown: Collection[int], is_cell: Callable[[Support, Support], bool]
) -> bool:
    """Whether a region leaves a cell, or nobody, over beside the shown bins.

    Parameters
    ----------
    region
        Between two points, or a point and an end of the score.
    edges
        Of the bins, from the lowest, which everybody is above, to ``TOP``. All cuts are of one score: of any two, those
        above one are among those above the other.
    shown
        Places of the bins that are shown: 0 for the one from the first edge to the second.
    is_cell
        Judges subjects and those of them with the event.
    """
    inside = [bin_ for bin_ in _bins(edges, shown) if _holds(region, bin_)]
    if inside and not _leaves_cell(region, inside, is_cell):
        return False
    return all(_leaves_cell(run, [region], is_cell) for run in _runs(edges, shown) if _holds(run, region))


def _bins(edges: Sequence[Cut], shown: Collection[int]) -> Iterator[_Region]:
    return ((edges[place], edges[place + 1]) for place in shown)


def _runs(edges: Sequence[Cut], shown: Collection[int]) -> Iterator[_Region]:
    for lower, upper in combinations(range(len(edges)), 2):
        if set(range(lower, upper)) <= set(shown):
            yield edges[lower], edges[upper]


def _holds(outer: _Region, inner: _Region) -> bool:
    return inner[0].above.total <= outer[0].above.total and inner[1].above.total >= outer[1].above.total


def _leaves_cell(outer: _Region, inner: Collection[_Region], is_cell: Callable[[Support, Support], bool]) -> bool:
    subjects, events = _between(*outer)
    for part in inner:
        among, having = _between(*part)
        subjects, events = subjects.minus(among), events.minus(having)
    return not subjects.total or is_cell(subjects, events)


def _between(lower: Cut, upper: Cut) -> tuple[Support, Support]:
    return lower.above.minus(upper.above), lower.events.minus(upper.events)
