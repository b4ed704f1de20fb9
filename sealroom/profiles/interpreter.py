"""The Python interpreter of this environment and its standard library, as far as an enclave runs them."""

import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from attestation.profiles.packages import PYTHON
from protocol.errors import StorageError
from sealroom.profiles.files import Source

__all__ = ["base_executable", "interpreter_files", "library_folders", "require_python"]

_LEFT_OUT: Final = frozenset(
    {
        "__pycache__", "site-packages", "dist-packages", "sitecustomize.py", "usercustomize.py",  # not Python's own
        "test", "tests", "ensurepip", "venv", "lib2to3", "distutils", "pydoc_data",  # for developers
        "idlelib", "tkinter", "turtledemo", "turtle.py", "curses", "dbm", "sqlite3", "wsgiref",  # screens, databases
    }
)  # fmt: skip
_MODULES_LEFT_OUT: Final = (
    "_crypt.", "_ctypes_test.", "_curses", "_dbm.", "_gdbm.", "_sqlite3.", "_test", "_tkinter.", "_xx", "nis.",
    "ossaudiodev.", "readline.", "spwd.", "xxlimited",
)  # fmt: skip
"""Extension modules that need a terminal, a screen or a database, or serve Python's own tests."""


def require_python() -> None:
    """Raise ``StorageError`` with code ``PYTHON`` unless this is the Python of enclaves, on their machine."""
    found = f"{sys.version_info.major}.{sys.version_info.minor}"
    if found != PYTHON or sysconfig.get_platform() != "linux-x86_64":
        raise StorageError(
            "PYTHON",
            f"Enclaves run Python {PYTHON} on linux-x86_64; this is {found} on {sysconfig.get_platform()}. Make the "
            f"environment with that Python: make clean, then PYTHON=python{PYTHON} make.",
        )


def base_executable() -> Path:
    """Return the interpreter that this environment was made with."""
    return Path(sys._base_executable).resolve()  # type: ignore[attr-defined]  # noqa: SLF001 - has no public name


def library_folders() -> tuple[Path, ...]:
    """Return where shared objects of the interpreter and the system lie, in the order of search."""
    own = sysconfig.get_config_var("LIBDIR")
    system = ("/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/usr/lib")
    return tuple(Path(folder) for folder in (own, *system) if folder)


def interpreter_files(executable: str, folder: str) -> Iterator[Source]:
    """List the interpreter, to become ``executable`` in a tree, and the standard library, to go below ``folder``."""
    yield Source(executable, base_executable())
    library = Path(sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix, "base": sys.base_prefix}))
    for path in sorted(library.rglob("*")):
        inside = path.relative_to(library)
        if not _LEFT_OUT & set(inside.parts) and not inside.parts[0].startswith("config-") and _runs(path):
            yield Source(f"{folder}/{inside.as_posix()}", path)


def _runs(path: Path) -> bool:
    if path.suffix == ".so":
        return not path.name.startswith(_MODULES_LEFT_OUT)
    return path.suffix == ".py" and path.is_file()
