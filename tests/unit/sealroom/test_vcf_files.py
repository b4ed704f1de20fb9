"""VCF files at the owner's: broken ones are errors with codes and places, in bounded memory."""

import gzip
import tracemalloc

import genotype_files as gf
import numpy as np
import pytest
from genotype_files import FIRST_RECORD, VARIANTS, convert, vcf_record, vcf_text

from protocol.catalogue import Variant
from sealroom.datasets.findings import CheckError
from sealroom.datasets.genotypes.cohort import GenotypeCohort, GenotypeFiles

GOOD = vcf_text([vcf_record(VARIANTS[0], ["0/1"] * 5), vcf_record(VARIANTS[1], ["0/1"] * 5)])


def record(calls, form="GT"):
    return vcf_text([vcf_record(VARIANTS[0], ["0/1"] * 5), vcf_record(VARIANTS[1], calls, form)])


@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        ("", "VCF_HEADER", None, None),
        (GOOD.split("\n", 1)[1], "VCF_HEADER", 1, None),
        ("\n".join(line for line in GOOD.split("\n") if not line.startswith("#CHROM")), "VCF_HEADER", 7, None),
        ("##fileformat=VCFv4.2\n##x\n", "VCF_HEADER", 2, None),
        ("##fileformat=VCFv4.2\n" + gf.HEADING + "\n", "VCF_HEADER", 2, None),
        (GOOD.replace("s5", "s1"), "SAMPLE_TWICE", 7, "IID"),
        (GOOD.replace("\ts5", "\t"), "SAMPLE_NAME", 7, None),
        ("##fileformat=VCFv4.2\n##" + "x" * 2**20 + "\n", "VCF_HEADER", 2, None),
        (GOOD[:-1], "VCF_CUT", 9, None),
        (GOOD[:-3], "VCF_CUT", 9, None),
        (record(["0/1"] * 4), "VCF_COLUMNS", 9, None),
        (record(["0/1"] * 6), "VCF_COLUMNS", 9, None),
        (GOOD + "\n", "VCF_COLUMNS", 10, None),
        (record(["3"] * 5, "DP"), "VCF_FORMAT", 9, "FORMAT"),
        (record(["3:0/1"] * 5, "DP:GT"), "VCF_FORMAT", 9, "FORMAT"),
        (record(["0/1:1/1"] * 5, "GT:GT"), "VCF_FORMAT", 9, "FORMAT"),
        (record(["0/1:3", "0/1", "0/1:3:4", "0/1:3", "0/1:3"], "GT:DP"), "VCF_FIELDS", 9, "sample 3"),
        (record(["0/1", "0/1", "0/1", "0/1:3", "0/1"]), "VCF_FIELDS", 9, "sample 4"),
        (record(["0/1", "0/1", "0/2", "0/1", "0/1"]), "VCF_GT", 9, "sample 3"),
        (record(["0/1", "0/1", "0-1", "0/1", "0/1"]), "VCF_PLOIDY", 9, "sample 3"),
        (record(["0/1", "0/1", "0/1", "0/1", "a/b"]), "VCF_GT", 9, "sample 5"),
        (record(["0/1", "", "0/1", "0/1", "0/1"]), "VCF_PLOIDY", 9, "sample 2"),
        (record(["0/1", "1", "0/1", "0/1", "0/1"]), "VCF_PLOIDY", 9, "sample 2"),
        (record(["0/1", "0/1/1", "0/1", "0/1", "0/1"]), "VCF_PLOIDY", 9, "sample 2"),
        (record(["0/1:1", "0/1:1", "0/1:1", "0:1", "0/1:1"], "GT:DP"), "VCF_PLOIDY", 9, "sample 4"),
        (GOOD.replace("\t200\t", "\tx\t"), "VARIANT_FIELD", 9, "position"),
        (GOOD.replace("\t200\t", "\t\t"), "VARIANT_FIELD", 9, "position"),
        (GOOD.replace("\t200\t", "\t3000000000\t"), "VARIANT_FIELD", 9, "position"),
        (GOOD.replace("\tT\tC\t", "\tT\tT\t"), "VARIANT_FIELD", 9, "alleles"),
        (GOOD.replace("\tT\tC\t", "\tT\tG]17:198982]\t"), "VARIANT_FIELD", 9, "alleles"),
        (GOOD.replace("rs2", "r\u00e9s"), "VARIANT_FIELD", 9, "identifier"),
    ],
)
def test_a_vcf_that_is_none_is_refused_with_its_line(tmp_path, refused, text, code, line, column):
    assert FIRST_RECORD == 8
    for name, data in (("x.vcf", text.encode()), ("x.vcf.gz", gzip.compress(text.encode()))):
        (tmp_path / name).write_bytes(data)
        refused(code, "vcf", tmp_path / name, file=name, line=line, column=column)


@pytest.mark.parametrize("call", ["0", "a/b", "0/1:3"])
def test_the_name_of_a_sample_is_shown_to_the_owner_only(tmp_path, call):
    samples = ["s1", "s2", "Ada Lovelace", "s4", "s5"]
    record = vcf_record(VARIANTS[0], ["0/1", "0/1", call, "0/1", "0/1"])
    (tmp_path / "x.vcf").write_text(vcf_text([record], samples))
    with pytest.raises(CheckError) as caught:
        convert("vcf", tmp_path / "x.vcf")
    found = caught.value.findings[0]
    assert "Lovelace" in found.words(with_value=True)
    assert found.column == "sample 3"
    assert "Lovelace" not in caught.value.detail + str(caught.value.problem())


def test_the_names_of_samples_are_text(tmp_path, refused):
    (tmp_path / "x.vcf").write_bytes(GOOD.replace("s5", "s\u00ff").encode("latin-1"))
    refused("TEXT_ENCODING", "vcf", tmp_path / "x.vcf", line=7)


def test_a_compressed_vcf_that_was_cut_or_damaged_is_refused(tmp_path, refused):
    variants = [Variant("1", n, ".", "A", "C") for n in range(1, 4000)]
    path = gf.write_vcf(tmp_path / "x.vcf.gz", np.random.default_rng(1).integers(0, 4, (3999, 5)), variants)
    whole = path.read_bytes()
    for data in (whole[: len(whole) // 2], whole[:-4], whole[:2000] + b"\0" * 200 + whole[2200:]):
        path.write_bytes(data)
        with pytest.raises(CheckError) as caught:
            convert("vcf", path)
        assert caught.value.code == "VCF_CUT"
        assert caught.value.findings[0].line > 7
    path.write_bytes(whole[:6])
    refused("VCF_CUT", "vcf", path, line=1)


def test_a_bgzip_file_that_was_cut_between_two_blocks_is_refused(tmp_path, refused):
    end = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")

    def bgzip(text):
        body = gzip.compress(text)[10:]
        extra = b"\x06\x00BC\x02\x00" + (len(body) + 10 + 8 - 1).to_bytes(2, "little")
        return b"\x1f\x8b\x08\x04" + bytes(6) + extra + body

    text = GOOD.encode()
    cut = text.rindex(b"1\t200")
    blocks = bgzip(text[:cut]), bgzip(text[cut:]), end
    path = tmp_path / "x.vcf.gz"
    path.write_bytes(b"".join(blocks))
    assert len(convert("vcf", path).variants) == 2
    path.write_bytes(blocks[0])
    refused("VCF_CUT", "vcf", path)


def test_a_line_of_ten_million_bytes_is_refused_in_bounded_memory(tmp_path, refused):
    long = GOOD + "1\t300\t.\tA\t" + "C" * 10_000_000 + "\n"
    (tmp_path / "x.vcf").write_text(long)
    (tmp_path / "x.vcf.gz").write_bytes(gzip.compress(long.encode()))
    for name in ("x.vcf", "x.vcf.gz"):
        tracemalloc.start()
        try:
            refused("LINE_TOO_LONG", "vcf", tmp_path / name, line=10)
            assert tracemalloc.get_traced_memory()[1] < 30_000_000
        finally:
            tracemalloc.stop()


def test_memory_does_not_grow_with_the_number_of_variants(tmp_path):
    samples = [f"s{n}" for n in range(400)]
    peaks = []
    for count in (3_000, 12_000):
        variants = [Variant("1", n, ".", "A", "C") for n in range(1, count + 1)]
        gf.write_bim(tmp_path / "x.bim", variants)
        (tmp_path / "x.fam").write_text("".join(f"f {name} 0 0 0 -9\n" for name in samples))
        (tmp_path / "x.bed").write_bytes(b"\x6c\x1b\x01" + bytes(100 * count))
        tracemalloc.start()
        with GenotypeCohort(GenotypeFiles("bfile", tmp_path / "x"), tmp_path, lambda _: None) as cohort:
            assert sum(len(block.variants) for block in cohort.blocks()) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]
