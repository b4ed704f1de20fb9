"""The relay of one run: the only thing that its enclave may talk to, beside the platform.

It listens on loopback under a token of its own, knows a handful of routes, bounds every body and passes bytes on
without reading them. Whether the run ended is all that it learns.
"""

import re
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

import httpx
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from broker.host.client import BrokerClient, Repeat
from broker.host.platform import Platform
from broker.host.settings import HostSettings
from protocol.canonical import canonical_bytes
from protocol.documents.dataset import PART_SIZE
from protocol.documents.exchange import Assignment
from protocol.dsse import MAX_DOCUMENT
from protocol.errors import AccessDenied, DocumentError, SealroomError, StorageError, TransportError

__all__ = ["Relay", "RelayRoute", "relay_routes"]

_SMALL = 16 * 1024
_QUOTE = 32 * 1024
_ANSWER = 64 * 2**20
_KEY = "[0-9a-f]{64}"
_PASSED_HEADERS = ("content-type", "content-length")


class _TokenError(AccessDenied):
    http_status = 401


class _RouteError(StorageError):
    http_status = 404


class _SizeError(DocumentError):
    http_status = 413


@dataclass(frozen=True, slots=True)
class RelayRoute:
    """A request that an enclave may make; ``ends`` names the run's state if the broker accepts it."""

    method: str
    path: re.Pattern[str]
    max_request: int
    max_answer: int
    repeat: Repeat = "always"
    ends: str | None = None


def relay_routes(settings: HostSettings) -> tuple[RelayRoute, ...]:
    """Return the routes that are passed on to the broker.

    A release is not repeated once it may have arrived: it uses up the nonce.
    """
    custody = f"/custody/{_KEY}/"
    return (
        RelayRoute("GET", re.compile("/study"), 0, _ANSWER),
        RelayRoute("GET", re.compile(rf"/datasets/{_KEY}/[a-z0-9][a-z0-9._-]{{0,63}}/[0-9]{{1,5}}"), 0, PART_SIZE),
        RelayRoute("POST", re.compile(f"{custody}nonce"), _SMALL, _SMALL),
        RelayRoute("POST", re.compile(f"{custody}release"), settings.max_release, _ANSWER, "unsent"),
        RelayRoute("POST", re.compile(f"{custody}commit"), MAX_DOCUMENT, MAX_DOCUMENT),
        RelayRoute("PUT", re.compile("/result"), settings.max_result, _SMALL, ends="finished"),
        RelayRoute("POST", re.compile("/failure"), _SMALL, _SMALL, ends="stopped"),
    )


class Relay:
    """An ASGI application for one assignment."""

    def __init__(
        self, settings: HostSettings, assignment: Assignment, token: str, broker: BrokerClient, platform: Platform
    ) -> None:
        self._assignment = assignment
        self._authorization: Final = f"Bearer {token}".encode()
        self._broker = broker
        self._platform = platform
        self._routes = relay_routes(settings)
        self.ended: str | None = None
        """How the run ended, once the broker acknowledged it: ``finished`` or ``stopped``."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        async with AsyncExitStack() as stack:
            try:
                response = await self._answer(request, stack)
            except SealroomError as error:
                problem = canonical_bytes(error.problem())
                response = Response(problem, error.http_status, media_type="application/problem+json")
            await response(scope, receive, send)

    async def _answer(self, request: Request, stack: AsyncExitStack) -> Response:
        given = request.headers.get("authorization", "").encode()
        if not secrets.compare_digest(given, self._authorization):
            raise _TokenError("RELAY_TOKEN", "This is not the token of this run's relay.")
        method, path = request.method, request.url.path
        if (method, path) == ("GET", "/assignment"):
            body = canonical_bytes(self._assignment.model_dump(mode="json"))
            return Response(body, media_type="application/json")
        if (method, path) == ("POST", "/collateral"):
            quote = await _read(request, _QUOTE)
            return Response(await self._platform.collateral(quote), media_type="application/json")
        for route in self._routes:
            if route.method == method and route.path.fullmatch(path):
                return await self._pass_on(request, route, path, stack)
        raise _RouteError("ROUTE_UNKNOWN", "The relay passes on nothing of this kind.")

    async def _pass_on(self, request: Request, route: RelayRoute, path: str, stack: AsyncExitStack) -> Response:
        body = await _read(request, route.max_request)
        answer = await self._broker.forward(self._assignment, route.method, path, body, route.repeat, stack)
        if answer.is_success and route.ends is not None:
            self.ended = route.ends
        headers = {name: answer.headers[name] for name in _PASSED_HEADERS if name in answer.headers}
        return StreamingResponse(_bounded(answer, route.max_answer), answer.status_code, headers)


async def _read(request: Request, limit: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise _SizeError("SIZE", f"The body has more than {limit} bytes, which is the most that is passed on.")
    return bytes(body)


async def _bounded(answer: httpx.Response, limit: int) -> AsyncIterator[bytes]:
    """Give the answer as it comes; break it off beyond the limit or where the broker goes away."""
    count = 0
    async for chunk in answer.aiter_raw():
        count += len(chunk)
        if count > limit:
            raise TransportError("ANSWER_SIZE", f"The broker's answer is larger than {limit} bytes.")
        yield chunk
