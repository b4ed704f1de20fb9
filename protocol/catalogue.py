"""The catalogue of variants: what the places in a genotype file and in released hits stand for.

A text file in UTF-8, one line for each variant in the order of the .bed file, five fields between tabs: chromosome,
position, identifier, first allele, second allele. The .bed file counts copies of the first allele. Cohorts can be taken
together where their catalogues are the same bytes; manifests carry its SHA-256. It holds nothing about any subject.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from protocol.errors import DocumentError
from protocol.types import Digest

__all__ = ["MAX_LINE", "CatalogueDigest", "Variant", "parse_line", "read_catalogue"]

MAX_LINE: Final = 4096
"""Bytes of one line."""
_CHROMOSOME = re.compile(r"[A-Za-z0-9._-]{1,40}", re.ASCII)
_IDENTIFIER = re.compile(r"[!-~]{1,200}", re.ASCII)
_ALLELE = re.compile(r"[A-Za-z0-9.*<>:_-]{1,1000}", re.ASCII)
_MAX_POSITION: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Variant:
    """One variant. ``first`` is the allele whose copies are counted; ``position`` is in base pairs, 0 where unknown."""

    chromosome: str
    position: int
    identifier: str
    first: str
    second: str

    def wrong_field(self) -> str | None:
        """Return the name of the first field that is not what a catalogue holds, or None."""
        if not _CHROMOSOME.fullmatch(self.chromosome):
            return "chromosome"
        if not 0 <= self.position <= _MAX_POSITION:
            return "position"
        if not _IDENTIFIER.fullmatch(self.identifier):
            return "identifier"
        if self.first == self.second or not (_ALLELE.fullmatch(self.first) and _ALLELE.fullmatch(self.second)):
            return "alleles"
        return None

    def line(self) -> str:
        """Return the variant as its line, with the newline.

        Raises
        ------
        DocumentError
            ``VARIANT`` where a field is not what a catalogue holds.
        """
        if wrong := self.wrong_field():
            raise DocumentError(
                "VARIANT",
                f"A variant's {wrong} cannot stand in a catalogue. It has a chromosome, a position from 0 to 2^31 - 1, "
                "an identifier and two different alleles, in plain ASCII without spaces.",
            )
        return f"{self.chromosome}\t{self.position}\t{self.identifier}\t{self.first}\t{self.second}\n"


class CatalogueDigest:
    """Counts and digests variants as they come."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self.variants = 0

    def add(self, variant: Variant) -> str:
        """Take one more variant and return its line."""
        line = variant.line()
        self._digest.update(line.encode())
        self.variants += 1
        return line

    def finish(self) -> Digest:
        """Return the catalogue's name: SHA-256 in hex."""
        return self._digest.hexdigest()


def parse_line(line: bytes) -> Variant:
    """Read one line.

    Raises
    ------
    DocumentError
        ``VARIANT`` unless the line is what ``Variant.line`` writes.
    """
    try:
        chromosome, position, identifier, first, second = line.decode("ascii").removesuffix("\n").split("\t")
        variant = Variant(chromosome, int(position), identifier, first, second)
    except ValueError as error:
        raise DocumentError("VARIANT", "A line of a catalogue has five fields between tabs.") from error
    if variant.line().encode() != line:
        raise DocumentError("VARIANT", "A line of the catalogue is not written as a catalogue has it.")
    return variant


def read_catalogue(lines: Iterable[bytes], *, digest: Digest, variants: int) -> Iterator[Variant]:
    """Yield the variants of a catalogue; the last comes only if all of it is the one that was signed.

    Whoever needs only some of them takes them all before using any.

    Raises
    ------
    DocumentError
        ``VARIANT``; ``CATALOGUE`` where it is not the catalogue with this digest and this many variants.
    """
    found, last = CatalogueDigest(), None
    for line in lines:
        if len(line) > MAX_LINE or found.variants == variants:
            break
        if last is not None:
            yield last
        last = parse_line(line)
        found.add(last)
    else:
        if last is not None and found.variants == variants and found.finish() == digest:
            yield last
            return
    raise DocumentError(
        "CATALOGUE",
        f"This is not the catalogue of {variants} variants with SHA-256 {digest[:16]} that the owners signed. "
        "Ask an owner for theirs: it lies beside the sealed dataset.",
    )
