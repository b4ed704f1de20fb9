"""How many documents of a kind one institution may keep here: nobody fills the disk or the others' lists."""

from sqlalchemy import Column, Connection, Table, func, select

from protocol.errors import AccessDenied
from protocol.types import Digest, Key

__all__ = ["require_quota"]


def require_quota(
    connection: Connection, table: Table, by: Column[str], institution: Key, name: Digest, quota: int
) -> None:
    """Raise ``AccessDenied`` with ``QUOTA`` where the institution keeps ``quota`` rows and ``name`` is none of them."""
    kept = connection.scalar(select(func.count()).select_from(table).where(by == institution, table.c.name != name))
    if (kept or 0) >= quota:
        raise AccessDenied(
            "QUOTA",
            f"The institution keeps {kept} {table.name} here, which is the most. Ask the operator for a larger quota.",
        )
