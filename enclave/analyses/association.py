"""Association scans: what a kernel says of each variant, and the few strongest of a stream of them.

A kernel is a function from packed rows to ``BlockStatistics``. Linear, logistic, faster ones and those with quality
control in them are told apart by their analyses alone; what follows here is the same for all.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from enclave.analyses.arrays import Floats, Integers
from enclave.analyses.packed_calls import PackedRows, RowLayout
from enclave.analyses.results import MIN_ALLELE_FREQUENCY, RawHit
from enclave.ingest import GenotypeBlock

__all__ = ["BlockStatistics", "Candidate", "Kernel", "find_strongest"]


@dataclass(frozen=True, slots=True, eq=False)
class BlockStatistics:
    """What a scan says of each variant of a block. None of it leaves the enclave as it is.

    Parameters
    ----------
    subjects
        Int, shape (variants,): subjects whose call is not missing, of those in the model.
    frequency
        Float, shape (variants,), 0 to 1: of the first allele among them; NaN where there are none.
    effect, standard_error, statistic, p
        Float, shape (variants,): of one copy of the first allele; NaN where there is no estimate.
    """

    subjects: Integers
    frequency: Floats
    effect: Floats
    standard_error: Floats
    statistic: Floats
    p: Floats


Kernel: TypeAlias = Callable[[PackedRows], BlockStatistics]


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A variant that may be among the strongest, with its packed row."""

    hit: RawHit
    row: PackedRows

    @property
    def rank(self) -> tuple[float, int]:
        """Strongest first; ties in the catalogue's order."""
        return self.hit.p, self.hit.variant


def find_strongest(
    blocks: Iterable[GenotypeBlock], layout: RowLayout, kernel: Kernel, most: int
) -> tuple[Candidate, ...]:
    """Scan all blocks and return at most ``most`` variants: those with the smallest p, in the catalogue's order.

    Variants without an estimate, or whose rarer allele is below ``MIN_ALLELE_FREQUENCY``, are left out: the gate would
    release none of them, and here they would stand in the place of others. Memory holds one block and ``most`` rows.
    """
    best: list[Candidate] = []
    for block in blocks:
        rows = layout.join(block.calls)
        found = kernel(rows)
        minor = np.minimum(found.frequency, 1 - found.frequency)
        worst = best[-1].hit.p if len(best) == most else np.inf
        eligible = np.flatnonzero((minor >= MIN_ALLELE_FREQUENCY) & (found.p < worst))
        strongest = eligible[np.argsort(found.p[eligible], kind="stable")[:most]]
        best += [_candidate(block.start, int(place), rows, found) for place in strongest]
        best = sorted(best, key=lambda candidate: candidate.rank)[:most]
    return tuple(sorted(best, key=lambda candidate: candidate.hit.variant))


def _candidate(start: int, place: int, rows: PackedRows, found: BlockStatistics) -> Candidate:
    values = (float(column[place]) for column in (found.effect, found.standard_error, found.p))
    return Candidate(RawHit(start + place, *values), rows[place].copy())
