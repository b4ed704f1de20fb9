"""VCF files: hard calls of GT on autosomes, two alleles; phase is ignored. ALT is the counted allele.

A call without any of its alleles is missing; half a call (``0/.``) is missing too and is told of. Variants of more than
two alleles are left out and counted. A call of one or of three alleles on an autosome is an error.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from protocol.catalogue import Variant
from sealroom.datasets.genotypes.chromosomes import Chromosomes
from sealroom.datasets.genotypes.lines import refuse
from sealroom.datasets.genotypes.packing import pack
from sealroom.datasets.genotypes.source import Block, Progress, block_size
from sealroom.datasets.genotypes.variants import VariantFile, require_variant
from sealroom.datasets.genotypes.vcf_calls import CallReader
from sealroom.datasets.genotypes.vcf_file import FIXED, VcfFile

__all__ = ["MAX_LEFT_OUT", "VcfSource"]

MAX_LEFT_OUT: Final = 1_000_000
"""Records, besides as many as were taken. What is left out packs so well that a small file can hold billions."""


class VcfSource:
    """FILE.vcf or FILE.vcf.gz.

    Raises
    ------
    CheckError
        ``VARIANT_FIELD``, ``VCF_LEFT_OUT``, and those of ``VcfFile`` and ``CallReader``.
    """

    converter = "VCF"
    most = 0

    def __init__(self, path: Path, chromosomes: Chromosomes, progress: Progress) -> None:
        self._file = VcfFile(path)
        self.samples = self._file.samples
        self._variants = VariantFile(path, chromosomes)
        self._calls = CallReader(self.samples)
        self._progress = progress
        self._multiallelic = self._taken = 0

    def blocks(self) -> Iterator[Block]:
        """Yield the variants of autosomes that have two alleles."""
        size = block_size(len(self.samples))  # a byte a call, until a block is packed
        codes = np.empty((size, len(self.samples)), dtype=np.uint8)
        variants: list[Variant] = []
        told = 0
        for number, line in self._file.records():
            *fixed, calls = line.split(b"\t", FIXED)
            chromosome, position, identifier, second, first = (text.decode("ascii", "replace") for text in fixed[:5])
            if "," in first:
                self._multiallelic += 1
                self._require_few_left_out(number)
                continue
            variant = require_variant(self._variants, number, chromosome, position, identifier, first, second)
            if variant is None:
                self._require_few_left_out(number)
                continue
            self._taken += 1
            codes[len(variants)] = self._calls.codes(number, fixed[-1], calls)
            variants.append(variant)
            if len(variants) == size:
                yield Block(variants, pack(codes))
                variants = []
                self._progress(self._file.position - told)
                told = self._file.position
        if variants:
            yield Block(variants, pack(codes[: len(variants)]))
        self._progress(self._file.position - told)

    def _require_few_left_out(self, line: int) -> None:
        found = self._multiallelic + self._variants.chromosomes.dropped.total()
        if found > MAX_LEFT_OUT + self._taken:
            refuse(
                "VCF_LEFT_OUT",
                self._file.name,
                f"{found} records that are not on autosomes or have more than two alleles, and {self._taken} others",
                "autosomes (--autosomes for another species) and two alleles; bcftools norm -m- splits records",
                line=line,
            )

    def notes(self) -> Iterator[str]:
        """Yield how many variants and calls were not taken as they stood."""
        if self._multiallelic:
            yield f"{self._multiallelic} variants of more than two alleles were left out; split them to keep them."
        if self._calls.half_calls:
            yield f"{self._calls.half_calls} half calls, such as 0/., became missing."
