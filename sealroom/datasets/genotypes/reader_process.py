"""Reading by a native library in a process of its own: if garbage kills it, that is an error with a code.

The child writes bytes to its standard output and nothing else there. Its memory is bounded, and it leaves no core dump,
which would hold genotypes.
"""

import os
import resource
import select
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from sealroom.datasets.genotypes.lines import refuse

__all__ = ["BROKEN_FILE", "MEMORY", "limit_memory", "reading"]

MEMORY: Final = 8 * 2**30
"""Bytes of address space of a child."""
BROKEN_FILE: Final = 3
"""Exit status of a child that says why it cannot read a file, as the last line on standard error."""
_SILENCE: Final = 300
"""Seconds without a byte."""
_SHOWN: Final = 300


def limit_memory(memory: int = MEMORY) -> None:
    """Bound the memory of this process and forbid core dumps; called by a child before it opens a file."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


@contextmanager
def reading(module: str, arguments: Sequence[str], file: str) -> Iterator[Callable[[int], bytes]]:
    """Start ``python -m module`` and give a function that returns exactly so many of the bytes that it writes.

    Raises
    ------
    CheckError
        ``READER_REFUSED`` with the library's words, ``READER_DIED`` where it ended by a signal or too early,
        ``READER_SILENT`` where nothing came for five minutes.
    """
    with tempfile.TemporaryFile() as errors:
        command = [sys.executable, "-I", "-m", module, *arguments]
        child = subprocess.Popen(  # noqa: S603 - this interpreter and one of our modules
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
        )
        try:
            if child.stdout is None:
                raise AssertionError(command)
            descriptor = child.stdout.fileno()

            def take(size: int) -> bytes:
                """Return the next ``size`` bytes."""
                taken = bytearray()
                while len(taken) < size:
                    if not select.select([descriptor], [], [], _SILENCE)[0]:
                        refuse("READER_SILENT", file, f"nothing for {_SILENCE} s", "a file that can be read")
                    if not (data := os.read(descriptor, min(size - len(taken), 2**20))):
                        errors.seek(0)
                        _refuse_end(child.wait(), errors.read(2**20), file)
                    taken += data
                return bytes(taken)

            yield take
        finally:
            child.kill()
            child.wait()
            if child.stdout is not None:
                child.stdout.close()


def _refuse_end(status: int, errors: bytes, file: str) -> None:
    if status == BROKEN_FILE:
        words = errors.decode("utf-8", "replace").strip().splitlines()
        said = "".join(c for c in (words or [""])[-1] if c.isprintable())[:_SHOWN]
        refuse("READER_REFUSED", file, f"what its library does not read ({said})", "a file as PLINK 2 writes it")
    how = f"signal {-status}" if status < 0 else f"exit status {status}"
    refuse("READER_DIED", file, f"what ended its library with {how}", "a file as PLINK 2 writes it")
