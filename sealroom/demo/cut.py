"""The demo's input: the NCCTG lung trial cut by institution into three partners."""

import csv
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

__all__ = ["PARTIES", "cut_lung"]

PARTIES: dict[str, tuple[str, Callable[[str], bool]]] = {
    "a": ("Hospital A", lambda inst: inst != "" and 1 <= int(inst) <= 5),  # noqa: PLR2004 - institutions 1 to 5
    "b": ("Pharma company B", lambda inst: inst != "" and 6 <= int(inst) <= 13),  # noqa: PLR2004 - 6 to 13
    "c": ("Academic lab C", lambda inst: inst == "" or int(inst) >= 15),  # noqa: PLR2004 - the rest, and the row with none
}
"""Short name, name, and which of the trial's institution numbers belong to it."""


def cut_lung(folder: Path) -> dict[str, int]:
    """Write ``<folder>/<party>/lung.csv`` for each party; returns rows by party (73, 87 and 68).

    The column ``inst`` stays behind, and each row gets a subject identifier from its place in the trial.
    """
    text = files("sealroom.demo").joinpath("data/lung.csv").read_text("utf-8")
    # Every number of the trial is whole; the file spells some of them 3.0, because others of the column are missing.
    rows = [
        {name: value.removesuffix(".0") for name, value in row.items()} for row in csv.DictReader(text.splitlines())
    ]
    columns = ["subject", *(name for name in rows[0] if name != "inst")]
    counts = {}
    for party, (_, belongs) in PARTIES.items():
        mine = [
            {"subject": f"NCCTG-{number:03d}", **row}
            for number, row in enumerate(rows, start=1)
            if belongs(row["inst"])
        ]
        (folder / party).mkdir(parents=True, exist_ok=True)
        with (folder / party / "lung.csv").open("w", encoding="utf-8", newline="") as sink:
            writer = csv.DictWriter(sink, columns, lineterminator="\n", extrasaction="ignore")
            writer.writeheader()
            writer.writerows(mine)
        counts[party] = len(mine)
    return counts
