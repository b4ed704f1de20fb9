"""Approving and revoking: an approver's signature, made on the approver's own machine after reading."""

from protocol.documents.study import Approval, Contract, Revocation
from protocol.dsse import Unverified, Verified, sign
from protocol.errors import AccessDenied
from protocol.governance import verify_revocation, verify_vote
from protocol.types import Digest
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
    contract = judged.study.contract
    _require_owner(contract.document, party)
    approval = sign(typed(Approval, _fields(contract.name, party), where="approval"), party.signing_key("approver"))
    verify_vote(approval.envelope, Approval, contract, judged.study.institutions)
    return approval


def sign_revocation(contract: Unverified[Contract], party: Party, reason: str) -> Verified[Revocation]:
    """Sign a revocation; it cannot be taken back. The contract may be one that nobody vouches for any more."""
    _require_owner(contract.claimed, party)
    fields = _fields(contract.envelope.name, party) | {"reason": reason}
    revocation = sign(typed(Revocation, fields, where="revocation"), party.signing_key("approver"))
    verify_revocation(revocation.envelope, contract, {party.root: party.institution})
    return revocation


def _fields(contract: Digest, party: Party) -> dict[str, str]:
    return {
        "contract": contract,
        "institution": party.root,
        "member": party.member.id,
        "time": now(),
    }


def _require_owner(contract: Contract, party: Party) -> None:
    if party.root not in contract.owners:
        short = party.institution.document.short
        raise AccessDenied("STRANGER", f"{short} owns none of the datasets of this contract; there is nothing to sign.")
