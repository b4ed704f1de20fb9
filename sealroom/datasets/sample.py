"""The first rows of a CSV or SD file as a frame of text, for a guess at its schema."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from protocol.errors import DocumentError
from sealroom.datasets.molecules.sdf import read_records
from sealroom.datasets.rows import CHARACTERS, lines_of, open_csv

__all__ = ["csv_sample", "sdf_sample"]

LOOKED_AT = 10_000
"""Rows at most, as long as they do not have more characters than a block of rows."""


def csv_sample(path: Path) -> tuple[list[str], pd.DataFrame]:
    """Return the headings and, by their place, the cells of the first rows that are as long as these.

    Raises
    ------
    DocumentError
        ``FILE_EMPTY``, ``CSV_SYNTAX``, ``CSV_ENCODING``.
    """
    try:
        with open_csv(path) as text:
            rows = list(_first_rows(csv.reader(lines_of(text), strict=True)))
    except csv.Error as error:
        raise DocumentError("CSV_SYNTAX", f"{path} is no CSV: {error}.") from error
    except UnicodeDecodeError as error:
        raise DocumentError("CSV_ENCODING", f"{path} is not UTF-8; save it again as such.") from error
    if len(rows) < 2:  # noqa: PLR2004 - headings and a row
        raise DocumentError("FILE_EMPTY", f"{path} has no rows to guess from.")
    headings = [heading.strip() for heading in rows[0]]
    whole = [[cell.strip() for cell in row] for row in rows[1:] if len(row) == len(headings)]
    return headings, pd.DataFrame(whole, columns=range(len(headings)), dtype=object)


def sdf_sample(path: Path) -> tuple[list[str], pd.DataFrame]:
    """Return the names of properties in the first records and, by their place, the values; "" where there is none.

    Raises
    ------
    DocumentError
        ``FILE_EMPTY``, ``SDF_ENCODING``, or the code of the first record that cannot be read.
    """
    found: list[list[str]] = []
    places: dict[str, int] = {}
    characters = 0
    try:
        with open_csv(path) as text:
            for record in read_records(text):
                if record.wrong is not None:
                    raise DocumentError(
                        record.wrong.code,
                        f"{path}, record {record.number}: found {record.wrong.found}, wanted {record.wrong.wanted}.",
                    )
                for name in record.properties:
                    places.setdefault(name, len(places))
                found.append([record.properties.get(name, "").strip() for name in places])
                characters += sum(map(len, found[-1])) + len(places)
                if len(found) == LOOKED_AT or characters > CHARACTERS:
                    break
    except UnicodeDecodeError as error:
        raise DocumentError("SDF_ENCODING", f"{path} is not UTF-8; save it again as such.") from error
    if not found:
        raise DocumentError("FILE_EMPTY", f"{path} has no records to guess from.")
    whole = [row + [""] * (len(places) - len(row)) for row in found]
    return list(places), pd.DataFrame(whole, columns=range(len(places)), dtype=object)


def _first_rows(rows: Iterator[list[str]]) -> Iterator[list[str]]:
    """Yield the headings and the first rows; empty lines are none."""
    number = characters = 0
    for row in rows:
        if row:
            yield row
            number += 1
            characters += sum(map(len, row))
        if number > LOOKED_AT or characters > CHARACTERS:
            return
