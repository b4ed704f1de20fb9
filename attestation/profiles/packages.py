"""The packages of a profile: what its sources import, and what these packages need, as ``requirements.lock`` pins them.

The lock says of each package who asked for it (its ``# via`` lines); reading them backwards gives the closure. So the
answer is the same on every machine, whatever is installed there.
"""

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from protocol.errors import AttestationError
from protocol.types import Digest

__all__ = ["PYTHON", "REQUIREMENTS", "Pin", "imported_packages", "needed_packages", "pinned_packages", "read_pins"]

PYTHON: Final = "3.11"
"""The Python that enclaves run: other versions have other packages pinned, and other measurements."""
REQUIREMENTS: Final = "requirements.lock"
_NAMES: Final = {"sklearn": "scikit-learn"}
"""Packages whose import name is not their name."""
_PIN = re.compile(r"([a-z0-9][a-z0-9-]*)==([A-Za-z0-9.+!-]+)(?: ; (.+?))?(?: \\)?")
_VIA = re.compile(r"    #(?: via|  ) ([a-z0-9][a-z0-9-]*)(?: \(.*\))?")
_TARGET: Final = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": f"{PYTHON}.0",
    "python_version": PYTHON,
    "sys_platform": "linux",
}
"""What the markers of the lock are read for: the enclave, not the machine that reads."""


@dataclass(frozen=True, slots=True)
class Pin:
    """A package of the lock: its version, and which packages asked for it."""

    name: str
    version: str
    via: frozenset[str]


def read_pins(text: str) -> Mapping[str, Pin]:
    """Read ``requirements.lock`` as it stands for an enclave: by name, each package once.

    Raises
    ------
    AttestationError
        ``REQUIREMENTS`` for a line that is no pin, hash or comment, and for a package that stands there twice.
    """
    from packaging.markers import InvalidMarker, Marker  # late: those who only verify need none of it

    found: dict[str, Pin] = {}
    here: tuple[str, str] | None = None  # the package that the lines belong to, None where an enclave has none of it
    for line in text.splitlines():
        if match := _PIN.fullmatch(line):
            name, version, marker = match.groups()
            try:
                wanted = marker is None or Marker(marker).evaluate(dict(_TARGET))
            except InvalidMarker as error:
                raise AttestationError(
                    "REQUIREMENTS", f"{name} of {REQUIREMENTS} has a marker that is none."
                ) from error
            here = (name, version) if wanted else None
            if here is not None:
                if name in found:
                    raise AttestationError("REQUIREMENTS", f"{name} is in {REQUIREMENTS} twice for Python {PYTHON}.")
                found[name] = Pin(name, version, frozenset())
        elif match := _VIA.fullmatch(line):
            if here is not None:
                found[here[0]] = Pin(*here, found[here[0]].via | {match[1]})
        elif not line.startswith("    --hash=sha256:") and line != "    # via":
            raise AttestationError("REQUIREMENTS", f"A line of {REQUIREMENTS} is not understood: {line[:80]!a}.")
    return found


def pinned_packages(root: Path, lock: Mapping[str, Digest]) -> tuple[Pin, ...]:
    """Return the packages of an enclave with these trusted files, by name."""
    pins = read_pins((root / REQUIREMENTS).read_text("utf-8"))
    sources = [path for path in lock if path.endswith(".py")]
    return needed_packages(
        pins, (_NAMES.get(name, name.replace("_", "-")) for name in imported_packages(root, sources))
    )


def needed_packages(pins: Mapping[str, Pin], names: Iterable[str]) -> tuple[Pin, ...]:
    """Return these packages and all that they need, by name.

    Raises
    ------
    AttestationError
        ``REQUIREMENTS`` for a package that is not pinned.
    """
    needed: set[str] = set()
    fresh = set(names)
    for name in sorted(fresh - pins.keys()):
        raise AttestationError("REQUIREMENTS", f"A trusted file imports {name}, which {REQUIREMENTS} does not pin.")
    while fresh:
        needed |= fresh
        fresh = {pin.name for pin in pins.values() if pin.via & fresh} - needed
    return tuple(pins[name] for name in sorted(needed))


def imported_packages(root: Path, sources: Iterable[str]) -> list[str]:
    """List what the sources import that is neither ours nor of Python itself, by import name."""
    found = {name for path in sources for name in _imports(root / path)}
    return sorted(name for name in found - sys.stdlib_module_names if not (root / name).is_dir())


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        match node:
            case ast.Import(names=names):
                yield from (name.name.split(".")[0] for name in names)
            case ast.ImportFrom(module=str(module)):
                yield module.split(".")[0]
