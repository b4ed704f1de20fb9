"""Nonces: evidence is fresh because it carries one, and counts once because it is used up with the release."""

import re
import secrets
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select, update

from custodian.context import Context
from custodian.tables import nonces
from protocol.documents.attested import RuntimeClaims
from protocol.documents.exchange import NonceReply
from protocol.errors import AccessDenied, AttestationError, DocumentError
from protocol.types import Digest, Key, format_time

__all__ = ["issue", "require_outstanding", "use"]

_RUN, _CONTRACT = re.compile(r"[0-9a-f]{32}"), re.compile(r"[0-9a-f]{64}")
_KEPT = timedelta(hours=1)
"""How long an expired nonce is remembered, so that the refusal can say that it expired."""


def issue(context: Context, run: str, contract: Digest) -> NonceReply:
    """Make a nonce for one run of one contract.

    Raises
    ------
    DocumentError
        ``RUN_ID`` for ids of another form.
    AccessDenied
        ``NONCES_OUTSTANDING`` where too many wait to be used.
    """
    if not _RUN.fullmatch(run) or not _CONTRACT.fullmatch(contract):
        raise DocumentError("RUN_ID", "A run is named by 32, a contract by 64 hexadecimal digits in lower case.")
    nonce = secrets.token_hex(32)
    with context.store.transaction() as connection:
        at = context.clock()
        connection.execute(delete(nonces).where(nonces.c.expires < format_time(at - _KEPT)))
        waiting = select(func.count()).where(nonces.c.used.is_(None), nonces.c.expires > format_time(at))
        of_run = connection.execute(waiting.where(nonces.c.run == run)).scalar_one()
        of_all = connection.execute(waiting).scalar_one()
        if of_run >= context.settings.nonces_per_run or of_all >= context.settings.nonces_outstanding:
            raise AccessDenied(
                "NONCES_OUTSTANDING", f"{of_run} nonces of this run and {of_all} of all wait. Use one, or wait a while."
            )
        connection.execute(
            insert(nonces).values(
                nonce=nonce, run=run, contract=contract, expires=format_time(at + context.settings.nonce_lifetime)
            )
        )
    return NonceReply(nonce=nonce)


def require_outstanding(connection: Connection, key: Key, claims: RuntimeClaims, at: datetime) -> Digest:
    """Return the nonce in the claims that this custodian gave for this run and contract, neither used nor expired.

    Raises
    ------
    AttestationError
        ``NONCE_MISSING`` unless the claims hold exactly one nonce of this custodian, ``NONCE_UNKNOWN`` where it is not
        this custodian's, ``NONCE_FOREIGN`` where it was given for another run or contract, ``NONCE_USED``,
        ``NONCE_EXPIRED``.
    """
    own = [nonce.nonce for nonce in claims.nonces if nonce.custodian == key]
    if len(own) != 1:
        raise AttestationError("NONCE_MISSING", f"The evidence holds {len(own)} nonces of this custodian, wanted one.")
    row = connection.execute(select(nonces).where(nonces.c.nonce == own[0])).one_or_none()
    if row is None:
        raise AttestationError("NONCE_UNKNOWN", "This custodian did not give the nonce in the evidence, or long ago.")
    if (row.run, row.contract) != (claims.run, claims.contract):
        raise AttestationError("NONCE_FOREIGN", "The nonce in the evidence was given for another run or contract.")
    if row.used is not None:
        raise AttestationError("NONCE_USED", f"The nonce in the evidence was used at {row.used}. Attest anew.")
    if row.expires <= format_time(at):
        raise AttestationError("NONCE_EXPIRED", f"The nonce in the evidence expired at {row.expires}. Attest anew.")
    return own[0]


def use(connection: Connection, nonce: Digest, at: datetime) -> None:
    """Use a nonce up."""
    connection.execute(update(nonces).where(nonces.c.nonce == nonce).values(used=format_time(at)))
