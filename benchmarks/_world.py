"""A world to measure in: services as processes, three partners at public commands, simulated inputs."""

import json
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from _studies import Size, Study

from sealroom.demo.script import steps
from sealroom.demo.stage import Stage, open_stage, play_line, write_secret

PARTIES = ("a", "b", "c")
MAX_RUNS = 100
POLICY = """\
quorum = 1
analyses = {analyses}
profiles = ["{profile}"]
preset = "sacro"
tcb_statuses = ["UpToDate"]
simulation = true
max_runs = {runs}
expires_days = 365
"""


@contextmanager
def world(study: Study, host_config: str = "") -> Iterator[Stage]:
    """Run services and let the three partners of the demo join and pin each other; all is removed in the end.

    ``host_config`` is TOML with further settings of the host.
    """
    with tempfile.TemporaryDirectory(prefix="sealroom-bench-") as name:
        folder = Path(name)
        config, inputs = folder / "host.toml", folder / "inputs"
        config.write_text(host_config)
        for party in PARTIES:
            (inputs / party).mkdir(parents=True)
            write_secret(inputs / party / "passphrase", secrets.token_urlsafe(24))
        (inputs / "schema.toml").write_text(study.schema)
        for recipe, text in study.recipes.items():
            (inputs / f"{recipe}.toml").write_text(text)
        analyses = json.dumps([f"{study.name}.{recipe}" for recipe in study.recipes])
        terms = POLICY.format(analyses=analyses, profile=study.name, runs=MAX_RUNS)
        (inputs / "policy.toml").write_text(terms)
        with open_stage(folder, study.demo, ["--config", str(config)]) as stage:
            for line in steps(study.demo)[0].lines:
                play_line(line, stage)
            yield stage


def simulate(stage: Stage, study: Study, party: str, size: Size) -> Path:
    """Write one partner's third of a study's inputs; returns their path without suffix."""
    stem = stage.folder / "inputs" / party / f"simulated-{size.stem}"
    study.write(stem, size.subjects // len(PARTIES), size.variants, PARTIES.index(party))
    return stem


def seal(study: Study, party: str, stem: Path, name: str) -> str:
    """Return the line that seals simulated inputs."""
    inputs = f'"{stem}.csv" "$INPUTS/schema.toml" --policy "$INPUTS/policy.toml"'
    genotypes = f' --bfile "{stem}" --assembly SIMULATED' if study.genotypes else ""
    names = f'--name {name} --title "Simulated" --out "$WORK/{party}/sealed"'
    return f"{party} dataset seal {inputs}{genotypes} {names}"


def upload(party: str, name: str) -> str:
    """Return the line that uploads what ``seal`` made."""
    return f'{party} dataset upload "$WORK/{party}/sealed/{name}"'


def agree(stage: Stage, recipe: str, names: Sequence[str]) -> str:
    """Propose and approve a contract on one dataset of each partner; returns its name."""
    contract = f'"$WORK/{recipe}-{names[0]}.json"'
    datasets = " ".join(f"--dataset {party}={name}" for party, name in zip(PARTIES, names, strict=True))
    terms = f'--simulation --max-runs {MAX_RUNS} --purpose "A benchmark on simulated data."'
    line = f'a contract propose "$INPUTS/{recipe}.toml" {datasets} {terms} --out {contract} --json'
    found = json.loads(play_line(line, stage))["contract"]
    for party in PARTIES:
        play_line(f"{party} contract approve {contract} --yes", stage)
    return found
