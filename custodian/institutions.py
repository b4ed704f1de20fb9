"""Institutions as this custodian last saw them: a broker cannot bring back a member who was removed."""

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from custodian.tables import institutions as table
from protocol.errors import AccessDenied
from protocol.governance import Institutions

__all__ = ["require_newest"]


def require_newest(connection: Connection, institutions: Institutions) -> None:
    """Record the institutions' serials within the caller's transaction.

    Raises
    ------
    AccessDenied
        ``INSTITUTION_OLD`` for a lower serial than was seen before, ``INSTITUTION_FORKED`` where two documents were
        signed under one serial. The caller's transaction is to be rolled back.
    """
    for root, institution in institutions.items():
        document = institution.document
        seen = connection.execute(select(table.c.serial, table.c.name).where(table.c.root == root)).one_or_none()
        if seen is not None and seen.serial > document.serial:
            raise AccessDenied(
                "INSTITUTION_OLD",
                f"{document.short} stands there with serial {document.serial}; serial {seen.serial} was seen before. "
                "Use the newest document.",
            )
        if seen is not None and seen.serial == document.serial and seen.name != institution.name:
            raise AccessDenied(
                "INSTITUTION_FORKED",
                f"{document.short} signed two documents with serial {document.serial}. It has to issue a higher one.",
            )
        values = {"serial": document.serial, "name": institution.name}
        connection.execute(
            insert(table).values(root=root, **values).on_conflict_do_update(index_elements=["root"], set_=values)
        )
