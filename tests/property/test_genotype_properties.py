"""Genotype files from anybody: the same calls whatever the format, and damage is an error with a code, never a crash."""

import gzip
import tempfile
from pathlib import Path

import genotype_files as gf
import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from protocol.catalogue import Variant
from protocol.errors import StorageError
from sealroom.datasets.findings import CheckError
from sealroom.datasets.genotypes.packing import clear_padding, minor_alleles, pack, swap_alleles

SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 13))
CODES = SHAPES.flatmap(lambda shape: arrays(np.uint8, shape, elements=st.integers(0, 3)))
SPELLINGS = st.sampled_from([("1/1", "./.", "0/1", "0/0"), ("1|1", ".|.", "1|0", "0|0"), ("1|1", ".", "0|1", "0/0")])


def named(codes):
    variants = [Variant("1", 10 * place + 1, f"v{place}", "A", "C") for place in range(len(codes))]
    return variants, [f"s{place}" for place in range(codes.shape[1])]


@given(CODES)
def test_packing_swapping_and_counting(codes):
    samples = codes.shape[1]
    packed = pack(codes)
    assert packed.tobytes() == gf.packed(codes)
    turned = swap_alleles(packed, samples)
    assert turned.tobytes() == gf.packed(np.array([3, 1, 2, 0], dtype=np.uint8)[codes])
    assert swap_alleles(turned, samples).tobytes() == packed.tobytes()
    copies = np.array([2, 0, 1, 0])[codes].sum(axis=1)
    called = 2 * (codes != 1).sum(axis=1)
    assert minor_alleles(packed, samples).tolist() == np.minimum(copies, called - copies).tolist()
    dirty = packed.copy()
    if samples % 4:
        dirty[:, -1] |= np.uint8(0xFF << (2 * (samples % 4)) & 0xFF)
    clear_padding(dirty, samples)
    assert dirty.tobytes() == packed.tobytes()


@given(CODES, SPELLINGS, st.booleans())
def test_bed_and_vcf_give_the_same_bytes(codes, spelling, more):
    variants, samples = named(codes)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        gf.write_bed(folder / "x", codes, variants, samples)
        form, tail = ("GT:DP", ":9") if more else ("GT", "")
        vcf = gf.write_vcf(folder / "x.vcf", codes, variants, samples, spelling, form, tail)
        bed, text = gf.convert("bfile", folder / "x"), gf.convert("vcf", vcf)
        assert bed.calls == text.calls == gf.packed(codes)
        assert bed.catalogue == text.catalogue


CALLS = st.sampled_from(["0/0", "0|1", "1/0", "1|1", "./.", ".|.", ".", "0/.", ".|1"])


@given(SHAPES.flatmap(lambda shape: arrays(object, shape, elements=CALLS)), st.booleans(), st.booleans())
def test_htslib_reads_the_same_calls(texts, more, compressed):
    """A call that is whole counts its alleles, and everything else is missing."""
    from cyvcf2 import VCF

    form, tail = ("GT:DP", ":9") if more else ("GT", "")
    variants, samples = named(texts)
    rows = (gf.vcf_record(v, [t + tail for t in row], form) for v, row in zip(variants, texts, strict=True))
    data = gf.vcf_text(rows, samples).encode()
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / ("x.vcf.gz" if compressed else "x.vcf")
        path.write_bytes(gzip.compress(data) if compressed else data)
        read = [[call[:-1] for call in record.genotypes] for record in VCF(str(path))]
        mine = gf.convert("vcf", path)
    theirs = [[1 if -1 in call else (3, 2, 0)[sum(call)] for call in row] for row in read]
    assert mine.calls == gf.packed(np.array(theirs, dtype=np.uint8))


@settings(max_examples=12)
@given(CODES)
def test_pgen_gives_the_same_bytes(codes):
    variants, samples = named(codes)
    with tempfile.TemporaryDirectory() as name:
        gf.write_pgen(Path(name) / "x", codes, variants, samples)
        assert gf.convert("pfile", Path(name) / "x").calls == gf.packed(codes)


@given(CODES, st.data())
def test_placing_gives_each_variant_of_the_catalogue_its_own_calls(codes, data):
    variants, samples = named(codes)
    chosen = data.draw(st.lists(st.sampled_from(range(len(variants))), min_size=1, unique=True))
    turned = data.draw(st.lists(st.booleans(), min_size=len(chosen), max_size=len(chosen)))
    lines, rows = [], []
    for place, swap in zip(chosen, turned, strict=True):
        v = variants[place]
        lines.append(
            Variant(v.chromosome, v.position, "theirs", *((v.second, v.first) if swap else (v.first, v.second)))
        )
        rows.append(np.array([3, 1, 2, 0], dtype=np.uint8)[codes[place]] if swap else codes[place])
    absent = Variant("2", 5, "absent", "A", "C")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        gf.write_bed(folder / "x", codes, variants, samples)
        catalogue = folder / "c.tsv"
        catalogue.write_text("".join(variant.line() for variant in (*lines, absent)))
        found = gf.convert("bfile", folder / "x", catalogue=catalogue)
    assert found.calls == gf.packed(np.array([*rows, np.ones(len(samples), dtype=np.uint8)]))


DAMAGE = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6)


def damaged(data, changes, cut):
    changed = bytearray(data)
    for place, byte in changes:
        changed[int(place * len(data))] = byte
    return bytes(changed[: len(changed) - int(cut * len(changed))])


def survives(kind, path):
    """Convert what may be damaged: right or refused with a code and a file, nothing else."""
    try:
        found = gf.convert(kind, path)
    except CheckError as error:
        assert error.code.isupper()
        assert all(finding.file.startswith("x") for finding in error.findings)
    except StorageError as error:
        assert error.code == "FILE_MISSING"
    else:
        width = -(-len(found.samples) // 4)
        assert len(found.calls) == len(found.variants) * width
        assert all(variant.wrong_field() is None for variant in found.variants)


@given(st.sampled_from(["bed", "bim", "fam"]), DAMAGE, st.sampled_from([0, 0, 0.3]))
def test_a_damaged_bed_is_right_or_refused(suffix, changes, cut):
    with tempfile.TemporaryDirectory() as name:
        gf.write_bed(Path(name) / "x")
        path = Path(name) / f"x.{suffix}"
        path.write_bytes(damaged(path.read_bytes(), changes, cut))
        survives("bfile", Path(name) / "x")


@given(DAMAGE, st.sampled_from([0, 0, 0.3]), st.booleans())
def test_a_damaged_vcf_is_right_or_refused(changes, cut, compressed):
    with tempfile.TemporaryDirectory() as name:
        path = gf.write_vcf(Path(name) / ("x.vcf.gz" if compressed else "x.vcf"))
        path.write_bytes(damaged(path.read_bytes(), changes, cut))
        survives("vcf", path)


@settings(max_examples=40)
@given(st.sampled_from(["pgen", "pvar", "psam"]), DAMAGE, st.sampled_from([0, 0, 0.3]))
def test_a_damaged_pgen_is_right_or_refused(suffix, changes, cut):
    with tempfile.TemporaryDirectory() as name:
        gf.write_pgen(Path(name) / "x")
        path = Path(name) / f"x.{suffix}"
        path.write_bytes(damaged(path.read_bytes(), changes, cut))
        survives("pfile", Path(name) / "x")


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_no_vcf(data, compressed):
    assume(not data.startswith(b"##fileformat=VCFv4."))
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "x.vcf"
        path.write_bytes(gzip.compress(data) if compressed else data)
        try:
            gf.convert("vcf", path)
        except CheckError as error:
            assert error.code in {"VCF_HEADER", "VCF_CUT"}
        else:
            raise AssertionError(data)
