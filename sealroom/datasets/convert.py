"""Blocks of text to columns of the canonical layout."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from protocol.documents.dataset import Column, TableSchema
from protocol.layout import MISSING_CATEGORY, MISSING_NUMBER, subject_pseudonym
from protocol.layout.checks import DTYPES, ROW_KINDS, Values
from protocol.layout.form import width_of
from sealroom.datasets.cells import Wrong, bytes_of, subject_text, whole_number_of
from sealroom.datasets.findings import Finding, Findings
from sealroom.datasets.rows import Block

__all__ = ["Converter"]


class Converter:
    """Converts block after block, notes what is wrong and counts the subjects of each level.

    Each distinct text of a block is looked at once, and exactly; pandas finds the distinct ones and puts the results
    back in their places.
    """

    def __init__(self, table: TableSchema, name: str, secret: bytes, findings: Findings) -> None:
        self._table = table
        self._name = name
        self._secret = secret
        self._findings = findings
        self.level_counts = {
            column.name: np.zeros(len(column.levels), dtype=np.int64)
            for column in table.columns
            if column.kind == "category"
        }

    def convert(self, block: Block) -> list[Values]:
        """Return one array for each column of the schema, in its order, with the types that the layout has."""
        return [
            self._rows_of_bytes(column, block, index)
            if column.kind in ROW_KINDS
            else self._values(column, block, index)
            for index, column in enumerate(self._table.columns)
        ]

    def _values(self, column: Column, block: Block, index: int) -> Values:
        missing = MISSING_CATEGORY if column.kind == "category" else MISSING_NUMBER

        def number(text: str) -> int | Wrong:
            """Return the number that the layout holds."""
            found = whole_number_of(column, text)
            return missing if found is None else found

        values = self._mapped(column, block, index, number, missing).astype(DTYPES[column.kind])
        if column.kind == "category":
            self.level_counts[column.name] += np.bincount(values[values >= 0], minlength=len(column.levels))
        return values

    def _mapped(
        self, column: Column, block: Block, index: int, number: Callable[[str], int | Wrong], missing: int
    ) -> Values:
        texts = np.array([row[index] for row in block.cells], dtype=object)
        codes, distinct = pd.factorize(texts)
        numbers = np.full(len(distinct), missing, dtype=np.int64)
        for code, text in enumerate(distinct):
            found = number(text)
            if isinstance(found, Wrong):
                self._note(column, block, np.flatnonzero(codes == code).tolist(), found, text)
            else:
                numbers[code] = found
        return numbers[codes]

    def _rows_of_bytes(self, column: Column, block: Block, index: int) -> Values:
        width = width_of(column)
        values = bytearray()
        for place, row in enumerate(block.cells):
            found = self._pseudonym(row[index]) if column.kind == "subject" else bytes_of(column, row[index])
            if isinstance(found, Wrong):
                self._note(column, block, [place], found, row[index])
                found = bytes(width)
            values += found
        return np.frombuffer(bytes(values), dtype=np.uint8).reshape(-1, width)

    def _pseudonym(self, text: str) -> bytes | Wrong:
        identifier = subject_text(text)
        return identifier if isinstance(identifier, Wrong) else subject_pseudonym(self._secret, identifier)

    def _note(self, column: Column, block: Block, places: Sequence[int], wrong: Wrong, text: str) -> None:
        for place in places:
            if self._findings.full:
                break
            self._findings.add(
                Finding(
                    wrong.code,
                    self._name,
                    wrong.found,
                    wrong.wanted,
                    column=column.name,
                    row=block.rows[place],
                    line=block.lines[place],
                    value=text,
                ),
            )
            places = places[1:]
        self._findings.count += len(places)
