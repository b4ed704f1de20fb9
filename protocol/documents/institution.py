"""Institutions and their members: who may sign what."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from protocol.dsse import SignedDocument
from protocol.types import Base64, Count, Document, Key, Name, Text, Timestamp

__all__ = ["Institution", "Member", "MemberKeys", "Role"]

Role = Literal["steward", "approver", "analyst"]


class MemberKeys(Document):
    """One key, one use. Signing keys are Ed25519; ``recipient`` is an X-Wing public key (1,216 bytes)."""

    api: Key
    manifest: Key | None = None
    approval: Key | None = None
    contract: Key | None = None
    recipient: Base64 | None = None


class Member(Document):
    """A person with roles; each role has its own key."""

    id: Name
    name: Text
    roles: Annotated[tuple[Role, ...], Field(min_length=1, max_length=3)]
    keys: MemberKeys

    @model_validator(mode="after")
    def _a_key_per_role(self) -> Self:
        wanted = {"steward": self.keys.manifest, "approver": self.keys.approval, "analyst": self.keys.contract}
        for role, key in wanted.items():
            if (role in self.roles) != (key is not None):
                raise ValueError(f"member {self.id}: the role {role} and its key go together")
        if ("analyst" in self.roles) != (self.keys.recipient is not None):
            raise ValueError(f"member {self.id}: an analyst, and nobody else, has a recipient key")
        if len(set(self.roles)) != len(self.roles):
            raise ValueError(f"member {self.id}: a role is listed twice")
        return self


class Institution(SignedDocument):
    """An institution, signed by its own root key; the root key is its identity and its fingerprint."""

    payload_type: ClassVar[str] = "application/vnd.sealroom.institution.v1+json"

    short: Name
    name: Text
    root: Key
    serial: Count
    issued: Timestamp
    expires: Timestamp
    members: Annotated[tuple[Member, ...], Field(max_length=200)]

    @model_validator(mode="after")
    def _nothing_twice(self) -> Self:
        ids = [member.id for member in self.members]
        keys = [self.root]
        for member in self.members:
            keys += [key for key in member.keys.model_dump().values() if key]
        if len(set(ids)) != len(ids) or len(set(keys)) != len(keys):
            raise ValueError("member ids are unique, and a key serves one use of one member")
        return self

    def member(self, identifier: Name) -> Member | None:
        """Return the member with this id, or None."""
        return next((member for member in self.members if member.id == identifier), None)
