"""The demo's services: broker, software platform and enclave host, each a process of its own on loopback."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Timer
from typing import Any

from protocol.errors import TransportError

__all__ = ["service"]

START_SECONDS = 60
STOP_SECONDS = 15


@contextmanager
def service(name: str, arguments: Sequence[str], log: Path) -> Iterator[dict[str, Any]]:
    """Run ``sealroom ARGUMENTS`` until the block ends; yields the ready line that it printed.

    Raises
    ------
    TransportError
        ``SERVICE_START`` where it does not get ready; the message names its log.
    """
    with ExitStack() as stack:
        errors = stack.enter_context(log.open("ab"))
        process = subprocess.Popen(  # noqa: S603 - our own command line
            [sys.executable, "-m", "sealroom", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        stack.callback(_stop, process)
        yield _ready(name, process, log)


def _ready(name: str, process: "subprocess.Popen[bytes]", log: Path) -> dict[str, Any]:
    assert process.stdout is not None  # noqa: S101 - it was asked for as a pipe
    watchdog = Timer(START_SECONDS, process.kill)
    watchdog.start()
    try:
        line = process.stdout.readline()
    finally:
        watchdog.cancel()
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise TransportError("SERVICE_START", f"The {name} did not get ready. Its log is {log}.")
    return found


def _stop(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
