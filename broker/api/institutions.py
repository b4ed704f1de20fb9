"""Institutions: joining, changing members, reading who is there."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header
from starlette.requests import Request
from starlette.responses import Response

from broker.api.access import Member, require_invite
from broker.api.messages import body_schema, canonical_response, read_body
from broker.api.pages import Page, page_response
from broker.context import broker_of
from broker.storage.institutions import get_institution, has_joined, institutions_after, put_institution
from protocol.dsse import Envelope
from protocol.errors import DocumentError
from protocol.governance import require_span, verify_institution
from protocol.types import Key

__all__ = ["router"]

router = APIRouter(prefix="/v1/institutions", tags=["institutions"])


def require_known_or_invited(
    request: Request, root: Key, sealroom_invite: Annotated[str | None, Header()] = None
) -> None:
    """Raise unless the root joined before, or brings the invitation; nothing of the body has been read yet."""
    broker = broker_of(request)
    with broker.database.reading() as connection:
        joined = has_joined(connection, root)
    if not joined:
        require_invite(broker, sealroom_invite)


async def institution_body(request: Request, _: Annotated[None, Depends(require_known_or_invited)]) -> bytes:
    """Read an institution's envelope, of those who may bring one."""
    return await read_body(request, broker_of(request).settings.limits.institution)


@router.put("/{root}", response_model=Envelope, openapi_extra=body_schema(Envelope))
def put(request: Request, root: Key, body: Annotated[bytes, Depends(institution_body)]) -> Response:
    """Join, with the invitation, or replace the institution's document by one with a higher serial."""
    broker = broker_of(request)
    institution = verify_institution(Envelope.from_bytes(body))
    document = institution.document
    if document.root != root:
        raise DocumentError("NAME", f"The document's root is {document.root[:16]}, the address says {root[:16]}.")
    require_span(f"institution {document.short}", document.issued, document.expires, broker.now())
    with broker.database.writing() as connection:
        put_institution(connection, institution)
    return canonical_response(institution.envelope)


@router.get("", response_model=list[Envelope])
def get_all(request: Request, _caller: Member, page: Page) -> Response:
    """List a page of institutions' newest documents in the order of their roots."""
    with broker_of(request).database.reading() as connection:
        return page_response(institutions_after(connection, page.after, page.limit))


@router.get("/{root}", response_model=Envelope)
def get_one(request: Request, root: Key, _caller: Member) -> Response:
    """Return the newest document of an institution."""
    with broker_of(request).database.reading() as connection:
        return canonical_response(get_institution(connection, root).envelope)
