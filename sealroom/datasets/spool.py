"""Columns put aside block by block, read back column by column, never plain on the disk.

The layout is column after column, a CSV file is row after row. The blocks of all columns go to a temporary file without
a name, each sealed with ChaCha20-Poly1305 under a key that exists in this process's memory only. So one pass over the
CSV is enough, memory stays bounded, and what a crash or a stolen disk leaves behind opens with nothing.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from numpy.typing import NDArray

from protocol.documents.dataset import TableSchema
from protocol.layout.checks import DTYPES, ROW_KINDS, Values
from protocol.layout.form import width_of

__all__ = ["Spool"]

ROWS_AT_A_TIME = 20_000
_TAG_SIZE = 16


class Spool:
    """A temporary, sealed store of converted blocks; use it as a context manager.

    Parameters
    ----------
    table
        The schema whose columns each block has, in its order.
    folder
        A folder on a disk with room for the table.
    """

    def __init__(self, table: TableSchema, folder: Path) -> None:
        self._columns = table.columns
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by __exit__
        self._cipher = ChaCha20Poly1305(os.urandom(32))
        self._starts: list[int] = []
        self._sizes: list[int] = []
        self.rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def append(self, arrays: list[Values]) -> None:
        """Put one block aside."""
        block = len(self._sizes)
        self._starts.append(self._file.tell())
        self._sizes.append(len(arrays[0]))
        self.rows += len(arrays[0])
        for index, values in enumerate(arrays):
            self._file.write(
                self._cipher.encrypt(self._nonce(block, index), np.ascontiguousarray(values).tobytes(), None)
            )

    def column(self, index: int) -> Iterator[Values]:
        """Yield a column block by block, in the order of the rows."""
        mine = self._columns[index]
        before = sum(width_of(column) for column in self._columns[:index])
        for block, (start, rows) in enumerate(zip(self._starts, self._sizes, strict=True)):
            self._file.seek(start + before * rows + index * _TAG_SIZE)
            sealed = self._file.read(width_of(mine) * rows + _TAG_SIZE)
            plain = self._cipher.decrypt(self._nonce(block, index), sealed, None)
            values = np.frombuffer(plain, dtype=DTYPES[mine.kind])
            yield values.reshape(rows, -1) if mine.kind in ROW_KINDS else values

    def ordered(self, index: int, order: NDArray[np.int64]) -> Iterator[Values]:
        """Yield a column in another order of the rows; all of the column is in memory."""
        whole = np.concatenate(list(self.column(index)))
        for start in range(0, len(order), ROWS_AT_A_TIME):
            yield whole[order[start : start + ROWS_AT_A_TIME]]

    def _nonce(self, block: int, index: int) -> bytes:
        return block.to_bytes(8, "little") + index.to_bytes(4, "little")
