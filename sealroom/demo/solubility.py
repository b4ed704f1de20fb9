"""Aqueous solubility of 1,274 compounds, cut by scaffold and row into three partners that share some of them."""

import csv
from pathlib import Path

from sealroom.demo.study import DemoStudy, Question, data_of

__all__ = ["DISCOVERY", "cut_solubility", "holders"]

_PARTIES = {"a": "Pharma company A", "b": "Biotech company B", "c": "Academic lab C"}
_RECIPES = ("qsar", "overlap")
_COLUMNS = ("name", "smiles", "solubility")
_SHARED_SERIES = 3
"""One scaffold in so many is worked on by all partners; the acyclic compounds, number 0, are too."""
_BENZENE = 8
"""The most frequent scaffold, a quarter of all compounds: too many for one partner."""
_SHARED_ROWS = 5
"""One compound in so many is at a second partner too."""
_COMMON_ROWS = 15
"""One compound in so many is at all of them."""


def holders(row: int, scaffold: int) -> tuple[str, ...]:
    """Return the parties that have a compound, by its row in the data, from 1, and the number of its scaffold.

    The series of a scaffold is at one partner, but every third scaffold's compounds go round by row, and so do acyclic
    compounds (scaffold 0) and those of benzene. Every fifth row is at the next partner too, and of these every third at
    all.
    """
    parties = tuple(_PARTIES)
    shared = scaffold % _SHARED_SERIES == 0 or scaffold == _BENZENE
    home = (row if shared else scaffold // _SHARED_SERIES) % len(parties)
    if row % _COMMON_ROWS == 0:
        return parties
    if row % _SHARED_ROWS == 0:
        return parties[home], parties[(home + 1) % len(parties)]
    return (parties[home],)


def cut_solubility(folder: Path) -> dict[str, int]:
    """Write ``<folder>/<party>/compounds.csv`` for each party; returns rows by party (551, 517 and 544).

    The number of the scaffold stays behind.
    """
    text = data_of("discovery").joinpath("solubility.csv").read_text("utf-8")
    mine: dict[str, list[dict[str, str]]] = {party: [] for party in _PARTIES}
    for number, row in enumerate(csv.DictReader(text.splitlines()), start=1):
        for party in holders(number, int(row["scaffold"])):
            mine[party].append(row)
    for party, rows in mine.items():
        (folder / party).mkdir(parents=True, exist_ok=True)
        with (folder / party / "compounds.csv").open("w", encoding="utf-8", newline="") as sink:
            writer = csv.DictWriter(sink, _COLUMNS, lineterminator="\n", extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
    return {party: len(rows) for party, rows in mine.items()}


def _prepare(folder: Path, _data: Path | None) -> dict[str, int]:
    counts = cut_solubility(folder)
    shipped = data_of("discovery")
    for party in counts:
        for name in ("schema.toml", "policy.toml"):
            (folder / party / name).write_text(shipped.joinpath(name).read_text("utf-8"), "utf-8")
    for recipe in _RECIPES:
        (folder / f"{recipe}.toml").write_text(shipped.joinpath(f"{recipe}.toml").read_text("utf-8"), "utf-8")
    return counts


DISCOVERY = DemoStudy(
    name="discovery",
    profile="discovery",
    intro="Aqueous solubility of compounds at three partners, some of them at several",
    parties=_PARTIES,
    dataset="compounds",
    title="Aqueous solubility",
    prepare=_prepare,
    questions=(
        Question("qsar", "Does pooling help each partner to predict the solubility of new scaffolds?"),
        Question("overlap", "How many scaffolds do the partners have in common?"),
    ),
    all_open=True,
)
