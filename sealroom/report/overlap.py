"""How many scaffolds each two libraries have in common: a row for each pair."""

import re
from typing import Final

from protocol.documents.outputs import CountTable
from sealroom.report.section import SUPPRESSED, Context, Section, Table

__all__ = ["OVERLAP", "overlap_section"]

OVERLAP: Final = re.compile(r"scaffolds of (?P<pair>\S+ and \S+) (?P<counted>in common|with a compound in common)")
NOTE: Final = (
    "Counts are of scaffolds, all acyclic compounds being one, with noise of a few, rounded to multiples of {base}: "
    "the second may come out above the first. The same recipe on the same data gives the same."
)
HIDDEN: Final = "Suppressed: with its noise, fewer than {least} in common or on either side alone."
MOST_NOISE: Final = 10
"""As the output gate has it."""


def overlap_section(value: CountTable, context: Context) -> Section:
    """Lay pairs of libraries out."""
    pairs: dict[str, dict[str, str]] = {}
    for cell in value.cells:
        found = OVERLAP.fullmatch(context.labels[cell.label])
        if found is not None:
            count = SUPPRESSED if cell.count is None else f"{cell.count:,}"
            pairs.setdefault(found["pair"], {})[found["counted"]] = count
    counted = ("in common", "with a compound in common")
    rows = tuple((pair, *(counts.get(name, SUPPRESSED) for name in counted)) for pair, counts in pairs.items())
    table = Table(("Libraries", "Scaffolds in common", "Of these with a compound in common"), rows, frozenset({1, 2}))
    notes = [NOTE.format(base=context.preset.base)]
    if any(cell.count is None for cell in value.cells):
        notes.append(HIDDEN.format(least=context.preset.k + MOST_NOISE))
    return Section(context.name, "Overlap", "", (table,), notes=tuple(notes))
