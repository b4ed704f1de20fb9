"""The samples of a genotype file: .fam, .psam, or the heading of a VCF."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sealroom.datasets.cells import Wrong, subject_text
from sealroom.datasets.findings import Finding, Findings
from sealroom.datasets.genotypes.lines import refuse, text_lines

__all__ = ["Samples", "checked_samples", "read_fam", "read_psam"]

_FAM_FIELDS = 6


@dataclass(frozen=True, slots=True)
class Samples:
    """Within-family identifiers (IID) in the order of the genotypes, and the file that names them."""

    file: str
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)


def read_fam(path: Path) -> Samples:
    """Read a .fam file; ``CheckError`` ``FAM_FIELDS``, ``SAMPLE_TWICE``, ``SAMPLE_NAME``, ``SAMPLES_NONE``."""
    return checked_samples(path.name, _fam_names(path, text_lines(path)))


def read_psam(path: Path) -> Samples:
    """Read a .psam file, with a heading or, as PLINK 2 has it, without one in the columns of a .fam file."""
    lines = text_lines(path)
    first: list[tuple[int, str]] = []
    for number, text in lines:
        if text.startswith("##"):
            continue
        if not text.startswith("#"):
            first.append((number, text))
            break
        heading = text[1:].split()
        if heading[:1] not in (["FID"], ["IID"]) or "IID" not in heading:
            refuse("PSAM_HEADING", path.name, "another heading", "#FID and IID, or #IID, first", line=number)
        return checked_samples(path.name, _named(path, lines, heading.index("IID"), len(heading)))
    return checked_samples(path.name, _fam_names(path, (*first, *lines)))


def checked_samples(file: str, names: Iterable[tuple[int, str]]) -> Samples:
    """Check the names, each with its line: at least one, none empty, none twice."""
    findings, seen = Findings(), dict[str, int]()
    for line, name in names:
        identifier = subject_text(name)
        if isinstance(identifier, Wrong):
            findings.add(Finding("SAMPLE_NAME", file, "a sample without a name", "a name", line=line))
        elif identifier in seen:
            place = f"the sample of line {seen[identifier]} again" if line != seen[identifier] else "a sample again"
            findings.add(Finding("SAMPLE_TWICE", file, place, "each once", column="IID", line=line, value=identifier))
        else:
            seen[identifier] = line
    if not seen and not findings.count:
        refuse("SAMPLES_NONE", file, "no samples", "at least one")
    findings.require_none()
    return Samples(file, tuple(seen))


def _fam_names(path: Path, lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    for number, text in lines:
        fields = text.split()
        if len(fields) != _FAM_FIELDS:
            refuse("FAM_FIELDS", path.name, f"{len(fields)} fields", "6: FID IID father mother sex trait", line=number)
        yield number, fields[1]


def _named(path: Path, lines: Iterable[tuple[int, str]], place: int, width: int) -> Iterator[tuple[int, str]]:
    for number, text in lines:
        fields = text.split()
        if len(fields) != width:
            refuse("PSAM_FIELDS", path.name, f"{len(fields)} fields", f"{width}, as the heading", line=number)
        yield number, fields[place]
