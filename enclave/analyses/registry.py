"""The analyses of this enclave, each by name."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from enclave.analyses.base import Analysis
from enclave.analyses.survival import Survival
from protocol.errors import AnalysisError
from protocol.types import Name

__all__ = ["ANALYSES", "find_analysis"]

# Each analysis has a data type of its own, which only it sees.
_LISTED: Final[tuple[Analysis[Any], ...]] = (Survival(),)
ANALYSES: Final[Mapping[Name, Analysis[Any]]] = MappingProxyType({item.descriptor.name: item for item in _LISTED})


def find_analysis(name: Name) -> Analysis[Any]:
    """Return the analysis, or raise ``AnalysisError`` with ``ANALYSIS_UNKNOWN``."""
    if name not in ANALYSES:
        raise AnalysisError("ANALYSIS_UNKNOWN", f"There is no analysis {name}. Known: {', '.join(ANALYSES)}.")
    return ANALYSES[name]
