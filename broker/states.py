"""The states of contracts, datasets and runs, as tables of transitions.

A run's and a dataset's state is stored and changes only along these tables. A contract's state is never stored: it is
computed from the signed votes each time (``broker.contracts``), and its table says in which states a vote is taken.
"""

import re
import sys
from collections.abc import Mapping
from typing import Final, Literal

from protocol.errors import StorageError

__all__ = [
    "CONTRACT",
    "DATASET",
    "RUN",
    "ContractState",
    "DatasetState",
    "RunState",
    "diagram",
    "redraw",
    "require_transition",
]

ContractState = Literal["proposed", "approved", "revoked", "expired", "void"]
DatasetState = Literal["uploading", "complete"]
RunState = Literal["waiting", "leased", "finished", "refused", "failed"]

CONTRACT: Final[Mapping[str, frozenset[str]]] = {
    "proposed": frozenset({"approved", "revoked", "expired", "void"}),
    "approved": frozenset({"revoked", "expired", "void", "proposed"}),
    "void": frozenset({"proposed", "approved", "revoked", "expired"}),
    "expired": frozenset({"revoked"}),
    "revoked": frozenset(),
}
"""``void``: a signer has left, so the documents no longer verify; it heals if the institution takes the member back.
``approved -> proposed``: an approver has left, and the quorum with them."""

DATASET: Final[Mapping[str, frozenset[str]]] = {"uploading": frozenset({"complete"}), "complete": frozenset()}

RUN: Final[Mapping[str, frozenset[str]]] = {
    "waiting": frozenset({"leased", "refused"}),
    "leased": frozenset({"waiting", "leased", "finished", "refused", "failed"}),
    "finished": frozenset(),
    "refused": frozenset(),
    "failed": frozenset(),
}
"""``leased -> leased``: another host took over a lease that had run out. ``waiting -> refused``: the contract was
revoked or expired before any host took the run."""


def require_transition(table: Mapping[str, frozenset[str]], what: str, state: str, target: str) -> None:
    """Raise ``StorageError`` with code ``STATE`` unless the table leads from ``state`` to ``target``."""
    if target not in table[state]:
        raise StorageError("STATE", f"The {what} is {state}; from there it cannot become {target}.")


def diagram(table: Mapping[str, frozenset[str]]) -> str:
    """Return a table as a Mermaid state diagram, for docs/states.md."""
    arrows = [f"    {state} --> {target}" for state, targets in table.items() for target in sorted(targets)]
    ends = [f"    {state} --> [*]" for state, targets in table.items() if not targets]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {next(iter(table))}", *arrows, *ends])


def redraw(page: str) -> str:
    """Return docs/states.md with the diagram under each heading drawn anew from its table."""
    for heading, table in (("Contract", CONTRACT), ("Dataset", DATASET), ("Run", RUN)):
        drawn = diagram(table)
        page = re.sub(rf"(## {heading}\n.*?```mermaid\n).*?(?=\n```)", rf"\g<1>{drawn}", page, count=1, flags=re.DOTALL)
    return page


if __name__ == "__main__":
    sys.stdout.write(redraw(sys.stdin.read()))
