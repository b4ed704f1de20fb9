"""Reading a table: nothing is believed before it was compared with the signed schema."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from protocol.documents.dataset import Column, TableSchema
from protocol.errors import DocumentError
from protocol.layout.checks import DTYPES, ROW_KINDS, Values, check_column, decimal_values
from protocol.layout.form import aligned, data_start, read_header, width_of

__all__ = ["Table", "TableReader"]


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose every value was checked.

    ``columns`` holds read-only arrays over the bytes that were read, by name, in the order of the schema: int64 of
    shape (rows,) for numbers, int32 of shape (rows,) for categories, uint8 of shape (rows, 16) for the subject and for
    digests, of shape (rows, width / 8) for bits.
    """

    schema: TableSchema
    rows: int
    columns: Mapping[str, Values]

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return an integer or decimal column as float64 of shape (rows,) in the schema's unit, NaN where missing."""
        column = self._column(name)
        if column.kind not in {"integer", "decimal"}:
            raise DocumentError("COLUMN_KIND", f"Column {name} is a {column.kind}, wanted numbers.")
        return decimal_values(column, self.columns[name])

    def _column(self, name: str) -> Column:
        column = self.schema.column(name)
        if column is None:
            raise DocumentError("COLUMN_UNKNOWN", f"The table has no column {name}.")
        return column


@final
class TableReader:
    """Reads the canonical layout."""

    @staticmethod
    def read(data: bytes | bytearray | memoryview, schema: TableSchema, *, row_limit: int) -> Table:
        """Check and read a table; the arrays share memory with ``data``.

        Parameters
        ----------
        data
            The whole table.
        schema
            The signed schema.
        row_limit
            The largest number of rows to accept.

        Raises
        ------
        DocumentError
            The codes of ``form.read_header`` and ``checks.check_column``, and ``TABLE_PADDING``. Messages name column
            and row, never a value.
        """
        view = memoryview(data).cast("B").toreadonly()
        header = read_header(view, schema, row_limit=row_limit)
        body = view[data_start(view) :]
        columns: dict[str, Values] = {}
        for column, place in zip(schema.columns, header.columns, strict=True):
            end = place.offset + place.size
            if any(body[end : aligned(end)]):
                raise DocumentError("TABLE_PADDING", f"The bytes after column {column.name} are not zero.")
            values = np.frombuffer(body[place.offset : end], dtype=DTYPES[column.kind])
            if column.kind in ROW_KINDS:
                values = values.reshape(header.rows, width_of(column))
            check_column(column, values)
            columns[column.name] = values
        return Table(schema, header.rows, columns)
