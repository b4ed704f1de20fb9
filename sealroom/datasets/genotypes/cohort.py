"""An owner's genotypes from the named files to what is sealed: catalogue and calls, with what the owner should know."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

import numpy as np

from protocol.catalogue import CatalogueDigest
from protocol.documents.dataset import MAX_VARIANTS, GenotypeSchema
from sealroom.datasets.genotypes.bed import BedSource
from sealroom.datasets.genotypes.chromosomes import HUMAN_AUTOSOMES, Chromosomes
from sealroom.datasets.genotypes.lines import beside, refuse, require_file
from sealroom.datasets.genotypes.packing import minor_alleles
from sealroom.datasets.genotypes.pgen import PgenSource
from sealroom.datasets.genotypes.placing import Placing
from sealroom.datasets.genotypes.source import Block, GenotypeSource, Progress
from sealroom.datasets.genotypes.unique import Unique
from sealroom.datasets.genotypes.vcf import VcfSource
from sealroom.typed import typed

__all__ = ["GenotypeCohort", "GenotypeFiles", "GenotypeKind"]

GenotypeKind = Literal["bfile", "pfile", "vcf"]

FEW_CARRIERS: Final = 10
"""Alleles. Of a rarer variant the catalogue tells whoever gets it that somebody of the cohort carries it."""
_SHOWN: Final = 8


@dataclass(frozen=True, slots=True)
class GenotypeFiles:
    """What the owner names: a PLINK 1 or PLINK 2 prefix or a VCF file, and perhaps a partner's catalogue."""

    kind: GenotypeKind
    path: Path
    catalogue: Path | None = None
    autosomes: int = HUMAN_AUTOSOMES

    def size(self) -> int:
        """Bytes that a progress bar counts; 0 where there is no such file."""
        path = {"bfile": beside(self.path, "bed"), "pfile": beside(self.path, "pgen"), "vcf": self.path}[self.kind]
        return path.stat().st_size if path.is_file() else 0


@dataclass(slots=True)
class GenotypeCohort:
    """Opened genotype files; use it as a context manager.

    ``folder`` is on a disk with room for the calls where they are put on a partner's catalogue.
    """

    files: GenotypeFiles
    folder: Path
    progress: Progress
    digest: CatalogueDigest = field(default_factory=CatalogueDigest, init=False)
    source: GenotypeSource = field(init=False)
    _chromosomes: Chromosomes = field(init=False)
    _placing: Placing | None = field(default=None, init=False)
    _unique: Unique = field(init=False)
    _rare: int = field(default=0, init=False)
    _stack: ExitStack = field(default_factory=ExitStack, init=False)

    def __enter__(self) -> Self:
        path, catalogue = self.files.path, self.files.catalogue
        self._chromosomes = Chromosomes(self.files.autosomes)
        kinds: dict[GenotypeKind, Callable[[Path, Chromosomes, Progress], GenotypeSource]]
        kinds = {"bfile": BedSource, "pfile": PgenSource, "vcf": VcfSource}
        self.source = kinds[self.files.kind](path, self._chromosomes, self.progress)
        self._unique = Unique(self.source.samples.file)
        if catalogue is not None:
            self._placing = Placing(require_file(catalogue), self.source.samples, self.folder)
            self._stack.enter_context(self._placing)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def most(self) -> int:
        """No more variants will be sealed; 0 where only reading the genotypes tells."""
        return self.source.most if self._placing is None else self._placing.variants

    def blocks(self) -> Iterator[Block]:
        """Yield what is sealed, in the order of the catalogue; ``digest`` is of this catalogue afterwards.

        Raises
        ------
        CheckError
            ``VARIANTS_COUNT`` where no variant is left, or too many; those of ``Unique`` without a partner's catalogue.
        """
        samples = len(self.source.samples)
        if self._placing is None:
            blocks = self._unique.of(self.source.blocks())
        else:
            self._placing.take(self.source.blocks())
            blocks = self._placing.blocks()
        for block in blocks:
            for variant in block.variants:
                self.digest.add(variant)
            minor = minor_alleles(block.calls, samples)
            self._rare += int(np.count_nonzero((minor > 0) & (minor < FEW_CARRIERS)))
            yield block
        if not 1 <= self.digest.variants <= MAX_VARIANTS:
            name = self.source.samples.file
            refuse("VARIANTS_COUNT", name, f"{self.digest.variants} variants on autosomes", f"1 to {MAX_VARIANTS}")

    def described(self, assembly: str) -> GenotypeSchema:
        """Return, after ``blocks``, what the manifest says of the genotypes."""
        fields = {"variants": self.digest.variants, "catalogue": self.digest.finish(), "assembly": assembly}
        return typed(GenotypeSchema, fields, where="--assembly")

    def notes(self) -> Iterator[str]:
        """Yield, after ``blocks``, what was left out and what the catalogue tells."""
        dropped = self._chromosomes.dropped
        if dropped:
            names = ", ".join(sorted(dropped)[:_SHOWN]) + (" and others" if len(dropped) > _SHOWN else "")
            yield (
                f"{dropped.total()} variants that are not on autosomes (chromosomes {names}) were left out. "
                f"Autosomes are 1 to {self.files.autosomes}; say --autosomes for another species."
            )
        yield from self.source.notes()
        if self._placing is not None:
            yield from self._placing.notes()
            return
        if self._unique.dropped:
            yield f"{self._unique.dropped} variants have the place and alleles of one before; the first was taken."
        if self._rare:
            yield (
                f"Of {self._rare} variants fewer than {FEW_CARRIERS} copies of the rarer allele are in the genotypes. "
                "The catalogue tells whoever gets it that somebody here carries them: leave them out, or agree on a "
                "catalogue from elsewhere and give it with --variants."
            )
