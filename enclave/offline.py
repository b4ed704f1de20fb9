"""What the enclave's program tells the partner's side without data or keys: its analyses, what a recipe would give.

The partner's client runs ``describe`` and ``plan`` as a process: what is checked before signing is checked by the very
files that are measured.
"""

from dataclasses import asdict
from typing import Annotated

from pydantic import Field

from enclave.analyses import ANALYSES, find_analysis
from protocol.canonical import canonical_bytes
from protocol.documents.dataset import TableSchema
from protocol.documents.study import Parameter
from protocol.dsse import load_document
from protocol.errors import AnalysisError, SealroomError
from protocol.types import Document, Name

__all__ = ["MAX_REQUEST", "PlanRequest", "describe", "plan"]

MAX_REQUEST = 4 * 2**20
"""Bytes."""


class PlanRequest(Document):
    """A recipe's substance and the schemas of its slots."""

    analysis: Name
    parameters: Annotated[dict[Name, Parameter], Field(max_length=50)]
    outputs: Annotated[tuple[Name, ...], Field(min_length=1, max_length=50)]
    tables: Annotated[dict[Name, TableSchema], Field(min_length=1, max_length=50)]


def describe() -> bytes:
    """Return the descriptors of all analyses as canonical JSON: ``{"analyses": [...]}``."""
    return canonical_bytes({"analyses": [asdict(analysis.descriptor) for analysis in ANALYSES.values()]})


def plan(request: bytes) -> tuple[bytes, int]:
    """Plan a request: the answer as canonical JSON, and the exit code.

    Parameters
    ----------
    request
        Canonical JSON of a ``PlanRequest``, at most ``MAX_REQUEST`` bytes.

    Returns
    -------
    tuple
        ``{"profile", "outputs": [{"output", "type", "labels", "reveals"}]}`` and 0; or a problem object and 7.
    """
    try:
        asked = load_document(PlanRequest, request, limit=MAX_REQUEST)
        planned = find_analysis(asked.analysis).plan(asked.parameters, asked.outputs, asked.tables)
    except SealroomError as error:
        return canonical_bytes(error.problem()), AnalysisError.exit_code
    outputs = [asdict(output) for output in planned.outputs]
    return canonical_bytes({"profile": planned.profile, "outputs": outputs}), 0
