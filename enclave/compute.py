"""From a verified study to gated outputs: plan, analysis, gate. Pure but for the memory it uses."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from enclave.analyses.base import Inputs, Plan
from enclave.disclosure.gate import release_all
from enclave.ingest import GenotypeBlock, read_cohort
from enclave.mapping import map_cohort, map_schemas
from enclave.profiles import Profile
from protocol.documents.dataset import DatasetSchema
from protocol.documents.outputs import Refusal, ReleasedOutput
from protocol.governance import Study
from protocol.layout import Table
from protocol.types import Name

__all__ = ["compute", "plan_study", "refuse_all"]


def plan_study(study: Study, profile: Profile) -> Plan:
    """Plan the study from its signed schemas alone; the contract must hold exactly what is planned.

    Raises
    ------
    AnalysisError
        ``PLAN_DIFFERS``, or what the analysis finds wrong with recipe and schemas. No data has been seen.
    """
    recipe, contract = study.recipe.document, study.contract.document
    plan = profile.find_analysis(recipe.analysis).plan(recipe.parameters, recipe.outputs, _schemas(study))
    plan.require(contract)
    return plan


def compute(
    study: Study, plan: Plan, profile: Profile, tables: Sequence[Table], genotypes: Iterator[GenotypeBlock], seed: bytes
) -> tuple[ReleasedOutput, ...]:
    """Run the analysis on the tables, in the order of the contract's datasets, and judge the results. Never raises."""
    contract = study.contract.document
    try:
        schemas = _schemas(study)
        cohorts = tuple(
            map_cohort(
                read_cohort(binding.slot, binding.owner, table, manifest.document.described),
                schemas[binding.slot],
                study.recipe.document.mappings.get(binding.slot, ()),
            )
            for binding, manifest, table in zip(contract.datasets, study.manifests, tables, strict=True)
        )
        results = profile.find_analysis(plan.analysis).run(plan, Inputs(cohorts, genotypes, seed))
        return release_all(results, contract)
    except Exception:  # noqa: BLE001 - a fault that data brought about must look like any other outcome
        return refuse_all(study, "INTERNAL")


def refuse_all(study: Study, refusal: Literal["SCHEMA", "INTERNAL"]) -> tuple[ReleasedOutput, ...]:
    """Refuse every output of the contract."""
    return tuple(
        ReleasedOutput(output=output.output, value=Refusal(refusal=refusal))
        for output in study.contract.document.outputs
    )


def _schemas(study: Study) -> Mapping[Name, DatasetSchema]:
    """Return the schemas as the analysis sees them."""
    described = {
        binding.slot: manifest.document.described
        for binding, manifest in zip(study.contract.document.datasets, study.manifests, strict=True)
    }
    return map_schemas(described, study.recipe.document.mappings)
