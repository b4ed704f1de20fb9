"""What the enclave's program tells the partner's side without data or keys: its analyses, what a recipe would give.

The partner's client runs ``describe`` and ``plan`` as a process: what is checked before signing is checked by the very
files that are measured.
"""

from dataclasses import asdict
from typing import Annotated, Any

from pydantic import Field

from enclave.analyses.base import Analysis
from enclave.mapping import map_schemas
from enclave.profiles import PROFILES, load_profile
from protocol.canonical import canonical_bytes
from protocol.documents.dataset import DatasetSchema
from protocol.documents.study import Mappings, Parameter
from protocol.dsse import load_document
from protocol.errors import AnalysisError, SealroomError
from protocol.types import Count, Document, Name

__all__ = ["MAX_REQUEST", "PlanRequest", "describe", "plan"]

MAX_REQUEST = 4 * 2**20
"""Bytes."""


class TableSize(Document):
    """How large a table is: rows, and plain bytes."""

    rows: Count
    size: Count


class PlanRequest(Document):
    """A recipe's substance and the datasets of its slots, as their owners describe them; ``sizes`` where known."""

    analysis: Name
    parameters: Annotated[dict[Name, Parameter], Field(max_length=50)]
    outputs: Annotated[tuple[Name, ...], Field(min_length=1, max_length=50)]
    mappings: Annotated[Mappings, Field(default_factory=dict)]
    datasets: Annotated[dict[Name, DatasetSchema], Field(min_length=1, max_length=50)]
    sizes: Annotated[dict[Name, TableSize], Field(default_factory=dict, max_length=50)]


def describe() -> bytes:
    """Return the descriptors of all analyses as canonical JSON: ``{"analyses": [...]}``."""
    found = [analysis.descriptor for name in PROFILES for analysis in load_profile(name).listed]
    return canonical_bytes({"analyses": [asdict(descriptor) for descriptor in found]})


def plan(request: bytes) -> tuple[bytes, int]:
    """Plan a request: the answer as canonical JSON, and the exit code.

    Parameters
    ----------
    request
        Canonical JSON of a ``PlanRequest``, at most ``MAX_REQUEST`` bytes.

    Returns
    -------
    tuple
        ``{"profile", "outputs": [{"output", "type", "labels", "reveals", "about", "apart"}]}`` and 0; or a
        problem object and 7.
    """
    try:
        asked = load_document(PlanRequest, request, limit=MAX_REQUEST)
        datasets = map_schemas(asked.datasets, asked.mappings)
        planned = _find_analysis(asked.analysis).plan(asked.parameters, asked.outputs, datasets)
        load_profile(planned.profile).require_readable((table.rows, table.size) for table in asked.sizes.values())
    except SealroomError as error:
        return canonical_bytes(error.problem()), AnalysisError.exit_code
    outputs = [asdict(output) for output in planned.outputs]
    return canonical_bytes({"profile": planned.profile, "outputs": outputs}), 0


def _find_analysis(name: Name) -> Analysis[Any]:
    profiles = [load_profile(profile) for profile in PROFILES]
    for profile in profiles:
        if name in profile.analyses:
            return profile.analyses[name]
    known = ", ".join(analysis for profile in profiles for analysis in profile.analyses)
    raise AnalysisError("ANALYSIS_UNKNOWN", f"There is no analysis {name}. Known: {known}.")
