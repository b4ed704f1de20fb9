"""The first rows of a CSV or SD file as a frame of text, for a guess at its schema; memory is bounded by ``CELLS``."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import pandas as pd

from protocol.errors import DocumentError
from sealroom.datasets.csv_rows import CHARACTERS, UnreadableError, csv_rows, open_csv
from sealroom.datasets.molecules.sdf import read_records

__all__ = ["MAX_COLUMNS", "csv_sample", "sdf_sample"]

LOOKED_AT = 10_000
"""Rows read at most, as long as they do not have more characters than a block of rows."""
CELLS = 1_000_000
"""Rows kept times columns, at most."""
MAX_COLUMNS: Final = 2000
"""Headings or properties at most: no schema has room for more columns."""


def csv_sample(path: Path) -> tuple[list[str], pd.DataFrame]:
    """Return the headings and, by their place, the cells of the first rows that are as long as these.

    Raises
    ------
    DocumentError
        ``FILE_EMPTY``, ``TABLE_TOO_WIDE``, ``CSV_SYNTAX``, ``CSV_ENCODING``, ``CELL_TOO_LONG``, ``ROW_TOO_LONG``.
    """
    try:
        with open_csv(path) as text:
            rows = (row for _, row in csv_rows(text))
            headings = [heading.strip() for heading in next(rows, [])]
            _require_narrow(path, len(headings))
            whole = list(_first_rows(rows, len(headings)))
    except UnreadableError as end:
        found, wanted = end.wrong.found, end.wrong.wanted
        detail = f"{path}, line {end.line}: found {found}, wanted {wanted}."
        raise DocumentError(end.wrong.code, detail) from end
    if not whole:
        raise DocumentError("FILE_EMPTY", f"{path} has no rows, as long as its headings, to guess from.")
    return headings, pd.DataFrame(whole, columns=range(len(headings)), dtype=object)


def sdf_sample(path: Path) -> tuple[list[str], pd.DataFrame]:
    """Return the names of properties in the first records and, by their place, the values; "" where there is none.

    Raises
    ------
    DocumentError
        ``FILE_EMPTY``, ``TABLE_TOO_WIDE``, or the code of the first record that cannot be read.
    """
    found: list[list[str]] = []
    places: dict[str, int] = {}
    characters = 0
    with open_csv(path) as text:
        for record in islice(read_records(text), LOOKED_AT):
            if record.wrong is not None:
                raise DocumentError(
                    record.wrong.code,
                    f"{path}, record {record.number}: found {record.wrong.found}, wanted {record.wrong.wanted}.",
                )
            new = [name for name in record.properties if name not in places]
            width = len(places) + len(new)
            _require_narrow(path, width)
            if (len(found) + 1) * width > CELLS:  # short records are filled up below
                break
            places.update((name, place) for place, name in enumerate(new, len(places)))
            found.append([record.properties.get(name, "").strip() for name in places])
            characters += sum(map(len, found[-1])) + width
            if characters > CHARACTERS:
                break
    if not found:
        raise DocumentError("FILE_EMPTY", f"{path} has no records to guess from.")
    whole = [row + [""] * (len(places) - len(row)) for row in found]
    return list(places), pd.DataFrame(whole, columns=range(len(places)), dtype=object)


def _first_rows(rows: Iterator[list[str]], width: int) -> Iterator[list[str]]:
    """Yield the first rows that have this width."""
    characters = kept = 0
    for row in islice(rows, LOOKED_AT):
        if len(row) == width:
            yield [cell.strip() for cell in row]
            kept += 1
        characters += sum(map(len, row)) + len(row)  # an empty cell costs memory too
        if characters > CHARACTERS or (kept + 1) * width > CELLS:
            return


def _require_narrow(path: Path, columns: int) -> None:
    if columns > MAX_COLUMNS:
        raise DocumentError(
            "TABLE_TOO_WIDE",
            f"{path}: found {columns} columns, wanted at most {MAX_COLUMNS}, as many as a schema has room for. Take "
            "out those that no study needs.",
        )
