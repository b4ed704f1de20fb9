"""Molecules described by RDKit in a process of its own, within bounds of time and memory for each.

Some of RDKit's work takes time by the cube of the molecule's groups, and it cannot be interrupted: so the process is
ended. Each molecule has ``SECONDS`` of the processor's time, counted by the process itself, whatever else the machine
does, and there are ``MEMORY`` bytes of address space. One molecule is with the process at a time, so that it is known
which one ended it; the next one finds a new process. It has its owner's rights, as all that an owner runs.
"""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from protocol.errors import DocumentError
from sealroom.datasets.cells import Wrong

__all__ = ["ENDINGS", "MEMORY", "OUT_OF_MEMORY", "SECONDS", "Described", "MoleculeReader"]

SECONDS: Final = 10
"""Of the processor's time for a molecule. A chain of a thousand atoms takes less than two."""
MEMORY: Final = 4 * 2**30
"""Bytes of address space of the process; a quarter of it is there before the first molecule."""
OUT_OF_MEMORY: Final = 4
"""Exit status of a process that had too little memory for a molecule."""
ENDINGS: Final = ("MOLECULE_TIME", "MOLECULE_MEMORY", "MOLECULE_CRASH")
"""Codes of what ended the process."""
_SILENCE: Final = 300
"""Seconds on the wall's clock without an answer."""
_MODULE: Final = "sealroom.datasets.molecules.reader"
_SLOW: Final = Wrong(
    "MOLECULE_TIME",
    f"a structure that RDKit works at for more than {SECONDS} seconds",
    "one with fewer groups; leave this one out",
)
_LARGE: Final = Wrong(
    "MOLECULE_MEMORY",
    f"a structure that RDKit needs more than {MEMORY // 2**30} GiB of memory for",
    "a smaller one; leave this one out",
)


@dataclass(frozen=True, slots=True)
class Described:
    """What is computed from a molecule: cells by feature, whether it was in a mixture, whether it matches PAINS."""

    cells: Mapping[str, str]
    was_mixture: bool
    alert: bool


class MoleculeReader:
    """Describes molecules one after another; a context manager, which ends the process.

    Parameters
    ----------
    kind
        ``columns.STRUCTURE`` for connection tables, anything else for SMILES.
    features
        Names of ``columns.FEATURES`` to compute.
    alerts
        Whether to look for PAINS.
    """

    def __init__(self, kind: str, features: Sequence[str], *, alerts: bool) -> None:
        self._arguments = (kind, str(int(alerts)), str(SECONDS), *features)
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def describe(self, text: str) -> Described | Wrong:
        """Describe a molecule, or say what is wrong with it: with its text, or with what RDKit made of it.

        Raises
        ------
        DocumentError
            ``CHEMISTRY_BROKEN`` where RDKit does not start.
        """
        try:
            if self._child is None:
                self._child = self._start()
            answer = _exchange(self._child, json.dumps(text).encode("ascii") + b"\n")
        except TimeoutError:
            self._end()
            return _SLOW
        if not answer:
            return _wrong(self._end(kill=False))
        said = json.loads(answer)
        return Wrong(**said) if "code" in said else Described(**said)

    def _start(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-I", "-m", _MODULE, *self._arguments]
        self._child = subprocess.Popen(  # noqa: S603 - this interpreter and one of our modules
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        if not _exchange(self._child, b""):
            status = self._end(kill=False)
            raise DocumentError(
                "CHEMISTRY_BROKEN",
                f"RDKit did not start (status {status}): it needs {MEMORY // 2**30} GiB of address space, and to be "
                "whole; pip install sealroom[chemistry]",
            )
        return self._child

    def _end(self, *, kill: bool = True) -> int:
        """End the process, or wait for the end of one that is about to; return its status."""
        child, self._child = self._child, None
        if child is None:
            return 0
        if kill:
            child.kill()
        with suppress(BrokenPipeError):  # it ended before it had read all
            child.__exit__(None, None, None)
        return child.wait()


def _exchange(child: "subprocess.Popen[bytes]", line: bytes) -> bytes:
    """Write a line, return the line that comes back, or nothing where the process ends; ``TimeoutError``."""
    if child.stdin is None or child.stdout is None:
        raise AssertionError(child.args)
    with suppress(BrokenPipeError):  # it has ended: then nothing comes
        child.stdin.write(line)
        child.stdin.flush()
    taken = bytearray()
    while not taken.endswith(b"\n"):
        if not select.select([child.stdout], [], [], _SILENCE)[0]:
            raise TimeoutError
        if not (data := os.read(child.stdout.fileno(), 2**16)):
            return b""
        taken += data
    return bytes(taken)


def _wrong(status: int) -> Wrong:
    if status == -signal.SIGPROF:
        return _SLOW
    if status == OUT_OF_MEMORY:
        return _LARGE
    how = f"signal {-status}" if status < 0 else f"exit status {status}"
    return Wrong("MOLECULE_CRASH", f"a structure that ends RDKit with {how}", "another form of it; or leave it out")
