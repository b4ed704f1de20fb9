"""The files of installed packages: those of their wheels, with the digests that the wheels state, as far as they run.

Only what a package's RECORD lists is taken, so what else lies in ``site-packages`` never is. RECORD is installed data
itself: a package altered together with it shows only where ``tree.lock`` is compared with that of another party.

Tests, headers, stubs, sources of compiled code, example data and the programs of ``bin/`` are left out.
"""

import base64
import re
import sysconfig
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackagePath
from pathlib import Path
from typing import Final

from attestation.profiles.packages import Pin
from protocol.errors import StorageError
from sealroom.profiles.files import Source

__all__ = ["package_files", "site_folders"]

_SUFFIXES: Final = frozenset({".py", ".so", ".pem", ".css", ".html", ".js"})
"""What packages read when they are imported or run: code, certificates, what scikit-learn draws models with."""
_METADATA: Final = frozenset({"METADATA", "entry_points.txt"})
"""What ``importlib.metadata`` answers from."""
_LEFT_OUT: Final = frozenset({"test", "tests", "datasets", "sphinxext", "conftest.py"})
_KEPT: Final = ("sklearn/datasets/", "scipy/datasets/")
"""Packages of data sets that other modules import; the data itself is not code and stays out."""
_SAFE = re.compile(r"[A-Za-z0-9_.+@-]+(?:/[A-Za-z0-9_.+@-]+)*")
"""File names that are the same in a lock, in TOML and in a URI."""
_AT_START: Final = frozenset({"sitecustomize", "usercustomize"})
"""Modules that Python runs before the program."""


def site_folders() -> list[str]:
    """Return where this environment installs packages: no other folder of ``sys.path`` counts."""
    return sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})


def package_files(pins: Iterable[Pin], folder: str) -> Iterator[Source]:
    """List the files of these packages, to go below ``folder`` of a tree.

    Raises
    ------
    StorageError
        ``PACKAGE_MISSING`` where a package is not installed in the pinned version, ``PACKAGE_RECORD`` where its RECORD
        does not state the SHA-256 of a file, or lists one that must not be in a tree.
    """
    for pin in pins:
        installed = _installed(pin)
        for path in installed.files or ():
            if _runs(path):
                _require_safe(pin, path)
                yield Source(
                    f"{folder}/{path.as_posix()}",
                    Path(str(path.locate())),
                    _stated(pin, path),
                    f"the wheel of {pin.name}",
                )


def _installed(pin: Pin) -> Distribution:
    found = next(iter(Distribution.discover(name=pin.name, path=site_folders())), None)
    if found is None:
        raise StorageError("PACKAGE_MISSING", f"{pin.name} is not installed; install requirements.lock.")
    if found.version != pin.version:
        raise StorageError(
            "PACKAGE_MISSING",
            f"{pin.name} {found.version} is installed, {pin.version} is pinned; install requirements.lock.",
        )
    return found


def _runs(path: PackagePath) -> bool:
    if path.parts[0] == "..":
        return False
    if path.parts[0].endswith(".dist-info"):
        return len(path.parts) == 2 and path.name in _METADATA  # noqa: PLR2004 - the folder and a file in it
    if _LEFT_OUT & set(path.parts) and not path.as_posix().startswith(_KEPT):
        return False
    return path.suffix in _SUFFIXES or ".so." in path.name or path.suffix == ".pth"


def _require_safe(pin: Pin, path: PackagePath) -> None:
    text = path.as_posix()
    starts = path.suffix == ".pth" or path.parts[0].split(".")[0] in _AT_START
    if starts or ".." in path.parts or not _SAFE.fullmatch(text):
        raise StorageError(
            "PACKAGE_RECORD",
            f"The RECORD of {pin.name} lists {text[:100]!a}: a path outside of its folder or with unusual characters, "
            "or code that Python runs at its start. Install requirements.lock anew.",
        )


def _stated(pin: Pin, path: PackagePath) -> str:
    if path.hash is None or path.hash.mode != "sha256":
        raise StorageError("PACKAGE_RECORD", f"The RECORD of {pin.name} states no SHA-256 of {path}; install it anew.")
    return base64.urlsafe_b64decode(path.hash.value + "=").hex()
