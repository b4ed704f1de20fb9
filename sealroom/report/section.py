"""What a section of the report is made of: a lead, tables, plots, notes. No markup but the plots."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from markupsafe import Markup

from protocol.catalogue import Variant
from protocol.documents.outputs import Metric
from protocol.presets import GatePreset

__all__ = [
    "MOST_DRAWN",
    "MOST_ROWS",
    "NOT_TOLD",
    "SUPPRESSED",
    "Context",
    "Section",
    "Table",
    "drawn_note",
    "with_interval",
]

MOST_ROWS: Final = 1000
"""Rows of a table that are shown; ``outputs.json`` has all."""
MOST_DRAWN: Final = 40
"""Rows of a plot: more are neither read nor printed on a page."""
SUPPRESSED: Final = "suppressed"
NOT_TOLD: Final = "not told"


@dataclass(frozen=True, slots=True)
class Table:
    """A table: ``numeric`` columns, by position, stand to the right. ``groups`` are heads over several columns."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[int] = frozenset()
    groups: tuple[tuple[str, int], ...] = ()
    caption: str = ""

    @property
    def shown(self) -> tuple[tuple[str, ...], ...]:
        """The rows that the page has."""
        return self.rows[:MOST_ROWS]

    @property
    def left_out(self) -> int:
        """How many rows it does not have."""
        return len(self.rows) - len(self.shown)


@dataclass(frozen=True, slots=True)
class Section:
    """One output as it is shown. The first table stands before the plots, the others after them."""

    name: str
    kind: str
    lead: str
    tables: tuple[Table, ...] = ()
    plots: tuple[Markup, ...] = ()
    notes: tuple[str, ...] = ()
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """What an output is read with.

    Parameters
    ----------
    name
        The output's.
    labels
        The contract's dictionary, as it is read.
    preset
        The output gate's preset in force.
    prefix
        Ids of the output's plots begin with it.
    units
        What is counted: ``subjects``, or ``compounds``.
    variants
        The catalogue's variants that the study's hits name; empty where no catalogue was given.
    scanned
        How many variants the catalogue has, as the owners signed; 0 where there is none.
    """

    name: str
    labels: tuple[str, ...]
    preset: GatePreset
    prefix: str
    units: str = "subjects"
    variants: Mapping[int, Variant] = field(default_factory=dict)
    scanned: int = 0


def with_interval(metric: Metric | None) -> str:
    """Write a figure with its 95 % interval; one that the gate kept back, or that is not there, is suppressed.

    >>> with_interval(Metric(label=0, value="0.85", lower="0.79", upper="0.9"))
    '0.85 (0.79 to 0.9)'
    """
    if metric is None or metric.value is None:
        return SUPPRESSED
    return (
        metric.value if None in {metric.lower, metric.upper} else f"{metric.value} ({metric.lower} to {metric.upper})"
    )


def drawn_note(rows: int, what: str) -> tuple[str, ...]:
    """Say that a plot has not all rows; nothing where it has."""
    return (f"The plot shows the first {MOST_DRAWN} of {rows:,} {what}.",) if rows > MOST_DRAWN else ()
