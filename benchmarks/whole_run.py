"""A clean-room run beside the same analysis on plain files: CPU-seconds of the two programs, start-up apart.

``python benchmarks/whole_run.py`` prints ratios measured side by side and writes benchmarks/out/whole_run_STUDY.json
for each kind of study; ``--study clinical`` measures that one only.

One side is the enclave's process in whole runs, with broker, custodian, platform and host as processes: imports, fresh
keys, quote, key release, decrypting, the analysis, the gate, the countersignature, sealing to three recipients. The
other is a program that reads the same CSV and .bed files with pandas and NumPy and computes the same outputs with the
same functions, the same seed and the same rounding (``_plain.py``). Inputs are simulated, with fixed seeds. What both
need for a small study is taken as start-up and subtracted.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _report import publish, row, versions
from _studies import STUDIES, Size, Study
from _world import PARTIES, agree, seal, simulate, upload, world

from custodian.keys import CustodianSecrets, read_passphrase
from enclave.receipt import secret_seed
from protocol.governance import Study as Agreed
from protocol.hpke import capsule_info
from protocol.keyfile import open_secret
from sealroom import Client
from sealroom.datasets.package import Package
from sealroom.demo.stage import Stage, play_line

HERE = Path(__file__).resolve().parent
ROUNDS = 3
GOAL = 1.10
LEAST = 0.25
"""CPU-seconds that the plain program must take beyond start-up; else the ratio would be noise, and is not told."""
SHOWN = 8
"""Packages whose share of the imports is printed."""
ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "PATH": os.defpath,
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(64 * 2**20),
}
"""The plain program's: what the host gives an enclave, and the one thread to which an enclave limits itself.

Of memory, the most that glibc comes to by itself once large buffers were freed. An enclave frees some before it begins
to compute; a program without them gives memory back, and asks for it again, with every block of genotypes.
"""
PACKAGES = ("cryptography", "httpx")
SIDES = ("clean room", "plain")


@dataclass(frozen=True, slots=True)
class Case:
    """A recipe at one size: its contract, and the inputs of the plain program."""

    recipe: str
    size: Size
    contract: str
    stems: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What one side took, in CPU-seconds, and its outputs by name."""

    seconds: float
    outputs: dict[str, Any]


def prepare(stage: Stage, study: Study, size: Size) -> Iterable[Case]:
    """Seal and upload three partners' inputs, and agree on each recipe."""
    stems = tuple(simulate(stage, study, party, size) for party in PARTIES)
    names = [f"sim-{size.stem}-{party}" for party in PARTIES]
    for party, stem, name in zip(PARTIES, stems, names, strict=True):
        play_line(seal(study, party, stem, name), stage)
        play_line(upload(party, name), stage)
    for recipe in study.recipes:
        yield Case(recipe, size, agree(stage, recipe, names), stems)


def run_clean_room(clients: list[Client], case: Case, log: Path) -> tuple[Answer, Agreed]:
    """Run a contract; returns what the enclave's process took, the outputs, opened by all partners, and the study."""
    before = len(log.read_text().splitlines()) if log.exists() else 0
    run = clients[0].wait(clients[0].start_run(case.contract).run, timeout=600).run
    while len(lines := log.read_text().splitlines() if log.exists() else []) == before:
        time.sleep(0.05)  # the enclave leaves a moment after its run has ended
    results = [client.result(run) for client in clients]
    outputs = {name: item.value.model_dump(mode="json") for result in results for name, item in result.released.items()}
    return Answer(json.loads(lines[-1])["seconds"], outputs), results[0].verified.study


def seed_of(stage: Stage, agreed: Agreed) -> str:
    """Return the secret seed of a study's runs, in hex: this world's custodian can open the data keys, so we can.

    With another one, models would be trained and tested on other compounds, and no number could be compared.
    """
    sealed = (stage.folder / "operator" / "broker" / "custodian" / "custodian.key").read_bytes()
    passphrase = read_passphrase(stage.folder / "operator" / "custodian-passphrase")
    secrets = CustodianSecrets.from_bytes(open_secret(sealed, passphrase))
    keys = {}
    for manifest in agreed.manifests:
        document, party = manifest.document, manifest.document.short[-1]
        info = capsule_info(manifest.name, document.owner, secrets.public.signing)
        capsule = Package(stage.folder / party / "sealed", document.short).capsule.read_bytes()
        keys[manifest.name] = secrets.encryption.open(capsule, info=info)
    return secret_seed(keys, agreed).hex()


def run_plain(stage: Stage, study: Study, case: Case, seed: str) -> Answer:
    """Run the plain program; returns what it took and its outputs."""
    inputs = stage.folder / "inputs"
    command = [sys.executable, "-I", str(HERE / "_plain.py"), inputs / "schema.toml", inputs / f"{case.recipe}.toml"]
    command += [stem.with_suffix(".csv") for stem in case.stems]
    command += ["--seed", seed]
    command += ["--bed", *(stem.with_suffix(".bed") for stem in case.stems)] if study.genotypes else []
    with tempfile.TemporaryFile() as sink:
        process = subprocess.Popen(command, stdout=sink, stdin=subprocess.DEVNULL, env=ENVIRONMENT)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"The plain program ended with status {process.returncode}.")
        sink.seek(0)
        return Answer(used.ru_utime + used.ru_stime, json.loads(sink.read()))


def import_seconds(profile: str) -> dict[str, float]:
    """Return the seconds that the enclave's imports take, by package, the dearest first; from ``-X importtime``."""
    load = "import sys, enclave.session, attestation.attesters.simulated; from enclave.profiles import load_profile; "
    load += "load_profile(sys.argv[1]).load_libraries()"
    command = [sys.executable, "-I", "-X", "importtime", "-c", load, profile]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=ENVIRONMENT)
    seconds: Counter[str] = Counter()
    for line in done.stderr.splitlines()[1:]:
        alone, _, module = line.removeprefix("import time:").split("|")
        seconds[module.strip().split(".")[0]] += int(alone) / 1e6
    return dict(seconds.most_common(SHOWN))


Found = dict[tuple[str, Size, str], list[float]]
"""CPU-seconds of each round by recipe, size and side."""


def measure(study: Study, rounds: int) -> Found:
    """Return what both sides took, having given the same numbers."""
    found: Found = {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        log = Path(folder) / "enclaves.jsonl"
        enclave = [sys.executable, "-I", "-m", "enclave"]
        command = [sys.executable, "-I", str(HERE / "_measured.py"), str(log), *enclave]
        config = f"enclave_command = {json.dumps(command)}\npoll_seconds = 0.1\n"
        stage = stack.enter_context(world(study, config))
        cases = [case for size in (study.start_up, *study.sizes) for case in prepare(stage, study, size)]
        clients = [stack.enter_context(open_client(stage, party)) for party in PARTIES]
        for number in range(rounds):
            for case in cases:
                clean, agreed = run_clean_room(clients, case, log)
                plain = run_plain(stage, study, case, seed_of(stage, agreed))
                what = f"{case.recipe}, {case.size} {study.unit}"
                require_same(clean.outputs, plain.outputs, what)
                for side, answer in zip(SIDES, (clean, plain), strict=True):
                    found.setdefault((case.recipe, case.size, side), []).append(answer.seconds)
                print(f"round {number + 1}, {what}: {clean.seconds:.2f} and {plain.seconds:.2f} CPU-s", file=sys.stderr)
    return found


def open_client(stage: Stage, party: str) -> Client:
    """Return the client of a partner's analyst."""
    return Client(stage.folder / party, passphrase_file=stage.folder / "inputs" / party / "passphrase", role="analyst")


def require_same(released: dict[str, Any], wanted: dict[str, Any], what: str) -> None:
    """Stop unless both sides computed the same numbers."""
    if released.keys() != wanted.keys():
        raise SystemExit(f"{what}: no ratios, for other outputs came than {', '.join(wanted)}.")
    for name, value in wanted.items():
        if (found := released[name]) != without_suppressed(value, found):
            raise SystemExit(
                f"{what}, {name}: no ratios, for the clean room released\n{found}\n"
                f"and the plain program computed\n{value}"
            )


def without_suppressed(whole: dict[str, Any], released: dict[str, Any]) -> dict[str, Any]:
    """Leave out of the plain numbers what the gate left out: some hits, figures or points of a curve, but not all."""
    match released["type"]:
        case "survival":
            curves = zip(whole["groups"], released["groups"], strict=True)
            groups = [ours | {"points": _common(ours["points"], gate["points"], "label")} for ours, gate in curves]
            return whole | {"groups": groups}
        case "hits":
            return whole | {"entries": _common(whole["entries"], released["entries"], "variant")}
        case "metrics":
            hidden = {entry["label"] for entry in released["entries"] if entry["value"] is None}
            nothing = dict.fromkeys(("value", "lower", "upper")) if len(hidden) < len(whole["entries"]) else {}
            return whole | {
                "entries": [ours | nothing if ours["label"] in hidden else ours for ours in whole["entries"]]
            }
    return whole


def _common(ours: list[dict[str, Any]], released: list[dict[str, Any]], by: str) -> list[dict[str, Any]]:
    there = {entry[by] for entry in released}
    return [entry for entry in ours if entry[by] in there] if there else ours


def report(study: Study, found: Found, rounds: int) -> None:
    """Print the medians and publish the ratios."""
    middle = {key: statistics.median(values) for key, values in found.items()}
    print(f"\n{'CPU-seconds, median of ' + str(rounds):<52} {SIDES[0]} {SIDES[1]:>8}")
    rows = []
    for recipe in study.recipes:
        for size in (study.start_up, *study.sizes):
            clean, plain = (middle[recipe, size, side] for side in SIDES)
            what = f"{recipe}, {size} {study.unit}"
            print(f"  {what + (' (start-up)' if size == study.start_up else ''):<50} {clean:10.2f} {plain:8.2f}")
            if size == study.start_up:
                rows.append(row(f"{what}: start-up, CPU", clean / plain, "plain files"))
                continue
            clean_beyond, plain_beyond = (
                middle[recipe, size, side] - middle[recipe, study.start_up, side] for side in SIDES
            )
            if plain_beyond >= LEAST:
                rows.append(row(f"{what}: beyond start-up, CPU", clean_beyond / plain_beyond, "plain files", GOAL))
            rows.append(row(f"{what}: with start-up, CPU", clean / plain, "plain files"))
    imports = ", ".join(f"{package} {seconds:.2f}" for package, seconds in import_seconds(study.name).items())
    print(f"\nThe enclave's imports, seconds: {imports}.")
    publish(f"whole_run_{study.name}", rows, versions((*study.packages, *PACKAGES)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--study", choices=STUDIES, action="append", help="may be repeated [default: all]")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    chosen = parser.parse_args()
    for name in chosen.study or STUDIES:
        report(STUDIES[name], measure(STUDIES[name], chosen.rounds), chosen.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
