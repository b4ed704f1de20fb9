"""Institutions: the newest document of each root, and no way back to an older one."""

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from broker.errors import NotFound
from broker.storage.tables import institutions
from protocol.documents.institution import Institution
from protocol.dsse import Envelope, Verified
from protocol.errors import StorageError
from protocol.governance import verify_institution
from protocol.types import Key

__all__ = ["all_institutions", "find_institution", "get_institution", "put_institution"]


def find_institution(connection: Connection, root: Key) -> Verified[Institution] | None:
    """Return the newest document of an institution, verified anew, or None."""
    data = connection.scalar(select(institutions.c.envelope).where(institutions.c.root == root))
    return None if data is None else verify_institution(Envelope.from_bytes(data))


def get_institution(connection: Connection, root: Key) -> Verified[Institution]:
    """Return the newest document of an institution, or raise ``NotFound`` with ``INSTITUTION_UNKNOWN``."""
    found = find_institution(connection, root)
    if found is None:
        raise NotFound("INSTITUTION_UNKNOWN", f"No institution with root {root[:16]} has joined this broker.")
    return found


def all_institutions(connection: Connection) -> list[Verified[Institution]]:
    """Return all institutions in the order of their roots."""
    rows = connection.scalars(select(institutions.c.envelope).order_by(institutions.c.root))
    return [verify_institution(Envelope.from_bytes(data)) for data in rows]


def put_institution(connection: Connection, new: Verified[Institution]) -> None:
    """Store an institution's next document; the same document again changes nothing.

    Raises
    ------
    StorageError
        ``SERIAL`` where the serial does not grow, ``SHORT_TAKEN`` where another institution has the same short name.
    """
    document = new.document
    for other in all_institutions(connection):
        if other.document.root == document.root:
            if other.name == new.name:
                return
            if document.serial <= other.document.serial:
                raise StorageError(
                    "SERIAL",
                    f"Found serial {document.serial}; the broker holds serial {other.document.serial}. "
                    "Sign the change with a higher serial.",
                )
        elif other.document.short == document.short:
            raise StorageError("SHORT_TAKEN", f"Another institution is called {document.short}. Choose another name.")
    values = {"serial": document.serial, "envelope": new.envelope.to_bytes()}
    statement = insert(institutions).values(root=document.root, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["root"], set_=values))
