"""Cells of a Table 1: groups across and variables down, where every label names both."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["COUNTED", "MEASURED", "Crosstab", "cross"]

_NAME: Final = r"[a-z0-9][a-z0-9._-]{0,63}"
COUNTED: Final = re.compile(rf"(?P<group>.+), (?P<row>(?P<variable>{_NAME}): .+)")
"""A level of a category in a group: ``sex: male, cp: asymptomatic``."""
MEASURED: Final = re.compile(rf"(?P<group>.+), (?P<row>(?P<variable>{_NAME}) \(.+\))")
"""A number in a group: ``sex: male, age (a)``."""
MOST_GROUPS: Final = 6
"""More groups do not stand side by side on a page."""


@dataclass(frozen=True, slots=True)
class Crosstab:
    """The groups, the rows with the variable that each belongs to, and which label stands where."""

    groups: tuple[str, ...]
    rows: dict[str, str]
    at: dict[tuple[str, str], int]

    def of_variable(self, variable: str, group: str) -> list[int]:
        """Return the labels of one variable in one group."""
        found = [self.at.get((row, group)) for row, named in self.rows.items() if named == variable]
        return [label for label in found if label is not None]


def cross(labels: Sequence[tuple[int, str]], form: re.Pattern[str]) -> Crosstab | None:
    """Read numbered labels as a table; None where one has not the form, or the groups are too many for a page."""
    rows: dict[str, str] = {}
    at: dict[tuple[str, str], int] = {}
    for number, label in labels:
        found = form.fullmatch(label)
        if found is None:
            return None
        rows[found["row"]] = found["variable"]
        at[found["row"], found["group"]] = number
    groups = tuple(dict.fromkeys(group for _, group in at))
    return Crosstab(groups, rows, at) if len(groups) <= MOST_GROUPS else None
