"""From a verified study to gated outputs: plan, analysis, gate. Pure but for the memory it uses."""

from collections.abc import Sequence
from importlib import import_module
from typing import Final, Literal

from enclave.analyses.base import Plan
from enclave.analyses.registry import find_analysis
from enclave.disclosure.gate import release_all
from enclave.ingest import read_cohort
from protocol.documents.outputs import Refusal, ReleasedOutput
from protocol.governance import Study
from protocol.layout import Table

__all__ = ["compute", "load_libraries", "plan_study", "refuse_all"]

LIBRARIES: Final = (
    "pandas",
    "scipy.special",
    "sklearn.preprocessing",
    "statsmodels.duration.hazard_regression",
    "statsmodels.duration.survfunc",
)
"""What the analyses import when they run."""


def load_libraries() -> None:
    """Import now what takes seconds, so that no import happens, or is missing, once keys are open."""
    for name in LIBRARIES:
        import_module(name)


def plan_study(study: Study) -> Plan:
    """Plan the study from its signed schemas alone; the contract must hold exactly what is planned.

    Raises
    ------
    AnalysisError
        ``PLAN_DIFFERS``, or what the analysis finds wrong with recipe and schemas. No data has been seen.
    """
    recipe, contract = study.recipe.document, study.contract.document
    tables = {
        binding.slot: manifest.document.table
        for binding, manifest in zip(contract.datasets, study.manifests, strict=True)
    }
    plan = find_analysis(recipe.analysis).plan(recipe.parameters, recipe.outputs, tables)
    plan.require(contract)
    return plan


def compute(study: Study, plan: Plan, tables: Sequence[Table]) -> tuple[ReleasedOutput, ...]:
    """Run the analysis on the tables, in the order of the contract's datasets, and judge the results. Never raises."""
    contract = study.contract.document
    try:
        cohorts = [
            read_cohort(binding.slot, binding.owner, table)
            for binding, table in zip(contract.datasets, tables, strict=True)
        ]
        return release_all(find_analysis(plan.analysis).run(plan, cohorts), contract)
    except Exception:  # noqa: BLE001 - a fault that data brought about must look like any other outcome
        return refuse_all(study, "INTERNAL")


def refuse_all(study: Study, refusal: Literal["SCHEMA", "INTERNAL"]) -> tuple[ReleasedOutput, ...]:
    """Refuse every output of the contract."""
    return tuple(
        ReleasedOutput(output=output.output, value=Refusal(refusal=refusal))
        for output in study.contract.document.outputs
    )
