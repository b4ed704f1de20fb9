"""Count tables: told as a whole or not at all, rounded; the total is the sum of what is released.

A cell may leave if its safe count reaches k. A zero would say that none of a group has a property (0 %, and 100 % of
the rest), so it is a small cell like any other.

Cells that add up stand and fall together (``RawCell.part``). The rows of each dataset are public in its manifest, other
parts of the table tell how large a group is, models and curves of the same contract tell subjects and events: a single
suppressed cell would be what these leave over, to within rounding. With the whole part suppressed no sum has fewer than
two unknown terms, whatever stands beside it; so no further cells need to be chosen, and no audit. ``rest`` is the cell
that such a sum would tell without its being in the table.
"""

from enclave.analyses.results import RawCounts
from enclave.disclosure.rounding import to_base
from enclave.disclosure.support import Coalitions, safe_count
from protocol.documents.outputs import CountCell, CountTable
from protocol.presets import GatePreset

__all__ = ["release_counts"]


def release_counts(raw: RawCounts, preset: GatePreset, against: Coalitions) -> CountTable:
    """Return the table as it may leave."""
    hidden = {cell.part for cell in raw.cells if safe_count(cell.support, against) < preset.k}
    if raw.rest is not None and safe_count(raw.rest, against) < preset.k:
        hidden = {cell.part for cell in raw.cells}
    cells = tuple(
        CountCell(label=label, count=None if cell.part in hidden else to_base(cell.support.total, preset.base))
        for label, cell in enumerate(raw.cells)
    )
    return CountTable(cells=cells, total=sum(cell.count or 0 for cell in cells))
