"""Enclaves inside gramine-direct beside the same enclaves under plain Python, profile by profile.

``python benchmarks/gramine.py`` prints ratios measured side by side and writes benchmarks/out/gramine.json. It needs
``gramine-direct`` on the PATH; without it, it says so and measures nothing.

One side is the enclave's processes under Gramine, from a build, in whole runs; the other the same enclave under plain
Python. What both need for a small study is start-up; what a large one takes beyond it is the run. The last ratio is of
starting until all libraries are loaded: a manifest that trusts whole library folders against the slim build's.
"""

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from _report import Row, publish, row, versions
from _studies import STUDIES, Size, Study
from _world import PARTIES, world
from whole_run import Case, open_client, prepare, run_clean_room

from sealroom import Client
from sealroom.demo.stage import Stage

HERE = Path(__file__).resolve().parent
GRAMINE = "gramine-direct"
ROUNDS = 3
RUN_GOAL = 1.10
START_GOAL = 3.0
LEAST = 0.5
"""CPU-seconds that the plain side must take beyond start-up; else the ratio would be noise, and is not told."""
LOAD = "import enclave.session; from enclave.profiles import load_profile; load_profile({profile!r}).load_libraries()"
WHOLE = (Path(sysconfig.get_path("stdlib")), Path(sys.prefix) / "lib", Path("/usr/lib/x86_64-linux-gnu"))
"""The folders that a manifest would trust whole: Python's library, this environment's packages, the system's libraries.

Packages that are installed beside Python's own library are left out: an environment does not see them.
"""
PACKAGES = ("numpy", "pandas", "scikit-learn", "scipy")


@contextmanager
def counted(log: Path) -> Iterator[None]:
    """Put a gramine-direct before the real one on the PATH that appends what each enclave used to ``log``."""
    real = Path(shutil.which(GRAMINE) or GRAMINE).resolve()
    with tempfile.TemporaryDirectory() as prefix:
        folder = Path(prefix) / "bin"
        folder.mkdir()
        # Builds take Gramine's files from beside its program.
        (Path(prefix) / "lib").symlink_to(real.parents[1] / "lib")
        wrapper = folder / GRAMINE
        wrapper.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I "{HERE / "_measured.py"}" "{log}" "{real}" "$@"\n')
        wrapper.chmod(0o755)
        before = os.environ["PATH"]
        os.environ["PATH"] = f"{folder}{os.pathsep}{before}"
        try:
            yield
        finally:
            os.environ["PATH"] = before


@contextmanager
def side(study: Study, log: Path, *, gramine: bool) -> Iterator[tuple[Stage, list[Case], list[Client]]]:
    """Open a world whose enclaves run on one side, with a contract for the first recipe at two sizes."""
    played = replace(study, recipes=dict(list(study.recipes.items())[:1]))
    config = "poll_seconds = 0.1\n"
    if gramine:
        played = replace(played, demo=replace(study.demo, runtime=GRAMINE))
    else:
        command = [sys.executable, "-I", str(HERE / "_measured.py"), str(log), sys.executable, "-I", "-m", "enclave"]
        config += f"enclave_command = {json.dumps(command)}\n"
    with ExitStack() as stack:
        if gramine:
            stack.enter_context(counted(log))
        stage = stack.enter_context(world(played, config))
        cases = [case for size in sizes(study) for case in prepare(stage, played, size)]
        yield stage, cases, [stack.enter_context(open_client(stage, party)) for party in PARTIES]


def sizes(study: Study) -> tuple[Size, Size]:
    """Return the size that is start-up and the largest one."""
    return study.start_up, study.sizes[-1]


def measure_runs(study: Study, rounds: int) -> list[Row]:
    """Return the ratios of whole runs."""
    found: dict[tuple[bool, Size], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        logs = {gramine: Path(folder) / f"{gramine}.jsonl" for gramine in (False, True)}
        sides = {gramine: stack.enter_context(side(study, log, gramine=gramine)) for gramine, log in logs.items()}
        for number in range(rounds):
            for gramine, (_, cases, clients) in sides.items():
                for case in cases:
                    answer, _ = run_clean_room(clients, case, logs[gramine])
                    found.setdefault((gramine, case.size), []).append(answer.seconds)
                    what = f"{study.name}, {case.size} {study.unit}, {GRAMINE if gramine else 'plain Python'}"
                    print(f"round {number + 1}, {what}: {answer.seconds:.2f} CPU-s", file=sys.stderr)
    middle = {key: statistics.median(values) for key, values in found.items()}
    small, large = sizes(study)
    inside, plain = (middle[gramine, large] - middle[gramine, small] for gramine in (True, False))
    rows = [row(f"{study.name}: start-up, CPU", middle[True, small] / middle[False, small], "plain Python")]
    if plain >= LEAST:
        rows.append(row(f"{study.name}: run of {large} {study.unit}, CPU", inside / plain, "plain Python", RUN_GOAL))
    return rows


def measure_start(study: Study, rounds: int) -> Row:
    """Return how much longer a manifest that trusts whole folders takes to start than the slim build's."""
    profile = study.name
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-m", "sealroom", "profile", "build", profile, "--simulated", "--out", name]
        subprocess.run(command, check=True, capture_output=True)
        folder = Path(name) / profile
        slim = with_argv((folder / "enclave.manifest").read_text("utf-8"), LOAD.format(profile=profile))
        (folder / "slim.manifest").write_text(slim, "utf-8")
        more = [trusted(path) for root in WHOLE for path in sorted(root.rglob("*")) if is_plain(root, path)]
        head, mark, tail = slim.partition("trusted_files = [\n")
        (folder / "whole.manifest").write_text(head + mark + "".join(more) + tail, "utf-8")
        took: dict[str, list[float]] = {"slim": [], "whole": []}
        for _ in range(rounds):
            for manifest, seconds in took.items():
                seconds.append(start(folder, manifest))
    middle = {manifest: statistics.median(seconds) for manifest, seconds in took.items()}
    slim_files, more_files = slim.count("sha256 = "), len(more)
    print(
        f"{profile}: {slim_files} files {middle['slim']:.1f} s, {slim_files + more_files} files {middle['whole']:.1f} s"
    )
    ratio = middle["whole"] / middle["slim"]
    return row(f"{profile}: whole folders trusted, start", ratio, "the slim build", START_GOAL, "least")


def with_argv(manifest: str, code: str) -> str:
    """Let a manifest's Python run a line of code in place of the enclave."""
    lines = manifest.splitlines(keepends=True)
    (place,) = [number for number, line in enumerate(lines) if line.startswith("loader.argv")]
    program = tomllib.loads(manifest)["loader"]["argv"][0]
    lines[place] = f"loader.argv = {json.dumps([program, '-I', '-c', code])}\n"
    return "".join(lines)


def is_plain(root: Path, path: Path) -> bool:
    """Whether a file can stand in a manifest as it is: no link, and a name that TOML need not escape."""
    if root == WHOLE[0] and "site-packages" in path.relative_to(root).parts:
        return False
    return path.is_file() and not path.is_symlink() and path.name.isascii() and not set(path.name) & {'"', "\\"}


def trusted(path: Path) -> str:
    """Return a file's entry."""
    with path.open("rb") as file:
        return f'  {{ uri = "file:{path}", sha256 = "{hashlib.file_digest(file, "sha256").hexdigest()}" }},\n'


def start(folder: Path, manifest: str) -> float:
    """Return the seconds of one start until all libraries are loaded."""
    began = time.monotonic()
    done: subprocess.CompletedProcess[Any] = subprocess.run(
        [GRAMINE, manifest], cwd=folder, capture_output=True, check=False, text=True
    )
    if done.returncode:
        raise SystemExit(f"{GRAMINE} {manifest} ended with status {done.returncode}: {done.stderr[-2000:]}")
    return time.monotonic() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--study", choices=STUDIES, action="append", help="may be repeated [default: all]")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    chosen = parser.parse_args()
    if shutil.which(GRAMINE) is None:
        print(f"Skipped: {GRAMINE} is not on the PATH.")
        return 0
    studies = [STUDIES[name] for name in chosen.study or STUDIES]
    rows = [
        one for study in studies for one in (*measure_runs(study, chosen.rounds), measure_start(study, chosen.rounds))
    ]
    publish("gramine", rows, versions(PACKAGES))
    return 0


if __name__ == "__main__":
    sys.exit(main())
