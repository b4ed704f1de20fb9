"""What becomes of a run when its enclave says why it stopped.

Before any key is released an enclave has seen nothing secret, and its reason is kept as it says it. After a release
only a code of a closed set counts, and the words for it are ours: nothing that was shaped by data can pass. Where the
machinery failed rather than the study, the run goes to another lease.
"""

from dataclasses import dataclass
from typing import Final

from protocol.documents.exchange import Failure

__all__ = ["AFTER_KEYS", "TRANSIENT", "Ending", "ending_of"]

TRANSIENT: Final = frozenset(
    {
        "ANSWER_SHAPE",
        "ANSWER_SIZE",
        "BROKER_AWAY",
        "COLLATERAL_BUSY",
        "COLLATERAL_CUT",
        "COLLATERAL_SLOW",
        "COLLATERAL_UNREACHABLE",
        "PLATFORM_ANSWER",
        "PLATFORM_REPORT_DATA",
        "PLATFORM_UNREACHABLE",
        "RELAY",
    }
)
"""Codes that say that some process did not answer, which another host may be spared."""

AFTER_KEYS: Final = {
    "COMMIT_DIFFERS": "An earlier enclave of this run committed other outputs. A run has one result.",
    "EXPIRED": "The study expired while the enclave ran, so its outputs were dropped.",
    "OBJECT_MISSING": "A sealed part is missing from the object store. Ask the operator.",
    "PART_DIGEST": "A sealed part is not the one that its owner signed. Ask the operator.",
    "PART_MISSING": "A sealed part is missing. Ask the operator.",
    "PART_SIZE": "A sealed part is shorter or longer than its owner signed. Ask the operator.",
    "REVOKED": "An owner withdrew consent while the enclave ran, so its outputs were dropped.",
    "RUNS_SPENT": "The contract's runs are spent, so the outputs were dropped.",
    "WITHDRAWN": "The code or the platform was withdrawn while the enclave ran, so its outputs were dropped.",
}
"""All reasons that are kept after a key release; each says what the broker and the host can see themselves."""


@dataclass(frozen=True, slots=True)
class Ending:
    """The code and the words that a refused run keeps."""

    code: str
    detail: str


def ending_of(failure: Failure, *, keys_released: bool) -> Ending | None:
    """Return how a run ends after this failure, or None where it is given to another lease."""
    if failure.code in TRANSIENT:
        return None
    if not keys_released:
        return Ending(failure.code, failure.detail)
    words = AFTER_KEYS.get(failure.code)
    return Ending(failure.code, words) if words else None
