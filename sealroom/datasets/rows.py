"""Reading CSV in blocks of rows, with the row and line of each.

Memory is bounded by ``CELLS`` and ``CHARACTERS``, however long the file, its rows and its lines are.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TextIO

from sealroom.datasets.csv_rows import CHARACTERS, UnreadableError, csv_rows
from sealroom.datasets.findings import Finding, Findings
from sealroom.datasets.schema import OwnerSchema

__all__ = ["CELLS", "Block", "Blocks", "CsvSource", "RowSource"]

CELLS = 100_000
"""Cells held at a time."""
MAX_BLOCK_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows: ``cells[i][j]`` is the i-th of them, column j; ``rows`` counts data rows, ``lines`` lines, from 1."""

    rows: list[int]
    lines: list[int]
    cells: list[list[str]]


class RowSource(Protocol):
    """One pass over a file."""

    @property
    def rows(self) -> int:
        """Rows read so far."""

    @property
    def skipped(self) -> int:
        """Rows left out so far."""

    @property
    def characters(self) -> int:
        """Characters read so far."""

    def blocks(self) -> Iterator[Block]:
        """Yield the rows that can be read; what is wrong with others is noted."""

    def notes(self) -> list[str]:
        """Return, after the last block, what the owner should think about."""


class Blocks:
    """Gathers rows into blocks of a bounded size."""

    def __init__(self, columns: int) -> None:
        self._most = max(1, min(MAX_BLOCK_ROWS, CELLS // columns))
        self._characters = 0
        self._block = Block([], [], [])

    def add(self, row: int, line: int, cells: list[str]) -> Iterator[Block]:
        """Put a row into the block, and yield the block where it is full."""
        self._block.rows.append(row)
        self._block.lines.append(line)
        self._block.cells.append(cells)
        self._characters += sum(map(len, cells))
        if len(self._block.cells) == self._most or self._characters > CHARACTERS:
            yield from self.rest()

    def rest(self) -> Iterator[Block]:
        """Yield what has not been yielded yet, if there is any."""
        block, self._block, self._characters = self._block, Block([], [], []), 0
        if block.cells:
            yield block


class CsvSource:
    """One pass over a CSV text.

    Findings about the file's form (encoding, syntax, headings, length of rows) go to ``findings``; a row of the wrong
    length is left out of the blocks.
    """

    def __init__(
        self, text: TextIO, name: str, schema: OwnerSchema, findings: Findings, sought: Sequence[str] | None = None
    ) -> None:
        self._read = csv_rows(text)
        self._name = name
        columns = (schema.headings[column.name] for column in schema.table.columns)
        self._sought = tuple(columns if sought is None else sought)
        self._known = schema.left_out.union(self._sought)
        self._findings = findings
        self.rows = 0
        self.skipped = 0
        self.characters = 0

    def blocks(self) -> Iterator[Block]:
        """Yield the data rows; the cells of each stand in the order of the headings that are sought."""
        order = self._heading_order()
        if order is None:
            return
        places, width = order
        blocks = Blocks(len(places))
        for line, row in self._rows(width):
            yield from blocks.add(self.rows, line, [row[place] for place in places])
        yield from blocks.rest()
        if not self.rows and not self._findings.count:
            self._note("FILE_EMPTY", "no data rows", "at least one")

    def notes(self) -> list[str]:
        """Return nothing: a CSV file that can be read gives no reason to think."""
        return []

    def _rows(self, width: int) -> Iterator[tuple[int, list[str]]]:
        try:
            for line, row in self._read:
                self.rows += 1
                self.characters += len(row) + sum(map(len, row))
                if len(row) == width:
                    yield line, row
                else:
                    self.skipped += 1
                    self._note("ROW_LENGTH", f"{len(row)} cells", f"{width}, as the headings", line, self.rows)
        except UnreadableError as end:
            self._note(end.wrong.code, end.wrong.found, end.wrong.wanted, end.line, self.rows + 1)

    def _heading_order(self) -> tuple[list[int], int] | None:
        """Return where the cells that are sought stand in a row, and how long a row is."""
        try:
            _, first = next(self._read, (None, None))
        except UnreadableError as end:
            self._note(end.wrong.code, end.wrong.found, end.wrong.wanted, end.line)
            return None
        if first is None:
            self._note("FILE_EMPTY", "an empty file", "a line of headings and rows of data")
            return None
        headings = [heading.strip() for heading in first]
        before, counts = self._findings.count, Counter(headings)
        for heading, times in counts.items():
            if times > 1:
                self._note_column("SCHEMA_COLUMN_TWICE", heading, "a heading twice", "each once")
            if heading not in self._known:
                self._note_column(
                    "SCHEMA_COLUMN_UNKNOWN", heading, "a column that the schema does not have", "none such"
                )
        for heading in dict.fromkeys(self._sought):
            if heading not in counts:
                self._note_column("SCHEMA_COLUMN_ABSENT", heading, "no such column", "every column of the schema")
        if self._findings.count > before:
            return None
        return [headings.index(heading) for heading in self._sought], len(headings)

    def _note(self, code: str, found: str, wanted: str, line: int | None = None, row: int | None = None) -> None:
        self._findings.add(Finding(code, self._name, found, wanted, row=row, line=line))

    def _note_column(self, code: str, column: str, found: str, wanted: str) -> None:
        self._findings.add(Finding(code, self._name, found, wanted, column=column))
