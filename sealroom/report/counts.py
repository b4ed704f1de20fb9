"""A count table, and a test statistic: tables alone."""

from protocol.documents.outputs import CountTable, TestStatistic
from sealroom.report.section import SUPPRESSED, Context, Section, Table

__all__ = ["counts_section", "statistic_section"]


def counts_section(value: CountTable, context: Context) -> Section:
    """Lay a count table out; what was suppressed is told from zeros."""
    k, units = context.preset.k, context.units
    rows = [
        (context.labels[cell.label], SUPPRESSED if cell.count is None else f"{cell.count:,}") for cell in value.cells
    ]
    rounding = f"Each of the {units} counts once; counts are rounded to multiples of {context.preset.base}."
    notes = [f"{rounding} The cells shown add up to {value.total:,}."]
    if any(cell.count is None for cell in value.cells):
        notes.append(f"Suppressed: fewer than {k} {units} (<{k}), or hidden so that such a cell cannot be worked out.")
    table = Table(("Group", units.title()), tuple(rows), frozenset({1}))
    return Section(context.name, "Counts", "", (table,), notes=tuple(notes))


def statistic_section(value: TestStatistic, context: Context) -> Section:
    """Lay a test statistic out."""
    row = (context.labels[value.label], value.statistic, str(value.df), value.p)
    table = Table(("Test", "Statistic", "df", "p"), (row,), frozenset({1, 2, 3}))
    note = "The statistic has 4 significant digits; p values have 2, or read <0.001."
    return Section(context.name, "Test", "", (table,), notes=(note,))
