"""Genotype files that are small on the disk and huge when read: refused at a bound, before memory or time is spent."""

import gzip
import subprocess
import sys

import genotype_files as gf
import numpy as np
import pytest
from genotype_files import CODES, FIRST_RECORD, SAMPLES, VARIANTS, convert, vcf_record, vcf_text

from protocol.catalogue import Variant
from sealroom.datasets.findings import CheckError
from sealroom.datasets.genotypes import samples as samples_module
from sealroom.datasets.genotypes import unique, vcf, vcf_file

CONFINED = """
import resource, sys
from pathlib import Path
from sealroom.datasets.findings import CheckError
from sealroom.datasets.genotypes.vcf_file import VcfFile

used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[2]), -1))
try:
    for _ in VcfFile(Path(sys.argv[1])).records():
        pass
except CheckError as error:
    print(error.code, error.count, error.findings[0].line)
except MemoryError:
    print("MemoryError")
"""
"""Reads a VCF file with so many bytes of memory beside what the program itself takes."""
HEAD = f"##fileformat=VCFv4.2\n{gf.HEADING}\t".encode()
CHROMOSOME_X = vcf_record(Variant("X", 5, ".", "A", "C"), ["0"] * 5)
THREE = vcf_record(Variant("1", 5, ".", "A,T", "C"), ["0/1"] * 5)


def confined(path, memory):
    command = [sys.executable, "-c", CONFINED, str(path), str(memory)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def refusal(kind, path, **options):
    with pytest.raises(CheckError) as caught:
        convert(kind, path, **options)
    return caught.value


def test_millions_of_empty_names_are_counted_before_they_are_taken_apart(tmp_path):
    path = tmp_path / "x.vcf.gz"
    path.write_bytes(gzip.compress(HEAD + b"\t" * 30_000_000 + b"\n"))
    assert path.stat().st_size < 50_000
    assert confined(path, 180 * 10**6) == ["SAMPLES_COUNT", "1", "2"]  # their list alone takes 240 MB


def test_a_record_without_end_takes_its_bound_and_no_more(tmp_path):
    path = tmp_path / "x.vcf.gz"
    path.write_bytes(gzip.compress(vcf_text(["1\t1\t" + "A" * 100_000_000])[:-1].encode()))
    assert confined(path, 60 * 10**6) == ["LINE_TOO_LONG", "1", str(FIRST_RECORD)]


def test_a_record_has_room_for_long_calls_and_a_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(vcf_file, "_RECORD_BYTES", 50)
    monkeypatch.setattr(vcf_file, "_CALL_BYTES", 40)
    path = tmp_path / "x.vcf"
    record = vcf_record(VARIANTS[0], ["0/1:" + "9" * 36] * 5, "GT:DP")
    path.write_text(vcf_text([record.replace("rs1", "r" * (250 - len(record) + 3))]))
    assert len(convert("vcf", path).variants) == 1
    path.write_text(vcf_text([record.replace("rs1", "r" * (250 - len(record) + 4))]))
    error = refusal("vcf", path)
    assert (error.code, error.findings[0].line) == ("LINE_TOO_LONG", FIRST_RECORD)


def test_lines_before_the_heading_are_bounded(tmp_path):
    path = tmp_path / "x.vcf.gz"
    path.write_bytes(gzip.compress(b"##fileformat=VCFv4.2\n" + b"##x\n" * 3_000_000))
    assert path.stat().st_size < 20_000
    error = refusal("vcf", path)
    assert (error.code, error.findings[0].line, error.count) == ("VCF_META", 1_000_001, 1)


def test_bytes_before_the_heading_are_bounded(tmp_path):
    path = tmp_path / "x.vcf.gz"
    path.write_bytes(gzip.compress(b"##fileformat=VCFv4.2\n" + (b"##" + b"x" * 10**6 + b"\n") * 100))
    error = refusal("vcf", path)
    assert (error.code, error.findings[0].line) == ("VCF_META", 69)


def test_a_long_honest_header_is_read(tmp_path):
    contigs = "".join(f"##contig=<ID=scaffold_{n},length={n}>\n" for n in range(200_000))
    text = vcf_text([vcf_record(VARIANTS[0], ["0/1"] * 5)])
    path = tmp_path / "x.vcf.gz"
    path.write_bytes(gzip.compress(text.replace("##contig=<ID=1>\n", contigs).encode(), 1))
    assert convert("vcf", path).variants == VARIANTS[:1]


def test_half_a_million_samples_are_read(tmp_path):
    names = "\t".join(f"{n}_{n}" for n in range(500_000))
    record = vcf_record(VARIANTS[0], ["0/1"] * 500_000)
    path = tmp_path / "x.vcf.gz"
    path.write_bytes(gzip.compress(HEAD + names.encode() + b"\n" + record.encode(), 1))
    found = convert("vcf", path)
    assert (len(found.samples), found.calls) == (500_000, b"\xaa" * 125_000)


@pytest.mark.parametrize("kind", ["bfile", "pfile", "vcf"])
def test_more_samples_than_are_read_are_refused_at_the_first_too_many(tmp_path, kind, monkeypatch):
    gf.write_bed(tmp_path / "x")
    gf.write_pgen(tmp_path / "x")
    path = gf.write_vcf(tmp_path / "x.vcf") if kind == "vcf" else tmp_path / "x"
    monkeypatch.setattr(samples_module, "MAX_SAMPLES", len(SAMPLES))
    assert convert(kind, path).samples == tuple(SAMPLES)
    monkeypatch.setattr(samples_module, "MAX_SAMPLES", len(SAMPLES) - 1)
    found = refusal(kind, path).findings[0]
    file, line = {"bfile": ("x.fam", 5), "pfile": ("x.psam", 6), "vcf": ("x.vcf", FIRST_RECORD - 1)}[kind]
    assert (found.code, found.file, found.line) == ("SAMPLES_COUNT", file, line)


def test_one_heading_gives_one_finding_of_each_kind(tmp_path):
    names = ["s1", "s2"] * 1000 + [""] * 1000
    path = tmp_path / "x.vcf"
    path.write_bytes(HEAD + "\t".join(names).encode() + b"\n")
    error = refusal("vcf", path)
    assert [(found.code, found.line) for found in error.findings] == [("SAMPLE_TWICE", 2), ("SAMPLE_NAME", 2)]
    assert error.count == 2


def test_each_line_of_a_list_of_samples_has_its_finding(tmp_path):
    gf.write_bed(tmp_path / "x")
    (tmp_path / "x.fam").write_text("".join(f"f {name} 0 0 0 -9\n" for name in ("s1", "s1", "s1", "s4", "s5")))
    assert [found.line for found in refusal("bfile", tmp_path / "x").findings] == [2, 3]


@pytest.mark.parametrize("left_out", [CHROMOSOME_X, THREE])
def test_records_that_are_left_out_are_bounded(tmp_path, monkeypatch, left_out):
    path = tmp_path / "x.vcf.gz"
    path.write_bytes(gzip.compress(vcf_text([left_out] * 5000).encode()))
    monkeypatch.setattr(vcf, "MAX_LEFT_OUT", 1000)
    found = refusal("vcf", path).findings[0]
    assert (found.code, found.file, found.line) == ("VCF_LEFT_OUT", "x.vcf.gz", FIRST_RECORD + 1000)


def test_as_many_records_as_are_taken_may_be_left_out_besides(tmp_path, monkeypatch):
    monkeypatch.setattr(vcf, "MAX_LEFT_OUT", 2)
    good = [vcf_record(variant, ["0/1"] * 5) for variant in VARIANTS]
    path = tmp_path / "x.vcf"
    path.write_text(vcf_text([*good, *[CHROMOSOME_X, THREE] * 3]))
    assert convert("vcf", path).variants == VARIANTS
    path.write_text(vcf_text([*good, *[CHROMOSOME_X, THREE] * 3, THREE]))
    found = refusal("vcf", path).findings[0]
    assert (found.code, found.line) == ("VCF_LEFT_OUT", FIRST_RECORD + 10)


def test_records_are_bounded_whatever_becomes_of_them(tmp_path, monkeypatch):
    path = tmp_path / "x.vcf"
    path.write_text(vcf_text([vcf_record(VARIANTS[0], ["0/1"] * 5)] * 4))
    monkeypatch.setattr(vcf_file, "MAX_VARIANTS", 4)
    assert len(convert("vcf", path).variants) == 1
    monkeypatch.setattr(vcf_file, "MAX_VARIANTS", 3)
    found = refusal("vcf", path).findings[0]
    assert (found.code, found.file, found.line) == ("VARIANTS_COUNT", "x.vcf", FIRST_RECORD + 3)


def test_one_record_again_and_again_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "x.vcf"
    path.write_text(vcf_text([vcf_record(VARIANTS[0], ["0/1"] * 5)] * 12))
    monkeypatch.setattr(unique, "MAX_TWICE", 10)
    assert convert("vcf", path).variants == VARIANTS[:1]
    monkeypatch.setattr(unique, "MAX_TWICE", 9)
    found = refusal("vcf", path).findings[0]
    assert (found.code, found.file) == ("VARIANTS_TWICE", "x.vcf")


@pytest.mark.parametrize("order", [(1, 0), (0, 1, 0), (0, 2, 1), (1, 2, 0)])
def test_a_file_that_is_not_sorted_is_refused_unless_put_on_a_partners_catalogue(tmp_path, order):
    variants = [VARIANTS[place] for place in order]
    path = gf.write_vcf(tmp_path / "x.vcf", CODES[list(order)], variants)
    found = refusal("vcf", path).findings[0]
    assert (found.code, found.file) == ("VARIANTS_UNSORTED", "x.vcf")
    assert found.value == f"{variants[-1].chromosome} {variants[-1].position}"
    catalogue = tmp_path / "c.tsv"
    catalogue.write_text("".join(variant.line() for variant in VARIANTS))
    calls = [CODES[place] if place in order else [1] * 5 for place in range(len(VARIANTS))]
    assert convert("vcf", path, catalogue=catalogue).calls == gf.packed(np.array(calls))


def test_unknown_positions_may_stand_anywhere(tmp_path):
    variants = [VARIANTS[0], Variant("0", 0, "u1", "A", "G"), VARIANTS[1], Variant("0", 0, "u2", "A", "G")]
    gf.write_bed(tmp_path / "x", CODES, variants)
    assert convert("bfile", tmp_path / "x").variants == variants
