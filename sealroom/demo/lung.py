"""Survival in the NCCTG lung trial, cut by institution into three partners."""

import csv
from collections.abc import Callable
from pathlib import Path

from sealroom.demo.study import DemoStudy, Question, data_of

__all__ = ["SURVIVAL", "cut_lung"]

_PARTIES: dict[str, tuple[str, Callable[[str], bool]]] = {
    "a": ("Hospital A", lambda inst: inst != "" and 1 <= int(inst) <= 5),  # noqa: PLR2004 - institutions 1 to 5
    "b": ("Pharma company B", lambda inst: inst != "" and 6 <= int(inst) <= 13),  # noqa: PLR2004 - 6 to 13
    "c": ("Academic lab C", lambda inst: inst == "" or int(inst) >= 15),  # noqa: PLR2004 - the rest, and the row with none
}
"""Short name, name, and which of the trial's institution numbers belong to it."""


def cut_lung(folder: Path) -> dict[str, int]:
    """Write ``<folder>/<party>/lung.csv`` for each party; returns rows by party (73, 87 and 68).

    The column ``inst`` stays behind, and each row gets a subject identifier from its place in the trial.
    """
    text = data_of("survival").joinpath("lung.csv").read_text("utf-8")
    # Every number of the trial is whole; the file spells some of them 3.0, because others of the column are missing.
    rows = [
        {name: value.removesuffix(".0") for name, value in row.items()} for row in csv.DictReader(text.splitlines())
    ]
    columns = ["subject", *(name for name in rows[0] if name != "inst")]
    counts = {}
    for party, (_, belongs) in _PARTIES.items():
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


def _prepare(folder: Path, _data: Path | None) -> dict[str, int]:
    counts = cut_lung(folder)
    for party in counts:
        for name in ("schema.toml", "policy.toml"):
            (folder / party / name).write_text(data_of("survival").joinpath(name).read_text("utf-8"), "utf-8")
    (folder / "recipe.toml").write_text(data_of("survival").joinpath("recipe.toml").read_text("utf-8"), "utf-8")
    return counts


SURVIVAL = DemoStudy(
    name="survival",
    profile="clinical",
    intro="Three partners of the NCCTG lung trial",
    parties={party: name for party, (name, _) in _PARTIES.items()},
    dataset="lung",
    title="NCCTG lung trial",
    prepare=_prepare,
    questions=(
        Question("recipe", "Does survival in advanced lung cancer differ by sex, given age and performance score?"),
    ),
)
