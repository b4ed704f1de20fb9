"""Client assertions that were used, and bearer tokens by their digest."""

from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError

from broker.errors import NotAuthenticated
from broker.storage.tables import assertions, tokens
from protocol.types import Key, Name

__all__ = ["TokenHolder", "find_holder", "keep_token", "use_assertion"]


@dataclass(frozen=True, slots=True)
class TokenHolder:
    """The member that a token was given to."""

    root: Key
    member: Name


def use_assertion(connection: Connection, holder: TokenHolder, jti: str, expires: float, now: float) -> None:
    """Note that an assertion was used; used once before, it raises ``NotAuthenticated`` with ``ASSERTION_REPLAYED``."""
    connection.execute(delete(assertions).where(assertions.c.expires < now))
    values = {"root": holder.root, "member": holder.member, "jti": _digest(jti), "expires": expires}
    try:
        connection.execute(insert(assertions).values(values))
    except IntegrityError as error:
        raise NotAuthenticated(
            "ASSERTION_REPLAYED", "This client assertion was used before. Sign a new one with a fresh jti."
        ) from error


def keep_token(connection: Connection, token: str, holder: TokenHolder, expires: float, now: float) -> None:
    """Remember a token by its digest, and forget those that expired."""
    connection.execute(delete(tokens).where(tokens.c.expires < now))
    values = {"digest": _digest(token), "root": holder.root, "member": holder.member, "expires": expires}
    connection.execute(insert(tokens).values(values))


def find_holder(connection: Connection, token: str, now: float) -> TokenHolder | None:
    """Return whom a token was given to, or None where it is unknown or expired."""
    query = select(tokens.c.root, tokens.c.member).where(tokens.c.digest == _digest(token), tokens.c.expires > now)
    row = connection.execute(query).first()
    return None if row is None else TokenHolder(row.root, row.member)


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()
