"""Putting an owner's genotypes on a partner's catalogue, so that cohorts can be taken together.

Variants are matched by chromosome, position and the two alleles; where these stand the other way round, the calls are
turned. What the owner lacks is missing for everybody, what the catalogue lacks is left out. Strands are not guessed.
Calls wait in a temporary file without a name, each variant sealed under a key that exists in this process only.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Final, NoReturn, Self

import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from protocol.catalogue import CatalogueDigest, Variant, parse_line
from protocol.errors import DocumentError
from sealroom.datasets.genotypes.lines import refuse, text_lines
from sealroom.datasets.genotypes.packing import MISSING_BYTE, clear_padding, swap_alleles, width_of
from sealroom.datasets.genotypes.samples import Samples
from sealroom.datasets.genotypes.source import Block, block_size

__all__ = ["MAX_PLACED", "Placing"]

MAX_PLACED: Final = 5_000_000
"""Variants of a partner's catalogue: each takes some 200 bytes of memory. The owner's own may be any number."""
_ABSENT: Final = -1
_TAG_SIZE: Final = 16


class Placing:
    """A catalogue and the calls that were placed on it; use it as a context manager.

    Raises
    ------
    CheckError
        ``CATALOGUE_LINE``, ``CATALOGUE_TWICE``, ``CATALOGUE_SIZE``, ``CATALOGUE_NO_MATCH``, ``CATALOGUE_CHANGED``.
    """

    def __init__(self, catalogue: Path, samples: Samples, folder: Path) -> None:
        self._catalogue = catalogue
        self._samples = len(samples)
        self._width = width_of(len(samples))
        self._places: dict[bytes, int] = {}
        self._digest = CatalogueDigest()
        first_is_smaller = bytearray()
        for number, variant in self._lines():
            key = _key(variant)
            if key in self._places:
                self._refuse("CATALOGUE_TWICE", "a variant that stands there before", "each once", number)
            if len(self._places) == MAX_PLACED:
                self._refuse("CATALOGUE_SIZE", f"more than {MAX_PLACED} variants", "fewer", number)
            self._places[key] = len(self._places)
            first_is_smaller.append(variant.first < variant.second)
            self._digest.add(variant)
        self._smaller = np.frombuffer(bytes(first_is_smaller), dtype=np.bool_)
        self._records = np.full(len(self._places), _ABSENT, dtype=np.int64)
        self._cipher = ChaCha20Poly1305(os.urandom(32))
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by __exit__
        self._placed = self._turned = self._extra = self._twice = 0

    def __enter__(self) -> Self:
        return self

    @property
    def variants(self) -> int:
        """How many variants the catalogue has."""
        return len(self._places)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def take(self, blocks: Iterable[Block]) -> None:
        """Place the owner's variants."""
        for block in blocks:
            turned = swap_alleles(block.calls, self._samples)
            for row, variant in enumerate(block.variants):
                place = self._places.get(_key(variant))
                if place is None:
                    self._extra += 1
                elif self._records[place] != _ABSENT:
                    self._twice += 1
                else:
                    other_way = bool((variant.first < variant.second) != self._smaller[place])
                    self._turned += other_way
                    self._put(place, (turned if other_way else block.calls)[row].tobytes())
        if not self._placed:
            self._refuse("CATALOGUE_NO_MATCH", "no variant of the genotypes", "the same assembly and names of alleles")

    def blocks(self) -> Iterator[Block]:
        """Yield all variants of the catalogue, in its order."""
        lines, again, start = self._lines(), CatalogueDigest(), 0
        while chunk := [variant for _, variant in islice(lines, block_size(self._width))]:
            calls = np.full((len(chunk), self._width), MISSING_BYTE, dtype=np.uint8)
            clear_padding(calls, self._samples)
            for row, record in enumerate(self._records[start : start + len(chunk)].tolist()):
                again.add(chunk[row])
                if record != _ABSENT:
                    calls[row] = self._get(record)
            yield Block(chunk, calls)
            start += len(chunk)
        if again.finish() != self._digest.finish():
            self._refuse("CATALOGUE_CHANGED", "another file than at first", "one at rest")

    def notes(self) -> Iterator[str]:
        """Yield how the two lists compare."""
        yield (
            f"{self._placed} of the {len(self._places)} variants of {self._catalogue.name} are in the genotypes, "
            f"{self._turned} of these with their alleles the other way round; the other "
            f"{len(self._places) - self._placed} are missing for every sample."
        )
        if self._extra:
            yield f"{self._extra} variants of the genotypes are not in {self._catalogue.name} and were left out."
        if self._twice:
            yield f"{self._twice} variants stand in the genotypes again; the first of each was taken."

    def _lines(self) -> Iterator[tuple[int, Variant]]:
        for number, text in text_lines(self._catalogue):
            try:
                yield number, parse_line(f"{text}\n".encode())
            except DocumentError:
                self._refuse("CATALOGUE_LINE", "a line that no catalogue has", "a file NAME.variants.tsv", number)

    def _put(self, place: int, calls: bytes) -> None:
        self._records[place] = self._placed
        self._file.write(self._cipher.encrypt(_nonce(self._placed), calls, None))
        self._placed += 1

    def _get(self, record: int) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
        size = self._width + _TAG_SIZE
        self._file.seek(record * size)
        return np.frombuffer(self._cipher.decrypt(_nonce(record), self._file.read(size), None), dtype=np.uint8)

    def _refuse(self, code: str, found: str, wanted: str, line: int | None = None) -> NoReturn:
        refuse(code, self._catalogue.name, found, wanted, line=line)


def _key(variant: Variant) -> bytes:
    """Digest of what two lists name alike; where the position is not known, of the identifier too."""
    place = f"{variant.position}" if variant.position else f"0\t{variant.identifier}"
    alleles = sorted((variant.first, variant.second))
    return hashlib.blake2b("\t".join((variant.chromosome, place, *alleles)).encode(), digest_size=16).digest()


def _nonce(record: int) -> bytes:
    return record.to_bytes(12, "little")
