"""The object store: sealed parts and result bundles, one object each, written once.

obstore's local store writes a file under a temporary name and links it into place, so nobody sees half an object and
``mode="create"`` refuses a second writer. In that mode obstore holds the whole object in memory before it writes: 16
MiB for a part; ``broker.uploads`` bounds how many come in at once. And it does not flush (strace shows no fsync), so
``_make_durable`` flushes file and folders before anything is acknowledged: what was acknowledged survives a power cut.
"""

import hashlib
import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import obstore
from anyio import to_thread
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore

from protocol.errors import StorageError

__all__ = ["ObjectStore"]

_CHUNK = 1024 * 1024


class ObjectStore:
    """Objects in a folder, through obstore. Keys are made of digests and numbers, never of names that others chose."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._store = LocalStore(folder)

    def start(self) -> None:
        """Remove what an interrupted write left, and refuse a store that does not honour put-if-absent.

        Raises
        ------
        StorageError
            ``OBJECT_STORE`` where a second put of the same key succeeds.
        """
        for leftover in self._folder.rglob("*#*"):
            leftover.unlink(missing_ok=True)
        key = f"probe/{secrets.token_hex(16)}"
        obstore.put(self._store, key, b"first", mode="create", use_multipart=False)
        try:
            obstore.put(self._store, key, b"second", mode="create", use_multipart=False)
        except AlreadyExistsError:
            return
        finally:
            obstore.delete(self._store, key)
        raise StorageError("OBJECT_STORE", "The object store overwrites what should be put only if absent.")

    async def put(self, key: str, chunks: AsyncIterator[bytes], digest: str) -> None:
        """Store an object durably. An error raised by ``chunks`` leaves nothing behind and is passed on.

        ``chunks`` must itself raise unless what it gave has SHA-256 ``digest``. Where the object is there already it is
        compared with ``digest``; one that a crash left damaged is replaced.
        """
        try:
            await obstore.put_async(self._store, key, chunks, mode="create", use_multipart=False)
        except AlreadyExistsError:
            if await self.digest(key) != digest:
                await obstore.delete_async(self._store, key)
                message = "What was stored under this name before was damaged and is removed. Send it again."
                raise StorageError("OBJECT_DAMAGED", message) from None
        except BaseError as error:
            raise StorageError(
                "OBJECT_STORE",
                "The object store did not take the bytes: it is full or cannot be written. Tell the operator.",
            ) from error
        await to_thread.run_sync(self._make_durable, key)

    async def digest(self, key: str) -> str:
        """Return the SHA-256 of an object in hex."""
        found = hashlib.sha256()
        async for chunk in self.read(key):
            found.update(chunk)
        return found.hexdigest()

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """Give an object in chunks of about 1 MiB."""
        try:
            answer = await obstore.get_async(self._store, key)
        except FileNotFoundError as error:
            raise StorageError("OBJECT_MISSING", "Bytes that were stored are missing from the object store.") from error
        async for chunk in answer.stream(min_chunk_size=_CHUNK):
            yield bytes(chunk)

    def size(self, key: str) -> int | None:
        """Return the size of an object in bytes, or None where there is none."""
        try:
            return int(obstore.head(self._store, key)["size"])
        except FileNotFoundError:
            return None

    async def delete(self, key: str) -> None:
        """Remove an object."""
        await obstore.delete_async(self._store, key)

    def _make_durable(self, key: str) -> None:
        path = self._folder / key
        with path.open("rb") as stream:
            os.fsync(stream.fileno())
        for folder in path.parents:
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if folder == self._folder:
                return
