"""The shared objects of a tree: what its programs and modules need beyond themselves, and Gramine's own run-time.

Gramine runs programs on a C library of its own, so that of the machine stays out.
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from protocol.errors import StorageError
from sealroom.profiles.elf import is_elf, needed
from sealroom.profiles.files import Source

__all__ = ["Gramine", "Needs", "find_gramine", "find_libraries", "gramine_files"]

_C_LIBRARY: Final = frozenset(
    {
        "ld-linux-x86-64.so.2", "libanl.so.1", "libc.so.6", "libdl.so.2", "libm.so.6", "libmvec.so.1",
        "libpthread.so.0", "libresolv.so.2", "librt.so.1", "libutil.so.1",
    }
)  # fmt: skip
_ALWAYS: Final = ("ld-linux-x86-64.so.2", "libc.so.6", "libgcc_s.so.1")
"""The loader and what it starts with; glibc opens libgcc_s by name when a thread ends."""
_LIBOS: Final = "libsysdb.so"


@dataclass(frozen=True, slots=True)
class Gramine:
    """An installation of Gramine: its library OS and the C library that belongs to it."""

    libos: Path
    runtime: Path


@dataclass(frozen=True, slots=True)
class Needs:
    """What a tree lacks: shared objects of this machine, and names that Gramine's C library has to answer."""

    libraries: tuple[tuple[str, Path], ...]
    c_library: tuple[str, ...]


def find_gramine(folder: Path | None) -> Gramine | None:
    """Find Gramine: in ``folder``, else where ``gramine-direct`` on the PATH was installed, else None.

    Raises
    ------
    StorageError
        ``GRAMINE`` where it should be and its run-time is not there.
    """
    program = shutil.which("gramine-direct")
    if folder is None and program is None:
        return None
    prefix = folder if folder is not None else Path(program or "").resolve().parents[1]
    for place in (prefix, *(prefix / inside / "gramine" for inside in ("lib/x86_64-linux-gnu", "lib", "lib64"))):
        if (place / _LIBOS).is_file() and (place / "runtime/glibc/libc.so.6").is_file():
            return Gramine(place / _LIBOS, place / "runtime/glibc")
    raise StorageError(
        "GRAMINE", f"There is no {_LIBOS} with runtime/glibc below {prefix}; is Gramine installed whole?"
    )


def find_libraries(tree: Path, folders: Sequence[Path]) -> Needs:
    """Find the shared objects that the files of a tree need and do not have in it.

    Raises
    ------
    StorageError
        ``LIBRARY_MISSING`` where one is in none of the ``folders``.
    """
    inside = {path.name for path in tree.rglob("*.so*")}
    waiting = sorted((name, str(path.relative_to(tree))) for path in _programs(tree) for name in needed(path))
    waiting.extend((name, "any program") for name in _ALWAYS)
    libraries: dict[str, Path] = {}
    c_library: set[str] = set()
    while waiting:
        name, asks = waiting.pop()
        if name in _C_LIBRARY:
            c_library.add(name)
        elif name not in inside and name not in libraries:
            libraries[name] = _find(name, asks, folders)
            waiting.extend((more, name) for more in needed(libraries[name]))
    return Needs(tuple(sorted(libraries.items())), tuple(sorted(c_library)))


def gramine_files(gramine: Gramine, names: Sequence[str], folder: str, libos: str) -> Iterator[Source]:
    """List the files of Gramine that a tree needs: its library OS, and of its C library these names."""
    yield Source(libos, gramine.libos)
    for name in names:
        yield Source(f"{folder}/{name}", gramine.runtime / name)


def _programs(tree: Path) -> Iterator[Path]:
    for path in sorted(tree.rglob("*")):
        if path.is_file() and path.suffix not in {".py", ".pyc"} and is_elf(path):
            yield path


def _find(name: str, asks: str, folders: Sequence[Path]) -> Path:
    for folder in folders:
        if (folder / name).is_file():
            return (folder / name).resolve()
    raise StorageError("LIBRARY_MISSING", f"{asks} needs {name}, which is in none of {', '.join(map(str, folders))}.")
