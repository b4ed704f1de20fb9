"""Sealing: from an owner's CSV, and genotypes where there are any, to a signed manifest, sealed files and a capsule."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TextIO

import numpy as np
from numpy.typing import NDArray

from protocol import hpke
from protocol.container import SealingWriter, generate_data_key
from protocol.documents.dataset import (
    GENOTYPES,
    TABLE,
    DatasetManifest,
    SealedFile,
    TableSchema,
)
from protocol.dsse import Verified, sign
from protocol.layout.checks import check_column
from protocol.layout.form import aligned, encode_header, header_for
from protocol.types import decode_base64
from sealroom.datasets.check import Checked, read_into
from sealroom.datasets.genotypes.bed import BED_HEAD
from sealroom.datasets.genotypes.cohort import GenotypeCohort
from sealroom.datasets.genotypes.matching import rows_of_samples
from sealroom.datasets.manifest import (
    Contents,
    SealOrder,
    make_manifest,
    require_table_room,
    require_variants,
    room_for_variants,
)
from sealroom.datasets.package import Package
from sealroom.datasets.sources import converter_of
from sealroom.datasets.spool import Spool
from sealroom.files import appearing, private_folder, write_private

__all__ = ["seal_dataset", "write_spooled"]


def seal_dataset(
    text: TextIO, name: str, order: SealOrder, package: Package, progress: Callable[[int], None]
) -> tuple[Verified[DatasetManifest], Checked]:
    """Check, convert and seal a CSV text into a package; ``progress`` is told of characters and of genotypes' bytes.

    Sealed files appear under their names only when they are whole; the manifest, last of all, makes the package valid.

    Raises
    ------
    DocumentError
        ``DATASET_TOO_LARGE``: no signed manifest has room for so many parts; nothing was sealed.
    CheckError
        The rows do not match the schema, or the genotypes not the rows; nothing was sealed.
    """
    data_key = generate_data_key()
    with _folder(package.folder), Spool(order.schema.table, package.folder) as spool:
        checked = read_into(spool, text, name, order.schema, order.secret, progress)
        require_table_room(order, checked.rows, converter_of(name, order.schema))
        if order.genotypes is None:
            with appearing(package.sealed) as sink:
                files = (_seal_table(spool, order.schema.table, data_key, sink),)
            found = Contents(checked.rows, files, converter_of(name, order.schema))
        else:
            with GenotypeCohort(order.genotypes, package.folder, progress) as cohort:
                found = _seal_with_genotypes(spool, name, cohort, order, package, data_key)
                checked = Checked(checked.rows, (*checked.warnings, *cohort.notes()))
    manifest = sign(make_manifest(order, found, data_key), order.steward_key)
    info = hpke.capsule_info(manifest.name, order.owner, order.custodian.signing)
    write_private(package.capsule, hpke.seal(data_key, decode_base64(order.custodian.encryption), info=info))
    write_private(package.manifest, manifest.envelope.to_bytes())
    return manifest, checked


def write_spooled(
    spool: Spool, table: TableSchema, sink: SealingWriter, order: NDArray[np.int64] | None = None
) -> None:
    """Write the canonical layout from a spool: the bytes of ``protocol.layout.write_table``, a block at a time.

    ``order`` has the spool's rows in the order to write, where that is another; then a whole column is in memory.
    """
    header = header_for(table, spool.rows)
    sink.write(encode_header(header))
    for index, (column, place) in enumerate(zip(table.columns, header.columns, strict=True)):
        for values in spool.column(index) if order is None else spool.ordered(index, order):
            if column.kind != "subject":  # whether subjects are distinct is no matter of one block; it was checked
                check_column(column, values)
            sink.write(values.reshape(-1).view("u1").data)
        sink.write(bytes(aligned(place.size) - place.size))


@contextmanager
def _folder(folder: Path) -> Iterator[None]:
    """Make a folder; where the block fails, remove what was made and is still empty."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    private_folder(folder)
    try:
        yield
    except BaseException:
        with suppress(OSError):  # a folder that is not empty stays, and so do those above it
            for path in made:
                path.rmdir()
        raise


def _seal_table(
    spool: Spool, table: TableSchema, data_key: bytes, sink: BinaryIO, order: NDArray[np.int64] | None = None
) -> SealedFile:
    writer = SealingWriter(sink, data_key)
    write_spooled(spool, table, writer, order)
    return writer.finish().sealed_file(TABLE)


def _seal_with_genotypes(
    spool: Spool, name: str, cohort: GenotypeCohort, order: SealOrder, package: Package, data_key: bytes
) -> Contents:
    """Seal genotypes and, in the order of their samples, the table; all files appear, or none."""
    table, samples = order.schema.table, cohort.source.samples
    rows = rows_of_samples(spool, table, name, order.secret, samples)
    converter = f"{converter_of(name, order.schema)}, {cohort.source.converter}"
    most = room_for_variants(order, spool.rows, converter)
    require_variants(cohort.most, most, spool.rows)
    with (
        appearing(package.catalogue) as catalogue,
        appearing(package.file(GENOTYPES)) as calls,
        appearing(package.sealed) as sink,
    ):
        writer = SealingWriter(calls, data_key)
        writer.write(BED_HEAD)
        for block in cohort.blocks():
            require_variants(cohort.digest.variants, most, spool.rows)  # of a VCF file, only reading tells
            catalogue.writelines(variant.line().encode() for variant in block.variants)
            writer.write(np.ascontiguousarray(block.calls).reshape(-1).data)
        files = (_seal_table(spool, table, data_key, sink, rows), writer.finish().sealed_file(GENOTYPES))
    return Contents(spool.rows, files, converter, cohort.described(order.assembly))
