"""A proxy on loopback that keeps every body that passes, and can hold a request while a test pulls a plug.

::

    with Tap(target) as tap:                              # talk to tap.url in place of the target
        with tap.hold("POST", "/commit", answered=True) as held:
            held.wait()                                   # the target has answered; the caller does not know yet
            ...
            held.drop()                                   # the caller never gets the answer
"""

import http.client
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

WAIT = 60.0
OWN = {"connection", "host", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


@dataclass(frozen=True)
class Exchange:
    """A request and its answer."""

    method: str
    path: str
    request: bytes
    status: int
    answer: bytes
    heads: bytes


@dataclass
class Held:
    """A request that stands still, before it is passed on or before its answer is."""

    method: str
    path: str
    answered: bool
    dropped: bool = False
    reached: threading.Event = field(default_factory=threading.Event)
    free: threading.Event = field(default_factory=threading.Event)

    def fits(self, method: str, path: str) -> bool:
        return not self.reached.is_set() and method == self.method and re.search(self.path, path) is not None

    def wait(self, seconds: float = WAIT) -> None:
        assert self.reached.wait(seconds), f"no {self.method} {self.path} came"

    def stand_still(self) -> None:
        self.reached.set()
        self.free.wait(WAIT)

    def go(self) -> None:
        """Let the request or the answer pass."""
        self.free.set()

    def drop(self) -> None:
        """Close the caller's connection without an answer."""
        self.dropped = True
        self.free.set()


class Tap:
    """An HTTP proxy before one server; ``exchanges`` holds what passed."""

    def __init__(self, target: str = "") -> None:
        self.target = target
        self.exchanges: list[Exchange] = []
        self._holds: list[Held] = []
        tap = self

        class Handler(_Handler):
            owner = tap

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @contextmanager
    def hold(self, method: str, path: str, *, answered: bool = False) -> Iterator[Held]:
        """Hold the next request whose path the pattern fits; it passes when the block ends, if not before."""
        held = Held(method, path, answered)
        self._holds.append(held)
        try:
            yield held
        finally:
            self._holds.remove(held)
            held.free.set()

    def sent(self, method: str, path: str) -> list[Exchange]:
        """Return the exchanges of a method whose path the pattern fits."""
        return [found for found in self.exchanges if found.method == method and re.search(path, found.path)]

    def pause(self, method: str, path: str, *, answered: bool) -> Held | None:
        for held in list(self._holds):
            if held.answered == answered and held.fits(method, path):
                held.stand_still()
                return held
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: callers and targets of these tests are killed on purpose."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: Tap

    def _pass(self) -> None:
        self.close_connection = True
        body = self._body()
        held = self.owner.pause(self.command, self.path, answered=False)
        if held is None or not held.dropped:
            status, headers, answer = self._forward(body)
            heads = f"{self.headers}\n{headers}".encode()
            self.owner.exchanges.append(Exchange(self.command, self.path, body, status, answer, heads))
            held = self.owner.pause(self.command, self.path, answered=True)
        if held is not None and held.dropped:
            return
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in OWN:
                self.send_header(name, value)
        self.send_header("Connection", "close")
        if status not in {204, 304}:
            self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_PUT = do_POST = _pass  # noqa: N815 - the names that http.server calls

    def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        host, port = self.owner.target.removeprefix("http://").split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=WAIT)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in OWN}
            connection.request(self.command, self.path, body, headers | {"Content-Length": str(len(body))})
            with connection.getresponse() as answer:
                return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        found = b""
        while size := int(self.rfile.readline(), 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def log_message(self, *_: object) -> None:
        """Write no log."""

    def finish(self) -> None:
        """Close as the caller left it: a connection that was cut must not end in a traceback."""
        try:
            super().finish()
        except (TimeoutError, ConnectionError):
            self.rfile.close()
