"""The manifest of a sealed dataset, and how much of a dataset one manifest has room for.

A manifest names every part of every file by its digest, and a signed document has a largest size. So whether a dataset
fits is known before anything is sealed: a manifest of as many parts, with digests of zeros, is signed for nobody.
"""

from bisect import bisect_left
from dataclasses import dataclass, replace
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from protocol.commitment import commit_key
from protocol.documents.dataset import (
    GENOTYPES,
    MAX_PARTS,
    MAX_VARIANTS,
    PART_SIZE,
    SEGMENT,
    SEGMENTS_PER_PART,
    TABLE,
    CustodianKeys,
    DatasetManifest,
    DatasetPolicy,
    GenotypeSchema,
    Lineage,
    SealedFile,
    sealed_size,
)
from protocol.dsse import sign
from protocol.errors import DocumentError
from protocol.layout.form import table_size
from sealroom.datasets.genotypes.bed import BED_HEAD
from sealroom.datasets.genotypes.cohort import GenotypeFiles
from sealroom.datasets.schema import OwnerSchema
from sealroom.times import now
from sealroom.typed import typed

__all__ = ["Contents", "SealOrder", "make_manifest", "require_table_room", "require_variants", "room_for_variants"]

_ZEROS: Final = "00" * 32
_PLAIN_PART: Final = SEGMENT * SEGMENTS_PER_PART


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
    genotypes: GenotypeFiles | None = None
    assembly: str = ""


@dataclass(frozen=True, slots=True)
class Contents:
    """What was sealed, as the manifest says it."""

    rows: int
    files: tuple[SealedFile, ...]
    converter: str
    genotypes: GenotypeSchema | None = None


def make_manifest(order: SealOrder, found: Contents, data_key: bytes) -> DatasetManifest:
    """Return the manifest of what was sealed under a data key."""
    from importlib.metadata import version

    fields = {
        "short": order.short,
        "title": order.title,
        "owner": order.owner,
        "steward": order.steward,
        "created": now(),
        "lineage": order.lineage.model_dump(mode="json"),
        "rows": found.rows,
        "table": order.schema.table.model_dump(mode="json"),
        "genotypes": None if found.genotypes is None else found.genotypes.model_dump(mode="json"),
        "files": [file.model_dump(mode="json") for file in found.files],
        "commitment": commit_key(data_key).model_dump(mode="json"),
        "custodian": order.custodian.model_dump(mode="json"),
        "converter": f"sealroom {version('sealroom')}, {found.converter}",
        "policy": order.terms.model_dump(mode="json"),
    }
    return typed(DatasetManifest, fields, where=f"dataset {order.short}")


def require_table_room(order: SealOrder, rows: int, converter: str) -> None:
    """Raise ``DocumentError`` with ``DATASET_TOO_LARGE`` where no manifest has room for a table of so many rows."""
    size = table_size(order.schema.table, rows)
    if not _fits(order, Contents(rows, (), converter), table=size):
        raise DocumentError(
            "DATASET_TOO_LARGE",
            f"Found {rows} rows of {len(order.schema.table.columns)} columns, {_parts(size)} parts of 16 MiB; a signed "
            f"manifest has room for {MAX_PARTS} parts at most, for fewer beside a long schema. Seal fewer columns or "
            "levels, or the subjects as several datasets.",
        )


def room_for_variants(order: SealOrder, rows: int, converter: str) -> int:
    """Return how many variants of so many samples a manifest has room for, beside the table."""
    width, table = -(-rows // 4), table_size(order.schema.table, rows)

    def variants(parts: int) -> int:
        return min(MAX_VARIANTS, (parts * _PLAIN_PART - len(BED_HEAD)) // width)

    def is_too_large(parts: int) -> bool:
        fields = {"variants": max(1, variants(parts)), "catalogue": _ZEROS, "assembly": order.assembly}
        genotypes = typed(GenotypeSchema, fields, where="--assembly")
        return not _fits(order, Contents(rows, (), converter, genotypes), table=table)

    if not is_too_large(MAX_PARTS):
        return variants(MAX_PARTS)
    most = bisect_left(range(1, MAX_PARTS), 1, key=is_too_large)
    return max(0, variants(most))


def require_variants(found: int, most: int, rows: int) -> None:
    """Raise ``DocumentError`` with ``DATASET_TOO_LARGE`` where there are more variants than there is room for."""
    if found > most:
        raise DocumentError(
            "DATASET_TOO_LARGE",
            f"Found {found} variants of {rows} samples; beside the table a signed manifest has room for {most}. Leave "
            "variants out (--variants takes a list of those to keep), or seal the samples as several datasets.",
        )


def _fits(order: SealOrder, found: Contents, *, table: int) -> bool:
    """Tell whether a manifest of these contents, with files of the sizes that follow, can be signed."""
    sizes = {TABLE: table} | ({GENOTYPES: found.genotypes.plain_size(found.rows)} if found.genotypes else {})
    if max(_parts(size) for size in sizes.values()) > MAX_PARTS:
        return False
    files = tuple(
        SealedFile(name=name, plain_size=size, sealed_size=sealed_size(size), parts=(_ZEROS,) * _parts(size))
        for name, size in sizes.items()
    )
    manifest = make_manifest(order, replace(found, files=files), bytes(32))
    try:
        sign(manifest, Ed25519PrivateKey.generate())
    except (DocumentError, ValidationError):  # a payload, or a number of items, that no signed document may have
        return False
    return True


def _parts(plain_size: int) -> int:
    return -(-sealed_size(plain_size) // PART_SIZE)
