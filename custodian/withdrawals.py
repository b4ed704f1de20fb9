"""Lists of withdrawn code and platforms, as their publishers last signed them: their numbers may not go back.

A list is taken in whoever brings it, for its publisher's signature decides. It is kept even where a later appraisal
policy no longer names the publisher, so that the number cannot go back when the policy names it again.
"""

import logging
from collections.abc import Mapping

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from attestation.reference import Attested, require_newer, verify_withdrawals
from custodian.context import Context
from custodian.tables import withdrawals as table
from protocol.documents.reference import WithdrawalList
from protocol.dsse import Envelope, Verified
from protocol.errors import AccessDenied, AttestationError
from protocol.governance import require_span
from protocol.types import Count, Digest, Document, Key, Timestamp

__all__ = [
    "HeldWithdrawals",
    "get_withdrawals",
    "held_withdrawals",
    "load_withdrawals",
    "put_withdrawals",
    "require_not_withdrawn",
]

_log = logging.getLogger(__name__)


class HeldWithdrawals(Document):
    """The list that is held of one publisher; only ``publisher`` is set where none is, and then nothing is released."""

    publisher: Key
    number: Count | None = None
    name: Digest | None = None
    issued: Timestamp | None = None
    next_update: Timestamp | None = None


def put_withdrawals(context: Context, envelope: Envelope) -> HeldWithdrawals:
    """Verify and store a withdrawal list in place of the publisher's earlier one; the same again changes nothing.

    One that is due for an update is taken too: what it names counts, and nothing is released until a newer one is here.

    Raises
    ------
    DocumentError
        The list is malformed or wrongly signed.
    AttestationError
        ``PUBLISHER``, ``WITHDRAWALS_OLD``, ``WITHDRAWALS_FORKED``.
    AccessDenied
        ``NOT_YET_VALID`` where it is dated in the future.
    """
    found = verify_withdrawals(envelope, context.settings.appraisal.reference_values.withdrawal_publishers)
    document = found.document
    with context.store.transaction() as connection:
        require_span(f"withdrawal list {document.number}", document.issued, None, context.clock())
        known = load_withdrawals(connection, (document.publisher,)).get(document.publisher)
        if require_newer(known, found):
            values = {"number": document.number, "envelope": envelope.to_bytes()}
            connection.execute(
                insert(table)
                .values(publisher=document.publisher, **values)
                .on_conflict_do_update(index_elements=["publisher"], set_=values)
            )
    _log.info("withdrawal list held: publisher %s number %d", document.publisher, document.number)
    return _held(document.publisher, found)


def held_withdrawals(context: Context) -> tuple[HeldWithdrawals, ...]:
    """Return what is held of each publisher that the appraisal policy names, in the policy's order."""
    publishers = context.settings.appraisal.reference_values.withdrawal_publishers
    with context.store.transaction() as connection:
        lists = load_withdrawals(connection, publishers)
    return tuple(_held(publisher, lists.get(publisher)) for publisher in publishers)


def get_withdrawals(context: Context, publisher: Key) -> Envelope:
    """Return the list that is held of one publisher.

    Raises
    ------
    AccessDenied
        ``WITHDRAWALS_UNKNOWN`` where none is.
    """
    with context.store.transaction() as connection:
        found = load_withdrawals(connection, (publisher,)).get(publisher)
    if found is None:
        raise AccessDenied("WITHDRAWALS_UNKNOWN", f"No withdrawal list of publisher {publisher[:16]} is here.")
    return found.envelope


def load_withdrawals(connection: Connection, publishers: tuple[Key, ...]) -> Mapping[Key, Verified[WithdrawalList]]:
    """Return the lists that are held of these publishers, each verified again."""
    rows = connection.execute(select(table.c.envelope).where(table.c.publisher.in_(publishers))).scalars()
    lists = [verify_withdrawals(Envelope.from_bytes(row), publishers) for row in rows]
    return {found.document.publisher: found for found in lists}


def require_not_withdrawn(context: Context, connection: Connection, attested: Attested) -> None:
    """Raise ``AttestationError`` with ``WITHDRAWN`` where a held list names this enclave or its platform."""
    publishers = context.settings.appraisal.reference_values.withdrawal_publishers
    for publisher, found in load_withdrawals(connection, publishers).items():
        if named := attested.named_in(found.document):
            raise AttestationError(
                "WITHDRAWN",
                f"Withdrawal list {found.document.number} of {found.document.issued}, publisher {publisher[:16]}, "
                f"names {named}. The outputs of this run are not released. Propose a contract on other code or have it "
                "run on another platform.",
            )


def _held(publisher: Key, found: Verified[WithdrawalList] | None) -> HeldWithdrawals:
    if found is None:
        return HeldWithdrawals(publisher=publisher)
    document = found.document
    return HeldWithdrawals(
        publisher=publisher,
        number=document.number,
        name=found.name,
        issued=document.issued,
        next_update=document.next_update,
    )
