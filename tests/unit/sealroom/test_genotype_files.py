"""Genotype files at the owner's: three formats give the same bytes; broken ones are errors with codes and places."""

import hashlib

import genotype_files as gf
import numpy as np
import pytest
from genotype_files import CODES, SAMPLES, VARIANTS, convert, vcf_record, vcf_text

from protocol.catalogue import Variant
from protocol.errors import StorageError
from sealroom.datasets.findings import CheckError
from sealroom.datasets.genotypes import bed, placing, source
from sealroom.datasets.genotypes import pgen as pgen_module

# Formats ----------------------------------------------------------------------------------------------------------


def test_three_formats_give_the_same_bytes_and_the_same_catalogue(tmp_path):
    gf.write_bed(tmp_path / "a.b")
    gf.write_pgen(tmp_path / "a.b")
    found = [
        convert("bfile", tmp_path / "a.b"),
        convert("pfile", tmp_path / "a.b"),
        convert("vcf", gf.write_vcf(tmp_path / "a.vcf")),
        convert("vcf", gf.write_vcf(tmp_path / "b.vcf.gz")),
        convert("vcf", gf.write_vcf(tmp_path / "c.vcf", spelling=("1|1", ".|.", "1|0", "0|0"))),
        convert("vcf", gf.write_vcf(tmp_path / "d.vcf", spelling=("1/1", ".", "0|1", "0/0"), form="GT:DP", tail=":7")),
    ]
    lines = b"".join(variant.line().encode() for variant in VARIANTS)
    for one in found:
        assert one.samples == tuple(SAMPLES)
        assert one.variants == VARIANTS
        assert one.calls == gf.packed(CODES)
        assert one.catalogue == hashlib.sha256(lines).hexdigest()


def test_htslib_reads_the_same_genotypes(tmp_path):
    from cyvcf2 import VCF

    path = gf.write_vcf(tmp_path / "a.vcf.gz", spelling=("1|1", "./.", "1|0", "0/0"), form="GT:DP", tail=":3")
    copies = [[sum(call[:2]) if min(call[:2]) >= 0 else -1 for call in record.genotypes] for record in VCF(str(path))]
    assert np.array([3, 2, 0, 1])[np.array(copies)].tolist() == CODES.tolist()


def test_blocks_of_any_size_give_the_same_bytes(tmp_path, monkeypatch):
    gf.write_bed(tmp_path / "x")
    gf.write_pgen(tmp_path / "x")
    vcf = gf.write_vcf(tmp_path / "x.vcf")
    monkeypatch.setattr(source, "BLOCK_VARIANTS", 1)
    for kind, path in (("bfile", tmp_path / "x"), ("pfile", tmp_path / "x"), ("vcf", vcf)):
        found = convert(kind, path)
        assert (found.blocks, found.calls, found.variants) == (4, gf.packed(CODES), VARIANTS)


def test_progress_counts_the_bytes_of_the_calls(tmp_path):
    gf.write_bed(tmp_path / "x")
    gf.write_pgen(tmp_path / "x")
    vcf = gf.write_vcf(tmp_path / "x.vcf.gz")
    told = {}
    for kind, path in (("bfile", tmp_path / "x"), ("pfile", tmp_path / "x"), ("vcf", vcf)):
        convert(kind, path, told=told.setdefault(kind, []))
    assert {kind: sum(amounts) for kind, amounts in told.items()} == {
        "bfile": len(gf.packed(CODES)),
        "pfile": len(gf.packed(CODES)),
        "vcf": vcf.stat().st_size,
    }


def test_bits_behind_the_last_sample_are_cleared(tmp_path):
    gf.write_bed(tmp_path / "x")
    path = tmp_path / "x.bed"
    data = bytearray(path.read_bytes())
    data[4::2] = bytes(byte | 0b11111100 for byte in data[4::2])
    path.write_bytes(bytes(data))
    assert convert("bfile", tmp_path / "x").calls == gf.packed(CODES)


def test_names_of_files_without_headings_are_read_as_plink_2_does(tmp_path):
    gf.write_pgen(tmp_path / "x")
    (tmp_path / "x.psam").write_text("".join(f"f {name} 0 0 0 -9\n" for name in SAMPLES))
    gf.write_bim(tmp_path / "x.pvar", VARIANTS)
    assert convert("pfile", tmp_path / "x").variants == VARIANTS
    (tmp_path / "x.psam").write_text("##note\n#FID\tIID\tSEX\n" + "".join(f"f\t{name}\t1\n" for name in SAMPLES))
    rows = (f"{v.chromosome} {v.position} {v.second} {v.first} {v.identifier}\n" for v in VARIANTS)
    (tmp_path / "x.pvar").write_text("#CHROM POS REF ALT ID\n" + "".join(rows))
    found = convert("pfile", tmp_path / "x")
    assert (found.variants, found.samples) == (VARIANTS, tuple(SAMPLES))


# What is left out -------------------------------------------------------------------------------------------------


def test_other_chromosomes_are_left_out_and_told_of(tmp_path):
    names = ["1", "chr2", "chrX", "23", "MT", "0", "scaffold_9", "par1"]
    variants = [Variant(name, 10 + place, f"v{place}", "A", "C") for place, name in enumerate(names)]
    codes = np.resize(CODES, (8, 5))
    gf.write_bed(tmp_path / "x", codes, variants)
    found = convert("bfile", tmp_path / "x")
    assert [v.chromosome for v in found.variants] == ["1", "2", "0", "scaffold_9"]
    assert found.calls == gf.packed(codes[[0, 1, 5, 6]])
    assert found.notes[0].startswith("4 variants that are not on autosomes (chromosomes 23, MT, chrX, par1)")
    assert [v.chromosome for v in convert("bfile", tmp_path / "x", autosomes=29).variants] == [
        *("1", "2", "23", "0", "scaffold_9")
    ]


def test_haploid_calls_do_no_harm_where_they_belong(tmp_path):
    records = [
        vcf_record(VARIANTS[0], ["0/1"] * 5),
        vcf_record(Variant("X", 5, ".", "A", "C"), ["0", "1", ".", "0/1", "1"]),
    ]
    (tmp_path / "x.vcf").write_text(vcf_text(records))
    assert convert("vcf", tmp_path / "x.vcf").variants == VARIANTS[:1]


def test_more_than_two_alleles_are_left_out_of_a_vcf_and_half_calls_are_missing(tmp_path):
    records = [
        vcf_record(Variant("1", 5, ".", "A,C", "G"), ["1/2"] * 5),
        vcf_record(VARIANTS[0], ["0/.", "./1", ".|0", "1/1", "0/0"]),
    ]
    (tmp_path / "x.vcf").write_text(vcf_text(records))
    found = convert("vcf", tmp_path / "x.vcf")
    assert (found.variants, found.calls) == (VARIANTS[:1], gf.packed(np.array([[1, 1, 1, 0, 3]], dtype=np.uint8)))
    assert found.notes[0].startswith("1 variants of more than two alleles")
    assert found.notes[1].startswith("3 half calls")


def test_an_allele_that_nobody_has_is_written_alike(tmp_path):
    gf.write_bed(tmp_path / "x", CODES[:1], [Variant("1", 100, "rs1", "0", "G")])
    (tmp_path / "x.vcf").write_text(vcf_text([vcf_record(Variant("1", 100, "rs1", ".", "G"), ["0/0"] * 5)]))
    one, two = convert("bfile", tmp_path / "x"), convert("vcf", tmp_path / "x.vcf")
    assert one.variants == two.variants == [Variant("1", 100, "rs1", ".", "G")]
    assert one.catalogue == two.catalogue


def test_the_first_of_equal_variants_is_taken(tmp_path):
    twice = [VARIANTS[0], Variant("1", 100, "other", "G", "A"), Variant("1", 100, "third", "A", "T"), VARIANTS[3]]
    gf.write_bed(tmp_path / "x", CODES, twice)
    found = convert("bfile", tmp_path / "x")
    assert [v.identifier for v in found.variants] == ["rs1", "third", "rs4"]
    assert found.calls == gf.packed(CODES[[0, 2, 3]])
    assert any(note.startswith("1 variants have the place and alleles") for note in found.notes)
    unknown = [Variant("0", 0, f"u{n}", "A", "G") for n in range(4)]
    gf.write_bed(tmp_path / "x", CODES, unknown)
    assert convert("bfile", tmp_path / "x").variants == unknown


def test_rare_variants_are_told_of_unless_the_catalogue_is_a_partners(tmp_path):
    samples = [f"s{n}" for n in range(40)]
    codes = np.full((3, 40), 3, dtype=np.uint8)
    codes[1, :9], codes[2, :10] = 2, 2  # nobody, nine and ten carriers of the first allele
    gf.write_bed(tmp_path / "x", codes, VARIANTS[:3], samples)
    assert [note.split(" fewer")[0] for note in convert("bfile", tmp_path / "x").notes] == ["Of 1 variants"]
    catalogue = tmp_path / "list.tsv"
    catalogue.write_text("".join(v.line() for v in VARIANTS[:3]))
    assert len(convert("bfile", tmp_path / "x", catalogue=catalogue).notes) == 1


# A partner's catalogue --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["bfile", "pfile", "vcf"])
def test_genotypes_are_put_on_a_partners_catalogue(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(source, "BLOCK_VARIANTS", 2)
    gf.write_bed(tmp_path / "x")
    gf.write_pgen(tmp_path / "x")
    path = gf.write_vcf(tmp_path / "x.vcf") if kind == "vcf" else tmp_path / "x"
    theirs = [
        Variant("22", 7, "theirs", "C", "T"),  # the other way round
        Variant("1", 100, "rs1", "A", "T"),  # other alleles
        Variant("1", 200, "rs2", "C", "T"),
        Variant("3", 1, "absent", "A", "C"),
    ]
    catalogue = tmp_path / "their.variants.tsv"
    catalogue.write_text("".join(variant.line() for variant in theirs))
    found = convert(kind, path, catalogue=catalogue)
    turned = np.array([3, 1, 2, 0], dtype=np.uint8)[CODES[3]]
    missing = np.ones(5, dtype=np.uint8)
    assert found.variants == theirs
    assert found.calls == gf.packed(np.array([turned, missing, CODES[1], missing]))
    assert found.catalogue == hashlib.sha256(catalogue.read_bytes()).hexdigest()
    assert found.notes[0].startswith("2 of the 4 variants of their.variants.tsv are in the genotypes, 1 of these with")
    assert found.notes[1].startswith("2 variants of the genotypes are not in their.variants.tsv")
    assert {path.suffix for path in tmp_path.iterdir()} <= {
        *(".bed", ".bim", ".fam", ".pgen", ".pvar", ".psam"),
        ".vcf",
        ".tsv",
    }


def test_a_variant_of_unknown_position_is_matched_by_its_identifier(tmp_path):
    mine = [Variant("0", 0, f"v{n}", "A", "G") for n in range(4)]
    gf.write_bed(tmp_path / "x", CODES, mine)
    catalogue = tmp_path / "c.tsv"
    catalogue.write_text("".join(mine[n].line() for n in (2, 0)))
    assert convert("bfile", tmp_path / "x", catalogue=catalogue).calls == gf.packed(CODES[[2, 0]])


def test_the_first_of_equal_variants_is_placed(tmp_path):
    gf.write_bed(tmp_path / "x", CODES, [VARIANTS[0], VARIANTS[1], VARIANTS[0], VARIANTS[3]])
    catalogue = tmp_path / "c.tsv"
    catalogue.write_text(VARIANTS[0].line())
    found = convert("bfile", tmp_path / "x", catalogue=catalogue)
    assert found.calls == gf.packed(CODES[:1])
    assert found.notes[-1].startswith("1 variants stand in the genotypes again")


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("1 100 rs1 A G\n", "CATALOGUE_LINE", 1),
        (VARIANTS[0].line() * 2, "CATALOGUE_TWICE", 2),
        (VARIANTS[0].line() + Variant("1", 100, "o", "G", "A").line(), "CATALOGUE_TWICE", 2),
        ("".join(v.line() for v in VARIANTS), "CATALOGUE_SIZE", 4),
        (Variant("9", 9, "o", "G", "A").line(), "CATALOGUE_NO_MATCH", None),
        ("", "CATALOGUE_NO_MATCH", None),
    ],
)
def test_a_catalogue_that_cannot_be_used_is_refused(tmp_path, refused, monkeypatch, text, code, line):
    monkeypatch.setattr(placing, "MAX_PLACED", 3)
    gf.write_bed(tmp_path / "x")
    (tmp_path / "c.tsv").write_text(text)
    refused(code, "bfile", tmp_path / "x", file="c.tsv", line=line, catalogue=tmp_path / "c.tsv")


def test_a_catalogue_that_changes_meanwhile_is_refused(tmp_path, monkeypatch):
    gf.write_bed(tmp_path / "x")
    catalogue = tmp_path / "c.tsv"
    catalogue.write_text(VARIANTS[0].line() + VARIANTS[1].line())
    take = placing.Placing.take

    def change(self, blocks):
        take(self, blocks)
        catalogue.write_text(VARIANTS[0].line() + VARIANTS[2].line())

    monkeypatch.setattr(placing.Placing, "take", change)
    with pytest.raises(CheckError) as caught:
        convert("bfile", tmp_path / "x", catalogue=catalogue)
    assert caught.value.code == "CATALOGUE_CHANGED"


# Broken files -----------------------------------------------------------------------------------------------------


def test_files_that_are_not_there_are_named(tmp_path):
    for kind, missing, write in (
        ("bfile", ("bed", "bim", "fam"), gf.write_bed),
        ("pfile", ("pgen", "pvar", "psam"), gf.write_pgen),
    ):
        for suffix in missing:
            write(tmp_path / "x")
            (tmp_path / f"x.{suffix}").unlink()
            with pytest.raises(StorageError, match=f"x.{suffix}") as caught:
                convert(kind, tmp_path / "x")
            assert caught.value.code == "FILE_MISSING"
    with pytest.raises(StorageError, match=r"no\.vcf"):
        convert("vcf", tmp_path / "no.vcf")
    with pytest.raises(StorageError, match=r"no\.tsv"):
        convert("bfile", gf.write_bed(tmp_path / "x"), catalogue=tmp_path / "no.tsv")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda data: data[:-1], "BED_SIZE"),
        (lambda data: data + b"\0", "BED_SIZE"),
        (lambda data: data[:3], "BED_SIZE"),
        (lambda data: b"\x6c\x1b\x00" + data[3:], "BED_SAMPLE_MAJOR"),
        (lambda data: b"\x6c\x1b\x02" + data[3:], "BED_HEAD"),
        (lambda data: b"\x1f\x8b\x08" + data[3:], "BED_HEAD"),
        (lambda _data: b"", "BED_HEAD"),
    ],
)
def test_a_bed_file_of_another_form_is_refused(tmp_path, refused, change, code):
    gf.write_bed(tmp_path / "x")
    path = tmp_path / "x.bed"
    path.write_bytes(change(path.read_bytes()))
    refused(code, "bfile", tmp_path / "x", file="x.bed")


def test_a_bed_file_that_shrinks_meanwhile_is_refused(tmp_path, refused, monkeypatch):
    gf.write_bed(tmp_path / "x")
    variants_of = bed.bim_variants

    def shrink(file):
        (tmp_path / "x.bed").write_bytes((tmp_path / "x.bed").read_bytes()[:-2])
        return variants_of(file)

    monkeypatch.setattr(bed, "bim_variants", shrink)
    refused("BED_SIZE", "bfile", tmp_path / "x", file="x.bed")


@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        ("", "SAMPLES_NONE", None, None),
        ("\n\n", "SAMPLES_NONE", None, None),
        ("f s1 0 0 0 -9\nf s1 0 0 0 -9\n", "SAMPLE_TWICE", 2, "IID"),
        ("f s1 0 0 0\n", "FAM_FIELDS", 1, None),
        ("f s1 0 0 0 -9\nf s2 0 0 0 -9 7\n", "FAM_FIELDS", 2, None),
        (b"f s\xff1 0 0 0 -9\n", "TEXT_ENCODING", 1, None),
        ("f s1 0 0 0 -9\n" + "f" * 2**20 + "\n", "LINE_TOO_LONG", 2, None),
    ],
)
def test_a_fam_file_that_is_none_is_refused(tmp_path, refused, text, code, line, column):
    gf.write_bed(tmp_path / "x")
    (tmp_path / "x.fam").write_bytes(text if isinstance(text, bytes) else text.encode())
    refused(code, "bfile", tmp_path / "x", file="x.fam", line=line, column=column)


@pytest.mark.parametrize(
    ("row", "code", "column"),
    [
        ("1 rs2 0 200 C", "BIM_FIELDS", None),
        ("1 rs2 C T", "BIM_FIELDS", None),
        ("1 rs2 0 200 C T x", "BIM_FIELDS", None),
        ("1 rs2 0 2e5 C T", "VARIANT_FIELD", "position"),
        ("1 rs2 0 -200 C T", "VARIANT_FIELD", "position"),
        ("1 rs2 0 99999999999 C T", "VARIANT_FIELD", "position"),
        ("1 rs2 0 3000000000 C T", "VARIANT_FIELD", "position"),
        ("1 rs2 0 200 C C", "VARIANT_FIELD", "alleles"),
        ("1 rs2 0 200 0 0", "VARIANT_FIELD", "alleles"),
        ("1 rs2 0 200 C,G T", "VARIANT_FIELD", "alleles"),
        ("1,2 rs2 0 200 C T", "VARIANT_FIELD", "chromosome"),
        (f"1 {'r' * 300} 0 200 C T", "VARIANT_FIELD", "identifier"),
    ],
)
def test_a_variant_that_is_none_is_refused(tmp_path, refused, row, code, column):
    gf.write_bed(tmp_path / "x")
    lines = (tmp_path / "x.bim").read_text().splitlines()
    (tmp_path / "x.bim").write_text("\n".join((lines[0], row, *lines[2:])) + "\n")
    refused(code, "bfile", tmp_path / "x", file="x.bim", line=2, column=column)


def test_no_variants_are_refused(tmp_path, refused):
    gf.write_bed(tmp_path / "x")
    (tmp_path / "x.bim").write_text("")
    refused("VARIANTS_COUNT", "bfile", tmp_path / "x", file="x.bim")
    gf.write_bed(tmp_path / "y", CODES, [Variant("X", n, ".", "A", "G") for n in range(4)])
    refused("VARIANTS_COUNT", "bfile", tmp_path / "y", file="y.fam")


@pytest.mark.parametrize(
    ("name", "text", "code", "line", "column"),
    [
        ("psam", "#SEX IID\n1 s1\n", "PSAM_HEADING", 1, None),
        ("psam", "#IID SEX\ns1\n", "PSAM_FIELDS", 2, None),
        ("psam", "#IID\n", "SAMPLES_NONE", None, None),
        ("psam", "", "SAMPLES_NONE", None, None),
        ("psam", "f s1 0\n", "FAM_FIELDS", 1, None),
        ("pvar", "#CHROM POS ID REF\n1 1 . A\n", "PVAR_HEADING", 1, None),
        ("pvar", "#POS CHROM ID REF ALT\n1 1 . A C\n", "PVAR_HEADING", 1, None),
        ("pvar", "##x\n#CHROM POS ID REF ALT\n1 1 . A\n", "PVAR_FIELDS", 3, None),
        ("pvar", "#CHROM POS ID REF ALT\n1 1 . A C,G\n", "MULTIALLELIC", 2, "ALT"),
        ("pvar", "#CHROM POS ID REF ALT\n", "VARIANTS_COUNT", None, None),
    ],
)
def test_tables_of_a_pgen_file_that_are_none_are_refused(tmp_path, refused, name, text, code, line, column):
    gf.write_pgen(tmp_path / "x", CODES[:1], VARIANTS[:1])
    (tmp_path / f"x.{name}").write_text(text)
    refused(code, "pfile", tmp_path / "x", file=f"x.{name}", line=line, column=column)


def test_a_packed_pvar_file_is_refused_with_advice(tmp_path, refused):
    gf.write_pgen(tmp_path / "x")
    (tmp_path / "x.pvar").rename(tmp_path / "x.pvar.zst")
    assert "zstd -d" in refused("PVAR_PACKED", "pfile", tmp_path / "x", file="x.pvar.zst").wanted


def test_an_absent_library_is_said(tmp_path, monkeypatch):
    from importlib.metadata import PackageNotFoundError

    def absent(name):
        raise PackageNotFoundError(name)

    gf.write_pgen(tmp_path / "x")
    monkeypatch.setattr(pgen_module, "version", absent)
    with pytest.raises(StorageError, match=r"sealroom\[genetics\]") as caught:
        convert("pfile", tmp_path / "x")
    assert caught.value.code == "LIBRARY_ABSENT"


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        (lambda _data: b"", {"PGEN_HEAD"}),
        (lambda data: b"\x6c\x1b\x01" + data[3:], {"PGEN_HEAD"}),
        (lambda data: b"PGEN" + data[4:], {"PGEN_HEAD"}),
        (lambda data: b"\x6c\x1b\x20" + data[3:], {"PGEN_INDEX"}),
        (lambda data: b"\x6c\x1b\x21" + data[3:], {"PGEN_INDEX"}),
        (lambda data: data[:3], {"READER_REFUSED", "READER_DIED"}),
        (lambda data: data[:-2], {"READER_REFUSED", "READER_DIED"}),
        (lambda data: data[:3] + b"\xff" * 9 + data[12:], {"READER_REFUSED", "READER_DIED"}),
    ],
)
def test_a_pgen_file_that_is_none_is_refused_and_kills_nobody(tmp_path, change, codes):
    gf.write_pgen(tmp_path / "x")
    path = tmp_path / "x.pgen"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(CheckError) as caught:
        convert("pfile", tmp_path / "x")
    assert caught.value.code in codes
    assert caught.value.findings[0].file == "x.pgen"


def test_what_the_library_says_is_shown_in_words_and_without_the_files_folder(tmp_path):
    gf.write_pgen(tmp_path / "x")
    with (tmp_path / "x.pvar").open("a") as sink:
        sink.write("22\t9\t.\tA\tC\n")
    with pytest.raises(CheckError) as caught:
        convert("pfile", tmp_path / "x")
    assert caught.value.code == "READER_REFUSED"
    said = caught.value.findings[0].found
    assert "x.pgen contains" in said
    assert all(mark not in said for mark in ("b'", "\\n", str(tmp_path)))


def test_another_number_of_samples_or_variants_is_refused(tmp_path):
    gf.write_pgen(tmp_path / "x")
    with (tmp_path / "x.psam").open("a") as sink:
        sink.write("s6\tNA\n")
    with pytest.raises(CheckError, match=r"x\.pgen"):
        convert("pfile", tmp_path / "x")
    gf.write_pgen(tmp_path / "y")
    with (tmp_path / "y.pvar").open("a") as sink:
        sink.write("22\t9\t.\tA\tC\n")
    with pytest.raises(CheckError, match=r"y\.pgen"):
        convert("pfile", tmp_path / "y")
