"""SIMULATED COHORTS: three partners' genotypes and a trait with known effects. Nobody was measured.

Allele frequencies differ with ancestry, and so does the trait: without the two principal components as covariates a
scan finds variants that do nothing. Variants are independent of each other, given ancestry.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from protocol.catalogue import Variant
from sealroom.datasets.genotypes.bed import BED_HEAD
from sealroom.datasets.genotypes.packing import pack
from sealroom.demo.study import DemoStudy, Question, data_of

__all__ = ["GENOMICS", "SAMPLES", "VARIANTS", "Planted", "simulate_cohorts"]

SAMPLES: Final[Mapping[str, int]] = MappingProxyType({"a": 1200, "b": 1000, "c": 800})
VARIANTS: Final = 2000
_SEED: Final = 20_260_101
_EFFECTS: Final = (0.20, -0.18, 0.17, -0.16, 0.16, -0.15, 0.15, 0.14)
"""mmol/L of the trait per copy of the first allele."""
_ANCESTRY: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {"a": (0.6, 0.0), "b": (-0.5, 0.4), "c": (0.0, -0.7)}
)
"""Mean of each cohort on the two axes of ancestry, whose spread within a cohort is 1."""
_MISSING_CALLS: Final = 0.005
_MISSING_TRAITS: Final = 0.04
_AUTOSOMES: Final = 22
_ALLELES: Final = (("A", "G"), ("C", "T"), ("G", "A"), ("T", "C"), ("A", "C"), ("G", "T"))


@dataclass(frozen=True, slots=True)
class Planted:
    """A variant that moves the trait: its place in the catalogue, and mmol/L per copy of the first allele."""

    place: int
    variant: Variant
    effect: float


def simulate_cohorts(folder: Path) -> tuple[Planted, ...]:
    """Write the SIMULATED COHORTS and return what was planted; the same every time.

    Writes ``<folder>/<party>/cohort.csv`` and PLINK 1 files ``cohort.bed``, ``.bim``, ``.fam`` beside it, the rows of
    the table in another order than the samples.
    """
    generator = np.random.default_rng(_SEED)
    variants = _variants(generator)
    common = generator.uniform(0.2, 0.5, VARIANTS)
    loadings = generator.normal(0, 0.15, (2, VARIANTS))
    places = np.sort(generator.choice(VARIANTS, len(_EFFECTS), replace=False)).tolist()
    for party, samples in SAMPLES.items():
        ancestry = generator.normal(_ANCESTRY[party], 1, (samples, 2))
        odds = common / (1 - common) * np.exp(ancestry @ loadings)
        copies = generator.binomial(2, odds / (1 + odds))
        age, sex = generator.integers(40, 70, samples), generator.integers(0, 2, samples)
        trait = 3.4 + 0.015 * (age - 55) + 0.1 * sex + ancestry @ (0.15, -0.10) + generator.normal(0, 0.75, samples)
        trait += (copies[:, places] - 2 * common[places]) @ _EFFECTS
        called = generator.random(copies.shape) >= _MISSING_CALLS
        codes = np.where(called, np.array([3, 2, 0])[copies], 1).astype(np.uint8)
        known = generator.random(samples) >= _MISSING_TRAITS
        names = [f"SIM-{party.upper()}-{number:04d}" for number in range(1, samples + 1)]
        (folder / party).mkdir(parents=True, exist_ok=True)
        _write_plink(folder / party, names, sex, variants, codes)
        rows = [
            [name, a, "fm"[s], f"{first:.4f}", f"{second:.4f}", f"{max(0.1, value):.2f}" if there else ""]
            for name, a, s, (first, second), value, there in zip(names, age, sex, ancestry, trait, known, strict=True)
        ]
        with (folder / party / "cohort.csv").open("w", encoding="utf-8", newline="") as sink:
            writer = csv.writer(sink, lineterminator="\n")
            writer.writerow(["subject", "age", "sex", "pc1", "pc2", "ldl"])
            writer.writerows(rows[place] for place in generator.permutation(samples))
    return tuple(Planted(place, variants[place], effect) for place, effect in zip(places, _EFFECTS, strict=True))


def _variants(generator: np.random.Generator) -> list[Variant]:
    chromosomes = np.sort(generator.integers(1, _AUTOSOMES + 1, VARIANTS))
    positions = np.sort(generator.choice(10**8, VARIANTS, replace=False)) + 1  # so also ascending in each chromosome
    alleles = generator.integers(0, len(_ALLELES), VARIANTS)
    return [
        Variant(str(chromosome), position, f"SIM{number:05d}", *_ALLELES[pair])
        for number, (chromosome, position, pair) in enumerate(
            zip(chromosomes.tolist(), positions.tolist(), alleles.tolist(), strict=True), start=1
        )
    ]


def _write_plink(
    folder: Path, names: list[str], sex: NDArray[np.int64], variants: list[Variant], codes: NDArray[np.uint8]
) -> None:
    (folder / "cohort.bed").write_bytes(BED_HEAD + pack(np.ascontiguousarray(codes.T)).tobytes())
    bim = (f"{v.chromosome}\t{v.identifier}\t0\t{v.position}\t{v.first}\t{v.second}\n" for v in variants)
    (folder / "cohort.bim").write_text("".join(bim), "utf-8")
    fam = (f"{name}\t{name}\t0\t0\t{2 - s}\t-9\n" for name, s in zip(names, sex.tolist(), strict=True))
    (folder / "cohort.fam").write_text("".join(fam), "utf-8")


def _prepare(folder: Path, _data: Path | None) -> dict[str, int]:
    planted = simulate_cohorts(folder)
    lines = (f"{one.place}\t{one.variant.identifier}\t{one.effect:.2f}\n" for one in planted)
    (folder / "planted.tsv").write_text("place\tidentifier\teffect\n" + "".join(lines), "utf-8")
    for party in SAMPLES:
        for name in ("schema.toml", "policy.toml"):
            (folder / party / name).write_text(data_of("genomics").joinpath(name).read_text("utf-8"), "utf-8")
    (folder / "recipe.toml").write_text(data_of("genomics").joinpath("recipe.toml").read_text("utf-8"), "utf-8")
    return dict(SAMPLES)


GENOMICS = DemoStudy(
    name="genomics",
    profile="genomics",
    intro="SIMULATED COHORTS of three partners (the planted effects are in inputs/planted.tsv)",
    parties={"a": "Biobank A", "b": "Hospital B", "c": "Academic lab C"},
    dataset="cohort",
    title="SIMULATED COHORTS",
    prepare=_prepare,
    options=lambda party: f'--bfile "$INPUTS/{party}/cohort"',
    seal_options="--assembly SIMULATED",
    questions=(
        Question(
            "recipe",
            "SIMULATED COHORTS: which variants go with LDL cholesterol, given ancestry?",
            '--variants "$WORK/a/sealed/cohort-a.variants.tsv"',
        ),
    ),
)
