"""Opening an owner's file as text, plain or encrypted by a stock Crypt4GH tool, and reading it in blocks of rows."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from typing_extensions import Buffer

from protocol.container import open_stock
from protocol.errors import StorageError
from sealroom.datasets.csv_rows import as_text, open_csv
from sealroom.datasets.findings import Findings
from sealroom.datasets.rows import CsvSource, RowSource
from sealroom.datasets.schema import OwnerSchema

__all__ = ["converter_of", "open_source", "rows_of"]


@contextmanager
def open_source(path: Path, crypt4gh_key: Path | None = None, passphrase_file: Path | None = None) -> Iterator[TextIO]:
    """Open a file; ``StorageError`` with code ``FILE_MISSING`` if there is none.

    A stock Crypt4GH file does not say how long it is. One that was cut between two segments reads like a shorter
    file: compare the number of rows with its source.
    """
    if not path.is_file():
        raise StorageError("FILE_MISSING", f"There is no file {path}.")
    if crypt4gh_key is None:
        with open_csv(path) as text:
            yield text
        return
    from sealroom.datasets.crypt4gh_key import read_private_key

    key = read_private_key(crypt4gh_key, passphrase_file)
    with path.open("rb") as sealed, _Segments(open_stock(sealed, key)) as plain:
        yield as_text(io.BufferedReader(plain))


def rows_of(text: TextIO, name: str, schema: OwnerSchema, findings: Findings, *, alerts: bool = False) -> RowSource:
    """Return the rows of a CSV or SD file, with the columns that are computed from molecules where there are any.

    ``alerts`` asks for notes on compounds that tend to interfere with assays; that takes longer than all the rest.

    Raises
    ------
    DocumentError
        ``MOLECULE_COLUMN``, ``MOLECULE_SOURCE``, ``CHEMISTRY_ABSENT``.
    """
    from sealroom.datasets.molecules.columns import is_sdf, plan_for
    from sealroom.datasets.molecules.sdf import SdfSource
    from sealroom.datasets.molecules.source import MoleculeSource

    plan = plan_for(schema, name)
    if plan is None:
        return CsvSource(text, name, schema, findings)
    inner = (SdfSource if is_sdf(name) else CsvSource)(text, name, schema, findings, plan.sought)
    return MoleculeSource(inner, plan, name, findings, alerts=alerts)


def converter_of(name: str, schema: OwnerSchema) -> str:
    """Say what a file is read with, for the dataset manifest; raises like ``rows_of``."""
    from sealroom.datasets.molecules.columns import is_sdf, plan_for
    from sealroom.datasets.molecules.source import chemistry_software

    words = "sdf" if is_sdf(name) else "csv"
    return words if plan_for(schema, name) is None else f"{words}, {chemistry_software()}"


class _Segments(io.RawIOBase):
    """Decrypted segments as a byte stream; one segment is in memory."""

    def __init__(self, segments: Iterator[bytes]) -> None:
        self._segments = segments
        self._left = memoryview(b"")

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        """Fill the buffer with what comes next."""
        if not self._left:
            self._left = memoryview(next(self._segments, b""))
        view = memoryview(buffer).cast("B")
        size = min(len(view), len(self._left))
        view[:size] = self._left[:size]
        self._left = self._left[size:]
        return size
