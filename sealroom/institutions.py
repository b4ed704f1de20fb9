"""Making an institution and giving its members keys."""

from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocol.documents.institution import Institution, Member, MemberKeys
from protocol.dsse import Verified, public_key, sign
from protocol.errors import StorageError
from protocol.hpke import RecipientKey
from protocol.types import encode_base64
from sealroom.home import Home
from sealroom.keystore import MEMBER_USES, Keystore
from sealroom.times import in_days, now
from sealroom.typed import typed

__all__ = ["add_member", "make_institution", "remove_member"]


def make_institution(home: Home, keys: Keystore, *, short: str, name: str, days: int) -> Verified[Institution]:
    """Make a root key and the institution that it signs; ``StorageError`` if this home holds one already."""
    if home.institution_file.exists():
        raise StorageError("INSTITUTION_EXISTS", f"{home.folder} holds an institution already; use another --home.")
    root = Ed25519PrivateKey.generate()
    fields = {
        "short": short,
        "name": name,
        "root": public_key(root),
        "serial": 1,
        "issued": now(),
        "expires": in_days(days),
        "members": [],
    }
    institution = sign(typed(Institution, fields, where="institution"), root)
    keys.keep_signing("root", root)
    home.save_institution(institution)
    return institution


def add_member(
    home: Home, keys: Keystore, *, identifier: str, name: str, roles: Sequence[str]
) -> Verified[Institution]:
    """Make a member's keys, one for each use, and sign the institution anew."""
    institution = home.institution().document
    if institution.member(identifier) is not None:
        raise StorageError("MEMBER_EXISTS", f"{institution.short} has a member {identifier} already.")
    uses = ["api", *(use for role in dict.fromkeys(roles) for use in MEMBER_USES[role])]
    signing = {use: Ed25519PrivateKey.generate() for use in uses if use != "recipient"}
    public = {use: public_key(key) for use, key in signing.items()}
    recipient = RecipientKey.generate() if "recipient" in uses else None
    if recipient is not None:
        public["recipient"] = encode_base64(recipient.public_bytes())
    held = typed(MemberKeys, public, where="keys").model_dump(mode="json")
    fields = {"id": identifier, "name": name, "roles": list(roles), "keys": held}
    member = typed(Member, fields, where=f"member {identifier}")
    root = keys.signing("root")
    for use, key in signing.items():
        keys.keep_signing(f"{identifier}.{use}", key)
    if recipient is not None:
        keys.keep_recipient(f"{identifier}.recipient", recipient)
    return _reissue(home, institution, (*institution.members, member), root)


def remove_member(home: Home, keys: Keystore, *, identifier: str) -> Verified[Institution]:
    """Sign the institution anew without a member. The member's key files stay: results may be sealed to them."""
    institution = home.institution().document
    if institution.member(identifier) is None:
        raise StorageError("MEMBER_UNKNOWN", f"{institution.short} has no member {identifier}.")
    left = tuple(member for member in institution.members if member.id != identifier)
    return _reissue(home, institution, left, keys.signing("root"))


def _reissue(
    home: Home, old: Institution, members: tuple[Member, ...], root: Ed25519PrivateKey
) -> Verified[Institution]:
    fields = old.model_dump(mode="json") | {
        "serial": old.serial + 1,
        "issued": now(),
        "members": [member.model_dump(mode="json") for member in members],
    }
    institution = sign(typed(Institution, fields, where="institution"), root)
    home.save_institution(institution)
    return institution
