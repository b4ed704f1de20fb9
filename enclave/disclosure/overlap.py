"""Overlap of libraries: counts of clusters with noise, so that nobody can ask after a single one.

A minimum and rounding alone do not do here. An owner may put into its library what it knows the other one to have, nine
published scaffolds or twelve, and one more. Whether nine or ten are in common decides whether a count leaves at all,
and twelve or thirteen on which side of a rounding edge it falls: either tells whether the rival has that one.

So each count gets noise before it is looked at, and everything after it, minimum and rounding, is a function of the
noisy count. Noise is the difference of two runs of heads of a fair coin, tossed with the run's secret seed: +z or -z
has two times the chance of one more, so one cluster more or less changes the odds of any answer by a factor of two at
most, a count beside it. Tosses stop at ten: in one run of a thousand or so an answer can be certain, and no noise is
beyond ten. Its deviation is 2, that of rounding to fives 1.4.

A pair is told only if three noisy counts are k + 10 or more, so that each count is k or more whatever the noise:
clusters that both have; that the first alone has; that the second alone has. Of two libraries as they are, none that is
nearly whole inside the other is told of.

Against a library that was made up this is no help. Its owner adds clusters that nobody has until its own count is
large, and no count of its own can protect the other one: of 25 targets and 40 such clusters, an answer of about 25 says
that the rival has nearly all of the targets. So a group of k or more clusters can be asked after at once. Single
clusters of the group stay hidden by the noise.

Noise belongs to the pair of owners and to what is counted, not to the slots: an owner of ten slots asks once. There is
no safe count here: each cluster in common is both owners', and neither hides the other's.
"""

import hashlib
import hmac
from typing import Final

from enclave.analyses.results import RawOverlap, RawShared
from enclave.disclosure.rounding import to_base
from protocol.canonical import canonical_bytes
from protocol.documents.outputs import CountCell, CountTable
from protocol.presets import GatePreset

__all__ = ["MOST_NOISE", "release_overlap"]

MOST_NOISE: Final = 10
"""Tosses in each of the two runs."""


def release_overlap(raw: RawOverlap, preset: GatePreset) -> CountTable:
    """Return the table as it may leave.

    References
    ----------
    Ghosh, Roughgarden and Sundararajan (2012), SIAM J Comput 41:1673: the two-sided geometric mechanism.
    """
    counts = [_count(cell, raw.secret, preset) for cell in raw.cells]
    cells = tuple(CountCell(label=label, count=count) for label, count in enumerate(counts))
    return CountTable(cells=cells, total=sum(count or 0 for count in counts))


def _count(cell: RawShared, secret: bytes, preset: GatePreset) -> int | None:
    first, second = cell.owners
    if first == second:
        return None
    counts = {"both": cell.both, first: cell.first, second: cell.second}
    pair = [cell.counted, *sorted(cell.owners)]
    noisy = {whose: count + _noise(secret, [*pair, whose]) for whose, count in counts.items()}
    return to_base(noisy["both"], preset.base) if min(noisy.values()) >= preset.k + MOST_NOISE else None


def _noise(secret: bytes, purpose: list[str]) -> int:
    digest = hmac.digest(secret, canonical_bytes(["sealroom overlap v1", *purpose]), hashlib.sha256)
    tosses = f"{int.from_bytes(digest):0256b}"
    return _heads(tosses[:MOST_NOISE]) - _heads(tosses[MOST_NOISE : 2 * MOST_NOISE])


def _heads(tosses: str) -> int:
    return len(tosses) - len(tosses.lstrip("1"))
