"""Datasets: signed manifests and resumable uploads of their sealed parts."""

import base64
import hashlib
import re
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from broker.api.access import Caller, Member, Steward
from broker.api.messages import (
    DatasetAnswer,
    PartAnswer,
    PartsAnswer,
    body_schema,
    canonical_response,
    document_body,
    take_part,
)
from broker.api.pages import Page, page_response
from broker.context import Broker, broker_of
from broker.errors import BadRequest, NotFound
from broker.storage.datasets import (
    StoredDataset,
    complete,
    datasets_after,
    get_dataset,
    note_part,
    part_key,
    parts_of,
    put_manifest,
)
from protocol.documents.dataset import SealedFile
from protocol.dsse import Envelope
from protocol.errors import AccessDenied, DocumentError, StorageError
from protocol.governance import require_span, verify_manifest
from protocol.types import Digest, Name

__all__ = ["router"]

router = APIRouter(prefix="/v1/datasets", tags=["datasets"])
_SHA256 = re.compile(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):\s*(?:,|$)")  # 32 bytes are 44 characters
_LISTED = 20


@router.put("/{name}", response_model=DatasetAnswer, openapi_extra=body_schema(Envelope))
def put(request: Request, name: Digest, caller: Steward, body: Annotated[bytes, Depends(document_body)]) -> Response:
    """Store a manifest and open the upload of its parts."""
    broker = broker_of(request)
    envelope = Envelope.from_bytes(body)
    if envelope.name != name:
        raise DocumentError("NAME", f"The manifest's name is {envelope.name[:16]}, the address says {name[:16]}.")
    manifest = verify_manifest(envelope, {caller.root: caller.institution})
    document = manifest.document
    require_span(f"dataset {document.short}", document.created, document.policy.expires, broker.now())
    if document.custodian != broker.custodian.keys():
        raise AccessDenied(
            "CUSTODIAN_UNKNOWN",
            f"The manifest names custodian {document.custodian.signing[:16]}; this broker's is "
            f"{broker.custodian.keys().signing[:16]}. Pin that one and seal the dataset again.",
        )
    with broker.database.writing() as connection:
        stored = put_manifest(connection, manifest, broker.settings.limits.datasets)
    return canonical_response(_answer(stored))


@router.get("", response_model=list[DatasetAnswer])
def get_all(request: Request, _caller: Member, page: Page) -> Response:
    """List a page of manifests in the order of their names."""
    with broker_of(request).database.reading() as connection:
        return page_response(_answer(stored) for stored in datasets_after(connection, page.after, page.limit))


@router.get("/{name}", response_model=DatasetAnswer)
def get_one(request: Request, name: Digest, _caller: Member) -> Response:
    """Return a manifest and how far its upload is."""
    with broker_of(request).database.reading() as connection:
        return canonical_response(_answer(get_dataset(connection, name)))


@router.put(
    "/{name}/files/{file}/parts/{part}",
    response_model=PartAnswer,
    dependencies=[Depends(take_part)],
    openapi_extra=body_schema(None),
)
async def put_part(
    request: Request, name: Digest, file: Name, part: int, caller: Steward, content_digest: Annotated[str, Header()]
) -> Response:
    """Store a sealed part: any order, several at once, twice with the same answer."""
    broker = broker_of(request)
    stored, have = await run_in_threadpool(_uploading, broker, name, caller, file)
    sealed = stored.file(file)
    wanted = _wanted_digest(sealed, part, content_digest)
    body = _checked(request, sealed.part_size(part), wanted)
    async with broker.uploads.of(caller.root):
        if part in have and broker.objects.size(part_key(name, file, part)) == sealed.part_size(part):
            async for _ in body:  # judged like the first time, and not stored again
                pass
        else:
            await broker.objects.put(part_key(name, file, part), body, wanted)
            await run_in_threadpool(_note, broker, name, file, part)
    return canonical_response(PartAnswer(part=part, digest=wanted))


@router.get("/{name}/files/{file}/parts", response_model=PartsAnswer)
def get_parts(request: Request, name: Digest, file: Name, caller: Steward) -> Response:
    """Say which parts are durably stored: what an interrupted upload resumes from."""
    stored, have = _uploading(broker_of(request), name, caller, file)
    return canonical_response(PartsAnswer(have=have, wanted=len(stored.file(file).parts)))


@router.post("/{name}/complete", response_model=DatasetAnswer)
def post_complete(request: Request, name: Digest, caller: Steward) -> Response:
    """Close the upload once every part is there; a complete one stays complete."""
    broker = broker_of(request)
    with broker.database.writing() as connection:
        stored = get_dataset(connection, name)
        caller.require_signer(stored.manifest.owner, "dataset manifest")
        if stored.state != "complete":
            for file in stored.manifest.files:
                _require_parts(broker, name, file, parts_of(connection, name, file.name))
            complete(connection, name)
        return canonical_response(_answer(get_dataset(connection, name)))


def _answer(stored: StoredDataset) -> DatasetAnswer:
    return DatasetAnswer(name=stored.name, envelope=stored.envelope, state=stored.state)


def _uploading(broker: Broker, name: Digest, caller: Caller, file: Name) -> tuple[StoredDataset, list[int]]:
    with broker.database.reading() as connection:
        stored = get_dataset(connection, name)
        caller.require_signer(stored.manifest.owner, "dataset manifest")
        return stored, parts_of(connection, name, file)


def _note(broker: Broker, name: Digest, file: Name, part: int) -> None:
    with broker.database.writing() as connection:
        note_part(connection, name, file, part)


def _wanted_digest(file: SealedFile, part: int, content_digest: str) -> Digest:
    """Return the manifest's digest of a part, which the header must agree with before the body is read."""
    if not 0 <= part < len(file.parts):
        raise NotFound("PART_UNKNOWN", f"File {file.name} has parts 0 to {len(file.parts) - 1}, found {part}.")
    match = _SHA256.search(content_digest)
    if match is None:
        raise BadRequest("CONTENT_DIGEST", "Send the header Content-Digest: sha-256=:BASE64: (RFC 9530).")
    claimed = base64.b64decode(match[1]).hex()
    if claimed != file.parts[part]:
        raise DocumentError(
            "PART_DIGEST",
            f"Content-Digest of part {part} is {claimed[:16]}, the manifest says {file.parts[part][:16]}.",
        )
    return claimed


async def _checked(request: Request, size: int, digest: Digest) -> AsyncIterator[bytes]:
    """Give the body in chunks; raise at its end, or before, unless it has exactly this size and digest."""
    count, found = 0, hashlib.sha256()
    async for chunk in request.stream():
        count += len(chunk)
        if count > size:
            break
        found.update(chunk)
        if chunk:
            yield chunk
    if count != size:
        more = "more than " if count > size else ""
        raise DocumentError("PART_SIZE", f"The part has {more}{min(count, size)} bytes, the manifest says {size}.")
    if found.hexdigest() != digest:
        raise DocumentError("PART_DIGEST", f"The bytes have SHA-256 {found.hexdigest()[:16]}, wanted {digest[:16]}.")


def _require_parts(broker: Broker, name: Digest, file: SealedFile, have: list[int]) -> None:
    """Raise ``StorageError`` with ``PARTS_MISSING`` unless each part was noted and lies there in its size."""
    sizes = {part: broker.objects.size(part_key(name, file.name, part)) for part in have}
    missing = [part for part in range(len(file.parts)) if sizes.get(part) != file.part_size(part)]
    if missing:
        listed = ", ".join(str(part) for part in missing[:_LISTED])
        more = f" and {len(missing) - _LISTED} more" if len(missing) > _LISTED else ""
        raise StorageError(
            "PARTS_MISSING",
            f"File {file.name} lacks {len(missing)} of {len(file.parts)} parts: {listed}{more}. Upload them first.",
        )
