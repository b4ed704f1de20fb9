"""The outermost layer: limits bodies in size and time, logs each request, and turns any surprise into a problem.

Logged are method, route template, status and duration: no address parameters, headers or bodies.
"""

import asyncio
import logging
import time
import traceback
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from broker.api.problems import problem_response
from broker.errors import TooLarge, TooSlow, Unexpected

__all__ = ["LIMIT_KEY", "EdgeMiddleware"]

LIMIT_KEY: Final = "sealroom.body_limit"
"""In the scope: the limit for this request's body in bytes; a route may set it before it reads the body."""
SLOWEST: Final = 16 * 1024
"""Bytes in a second: beyond ``seconds``, a body that comes more slowly is cut off."""
_log = logging.getLogger("broker.request")


class EdgeMiddleware:
    """Wraps the whole application; ``limit`` is the body size that a route takes unless it says otherwise.

    ``seconds`` is how long a body may keep the broker waiting, beside what its bytes take at ``SLOWEST``.
    """

    def __init__(self, app: ASGIApp, limit: int, seconds: float) -> None:
        self._app = app
        self._limit = limit
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope[LIMIT_KEY] = self._limit
        exchange = _Exchange(scope, receive, send, self._seconds)
        started = time.monotonic()
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except Exception as error:  # noqa: BLE001 - the last place that can answer
            # No message and no traceback text: either may quote what a partner sent.
            frames = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[-4:]]
            _log.error("unexpected", extra={"fields": {"error": type(error).__name__, "frames": frames}})
            if exchange.status is None:
                answer = problem_response(
                    Unexpected("UNEXPECTED", "The broker failed. Ask its operator to look into the log.")
                )
                await answer(scope, exchange.receive, exchange.send)
        finally:
            _log.info(
                "request",
                extra={
                    "fields": {
                        "method": scope["method"],
                        "route": getattr(scope.get("route"), "path", None),
                        "status": exchange.status,
                        "milliseconds": round((time.monotonic() - started) * 1000),
                    }
                },
            )


class _Exchange:
    """One request and its response, counted."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, seconds: float) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._count = 0
        self._patience = seconds
        self._more = True
        self.status: int | None = None

    async def receive(self) -> Message:
        """Receive, or raise ``TooLarge`` as soon as the body is, or says it is, beyond the limit, or ``TooSlow``."""
        limit: int = self._scope[LIMIT_KEY]
        declared = Headers(scope=self._scope).get("content-length", "0")
        if declared.isdigit() and int(declared) > limit:
            raise TooLarge("SIZE", f"The body has {declared} bytes; at most {limit} are taken here.")
        message = await self._next()
        self._count += len(message.get("body", b""))
        if self._count > limit:
            raise TooLarge("SIZE", f"The body has more than {limit} bytes, which is the most that is taken here.")
        return message

    async def _next(self) -> Message:
        if not self._more:  # what comes behind the body says that the client left, whenever it does
            return await self._receive()
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._patience):
                message = await self._receive()
        except TimeoutError as error:
            raise TooSlow("BODY_SLOW", "The body came too slowly or not at all. Send it again.") from error
        self._patience += len(message.get("body", b"")) / SLOWEST - (time.monotonic() - started)
        self._more = message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """Send, and note the status. What is left of a body is read and thrown away by uvicorn."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)
