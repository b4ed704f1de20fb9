"""What the broker keeps: a SQLite database for documents and states, an object store for sealed bytes."""

from broker.storage.database import Database
from broker.storage.objects import ObjectStore

__all__ = ["Database", "ObjectStore"]
