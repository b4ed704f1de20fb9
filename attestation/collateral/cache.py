"""Keeping items of collateral: in a folder, one file an item, or in memory.

A file appears whole or not at all. One that is damaged is left out with a warning, and the item is fetched again; a
file that somebody wrote is vetted like an answer of the source. What the cache alone knows is the last number and date
of an item: whoever can remove files can make it forget them, and no more.
"""

import logging
import os
import secrets
import stat
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from pydantic import ValidationError

from attestation.collateral.items import CollateralItem

__all__ = ["Cache", "FolderCache", "MemoryCache"]

_log = logging.getLogger(__name__)
MAX_FILE: Final = 1_048_576


class Cache(Protocol):
    """Items by key (``PlatformCertificates.key``)."""

    def get(self, key: str) -> CollateralItem | None:
        """Return what was kept, or None."""

    def put(self, key: str, item: CollateralItem) -> None:
        """Keep an item in place of the one before."""


class MemoryCache:
    """Forgets when the process ends."""

    def __init__(self) -> None:
        self._items: dict[str, CollateralItem] = {}

    def get(self, key: str) -> CollateralItem | None:
        """Return what was kept, or None."""
        return self._items.get(key)

    def put(self, key: str, item: CollateralItem) -> None:
        """Keep an item in place of the one before."""
        self._items[key] = item


class FolderCache:
    """Keeps items in a folder that is made when the first one is kept; several processes may share it.

    Where the disk fails there is a warning and no item: what was fetched is used all the same.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, key: str) -> CollateralItem | None:
        """Return what was kept; None, with a warning, where it cannot be read."""
        path = self._path(key)
        try:
            with _open(path) as file:
                return CollateralItem.model_validate_json(file.read(MAX_FILE))
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            _log.warning("the kept collateral %s is left out: it cannot be read (%s)", path, type(error).__name__)
            return None

    def put(self, key: str, item: CollateralItem) -> None:
        """Keep an item in place of the one before; on a disk that fails, warn."""
        path = self._path(key)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(item.model_dump_json().encode())
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except OSError as error:
            _log.warning("the collateral %s was not kept: %s", path, error.strerror)
            draft.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.json"


def _open(path: Path) -> BinaryIO:
    """Open a regular file, without waiting for whoever may write to a FIFO."""
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    file.close()
    raise OSError("not a regular file")
