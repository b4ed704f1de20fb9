"""Runs and their leases.

A host claims a run for a while under a fence, a number that grows with each lease. One UPDATE claims, so two hosts
never get the same lease. The fence decides, not the clock: a holder whose lease ran out keeps it until another host
claims the run, and from then on every call under the old fence is refused.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Row, and_, func, insert, or_, select, update

from broker import states
from broker.errors import NotFound
from broker.storage.tables import runs
from protocol.errors import AccessDenied, StorageError
from protocol.types import Digest, Name

__all__ = [
    "Run",
    "all_runs",
    "claim",
    "create_run",
    "end_run",
    "extend",
    "fail_lease",
    "get_run",
    "note_release",
    "refuse_waiting",
    "require_fence",
]

_TAKING = ("waiting", "leased", "finished")
"""States in which a run takes one of the contract's runs; what failed after a release is the custodian's to count."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it is stored."""

    run: str
    contract: Digest
    profile: Name
    state: states.RunState
    fence: int
    keys_released: bool
    created: str
    result: Digest | None
    code: str | None
    detail: str | None
    lease_until: float | None

    def state_at(self, now: float) -> states.RunState:
        """Return the state to show at ``now``: a run whose lease ran out waits for another host."""
        ran_out = self.state == "leased" and self.lease_until is not None and self.lease_until < now
        return "waiting" if ran_out else self.state


def create_run(connection: Connection, *, contract: Digest, profile: Name, max_runs: int, created: str) -> Run:
    """Add a waiting run, or raise ``AccessDenied`` with ``RUNS_SPENT`` where the contract's runs are taken."""
    taken = connection.scalar(
        select(func.count()).select_from(runs).where(runs.c.contract == contract, runs.c.state.in_(_TAKING))
    )
    if (taken or 0) >= max_runs:
        raise AccessDenied(
            "RUNS_SPENT", f"The contract allows {max_runs} runs and {taken} are taken. Propose a new contract."
        )
    number = (connection.scalar(select(func.max(runs.c.number))) or 0) + 1
    values = {
        "run": secrets.token_hex(16),
        "number": number,
        "contract": contract,
        "profile": profile,
        "state": "waiting",
        "fence": 0,
        "keys_released": 0,
        "created": created,
    }
    return _run(connection.execute(insert(runs).values(values).returning(runs)).one())


def get_run(connection: Connection, run: str) -> Run:
    """Return a run, or raise ``NotFound`` with ``RUN_UNKNOWN``."""
    row = connection.execute(select(runs).where(runs.c.run == run)).first()
    if row is None:
        raise NotFound("RUN_UNKNOWN", f"No run is numbered {run[:16]}.")
    return _run(row)


def all_runs(connection: Connection) -> list[Run]:
    """Return all runs in the order in which they were started."""
    return [_run(row) for row in connection.execute(select(runs).order_by(runs.c.number))]


def claim(connection: Connection, *, profiles: tuple[Name, ...], now: float, lease: float, leases: int) -> Run | None:
    """Lease the oldest run that waits, or whose lease ran out, for ``lease`` seconds; None where there is none.

    A run whose last of ``leases`` leases ran out ends as failed.
    """
    ran_out = and_(runs.c.state == "leased", runs.c.lease_until < now)
    connection.execute(update(runs).where(ran_out, runs.c.fence >= leases).values(**_spent(leases), lease_until=None))
    oldest = (
        select(runs.c.run)
        .where(or_(runs.c.state == "waiting", ran_out), runs.c.profile.in_(profiles))
        .order_by(runs.c.number)
        .limit(1)
        .scalar_subquery()
    )
    row = connection.execute(
        update(runs)
        .where(runs.c.run == oldest)
        .values(state="leased", fence=runs.c.fence + 1, lease_until=now + lease)
        .returning(runs)
    ).first()
    return None if row is None else _run(row)


def extend(connection: Connection, run: str, fence: int, until: float) -> Run:
    """Extend a lease to ``until``, or raise ``StorageError`` with ``STALE_FENCE``."""
    return _change_leased(connection, run, fence, {"lease_until": until})


def require_fence(connection: Connection, run: str, fence: int) -> Run:
    """Return a run that is leased under ``fence``, or raise ``StorageError`` with ``STALE_FENCE``."""
    found = get_run(connection, run)
    if found.state != "leased" or found.fence != fence:
        raise _stale(found, fence)
    return found


def note_release(connection: Connection, run: str, fence: int) -> None:
    """Note that a custodian released keys for this run: from now on nothing that an enclave says is kept."""
    _change_leased(connection, run, fence, {"keys_released": 1})


def end_run(
    connection: Connection,
    run: str,
    fence: int,
    state: states.RunState,
    *,
    result: Digest | None = None,
    code: str | None = None,
    detail: str | None = None,
) -> Run:
    """End a run that is leased under ``fence``."""
    states.require_transition(states.RUN, "run", "leased", state)
    values = {"state": state, "lease_until": None, "result": result, "code": code, "detail": detail}
    return _change_leased(connection, run, fence, values)


def fail_lease(connection: Connection, run: str, fence: int, leases: int) -> Run:
    """Give a lease back without a result: the run waits for another, or ends as failed after ``leases`` of them."""
    if fence >= leases:
        return _change_leased(connection, run, fence, {**_spent(leases), "lease_until": None})
    return _change_leased(connection, run, fence, {"state": "waiting", "lease_until": None})


def refuse_waiting(connection: Connection, contract: Digest, code: str, detail: str) -> None:
    """End the runs of a contract that no host has taken."""
    connection.execute(
        update(runs)
        .where(runs.c.contract == contract, runs.c.state == "waiting")
        .values(state="refused", code=code, detail=detail)
    )


def _change_leased(connection: Connection, run: str, fence: int, values: Mapping[str, object]) -> Run:
    row = connection.execute(
        update(runs)
        .where(runs.c.run == run, runs.c.fence == fence, runs.c.state == "leased")
        .values(values)
        .returning(runs)
    ).first()
    if row is None:
        raise _stale(get_run(connection, run), fence)
    return _run(row)


def _stale(found: Run, fence: int) -> StorageError:
    return StorageError(
        "STALE_FENCE",
        f"Run {found.run[:8]} is {found.state} under fence {found.fence}; this host holds {fence}. Stop its enclave.",
    )


def _spent(leases: int) -> dict[str, str]:
    detail = f"{leases} hosts took the run and none brought a result. See the hosts' logs."
    return {"state": "failed", "code": "LEASES_SPENT", "detail": detail}


def _run(row: Row[tuple[object, ...]]) -> Run:
    return Run(
        run=row.run,
        contract=row.contract,
        profile=row.profile,
        state=row.state,
        fence=row.fence,
        keys_released=bool(row.keys_released),
        created=row.created,
        result=row.result,
        code=row.code,
        detail=row.detail,
        lease_until=row.lease_until,
    )
