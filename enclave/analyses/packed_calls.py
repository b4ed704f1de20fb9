"""Packed genotype calls: what is read off the bytes of a .bed file, two bits a call, without unpacking them all.

A packed row holds one variant's calls of all cohorts: each cohort's bytes as its file has them, then zeros up to a
whole number of 8-byte words. Bits that belong to no sample, and samples that are left out, are told by a mask.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from enclave.analyses.arrays import Bools, Floats, Integers

__all__ = ["MISSING", "CallCounts", "PackedRows", "RowLayout", "count_calls", "missing_calls", "multiply", "unpack"]

PackedRows: TypeAlias = NDArray[np.uint8]
"""Array of uint8, shape (variants, width)."""
MISSING: Final = 255
"""How ``unpack`` marks a missing call."""
_CALLS = 4
"""Calls in a byte."""
_WORD = 8
"""Bytes in a word, in which calls are counted."""
_TILE = (64, 256)
"""Variants and bytes that ``multiply`` unpacks at a time: half a MiB of floats stays in a core's cache."""
_CODES = np.arange(256, dtype=np.uint8)[:, None] >> np.array([0, 2, 4, 6], dtype=np.uint8) & 3
_COPIES = np.array([2, MISSING, 1, 0], dtype=np.uint8)[_CODES]
"""Copies of the first allele in each of a byte's four calls."""
_DOSAGES = np.where(_COPIES == MISSING, 0, _COPIES).astype(np.float64)


@dataclass(frozen=True, slots=True)
class RowLayout:
    """Where the samples of several cohorts lie in a packed row. ``samples``: how many each cohort has."""

    samples: tuple[int, ...]

    @property
    def width(self) -> int:
        """Bytes of a packed row, a multiple of 8."""
        return -(-sum(-(-count // _CALLS) for count in self.samples) // _WORD) * _WORD

    @property
    def places(self) -> Integers:
        """Array of int, shape (samples,): the place of each sample's call in a row, cohort after cohort."""
        found, start = [], 0
        for count in self.samples:
            found.append(np.arange(start, start + count))
            start += -(-count // _CALLS) * _CALLS
        return np.concatenate(found)

    def join(self, calls: Sequence[PackedRows]) -> PackedRows:
        """Put the cohorts' rows of one block side by side."""
        rows = np.zeros((len(calls[0]), self.width), dtype=np.uint8)
        start = 0
        for part in calls:
            rows[:, start : start + part.shape[1]] = part
            start += part.shape[1]
        return rows

    def mask(self, chosen: Bools) -> NDArray[np.uint8]:
        """Return one packed row in which the lower bit of each chosen sample's call is set, and nothing else."""
        bits = np.zeros((self.width * _CALLS, 2), dtype=np.uint8)
        bits[self.places[chosen], 0] = 1
        return np.packbits(bits, bitorder="little")


@dataclass(frozen=True, slots=True, eq=False)
class CallCounts:
    """How many of the chosen samples have which call: arrays of int, shape (variants,)."""

    first: Integers
    """Two copies of the first allele."""
    het: Integers
    second: Integers
    missing: Integers

    @property
    def called(self) -> Integers:
        """Samples whose call is not missing."""
        return self.first + self.het + self.second

    @property
    def copies(self) -> Integers:
        """Copies of the first allele."""
        return 2 * self.first + self.het

    @property
    def squares(self) -> Integers:
        """Sum of the squared dosages."""
        return 4 * self.first + self.het


def count_calls(rows: PackedRows, mask: NDArray[np.uint8]) -> CallCounts:
    """Count the calls of the samples of ``mask`` in each row."""
    low, high, chosen = _bits(rows, mask)
    second, het, missing = (_count(words) for words in (low & high, high & ~low, low & ~high))
    return CallCounts(_count(chosen) - second - het - missing, het, second, missing)


def missing_calls(rows: PackedRows, mask: NDArray[np.uint8]) -> tuple[Integers, Integers]:
    """Return row and place of every missing call of the samples of ``mask``, row after row."""
    low, high, _chosen = _bits(rows, mask)
    words = (low & ~high).ravel()
    found = np.flatnonzero(words != 0)  # most words have none, and few are looked into
    bits = np.unpackbits(words[found].view(np.uint8), bitorder="little").view(np.bool_)
    entry, bit = np.divmod(np.flatnonzero(bits), _WORD * 8)
    row, word = np.divmod(found[entry], low.shape[1])
    return row, word * _WORD * _CALLS + bit // 2


def unpack(rows: PackedRows) -> NDArray[np.uint8]:
    """Return the copies of the first allele at every place, ``MISSING`` where missing: shape (variants, places)."""
    copies: NDArray[np.uint8] = _COPIES[rows].reshape(len(rows), -1)
    return copies


def multiply(rows: PackedRows, columns: Floats) -> Floats:
    """Return the product of the dosages, missing ones as 0, with ``columns``: float, shape (variants, columns).

    Parameters
    ----------
    rows
        Packed calls.
    columns
        Float, shape (places, columns).
    """
    variants, width = rows.shape
    out = np.zeros((variants, columns.shape[1]))
    buffer = np.empty((min(variants, _TILE[0]), min(width, _TILE[1]), _CALLS))
    for start in range(0, variants, _TILE[0]):
        for byte in range(0, width, _TILE[1]):
            packed = rows[start : start + _TILE[0], byte : byte + _TILE[1]]
            tile = buffer.reshape(-1)[: packed.size * _CALLS].reshape(*packed.shape, _CALLS)
            np.take(_DOSAGES, packed, axis=0, out=tile, mode="clip")
            places = columns[byte * _CALLS : (byte + packed.shape[1]) * _CALLS]
            out[start : start + _TILE[0]] += tile.reshape(len(packed), -1) @ places
    return out


def _bits(rows: PackedRows, mask: NDArray[np.uint8]) -> tuple[NDArray[np.uint64], ...]:
    """Return the calls' lower and upper bits as words, both at the lower bit's place, and the mask."""
    words, chosen = np.ascontiguousarray(rows).view(np.uint64), mask.view(np.uint64)
    return words & chosen, words >> np.uint64(1) & chosen, chosen


def _count(words: NDArray[np.uint64]) -> Integers:
    found: Integers = np.bitwise_count(words).sum(axis=-1, dtype=np.intp)
    return found
