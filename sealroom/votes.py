"""Approving and revoking: an approver's signature, made on the approver's own machine after reading."""

from protocol.documents.study import Approval, Revocation
from protocol.dsse import Verified, sign
from protocol.errors import AccessDenied
from protocol.governance import verify_vote
from sealroom.party import Party
from sealroom.studies import Judged
from sealroom.times import now
from sealroom.typed import typed

__all__ = ["sign_approval", "sign_revocation"]


def sign_approval(judged: Judged, party: Party) -> Verified[Approval]:
    """Sign an approval.

    Raises
    ------
    AccessDenied
        ``UNANCHORED`` where the study rests on anything that is not pinned, ``STRANGER`` where this institution owns
        none of its datasets.
    """
    judged.require_anchored()
    _require_owner(judged, party)
    approval = sign(typed(Approval, _fields(judged, party), where="approval"), party.signing_key("approver"))
    verify_vote(approval.envelope, Approval, judged.study.contract, judged.study.institutions)
    return approval


def sign_revocation(judged: Judged, party: Party, reason: str) -> Verified[Revocation]:
    """Sign a revocation; it cannot be taken back."""
    _require_owner(judged, party)
    fields = _fields(judged, party) | {"reason": reason}
    revocation = sign(typed(Revocation, fields, where="revocation"), party.signing_key("approver"))
    verify_vote(revocation.envelope, Revocation, judged.study.contract, judged.study.institutions)
    return revocation


def _fields(judged: Judged, party: Party) -> dict[str, str]:
    return {
        "contract": judged.study.contract.name,
        "institution": party.root,
        "member": party.member.id,
        "time": now(),
    }


def _require_owner(judged: Judged, party: Party) -> None:
    if party.root not in judged.study.contract.document.owners:
        short = party.institution.document.short
        raise AccessDenied("STRANGER", f"{short} owns none of the datasets of this contract; there is nothing to sign.")
