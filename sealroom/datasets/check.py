"""Checking a dataset against its schema, and reading it into a spool on the way: one pass over the file."""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np

from protocol.documents.dataset import TableSchema
from protocol.errors import StorageError
from sealroom.datasets.convert import Converter
from sealroom.datasets.csv_rows import open_csv
from sealroom.datasets.findings import Finding, Findings
from sealroom.datasets.schema import OwnerSchema
from sealroom.datasets.sources import rows_of
from sealroom.datasets.spool import Spool

__all__ = ["Checked", "check_file", "read_into"]

SUBJECTS_AT_A_TIME = 200_000
"""Subjects compared in one go; more take several passes over the spool, not more memory."""
SHOWN_LEVELS = 5
FEW_SUBJECTS = 10
"""Levels are public. One held by fewer subjects than this ought to come from a public code list."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found that is not wrong: the number of rows, and what the owner should think about."""

    rows: int
    warnings: tuple[str, ...]


def check_file(path: Path, schema: OwnerSchema, progress: Callable[[int], None]) -> Checked:
    """Check a CSV or SD file; ``progress`` is told of characters.

    Molecules are also compared with the PAINS filter.

    Raises
    ------
    CheckError
        With everything that is wrong, the first 20 findings in full.
    StorageError
        ``FILE_MISSING``.
    DocumentError
        As ``sources.rows_of`` raises it for molecules.
    """
    if not path.is_file():
        raise StorageError("FILE_MISSING", f"There is no file {path}.")
    # The pseudonyms of a check are made with a secret of the moment, and forgotten with it.
    with open_csv(path) as text, Spool(schema.table, Path(tempfile.gettempdir())) as spool:
        return read_into(spool, text, path.name, schema, os.urandom(32), progress, alerts=True)


def read_into(
    spool: Spool,
    text: TextIO,
    name: str,
    schema: OwnerSchema,
    secret: bytes,
    progress: Callable[[int], None],
    *,
    alerts: bool = False,
) -> Checked:
    """Check the text of a file and put its columns into a spool; raises ``CheckError`` unless all is right."""
    findings = Findings()
    source = rows_of(text, name, schema, findings, alerts=alerts)
    converter = Converter(schema.table, name, secret, findings)
    told = 0
    for block in source.blocks():
        spool.append(converter.convert(block))
        progress(source.characters - told)
        told = source.characters
    if not source.skipped:  # the spool's rows are the file's rows
        _check_subjects(spool, schema.table, name, findings)
    findings.require_none()
    return Checked(spool.rows, (*_warnings(schema.table, converter, spool.rows), *source.notes()))


def _check_subjects(spool: Spool, table: TableSchema, name: str, findings: Findings) -> None:
    """Note every subject that stands there twice, one share of the pseudonyms at a time."""
    index = table.columns.index(table.subject)
    shares = -(-max(1, spool.rows) // SUBJECTS_AT_A_TIME)
    for share in range(shares):
        rows_of, halves_of, start = [], [], 1
        for values in spool.column(index):
            halves = np.ascontiguousarray(values).view("<u8")
            mine = (halves[:, 0] % np.uint64(shares) == np.uint64(share)) & halves.any(axis=1)
            rows_of.append(np.flatnonzero(mine) + start)
            halves_of.append(halves[mine])
            start += len(values)
        if not halves_of:
            return
        rows, halves = np.concatenate(rows_of), np.concatenate(halves_of)
        order = np.lexsort((rows, halves[:, 1], halves[:, 0]))
        ordered = halves[order]
        for at in np.flatnonzero((ordered[1:] == ordered[:-1]).all(axis=1)).tolist():
            first, second = int(rows[order[at]]), int(rows[order[at + 1]])
            findings.add(
                Finding(
                    "SUBJECT_TWICE",
                    name,
                    f"the subject of row {first} again",
                    "one row for each subject",
                    column=table.subject.name,
                    row=second,
                )
            )


def _warnings(table: TableSchema, converter: Converter, rows: int) -> list[str]:
    warnings = []
    if rows == 1:
        warnings.append("The file has one row. It can be sealed, but no output on one subject passes the gate.")
    for column in table.columns:
        if column.kind != "category":
            continue
        counts = converter.level_counts[column.name]
        rare = [level.code for level, count in zip(column.levels, counts, strict=True) if count < FEW_SUBJECTS]
        if rare:
            shown = ", ".join(map(ascii, rare[:SHOWN_LEVELS])) + (" and others" if len(rare) > SHOWN_LEVELS else "")
            warnings.append(
                f"Column {column.name}: fewer than {FEW_SUBJECTS} subjects have {shown}. Levels are shown to partners: "
                "keep those only if they come from a public code list."
            )
    return warnings
