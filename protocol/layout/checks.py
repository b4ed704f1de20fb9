"""What the values of a column must satisfy; run before a table is written and again when it is read."""

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from protocol.canonical import MAX_INTEGER
from protocol.documents.dataset import Column
from protocol.errors import DocumentError
from protocol.layout.form import width_of

__all__ = [
    "DTYPES",
    "MISSING_CATEGORY",
    "MISSING_NUMBER",
    "ROW_KINDS",
    "Values",
    "check_column",
    "decimal_values",
    "require_shape",
]

Values = NDArray[Any]
MISSING_NUMBER: Final = -(2**63)
MISSING_CATEGORY: Final = -1
DTYPES: Final[dict[str, np.dtype[Any]]] = {
    "subject": np.dtype("u1"),
    "integer": np.dtype("<i8"),
    "decimal": np.dtype("<i8"),
    "category": np.dtype("<i4"),
    "bits": np.dtype("u1"),
    "digest": np.dtype("u1"),
}
"""Little-endian on any machine. A subject and a digest are rows of 16 bytes, bits rows of bytes, lowest bit first."""
ROW_KINDS: Final = frozenset({"subject", "bits", "digest"})
"""Kinds of which one value is a row of bytes."""


def require_shape(column: Column, values: Values, rows: int) -> None:
    """Raise ``DocumentError`` with ``COLUMN_TYPE`` unless type and shape are those of the layout."""
    wanted = (rows, width_of(column)) if column.kind in ROW_KINDS else (rows,)
    if values.dtype.newbyteorder("<") != DTYPES[column.kind] or values.shape != wanted:
        raise DocumentError(
            "COLUMN_TYPE",
            f"Column {column.name} is {values.dtype} of shape {values.shape}, wanted {DTYPES[column.kind]}, {wanted}.",
        )


def check_column(column: Column, values: Values) -> None:
    """Check every value of a column against its schema.

    Raises
    ------
    DocumentError
        ``SUBJECT_TWICE``, ``CATEGORY_CODE``, ``VALUE_RANGE``, ``VALUE_MISSING``, with the column and the first row.
    """
    if column.kind == "subject":
        _check_subjects(column, values)
    elif column.kind == "category":
        _check_values(column, values, 0, len(column.levels) - 1, MISSING_CATEGORY, "CATEGORY_CODE")
    elif column.kind not in ROW_KINDS:
        _check_values(column, values, *_bounds(column), MISSING_NUMBER, "VALUE_RANGE")


def decimal_values(column: Column, values: Values) -> NDArray[np.float64]:
    """Return numbers as float64 with NaN for missing.

    Both the fixed-point integer and 10^scale are exact in float64, so a quotient is the float nearest to the decimal.
    """
    numbers: NDArray[np.float64] = values / np.float64(10**column.scale)
    numbers[values == MISSING_NUMBER] = np.nan
    return numbers


def _check_values(column: Column, values: Values, low: int, high: int, missing: int, code: str) -> None:
    absent = values == missing
    if not column.missing_allowed and absent.any():
        raise DocumentError(
            "VALUE_MISSING", f"Column {column.name}, {_row(absent)}: a value is missing where the schema allows none."
        )
    wrong = (values < low) | (values > high)
    wrong &= ~absent
    if wrong.any():
        wanted = f"{low} to {high}" if column.kind == "category" else _range(column)
        raise DocumentError(code, f"Column {column.name}, {_row(wrong)}: the value is outside {wanted}.")


def _check_subjects(column: Column, values: Values) -> None:
    halves = np.ascontiguousarray(values).view("<u8")
    order = np.lexsort((halves[:, 1], halves[:, 0]))
    ordered = halves[order]
    twice = (ordered[1:] == ordered[:-1]).all(axis=1)
    if twice.any():
        at = int(np.argmax(twice))
        first, second = sorted((int(order[at]) + 1, int(order[at + 1]) + 1))
        raise DocumentError(
            "SUBJECT_TWICE", f"Column {column.name}: rows {first} and {second} are the same subject; one row a subject."
        )


def _bounds(column: Column) -> tuple[int, int]:
    """Return the smallest and the largest fixed-point integer allowed; both fit in an int64."""
    power = 10**column.scale
    low, high = -MAX_INTEGER, MAX_INTEGER
    if column.minimum is not None:
        low = max(low, math.ceil(Fraction(Decimal(column.minimum)) * power))
    if column.maximum is not None:
        high = min(high, math.floor(Fraction(Decimal(column.maximum)) * power))
    return min(low, MAX_INTEGER + 1), max(high, -MAX_INTEGER - 1)


def _range(column: Column) -> str:
    low = column.minimum if column.minimum is not None else "-2^53"
    high = column.maximum if column.maximum is not None else "2^53"
    return f"{low} to {high} (2^53 at most, decimals included)"


def _row(wrong: NDArray[np.bool_]) -> str:
    return f"row {int(np.argmax(wrong)) + 1}"
