"""The data folder belongs to one broker at a time."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from protocol.errors import StorageError

__all__ = ["hold_folder"]


@contextmanager
def hold_folder(data: Path) -> Iterator[None]:
    """Make the data folder, for its user alone, or take the one that is there with its mode; keep other brokers out.

    Raises
    ------
    StorageError
        ``DATA_IN_USE`` where another process serves it. The hold ends with the process, however it ends.
    """
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (data / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StorageError(
                "DATA_IN_USE", f"Another broker serves {data}. Stop it, or give another folder."
            ) from error
        yield
