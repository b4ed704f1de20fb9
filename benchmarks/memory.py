"""Peak memory of sealing, uploading and opening when a file grows eight times.

``python benchmarks/memory.py`` prints ratios and writes benchmarks/out/memory.json.

``sealroom dataset seal`` and ``sealroom dataset upload`` run as partners run them, against a broker process. Opening is
that of all parts of a sealed file as long as the sealed table, into the buffer of one part. (An enclave then keeps the
whole table, as its analysis needs it.) Each peak is the kernel's, of the processes that did the work. What a command
needs for a hundred rows is printed beside it, for an interpreter with pandas is large already.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from _report import Row, publish, row, versions

from protocol.container import PartOpener, SealingWriter
from protocol.documents.dataset import PART_SIZE, SealedFile

HERE = Path(__file__).resolve().parent
GOAL = 1.2
TIMES = 8
SMALL = 250_000
"""Rows: 12 MB of CSV, 20 MB sealed. That is more than one part, below which memory follows the file, as it should."""
FEW = 100
"""Rows for which a command needs hardly more than its own start."""
ROW_BYTES = 80
"""Of a row of the demo's schema in the canonical layout."""
CHUNK = 2**20
PACKAGES = ("numpy", "pandas", "httpx", "cryptography")


def peak(*command: str, environment: dict[str, str] | None = None) -> int:
    """Run a command to its end and return the largest resident size among its processes, in KiB."""
    with tempfile.NamedTemporaryFile() as log:
        launcher = [sys.executable, "-I", str(HERE / "_measured.py"), log.name]
        done = subprocess.run(
            [*launcher, *command], check=False, env=environment, stdin=subprocess.DEVNULL, capture_output=True
        )
        if done.returncode:
            raise SystemExit(f"{command} ended with status {done.returncode}: {done.stderr.decode()[-2000:]}")
        return json.loads(log.read())["peak_kib"]


def measure_commands(sizes: tuple[int, ...]) -> dict[str, list[int]]:
    """Return the peaks of sealing and uploading simulated tables of these numbers of rows."""
    from _studies import STUDIES, Size
    from _world import PARTIES, seal, simulate, upload, world

    from sealroom.demo.stage import play_line

    study = STUDIES["clinical"]
    peaks: dict[str, list[int]] = {"sealroom dataset seal": [], "sealroom dataset upload": []}
    with world(study) as stage:
        for rows in sizes:
            stem, name = simulate(stage, study, "a", Size(rows * len(PARTIES))), f"sim-{rows}"
            lines = zip(peaks, (seal(study, "a", stem, name), upload("a", name)), strict=True)
            for command, line in lines:
                peaks[command].append(peak("/bin/sh", "-c", stage.prelude + line, environment=stage.environment))
            stem.with_suffix(".csv").unlink()
        there = json.loads(play_line("a dataset list --json", stage))
    found = {(entry["rows"], entry["state"]) for entry in there}
    if found != {(rows, "complete") for rows in sizes}:
        raise SystemExit(f"No ratios: at the broker are {found}.")
    return peaks


def measure_opening(sizes: tuple[int, ...]) -> list[int]:
    """Return the peaks of opening sealed files of these numbers of bytes."""
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            make_sealed(size, Path(folder))
        return [peak(sys.executable, __file__, "--open", str(size), "--folder", folder) for size in sizes]


def make_sealed(size: int, folder: Path) -> None:
    """Write a sealed file of ``size`` random plain bytes and what its manifest would say of it."""
    with (folder / f"{size}.sealed").open("wb") as file:
        writer = SealingWriter(file, _data_key())
        for at in range(0, size, CHUNK):
            writer.write(os.urandom(min(CHUNK, size - at)))
        sealed_file = writer.finish().sealed_file("benchmark")
    (folder / f"{size}.json").write_text(sealed_file.model_dump_json(), encoding="utf-8")


def open_sealed(size: int, folder: Path) -> None:
    """Open all parts of a sealed file from disk, and keep nothing."""
    sealed_file = SealedFile.model_validate_json((folder / f"{size}.json").read_text(encoding="utf-8"))
    with (folder / f"{size}.sealed").open("rb", buffering=0) as file:
        total = sum(len(view) for view in PartOpener(_data_key(), sealed_file).open_all(_parts(file)))
    if total != size:
        raise SystemExit(f"opened {total} of {size} bytes")


def _parts(file: BinaryIO) -> Iterator[memoryview]:
    buffer = memoryview(bytearray(PART_SIZE))
    while size := file.readinto(buffer):  # type: ignore[attr-defined]  # a raw file has it; BinaryIO does not say so
        yield buffer[:size]


def _data_key() -> bytes:
    return hashlib.sha256(b"a key for this benchmark only").digest()


def rows_of(name: str, peaks: list[int]) -> Iterator[Row]:
    """Compare the large file's peak with the small one's."""
    few, small, large = peaks
    title = (
        f"peak memory of {name}, {TIMES}x the file ({small // 1024} -> {large // 1024} MiB; nearly none {few // 1024})"
    )
    yield row(title, large / small, "itself with the smaller file", GOAL)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=SMALL, help="rows of the smaller table")
    parser.add_argument("--open", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.open is not None:
        open_sealed(chosen.open, chosen.folder)
        return 0
    sizes = (FEW, chosen.rows, chosen.rows * TIMES)
    peaks = measure_commands(sizes)
    peaks["opening all parts"] = measure_opening(tuple(rows * ROW_BYTES for rows in sizes))
    publish("memory", [one for name, found in peaks.items() for one in rows_of(name, found)], versions(PACKAGES))
    return 0


if __name__ == "__main__":
    sys.exit(main())
