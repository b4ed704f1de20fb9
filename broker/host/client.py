"""The broker, as the host calls it."""

import asyncio
import time
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Literal, Self

import httpx

from broker.host.settings import HostSettings
from protocol.canonical import canonical_bytes
from protocol.documents.exchange import Assignment, Failure
from protocol.dsse import load_document
from protocol.errors import SealroomError, TransportError, from_problem

__all__ = ["BrokerClient", "Repeat", "answer_object", "bounded", "problem_of"]

Repeat = Literal["always", "unsent"]
"""When a request may be sent again: always, or only if it never reached the other side."""
_MAX_ANSWER = 2 * 2**20
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0


class BrokerClient:
    """The broker under the host token."""

    def __init__(self, settings: HostSettings) -> None:
        self._http = httpx.AsyncClient(
            base_url=settings.broker,
            headers={"Authorization": f"Bearer {settings.host_token()}"},
            timeout=httpx.Timeout(60.0, connect=5.0),
            trust_env=False,
            follow_redirects=False,
        )
        self._retry_seconds = settings.retry_seconds

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def claim(self, profiles: tuple[str, ...]) -> Assignment | None:
        """Claim a run, or return None where none waits."""
        body = canonical_bytes({"profiles": list(profiles)})
        status, answer = await self._exchange("POST", "/v1/host/claim", {}, body)
        return None if status == httpx.codes.NO_CONTENT else load_document(Assignment, answer, limit=_MAX_ANSWER)

    async def heartbeat(self, assignment: Assignment) -> None:
        """Extend the lease."""
        await self._exchange("POST", _path(assignment, "/heartbeat"), _fence(assignment), b"")

    async def give_back(self, assignment: Assignment) -> None:
        """Give the lease back without a result."""
        await self._exchange("POST", _path(assignment, "/failed"), _fence(assignment), b"")

    async def refuse(self, assignment: Assignment, reason: SealroomError) -> None:
        """End the run for a reason that was found before an enclave was started."""
        failure = Failure(code=reason.code, detail=reason.detail[:1000])
        await self._exchange(
            "POST", _path(assignment, "/failure"), _fence(assignment), canonical_bytes(failure.model_dump(mode="json"))
        )

    async def forward(
        self, assignment: Assignment, method: str, path: str, body: bytes, repeat: Repeat, stack: AsyncExitStack
    ) -> httpx.Response:
        """Pass on an enclave's request; the answer's body is not read yet, and ``stack`` closes it.

        A broker that is away is tried again for ``retry_seconds``.

        Raises
        ------
        TransportError
            ``BROKER_AWAY``.
        """
        deadline, pause = time.monotonic() + self._retry_seconds, _FIRST_PAUSE
        while True:
            try:
                return await stack.enter_async_context(
                    self._http.stream(method, _path(assignment, path), headers=_fence(assignment), content=body)
                )
            except httpx.TransportError as error:
                unsent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
                if not (unsent or repeat == "always") or time.monotonic() + pause > deadline:
                    raise _away(error) from error
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _exchange(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        try:
            async with self._http.stream(method, path, headers=headers, content=body) as response:
                answer = await bounded(response)
        except httpx.TransportError as error:
            raise _away(error) from error
        if response.is_success:
            return response.status_code, answer
        raise problem_of(answer)


async def bounded(response: httpx.Response) -> bytes:
    """Read an answer, or raise ``TransportError`` with code ``ANSWER_SIZE`` where it is too large."""
    answer = bytearray()
    async for chunk in response.aiter_raw():
        answer += chunk
        if len(answer) > _MAX_ANSWER:
            raise TransportError("ANSWER_SIZE", f"The answer is larger than {_MAX_ANSWER} bytes.")
    return bytes(answer)


def _path(assignment: Assignment, path: str) -> str:
    return f"/v1/host/runs/{assignment.run}{path}"


def _fence(assignment: Assignment) -> dict[str, str]:
    return {"Sealroom-Fence": str(assignment.fence)}


def _away(error: httpx.TransportError) -> TransportError:
    return TransportError("BROKER_AWAY", f"The broker does not answer ({type(error).__name__}). Is it running?")


def problem_of(answer: bytes) -> SealroomError:
    """Return the error that an answer tells of."""
    return from_problem(answer_object(answer))


def answer_object(answer: bytes) -> dict[str, object]:
    """Return the object in an answer; an empty one where there is none."""
    import json

    try:
        value = json.loads(answer)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
