"""Dataset manifests, and which of their sealed parts are stored."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import Connection, Row, select, update
from sqlalchemy.dialects.sqlite import insert

from broker import states
from broker.errors import NotFound
from broker.storage.quota import require_quota
from broker.storage.tables import datasets, parts
from protocol.documents.dataset import DatasetManifest, SealedFile
from protocol.dsse import Envelope, Unverified, Verified
from protocol.errors import StorageError
from protocol.types import Digest, Name

__all__ = [
    "StoredDataset",
    "complete",
    "datasets_after",
    "get_dataset",
    "note_part",
    "part_key",
    "parts_of",
    "put_manifest",
]


@dataclass(frozen=True, slots=True)
class StoredDataset:
    """A manifest that was verified when it was stored, and how far its upload is."""

    name: Digest
    state: states.DatasetState
    envelope: Envelope

    @property
    def manifest(self) -> DatasetManifest:
        """The manifest."""
        return Unverified.parse(self.envelope, DatasetManifest).claimed

    def file(self, name: Name) -> SealedFile:
        """Return one of the files, or raise ``NotFound`` with ``FILE_UNKNOWN``."""
        for file in self.manifest.files:
            if file.name == name:
                return file
        raise NotFound("FILE_UNKNOWN", f"The manifest of {self.manifest.short} lists no file {name}.")


def put_manifest(connection: Connection, manifest: Verified[DatasetManifest], quota: int) -> StoredDataset:
    """Store a manifest and open its upload; the same manifest again changes nothing.

    Raises
    ------
    StorageError
        ``LINEAGE`` where the lineage belongs to another owner, or holds this version or a later one.
    AccessDenied
        ``QUOTA``.
    """
    lineage, owner = manifest.document.lineage, manifest.document.owner
    query = select(datasets.c.name, datasets.c.owner, datasets.c.version).where(datasets.c.lineage == lineage.id)
    for row in connection.execute(query):
        if row.name == manifest.name:
            return get_dataset(connection, manifest.name)
        if row.owner != owner or row.version >= lineage.version:
            raise StorageError(
                "LINEAGE",
                f"Version {lineage.version} cannot follow: the lineage holds version {row.version}"
                + (" of another owner." if row.owner != owner else ". Draft the dataset with a higher version."),
            )
    require_quota(connection, datasets, datasets.c.owner, owner, manifest.name, quota)
    values = {
        "name": manifest.name,
        "owner": owner,
        "lineage": lineage.id,
        "version": lineage.version,
        "state": "uploading",
        "envelope": manifest.envelope.to_bytes(),
    }
    connection.execute(insert(datasets).values(values))
    return get_dataset(connection, manifest.name)


def get_dataset(connection: Connection, name: Digest) -> StoredDataset:
    """Return a dataset, or raise ``NotFound`` with ``DATASET_UNKNOWN``."""
    row = connection.execute(select(datasets).where(datasets.c.name == name)).first()
    if row is None:
        raise NotFound("DATASET_UNKNOWN", f"No dataset manifest is named {name[:16]}.")
    return _stored(row)


def datasets_after(connection: Connection, after: str, limit: int) -> Iterator[StoredDataset]:
    """Give datasets in the order of their names, from the first one behind ``after``."""
    query = select(datasets).where(datasets.c.name > after).order_by(datasets.c.name).limit(limit)
    return (_stored(row) for row in connection.execute(query))


def parts_of(connection: Connection, dataset: Digest, file: Name) -> list[int]:
    """Return the numbers of the parts that are stored, ascending."""
    query = select(parts.c.part).where(parts.c.dataset == dataset, parts.c.file == file).order_by(parts.c.part)
    return list(connection.scalars(query))


def note_part(connection: Connection, dataset: Digest, file: Name, part: int) -> None:
    """Note that a part is durably stored."""
    connection.execute(insert(parts).values(dataset=dataset, file=file, part=part).on_conflict_do_nothing())


def complete(connection: Connection, dataset: Digest) -> None:
    """Mark a dataset as complete; the caller holds the write lock."""
    states.require_transition(states.DATASET, "dataset", get_dataset(connection, dataset).state, "complete")
    connection.execute(update(datasets).where(datasets.c.name == dataset).values(state="complete"))


def part_key(dataset: Digest, file: Name, part: int) -> str:
    """Return the key of a part in the object store; the file's name is hashed, so it can mean nothing to a path."""
    return f"sealed/{dataset}/{sha256(file.encode()).hexdigest()}/{part:05d}"


def _stored(row: Row[tuple[object, ...]]) -> StoredDataset:
    return StoredDataset(row.name, row.state, Envelope.from_bytes(row.envelope))
