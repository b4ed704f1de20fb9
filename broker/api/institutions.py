"""Institutions: joining, changing members, reading who is there."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header
from starlette.requests import Request
from starlette.responses import Response

from broker.api.access import Member, require_invite
from broker.api.messages import body_schema, canonical_response, document_body
from broker.context import broker_of
from broker.storage.institutions import all_institutions, find_institution, get_institution, put_institution
from protocol.dsse import Envelope
from protocol.errors import DocumentError
from protocol.governance import require_span, verify_institution
from protocol.types import Key

__all__ = ["router"]

router = APIRouter(prefix="/v1/institutions", tags=["institutions"])


@router.put("/{root}", response_model=Envelope, openapi_extra=body_schema(Envelope))
def put(
    request: Request,
    root: Key,
    body: Annotated[bytes, Depends(document_body)],
    sealroom_invite: Annotated[str | None, Header()] = None,
) -> Response:
    """Join, with the invitation, or replace the institution's document by one with a higher serial."""
    broker = broker_of(request)
    institution = verify_institution(Envelope.from_bytes(body))
    document = institution.document
    if document.root != root:
        raise DocumentError("NAME", f"The document's root is {document.root[:16]}, the address says {root[:16]}.")
    require_span(f"institution {document.short}", document.issued, document.expires, broker.now())
    with broker.database.writing() as connection:
        if find_institution(connection, root) is None:
            require_invite(broker, sealroom_invite)
        put_institution(connection, institution)
    return canonical_response(institution.envelope)


@router.get("", response_model=list[Envelope])
def get_all(request: Request, _caller: Member) -> Response:
    """List the newest document of each institution."""
    with broker_of(request).database.reading() as connection:
        found = all_institutions(connection)
    return canonical_response([institution.envelope.model_dump(mode="json") for institution in found])


@router.get("/{root}", response_model=Envelope)
def get_one(request: Request, root: Key, _caller: Member) -> Response:
    """Return the newest document of an institution."""
    with broker_of(request).database.reading() as connection:
        return canonical_response(get_institution(connection, root).envelope)
