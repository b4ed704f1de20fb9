"""Count tables: small cells are suppressed, the rest rounded, the total is the sum of what is released.

A cell is released if its safe count reaches k. A zero would say that none of a group has a property (0 %, and 100 % of
the rest), so it is suppressed like any small cell.

No margin is released beside the cells, so the table alone gives nothing to subtract from: no secondary suppression is
needed for it. Margins that other outputs of the same contract imply are the gate's business (``linkage``).
"""

from enclave.analyses.results import RawCell, RawCounts
from enclave.disclosure.rounding import to_base
from enclave.disclosure.support import Coalitions, safe_count
from protocol.documents.outputs import CountCell, CountTable
from protocol.presets import GatePreset

__all__ = ["has_suppressed_cells", "release_counts"]


def release_counts(raw: RawCounts, preset: GatePreset, against: Coalitions) -> CountTable:
    """Return the table as it may leave."""
    cells = tuple(CountCell(label=label, count=_count(cell, preset, against)) for label, cell in enumerate(raw.cells))
    return CountTable(cells=cells, total=sum(cell.count or 0 for cell in cells))


def has_suppressed_cells(table: CountTable) -> bool:
    """Whether a cell was suppressed."""
    return any(cell.count is None for cell in table.cells)


def _count(cell: RawCell, preset: GatePreset, against: Coalitions) -> int | None:
    return to_base(cell.support.total, preset.base) if safe_count(cell.support, against) >= preset.k else None
