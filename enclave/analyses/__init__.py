"""Analyses: pure functions from cohorts to raw results, each planned from signed schemas before any data is seen.

Here is what they share; each profile's analyses are in a folder of its own.
"""

from enclave.analyses.base import Analysis, Descriptor, Inputs, OutputSpec, Plan, PlannedOutput
from enclave.analyses.results import RawResult, Unavailable

__all__ = ["Analysis", "Descriptor", "Inputs", "OutputSpec", "Plan", "PlannedOutput", "RawResult", "Unavailable"]
