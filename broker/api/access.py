"""Who is calling: partners by their bearer token, hosts by the host token and the fence of their lease."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header
from starlette.requests import Request

from broker.context import Broker, broker_of
from broker.errors import BadRequest, NotAuthenticated
from broker.storage.access import find_holder
from broker.storage.institutions import find_institution
from protocol.documents.institution import Institution, Role
from protocol.dsse import Verified
from protocol.errors import AccessDenied
from protocol.governance import require_span
from protocol.types import Key, Name

__all__ = [
    "Analyst",
    "Approver",
    "Caller",
    "Fence",
    "Member",
    "Steward",
    "bearer",
    "require_host",
    "require_invite",
    "require_steward",
]


@dataclass(frozen=True, slots=True)
class Caller:
    """A member of an institution that joined, as its newest document says."""

    institution: Verified[Institution]
    member: Name
    roles: tuple[Role, ...]

    @property
    def root(self) -> Key:
        """The institution's root."""
        return self.institution.document.root

    def require_signer(self, root: Key, what: str) -> None:
        """Raise ``AccessDenied`` with ``SIGNER`` unless a document was signed by the caller's institution."""
        if root != self.root:
            raise AccessDenied(
                "SIGNER", f"The {what} is signed by another institution than {self.institution.document.short}."
            )


def require_member(request: Request) -> Caller:
    """Return the member whose token the request carries, or raise ``NotAuthenticated`` with ``TOKEN``."""
    broker = broker_of(request)
    now = broker.now()
    with broker.database.reading() as connection:
        holder = find_holder(connection, bearer(request), now.timestamp())
        institution = find_institution(connection, holder.root) if holder else None
    member = institution.document.member(holder.member) if holder and institution else None
    if institution is None or member is None:
        raise NotAuthenticated(
            "TOKEN", "The bearer token is unknown, expired or its member has left. Ask for a new one."
        )
    require_span(
        f"institution {institution.document.short}", institution.document.issued, institution.document.expires, now
    )
    return Caller(institution, member.id, member.roles)


Member = Annotated[Caller, Depends(require_member)]
"""Any member of an institution that joined."""


def _require_role(role: Role) -> Callable[[Caller], Caller]:
    def require(caller: Member) -> Caller:
        if role not in caller.roles:
            raise AccessDenied("ROLE", f"{caller.member} is {', '.join(caller.roles)}; this takes the role {role}.")
        return caller

    return require


require_steward = _require_role("steward")
Steward = Annotated[Caller, Depends(require_steward)]
Approver = Annotated[Caller, Depends(_require_role("approver"))]
Analyst = Annotated[Caller, Depends(_require_role("analyst"))]


def bearer(request: Request) -> str:
    """Return the bearer token of a request, or raise ``NotAuthenticated`` with ``TOKEN_MISSING``."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise NotAuthenticated("TOKEN_MISSING", "Send the header Authorization: Bearer TOKEN.")
    return token.strip()


def require_host(request: Request) -> Broker:
    """Return the broker if the request carries the host token, or raise ``NotAuthenticated`` with ``HOST_TOKEN``."""
    broker = broker_of(request)
    if not secrets.compare_digest(bearer(request).encode(), broker.host_token.encode()):
        raise NotAuthenticated("HOST_TOKEN", "This is not the token in the broker's file host-token.")
    return broker


def read_fence(sealroom_fence: Annotated[str, Header(pattern=r"^[0-9]{1,15}$")]) -> int:
    """Return the fence that a host holds."""
    return int(sealroom_fence)


Fence = Annotated[int, Depends(read_fence)]


def require_invite(broker: Broker, given: str | None) -> None:
    """Raise unless an institution that is new here brings the invitation."""
    if given is None:
        raise BadRequest(
            "INVITE_MISSING", "A new institution sends the header Sealroom-Invite; ask the operator for it."
        )
    if not secrets.compare_digest(given.encode(), broker.invite.encode()):
        raise AccessDenied("INVITE", "The invitation is not the one in the broker's file invite. Ask its operator.")
