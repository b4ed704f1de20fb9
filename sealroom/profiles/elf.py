"""Which shared objects a program or library of x86-64 Linux asks for, read from its ELF dynamic section.

Layouts are those of the System V ABI, chapters 4 and 5 (``Elf64_Ehdr``, ``Elf64_Phdr``, ``Elf64_Dyn``).
"""

import mmap
import struct
from pathlib import Path
from typing import Final

from protocol.errors import StorageError

__all__ = ["is_elf", "needed"]

_MAGIC: Final = b"\x7fELF\x02\x01\x01"  # 64 bits, little-endian, version 1
_HEADER = struct.Struct("<16xHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_ENTRY = struct.Struct("<qQ")
_LOAD, _DYNAMIC = 1, 2
_END, _NEEDED, _STRINGS = 0, 1, 5


def is_elf(path: Path) -> bool:
    """Say whether a file is a 64-bit little-endian ELF file."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def needed(path: Path) -> tuple[str, ...]:
    """Return the names of the shared objects that an ELF file needs, in its order.

    Raises
    ------
    StorageError
        ``ELF`` for a file that is not one or whose tables do not fit it.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _needed(data)
    except (OSError, ValueError, struct.error) as error:
        raise StorageError("ELF", f"{path} is not a shared object or program that can be read: {error}.") from error


def _needed(data: mmap.mmap) -> tuple[str, ...]:
    if data[: len(_MAGIC)] != _MAGIC:
        raise ValueError("no 64-bit little-endian ELF file")
    _, _, _, _, first, _, _, _, size, count, _, _, _ = _HEADER.unpack_from(data)
    segments = [_SEGMENT.unpack_from(data, first + index * size) for index in range(count)]
    wanted: list[int] = []
    strings: int | None = None
    for kind, _, offset, _, _, length, _, _ in segments:
        if kind != _DYNAMIC:
            continue
        for place in range(offset, offset + length, _ENTRY.size):
            tag, value = _ENTRY.unpack_from(data, place)
            if tag == _END:
                break
            if tag == _NEEDED:
                wanted.append(value)
            elif tag == _STRINGS:
                strings = value
    if not wanted:
        return ()
    table = _file_offset(segments, strings)
    return tuple(_string(data, table + name) for name in wanted)


def _file_offset(segments: list[tuple[int, ...]], address: int | None) -> int:
    for kind, _, offset, start, _, length, _, _ in segments:
        if kind == _LOAD and address is not None and start <= address < start + length:
            return offset + address - start
    raise ValueError("no table of strings")


def _string(data: mmap.mmap, place: int) -> str:
    end = data.find(b"\0", place)
    if end < place:
        raise ValueError("a name without an end")
    return data[place:end].decode("ascii")
