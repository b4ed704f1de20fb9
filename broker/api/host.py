"""Runs, as enclave hosts see them: claiming, documents, sealed parts, custody, the end.

Every call but the claim names the fence of its lease; under an old fence it is refused with ``STALE_FENCE``.
"""

import hashlib
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from broker.api.access import Fence, require_host
from broker.api.messages import (
    RunAnswer,
    body_schema,
    canonical_response,
    document_body,
    release_body,
    result_body,
    small_body,
)
from broker.api.runs import result_key, run_answer
from broker.context import Broker, broker_of
from broker.contracts import load_study, require_approved
from broker.errors import NotFound
from broker.failures import ending_of
from broker.results import require_result_of
from broker.storage.datasets import get_dataset, part_key
from broker.storage.runs import (
    Run,
    claim,
    end_run,
    extend,
    fail_lease,
    get_run,
    note_release,
    require_fence,
)
from protocol.documents.attested import RunId
from protocol.documents.exchange import Assignment, Failure, NonceReply, ReleaseReply, ReleaseRequest
from protocol.documents.receipt import ResultBundle, StudyPack
from protocol.dsse import Envelope, load_document
from protocol.errors import AccessDenied, SealroomError, StorageError
from protocol.types import Digest, Document, Key, Name

__all__ = ["ClaimRequest", "router"]

router = APIRouter(prefix="/v1/host", tags=["host"], dependencies=[Depends(require_host)])
_MAX_FIELDS = 16 * 1024


class ClaimRequest(Document):
    """Asks for a run of one of these enclave profiles."""

    profiles: Annotated[tuple[Name, ...], Field(min_length=1, max_length=20)]


@router.post(
    "/claim",
    response_model=Assignment,
    responses={204: {"description": "No run waits"}},
    openapi_extra=body_schema(ClaimRequest),
)
def post_claim(request: Request, body: Annotated[bytes, Depends(small_body)]) -> Response:
    """Lease the oldest waiting run; runs whose contract may no longer run are refused on the way."""
    broker = broker_of(request)
    wanted = load_document(ClaimRequest, body, limit=_MAX_FIELDS)
    while run := _claim(broker, wanted.profiles):
        reason = _reason_not_to_run(broker, run)
        if reason is None:
            assignment = Assignment(run=run.run, contract=run.contract, profile=run.profile, fence=run.fence)
            return canonical_response(assignment)
        with broker.database.writing() as connection:
            end_run(connection, run.run, run.fence, "refused", code=reason.code, detail=reason.detail[:1000])
    return Response(status_code=204)


@router.post("/runs/{run}/heartbeat", response_model=RunAnswer)
def post_heartbeat(request: Request, run: RunId, fence: Fence) -> Response:
    """Extend the lease."""
    broker = broker_of(request)
    until = broker.now().timestamp() + broker.settings.lease_seconds
    with broker.database.writing() as connection:
        return canonical_response(run_answer(broker, extend(connection, run, fence, until)))


@router.get("/runs/{run}/study", response_model=StudyPack)
def get_study(request: Request, run: RunId, fence: Fence) -> Response:
    """Return the documents of the run's contract."""
    with broker_of(request).database.reading() as connection:
        return canonical_response(load_study(connection, require_fence(connection, run, fence).contract).pack)


@router.get("/runs/{run}/datasets/{name}/{file}/{part}", response_class=StreamingResponse)
def get_part(request: Request, run: RunId, name: Digest, file: Name, part: int, fence: Fence) -> Response:
    """Return a sealed part of one of the contract's datasets."""
    broker = broker_of(request)
    with broker.database.reading() as connection:
        study = load_study(connection, require_fence(connection, run, fence).contract)
        if name not in {binding.dataset for binding in study.contract.datasets}:
            raise AccessDenied("OTHER_DATASET", "The run's contract names no such dataset.")
        sealed = get_dataset(connection, name).file(file)
    if not 0 <= part < len(sealed.parts):
        raise NotFound("PART_UNKNOWN", f"File {file} has parts 0 to {len(sealed.parts) - 1}, found {part}.")
    key = part_key(name, file, part)
    size = broker.objects.size(key)
    if size != sealed.part_size(part):
        raise StorageError("OBJECT_MISSING", f"Part {part} of {file} is missing or cut in the object store.")
    headers = {"Content-Length": str(size)}
    return StreamingResponse(broker.objects.read(key), media_type="application/octet-stream", headers=headers)


@router.post("/runs/{run}/custody/{custodian}/nonce", response_model=NonceReply)
def post_nonce(request: Request, run: RunId, custodian: Key, fence: Fence) -> Response:
    """Get a nonce of a custodian."""
    broker = _with_custodian(request, custodian)
    with broker.database.reading() as connection:
        contract = require_fence(connection, run, fence).contract
    return canonical_response(broker.custodian.nonce(run, contract))


@router.post(
    "/runs/{run}/custody/{custodian}/release", response_model=ReleaseReply, openapi_extra=body_schema(ReleaseRequest)
)
def post_release(
    request: Request, run: RunId, custodian: Key, fence: Fence, body: Annotated[bytes, Depends(release_body)]
) -> Response:
    """Ask a custodian to release its data keys to the enclave; the custodian decides."""
    broker = _with_custodian(request, custodian)
    message = load_document(ReleaseRequest, body, limit=broker.settings.limits.release)
    with broker.database.reading() as connection:
        require_fence(connection, run, fence)
    reply = broker.custodian.release(run, fence, message)
    with broker.database.writing() as connection:
        note_release(connection, run, fence)
    return canonical_response(reply)


@router.post("/runs/{run}/custody/{custodian}/commit", response_model=Envelope, openapi_extra=body_schema(Envelope))
def post_commit(
    request: Request, run: RunId, custodian: Key, fence: Fence, body: Annotated[bytes, Depends(document_body)]
) -> Response:
    """Ask a custodian to countersign what the enclave would release; the custodian decides."""
    broker = _with_custodian(request, custodian)
    envelope = Envelope.from_bytes(body)
    with broker.database.reading() as connection:
        require_fence(connection, run, fence)
    return canonical_response(broker.custodian.commit(run, fence, envelope))


@router.put("/runs/{run}/result", response_model=RunAnswer, openapi_extra=body_schema(ResultBundle))
async def put_result(
    request: Request, run: RunId, fence: Fence, body: Annotated[bytes, Depends(result_body)]
) -> Response:
    """Store the result bundle durably and end the run; the same bundle under the same fence again changes nothing."""
    broker = broker_of(request)
    digest = hashlib.sha256(body).hexdigest()
    found = await run_in_threadpool(_before_result, broker, run, fence, digest)
    if found.state == "finished":
        return canonical_response(run_answer(broker, found))
    await run_in_threadpool(require_result_of, body, found, broker.settings.limits.result)
    key = result_key(run, digest)
    await broker.objects.put(key, _chunks(body), digest)
    # A host that lost its lease meanwhile leaves an object that nobody names: sealed bytes, kept rather than raced for.
    return canonical_response(run_answer(broker, await run_in_threadpool(_finish, broker, run, fence, digest)))


@router.post("/runs/{run}/failure", response_model=RunAnswer, openapi_extra=body_schema(Failure))
def post_failure(request: Request, run: RunId, fence: Fence, body: Annotated[bytes, Depends(small_body)]) -> Response:
    """End the run as refused for the enclave's reason, or give it to another lease where the machinery failed."""
    broker = broker_of(request)
    failure = load_document(Failure, body, limit=_MAX_FIELDS)
    with broker.database.writing() as connection:
        ending = ending_of(failure, keys_released=require_fence(connection, run, fence).keys_released)
        if ending is None:
            ended = fail_lease(connection, run, fence, broker.settings.limits.leases)
        else:
            ended = end_run(connection, run, fence, "refused", code=ending.code, detail=ending.detail)
    return canonical_response(run_answer(broker, ended))


@router.post("/runs/{run}/failed", response_model=RunAnswer)
def post_failed(request: Request, run: RunId, fence: Fence) -> Response:
    """Give the lease back: the enclave ended without a word."""
    broker = broker_of(request)
    with broker.database.writing() as connection:
        ended = fail_lease(connection, run, fence, broker.settings.limits.leases)
    return canonical_response(run_answer(broker, ended))


def _claim(broker: Broker, profiles: tuple[Name, ...]) -> Run | None:
    with broker.database.writing() as connection:
        return claim(
            connection,
            profiles=profiles,
            now=broker.now().timestamp(),
            lease=broker.settings.lease_seconds,
            leases=broker.settings.limits.leases,
        )


def _reason_not_to_run(broker: Broker, run: Run) -> SealroomError | None:
    with broker.database.reading() as connection:
        study = load_study(connection, run.contract)
    try:
        require_approved(study, broker.now())
    except SealroomError as error:
        return error
    return None


def _with_custodian(request: Request, custodian: Key) -> Broker:
    broker = broker_of(request)
    if custodian != broker.custodian.keys().signing:
        raise NotFound("CUSTODIAN_UNKNOWN", f"This broker holds no custodian with key {custodian[:16]}.")
    return broker


def _before_result(broker: Broker, run: str, fence: int, digest: Digest) -> Run:
    with broker.database.reading() as connection:
        return _under_fence(connection, run, fence, digest)


def _under_fence(connection: Connection, run: str, fence: int, digest: Digest) -> Run:
    """Return the run if it is leased under the fence, or ended under it with this very result."""
    found = get_run(connection, run)
    if found.state == "finished" and found.fence == fence:
        if found.result != digest:
            raise StorageError("RESULT_DIFFERS", "The run ended with another result. A run has one result.")
        return found
    return require_fence(connection, run, fence)


def _finish(broker: Broker, run: str, fence: int, digest: Digest) -> Run:
    with broker.database.writing() as connection:
        found = _under_fence(connection, run, fence, digest)
        return found if found.state == "finished" else end_run(connection, run, fence, "finished", result=digest)


async def _chunks(body: bytes) -> AsyncIterator[bytes]:
    yield body
