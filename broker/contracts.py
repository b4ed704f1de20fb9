"""Contracts: their study as far as it is there, and their state, computed from signed documents each time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from broker.states import ContractState
from broker.storage.datasets import get_dataset
from broker.storage.institutions import find_institution, get_institution
from broker.storage.studies import get_contract, get_recipe, votes_on
from protocol.documents.institution import Institution
from protocol.documents.receipt import StudyPack
from protocol.documents.study import Approval, Contract
from protocol.dsse import Envelope, Unverified, Verified
from protocol.errors import AccessDenied, SealroomError
from protocol.governance import (
    Institutions,
    require_current,
    require_quorum,
    verify_contract,
    verify_proposal,
    verify_vote,
)
from protocol.types import Digest, Key

__all__ = ["StoredStudy", "assemble", "institutions_of", "judge", "load_study", "parties", "require_approved"]


@dataclass(frozen=True, slots=True)
class StoredStudy:
    """A contract with everything around it. ``pack`` holds those approvals that count today, the others are listed."""

    name: Digest
    contract: Contract
    envelope: Envelope
    pack: StudyPack
    approvals: tuple[Envelope, ...]
    revocations: tuple[Envelope, ...]


def parties(contract: Contract) -> tuple[Key, ...]:
    """Return the roots of the owners, the proposer and the recipients, each once, in this order."""
    recipients = (recipient.institution for output in contract.outputs for recipient in output.recipients)
    return tuple(dict.fromkeys((*contract.owners, contract.proposer, *recipients)))


def assemble(connection: Connection, envelope: Envelope) -> StudyPack:
    """Gather what a contract names, without approvals, or raise ``NotFound`` for what is not here."""
    contract = Unverified.parse(envelope, Contract).claimed
    return StudyPack(
        institutions=tuple(get_institution(connection, root).envelope for root in parties(contract)),
        manifests=tuple(get_dataset(connection, binding.dataset).envelope for binding in contract.datasets),
        recipe=get_recipe(connection, contract.recipe),
        contract=envelope,
        approvals=(),
    )


def load_study(connection: Connection, name: Digest) -> StoredStudy:
    """Return a contract with its study, or raise ``NotFound`` with ``CONTRACT_UNKNOWN``."""
    envelope = get_contract(connection, name)
    bare = assemble(connection, envelope)
    approvals = tuple(votes_on(connection, name, "approval"))
    contract = Unverified.parse(envelope, Contract).claimed
    institutions = institutions_of(connection, contract)
    pack = StudyPack(
        institutions=bare.institutions,
        manifests=bare.manifests,
        recipe=bare.recipe,
        contract=envelope,
        approvals=tuple(_counting(approvals, envelope, institutions)),
    )
    return StoredStudy(name, contract, envelope, pack, approvals, tuple(votes_on(connection, name, "revocation")))


def institutions_of(connection: Connection, contract: Contract) -> dict[Key, Verified[Institution]]:
    """Return the parties of a contract that have joined."""
    found = (find_institution(connection, root) for root in parties(contract))
    return {institution.document.root: institution for institution in found if institution is not None}


def judge(study: StoredStudy, at: datetime) -> tuple[ContractState, SealroomError | None]:
    """Return a contract's state at a time, and why it may not run in that state.

    Every document is verified anew, so the answer does not rest on what was true when a document was stored.
    """
    if study.revocations:
        return "revoked", AccessDenied("REVOKED", "An owner withdrew consent. Propose a new contract.")
    try:
        verified = verify_proposal(study.pack)
    except SealroomError as error:
        return "void", error
    try:
        require_current(verified, at)
    except AccessDenied as error:
        return ("expired" if error.code == "EXPIRED" else "void"), error
    try:
        require_quorum(verified)
    except AccessDenied as error:
        return "proposed", error
    return "approved", None


def require_approved(study: StoredStudy, at: datetime) -> None:
    """Raise the reason unless a contract may run now."""
    _state, reason = judge(study, at)
    if reason is not None:
        raise reason


def _counting(
    approvals: tuple[Envelope, ...], contract_envelope: Envelope, institutions: Institutions
) -> Iterator[Envelope]:
    """Give the approvals whose signers are approvers today; an approver who left counts no more."""
    try:
        contract = verify_contract(contract_envelope, institutions)
    except SealroomError:
        return
    for approval in approvals:
        try:
            verify_vote(approval, Approval, contract, institutions)
        except SealroomError:
            continue
        yield approval
