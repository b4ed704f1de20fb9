"""The rows of a CSV text, each with its line: read strictly and within limits, or refused with a code and a place.

The reader is the standard library's in strict mode: unlike faster ones it fills no short rows and shifts no long ones.
It holds one row at a time, and a row has at most ``CHARACTERS``, on however many lines it stands.
"""

import csv
import io
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import IO, Final, TextIO

from sealroom.datasets.cells import Wrong

__all__ = ["CHARACTERS", "UnreadableError", "as_text", "csv_rows", "open_csv", "undecodable"]

CHARACTERS: Final = 2**24
"""Characters held at a time; a row that has more is not read."""
_UNDECODED = re.compile("[\ud800-\udfff]")


class UnreadableError(Exception):
    """Why a CSV text cannot be read further, and the line: that of the bytes or, of other faults, the row's first."""

    def __init__(self, wrong: Wrong, line: int) -> None:
        super().__init__(wrong, line)
        self.wrong = wrong
        self.line = line


def as_text(stream: IO[bytes]) -> TextIO:
    """Read bytes as text: UTF-8, with or without a byte order mark.

    A decoder works on whole blocks, far ahead of the line that is read. So bytes that are no UTF-8 raise nothing: they
    become surrogates, which no UTF-8 holds, and whoever reads a line asks ``undecodable``.
    """
    return io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")


def open_csv(path: Path) -> TextIO:
    """Open a file as ``as_text`` reads it."""
    return as_text(path.open("rb"))


def undecodable(line: str) -> bool:
    """Say whether a line of ``as_text`` holds bytes that are no UTF-8."""
    return not line.isascii() and _UNDECODED.search(line) is not None


def csv_rows(text: TextIO) -> Iterator[tuple[int, list[str]]]:
    """Yield each row that is not empty, and the line where it begins, from 1.

    Raises
    ------
    UnreadableError
        ``CSV_ENCODING``, ``CSV_SYNTAX``, ``CELL_TOO_LONG``, ``ROW_TOO_LONG``; all rows before it were yielded.
    """
    lines = _Lines(text)
    reader = csv.reader(lines, strict=True)
    while True:
        start = lines.next_row()
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise UnreadableError(_meant(error), start) from error
        if row is None:
            return
        if row:
            yield start, row


class _Lines:
    """The lines of a text, counted, and the characters of the lines of one row."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._number = 0
        self._start = 1
        self._held = 0

    def next_row(self) -> int:
        """Take the next line for the first of a row; return its number."""
        self._held, self._start = 0, self._number + 1
        return self._start

    def __iter__(self) -> Iterator[str]:
        for self._number in count(1):
            line = self._text.readline(CHARACTERS + 1 - self._held)
            self._held += len(line)
            if self._held > CHARACTERS:
                wanted = f"at most {CHARACTERS}; end the quote that the row opens, or save the file as CSV"
                found = f"a row of more than {CHARACTERS} characters"
                raise UnreadableError(Wrong("ROW_TOO_LONG", found, wanted), self._start)
            if undecodable(line):
                wrong = Wrong("CSV_ENCODING", "bytes that are no UTF-8", "UTF-8; save the file again as such")
                raise UnreadableError(wrong, self._number)
            if not line:
                return
            yield line


def _meant(error: csv.Error) -> Wrong:
    """Tell a cell beyond the reader's limit, which has no exception of its own, from what is no CSV."""
    if str(error).startswith("field larger than"):
        most = csv.field_size_limit()
        wanted = f"at most {most}; shorten it, or end the quote that the row opens"
        return Wrong("CELL_TOO_LONG", f"a cell of more than {most} characters", wanted)
    return Wrong("CSV_SYNTAX", "a quote or line that does not end as CSV does", "RFC 4180")
