"""Simulated inputs of the three kinds of study, one partner's at a time; the same every time."""

from pathlib import Path

import numpy as np
import pandas as pd

from sealroom.datasets.genotypes.bed import BED_HEAD
from sealroom.datasets.genotypes.packing import pack

SEED = 20261124
BITS = 2048
DESCRIPTORS = ("mw", "logp", "tpsa", "hbd", "rotatable", "aromatic-rings", "fsp3")
ROWS_AT_ONCE = 1_000
VARIANTS_AT_ONCE = 2_000
PLANTED = 4
"""Variants, evenly spaced, that move the trait, each by as much as makes a tenth of its variance."""
COMMON = (0.2, 0.5)
MISSING_CALLS = 0.005
MISSING_TRAITS = 0.04
LEVELS = 2**16


def write_patients(stem: Path, subjects: int, _variants: int, party: int) -> None:
    """Write a table of the lung trial's schema: a Weibull hazard over age, sex and performance score."""
    draw = np.random.default_rng([SEED, subjects, party])
    age = np.clip(draw.normal(62, 9, subjects), 18, 110).round().astype(int)
    sex = draw.integers(1, 3, subjects)
    score = draw.choice(4, subjects, p=[0.3, 0.45, 0.2, 0.05])
    risk = 0.011 * (age - 62) - 0.5 * (sex == 2) + 0.4 * score
    dies = 420 * (-np.log(draw.random(subjects)) / np.exp(risk)) ** (1 / 1.3)
    leaves = draw.uniform(60, 1100, subjects)
    columns = {
        "subject": [f"SIMULATED-{party}-{number:08d}" for number in range(subjects)],
        "time": np.ceil(np.minimum(dies, leaves)).astype(int),
        "status": (dies <= leaves).astype(int),
        "age": age,
        "sex": sex,
        "ph.ecog": _with_gaps(draw, score),
        "ph.karno": _with_gaps(draw, 100 - 10 * draw.integers(0, 6, subjects)),
        "pat.karno": _with_gaps(draw, 100 - 10 * draw.integers(0, 8, subjects)),
        "meal.cal": _with_gaps(draw, draw.integers(90, 2600, subjects)),
        "wt.loss": _with_gaps(draw, draw.integers(-25, 70, subjects)),
    }
    pd.DataFrame(columns).to_csv(stem.with_suffix(".csv"), index=False)


def write_compounds(stem: Path, compounds: int, _variants: int, party: int) -> None:
    """Write a table of the solubility data's schema, each column as its owner's converter would have made it.

    Five compounds share a scaffold: 20 bits in common and some 25 of their own, few of them frequent. A weight for each
    bit, and the first descriptors, make the activity.
    """
    world, draw = np.random.default_rng(SEED), np.random.default_rng([SEED, compounds, party])
    frequent, weights = 1 / np.arange(1, BITS + 1), world.normal(0, 0.3, BITS)
    chance, scaffold = frequent / frequent.sum(), np.arange(compounds) // 5
    bits = _some_bits(draw, chance, scaffold[-1] + 1, 20)[scaffold] | _some_bits(draw, chance, compounds, 25)
    numbers = draw.normal(0, 1, (compounds, len(DESCRIPTORS)))
    activity = bits @ weights + numbers[:, :3] @ (0.5, -0.8, 0.3) + draw.normal(0, 0.5, compounds)
    whole = {"hbd", "rotatable", "aromatic-rings"}
    described = {
        name: (np.round(3 + values).astype(int) if name in whole else np.round(values, 2))
        for name, values in zip(DESCRIPTORS, numbers.T, strict=True)
    }
    columns = {
        "compound": [f"SIMULATED-{party}-{number:08d}" for number in range(compounds)],
        "inchikey": [f"{party:016x}{number:016x}" for number in range(compounds)],
        "scaffold": [f"{party:016x}{number:016x}" for number in scaffold],
        "ecfp4": [row.tobytes().hex() for row in np.packbits(bits, axis=1, bitorder="little")],
        **described,
        "solubility": np.round(np.clip(activity - 3, -15, 5), 2),
    }
    pd.DataFrame(columns).to_csv(stem.with_suffix(".csv"), index=False)


def write_cohort(stem: Path, subjects: int, variants: int, party: int) -> None:
    """Write a table of the simulated cohorts' schema, its rows in the samples' order, and PLINK 1 files beside it."""
    world = np.random.default_rng([SEED, variants])
    draw = np.random.default_rng([SEED, subjects, variants, party])
    frequency = world.uniform(*COMMON, variants)
    planted = np.arange(PLANTED) * (variants // PLANTED)
    trait = draw.normal(0, 1, subjects)
    with stem.with_suffix(".bed").open("wb") as file:
        file.write(BED_HEAD)
        for start in range(0, variants, VARIANTS_AT_ONCE):
            here = frequency[start : start + VARIANTS_AT_ONCE, None]
            level = draw.integers(LEVELS, size=(len(here), subjects), dtype=np.uint16)
            two, some = (np.uint16(LEVELS * share) for share in (here**2, here * (2 - here)))
            copies = (level < two).astype(np.uint8) + (level < some)
            for place in planted[(planted >= start) & (planted < start + len(here))] - start:
                trait += 0.4 * (copies[place] - 2 * here[place]) / np.sqrt(2 * here[place] * (1 - here[place]))
            codes = np.array([3, 2, 0], dtype=np.uint8)[copies]
            codes.flat[draw.integers(codes.size, size=int(MISSING_CALLS * codes.size))] = 1
            file.write(pack(codes).tobytes())
    names = [f"SIMULATED-{party}-{number:08d}" for number in range(subjects)]
    stem.with_suffix(".fam").write_text("".join(f"{name} {name} 0 0 0 -9\n" for name in names))
    stem.with_suffix(".bim").write_text("".join(f"1\tSIM{n}\t0\t{n}\tA\tG\n" for n in range(1, variants + 1)))
    columns = {
        "subject": names,
        "age": draw.integers(40, 70, subjects),
        "sex": np.array(["f", "m"])[draw.integers(0, 2, subjects)],
        "pc1": np.round(draw.normal(0, 1, subjects), 4),
        "pc2": np.round(draw.normal(0, 1, subjects), 4),
        "ldl": pd.Series(np.round(np.clip(6 + trait, 0, 20), 2)).mask(draw.random(subjects) < MISSING_TRAITS),
    }
    pd.DataFrame(columns).to_csv(stem.with_suffix(".csv"), index=False)


def _some_bits(draw: np.random.Generator, chance: np.ndarray, rows: int, most: int) -> np.ndarray:
    """Set up to ``most`` bits in each row, of which some may be drawn twice."""
    bits = np.zeros((rows, BITS), dtype=bool)
    for _ in range(most):
        bits[np.arange(rows), draw.choice(BITS, rows, p=chance)] = True
    return bits


def _with_gaps(draw: np.random.Generator, values: np.ndarray) -> pd.Series:
    """Take two values in a hundred away."""
    return pd.Series(values, dtype="Int64").mask(draw.random(len(values)) < 0.02)
