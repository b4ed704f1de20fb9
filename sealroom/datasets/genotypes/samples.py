"""The samples of a genotype file: .fam, .psam, or the heading of a VCF."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sealroom.datasets.cells import Wrong, subject_text
from sealroom.datasets.findings import Finding, Findings
from sealroom.datasets.genotypes.lines import refuse, text_lines

__all__ = ["MAX_SAMPLES", "Samples", "checked_samples", "read_fam", "read_psam", "require_sample_count"]

MAX_SAMPLES: Final = 1_000_000
"""Twice the largest cohorts of today. Each name takes some 150 bytes of memory."""
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
    """Check the names, each with its line: at least one, none empty, none twice.

    Raises
    ------
    CheckError
        ``SAMPLE_NAME`` and ``SAMPLE_TWICE``, each once for a line, however many names it has; ``SAMPLES_NONE``;
        ``SAMPLES_COUNT`` as soon as there are too many.
    """
    findings, seen = Findings(), dict[str, int]()
    last: dict[str, int] = {}

    def add(finding: Finding, line: int) -> None:
        if last.get(finding.code) != line:
            findings.add(finding)
        last[finding.code] = line

    for count, (line, name) in enumerate(names, start=1):
        require_sample_count(file, count, line)
        identifier = subject_text(name)
        if isinstance(identifier, Wrong):
            add(Finding("SAMPLE_NAME", file, identifier.found, identifier.wanted, line=line), line)
        elif identifier in seen:
            place = f"the sample of line {seen[identifier]} again" if line != seen[identifier] else "a sample again"
            found = Finding("SAMPLE_TWICE", file, place, "each once", column="IID", line=line, value=identifier)
            add(found, line)
        else:
            seen[identifier] = line
    if not seen and not findings.count:
        refuse("SAMPLES_NONE", file, "no samples", "at least one")
    findings.require_none()
    return Samples(file, tuple(seen))


def require_sample_count(file: str, count: int, line: int) -> None:
    """Refuse more samples than are read; called before memory is taken for their names."""
    if count > MAX_SAMPLES:
        refuse("SAMPLES_COUNT", file, f"more than {MAX_SAMPLES} samples", "fewer; take a part of them", line=line)


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
