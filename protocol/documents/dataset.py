"""Dataset manifests: what an owner sealed, how to check it, and on which terms it may be used."""

import decimal
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from protocol.dsse import SignedDocument
from protocol.types import Base64, Count, Decimal, Digest, Document, Key, Name, Text, Timestamp

__all__ = [
    "GENOTYPES",
    "MAX_BITS",
    "MAX_PARTS",
    "MAX_VARIANTS",
    "PART_SIZE",
    "SEALED_SEGMENT",
    "SEGMENT",
    "SEGMENTS_PER_PART",
    "TABLE",
    "Column",
    "ColumnKind",
    "CustodianKeys",
    "DatasetManifest",
    "DatasetPolicy",
    "DatasetSchema",
    "GenotypeSchema",
    "KeyCommitment",
    "Level",
    "Lineage",
    "Preset",
    "SealedFile",
    "TableSchema",
    "TcbStatus",
    "sealed_size",
]

SEGMENT = 65_536
"""Plain bytes in a Crypt4GH segment."""
SEALED_SEGMENT = SEGMENT + 28
"""Sealed bytes of a whole segment: nonce (12), ciphertext, tag (16)."""
SEGMENTS_PER_PART = 256
PART_SIZE = SEGMENTS_PER_PART * SEALED_SEGMENT
"""Sealed bytes of a whole part; only the last part of a file is shorter."""
MAX_VARIANTS = 2 * 10**8
"""Variants in a dataset."""
MAX_PARTS = 10_000
"""Parts in a file."""

TABLE: Final = "table"
GENOTYPES: Final = "genotypes"
"""Names of a dataset's files."""
MAX_BITS = 4096
"""Bits in one value of a ``bits`` column."""

ColumnKind = Literal["subject", "integer", "decimal", "category", "bits", "digest"]
Preset = Literal["sacro", "uk-llc", "cms", "all-of-us", "opensafely", "uk-biobank"]
TcbStatus = Literal[
    "UpToDate",
    "SWHardeningNeeded",
    "ConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded",
    "OutOfDate",
    "OutOfDateConfigurationNeeded",
]


def sealed_size(plain: int) -> int:
    """Sealed bytes of ``plain`` bytes."""
    whole, rest = divmod(plain, SEGMENT)
    return whole * SEALED_SEGMENT + (rest + 28 if rest else 0)


def _trimmed(code: str) -> str:
    if code != code.strip():
        raise ValueError("a code has no spaces around it; cells are trimmed, so none would match")
    return code


Code = Annotated[Text, AfterValidator(_trimmed)]
"""What stands in a cell."""


class Level(Document):
    """One value that a category may take: its code in the data and its label for people."""

    code: Code
    label: Text


class Column(Document):
    """One column. ``decimal`` columns carry ``scale`` decimals; numbers carry a unit ("1" for pure numbers).

    ``bits`` columns hold ``width`` bits a row: a fingerprint. ``digest`` columns hold 16 bytes: the head of a SHA-256
    of something that two owners name alike, such as a compound's InChIKey. Neither may be missing.
    """

    name: Name
    description: Text
    kind: ColumnKind
    unit: Text | None = None
    scale: Annotated[int, Field(ge=0, le=9)] = 0
    width: Annotated[int, Field(ge=0, le=MAX_BITS, multiple_of=8)] = 0
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    levels: Annotated[tuple[Level, ...], Field(max_length=1000)] = ()
    missing_allowed: bool = False
    missing_codes: Annotated[tuple[Code, ...], Field(max_length=20)] = ()

    @model_validator(mode="after")
    def _kind_decides(self) -> Self:
        number = self.kind in {"integer", "decimal"}
        if number != (self.unit is not None):
            raise ValueError(f"column {self.name}: numbers, and only they, have a unit")
        if (self.kind == "category") != bool(self.levels):
            raise ValueError(f"column {self.name}: categories, and only they, have levels")
        if self.scale and self.kind != "decimal":
            raise ValueError(f"column {self.name}: only decimal columns have a scale")
        if not number and (self.minimum is not None or self.maximum is not None):
            raise ValueError(f"column {self.name}: only numbers have a minimum and a maximum")
        if (self.kind == "bits") != bool(self.width):
            raise ValueError(f"column {self.name}: bits, and only they, have a width")
        if self.kind in {"subject", "bits", "digest"} and (self.missing_allowed or self.missing_codes):
            raise ValueError(f"column {self.name}: a {self.kind} may not be missing")
        if self.missing_codes and not self.missing_allowed:
            raise ValueError(f"column {self.name}: missing codes without missing_allowed")
        codes = [level.code for level in self.levels]
        labels = [level.label for level in self.levels]
        if len(set(codes)) != len(codes) or len(set(labels)) != len(labels) or set(codes) & set(self.missing_codes):
            raise ValueError(f"column {self.name}: codes and labels of levels are unique and are not missing codes")
        if len(set(self.missing_codes)) != len(self.missing_codes):
            raise ValueError(f"column {self.name}: missing codes are unique")
        return self

    @model_validator(mode="after")
    def _bounds_hold_something(self) -> Self:
        low, high = self.minimum, self.maximum
        if low is not None and high is not None and decimal.Decimal(low) > decimal.Decimal(high):
            raise ValueError(f"column {self.name}: the minimum is above the maximum")
        return self


class TableSchema(Document):
    """The columns of a table, exactly one of which identifies the subject."""

    columns: Annotated[tuple[Column, ...], Field(min_length=2, max_length=2000)]

    @model_validator(mode="after")
    def _one_subject(self) -> Self:
        names = [column.name for column in self.columns]
        if len(set(names)) != len(names):
            raise ValueError("column names are unique")
        if sum(column.kind == "subject" for column in self.columns) != 1:
            raise ValueError("exactly one column has the kind subject")
        return self

    def column(self, name: str) -> Column | None:
        """Return the column with this name, or None."""
        return next((column for column in self.columns if column.name == name), None)

    @property
    def subject(self) -> Column:
        """The column that identifies the subject."""
        return next(column for column in self.columns if column.kind == "subject")


class GenotypeSchema(Document):
    """Hard-call genotypes in a file of their own: the bytes of a PLINK 1 .bed file, a sample for each row of the table.

    ``catalogue`` is the SHA-256 of the list of variants (``protocol.catalogue``): cohorts are taken together only where
    theirs is the same, and results name a variant by its place in it.
    """

    variants: Annotated[Count, Field(ge=1, le=MAX_VARIANTS)]
    catalogue: Digest
    assembly: Text

    def plain_size(self, rows: int) -> int:
        """Bytes of the .bed file: 3 of its head, and for each variant 2 bits a sample, in whole bytes."""
        return 3 + self.variants * -(-rows // 4)


class DatasetSchema(Document):
    """What signed documents tell an analysis of a dataset before any of it is read."""

    table: TableSchema
    genotypes: GenotypeSchema | None = None


class SealedFile(Document):
    """A sealed file: SHA-256 of each part, exact sizes. All parts but the last hold 256 segments of 65,564 bytes."""

    name: Name
    plain_size: Count
    sealed_size: Count
    parts: Annotated[tuple[Digest, ...], Field(min_length=1, max_length=MAX_PARTS)]

    @model_validator(mode="after")
    def _sizes_agree(self) -> Self:
        if self.plain_size < 1 or self.sealed_size != sealed_size(self.plain_size):
            raise ValueError(f"file {self.name}: sealed size does not follow from plain size")
        if len(self.parts) != -(-self.sealed_size // PART_SIZE):
            raise ValueError(f"file {self.name}: number of parts does not follow from its size")
        return self

    def part_size(self, index: int) -> int:
        """Sealed bytes of part ``index``, counted from 0."""
        return min(PART_SIZE, self.sealed_size - index * PART_SIZE)


class KeyCommitment(Document):
    """HMAC-SHA-256(data key, label || nonce): ChaCha20-Poly1305 alone does not commit to its key."""

    nonce: Digest
    mac: Digest


class CustodianKeys(Document):
    """The custodian that an owner chose: its Ed25519 key and its X-Wing public key (1,216 bytes)."""

    signing: Key
    encryption: Base64


class Lineage(Document):
    """Versions of one dataset share a lineage: 32 random bytes in hex, and a number that grows."""

    id: Digest
    version: Count


class DatasetPolicy(Document):
    """The owner's terms. What is not listed is not allowed."""

    quorum: Annotated[int, Field(ge=1, le=50)]
    analyses: Annotated[tuple[Name, ...], Field(min_length=1, max_length=100)]
    profiles: Annotated[tuple[Name, ...], Field(min_length=1, max_length=20)]
    preset: Preset
    tcb_statuses: Annotated[tuple[TcbStatus, ...], Field(min_length=1, max_length=6)]
    simulation: bool
    max_runs: Annotated[int, Field(ge=1, le=1000)]
    expires: Timestamp


class DatasetManifest(SignedDocument):
    """A sealed dataset, signed by a steward of its owner."""

    payload_type: ClassVar[str] = "application/vnd.sealroom.dataset-manifest.v1+json"

    short: Name
    title: Text
    owner: Key
    steward: Name
    created: Timestamp
    lineage: Lineage
    rows: Count
    table: TableSchema
    genotypes: GenotypeSchema | None = None
    files: Annotated[tuple[SealedFile, ...], Field(min_length=1, max_length=2)]
    commitment: KeyCommitment
    custodian: CustodianKeys
    converter: Text
    policy: DatasetPolicy

    @model_validator(mode="after")
    def _files_are_those_of_the_schema(self) -> Self:
        if [file.name for file in self.files] != ([TABLE, GENOTYPES] if self.genotypes else [TABLE]):
            raise ValueError("the files are the table and, where there are genotypes, these")
        if self.genotypes and self.files[1].plain_size != self.genotypes.plain_size(self.rows):
            raise ValueError("the size of the genotypes does not follow from samples and variants")
        return self

    @property
    def described(self) -> DatasetSchema:
        """What an analysis may know before any of the data is read."""
        return DatasetSchema(table=self.table, genotypes=self.genotypes)

    def file(self, name: Name) -> SealedFile | None:
        """Return the file with this name, or None."""
        return next((file for file in self.files if file.name == name), None)
