"""The host's loop: claim a run, run it, claim the next; stop on SIGTERM or SIGINT."""

import asyncio
import contextlib
import json
import logging
import os
import shutil
import signal
import sys
import time
from pathlib import Path

from anyio import to_thread

from broker.host.client import BrokerClient
from broker.host.logs import log
from broker.host.platform import Platform, make_platform
from broker.host.session import run_assignment
from broker.host.settings import HostSettings
from protocol.documents.exchange import Assignment
from protocol.errors import SealroomError, TransportError

__all__ = ["ALIVE_SECONDS", "is_alive", "report_collateral", "serve"]

ALIVE_SECONDS = 30.0
"""A host that lives writes its file ``alive`` at least this often."""
_LONGEST_PAUSE = 10.0


def serve(settings: HostSettings) -> None:
    """Run until SIGTERM or SIGINT; when it begins, print one line of JSON with the profiles on standard output."""
    report_collateral()
    asyncio.run(_serve(settings))


def report_collateral() -> None:
    """Give the host's log the warnings about collateral, which an operator must know of; no library else has a word."""
    logging.getLogger().addHandler(logging.NullHandler())
    logging.getLogger("attestation.collateral").addHandler(_Warnings())


class _Warnings(logging.Handler):
    """Writes warnings into the host's log."""

    def emit(self, record: logging.LogRecord) -> None:
        log("collateral", detail=record.getMessage())


def is_alive(data: Path) -> bool:
    """Say whether a host works in this data folder."""
    try:
        return time.time() - (data / "alive").stat().st_mtime < ALIVE_SECONDS
    except FileNotFoundError:
        return False


async def _serve(settings: HostSettings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    shutil.rmtree(settings.data / "runs", ignore_errors=True)  # what a killed host left
    alive = asyncio.create_task(_show_life(settings.data / "alive"))
    async with BrokerClient(settings) as broker, make_platform(settings) as platform:
        sys.stdout.write(json.dumps({"ready": True, "profiles": list(settings.profiles)}) + "\n")
        sys.stdout.flush()
        pause = settings.poll_seconds
        while not stop.is_set():
            if not await platform.answers():
                log("platform away")
                pause = min(pause * 2, _LONGEST_PAUSE)
                await _wait(stop, pause)
                continue
            try:
                assignment = await broker.claim(settings.profiles)
            except SealroomError as error:
                log("broker refuses" if not isinstance(error, TransportError) else "broker away", code=error.code)
                pause = min(pause * 2, _LONGEST_PAUSE)
                await _wait(stop, pause)
                continue
            pause = settings.poll_seconds
            if assignment is None or not await _run(settings, assignment, broker, platform, stop):
                await _wait(stop, pause)
    alive.cancel()
    (settings.data / "alive").unlink(missing_ok=True)
    log("stopped")


async def _run(
    settings: HostSettings, assignment: Assignment, broker: BrokerClient, platform: Platform, stop: asyncio.Event
) -> bool:
    """Run one assignment and log its one status; False where it should not be tried again at once."""
    log("run claimed", run=assignment.run, fence=assignment.fence)
    ended = await run_assignment(settings, assignment, broker, platform, stop)
    log("run ended", run=assignment.run, fence=assignment.fence, status=ended.status, printed=ended.printed)
    return ended.status in {"finished", "stopped"}


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


async def _show_life(file: Path) -> None:
    while True:
        await to_thread.run_sync(file.write_text, str(os.getpid()))
        await asyncio.sleep(ALIVE_SECONDS / 4)
