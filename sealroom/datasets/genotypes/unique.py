"""Leaving out variants that stand in a sorted file twice, so that partners' variants have one place to go."""

from collections.abc import Iterable, Iterator
from typing import Final

from protocol.catalogue import Variant
from sealroom.datasets.genotypes.lines import refuse
from sealroom.datasets.genotypes.source import Block

__all__ = ["MAX_TWICE", "Unique"]

MAX_TWICE: Final = 1_000_000
"""Variants that stand there again, besides as many as do not: one record again and again packs into very little."""


class Unique:
    """Drops a variant with chromosome, position and alleles of one among those before it at the same position.

    Memory holds one position and the names of the chromosomes. Variants of unknown position are all kept.

    Parameters
    ----------
    file
        Named in errors.

    Raises
    ------
    CheckError
        ``VARIANTS_UNSORTED`` where a position is below the one before it, or a chromosome comes again after another:
        a variant that stands there twice would not be noticed, and no partner could use the catalogue.
        ``VARIANTS_TWICE`` where most variants stand there again.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._place = ("", 0)
        self._chromosomes: set[str] = set()
        self._seen: set[tuple[str, str]] = set()
        self._kept = 0
        self.dropped = 0

    def of(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """Yield the blocks without those variants."""
        for block in blocks:
            kept = [row for row, variant in enumerate(block.variants) if self._new(variant)]
            self._kept += len(kept)
            if len(kept) == len(block.variants):
                yield block
                continue
            self.dropped += len(block.variants) - len(kept)
            if self.dropped > MAX_TWICE + self._kept:
                refuse("VARIANTS_TWICE", self._file, f"{self.dropped} variants that stand there again", "each once")
            yield Block([block.variants[row] for row in kept], block.calls[kept])

    def _new(self, variant: Variant) -> bool:
        if not variant.position:
            return True
        place = (variant.chromosome, variant.position)
        if place != self._place:
            self._require_order(variant)
            self._place, self._seen = place, set()
        alleles = (min(variant.first, variant.second), max(variant.first, variant.second))
        new = alleles not in self._seen
        self._seen.add(alleles)
        return new

    def _require_order(self, variant: Variant) -> None:
        chromosome, position = self._place
        if variant.chromosome == chromosome:
            ordered = variant.position > position
        else:
            ordered = variant.chromosome not in self._chromosomes
            self._chromosomes.add(variant.chromosome)
        if not ordered:
            refuse(
                "VARIANTS_UNSORTED",
                self._file,
                "variants that are not in the order of chromosomes and positions",
                "each chromosome in one piece, its positions ascending; sort with bcftools sort, or plink2 --make-pgen "
                "--sort-vars",
                value=f"{variant.chromosome} {variant.position}",
            )
