"""Columns that several datasets must agree on: the checks that signed schemas decide."""

from collections.abc import Collection, Mapping

from protocol.documents.dataset import Column, DatasetSchema, TableSchema
from protocol.errors import AnalysisError
from protocol.types import Name

__all__ = ["DAYS", "require_column", "require_covariates", "require_days", "require_distinct", "require_level"]

DAYS = frozenset({"d", "day", "days"})
"""How a unit may spell days (``d`` is UCUM's)."""
_NUMBERS = frozenset({"integer", "decimal"})
"""Kinds that a frame holds alike, as float64."""


def require_column(datasets: Mapping[Name, DatasetSchema], name: str, kinds: Collection[str], role: str) -> Column:
    """Return the first slot's column, once it means the same in every slot: unit, levels, and kind.

    Whole numbers and decimals of one unit are numbers alike, where ``kinds`` takes both.

    Raises
    ------
    AnalysisError
        ``COLUMN_UNKNOWN``, ``COLUMN_KIND``, ``UNIT``, ``LEVELS_DIFFER``.
    """
    found = {slot: _present(slot, dataset.table, name, role) for slot, dataset in datasets.items()}
    first_slot, first = next(iter(found.items()))
    for slot, column in found.items():
        if column.kind not in kinds:
            raise AnalysisError(
                "COLUMN_KIND",
                f"{role}: column {name} of slot {slot} is of kind {column.kind}; it takes {' or '.join(kinds)}.",
            )
        if column.kind != first.kind and not {column.kind, first.kind} <= _NUMBERS:
            raise AnalysisError(
                "COLUMN_KIND",
                f"{role}: column {name} is of kind {first.kind} in slot {first_slot} and {column.kind} in slot {slot}.",
            )
        if column.unit != first.unit:
            raise AnalysisError(
                "UNIT",
                f"{role}: column {name} is in {first.unit} in slot {first_slot} and in {column.unit} in slot {slot}.",
            )
        if column.levels != first.levels:
            raise AnalysisError(
                "LEVELS_DIFFER",
                f"{role}: column {name} has other levels in slot {slot} than in slot {first_slot}. Codes, labels and "
                f"their order must agree: {_levels(first)} against {_levels(column)}.",
            )
    return first


def require_covariates(datasets: Mapping[Name, DatasetSchema], names: Collection[str]) -> tuple[Column, ...]:
    """Return the columns of covariates: numbers or categories, each as ``require_column``."""
    kinds = ("integer", "decimal", "category")
    return tuple(require_column(datasets, name, kinds, "covariates") for name in names)


def require_days(column: Column, role: str) -> None:
    """Raise ``AnalysisError`` with ``UNIT`` unless the column is in days."""
    if column.unit not in DAYS:
        raise AnalysisError("UNIT", f"{role}: column {column.name} is in {column.unit}; it must be in days.")


def require_level(column: Column, level: object, role: str) -> None:
    """Raise ``AnalysisError`` with ``LEVEL_UNKNOWN`` unless the level can stand in the column."""
    if column.kind == "category":
        if level not in {item.code for item in column.levels}:
            raise AnalysisError("LEVEL_UNKNOWN", f"{role}: column {column.name} has the levels {_levels(column)}.")
    elif not isinstance(level, int):
        raise AnalysisError("LEVEL_UNKNOWN", f"{role}: column {column.name} holds whole numbers; give one of them.")


def require_distinct(roles: Mapping[str, Collection[str]]) -> None:
    """Raise ``AnalysisError`` with ``COLUMN_TWICE`` where one column has two roles."""
    taken: dict[str, str] = {}
    for role, columns in roles.items():
        for column in columns:
            if column in taken:
                raise AnalysisError("COLUMN_TWICE", f"Column {column} cannot be both {taken[column]} and {role}.")
            taken[column] = role


def _present(slot: Name, table: TableSchema, name: str, role: str) -> Column:
    column = table.column(name)
    if column is None:
        known = ", ".join(item.name for item in table.columns[:20])
        raise AnalysisError(
            "COLUMN_UNKNOWN",
            f"{role}: slot {slot} has no column {name}. It has: {known}. A column that a mapping takes has its new "
            "name only.",
        )
    return column


def _levels(column: Column) -> str:
    return ", ".join(f"{level.code} ({level.label})" for level in column.levels[:20])
