"""PLINK 2 .pgen files, read by pgenlib: hard calls, phase and dosages ignored."""

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np

from protocol.errors import StorageError
from sealroom.datasets.genotypes.chromosomes import Chromosomes
from sealroom.datasets.genotypes.lines import beside, refuse, require_file
from sealroom.datasets.genotypes.packing import width_of
from sealroom.datasets.genotypes.reader_process import reading
from sealroom.datasets.genotypes.samples import read_psam
from sealroom.datasets.genotypes.source import Block, Progress, block_size
from sealroom.datasets.genotypes.variants import VariantFile, pvar_variants

__all__ = ["PgenSource"]

_MAGIC: Final = b"\x6c\x1b"
_BED_MODES: Final = b"\x00\x01"
_INDEX_ELSEWHERE: Final = 0x20
"""Bit of the third byte: the index is in another file, whose name the library makes up itself."""
_READER: Final = "sealroom.datasets.genotypes.pgen_reader"


class PgenSource:
    """PREFIX.pgen with PREFIX.pvar and PREFIX.psam.

    Raises
    ------
    StorageError
        ``FILE_MISSING``; ``LIBRARY_ABSENT`` where pgenlib is not installed.
    CheckError
        ``PGEN_HEAD``, ``PGEN_INDEX``, ``PVAR_PACKED``, and those of ``read_psam``, ``pvar_variants`` and ``reading``.
    """

    def __init__(self, prefix: Path, chromosomes: Chromosomes, progress: Progress) -> None:
        try:
            self.converter = f"pgenlib {version('pgenlib')}"
        except PackageNotFoundError as error:
            raise StorageError(
                "LIBRARY_ABSENT", "Reading .pgen files takes pgenlib: install sealroom[genetics], or use --bfile."
            ) from error
        self._pgen = require_file(beside(prefix, "pgen"))
        pvar = beside(prefix, "pvar")
        if not pvar.is_file() and (packed := beside(prefix, "pvar.zst")).is_file():
            refuse("PVAR_PACKED", packed.name, "a packed file of variants", f"{pvar.name}; unpack it with zstd -d")
        self.samples = read_psam(beside(prefix, "psam"))
        self._variants = VariantFile(pvar, chromosomes)
        self.most = self._variants.count()
        self._progress = progress
        with self._pgen.open("rb") as stream:
            head = stream.read(3)
        if head[:2] != _MAGIC or head[2:] in (b"", *(bytes([mode]) for mode in _BED_MODES)):
            refuse("PGEN_HEAD", self._pgen.name, "a file that does not start as a .pgen file", "one that PLINK 2 wrote")
        if head[2] & _INDEX_ELSEWHERE:
            refuse("PGEN_INDEX", self._pgen.name, "an index in a file of its own, .pgi", "one file: plink2 --make-pgen")

    def blocks(self) -> Iterator[Block]:
        """Yield the variants of autosomes."""
        variants, width = pvar_variants(self._variants), width_of(len(self.samples))
        arguments = (str(self._pgen.absolute()), str(len(self.samples)), str(self.most))
        with reading(_READER, arguments, self._pgen.name) as take:
            while chunk := list(islice(variants, block_size(width))):
                calls = np.frombuffer(take(len(chunk) * width), dtype=np.uint8).reshape(len(chunk), width)
                kept = [place for place, variant in enumerate(chunk) if variant is not None]
                yield Block([variant for variant in chunk if variant is not None], calls[kept])
                self._progress(len(chunk) * width)

    def notes(self) -> Iterator[str]:
        """Yield nothing: whatever is not taken is refused."""
        return iter(())
