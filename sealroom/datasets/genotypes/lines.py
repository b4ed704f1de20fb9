"""Lines of genetics' text files, with their numbers and within bounds, and the way to refuse one."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, NoReturn

from protocol.errors import StorageError
from sealroom.datasets.findings import CheckError, Finding

__all__ = ["MAX_TEXT_LINE", "beside", "bounded_line", "refuse", "require_file", "text_lines"]

MAX_TEXT_LINE: Final = 2**20
"""Bytes of one line of a table of samples or variants."""


def refuse(
    code: str,
    file: str,
    found: str,
    wanted: str,
    *,
    line: int | None = None,
    column: str | None = None,
    value: str | None = None,
) -> NoReturn:
    """Raise ``CheckError`` with one finding; ``value`` is for the owner's screen only."""
    raise CheckError((Finding(code, file, found, wanted, column=column, line=line, value=value),), 1)


def beside(prefix: Path, suffix: str) -> Path:
    """Return PREFIX.suffix; a prefix may have dots of its own."""
    return prefix.with_name(f"{prefix.name}.{suffix}")


def require_file(path: Path) -> Path:
    """Return the path; raise ``StorageError`` with code ``FILE_MISSING`` unless it is a file."""
    if not path.is_file():
        raise StorageError("FILE_MISSING", f"There is no file {path}.")
    return path


def bounded_line(stream: BinaryIO, file: str, number: int, limit: int) -> bytes:
    """Read the next line, with its newline; empty at the end. ``CheckError`` ``LINE_TOO_LONG`` beyond the limit."""
    line = stream.readline(limit + 1)
    if len(line) > limit:
        refuse("LINE_TOO_LONG", file, f"a line of more than {limit} bytes", "a shorter one", line=number)
    return line


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield number, from 1, and text of each line that is not empty.

    Raises
    ------
    CheckError
        ``LINE_TOO_LONG``, ``TEXT_ENCODING``.
    """
    with require_file(path).open("rb") as stream:
        number = 0
        while line := bounded_line(stream, path.name, number + 1, MAX_TEXT_LINE):
            number += 1
            try:
                text = line.decode("utf-8").strip()
            except UnicodeDecodeError:
                refuse("TEXT_ENCODING", path.name, "bytes that are no UTF-8", "UTF-8", line=number)
            if text:
                yield number, text
