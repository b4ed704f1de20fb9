"""Countersigning outputs: the last word of an owner's custodian before anything is sealed for a recipient.

Only the enclave of the run's latest release may commit; older ones are fenced out. The first digest that is committed
for a run stands: the same enclave asking again gets the same bytes, a later enclave of the same run a commit of its
own over the same digest and count, any other digest is refused. A revocation or an expiry stops repetitions too, and
so does a withdrawal of the code or the platform that came after the keys were released.
"""

import logging
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from custodian.attested import attested_of
from custodian.context import Context
from custodian.release import count_runs
from custodian.revoke import require_none
from custodian.tables import commits, runs
from custodian.withdrawals import require_not_withdrawn
from protocol.documents.attested import CommitRequest, ReleaseCommit
from protocol.dsse import Envelope, Unverified, sign
from protocol.errors import AccessDenied
from protocol.governance import require_span
from protocol.types import format_time

__all__ = ["commit"]

_log = logging.getLogger(__name__)


def commit(context: Context, run: str, fence: int, envelope: Envelope) -> Envelope:
    """Record the digest of a run's outputs and countersign it.

    Raises
    ------
    DocumentError
        The request is malformed or not signed by the enclave that attested.
    AccessDenied
        ``RUN_UNKNOWN``, ``OTHER_CONTRACT``, ``FENCED_OUT``, ``REVOKED``, ``EXPIRED``, ``RUNS_SPENT``,
        ``COMMIT_DIFFERS``, ``ATTESTED_UNKNOWN``.
    AttestationError
        ``WITHDRAWN``.
    """
    request = Unverified.parse(envelope, CommitRequest)
    with context.store.transaction() as connection:
        at = context.clock()
        row = _require_latest(connection, run, fence, request)
        document = request.verify(row.signing).document
        held = require_none(connection, row.contract)
        require_not_withdrawn(context, connection, attested_of(connection, run))
        require_span("study", row.charged, row.expires, at)
        if row.outputs is not None and row.outputs != document.outputs:
            raise AccessDenied("COMMIT_DIFFERS", "Other outputs were committed for this run. A run has one result.")
        count = _require_count(connection, row)
        stored = connection.execute(
            select(commits.c.envelope).where(commits.c.run == run, commits.c.claims == row.claims)
        ).scalar()
        if stored is not None:
            return Envelope.from_bytes(stored)
        signed = sign(
            ReleaseCommit(
                custodian=context.key,
                contract=row.contract,
                run=run,
                claims=row.claims,
                outputs=document.outputs,
                runs_charged=count,
                revocations_held=held,
                time=format_time(at),
            ),
            context.secrets.signing,
        )
        connection.execute(
            update(runs).where(runs.c.run == run).values(outputs=document.outputs, count_at_commit=count)
        )
        connection.execute(
            insert(commits).values(name=signed.name, run=run, claims=row.claims, envelope=signed.envelope.to_bytes())
        )
    _log.info("outputs committed: contract %s run %s fence %d", row.contract, run, fence)
    return signed.envelope


def _require_latest(connection: Connection, run: str, fence: int, request: Unverified[CommitRequest]) -> Row[Any]:
    claimed = request.claimed
    row = connection.execute(select(runs).where(runs.c.run == run)).one_or_none()
    if row is None or claimed.run != run:
        raise AccessDenied("RUN_UNKNOWN", "No key was released for the run of this request.")
    if claimed.contract != row.contract:
        raise AccessDenied("OTHER_CONTRACT", "The run of this request is charged to another contract.")
    if fence != row.fence or claimed.claims != row.claims:
        raise AccessDenied(
            "FENCED_OUT", f"Keys were last released under fence {row.fence} to another enclave or lease than this."
        )
    return row


def _require_count(connection: Connection, row: Row[Any]) -> int:
    charged = count_runs(connection, row.contract)
    if charged > row.max_runs:
        raise AccessDenied("RUNS_SPENT", f"{charged} runs are charged where the contract allows {row.max_runs}.")
    return charged if row.count_at_commit is None else int(row.count_at_commit)
