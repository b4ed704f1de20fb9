"""A world to measure in: services as processes, three partners at public commands, simulated tables."""

import json
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from sealroom.demo.lung import SURVIVAL
from sealroom.demo.script import steps
from sealroom.demo.stage import Stage, open_stage, play_line, write_secret
from sealroom.demo.study import data_of

PARTIES = ("a", "b", "c")
SEED = 20261124
MAX_RUNS = 100
DATA = data_of("survival")


@contextmanager
def world(host_config: str = "") -> Iterator[Stage]:
    """Run services and let the three partners of the demo join and pin each other; all is removed in the end.

    ``host_config`` is TOML with further settings of the host.
    """
    with tempfile.TemporaryDirectory(prefix="sealroom-bench-") as name:
        folder = Path(name)
        config = folder / "host.toml"
        config.write_text(host_config)
        for party in PARTIES:
            place = folder / "inputs" / party
            place.mkdir(parents=True)
            write_secret(place / "passphrase", secrets.token_urlsafe(24))
        (folder / "inputs" / "schema.toml").write_text(DATA.joinpath("schema.toml").read_text())
        (folder / "inputs" / "recipe.toml").write_text(DATA.joinpath("recipe.toml").read_text())
        terms = DATA.joinpath("policy.toml").read_text().replace("max_runs = 1\n", f"max_runs = {MAX_RUNS}\n")
        (folder / "inputs" / "policy.toml").write_text(terms)
        with open_stage(folder, SURVIVAL, ["--config", str(config)]) as stage:
            for line in steps(SURVIVAL)[0].lines:
                play_line(line, stage)
            yield stage


def seal(party: str, csv: Path, name: str) -> str:
    """Return the line that seals a table of the demo's schema."""
    inputs = f'"{csv}" "$INPUTS/schema.toml" --policy "$INPUTS/policy.toml"'
    return f'{party} dataset seal {inputs} --name {name} --title "Simulated" --out "$WORK/{party}/sealed"'


def upload(party: str, name: str) -> str:
    """Return the line that uploads what ``seal`` made."""
    return f'{party} dataset upload "$WORK/{party}/sealed/{name}"'


def agree(stage: Stage, names: Sequence[str]) -> str:
    """Propose and approve a contract on one dataset of each partner; returns its name."""
    contract = f'"$WORK/{names[0]}.json"'
    datasets = " ".join(f"--dataset {party}={name}" for party, name in zip(PARTIES, names, strict=True))
    terms = f'--simulation --max-runs {MAX_RUNS} --purpose "A benchmark on simulated data."'
    line = f'a contract propose "$INPUTS/recipe.toml" {datasets} {terms} --out {contract} --json'
    found = json.loads(play_line(line, stage))["contract"]
    for party in PARTIES:
        play_line(f"{party} contract approve {contract} --yes", stage)
    return found


def write_table(path: Path, subjects: int, party: int) -> None:
    """Write a simulated table of the demo's schema: a Weibull hazard over age, sex and performance score."""
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
    pd.DataFrame(columns).to_csv(path, index=False)


def _with_gaps(draw: np.random.Generator, values: np.ndarray) -> pd.Series:
    """Take two values in a hundred away."""
    return pd.Series(values, dtype="Int64").mask(draw.random(len(values)) < 0.02)
