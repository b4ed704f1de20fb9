"""Reading request bodies and writing answers: canonical JSON both ways."""

from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from broker.api.edge import LIMIT_KEY
from broker.context import broker_of
from broker.settings import Limits
from protocol.canonical import canonical_bytes
from protocol.documents.dataset import PART_SIZE
from protocol.dsse import MAX_DOCUMENT, Envelope
from protocol.types import Digest, Document

__all__ = [
    "ContractAnswer",
    "DatasetAnswer",
    "HealthAnswer",
    "PartAnswer",
    "PartsAnswer",
    "RunAnswer",
    "TokenAnswer",
    "body_schema",
    "canonical_response",
    "contract_body",
    "document_body",
    "read_body",
    "recipe_body",
    "release_body",
    "result_body",
    "small_body",
    "take_part",
    "token_body",
]

SMALL = 64 * 1024
_ASSERTION = 8 * 1024


class HealthAnswer(BaseModel):
    """The broker serves."""

    status: str
    version: str


class TokenAnswer(BaseModel):
    """A bearer token (RFC 6749, section 5.1)."""

    access_token: str
    token_type: str
    expires_in: int


class DatasetAnswer(BaseModel):
    """A dataset manifest and how far its upload is."""

    name: Digest
    envelope: Envelope
    state: str


class PartAnswer(BaseModel):
    """A part is durably stored."""

    part: int
    digest: Digest


class PartsAnswer(BaseModel):
    """Which parts are durably stored, of how many."""

    have: list[int]
    wanted: int


class ContractAnswer(BaseModel):
    """A contract, its state and the votes on it."""

    name: Digest
    state: str
    envelope: Envelope
    approvals: list[Envelope]
    revocations: list[Envelope]


class RunAnswer(BaseModel):
    """A run; ``code`` and ``detail`` say why it was refused or failed."""

    run: str
    contract: Digest
    state: str
    created: str
    code: str | None
    detail: str | None


async def read_body(request: Request, limit: int) -> bytes:
    """Return the whole body, or raise ``TooLarge`` while it comes in."""
    request.scope[LIMIT_KEY] = limit
    return await request.body()


async def document_body(request: Request) -> bytes:
    """Read one envelope."""
    return await read_body(request, MAX_DOCUMENT)


async def small_body(request: Request) -> bytes:
    """Read a few fields."""
    return await read_body(request, SMALL)


async def token_body(request: Request) -> bytes:
    """Read the form with a client assertion, which comes before anybody has signed in."""
    return await read_body(request, _ASSERTION)


def _limited(limit_of: Callable[[Limits], int]) -> Callable[[Request], Awaitable[bytes]]:
    async def read(request: Request) -> bytes:
        return await read_body(request, limit_of(broker_of(request).settings.limits))

    return read


recipe_body = _limited(lambda limits: limits.recipe)
"""Read a recipe's envelope."""
contract_body = _limited(lambda limits: limits.contract)
"""Read a contract's envelope."""
release_body = _limited(lambda limits: limits.release)
"""Read a release request."""
result_body = _limited(lambda limits: limits.result)
"""Read a result bundle."""


def take_part(request: Request) -> None:
    """Let the body be as long as a part; the manifest's exact size is checked as it streams in."""
    request.scope[LIMIT_KEY] = PART_SIZE


def canonical_response(value: Document | BaseModel | dict[str, Any] | list[Any], status: int = 200) -> Response:
    """Answer with canonical JSON."""
    plain = value.model_dump(mode="json", by_alias=True) if isinstance(value, BaseModel) else value
    return Response(canonical_bytes(plain), status_code=status, media_type="application/json")


def body_schema(kind: type[BaseModel] | None) -> dict[str, Any]:
    """Return what OpenAPI says of a route that reads its body itself; None means sealed bytes."""
    if kind is None:
        content: dict[str, Any] = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    else:
        content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{kind.__name__}"}}}
    return {"requestBody": {"required": True, "content": content}}
