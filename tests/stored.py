"""What a broker and its custodian have on their disk."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Stored:
    """Reads the data folder of a broker that runs, or does not."""

    broker_data: Path

    def custody(self, run: str | None = None) -> dict[str, list[tuple[Any, ...]]]:
        """Return the custodian's rows by table, all but nonces; of one run where it is given."""
        tables = ("institutions", "capsules", "runs", "releases", "commits", "revocations")
        with _database(self.broker_data / "custodian" / "custodian.sqlite3") as database:
            if run is None:
                return {t: sorted(database.execute(f"SELECT * FROM {t}").fetchall()) for t in tables}
            return {
                t: database.execute(f"SELECT * FROM {t} WHERE run = ?", (run,)).fetchall()
                for t in ("runs", "releases", "commits", "nonces")
            }

    def lease(self, run: str) -> dict[str, Any]:
        """Return a run's row at the broker."""
        with _database(self.broker_data / "broker.sqlite3") as database:
            database.row_factory = sqlite3.Row
            return dict(database.execute("SELECT * FROM runs WHERE run = ?", (run,)).fetchone())

    def results(self, run: str) -> list[Path]:
        """Return every result object that is stored for a run."""
        return [path for path in (self.broker_data / "objects").rglob("*") if path.is_file() and run in str(path)]

    def parts(self, dataset: str) -> list[Path]:
        """Return the stored parts of a dataset, in order."""
        return sorted(path for path in (self.broker_data / "objects" / "sealed" / dataset).rglob("*") if path.is_file())


@contextmanager
def _database(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    try:
        yield connection
    finally:
        connection.close()
