"""Writing a table, column after column, into whatever takes bytes: a file, or the sealing writer."""

from collections.abc import Mapping

import numpy as np

from protocol.container.sealing import ByteSink
from protocol.documents.dataset import TableSchema
from protocol.errors import DocumentError
from protocol.layout.checks import DTYPES, Values, check_column, require_shape
from protocol.layout.form import aligned, encode_header, header_for

__all__ = ["write_table"]


def write_table(schema: TableSchema, columns: Mapping[str, Values], sink: ByteSink) -> None:
    """Check columns against the schema and write them; not a byte is written unless all are right.

    Parameters
    ----------
    schema
        The schema that will be signed.
    columns
        One array for each column, typed and shaped as ``Table`` has them; any byte order, contiguous or not.
    sink
        Takes the bytes; must not keep what it is given beyond the call.

    Raises
    ------
    DocumentError
        ``COLUMN_UNKNOWN``, ``COLUMN_ABSENT``, ``COLUMN_TYPE``, ``TABLE_EMPTY``, and those of ``checks.check_column``.
    """
    names = [column.name for column in schema.columns]
    for name in columns:
        if name not in names:
            raise DocumentError("COLUMN_UNKNOWN", f"There is a column {name} that the schema does not have.")
    for name in names:
        if name not in columns:
            raise DocumentError("COLUMN_ABSENT", f"The column {name} of the schema is absent.")
    rows = len(columns[schema.subject.name])
    header = header_for(schema, rows)
    for column in schema.columns:
        require_shape(column, columns[column.name], rows)
        check_column(column, columns[column.name])
    sink.write(memoryview(encode_header(header)))
    for column, place in zip(schema.columns, header.columns, strict=True):
        values = np.ascontiguousarray(columns[column.name], dtype=DTYPES[column.kind])
        sink.write(values.view("u1").reshape(-1).data)
        if padding := bytes(aligned(place.size) - place.size):
            sink.write(memoryview(padding))
