"""The enclave as a process: started with almost nothing, fed one line, its output counted and thrown away."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path

from broker.host.runtime import start_command
from broker.host.settings import HostSettings
from protocol.canonical import canonical_bytes
from protocol.documents.exchange import Launch

__all__ = ["EnclaveProcess"]

_KILL_SECONDS = 3.0
_ENVIRONMENT = {"LANG": "C.UTF-8", "PATH": os.defpath}


class EnclaveProcess:
    """A running enclave."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._readers = [
            asyncio.create_task(self._count(stream)) for stream in (process.stdout, process.stderr) if stream
        ]
        self.printed = 0
        """Bytes that the enclave wrote to its standard output and error; what they were is not kept."""

    @classmethod
    async def start(cls, settings: HostSettings, profile: str, launch: Launch, folder: Path) -> "EnclaveProcess":
        """Start an enclave of a profile, in its build or else in an empty folder, and hand it its launch line."""
        command, folder = start_command(settings, profile, folder)
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=folder,
            env=_ENVIRONMENT,
            start_new_session=True,
        )
        assert process.stdin is not None  # noqa: S101 - asked for above
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it died at once, which wait() will tell
            process.stdin.write(canonical_bytes(launch.model_dump(mode="json")) + b"\n")
            await process.stdin.drain()
        process.stdin.close()
        return cls(process)

    async def wait(self) -> int:
        """Wait for the end and return the exit status; negative for the signal that killed it."""
        return await self._process.wait()

    async def stop(self) -> None:
        """End the process if it runs, gently and then not, and wait for its output to end."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._process.returncode is not None:
                break
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), _KILL_SECONDS)
        await asyncio.wait(self._readers, timeout=_KILL_SECONDS)
        for reader in self._readers:
            reader.cancel()

    async def _count(self, stream: asyncio.StreamReader) -> None:
        while chunk := await stream.read(65_536):
            self.printed += len(chunk)
