"""Sealing a table with genotypes: one package, samples and rows in one order, all of it or nothing."""

import csv

import genotype_files as gf
import numpy as np
import pytest
from factories import CustodianPair
from genotype_files import CODES, SAMPLES, VARIANTS
from partner_desk import Desk

from protocol import hpke
from protocol.canonical import canonical_bytes
from protocol.catalogue import read_catalogue
from protocol.commitment import require_commitment
from protocol.container import PartOpener
from protocol.dsse import Envelope
from protocol.errors import StorageError
from protocol.governance import verify_institution, verify_manifest
from protocol.layout import TableReader
from sealroom.datasets import seal as seal_module
from sealroom.datasets.genotypes.bed import BED_HEAD
from sealroom.datasets.package import Package

SCHEMA = """
[[columns]]
name = "subject"
description = "IID"
kind = "subject"

[[columns]]
name = "place"
description = "Place of the sample in the genotypes"
kind = "integer"
unit = "1"
"""
ORDER = (3, 0, 4, 1, 2)
"""The table's rows are the samples in this order."""


@pytest.fixture
def custodian():
    return CustodianPair()


@pytest.fixture
def desk(tmp_path, custodian):
    desk = Desk(tmp_path)
    desk.join(roles=("steward",))
    path = tmp_path / "custodian.json"
    path.write_bytes(canonical_bytes(custodian.keys.model_dump(mode="json")))
    desk.run("trust", "add-custodian", path, "--compared")
    gf.write_bed(tmp_path / "g")
    return desk


def write_table(desk, names=tuple(SAMPLES[place] for place in ORDER)):
    with (desk.folder / "table.csv").open("w", newline="") as sink:
        csv.writer(sink).writerows([["subject", "place"], *([name, int(name[1:]) - 1] for name in names)])
    return desk.folder / "table.csv"


def run(desk, verb, *more, table=None, code=0):
    sealing = ("--policy", desk.terms(), "--out", desk.folder / "sealed", "--name", "cohort") if verb == "seal" else ()
    schema = desk.write("cohort.toml", SCHEMA)
    return desk.run("dataset", verb, table or write_table(desk), schema, *sealing, "--json", *more, code=code)


def seal(desk, *more, table=None, code=0, source=None):
    return run(
        desk, "seal", *(source or ("--bfile", desk.folder / "g")), "--assembly", "GRCh38", *more, table=table, code=code
    )


def own_institution(desk):
    return verify_institution(Envelope.from_bytes((desk.home / "institution.json").read_bytes()))


def opened(desk, custodian):
    """Do what custodian and enclave do: manifest, table and plain genotypes."""
    institution = own_institution(desk)
    package = Package(desk.folder / "sealed", "cohort")
    manifest = verify_manifest(
        Envelope.from_bytes(package.manifest.read_bytes()), {institution.document.root: institution}
    )
    info = hpke.capsule_info(manifest.name, institution.document.root, custodian.keys.signing)
    key = custodian.encryption.open(package.capsule.read_bytes(), info=info)
    require_commitment(key, manifest.document.commitment)
    plains = []
    for file in manifest.document.files:
        sealed, at, plain = package.file(file.name).read_bytes(), 0, b""
        for index in range(len(file.parts)):
            plain += PartOpener(key, file).open_part(index, sealed[at : at + file.part_size(index)])
            at += file.part_size(index)
        plains.append(plain)
    return manifest.document, TableReader.read(plains[0], manifest.document.table, row_limit=10_000), plains[1]


@pytest.mark.parametrize("kind", ["bfile", "pfile", "vcf"])
def test_rows_stand_in_the_order_of_the_samples(desk, custodian, kind):
    gf.write_pgen(desk.folder / "g")
    path = gf.write_vcf(desk.folder / "g.vcf.gz") if kind == "vcf" else desk.folder / "g"
    answer = seal(desk, source=(f"--{kind}", path)).json
    document, table, genotypes = opened(desk, custodian)
    assert table.columns["place"].tolist() == [0, 1, 2, 3, 4]
    assert genotypes == BED_HEAD + gf.packed(CODES)
    assert (document.rows, document.genotypes.variants, document.genotypes.assembly) == (5, 4, "GRCh38")
    assert [file.name for file in document.files] == ["table", "genotypes"]
    with Package(desk.folder / "sealed", "cohort").catalogue.open("rb") as lines:
        assert list(read_catalogue(lines, digest=document.genotypes.catalogue, variants=4)) == VARIANTS
    assert answer["genotypes"] == document.genotypes.model_dump(mode="json")
    assert answer["sealed_bytes"] == sum(file.sealed_size for file in document.files)
    assert {"bfile": "PLINK 1 bed", "pfile": "pgenlib", "vcf": "VCF"}[kind] in document.converter


def test_many_rows_are_put_in_order_block_by_block(desk, custodian, monkeypatch):
    from sealroom.datasets import rows as rows_module
    from sealroom.datasets import spool as spool_module

    monkeypatch.setattr(rows_module, "CELLS", 14)
    monkeypatch.setattr(spool_module, "ROWS_AT_A_TIME", 9)
    names = [f"s{n}" for n in range(1, 102)]
    codes = np.random.default_rng(5).integers(0, 4, (4, 101), dtype=np.uint8)
    gf.write_bed(desk.folder / "g", codes, VARIANTS, names)
    seal(desk, table=write_table(desk, names[::-1]))
    _, table, genotypes = opened(desk, custodian)
    assert table.columns["place"].tolist() == list(range(101))
    assert genotypes == BED_HEAD + gf.packed(codes)


@pytest.mark.parametrize("verb", ["check", "seal"])
def test_table_and_genotypes_have_the_same_subjects(desk, verb):
    more = ("--bfile", desk.folder / "g", *(("--assembly", "GRCh38") if verb == "seal" else ()))
    error = run(desk, verb, *more, table=write_table(desk, ["s1", "s9", "s3", "s4", "s8"]), code=4).json
    assert error["code"] == "SAMPLE_WITHOUT_ROW"
    assert error["count"] == 4
    assert [(f["code"], f["file"], f["row"]) for f in error["findings"]] == [
        ("SAMPLE_WITHOUT_ROW", "g.fam", None),
        ("SAMPLE_WITHOUT_ROW", "g.fam", None),
        ("ROW_WITHOUT_SAMPLE", "table.csv", 2),
        ("ROW_WITHOUT_SAMPLE", "table.csv", 5),
    ]
    assert "s2" not in str(error)
    shown = desk.run(
        *("dataset", "check", desk.folder / "table.csv", desk.folder / "cohort.toml", "--bfile", desk.folder / "g"),
        code=4,
    ).err
    assert "'s2'" in shown and "'s5'" in shown


@pytest.mark.parametrize("verb", ["check", "seal"])
def test_samples_are_compared_before_a_record_is_read(desk, verb):
    path = desk.folder / "g.vcf"
    path.write_text(gf.vcf_text(["no record\n"]))
    more = ("--vcf", path, *(("--assembly", "GRCh38") if verb == "seal" else ()))
    assert run(desk, verb, *more, code=4).json["code"] == "VCF_COLUMNS"
    table = write_table(desk, ["s1", "s9", "s3", "s4", "s8"])
    assert run(desk, verb, *more, table=table, code=4).json["code"] == "SAMPLE_WITHOUT_ROW"


def test_a_check_says_what_would_be_sealed(desk):
    found = run(desk, "check", "--bfile", desk.folder / "g").json
    assert (found["rows"], found["variants"]) == (5, 4)
    assert found["catalogue"] == seal(desk).json["genotypes"]["catalogue"]
    text = desk.run("dataset", "check", write_table(desk), desk.folder / "cohort.toml", "--bfile", desk.folder / "g")
    assert "4 variants" in text.out


def test_a_partners_catalogue_gives_the_same_digest(desk, custodian):
    theirs = desk.folder / "theirs.variants.tsv"
    theirs.write_text(VARIANTS[3].line() + VARIANTS[1].line())
    seal(desk, "--variants", theirs)
    document, _, genotypes = opened(desk, custodian)
    assert genotypes == BED_HEAD + gf.packed(CODES[[3, 1]])
    assert Package(desk.folder / "sealed", "cohort").catalogue.read_bytes() == theirs.read_bytes()
    assert document.genotypes.variants == 2


def test_genotypes_are_named_once_and_with_an_assembly(desk):
    bfile = ("--bfile", desk.folder / "g")
    assert run(desk, "seal", *bfile, "--vcf", "x.vcf", code=4).json["code"] == "GENOTYPES_CHOICE"
    assert run(desk, "check", "--variants", "x", code=4).json["code"] == "GENOTYPES_CHOICE"
    assert run(desk, "seal", *bfile, code=4).json["code"] == "ASSEMBLY"
    assert run(desk, "seal", "--assembly", "GRCh38", code=4).json["code"] == "ASSEMBLY"
    assert run(desk, "seal", *bfile, "--assembly", "GRCh38", "--name", "a.genotypes", code=4).json["code"] == "NAME"


def test_genotypes_that_cannot_be_read_leave_nothing_behind(desk):
    path = desk.folder / "g.bim"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:3]) + "1 x 0 y A C\n")
    assert seal(desk, code=4).json["code"] == "VARIANT_FIELD"
    assert not (desk.folder / "sealed").exists()


@pytest.mark.parametrize("moment", ["_seal_table", "sign", "make_manifest"])
def test_a_crash_leaves_no_package_and_sealing_again_makes_one(desk, custodian, monkeypatch, moment):
    def crash(*_arguments):
        raise StorageError("CRASH", "The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(seal_module, moment, crash)
        assert seal(desk, code=9).json["code"] == "CRASH"
    left = {path.name for path in (desk.folder / "sealed").glob("*")}
    assert "cohort.manifest.json" not in left
    assert not any(name.startswith(".") for name in left)
    if moment == "_seal_table":
        assert left == set()
    with pytest.raises(StorageError, match="manifest"):
        Package(desk.folder / "sealed", "cohort").load(own_institution(desk))
    seal(desk)
    assert opened(desk, custodian)[2] == BED_HEAD + gf.packed(CODES)


def test_what_a_killed_process_left_is_replaced(desk, custodian):
    folder = desk.folder / "sealed"
    folder.mkdir()
    for name in ("sealed", "genotypes.sealed", "variants.tsv"):
        (folder / f".cohort.{name}.unfinished").write_text("half")
    seal(desk)
    assert {path.name for path in folder.iterdir()} == {
        *("cohort.sealed", "cohort.genotypes.sealed", "cohort.variants.tsv", "cohort.manifest.json", "cohort.capsule")
    }


def test_sealed_files_share_no_nonce(desk):
    seal(desk)
    package = Package(desk.folder / "sealed", "cohort")
    assert package.sealed.read_bytes()[:12] != package.file("genotypes").read_bytes()[:12]


def test_a_package_is_known_by_any_of_its_files(desk):
    seal(desk)
    folder = desk.folder / "sealed"
    assert {Package.at(path) for path in folder.iterdir()} == {Package(folder, "cohort")}


def test_a_package_whose_genotypes_were_cut_is_not_uploaded(desk):
    seal(desk)
    path = Package(desk.folder / "sealed", "cohort").file("genotypes")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(StorageError, match=path.name) as caught:
        Package(desk.folder / "sealed", "cohort").load(own_institution(desk))
    assert caught.value.code == "FILE_SIZE"
