"""Where everything lies in a table: the header, and the offsets that follow from schema and rows."""

from typing import Annotated, Final

from pydantic import Field

from protocol.canonical import canonical_bytes
from protocol.documents.dataset import Column, ColumnKind, TableSchema
from protocol.dsse import load_document
from protocol.errors import DocumentError
from protocol.layout.subjects import SUBJECT_SIZE
from protocol.types import Count, Document, Name

__all__ = [
    "DIGEST_SIZE",
    "ColumnPlace",
    "TableHeader",
    "data_start",
    "encode_header",
    "read_header",
    "table_size",
    "width_of",
]

MAGIC: Final = b"sealtabl"
VERSION: Final = 1
PREFIX_SIZE: Final = 16
MAX_HEADER: Final = 2**20
"""Bytes. A schema of 2,000 columns with names of 64 characters stays below a third of it."""
MAX_ROWS: Final = 2**32
"""So many rows of 2,000 columns of 512 bytes still have offsets below 2^53."""
ALIGNMENT: Final = 8

DIGEST_SIZE: Final = 16
_WIDTHS: Final[dict[ColumnKind, int]] = {
    "subject": SUBJECT_SIZE,
    "integer": 8,
    "decimal": 8,
    "category": 4,
    "digest": DIGEST_SIZE,
}


def width_of(column: Column) -> int:
    """Return the bytes of one value."""
    return column.width // 8 if column.kind == "bits" else _WIDTHS[column.kind]


class ColumnPlace(Document):
    """Where one column lies: bytes from the start of the data, bytes without padding."""

    name: Name
    kind: ColumnKind
    offset: Count
    size: Count


class TableHeader(Document):
    """The header of a table."""

    rows: Annotated[Count, Field(ge=1)]
    columns: Annotated[tuple[ColumnPlace, ...], Field(min_length=2, max_length=2000)]

    @property
    def data_size(self) -> int:
        """Bytes of the data with all padding."""
        last = self.columns[-1]
        return aligned(last.offset + last.size)


def aligned(size: int) -> int:
    """Round up to a multiple of 8."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def header_for(schema: TableSchema, rows: int) -> TableHeader:
    """Return the one header that a table of this schema and this many rows may have."""
    if rows < 1:
        raise DocumentError("TABLE_EMPTY", "The table has no rows.")
    if rows > MAX_ROWS:
        raise DocumentError("ROW_LIMIT", f"A table of {rows} rows has no canonical header; {MAX_ROWS} are the most.")
    places, offset = [], 0
    for column in schema.columns:
        size = rows * width_of(column)
        places.append(ColumnPlace(name=column.name, kind=column.kind, offset=offset, size=size))
        offset = aligned(offset + size)
    return TableHeader(rows=rows, columns=tuple(places))


def encode_header(header: TableHeader) -> bytes:
    """Return everything before the data."""
    text = canonical_bytes(header.model_dump(mode="json"))
    start = MAGIC + VERSION.to_bytes(4, "little") + len(text).to_bytes(4, "little") + text
    return start.ljust(aligned(len(start)), b"\x00")


def data_start(data: memoryview) -> int:
    """Return where the data begins, after checking magic, version and the length of the header."""
    if len(data) < PREFIX_SIZE or bytes(data[:8]) != MAGIC:
        raise DocumentError("TABLE_MAGIC", "These bytes are not a table in the canonical layout.")
    version, size = int.from_bytes(data[8:12], "little"), int.from_bytes(data[12:16], "little")
    if version != VERSION:
        raise DocumentError("TABLE_VERSION", f"Found version {version} of the layout, wanted {VERSION}.")
    start = aligned(PREFIX_SIZE + size)
    if size > MAX_HEADER or start > len(data):
        raise DocumentError("TABLE_HEADER", f"A header of {size} bytes does not fit: at most {MAX_HEADER} are read.")
    if any(data[PREFIX_SIZE + size : start]):
        raise DocumentError("TABLE_PADDING", "The bytes after the header are not zero.")
    return start


def read_header(data: memoryview, schema: TableSchema, *, row_limit: int) -> TableHeader:
    """Read the header and compare it with the one that follows from the signed schema.

    Raises
    ------
    DocumentError
        ``TABLE_MAGIC``, ``TABLE_VERSION``, ``TABLE_HEADER``, ``TABLE_PADDING``; ``JSON``, ``CANONICAL``, ``DOCUMENT``
        for the JSON; ``ROW_LIMIT``; ``TABLE_COLUMN`` with the first column that is not what or where it must be;
        ``TABLE_SIZE``.
    """
    start = data_start(data)
    size = int.from_bytes(data[12:16], "little")
    header = load_document(TableHeader, bytes(data[PREFIX_SIZE : PREFIX_SIZE + size]), limit=MAX_HEADER)
    if header.rows > row_limit:
        raise DocumentError("ROW_LIMIT", f"The table has {header.rows} rows; at most {row_limit} are allowed.")
    wanted = header_for(schema, header.rows)
    if len(header.columns) != len(wanted.columns):
        raise DocumentError(
            "TABLE_COLUMN", f"The table has {len(header.columns)} columns, the signed schema {len(wanted.columns)}."
        )
    for number, (found, place) in enumerate(zip(header.columns, wanted.columns, strict=True), 1):
        if found != place:
            raise DocumentError(
                "TABLE_COLUMN",
                f"Column {number} ({place.name}) is not as the signed schema has it: found {found.name}, {found.kind}, "
                f"offset {found.offset}, size {found.size}; wanted {place.kind}, offset {place.offset}, size "
                f"{place.size}.",
            )
    if len(data) != start + wanted.data_size:
        raise DocumentError(
            "TABLE_SIZE", f"The table has {len(data)} bytes; its header asks for {start + wanted.data_size}."
        )
    return wanted


def table_size(schema: TableSchema, rows: int) -> int:
    """Bytes of a table of this schema with this many rows."""
    header = header_for(schema, rows)
    return len(encode_header(header)) + header.data_size
