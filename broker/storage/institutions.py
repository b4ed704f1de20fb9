"""Institutions: the newest document of each root, and no way back to an older one."""

from collections.abc import Iterator

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from broker.errors import NotFound
from broker.storage.tables import institutions
from protocol.documents.institution import Institution
from protocol.dsse import Envelope, Verified
from protocol.errors import StorageError
from protocol.governance import Institutions, verify_institution
from protocol.types import Key

__all__ = [
    "find_institution",
    "get_institution",
    "has_joined",
    "institutions_after",
    "put_institution",
    "require_unchanged",
]


def has_joined(connection: Connection, root: Key) -> bool:
    """Return whether an institution with this root has joined."""
    return connection.scalar(select(institutions.c.root).where(institutions.c.root == root)) is not None


def require_unchanged(connection: Connection, seen: Institutions) -> None:
    """Raise ``StorageError`` with ``CHANGED`` unless these are still the newest documents, by their serials.

    Recipes, contracts and manifests never change: what was verified before the write lock was taken still holds.
    """
    query = select(institutions.c.root, institutions.c.serial).where(institutions.c.root.in_(list(seen)))
    serials = {row.root: row.serial for row in connection.execute(query)}
    if serials != {root: institution.document.serial for root, institution in seen.items()}:
        raise StorageError("CHANGED", "An institution brought another document meanwhile. Send the request again.")


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


def institutions_after(connection: Connection, after: str, limit: int) -> Iterator[Envelope]:
    """Give institutions in the order of their roots, from the first one behind ``after``."""
    query = select(institutions.c.envelope).where(institutions.c.root > after).order_by(institutions.c.root)
    return (Envelope.from_bytes(data) for data in connection.scalars(query.limit(limit)))


def put_institution(connection: Connection, new: Verified[Institution]) -> None:
    """Store an institution's next document; the same document again changes nothing.

    Raises
    ------
    StorageError
        ``SERIAL`` where the serial does not grow, ``SHORT_TAKEN`` where another institution has the same short name.
    """
    document = new.document
    for data in connection.scalars(select(institutions.c.envelope)).all():
        other = verify_institution(Envelope.from_bytes(data))
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
