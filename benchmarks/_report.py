"""Rows of a benchmark: printed as a table of ratios and written to benchmarks/out/NAME.json."""

import importlib.metadata
import json
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

OUT = Path(__file__).resolve().parent / "out"


@dataclass(frozen=True, slots=True)
class Row:
    """One ratio and what it was measured against; ``met`` is None where there is no goal."""

    name: str
    ratio: float
    goal: float | None
    met: bool | None
    peer: str


def row(name: str, ratio: float, peer: str, goal: float | None = None, want: Literal["least", "most"] = "most") -> Row:
    """Compare a ratio with its goal: the ``least`` or the ``most`` that it may be."""
    met = None if goal is None else (ratio >= goal if want == "least" else ratio <= goal)
    return Row(name, ratio, goal, met, peer)


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of packages and of Python."""
    return {name: importlib.metadata.version(name) for name in packages} | {"python": platform.python_version()}


def publish(name: str, rows: Iterable[Row], of: dict[str, str]) -> None:
    """Print the table and write the file. A goal that is missed is printed as such; it is no failure of the program."""
    rows = list(rows)
    wide = max(len(row.name) for row in rows)
    print(f"\n{'ratio':>7} {'goal':>6}  {'met':<4} {'what':<{wide}} against")
    for one in rows:
        goal = "" if one.goal is None else one.goal
        met = "" if one.met is None else ("yes" if one.met else "NO")
        print(f"{one.ratio:>7.2f} {goal:>6}  {met:<4} {one.name:<{wide}} {one.peer}")
    OUT.mkdir(exist_ok=True)
    fields = [asdict(replace(one, ratio=round(one.ratio, 3))) | {"versions": of} for one in rows]
    (OUT / f"{name}.json").write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8")
