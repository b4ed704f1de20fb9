"""What every reader of genotypes gives: the samples' names, then blocks of variants with packed calls."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from protocol.catalogue import Variant
from sealroom.datasets.genotypes.samples import Samples

__all__ = ["BLOCK_BYTES", "BLOCK_VARIANTS", "Block", "GenotypeSource", "Progress", "block_size"]

BLOCK_BYTES: Final = 2**20
BLOCK_VARIANTS: Final = 1024

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some variants and their calls: uint8 of shape (variants, ceil(samples / 4)), unused bits zero."""

    variants: Sequence[Variant]
    calls: NDArray[np.uint8]


class GenotypeSource(Protocol):
    """A genotype file: ``blocks`` is one pass over its variants, ``notes`` tells afterwards what was left out."""

    @property
    def samples(self) -> Samples:
        """The samples in the order of the calls."""

    @property
    def converter(self) -> str:
        """What read it, with its version."""

    @property
    def most(self) -> int:
        """No more variants are in it; 0 where only reading it tells."""

    def blocks(self) -> Iterator[Block]:
        """Yield the variants of autosomes, a block at a time."""

    def notes(self) -> Iterator[str]:
        """Yield what was left out on the way."""


def block_size(width: int) -> int:
    """Return how many variants of ``width`` bytes each make a block."""
    return max(1, min(BLOCK_VARIANTS, BLOCK_BYTES // width))
