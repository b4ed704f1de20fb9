"""Genotype files for tests of the owner's side: the same codes as .bed, .pgen and VCF, and what a conversion gives.

::

    write_bed(folder / "x", codes, variants, samples)      # codes: uint8 (variants, samples), as a .bed file has them
    write_pgen(folder / "x", codes, variants, samples)
    write_vcf(folder / "x.vcf", codes, variants, samples)
    convert("bfile", folder / "x").calls                   # packed, as they are sealed
"""

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pgenlib import PgenWriter

from protocol.catalogue import Variant
from sealroom.datasets.genotypes.bed import BED_HEAD
from sealroom.datasets.genotypes.cohort import GenotypeCohort, GenotypeFiles

VARIANTS = [
    Variant("1", 100, "rs1", "A", "G"),
    Variant("1", 200, "rs2", "C", "T"),
    Variant("2", 50, ".", "G", "GA"),
    Variant("22", 7, "rs4", "T", "C"),
]
SAMPLES = ["s1", "s2", "s3", "s4", "s5"]
CODES = np.array([[0, 1, 2, 3, 2], [3, 3, 2, 0, 0], [1, 1, 1, 1, 2], [2, 0, 3, 2, 3]], dtype=np.uint8)
_GT = ("1/1", "./.", "0/1", "0/0")
HEADING = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT"


def packed(codes):
    """Pack the plain way, sample by sample."""
    rows = []
    for row in codes:
        data = bytearray(-(-len(row) // 4))
        for place, code in enumerate(row.tolist()):
            data[place // 4] |= code << (place % 4 * 2)
        rows.append(bytes(data))
    return b"".join(rows)


def write_bim(path, variants):
    path.write_text(
        "".join(f"{v.chromosome}\t{v.identifier}\t0\t{v.position}\t{v.first}\t{v.second}\n" for v in variants)
    )


def write_bed(prefix, codes=CODES, variants=VARIANTS, samples=SAMPLES):
    Path(f"{prefix}.bed").write_bytes(BED_HEAD + packed(codes))
    write_bim(Path(f"{prefix}.bim"), variants)
    Path(f"{prefix}.fam").write_text("".join(f"f {name} 0 0 0 -9\n" for name in samples))
    return prefix


def write_pgen(prefix, codes=CODES, variants=VARIANTS, samples=SAMPLES):
    copies = np.array([2, -9, 1, 0], dtype=np.int8)[codes]
    with PgenWriter(f"{prefix}.pgen".encode(), len(samples), variant_ct=len(variants)) as writer:
        for row in copies:
            writer.append_biallelic(np.ascontiguousarray(row))
    lines = (f"{v.chromosome}\t{v.position}\t{v.identifier}\t{v.second}\t{v.first}\n" for v in variants)
    Path(f"{prefix}.pvar").write_text("##source=test\n#CHROM\tPOS\tID\tREF\tALT\n" + "".join(lines))
    Path(f"{prefix}.psam").write_text("#IID\tSEX\n" + "".join(f"{name}\tNA\n" for name in samples))
    return prefix


def vcf_record(variant, calls, form="GT"):
    fixed = (variant.chromosome, variant.position, variant.identifier, variant.second, variant.first)
    return "\t".join((*map(str, fixed), ".", ".", ".", form, *calls)) + "\n"


def vcf_text(records, samples=SAMPLES):
    contigs = "".join(f"##contig=<ID={name}>\n" for name in ("1", "2", "22"))
    meta = '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n##FORMAT=<ID=DP,Number=1,Type=Integer,Description="Depth">\n'
    return "##fileformat=VCFv4.2\n" + contigs + meta + "\t".join((HEADING, *samples)) + "\n" + "".join(records)


FIRST_RECORD = 8
"""The line of the first record of ``vcf_text``."""


def write_vcf(path, codes=CODES, variants=VARIANTS, samples=SAMPLES, spelling=_GT, form="GT", tail=""):
    rows = zip(variants, codes.tolist(), strict=True)
    text = vcf_text((vcf_record(v, [spelling[code] + tail for code in row], form) for v, row in rows), samples)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@dataclass(frozen=True)
class Converted:
    """What a conversion gave."""

    samples: tuple[str, ...]
    variants: list[Variant]
    calls: bytes
    catalogue: str
    notes: list[str]
    blocks: int


def convert(kind, path, catalogue=None, autosomes=22, folder=None, told=None):
    """Convert as sealing does."""
    files = GenotypeFiles(kind, path, catalogue, autosomes)
    progress = (lambda _amount: None) if told is None else told.append
    with GenotypeCohort(files, folder or path.parent, progress) as cohort:
        blocks = list(cohort.blocks())
        return Converted(
            cohort.source.samples.names,
            [variant for block in blocks for variant in block.variants],
            b"".join(np.ascontiguousarray(block.calls).tobytes() for block in blocks),
            cohort.digest.finish(),
            list(cohort.notes()),
            len(blocks),
        )
