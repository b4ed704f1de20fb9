"""Outputs of one contract that add up: a suppressed cell must not follow from what stands beside it.

A count table alone implies no margin. A regression over the same subjects releases two: its subjects and its events, to
within rounding. With these, a suppressed cell would be the margin minus the released cells, an interval that may be
narrower than k. So a table with a suppressed cell is refused as a whole where a regression of the same contract is
released. This is coarser than suppressing further cells until an audit passes, and needs no audit: nothing of the table
is left to subtract. (Numbers at risk bound a group's size from below only: at least k more have left before the first
point.)
"""

from collections.abc import Mapping

from enclave.disclosure.counts import has_suppressed_cells
from protocol.documents.outputs import CountTable, Output, Refusal, Regression
from protocol.types import Name

__all__ = ["refuse_linked"]


def refuse_linked(outputs: Mapping[Name, Output]) -> Mapping[Name, Output]:
    """Return the outputs of one contract with those tables refused that another output would complete."""
    if not any(isinstance(value, Regression) for value in outputs.values()):
        return outputs
    return {
        name: Refusal(refusal="POLICY") if isinstance(value, CountTable) and has_suppressed_cells(value) else value
        for name, value in outputs.items()
    }
