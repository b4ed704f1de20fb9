"""The two routes that partners call. Nonces, releases and commits come through the broker, which calls the class."""

from collections.abc import Callable
from typing import Any, Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi.concurrency import run_in_threadpool

from custodian.service import Custodian
from protocol.canonical import canonical_bytes
from protocol.documents.dataset import CustodianKeys
from protocol.documents.exchange import CapsuleDeposit
from protocol.dsse import MAX_DOCUMENT, load_document
from protocol.errors import DocumentError
from protocol.types import Digest, Document

__all__ = ["MAX_DEPOSIT", "Deposited", "make_router"]

MAX_DEPOSIT = 3 * MAX_DOCUMENT
"""No deposit is longer, in bytes."""
_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/CapsuleDeposit"}}},
    }
}
"""For the API's description: the route reads its body itself, because it must be canonical JSON of a bounded size."""


class Deposited(Document):
    """The dataset manifest whose data key the custodian now holds."""

    manifest: Digest


def make_router(custodian: Custodian, require_steward: Callable[..., Any]) -> APIRouter:
    """Return ``GET /v1/custodian`` and ``PUT /v1/custodian/capsules/{name}``.

    Parameters
    ----------
    custodian
        The custodian to serve.
    require_steward
        A FastAPI dependency that raises unless the caller is a signed-in steward. Who may deposit what is decided by
        the signatures in the deposit; this keeps strangers from filling the disk.

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
        openapi_extra=_BODY,
    )
    async def put_capsule(name: Digest, request: Request) -> Response:
        """Deposit the sealed data key of the dataset manifest ``name``; the same deposit again changes nothing."""
        message = load_document(CapsuleDeposit, await _body(request), limit=MAX_DEPOSIT)
        if message.manifest.name != name:
            raise DocumentError("NAME", f"The deposit is for manifest {message.manifest.name[:16]}, not {name[:16]}.")
        manifest = await run_in_threadpool(custodian.deposit, message)
        return _canonical(Deposited(manifest=manifest).model_dump(mode="json"))

    return router


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_DEPOSIT:
            raise DocumentError("SIZE", f"A deposit has at most {MAX_DEPOSIT} bytes.")
    return bytes(body)


def _canonical(value: Any) -> Response:  # noqa: ANN401 - any JSON value
    return Response(canonical_bytes(value), media_type="application/json")
