"""Model metrics: a figure must rest on many subjects and many events of a test set, whoever subtracts his own.

Of the test set at least k subjects, and at least k (and ten) with the event and without, must be left by each coalition
of owners; of compounds at least three clusters. Else nothing leaves. Figures depend on the training set too, if less:
what a coalition leaves of that must be k subjects, or nobody.

A figure and its interval give away the counts that they were made from: 0.30 (0.17 to 0.48) is 9 of 30. So each one is
judged as the cell of a count table that it is, on its own subjects and events, and is suppressed where these are few:

- the bins of a calibration curve add up to the test set. If one is suppressed, the next smallest goes too, until
  what is hidden is itself a cell that might be shown;
- between two points of a ROC curve, before the first one and beyond the last one there must be as many events as in a
  cell: points in between are left out. Points and bins cut one score: what they leave over between them must be a
  cell too, or nobody, or the point is left out (``cuts``).

Of models of an event each one's score and training set are judged as well, see ``prediction``: whoever trains or tests
singles out no subject of others.

A figure about a number is made of sums of squares: of errors, of deviations. Without each coalition each sum must rest
on k subjects, by the inverse of the sum of squared shares, else it is suppressed: one far value would be the figure. So
must the spread of the outcomes, of the test set and of the training set, which no padding moves: a far value shifts a
linear model, and with it all errors alike.

A share that is 0 or 1 in its three decimals says something of each subject (an AUROC of 1: whoever has the event has
the higher risk), so it is suppressed too.

Figures about one owner's subjects go to that owner alone. They are about its own data, so the coalitions that would
subtract them are left out, and the counts are judged as they are.
"""

import itertools
from collections.abc import Collection, Iterator

import numpy as np

from enclave.analyses.arrays import Floats
from enclave.analyses.results import Numbers, RawMetric, RawMetrics, Support
from enclave.disclosure.concentration import effective_number
from enclave.disclosure.cuts import TOP, Cut, fits_bins
from enclave.disclosure.prediction import require_scores, require_training
from enclave.disclosure.rounding import significant, to_base
from enclave.disclosure.support import Coalitions, safe_count, with_few_left_out
from protocol.documents.outputs import Metric, Metrics
from protocol.errors import DisclosureRefused
from protocol.presets import GatePreset
from protocol.types import Key

__all__ = ["DIGITS", "MIN_CLUSTERS", "MIN_EVENTS", "release_metrics"]

DIGITS = 3
MIN_EVENTS = 10
MIN_CLUSTERS = 3
_NOBODY: Coalitions = frozenset({frozenset()})
_NONE = Support({})
_EDGE = 0.0005
"""A share this close to 0 or 1 is 0 or 1 in three decimals."""


def release_metrics(raw: RawMetrics, preset: GatePreset, against: Coalitions, recipients: Collection[Key]) -> Metrics:
    """Return the figures as they may leave; ``recipients`` are the institutions that receive them.

    Raises
    ------
    DisclosureRefused
        ``ONE_OWNER`` where the test set is one owner's and anybody else receives the figures; ``SUBJECTS``,
        ``OUTCOME``, ``CLUSTERS`` where it is too small; ``TRAINING`` where the training set is; ``SPREAD`` where few
        outcomes make up the spread of either; what ``require_training`` and ``require_scores`` raise; ``NOT_FINITE``,
        ``MAGNITUDE``.
    """
    _require_training_set(raw, preset.k, against)
    _require_spread(raw, preset.k, against)
    if raw.events is not None:
        require_training(raw, preset.k, against)
    holders = {owner for owner, count in raw.subjects.counts.items() if count}
    if len(holders) == 1:
        if set(recipients) != holders:
            raise DisclosureRefused("ONE_OWNER", "The test set is one owner's, and somebody else receives the figures.")
        against = _NOBODY
    _require_test_set(raw, preset.k, against)
    if raw.events is not None:
        require_scores(raw.scored, preset.k, against)
    shown = _shown(raw, preset.k, against)
    subjects = with_few_left_out(raw.subjects.total, raw.left_out or _NONE, preset.k)
    return Metrics(
        subjects=to_base(subjects, preset.base),
        events=None if raw.events is None else to_base(raw.events.total, preset.base),
        entries=tuple(_entry(label, entry, shown=label in shown) for label, entry in enumerate(raw.entries)),
    )


def _require_test_set(raw: RawMetrics, k: int, against: Coalitions) -> None:
    if safe_count(raw.subjects, against) < k:
        raise DisclosureRefused("SUBJECTS", "The test set has too few subjects.")
    if not _is_cell(raw.subjects, raw.events, k, against):
        raise DisclosureRefused("OUTCOME", "Too few subjects of the test set have the event, or too few have not.")
    if raw.clusters is not None and _clusters(raw.clusters, against) < MIN_CLUSTERS:
        raise DisclosureRefused("CLUSTERS", "The compounds of the test set are of too few clusters.")


def _require_training_set(raw: RawMetrics, k: int, against: Coalitions) -> None:
    """Few subjects of others would be all that a coalition does not know of the models."""
    trained = raw.trained or _NONE
    if any(0 < trained.without(coalition) < k for coalition in against):
        raise DisclosureRefused("TRAINING", "The training set has too few subjects of others.")


def _require_spread(raw: RawMetrics, k: int, against: Coalitions) -> None:
    """Judge the outcomes that each coalition leaves about their own mean: padding moves that of all far away."""
    if raw.outcomes is None:
        if raw.events is None:
            raise DisclosureRefused("SPREAD", "Outcomes that are numbers are not there to be judged.")
        return
    for left in itertools.chain.from_iterable(_left(outcomes, against) for outcomes in raw.outcomes):
        if left.size and effective_number((left - left.mean()) ** 2) < k:
            raise DisclosureRefused("SPREAD", "The outcomes of few subjects make up nearly all of their spread.")


def _clusters(clusters: Support, against: Coalitions) -> int:
    """Two owners may hold compounds of one cluster, so of several owners only the most that one of them holds count."""
    return min(
        max((count for owner, count in clusters.counts.items() if owner not in coalition), default=0)
        for coalition in against
    )


def _is_cell(subjects: Support, events: Support | None, k: int, against: Coalitions) -> bool:
    """Whether enough subjects are left by each coalition, and enough with the event and without."""
    if events is None:
        return safe_count(subjects, against) >= k
    return min(safe_count(events, against), safe_count(subjects.minus(events), against)) >= max(k, MIN_EVENTS)


def _shown(raw: RawMetrics, k: int, against: Coalitions) -> set[int]:
    """Return the places of the entries that may leave."""
    cells = [
        place
        for place, entry in enumerate(raw.entries)
        if _is_cell(entry.support, entry.events, k, against)
        and not _is_edge(entry)
        and _sums_rest_on_many(entry, k, against)
    ]
    shown = set(cells)
    for part in {entry.part for entry in raw.entries} - {""}:
        places = [place for place, entry in enumerate(raw.entries) if entry.part == part]
        if not shown.issuperset(places):
            kept = _leaving_a_cell([place for place in places if place in shown], raw, k, against)
            shown -= set(places) - set(kept)
    return shown - {place for place in cells if raw.entries[place].step} | set(_points(raw, cells, shown, k, against))


def _points(raw: RawMetrics, cells: Collection[int], shown: set[int], k: int, against: Coalitions) -> Iterator[int]:
    """Yield the points of curves that are far enough from each other and from the bins that are shown."""
    kept: dict[str, list[Cut]] = {}
    for place in cells:
        entry = raw.entries[place]
        if not entry.step or entry.above is None or entry.events is None or raw.events is None:
            continue
        before, point = kept.setdefault(entry.step, [TOP]), Cut(entry.above, entry.events)
        if safe_count(point.events.minus(before[-1].events), against) < max(k, MIN_EVENTS):
            continue
        everybody = Cut(raw.subjects, raw.events)
        regions = [(everybody, point), *((point, other) for other in before)]
        bins = list(_bins(raw, entry.score, shown))
        if all(
            fits_bins(region, edges, told, lambda among, having: _is_cell(among, having, k, against))
            for region, (edges, told) in itertools.product(regions, bins)
        ):
            before.append(point)
            yield place


def _bins(raw: RawMetrics, score: str, shown: set[int]) -> Iterator[tuple[list[Cut], list[int]]]:
    """Yield of each part that cuts a score the edges of its bins, and which of these are shown."""
    for part in {entry.part for entry in raw.entries if entry.score == score} - {""}:
        places = [place for place, entry in enumerate(raw.entries) if entry.part == part]
        above = [_rest(places[:lower], raw) for lower in range(len(places))]
        edges = [Cut(subjects, events or _NONE) for subjects, events in above]
        yield [*edges, TOP], [number for number, place in enumerate(places) if place in shown]


def _leaving_a_cell(places: Collection[int], raw: RawMetrics, k: int, against: Coalitions) -> list[int]:
    """Take away entries, smallest first, until the subjects of the test set behind none of them are a cell."""
    kept = sorted(places, key=lambda place: safe_count(raw.entries[place].support, against), reverse=True)
    while not _is_cell(*_rest(kept, raw), k, against):
        kept.pop()
    return kept


def _rest(places: Collection[int], raw: RawMetrics) -> tuple[Support, Support | None]:
    subjects, events = raw.subjects, raw.events
    for place in places:
        subjects = subjects.minus(raw.entries[place].support)
        events = events and events.minus(raw.entries[place].events or _NONE)
    return subjects, events


def _sums_rest_on_many(entry: RawMetric, k: int, against: Coalitions) -> bool:
    """Whether each sum of a figure about a number rests on k subjects, whichever coalition takes its own away.

    That is n / (1 + CV^2) of the summands, k where k are equal. From k = 5 on it follows that nobody has half of a sum
    and that no two have 67 % of it: one of k has a share of at most sqrt(1 / k), two of at most sqrt(2 / k).
    """
    if entry.squares is None:
        return entry.events is not None
    return all(effective_number(squares) >= k for squares in _left(entry.squares, against))


def _left(numbers: Numbers, against: Coalitions) -> Iterator[Floats]:
    for coalition in against:
        gone = [place for place, key in enumerate(numbers.owner_keys) if key in coalition]
        yield from numbers.values[:, ~np.isin(numbers.owners, gone)]


def _is_edge(entry: RawMetric) -> bool:
    """Whether a share would be told as 0 or 1; a slope of 1.00 is none, its interval goes beyond."""
    return entry.lower >= 0 and entry.upper <= 1 and not _EDGE <= entry.value <= 1 - _EDGE


def _entry(label: int, entry: RawMetric, *, shown: bool) -> Metric:
    if not shown:
        return Metric(label=label, value=None, lower=None, upper=None)
    return Metric(
        label=label,
        value=significant(entry.value, DIGITS),
        lower=significant(entry.lower, DIGITS),
        upper=significant(entry.upper, DIGITS),
    )
