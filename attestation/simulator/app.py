"""The platform's HTTP service. It quotes for enclaves that it measured, and has no route to forge anything."""

import threading
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import Field, ValidationError
from starlette.middleware.trustedhost import TrustedHostMiddleware

from attestation.certificates import load_certificate
from attestation.pck import read_pck
from attestation.quote import parse_quote
from attestation.simulator.measurement import measure, measure_build
from attestation.simulator.pccs import pccs_router
from attestation.simulator.pki import load_or_create_keys
from attestation.simulator.platform import COLLATERAL_LIFE, Platform
from attestation.simulator.settings import Settings
from attestation.simulator.tickets import Tickets
from protocol.documents import Collateral
from protocol.errors import AttestationError, DocumentError, SealroomError
from protocol.types import Base64, Document, Name, decode_base64, encode_base64

__all__ = ["CollateralShelf", "create_app"]

MAX_BODY: Final = 65_536
T = TypeVar("T", bound=Document)


class _EnclaveRequest(Document):
    profile: Name


class _QuoteRequest(Document):
    ticket: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{32,128}$")]
    report_data: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]


class _CollateralRequest(Document):
    quote: Annotated[Base64, Field(max_length=32_768)]


class CollateralShelf:
    """Keeps the platform's collateral and issues it anew when half of its life is over."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._lock = threading.Lock()
        self._kept: tuple[datetime, Collateral] | None = None

    def get(self, at: datetime) -> Collateral:
        """Return collateral that is valid at ``at`` for at least half of 30 days more."""
        with self._lock:
            if self._kept is None or not self._kept[0] <= at < self._kept[0] + COLLATERAL_LIFE / 2:
                self._kept = (at, self._platform.collateral(at))
            return self._kept[1]


def create_app(settings: Settings) -> FastAPI:
    """Build the service for one platform; its keys are made in ``settings.state`` on first start."""
    platform = Platform(load_or_create_keys(settings.state / "platform", _now()))
    leaf = platform.leaf
    shelf, tickets = CollateralShelf(platform), Tickets()
    app = FastAPI(title="SIMULATED Sealroom platform", docs_url=None, redoc_url=None, openapi_url=None)
    # A web page open in a browser on this machine must not reach the service under a name of its own.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]"])
    app.exception_handler(SealroomError)(_problem)

    @app.get("/v1/health")
    def health() -> dict[str, Any]:
        return {"status": "ok", "simulated": True, "root": platform.root.digest}

    @app.get("/v1/root")
    def root() -> Response:
        pem = platform.root.certificate.public_bytes(Encoding.PEM).decode("ascii")
        return PlainTextResponse(pem, media_type="application/x-pem-file")

    @app.post("/v1/enclaves")
    def enclaves(body: Annotated[bytes, Depends(_body)]) -> dict[str, str]:
        wanted = _parse(_EnclaveRequest, body)
        if settings.enclaves is None:
            measurement = measure(wanted.profile, settings.files)
        else:
            measurement = measure_build(wanted.profile, settings.enclaves)
        return {"ticket": tickets.issue(measurement), "measurement": measurement}

    @app.post("/v1/quotes")
    def quotes(body: Annotated[bytes, Depends(_body)]) -> dict[str, str]:
        wanted = _parse(_QuoteRequest, body)
        quote = platform.quote(tickets.measurement(wanted.ticket), bytes.fromhex(wanted.report_data))
        return {"quote": encode_base64(quote)}

    @app.post("/v1/collateral")
    def collateral(body: Annotated[bytes, Depends(_body)]) -> dict[str, Any]:
        quote = parse_quote(decode_base64(_parse(_CollateralRequest, body).quote))
        if quote.chain.leaf != leaf:
            raise AttestationError("OTHER_PLATFORM", "The quote was made by another platform than this one.")
        return shelf.get(_now()).model_dump(mode="json")

    app.include_router(pccs_router(read_pck(load_certificate(leaf)), lambda: shelf.get(_now())))
    return app


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


async def _body(request: Request) -> bytes:
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > MAX_BODY:
            raise DocumentError("SIZE", f"The request is longer than {MAX_BODY} bytes.")
    return data


def _parse(kind: type[T], body: bytes) -> T:
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "the whole"
        raise DocumentError("DOCUMENT", f"The request is not right: {where}: {first['msg']}.") from error


async def _problem(_request: Request, error: SealroomError) -> Response:
    return JSONResponse(error.problem(), error.http_status, media_type="application/problem+json")
