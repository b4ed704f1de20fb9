"""Revocations: one approver of one owner is enough to stop a contract for good."""

import logging

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.sqlite import insert

from custodian.context import Context
from custodian.institutions import require_newest
from custodian.tables import revocations
from protocol.documents.receipt import StudyPack
from protocol.documents.study import Contract, Revocation
from protocol.dsse import Envelope, Unverified
from protocol.errors import AccessDenied
from protocol.governance import verify_institutions, verify_revocation
from protocol.types import Digest, format_time

__all__ = ["require_none", "revoke"]

_log = logging.getLogger(__name__)


def revoke(context: Context, pack: StudyPack, envelope: Envelope) -> None:
    """Verify and store a revocation durably; of the same approver again it changes nothing.

    It may come before any approval or run, and for a contract that could not run anyway. Nobody but the revoking
    institution can make it fail: of the pack, the contract's content and that institution's document are read, no
    other party's document or signature.

    Raises
    ------
    DocumentError
        A document is malformed, of another type or wrongly signed.
    AccessDenied
        ``OTHER_CONTRACT``, ``STRANGER``, ``INSTITUTION_UNKNOWN``, ``MEMBER_UNKNOWN``, ``ROLE``, ``INSTITUTION_OLD``,
        ``INSTITUTION_FORKED``.
    """
    contract = Unverified.parse(pack.contract, Contract)
    root = Unverified.parse(envelope, Revocation).claimed.institution
    # An institution is signed by its root, so its signature says whose it is before anything in it is read.
    own = verify_institutions(found for found in pack.institutions if found.signatures[0].keyid == root)
    revocation = verify_revocation(envelope, contract, own)
    with context.store.transaction() as connection:
        require_newest(connection, own)
        connection.execute(
            insert(revocations)
            .values(
                contract=revocation.document.contract,
                institution=revocation.document.institution,
                member=revocation.document.member,
                envelope=envelope.to_bytes(),
                time=format_time(context.clock()),
            )
            .on_conflict_do_nothing()
        )
    _log.info("revocation held: contract %s", revocation.document.contract)


def require_none(connection: Connection, contract: Digest) -> int:
    """Return how many revocations are held for a contract, which is none, or raise ``AccessDenied`` (``REVOKED``)."""
    held = connection.execute(
        select(func.count()).select_from(revocations).where(revocations.c.contract == contract)
    ).scalar_one()
    if held:
        raise AccessDenied("REVOKED", f"The contract was revoked ({held} held). Propose a new contract.")
    return held
