"""Reading CSV in blocks of rows, strictly, with the line of each row.

The reader is the standard library's in strict mode: unlike faster ones it fills no short rows and shifts no long ones.
Memory is bounded by ``CELLS``, however long the file is.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from sealroom.datasets.findings import Finding, Findings
from sealroom.datasets.schema import OwnerSchema

__all__ = ["CELLS", "Block", "CsvSource", "open_csv"]

CELLS = 100_000
"""Cells held at a time."""
MAX_BLOCK_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows: ``cells[i][j]`` is the i-th of them, column j; ``rows`` counts data rows, ``lines`` lines, from 1."""

    rows: list[int]
    lines: list[int]
    cells: list[list[str]]


def open_csv(path: Path) -> TextIO:
    """Open a CSV file as text: UTF-8, with or without a byte order mark."""
    return path.open(encoding="utf-8-sig", newline="")


class CsvSource:
    """One pass over a CSV text.

    Findings about the file's form (encoding, syntax, headings, length of rows) go to ``findings``; a row of the wrong
    length is left out of the blocks.
    """

    def __init__(self, text: TextIO, name: str, schema: OwnerSchema, findings: Findings) -> None:
        self._reader = csv.reader(text, strict=True)
        self._name = name
        self._schema = schema
        self._findings = findings
        self.rows = 0
        self.skipped = 0
        self.characters = 0

    def blocks(self) -> Iterator[Block]:
        """Yield the data rows; the columns of each block stand in the order of the schema."""
        order = self._heading_order()
        if order is None:
            return
        names = len(self._schema.table.columns)
        size = max(1, min(MAX_BLOCK_ROWS, CELLS // names))
        block = Block([], [], [])
        for line, row in self._rows(len(order)):
            block.rows.append(self.rows)
            block.lines.append(line)
            block.cells.append([row[index] for index in order])
            if len(block.cells) == size:
                yield block
                block = Block([], [], [])
        if block.cells:
            yield block
        if not self.rows and not self._findings.count:
            self._note("FILE_EMPTY", "no data rows", "at least one")

    def _rows(self, width: int) -> Iterator[tuple[int, list[str]]]:
        while True:
            line = self._reader.line_num + 1
            try:
                row = next(self._reader, None)
            except UnicodeDecodeError:
                self._note("CSV_ENCODING", "bytes that are no UTF-8", "UTF-8; save the file again as such", line)
                return
            except csv.Error:
                self._note("CSV_SYNTAX", "a quote or line that does not end as CSV does", "RFC 4180", line)
                return
            if row is None:
                return
            if not row:  # an empty line holds no subject
                continue
            self.rows += 1
            self.characters += len(row) + sum(map(len, row))
            if len(row) != width:
                self.skipped += 1
                self._note("ROW_LENGTH", f"{len(row)} cells", f"{width}, as the headings", line, self.rows)
                continue
            yield line, row

    def _heading_order(self) -> list[int] | None:
        first = next(iter(self._rows_of_headings()), None)
        if first is None:
            if not self._findings.count:
                self._note("FILE_EMPTY", "an empty file", "a line of headings and rows of data")
            return None
        headings = [heading.strip() for heading in first]
        wanted = {heading: name for name, heading in self._schema.headings.items()}
        before = self._findings.count
        for heading in dict.fromkeys(headings):
            if headings.count(heading) > 1:
                self._note_column("SCHEMA_COLUMN_TWICE", heading, "a heading twice", "each once")
            if heading not in wanted:
                self._note_column(
                    "SCHEMA_COLUMN_UNKNOWN", heading, "a column that the schema does not have", "none such"
                )
        for heading in wanted:
            if heading not in headings:
                self._note_column("SCHEMA_COLUMN_ABSENT", heading, "no such column", "every column of the schema")
        if self._findings.count > before:
            return None
        place = {wanted[heading]: index for index, heading in enumerate(headings)}
        return [place[column.name] for column in self._schema.table.columns]

    def _rows_of_headings(self) -> Iterator[list[str]]:
        try:
            for row in self._reader:
                if row:
                    yield row
        except UnicodeDecodeError:
            self._note("CSV_ENCODING", "bytes that are no UTF-8", "UTF-8; save the file again as such", 1)
        except csv.Error:
            self._note("CSV_SYNTAX", "a quote or line that does not end as CSV does", "RFC 4180", 1)

    def _note(self, code: str, found: str, wanted: str, line: int | None = None, row: int | None = None) -> None:
        number = self.rows + 1 if line is not None and row is None else row
        self._findings.add(Finding(code, self._name, found, wanted, row=number, line=line))

    def _note_column(self, code: str, column: str, found: str, wanted: str) -> None:
        self._findings.add(Finding(code, self._name, found, wanted, column=column))
