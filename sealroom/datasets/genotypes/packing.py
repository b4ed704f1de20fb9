"""Two bits a genotype, as a .bed file has them: packing, swapping the alleles, counting.

Everywhere 0 is two copies of the first allele, 1 missing, 2 one copy, 3 none; the lowest bits are the first sample's.
Arrays of packed calls are uint8 of shape (variants, ceil(samples / 4)).
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["MISSING_BYTE", "clear_padding", "minor_alleles", "pack", "swap_alleles", "width_of"]

MISSING_BYTE = 0x55
"""Four missing genotypes."""
_LOW = np.uint8(0x55)
_ONE = np.uint8(1)
_PER_BYTE = 4


def width_of(samples: int) -> int:
    """Bytes of one variant."""
    return -(-samples // _PER_BYTE)


def pack(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pack codes 0 to 3, uint8 of shape (variants, samples); unused bits are zero.

    Examples
    --------
    >>> pack(np.array([[0, 1, 2, 3, 3]], dtype=np.uint8)).tolist()
    [[228, 3]]
    """
    variants, samples = codes.shape
    whole = np.zeros((variants, width_of(samples) * _PER_BYTE), dtype=np.uint8)
    whole[:, :samples] = codes
    whole <<= np.tile(np.array([0, 2, 4, 6], dtype=np.uint8), width_of(samples))
    packed: NDArray[np.uint8] = np.bitwise_or.reduce(whole.reshape(variants, -1, _PER_BYTE), axis=2)
    return packed


def clear_padding(calls: NDArray[np.uint8], samples: int) -> None:
    """Clear the bits behind the last sample, in place."""
    if samples % _PER_BYTE:
        calls[:, -1] &= np.uint8(2 ** (2 * (samples % _PER_BYTE)) - 1)


def swap_alleles(calls: NDArray[np.uint8], samples: int) -> NDArray[np.uint8]:
    """Return the calls with the other allele counted: 0 and 3 change places, 1 and 2 stay.

    Examples
    --------
    >>> swap_alleles(np.array([[228, 3]], dtype=np.uint8), 5).tolist()
    [[39, 0]]
    """
    equal = ~(calls ^ (calls >> _ONE)) & _LOW
    swapped: NDArray[np.uint8] = calls ^ (equal | (equal << _ONE))
    clear_padding(swapped, samples)
    return swapped


def minor_alleles(calls: NDArray[np.uint8], samples: int) -> NDArray[np.int64]:
    """Return how often each variant's rarer allele stands in the calls, int64 of shape (variants,).

    Examples
    --------
    >>> minor_alleles(np.array([[228, 3]], dtype=np.uint8), 5).tolist()
    [3]
    """
    low, high = calls & _LOW, (calls >> _ONE) & _LOW
    second = _sum(high) + _sum(low & high)  # a heterozygote has the high bit, two copies of the second allele both
    known = samples - _sum(low & ~high)
    minor: NDArray[np.int64] = np.minimum(second, 2 * known - second)
    return minor


def _sum(bits: NDArray[np.uint8]) -> NDArray[np.int64]:
    counts: NDArray[np.int64] = np.bitwise_count(bits).sum(axis=1, dtype=np.int64)
    return counts
