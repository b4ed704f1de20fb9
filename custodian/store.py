"""The custodian's own SQLite database: every decision is one transaction that holds the write lock from its start.

BEGIN IMMEDIATE, because SQLite's deferred transactions lose updates without an error where two read first and write
then; WAL with ``synchronous=FULL``, because what was acknowledged has to survive a power cut.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import DBAPIError

from protocol.errors import StorageError

__all__ = ["Store"]

_BUSY_SECONDS = 30


class Store:
    """An open database at its newest schema; ``close`` it."""

    def __init__(self, path: Path) -> None:
        self._engine = create_engine(
            f"sqlite:///{path}",
            connect_args={"timeout": _BUSY_SECONDS},
            max_overflow=-1,  # who waits, waits for the write lock, not for a connection
        )
        event.listen(self._engine, "connect", _prepare)
        event.listen(self._engine, "begin", _begin_immediate)
        try:
            with self._engine.begin() as connection:
                _upgrade(connection)
        except DBAPIError as error:
            self._engine.dispose()
            raise StorageError("DATABASE", f"{path} cannot be opened as a custodian's database.") from error

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Hold the write lock; commit durably at the end, roll back on any error.

        Raises
        ------
        StorageError
            ``DATABASE`` where the database is busy for 30 s, full or damaged: nothing was recorded.
        """
        try:
            with self._engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            raise StorageError(
                "DATABASE", "The custodian's database did not take the change: busy, full or damaged. Nothing was done."
            ) from error

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def _prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's connection has no common type
    connection.isolation_level = None  # the driver begins nothing by itself
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "trusted_schema=OFF"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", "custodian:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
