"""What a check finds wrong, where, and what was wanted. Values are for the owner's screen only.

Headings and names come from files that others may have written. What is shown of them is plain: nothing in it moves a
cursor, turns the direction of writing or begins a line, and it is not long.
"""

from dataclasses import dataclass, field
from typing import Any

from protocol.errors import DocumentError

__all__ = ["PLACE_LENGTH", "CheckError", "Finding", "Findings", "plain"]

SHOWN = 20
VALUE_LENGTH = 40
PLACE_LENGTH = 100
"""Characters shown of a file's or column's name."""
WORDS_LENGTH = 400
"""Characters shown of what was found or wanted."""


def plain(text: str, most: int) -> str:
    r"""Return a text to show: at most so many of its characters, and as ``\x1b`` what does not print.

    >>> plain("weight\x1b[2J", 100)
    'weight\\x1b[2J'
    >>> plain("weight", 3)
    'wei...'
    """
    shown = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text[:most])
    return shown + "..." * (len(text) > most)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    ``row`` counts data rows from 1, ``line`` lines of the file from 1; both are None for what concerns the whole file.
    ``value`` is the offending cell: shown to the owner, never stored, not part of ``fields``.
    """

    code: str
    file: str
    found: str
    wanted: str
    column: str | None = None
    row: int | None = None
    line: int | None = None
    value: str | None = None

    def fields(self) -> dict[str, Any]:
        """Return what ``--json`` shows, in plain text: everything but the value."""
        return {
            "code": self.code,
            "file": plain(self.file, PLACE_LENGTH),
            "row": self.row,
            "line": self.line,
            "column": None if self.column is None else plain(self.column, PLACE_LENGTH),
            "found": plain(self.found, WORDS_LENGTH),
            "wanted": plain(self.wanted, WORDS_LENGTH),
        }

    def words(self, *, with_value: bool) -> str:
        """Return one line for people."""
        fields = self.fields()
        place = [fields["file"]]
        if self.row is not None:
            place.append(f"row {self.row}" + (f" (line {self.line})" if self.line is not None else ""))
        elif self.line is not None:
            place.append(f"line {self.line}")
        if self.column is not None:
            place.append(f"column {fields['column']}")
        shown = ""
        if with_value and self.value is not None:
            cut = self.value if len(self.value) <= VALUE_LENGTH else self.value[:VALUE_LENGTH] + "..."
            shown = f" {cut!a}"
        return f"{self.code}: {', '.join(place)}: found {fields['found']}{shown}, wanted {fields['wanted']}."


@dataclass(slots=True)
class Findings:
    """The first findings, and how many there are in all; memory does not grow with their number."""

    shown: list[Finding] = field(default_factory=list)
    count: int = 0

    def add(self, finding: Finding, times: int = 1) -> None:
        """Note a finding that stands for ``times`` cells."""
        self.count += times
        if len(self.shown) < SHOWN:
            self.shown.append(finding)

    @property
    def full(self) -> bool:
        """Whether further findings are counted only."""
        return len(self.shown) >= SHOWN

    def require_none(self) -> None:
        """Raise ``CheckError`` if there is any finding."""
        if self.count:
            raise CheckError(tuple(self.shown), self.count)


class CheckError(DocumentError):
    """A dataset does not match its schema; the code is that of the first finding."""

    def __init__(self, findings: tuple[Finding, ...], count: int) -> None:
        first = findings[0]
        more = "" if count == 1 else f" ({count} findings in all)"
        super().__init__(first.code, first.words(with_value=False).removeprefix(f"{first.code}: ") + more)
        self.findings = findings
        self.count = count

    def problem(self) -> dict[str, Any]:
        """Return the problem object with the findings as an extension member."""
        return super().problem() | {"count": self.count, "findings": [finding.fields() for finding in self.findings]}
