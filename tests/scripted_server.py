"""A server on a real socket whose answers a test writes: for clients that meet brokers which do not keep to the rules.

::

    with Scripted(lambda method, path, headers, body: (200, b"...")) as server:   # None breaks the connection off
        ... server.url ... server.requests
"""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

Reply = tuple[int, bytes] | None
Answer = Callable[[str, str, dict[str, str], bytes], Reply]


class Scripted:
    """A server that answers each request with what ``answer(method, path, headers, body)`` returns."""

    def __init__(self, answer: Answer) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _reply(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                asked = (self.command, self.path, dict(self.headers), body)
                outer.requests.append(asked)
                reply = answer(*asked)
                if reply is None:
                    self.close_connection = True
                    self.connection.close()
                    return
                status, content = reply
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_PUT = do_POST = _reply  # noqa: N815 - the names that the library looks for

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
