"""PLINK 1 .bed files: checked against their .fam and .bim files, then passed on as they are."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np

from sealroom.datasets.genotypes.chromosomes import Chromosomes
from sealroom.datasets.genotypes.lines import beside, refuse, require_file
from sealroom.datasets.genotypes.packing import clear_padding, width_of
from sealroom.datasets.genotypes.samples import read_fam
from sealroom.datasets.genotypes.source import Block, Progress, block_size
from sealroom.datasets.genotypes.variants import VariantFile, bim_variants

__all__ = ["BED_HEAD", "BedSource"]

BED_HEAD: Final = b"\x6c\x1b\x01"
"""PLINK 1 binary genotypes, variant after variant."""
_SAMPLE_MAJOR: Final = b"\x6c\x1b\x00"


class BedSource:
    """PREFIX.bed with PREFIX.bim and PREFIX.fam.

    Raises
    ------
    StorageError
        ``FILE_MISSING``.
    CheckError
        ``BED_HEAD``, ``BED_SAMPLE_MAJOR``, ``BED_SIZE`` unless the length is exactly what samples and variants make it,
        and those of ``read_fam`` and ``bim_variants``.
    """

    converter = "PLINK 1 bed"

    def __init__(self, prefix: Path, chromosomes: Chromosomes, progress: Progress) -> None:
        self._bed = require_file(beside(prefix, "bed"))
        self.samples = read_fam(beside(prefix, "fam"))
        self._variants = VariantFile(beside(prefix, "bim"), chromosomes)
        self.most = self._variants.count()
        self._progress = progress
        self._width = width_of(len(self.samples))
        with self._bed.open("rb") as stream:
            self._require_form(stream.read(len(BED_HEAD)), self._bed.stat().st_size)

    def blocks(self) -> Iterator[Block]:
        """Yield the variants of autosomes; bits behind the last sample are cleared."""
        variants = bim_variants(self._variants)
        with self._bed.open("rb") as stream:
            stream.seek(len(BED_HEAD))
            while chunk := list(islice(variants, block_size(self._width))):
                read = stream.read(len(chunk) * self._width)
                if len(read) != len(chunk) * self._width:
                    refuse("BED_SIZE", self._bed.name, "a file that became shorter meanwhile", "one at rest")
                kept = [place for place, variant in enumerate(chunk) if variant is not None]
                calls = np.frombuffer(read, dtype=np.uint8).reshape(len(chunk), self._width)[kept]
                clear_padding(calls, len(self.samples))
                yield Block([variant for variant in chunk if variant is not None], calls)
                self._progress(len(read))

    def notes(self) -> Iterator[str]:
        """Yield nothing: whatever a .bed file holds is taken."""
        return iter(())

    def _require_form(self, head: bytes, size: int) -> None:
        if head == _SAMPLE_MAJOR:
            refuse(
                "BED_SAMPLE_MAJOR",
                self._bed.name,
                "genotypes sample after sample",
                "variant after variant; PLINK 1.9 rewrites it with --make-bed",
            )
        if head != BED_HEAD:
            refuse("BED_HEAD", self._bed.name, "a file that does not start as a .bed file", BED_HEAD.hex(" "))
        wanted = len(BED_HEAD) + self.most * self._width
        if size != wanted:
            refuse(
                "BED_SIZE",
                self._bed.name,
                f"{size} bytes",
                f"{wanted}, for {len(self.samples)} samples in {self.samples.file} and {self.most} variants in "
                f"{self._variants.path.name}",
            )
