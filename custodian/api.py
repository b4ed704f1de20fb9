"""The routes that partners call. Nonces, releases and commits come through the broker, which calls the class."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from custodian.service import Custodian
from custodian.withdrawals import HeldWithdrawals
from protocol.canonical import canonical_bytes
from protocol.documents.dataset import CustodianKeys
from protocol.documents.exchange import CapsuleDeposit
from protocol.dsse import MAX_DOCUMENT, Envelope, load_document
from protocol.errors import DocumentError
from protocol.types import Digest, Document

__all__ = ["MAX_DEPOSIT", "Deposited", "HeldEndorsements", "HeldLists", "make_router"]

MAX_DEPOSIT = 3 * MAX_DOCUMENT
"""No deposit is longer, in bytes."""


def _body_of(kind: type[BaseModel]) -> dict[str, Any]:
    """Describe a body that its route reads itself, because it must be canonical JSON of a bounded size."""
    schema = {"$ref": f"#/components/schemas/{kind.__name__}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


class Deposited(Document):
    """The dataset manifest whose data key the custodian now holds."""

    manifest: Digest


class HeldLists(Document):
    """The withdrawal lists that are held, one entry for each publisher that the appraisal policy names."""

    lists: tuple[HeldWithdrawals, ...]


class HeldEndorsements(Document):
    """The endorsements of a measurement that count here."""

    endorsements: tuple[Envelope, ...]


def make_router(custodian: Custodian, require_steward: Callable[..., Any]) -> APIRouter:
    """Return ``/v1/custodian`` with its routes for capsules, withdrawal lists and endorsements.

    Parameters
    ----------
    custodian
        The custodian to serve.
    require_steward
        A FastAPI dependency that raises unless the caller is a signed-in steward. Who may deposit what is decided by
        the signatures in it; this keeps strangers from filling the disk.

    Notes
    -----
    Errors are raised as ``SealroomError``; the application that mounts the router turns them into problem objects.
    """
    router = APIRouter(tags=["custodian"])

    @router.get("/v1/custodian", response_model=CustodianKeys)
    def keys() -> Response:
        """Return the custodian's public keys. Compare them with what the operator told you by another way."""
        return _canonical(custodian.keys().model_dump(mode="json"))

    @router.put(
        "/v1/custodian/capsules/{name}",
        dependencies=[Depends(require_steward)],
        response_model=Deposited,
        openapi_extra=_body_of(CapsuleDeposit),
    )
    async def put_capsule(name: Digest, request: Request) -> Response:
        """Deposit the sealed data key of the dataset manifest ``name``; the same deposit again changes nothing."""
        message = load_document(CapsuleDeposit, await _body(request, MAX_DEPOSIT), limit=MAX_DEPOSIT)
        if message.manifest.name != name:
            raise DocumentError("NAME", f"The deposit is for manifest {message.manifest.name[:16]}, not {name[:16]}.")
        manifest = await run_in_threadpool(custodian.deposit, message)
        return _canonical(Deposited(manifest=manifest).model_dump(mode="json"))

    _add_withdrawals(router, custodian, require_steward)
    _add_endorsements(router, custodian, require_steward)
    return router


def _add_withdrawals(router: APIRouter, custodian: Custodian, require_steward: Callable[..., Any]) -> None:
    signed_in = [Depends(require_steward)]

    @router.get("/v1/custodian/withdrawals", dependencies=signed_in, response_model=HeldLists)
    def get_held() -> Response:
        """Say which withdrawal lists are held, and of which publishers one is missing."""
        return _canonical(HeldLists(lists=custodian.held_withdrawals()).model_dump(mode="json"))

    @router.get("/v1/custodian/withdrawals/{publisher}", dependencies=signed_in, response_model=Envelope)
    def get_withdrawals(publisher: Digest) -> Response:
        """Return the withdrawal list that is held of a publisher."""
        return _canonical(custodian.withdrawals(publisher).model_dump(mode="json"))

    @router.put(
        "/v1/custodian/withdrawals",
        dependencies=signed_in,
        response_model=HeldWithdrawals,
        openapi_extra=_body_of(Envelope),
    )
    async def put_withdrawals(request: Request) -> Response:
        """Bring a newer withdrawal list of a publisher; the same list again changes nothing."""
        envelope = Envelope.from_bytes(await _body(request, MAX_DOCUMENT))
        held = await run_in_threadpool(custodian.put_withdrawals, envelope)
        return _canonical(held.model_dump(mode="json"))


def _add_endorsements(router: APIRouter, custodian: Custodian, require_steward: Callable[..., Any]) -> None:
    signed_in = [Depends(require_steward)]

    @router.get("/v1/custodian/endorsements/{measurement}", dependencies=signed_in, response_model=HeldEndorsements)
    def get_endorsements(measurement: Digest) -> Response:
        """Return the endorsements of a measurement that count here."""
        held = HeldEndorsements(endorsements=custodian.endorsements(measurement))
        return _canonical(held.model_dump(mode="json"))

    @router.put(
        "/v1/custodian/endorsements", dependencies=signed_in, response_model=Envelope, openapi_extra=_body_of(Envelope)
    )
    async def put_endorsement(request: Request) -> Response:
        """Bring an endorsement of a measurement; answers with the one that is held of this endorser."""
        envelope = Envelope.from_bytes(await _body(request, MAX_DOCUMENT))
        held = await run_in_threadpool(custodian.put_endorsement, envelope)
        return _canonical(held.envelope.model_dump(mode="json"))


async def _body(request: Request, limit: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise DocumentError("SIZE", f"A body here has at most {limit} bytes.")
    return bytes(body)


def _canonical(value: Any) -> Response:  # noqa: ANN401 - any JSON value
    return Response(canonical_bytes(value), media_type="application/json")
