"""Opening an owner's file as text: plain CSV, or CSV that a stock Crypt4GH tool encrypted."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from typing_extensions import Buffer

from protocol.container import open_stock
from protocol.errors import StorageError
from sealroom.datasets.rows import open_csv

__all__ = ["open_source"]


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
        yield io.TextIOWrapper(io.BufferedReader(plain), encoding="utf-8-sig", newline="")


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
