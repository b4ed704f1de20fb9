"""One run on this host: ticket, relay, enclave, heartbeats, and one status at its end."""

import asyncio
import contextlib
import secrets
import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import uvicorn

from broker.host.client import BrokerClient
from broker.host.enclave import EnclaveProcess
from broker.host.platform import Platform
from broker.host.relay import Relay
from broker.host.settings import HostSettings
from protocol.documents.exchange import Assignment, Launch
from protocol.errors import SealroomError, TransportError

__all__ = ["Ended", "Status", "run_assignment"]

Status = Literal["finished", "stopped", "died", "overtime", "interrupted", "lease-lost", "not-started"]
_LINGER_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended on this host, and how many bytes its enclave printed."""

    status: Status
    printed: int = 0


async def run_assignment(
    settings: HostSettings, assignment: Assignment, broker: BrokerClient, platform: Platform, stop: asyncio.Event
) -> Ended:
    """Run one assignment to its end, and give the lease back unless the broker acknowledged an end.

    ``stop`` ends the enclave early.
    """
    try:
        ticket = await platform.ticket(assignment.profile)
    except TransportError:
        await _give_back(settings, broker, assignment, stop)
        return Ended("not-started")
    except SealroomError as reason:
        with contextlib.suppress(SealroomError):  # then the lease runs out
            await broker.refuse(assignment, reason)
        return Ended("stopped")
    token = secrets.token_urlsafe(32)
    relay = Relay(settings, assignment, token, broker, platform)
    printed = 0
    with _folder(settings.data, assignment.run) as folder:
        async with _serving(relay) as url:
            launch = Launch(relay=url, token=token, platform=settings.platform, ticket=ticket)
            try:
                enclave = await EnclaveProcess.start(settings, assignment.profile, launch, folder)
            except OSError:
                status: Status = "not-started"
            else:
                try:
                    status = await _watch(settings, assignment, broker, enclave, relay, stop)
                finally:
                    await enclave.stop()
                    printed = enclave.printed
    if relay.ended == "finished":
        status = "finished"
    elif relay.ended == "stopped":
        status = "stopped"
    elif status != "lease-lost":
        await _give_back(settings, broker, assignment, stop)
    return Ended(status, printed)


async def _watch(
    settings: HostSettings,
    assignment: Assignment,
    broker: BrokerClient,
    enclave: EnclaveProcess,
    relay: Relay,
    stop: asyncio.Event,
) -> Status:
    """Wait until the enclave ends, or must."""
    ended = asyncio.create_task(enclave.wait())
    lost = asyncio.create_task(_beat(settings, assignment, broker))
    stopped = asyncio.create_task(stop.wait())
    tasks = {ended, lost, stopped}
    try:
        done, _ = await asyncio.wait(tasks, timeout=settings.run_seconds, return_when=asyncio.FIRST_COMPLETED)
        if lost in done and relay.ended is not None:
            # The run is over, which is why the lease is; the enclave may take a moment to leave.
            done, _ = await asyncio.wait({ended, stopped}, timeout=_LINGER_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if ended in done:
            return "died"
        if lost in done:
            return "lease-lost"
        return "interrupted" if stopped in done else "overtime"
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _beat(settings: HostSettings, assignment: Assignment, broker: BrokerClient) -> None:
    """Send heartbeats; return when the broker says that the lease is gone. A broker that is away says nothing."""
    while True:
        await asyncio.sleep(settings.heartbeat_seconds)
        try:
            await broker.heartbeat(assignment)
        except TransportError:
            continue
        except SealroomError:
            return


async def _give_back(settings: HostSettings, broker: BrokerClient, assignment: Assignment, stop: asyncio.Event) -> None:
    """Give the lease back; a broker that is away is tried again for a while, and otherwise the lease runs out."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + settings.retry_seconds
    while True:
        try:
            await broker.give_back(assignment)
        except TransportError:
            if stop.is_set() or loop.time() > deadline:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 1.0)
        except SealroomError:
            return
        else:
            return


@contextmanager
def _folder(data: Path, run: str) -> Iterator[Path]:
    """Make an empty working folder and remove it with whatever is in it."""
    folder = data / "runs" / f"{run}-{secrets.token_hex(4)}"
    folder.mkdir(parents=True, mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def _serving(relay: Relay) -> AsyncIterator[str]:
    """Serve the relay on a free loopback port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=16)
    config = uvicorn.Config(
        relay, lifespan="off", log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=1
    )
    server = _RelayServer(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listener.close()


class _RelayServer(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the host."""
        yield
