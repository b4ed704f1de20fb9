"""Outputs of one contract that add up: a suppressed cell must not follow from what stands beside it.

A count table alone implies no margin. Other outputs over the same subjects do, to within rounding: a regression tells
its subjects and its events, a survival curve how many of a group were at risk and how many had the event, another table
its cells. With these, a suppressed cell would be a margin minus released cells, an interval that may be narrower than
k. So a table with a suppressed cell is refused as a whole where any such output of the same contract is released.
This is coarser than suppressing further cells until an audit passes, and needs no audit: nothing of the table is left
to subtract. A test statistic tells no count, and leaves only if every cell of its groups would.
"""

from collections.abc import Mapping

from enclave.disclosure.counts import has_suppressed_cells
from protocol.documents.outputs import CountTable, Output, Refusal, SurvivalCurve, TestStatistic
from protocol.types import Name

__all__ = ["refuse_linked"]


def refuse_linked(outputs: Mapping[Name, Output]) -> Mapping[Name, Output]:
    """Return the outputs of one contract with those tables refused that another output would complete."""
    telling = {name for name, value in outputs.items() if _tells_margins(value)}
    return {
        name: Refusal(refusal="POLICY")
        if isinstance(value, CountTable) and has_suppressed_cells(value) and telling - {name}
        else value
        for name, value in outputs.items()
    }


def _tells_margins(value: Output) -> bool:
    """Whether a count follows from an output; of a type that is not known to tell none it is taken to."""
    if isinstance(value, SurvivalCurve):
        return any(group.points for group in value.groups)
    return not isinstance(value, Refusal | TestStatistic)
