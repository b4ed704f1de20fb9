"""Files of a party: written in one step, readable by their owner only, read with a bound."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from protocol.errors import StorageError

__all__ = ["appearing", "private_folder", "read_bounded", "write_new", "write_private"]


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner reads, replacing an old one in one step."""
    private_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as sink:
            sink.write(data)
            sink.flush()
            os.fsync(sink.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def appearing(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write that only its owner reads; it appears under its name when the block has ended well.

    A crash leaves at most a file whose name starts with a dot, which the next attempt replaces.
    """
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as sink:
            yield sink
            sink.flush()
            os.fsync(sink.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_new(path: Path, data: bytes) -> None:
    """Write a file that must not be there yet; raise ``StorageError`` with code ``FILE_EXISTS`` if it is."""
    if path.exists():
        raise StorageError("FILE_EXISTS", f"{path} is there already; choose another name or remove it first.")
    write_private(path, data)


def read_bounded(path: Path, limit: int) -> bytes:
    """Read a file of at most ``limit`` bytes.

    Raises
    ------
    StorageError
        ``FILE_MISSING``, or ``FILE_SIZE`` beyond the limit.
    """
    if not path.is_file():
        raise StorageError("FILE_MISSING", f"There is no file {path}.")
    with path.open("rb") as source:
        data = source.read(limit + 1)
    if len(data) > limit:
        raise StorageError("FILE_SIZE", f"{path} holds more than {limit} bytes.")
    return data


def private_folder(path: Path) -> Path:
    """Make a folder for its owner only; one that is there keeps its mode, and those above it get the usual one."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path
