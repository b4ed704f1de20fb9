"""Recipes, contracts and votes: signed documents, kept as they came and never changed."""

from collections.abc import Iterator

from sqlalchemy import Connection, Table, select
from sqlalchemy.dialects.sqlite import insert

from broker.errors import NotFound
from broker.storage.quota import require_quota
from broker.storage.tables import contracts, recipes, votes
from protocol.documents.study import Approval, Contract, Recipe, Revocation
from protocol.dsse import Envelope, Verified
from protocol.errors import StorageError
from protocol.types import Digest

__all__ = [
    "contracts_after",
    "get_contract",
    "get_recipe",
    "put_contract",
    "put_recipe",
    "put_vote",
    "recipes_after",
    "votes_on",
]


def put_recipe(connection: Connection, recipe: Verified[Recipe], quota: int) -> None:
    """Store a recipe; the same again changes nothing. Raises ``AccessDenied`` with ``QUOTA``."""
    author = recipe.document.author
    require_quota(connection, recipes, recipes.c.author, author, recipe.name, quota)
    values = {"name": recipe.name, "envelope": recipe.envelope.to_bytes(), "author": author}
    connection.execute(insert(recipes).values(values).on_conflict_do_nothing())


def get_recipe(connection: Connection, name: Digest) -> Envelope:
    """Return a recipe, or raise ``NotFound`` with ``RECIPE_UNKNOWN``."""
    return _get(connection, recipes, name, "RECIPE_UNKNOWN", "recipe")


def recipes_after(connection: Connection, after: str, limit: int) -> Iterator[Envelope]:
    """Give recipes in the order of their names, from the first one behind ``after``."""
    query = select(recipes.c.envelope).where(recipes.c.name > after).order_by(recipes.c.name).limit(limit)
    return (Envelope.from_bytes(row) for row in connection.scalars(query))


def put_contract(connection: Connection, contract: Verified[Contract], quota: int) -> None:
    """Store a contract; the same again changes nothing. Raises ``AccessDenied`` with ``QUOTA``."""
    proposer = contract.document.proposer
    require_quota(connection, contracts, contracts.c.proposer, proposer, contract.name, quota)
    values = {
        "name": contract.name,
        "recipe": contract.document.recipe,
        "envelope": contract.envelope.to_bytes(),
        "proposer": proposer,
    }
    connection.execute(insert(contracts).values(values).on_conflict_do_nothing())


def get_contract(connection: Connection, name: Digest) -> Envelope:
    """Return a contract, or raise ``NotFound`` with ``CONTRACT_UNKNOWN``."""
    return _get(connection, contracts, name, "CONTRACT_UNKNOWN", "contract")


def contracts_after(connection: Connection, after: str, limit: int) -> list[Digest]:
    """Return the names of contracts in ascending order, from the first one behind ``after``."""
    query = select(contracts.c.name).where(contracts.c.name > after).order_by(contracts.c.name).limit(limit)
    return list(connection.scalars(query))


def put_vote(connection: Connection, vote: Verified[Approval] | Verified[Revocation]) -> None:
    """Store a vote; the same again, or another revocation by the same member, changes nothing.

    Raises
    ------
    StorageError
        ``VOTED`` where this member approved the contract before, with another document.
    """
    document = vote.document
    mine = (votes.c.kind == document.kind, votes.c.institution == document.institution)
    query = select(votes.c.name).where(votes.c.contract == document.contract, *mine, votes.c.member == document.member)
    before = connection.scalar(query)
    if before == vote.name or (before is not None and document.kind == "revocation"):
        return
    if before is not None:
        raise StorageError("VOTED", f"{document.member} approved this contract before; once is enough.")
    values = {
        "name": vote.name,
        "contract": document.contract,
        "kind": document.kind,
        "institution": document.institution,
        "member": document.member,
        "envelope": vote.envelope.to_bytes(),
    }
    connection.execute(insert(votes).values(values))


def votes_on(connection: Connection, contract: Digest, kind: str) -> list[Envelope]:
    """Return the approvals or the revocations of a contract, ordered by institution and member."""
    query = select(votes.c.envelope).where(votes.c.contract == contract, votes.c.kind == kind)
    rows = connection.scalars(query.order_by(votes.c.institution, votes.c.member))
    return [Envelope.from_bytes(row) for row in rows]


def _get(connection: Connection, table: Table, name: Digest, code: str, what: str) -> Envelope:
    data = connection.scalar(select(table.c.envelope).where(table.c.name == name))
    if data is None:
        raise NotFound(code, f"No {what} is named {name[:16]}.")
    return Envelope.from_bytes(data)
