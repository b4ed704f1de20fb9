"""A count table: groups across and levels down where the labels say so, else a row for each cell; and a statistic."""

from protocol.documents.outputs import CountTable, TestStatistic
from sealroom.report.crosstab import COUNTED, Crosstab, cross
from sealroom.report.overlap import OVERLAP, overlap_section
from sealroom.report.section import SUPPRESSED, Context, Section, Table

__all__ = ["counts_section", "statistic_section"]


def counts_section(value: CountTable, context: Context) -> Section:
    """Lay a count table out; what was suppressed is told from zeros."""
    if all(OVERLAP.fullmatch(context.labels[cell.label]) for cell in value.cells):
        return overlap_section(value, context)
    k, units = context.preset.k, context.units
    crossed = cross([(cell.label, context.labels[cell.label]) for cell in value.cells], COUNTED)
    rounding = f"Each of the {units} counts once; counts are rounded to multiples of {context.preset.base}."
    if crossed is not None:
        table, notes = _crossed(value, crossed), [f"{rounding} Percentages are of the rounded counts in the column."]
    else:
        table, notes = _listed(value, context), [f"{rounding} The cells shown add up to {value.total:,}."]
    if any(cell.count is None for cell in value.cells):
        notes.append(f"Suppressed: fewer than {k} {units} (<{k}), or hidden so that such a cell cannot be worked out.")
    return Section(context.name, "Counts", "", (table,), notes=tuple(notes))


def statistic_section(value: TestStatistic, context: Context) -> Section:
    """Lay a test statistic out."""
    row = (context.labels[value.label], value.statistic, str(value.df), value.p)
    table = Table(("Test", "Statistic", "df", "p"), (row,), frozenset({1, 2, 3}))
    note = "The statistic has 4 significant digits; p values have 2, or read <0.001."
    return Section(context.name, "Test", "", (table,), notes=(note,))


def _crossed(value: CountTable, crossed: Crosstab) -> Table:
    counts = {cell.label: cell.count for cell in value.cells}
    totals = {
        (variable, group): _total([counts[label] for label in crossed.of_variable(variable, group)])
        for variable in dict.fromkeys(crossed.rows.values())
        for group in crossed.groups
    }
    rows = tuple(
        (
            row,
            *(
                _share(counts.get(crossed.at.get((row, group), -1)), totals[variable, group])
                for group in crossed.groups
            ),
        )
        for row, variable in crossed.rows.items()
    )
    head = ("", *crossed.groups)
    return Table(head, rows, frozenset(range(1, len(head))))


def _listed(value: CountTable, context: Context) -> Table:
    rows = tuple((context.labels[cell.label], _written(cell.count)) for cell in value.cells)
    return Table(("Group", context.units.title()), rows, frozenset({1}))


def _total(counts: list[int | None]) -> int | None:
    """Return the sum of a variable's counts in a group; None where some are not known."""
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _share(count: int | None, total: int | None) -> str:
    return _written(count) if not total or count is None else f"{count:,} ({round(100 * count / total)} %)"


def _written(count: int | None) -> str:
    return SUPPRESSED if count is None else f"{count:,}"
