"""Datasets that one signed manifest has no room for: refused before anything is sealed."""

import csv
import hashlib
import shutil

import factories
import genotype_files as gf
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from partner_desk import Desk

import sealroom.datasets.manifest as manifest_module
from protocol.canonical import canonical_bytes
from protocol.documents.dataset import (
    GENOTYPES,
    MAX_PARTS,
    MAX_VARIANTS,
    PART_SIZE,
    TABLE,
    Column,
    GenotypeSchema,
    Level,
    Lineage,
    SealedFile,
    TableSchema,
    sealed_size,
)
from protocol.dsse import sign
from protocol.errors import DocumentError
from protocol.layout.form import table_size
from protocol.types import MAX_BASE64
from sealroom.datasets.manifest import (
    Contents,
    SealOrder,
    make_manifest,
    require_table_room,
    require_variants,
    room_for_variants,
)
from sealroom.datasets.schema import OwnerSchema

PART = 2**24
SUBJECT = Column(name="subject", description="Subject", kind="subject")
CONVERTER = "CSV"


def order(*columns):
    return SealOrder(
        short="cohort",
        title="Cohort",
        schema=OwnerSchema(TableSchema(columns=(SUBJECT, *columns)), {}),
        terms=factories.make_policy(),
        owner="ab" * 32,
        steward="ada",
        steward_key=Ed25519PrivateKey.generate(),
        custodian=factories.CustodianPair().keys,
        lineage=Lineage(id="cd" * 32, version=1),
        secret=bytes(32),
        assembly="GRCh38",
    )


def number(name="x"):
    return Column(name=name, description=name, kind="integer", unit="1")


def wide(columns, letters=900):
    return [Column(name=f"x{place}", description="x" * letters, kind="integer", unit="1") for place in range(columns)]


def file(name, size):
    """A file of this size, with digests as they come: no two alike."""
    parts = -(-sealed_size(size) // PART_SIZE)
    digests = tuple(hashlib.sha256(f"{name} {part}".encode()).hexdigest() for part in range(parts))
    return SealedFile(name=name, plain_size=size, sealed_size=sealed_size(size), parts=digests)


def signed(asked, rows, variants):
    """The manifest of so many samples and variants, as it is signed at the end."""
    genotypes = GenotypeSchema(variants=variants, catalogue=hashlib.sha256(b"").hexdigest(), assembly=asked.assembly)
    files = (file(TABLE, table_size(asked.schema.table, rows)), file(GENOTYPES, genotypes.plain_size(rows)))
    return sign(make_manifest(asked, Contents(rows, files, CONVERTER, genotypes), bytes(range(32))), asked.steward_key)


def test_a_table_of_as_many_parts_as_a_file_has_can_be_signed():
    asked = order(*(number(f"x{place}") for place in range(98)))
    rows = MAX_PARTS * PART // (16 + 98 * 8) - 100
    assert -(-sealed_size(table_size(asked.schema.table, rows)) // PART_SIZE) == MAX_PARTS
    require_table_room(asked, rows, CONVERTER)
    with pytest.raises(DocumentError) as caught:
        require_table_room(asked, rows + 200, CONVERTER)
    assert caught.value.code == "DATASET_TOO_LARGE"
    assert f"Found {rows + 200} rows of 99 columns, 10001 parts of 16 MiB" in caught.value.detail


def test_a_schema_that_fills_the_manifest_is_refused():
    require_table_room(order(*wide(900)), 100, CONVERTER)
    with pytest.raises(DocumentError, match="DATASET_TOO_LARGE"):
        require_table_room(order(*wide(1100)), 100, CONVERTER)
    levels = tuple(Level(code=str(code), label=str(code)) for code in range(1000))
    many = [Column(name=f"c{place}", description="c", kind="category", levels=levels) for place in range(40)]
    with pytest.raises(DocumentError, match="DATASET_TOO_LARGE"):  # too many items rather than bytes
        require_table_room(order(*many), 100, CONVERTER)


@pytest.mark.parametrize(
    ("columns", "rows"), [((number(),), 4_000_000), (wide(500), 400_000), (wide(950), 40_000), (wide(2), 240_000_000)]
)
def test_the_room_is_what_can_be_signed_and_no_more(columns, rows):
    asked = order(*columns)
    most = room_for_variants(asked, rows, CONVERTER)
    width = -(-rows // 4)
    parts = -(-sealed_size(3 + most * width) // PART_SIZE)
    assert 0 < parts <= MAX_PARTS
    found = signed(asked, rows, most)
    assert len(found.envelope.payload) <= MAX_BASE64
    require_variants(most, most, rows)
    with pytest.raises(DocumentError) as caught:
        require_variants(most + 1, most, rows)
    assert caught.value.code == "DATASET_TOO_LARGE"
    with pytest.raises(ValueError, match=r"at most 10000 items|at most 1400000 characters"):
        signed(asked, rows, most + 1)


def test_small_cohorts_have_room_for_all_variants_there_may_be():
    assert room_for_variants(order(number()), 1000, CONVERTER) == MAX_VARIANTS


def test_there_may_be_no_room_at_all(monkeypatch):
    monkeypatch.setattr(manifest_module, "_fits", lambda _order, found, *, table: table > 0 and not found.genotypes)
    assert room_for_variants(order(number()), 4_000_000, CONVERTER) == 0
    with pytest.raises(DocumentError, match="DATASET_TOO_LARGE"):
        require_variants(1, 0, 4_000_000)


SCHEMA = """
[[columns]]
name = "subject"
description = "IID"
kind = "subject"

[[columns]]
name = "place"
description = "Place"
kind = "integer"
unit = "1"
"""


@pytest.fixture
def desk(tmp_path):
    desk = Desk(tmp_path)
    desk.join(roles=("steward",))
    path = tmp_path / "custodian.json"
    path.write_bytes(canonical_bytes(factories.CustodianPair().keys.model_dump(mode="json")))
    desk.run("trust", "add-custodian", path, "--compared")
    with (tmp_path / "table.csv").open("w", newline="") as sink:
        csv.writer(sink).writerows([["subject", "place"], *([name, "1"] for name in gf.SAMPLES)])
    return desk


def seal(desk, *more, code=0):
    return desk.run(
        *("dataset", "seal", desk.folder / "table.csv", desk.write("cohort.toml", SCHEMA)),
        *("--policy", desk.terms(), "--out", desk.folder / "sealed", "--name", "cohort", "--json", *more),
        code=code,
    )


@pytest.mark.parametrize("kind", ["bfile", "pfile", "vcf", "variants"])
def test_too_many_variants_are_refused_before_or_while_they_are_sealed(desk, monkeypatch, kind):
    gf.write_bed(desk.folder / "g")
    gf.write_pgen(desk.folder / "g")
    path = gf.write_vcf(desk.folder / "g.vcf.gz") if kind == "vcf" else desk.folder / "g"
    source = [f"--{kind}", path, "--assembly", "GRCh38"]
    if kind == "variants":
        seal(desk, "--bfile", path, "--assembly", "GRCh38")
        catalogue = desk.folder / "list.tsv"
        (desk.folder / "sealed" / "cohort.variants.tsv").rename(catalogue)
        shutil.rmtree(desk.folder / "sealed")
        source = ["--bfile", path, "--assembly", "GRCh38", "--variants", catalogue]
    if kind != "vcf":  # these are not even read
        monkeypatch.setattr("sealroom.datasets.genotypes.cohort.GenotypeCohort.blocks", None)
    monkeypatch.setattr("sealroom.datasets.seal.room_for_variants", lambda *_: len(gf.VARIANTS) - 1)
    answer = seal(desk, *source, code=4).json
    assert answer["code"] == "DATASET_TOO_LARGE"
    assert f"Found {len(gf.VARIANTS)} variants of {len(gf.SAMPLES)} samples" in answer["detail"]
    assert not (desk.folder / "sealed").exists()


def test_a_table_that_is_too_large_is_refused_before_it_is_sealed(desk, monkeypatch):
    monkeypatch.setattr(manifest_module, "MAX_PARTS", 0)
    monkeypatch.setattr("sealroom.datasets.seal._seal_table", None)
    assert seal(desk, code=4).json["code"] == "DATASET_TOO_LARGE"
    assert not (desk.folder / "sealed").exists()
