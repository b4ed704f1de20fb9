"""Serving the simulated platform on loopback: one line when it is ready, a clean stop on SIGTERM and SIGINT."""

import json
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn

from attestation.simulator.app import create_app
from attestation.simulator.settings import Settings
from protocol.errors import TransportError

__all__ = ["serve"]


def serve(settings: Settings) -> None:
    """Serve until a signal asks to stop; returns normally then.

    One JSON line on standard output says ``{"ready": true, "url": ..., "port": ...}`` once connections are taken.

    Raises
    ------
    TransportError
        ``ADDRESS`` where the port is taken.
    StorageError
        ``PLATFORM_KEYS`` where the platform's keys are damaged.
    """
    app = create_app(settings)
    with _listen(settings) as listener, _quiet_signals():
        port = listener.getsockname()[1]
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            limit_concurrency=64,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=5,
        )
        sys.stdout.write(json.dumps({"ready": True, "url": f"http://{host}:{port}", "port": port}) + "\n")
        sys.stdout.flush()
        uvicorn.Server(config).run(sockets=[listener])


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family)
    except OSError as error:
        raise TransportError(
            "ADDRESS", f"Cannot listen on {settings.host} port {settings.port}: {error.strerror}. Choose another port."
        ) from error


@contextmanager
def _quiet_signals() -> Iterator[None]:
    """Keep the process alive when uvicorn, having stopped, raises the signal that stopped it once more."""

    def ignore(_signal: int, _frame: FrameType | None) -> None:
        return

    before = {number: signal.signal(number, ignore) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
