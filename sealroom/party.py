"""A member of this institution who acts: the keys to sign with, and a connection to the broker in their name."""

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocol.documents.institution import Institution, Member, Role
from protocol.dsse import Verified
from protocol.errors import AccessDenied
from sealroom.home import Home
from sealroom.keystore import Keystore
from sealroom.registry import require_broker
from sealroom.transport import Caller, Transport

__all__ = ["Party", "acting"]

_SIGNING_USE: dict[Role, str] = {"steward": "manifest", "approver": "approval", "analyst": "contract"}


@dataclass(frozen=True, slots=True)
class Party:
    """One member of one institution."""

    home: Home
    keys: Keystore
    institution: Verified[Institution]
    member: Member

    @property
    def root(self) -> str:
        """The institution's root key."""
        return self.institution.document.root

    def signing_key(self, role: Role) -> Ed25519PrivateKey:
        """Open the key that signs in this role."""
        return self.keys.signing(f"{self.member.id}.{_SIGNING_USE[role]}")

    def connect(self) -> Transport:
        """Return a connection to the broker that was joined."""
        address = require_broker(self.home)
        return Transport(address, Caller(self.root, self.member.id, self.keys.signing(f"{self.member.id}.api")))


def acting(home: Home, keys: Keystore, role: Role | None, named: str | None) -> Party:
    """Return who acts: the named member, or the only one with the role; any member will do where no role is needed."""
    institution = home.institution()
    if role is not None:
        return Party(home, keys, institution, home.member(role, named))
    members = institution.document.members
    member = next((member for member in members if named in {None, member.id}), None)
    if member is None:
        raise AccessDenied("MEMBER_UNKNOWN", f"{institution.document.short} has no member {named or 'yet'}.")
    return Party(home, keys, institution, member)
