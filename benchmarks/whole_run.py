"""A clean-room run beside the same analysis on plain files: CPU-seconds of the two programs, start-up apart.

``python benchmarks/whole_run.py`` prints ratios measured side by side and writes benchmarks/out/whole_run.json.

One side is the enclave's process in whole runs, with broker, custodian, platform and host as processes: imports, fresh
keys, quote, key release, decrypting, the analysis, the gate, the countersignature, sealing to three recipients. The
other is a program that reads the same CSV files with pandas and computes the same outputs with the same functions and
the same rounding (``_plain.py``). Tables are simulated, with a fixed seed. What both need for tables of a
hundred rows is taken as start-up and subtracted.
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
from pathlib import Path
from typing import Any

from _report import publish, row, versions
from _world import PARTIES, agree, seal, upload, world, write_table

from sealroom import Client
from sealroom.demo.stage import Stage, play_line

HERE = Path(__file__).resolve().parent
ROUNDS = 5
START_UP = 300
SIZES = (2_000, 20_000, 200_000)
"""Subjects of all three partners together; the smallest table stands for start-up."""
GOAL = 1.10
"""At every size. With 2,000 subjects half a second lies beyond start-up, and the ratio varies by 0.1 to 0.2."""
SHOWN = 8
"""Packages whose share of the imports is printed."""
ENVIRONMENT = {"LANG": "C.UTF-8", "PATH": os.defpath, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""The plain program's: what the host gives an enclave, and the one thread to which an enclave limits itself."""
PACKAGES = ("numpy", "pandas", "statsmodels", "scipy", "scikit-learn", "cryptography", "httpx")


def prepare(stage: Stage, size: int) -> tuple[str, list[Path]]:
    """Seal, upload and agree on three tables of together ``size`` subjects; returns the contract and the CSV files."""
    tables = []
    for number, party in enumerate(PARTIES):
        path = stage.folder / "inputs" / party / f"simulated-{size}.csv"
        write_table(path, size // len(PARTIES), number)
        play_line(seal(party, path, f"sim-{size}-{party}"), stage)
        play_line(upload(party, f"sim-{size}-{party}"), stage)
        tables.append(path)
    return agree(stage, [f"sim-{size}-{party}" for party in PARTIES]), tables


def run_clean_room(client: Client, contract: str, log: Path) -> tuple[float, dict[str, Any]]:
    """Run a contract; returns the enclave's CPU-seconds and the outputs, opened by a recipient."""
    before = len(log.read_text().splitlines()) if log.exists() else 0
    run = client.wait(client.start_run(contract).run, timeout=600).run
    while len(lines := log.read_text().splitlines() if log.exists() else []) == before:
        time.sleep(0.05)  # the enclave leaves a moment after its run has ended
    outputs = {name: item.value.model_dump(mode="json") for name, item in client.result(run).released.items()}
    return json.loads(lines[-1])["seconds"], outputs


def run_plain(stage: Stage, tables: list[Path]) -> tuple[float, dict[str, Any]]:
    """Run the plain program; returns its CPU-seconds and its outputs."""
    inputs = stage.folder / "inputs"
    command = [sys.executable, "-I", str(HERE / "_plain.py"), inputs / "schema.toml", inputs / "recipe.toml"]
    with tempfile.TemporaryFile() as sink:
        process = subprocess.Popen([*command, *tables], stdout=sink, stdin=subprocess.DEVNULL, env=ENVIRONMENT)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"The plain program ended with status {process.returncode}.")
        sink.seek(0)
        return used.ru_utime + used.ru_stime, json.loads(sink.read())


def import_seconds() -> dict[str, float]:
    """Return the seconds that the enclave's imports take, by package, the dearest first; from ``-X importtime``."""
    load = "import enclave.session, attestation.attesters.simulated as _; from enclave.profiles import load_profile; "
    load += "load_profile('clinical').load_libraries()"
    command = [sys.executable, "-I", "-X", "importtime", "-c", load]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=ENVIRONMENT)
    seconds: Counter[str] = Counter()
    for line in done.stderr.splitlines()[1:]:
        alone, _, module = line.removeprefix("import time:").split("|")
        seconds[module.strip().split(".")[0]] += int(alone) / 1e6
    return dict(seconds.most_common(SHOWN))


def measure(rounds: int, sizes: tuple[int, ...]) -> dict[tuple[str, int], list[float]]:
    """Return CPU-seconds of each round by side and size, once both sides gave the same numbers."""
    found: dict[tuple[str, int], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "enclaves.jsonl"
        enclave = [sys.executable, "-I", "-m", "enclave"]
        command = [sys.executable, "-I", str(HERE / "_measured.py"), str(log), *enclave]
        with world(f"enclave_command = {json.dumps(command)}\npoll_seconds = 0.1\n") as stage:
            agreed = {size: prepare(stage, size) for size in (START_UP, *sizes)}
            passphrase = stage.folder / "inputs" / "a" / "passphrase"
            with Client(stage.folder / "a", passphrase_file=passphrase, role="analyst") as client:
                for number in range(rounds):
                    for size, (contract, tables) in agreed.items():
                        clean, released = run_clean_room(client, contract, log)
                        plain, wanted = run_plain(stage, tables)
                        require_same(released, wanted, size)
                        found.setdefault(("clean room", size), []).append(clean)
                        found.setdefault(("plain", size), []).append(plain)
                        print(
                            f"round {number + 1}, {size} subjects: {clean:.2f} and {plain:.2f} CPU-s", file=sys.stderr
                        )
    return found


def require_same(released: dict[str, Any], wanted: dict[str, Any], size: int) -> None:
    """Stop unless both sides computed the same numbers. Of a curve the gate may leave points out, but not all."""
    for name, value in wanted.items():
        found = released.get(name, {})
        if found.get("type") == value["type"] == "survival":
            for curve, whole in zip(found["groups"], value["groups"], strict=True):
                labels = {point["label"] for point in curve["points"]}
                whole["points"] = [point for point in whole["points"] if point["label"] in labels]
                if not labels:
                    raise SystemExit(f"{size} subjects, {name}: no ratios, for a curve was refused.")
        if found != value:
            raise SystemExit(
                f"{size} subjects, {name}: no ratios, for the clean room released\n{found}\n"
                f"and the plain program computed\n{value}"
            )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    chosen = parser.parse_args()
    sizes = tuple(chosen.sizes)
    found = measure(chosen.rounds, sizes)
    middle = {key: statistics.median(values) for key, values in found.items()}
    print(f"\n{'CPU-seconds, median of ' + str(chosen.rounds):<44} clean room    plain")
    for size in (START_UP, *sizes):
        what = f"{size} subjects" + (" (start-up)" if size == START_UP else "")
        print(f"  {what:<42} {middle['clean room', size]:10.2f} {middle['plain', size]:8.2f}")
    rows = [
        row(f"start-up, {START_UP} subjects, CPU", middle["clean room", START_UP] / middle["plain", START_UP], "plain")
    ]
    for size in sizes:
        clean, plain = (
            [value - middle[side, START_UP] for value in found[side, size]] for side in ("clean room", "plain")
        )
        beyond = statistics.median(clean) / statistics.median(plain)
        rows.append(row(f"{size} subjects beyond start-up, CPU", beyond, "plain files", GOAL))
        whole = middle["clean room", size] / middle["plain", size]
        rows.append(row(f"{size} subjects with start-up, CPU", whole, "plain files"))
    print(f"\nThe enclave's imports, seconds: {', '.join(f'{n} {s:.2f}' for n, s in import_seconds().items())}.")
    publish("whole_run", rows, versions(PACKAGES))
    return 0


if __name__ == "__main__":
    sys.exit(main())
