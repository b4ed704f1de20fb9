"""Analyses: pure functions from cohorts to raw results, each planned from signed schemas before any data is seen."""

from enclave.analyses.base import Analysis, Descriptor, OutputSpec, Plan, PlannedOutput
from enclave.analyses.registry import ANALYSES, find_analysis
from enclave.analyses.results import RawResult, Unavailable

__all__ = [
    "ANALYSES",
    "Analysis",
    "Descriptor",
    "OutputSpec",
    "Plan",
    "PlannedOutput",
    "RawResult",
    "Unavailable",
    "find_analysis",
]
