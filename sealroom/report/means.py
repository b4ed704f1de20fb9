"""Means: a Table 1, variables down and groups across, where the labels say so; else a row for each cell."""

from protocol.documents.outputs import Mean, Means
from sealroom.report.section import SUPPRESSED, Context, Section, Table

__all__ = ["means_section"]

_NOT_TOLD = "not told"


def means_section(value: Means, context: Context) -> Section:
    """Lay means out: mean (SD), and how many stand behind it."""
    rows = tuple((context.labels[cell.label], *_cells(cell)) for cell in value.cells)
    table = Table(("Of", "Mean (SD)", "n"), rows, frozenset({1, 2}))
    return Section(context.name, "Means", "", (table,), notes=_notes(value, context))


def _cells(cell: Mean) -> tuple[str, str]:
    if cell.mean is None or cell.sd is None:
        return SUPPRESSED, SUPPRESSED
    return f"{cell.mean} ({cell.sd})", _NOT_TOLD if cell.subjects is None else f"{cell.subjects:,}"


def _notes(value: Means, context: Context) -> tuple[str, ...]:
    k, units = context.preset.k, context.units
    rounding = f"3 significant digits; n, of those who have a value, is rounded to multiples of {context.preset.base}."
    notes = [f"Mean, and standard deviation in brackets, to {rounding}"]
    if any(cell.mean is None for cell in value.cells):
        notes.append(f"Suppressed: the figures would rest on fewer than {k} {units}, or mostly on few of them.")
    if any(cell.mean is not None and cell.subjects is None for cell in value.cells):
        notes.append(f"n is {_NOT_TOLD} where it would say whether a few, fewer than {k}, have no value.")
    return tuple(notes)
