"""Reading SD files record by record: connection table, properties, and the line where each begins.

A record is cut out here, within limits, before RDKit sees any of it. Properties are text, as the file has them.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TextIO

from sealroom.datasets.cells import Wrong
from sealroom.datasets.csv_rows import undecodable
from sealroom.datasets.findings import Finding, Findings
from sealroom.datasets.molecules.columns import STRUCTURE, TITLE
from sealroom.datasets.rows import Block, Blocks
from sealroom.datasets.schema import OwnerSchema

__all__ = ["MAX_RECORD", "Record", "SdfSource", "read_records"]

MAX_RECORD: Final = 200_000
"""Characters of a record."""
_END = "$$$$"
_TABLE_END = "M  END"
_PROPERTY = re.compile(r">[^<]*<([^>]*)>.*")


@dataclass(frozen=True, slots=True)
class Record:
    """A record: its place, and its title, connection table and properties unless something is ``wrong`` with it."""

    number: int
    line: int
    title: str = ""
    table: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)
    wrong: Wrong | None = None


class SdfSource:
    """One pass over an SD file.

    What is wrong with a record goes to ``findings``, and the record is left out. A property that a record does not have
    is an empty cell; one that the schema neither has nor leaves out is wrong, once for the whole file.
    """

    def __init__(self, text: TextIO, name: str, schema: OwnerSchema, findings: Findings, sought: Sequence[str]) -> None:
        self._text = text
        self._name = name
        self._sought = sought
        self._known = schema.left_out.union(sought)
        self._unknown: set[str] = set()
        self._findings = findings
        self.rows = 0
        self.skipped = 0
        self.characters = 0

    def blocks(self) -> Iterator[Block]:
        """Yield the records; the cells of each stand in the order of the headings that are sought."""
        blocks = Blocks(len(self._sought))
        for record in read_records(self._text):
            self.rows = record.number
            self.characters += len(record.table) + sum(map(len, record.properties.values()))
            if self._is_right(record):
                yield from blocks.add(record.number, record.line, [_cell(record, name) for name in self._sought])
            else:
                self.skipped += 1
        yield from blocks.rest()
        if not self.rows and not self._findings.count:
            self._note(Wrong("FILE_EMPTY", "no records", "at least one"))

    def notes(self) -> list[str]:
        """Return nothing: an SD file that can be read gives no reason to think."""
        return []

    def _is_right(self, record: Record) -> bool:
        if record.wrong is not None:
            self._note(record.wrong, record.number, record.line)
            return False
        for name in record.properties:
            if name not in self._known and name not in self._unknown and not self._findings.full:
                self._unknown.add(name)
                wrong = Wrong("SCHEMA_COLUMN_UNKNOWN", "a property that the schema does not have", "none such")
                self._note(wrong, record.number, record.line, name)
        return True

    def _note(self, wrong: Wrong, row: int | None = None, line: int | None = None, column: str | None = None) -> None:
        self._findings.add(Finding(wrong.code, self._name, wrong.found, wrong.wanted, column, row, line))


def read_records(text: TextIO) -> Iterator[Record]:
    """Yield all records of an SD file, broken ones too; of one record at a time, no more than the limit is held."""
    number, line = 0, 1
    while True:
        lines, size, start, ended = list[str](), 0, line, False
        while not ended and (piece := text.readline(MAX_RECORD)):
            if undecodable(piece):
                wrong = Wrong("SDF_ENCODING", "bytes that are no UTF-8", "UTF-8; save it again as such")
                yield Record(number + 1, line, wrong=wrong)
                return
            line += piece.endswith(("\n", "\r"))
            size += len(piece)
            ended = piece.rstrip() == _END
            if size <= MAX_RECORD:
                lines.append(piece.rstrip())
        if not ended and not any(lines) and size <= MAX_RECORD:
            return
        number += 1
        if not ended:
            wrong = Wrong("SDF_TRUNCATED", "a record that does not end", f"a line {_END} behind each record")
            yield Record(number, start, wrong=wrong)
        elif size > MAX_RECORD:
            wrong = Wrong("SDF_RECORD_SIZE", f"a record of {size} characters", f"at most {MAX_RECORD}")
            yield Record(number, start, wrong=wrong)
        else:
            yield _record(number, start, lines[:-1])


def _record(number: int, start: int, lines: list[str]) -> Record:
    if _TABLE_END not in lines:
        wrong = Wrong(
            "SDF_SYNTAX", f"a record without {_TABLE_END}", "a connection table that ends so, then properties"
        )
        return Record(number, start, wrong=wrong)
    end = lines.index(_TABLE_END) + 1
    properties = _properties(lines[end:])
    if isinstance(properties, Wrong):
        return Record(number, start, wrong=properties)
    return Record(number, start, lines[0].strip(), "\n".join(lines[:end]) + "\n", properties)


def _properties(lines: list[str]) -> dict[str, str] | Wrong:
    properties: dict[str, str] = {}
    name: str | None = None
    values: list[str] = []
    for entry in [*lines, ""]:  # an empty line ends a value
        if name is not None and entry:
            values.append(entry)
        elif name is not None:
            properties[name] = "\n".join(values)
            name, values = None, []
        elif match := _PROPERTY.fullmatch(entry):
            name = match.group(1).strip()
            if name in properties:
                return Wrong("SDF_PROPERTY_TWICE", "a property twice", "each once in a record")
        elif entry:
            return Wrong("SDF_SYNTAX", f"text behind {_TABLE_END} that is no property", "> <NAME>, value, empty line")
    return properties


def _cell(record: Record, heading: str) -> str:
    if heading == STRUCTURE:
        return record.table
    if heading == TITLE:
        return record.title
    return record.properties.get(heading, "")
