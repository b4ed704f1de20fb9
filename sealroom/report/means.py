"""Means: a Table 1, variables down and groups across, where the labels say so; else a row for each cell."""

from protocol.documents.outputs import Mean, Means
from sealroom.report.crosstab import MEASURED, cross
from sealroom.report.section import NOT_TOLD, SUPPRESSED, Context, Section, Table

__all__ = ["means_section"]


def means_section(value: Means, context: Context) -> Section:
    """Lay means out: mean (SD), and how many stand behind it."""
    table = _crossed(value, context) or _listed(value, context)
    return Section(context.name, "Means", "", (table,), notes=_notes(value, context))


def _crossed(value: Means, context: Context) -> Table | None:
    cells = {cell.label: cell for cell in value.cells}
    crossed = cross([(label, context.labels[label]) for label in cells], MEASURED)
    if crossed is None:
        return None
    rows = []
    for row in crossed.rows:
        shown = [row]
        for group in crossed.groups:
            label = crossed.at.get((row, group))
            shown += _cells(None if label is None else cells[label])
        rows.append(tuple(shown))
    head = ("", *("Mean (SD)", "n") * len(crossed.groups))
    groups = (("", 1), *((group, 2) for group in crossed.groups))
    return Table(head, tuple(rows), frozenset(range(1, len(head))), groups)


def _listed(value: Means, context: Context) -> Table:
    rows = tuple((context.labels[cell.label], *_cells(cell)) for cell in value.cells)
    return Table(("Of", "Mean (SD)", "n"), rows, frozenset({1, 2}))


def _cells(cell: Mean | None) -> tuple[str, str]:
    if cell is None or cell.mean is None or cell.sd is None:
        return SUPPRESSED, SUPPRESSED
    return f"{cell.mean} ({cell.sd})", NOT_TOLD if cell.subjects is None else f"{cell.subjects:,}"


def _notes(value: Means, context: Context) -> tuple[str, ...]:
    k, units = context.preset.k, context.units
    rounding = f"3 significant digits; n, of those who have a value, is rounded to multiples of {context.preset.base}."
    notes = [f"Mean, and standard deviation in brackets, to {rounding}"]
    if any(cell.mean is None for cell in value.cells):
        notes.append(
            f"Suppressed: fewer than {k} {units} stand behind a mean of its variable, or mostly a few of them."
        )
    if any(cell.mean is not None and cell.subjects is None for cell in value.cells):
        notes.append(f"{NOT_TOLD}: n would tell that a few have no value.")
    return tuple(notes)
