"""The variants of a genotype file: .bim and .pvar. The counted allele is PLINK's: A1 of a .bim file, ALT elsewhere."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from protocol.catalogue import Variant
from protocol.documents.dataset import MAX_VARIANTS
from sealroom.datasets.genotypes.chromosomes import Chromosomes
from sealroom.datasets.genotypes.lines import refuse, text_lines

__all__ = ["VariantFile", "bim_variants", "pvar_variants", "require_variant"]

_POSITION = re.compile(r"\d{1,10}", re.ASCII)
_ABSENT = "."
_PLINK_1_ABSENT = "0"
"""An allele that no sample has: 0 for PLINK 1, a point for PLINK 2 and in the catalogue."""
_BIM_FIELDS = 6
"""PLINK 2 also takes five, without the genetic distance: then an allele that was lost is not noticed."""
_PVAR_COLUMNS = ("#CHROM", "POS", "ID", "REF", "ALT")


@dataclass(frozen=True, slots=True)
class VariantFile:
    """A file of variants. Iterating gives each in its order, None for one that is left out."""

    path: Path
    chromosomes: Chromosomes

    def count(self) -> int:
        """Return the number of variants: one quick pass, nothing of the lines is looked at."""
        number = sum(not text.startswith("#") for _, text in text_lines(self.path))
        if not 1 <= number <= MAX_VARIANTS:
            refuse("VARIANTS_COUNT", self.path.name, f"{number} variants", f"1 to {MAX_VARIANTS}")
        return number


def bim_variants(file: VariantFile) -> Iterator[Variant | None]:
    """Read a .bim file; ``CheckError`` ``BIM_FIELDS``, ``VARIANT_FIELD``."""
    return _without_heading(file, text_lines(file.path))


def pvar_variants(file: VariantFile) -> Iterator[Variant | None]:
    """Read a .pvar file, with a heading or, as PLINK 2 has it, without one in the columns of a .bim file.

    Raises
    ------
    CheckError
        ``PVAR_HEADING``, ``PVAR_FIELDS``, ``VARIANT_FIELD``; ``MULTIALLELIC`` at a variant of several alleles.
    """
    lines = text_lines(file.path)
    for number, text in lines:
        if text.startswith("##"):
            continue
        if not text.startswith("#"):
            yield from _without_heading(file, chain([(number, text)], lines))
            return
        yield from _with_heading(file, lines, text.split(), number)
        return


def _without_heading(file: VariantFile, lines: Iterator[tuple[int, str]]) -> Iterator[Variant | None]:
    for number, text in lines:
        fields = text.split()
        if len(fields) != _BIM_FIELDS:
            wanted = "6: chromosome, identifier, cM, position, A1, A2"
            refuse("BIM_FIELDS", file.path.name, f"{len(fields)} fields", wanted, line=number)
        chromosome, identifier, _, position, first, second = fields
        yield require_variant(file, number, chromosome, position, identifier, first, second)


def _with_heading(
    file: VariantFile, lines: Iterator[tuple[int, str]], heading: list[str], line: int
) -> Iterator[Variant | None]:
    if heading[0] != _PVAR_COLUMNS[0] or any(heading.count(name) != 1 for name in _PVAR_COLUMNS):
        refuse("PVAR_HEADING", file.path.name, "another heading", " ".join(_PVAR_COLUMNS), line=line)
    places = [heading.index(name) for name in _PVAR_COLUMNS]
    for number, text in lines:
        fields = text.split()
        if len(fields) != len(heading):
            refuse(
                "PVAR_FIELDS", file.path.name, f"{len(fields)} fields", f"{len(heading)}, as the heading", line=number
            )
        chromosome, position, identifier, second, first = (fields[place] for place in places)
        if "," in first:
            refuse(
                "MULTIALLELIC",
                file.path.name,
                "a variant of more than two alleles",
                "two; split or leave out the others (plink2 --max-alleles 2 --make-pgen)",
                line=number,
                column="ALT",
            )
        yield require_variant(file, number, chromosome, position, identifier, first, second)


def require_variant(
    file: VariantFile, line: int, chromosome: str, position: str, identifier: str, first: str, second: str
) -> Variant | None:
    """Return a variant that a catalogue can hold, or None for one that is left out.

    Raises
    ------
    CheckError
        ``VARIANT_FIELD`` names the field that is wrong.
    """
    name = file.chromosomes.name(chromosome)
    if name is None:
        return None
    number = int(position) if _POSITION.fullmatch(position) else -1
    alleles = (_ABSENT if text == _PLINK_1_ABSENT else text for text in (first, second))
    variant = Variant(name, number, identifier, *alleles)
    if wrong := variant.wrong_field():
        found = {"chromosome": chromosome, "position": position, "identifier": identifier}
        refuse(
            "VARIANT_FIELD",
            file.path.name,
            f"no {wrong} that a catalogue holds",
            "a chromosome, a position from 0 to 2^31 - 1, an identifier and two different alleles, in plain ASCII; "
            "leave others out",
            line=line,
            column=wrong,
            value=found.get(wrong, f"{first} {second}"),
        )
    return variant
