"""Leaving out variants that stand in a sorted file twice, so that partners' variants have one place to go."""

from collections.abc import Iterable, Iterator

from protocol.catalogue import Variant
from sealroom.datasets.genotypes.source import Block

__all__ = ["Unique"]


class Unique:
    """Drops a variant with chromosome, position and alleles of one among those before it at the same position.

    Memory holds one position. Variants of unknown position are all kept.
    """

    def __init__(self) -> None:
        self._place = ("", 0)
        self._seen: set[tuple[str, str]] = set()
        self.dropped = 0

    def of(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """Yield the blocks without those variants."""
        for block in blocks:
            kept = [row for row, variant in enumerate(block.variants) if self._new(variant)]
            if len(kept) == len(block.variants):
                yield block
            else:
                self.dropped += len(block.variants) - len(kept)
                yield Block([block.variants[row] for row in kept], block.calls[kept])

    def _new(self, variant: Variant) -> bool:
        place = (variant.chromosome, variant.position)
        if place != self._place or not variant.position:
            self._place, self._seen = place, set()
        alleles = (min(variant.first, variant.second), max(variant.first, variant.second))
        new = alleles not in self._seen
        self._seen.add(alleles)
        return new
