"""Sealing: from an owner's CSV to a signed dataset manifest, a sealed file and a capsule."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocol import hpke
from protocol.commitment import commit_key
from protocol.container import Sealed, SealingWriter, generate_data_key
from protocol.documents.dataset import CustodianKeys, DatasetManifest, DatasetPolicy, Lineage, TableSchema
from protocol.dsse import Verified, sign
from protocol.layout.checks import check_column
from protocol.layout.form import aligned, encode_header, header_for
from protocol.types import decode_base64
from sealroom.datasets.check import Checked, read_into
from sealroom.datasets.package import Package
from sealroom.datasets.schema import OwnerSchema
from sealroom.datasets.spool import Spool
from sealroom.files import private_folder, write_private
from sealroom.times import now
from sealroom.typed import typed

__all__ = ["FILE_NAME", "SealOrder", "seal_dataset"]

FILE_NAME = "table"


@dataclass(frozen=True, slots=True)
class SealOrder:
    """Everything about a dataset but its rows. ``secret`` keys the subjects' pseudonyms (32 bytes)."""

    short: str
    title: str
    schema: OwnerSchema
    terms: DatasetPolicy
    owner: str
    steward: str
    steward_key: Ed25519PrivateKey
    custodian: CustodianKeys
    lineage: Lineage
    secret: bytes


def seal_dataset(
    text: TextIO, name: str, order: SealOrder, package: Package, progress: Callable[[int], None]
) -> tuple[Verified[DatasetManifest], Checked]:
    """Check, convert and seal a CSV text into a package; ``progress`` is told of characters.

    The sealed file appears under its name only when it is whole; the manifest, last of all, makes the package valid.

    Raises
    ------
    CheckError
        The rows do not match the schema; nothing was sealed.
    """
    private_folder(package.folder)
    data_key = generate_data_key()
    with Spool(order.schema.table, package.folder) as spool:
        checked = read_into(spool, text, name, order.schema, order.secret, progress)
        sealed = _write_sealed(spool, order.schema.table, data_key, package.sealed)
    manifest = sign(_manifest(order, checked.rows, sealed, data_key), order.steward_key)
    info = hpke.capsule_info(manifest.name, order.owner, order.custodian.signing)
    write_private(package.capsule, hpke.seal(data_key, decode_base64(order.custodian.encryption), info=info))
    write_private(package.manifest, manifest.envelope.to_bytes())
    return manifest, checked


def write_spooled(spool: Spool, table: TableSchema, sink: SealingWriter) -> None:
    """Write the canonical layout from a spool: the bytes of ``protocol.layout.write_table``, a block at a time."""
    header = header_for(table, spool.rows)
    sink.write(encode_header(header))
    for index, (column, place) in enumerate(zip(table.columns, header.columns, strict=True)):
        for values in spool.column(index):
            if column.kind != "subject":  # whether subjects are distinct is no matter of one block; it was checked
                check_column(column, values)
            sink.write(values.reshape(-1).view("u1").data)
        sink.write(bytes(aligned(place.size) - place.size))


def _write_sealed(spool: Spool, table: TableSchema, data_key: bytes, path: Path) -> Sealed:
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as sink:
            writer = SealingWriter(sink, data_key)
            write_spooled(spool, table, writer)
            sealed = writer.finish()
            sink.flush()
            os.fsync(sink.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return sealed


def _manifest(order: SealOrder, rows: int, sealed: Sealed, data_key: bytes) -> DatasetManifest:
    from importlib.metadata import version

    fields = {
        "short": order.short,
        "title": order.title,
        "owner": order.owner,
        "steward": order.steward,
        "created": now(),
        "lineage": order.lineage.model_dump(mode="json"),
        "rows": rows,
        "table": order.schema.table.model_dump(mode="json"),
        "files": [sealed.sealed_file(FILE_NAME).model_dump(mode="json")],
        "commitment": commit_key(data_key).model_dump(mode="json"),
        "custodian": order.custodian.model_dump(mode="json"),
        "converter": f"sealroom {version('sealroom')}, csv",
        "policy": order.terms.model_dump(mode="json"),
    }
    return typed(DatasetManifest, fields, where=f"dataset {order.short}")
