"""Revocations: one approver of one owner is enough to stop a contract for good."""

import logging

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.sqlite import insert

from custodian.context import Context
from custodian.institutions import require_newest
from custodian.tables import revocations
from protocol.documents.receipt import StudyPack
from protocol.documents.study import Revocation
from protocol.dsse import Envelope
from protocol.errors import AccessDenied
from protocol.governance import verify_contract, verify_institutions, verify_vote
from protocol.types import Digest, format_time

__all__ = ["require_none", "revoke"]

_log = logging.getLogger(__name__)


def revoke(context: Context, pack: StudyPack, envelope: Envelope) -> None:
    """Verify and store a revocation durably; of the same approver again it changes nothing.

    It may come before any approval or run, and for a contract that could not run anyway: only the contract and the
    institutions in the pack are verified.

    Raises
    ------
    DocumentError
        A document is malformed, of another type or wrongly signed.
    AccessDenied
        ``OTHER_CONTRACT``, ``STRANGER``, ``MEMBER_UNKNOWN``, ``ROLE``, ``INSTITUTION_OLD``.
    """
    institutions = verify_institutions(pack.institutions)
    contract = verify_contract(pack.contract, institutions)
    revocation = verify_vote(envelope, Revocation, contract, institutions)
    with context.store.transaction() as connection:
        require_newest(connection, institutions)
        connection.execute(
            insert(revocations)
            .values(
                contract=contract.name,
                institution=revocation.document.institution,
                member=revocation.document.member,
                envelope=envelope.to_bytes(),
                time=format_time(context.clock()),
            )
            .on_conflict_do_nothing()
        )
    _log.info("revocation held: contract %s", contract.name)


def require_none(connection: Connection, contract: Digest) -> int:
    """Return how many revocations are held for a contract, which is none, or raise ``AccessDenied`` (``REVOKED``)."""
    held = connection.execute(
        select(func.count()).select_from(revocations).where(revocations.c.contract == contract)
    ).scalar_one()
    if held:
        raise AccessDenied("REVOKED", f"The contract was revoked ({held} held). Propose a new contract.")
    return held
