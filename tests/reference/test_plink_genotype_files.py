"""What was sealed, opened again, against PLINK 2's own counts of the same files.

The answers are ``--freq`` and ``--missing`` of PLINK v2.00a3.5 in ``data/genomics/ref``; SOURCES.md beside them says how
they were made. PLINK prints six significant digits.
"""

import csv
import gzip
import io

import numpy as np
import pytest
from genotype_files import convert

from protocol.container import PartOpener, SealingWriter, generate_data_key

CASES = [
    ("bfile", "hapmap3_957", "hapmap3_957.afreq.gz", "hapmap3_957.vmiss.gz", 957, 14_266),
    ("bfile", "maize_281", "maize_281.afreq.gz", "maize_281.vmiss.gz", 281, 3_093),
    ("bfile", "regenie_example", "regenie.afreq", "regenie.vmiss", 500, 1_000),
    ("pfile", "regenie_example", "regenie.afreq", "regenie.vmiss", 500, 1_000),
    ("vcf", "1kg_phase3_chr21_start.vcf.gz", "1kg_chr21.afreq", "1kg_chr21.vmiss", 2_504, 600),
]


@pytest.fixture
def genomics(reference):
    return reference / "data" / "genomics"


def table(path):
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt") as text:
        return list(csv.DictReader(text, delimiter="\t"))


def through_the_container(plain):
    """Seal and open again, as owner and enclave do."""
    key, sink = generate_data_key(), io.BytesIO()
    writer = SealingWriter(sink, key)
    writer.write(plain)
    file, sealed = writer.finish().sealed_file("genotypes"), sink.getvalue()
    opener, sizes = PartOpener(key, file), [file.part_size(index) for index in range(len(file.parts))]
    starts = np.concatenate([[0], np.cumsum(sizes)]).tolist()
    return b"".join(opener.open_part(i, sealed[starts[i] : starts[i + 1]]) for i in range(len(sizes)))


@pytest.mark.parametrize(("kind", "name", "frequencies", "missing", "samples", "variants"), CASES)
def test_counts_are_plinks(genomics, tmp_path, kind, name, frequencies, missing, samples, variants):
    found = convert(kind, genomics / name, folder=tmp_path)
    assert (len(found.samples), len(found.variants)) == (samples, variants)
    packed = np.frombuffer(through_the_container(found.calls), dtype=np.uint8).reshape(variants, -1)
    codes = np.stack([(packed >> shift) & 3 for shift in (0, 2, 4, 6)], axis=2).reshape(variants, -1)
    assert not codes[:, samples:].any()
    codes = codes[:, :samples]
    called = (codes != 1).sum(axis=1)
    first = 2 * (codes == 0).sum(axis=1) + (codes == 2).sum(axis=1)
    for variant, count, copies, row in zip(
        found.variants, called.tolist(), first.tolist(), table(genomics / "ref" / frequencies), strict=True
    ):
        assert (variant.identifier, variant.first, variant.second) == (row["ID"], row["ALT"], row["REF"])
        assert 2 * count == int(row["OBS_CT"])
        printed = row["ALT_FREQS"]
        assert f"{copies / (2 * count):.6g}" == f"{float(printed):.6g}" if count else printed == "nan"
    for variant, count, row in zip(found.variants, called.tolist(), table(genomics / "ref" / missing), strict=True):
        assert (variant.identifier, samples - count) == (row["ID"], int(row["MISSING_CT"]))


def test_pgen_and_bed_of_the_same_data_are_the_same_bytes(genomics, tmp_path):
    bed = convert("bfile", genomics / "regenie_example", folder=tmp_path)
    pgen = convert("pfile", genomics / "regenie_example", folder=tmp_path)
    assert (bed.calls, bed.catalogue, bed.samples) == (pgen.calls, pgen.catalogue, pgen.samples)
    assert bed.calls == (genomics / "regenie_example.bed").read_bytes()[3:]


def test_htslib_reads_the_same_vcf(genomics, tmp_path):
    from cyvcf2 import VCF

    path = genomics / "1kg_phase3_chr21_start.vcf.gz"
    found = convert("vcf", path, folder=tmp_path)
    reader = VCF(str(path), gts012=True)
    assert found.samples == tuple(reader.samples)
    packed = np.frombuffer(found.calls, dtype=np.uint8).reshape(600, -1)
    codes = np.stack([(packed >> shift) & 3 for shift in (0, 2, 4, 6)], axis=2).reshape(600, -1)
    theirs = np.array([3, 2, 0, 1])[np.stack([record.gt_types.copy() for record in reader])]
    np.testing.assert_array_equal(codes[:, :2504], theirs)


def test_a_cohort_put_on_its_own_catalogue_is_unchanged(genomics, tmp_path):
    own = convert("bfile", genomics / "hapmap3_957", folder=tmp_path)
    catalogue = tmp_path / "own.variants.tsv"
    catalogue.write_text("".join(variant.line() for variant in own.variants))
    placed = convert("bfile", genomics / "hapmap3_957", catalogue=catalogue, folder=tmp_path)
    assert (placed.calls, placed.catalogue) == (own.calls, own.catalogue)
    assert placed.notes[1].startswith(
        "14266 of the 14266 variants of own.variants.tsv are in the genotypes, 0 of these"
    )
