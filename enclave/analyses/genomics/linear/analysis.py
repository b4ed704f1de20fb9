"""``genomics.linear``: a quantitative trait on each variant's dosage, pooled over partners."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from enclave.analyses.arrays import Bools, Integers
from enclave.analyses.association import find_strongest
from enclave.analyses.base import Analysis, Inputs, Plan
from enclave.analyses.columns import require_column, require_covariates, require_distinct
from enclave.analyses.design import code_columns
from enclave.analyses.genomics.linear.descriptor import BY_COHORT, DESCRIPTOR, POOLED, SUBJECTS
from enclave.analyses.genomics.linear.scan import fit_null, scan_block
from enclave.analyses.packed_calls import RowLayout, unpack
from enclave.analyses.parameters import names, text, whole
from enclave.analyses.pooling import Pooled, pool_subjects
from enclave.analyses.results import RawCell, RawCounts, RawHits, RawResult
from enclave.ingest import GenotypeBlock
from protocol.documents.dataset import Column, DatasetSchema
from protocol.documents.outputs import MAX_HITS
from protocol.documents.study import Parameter
from protocol.errors import AnalysisError
from protocol.types import Name

__all__ = ["Linear"]

_CELL = "with trait and covariates"


@dataclass(frozen=True, slots=True)
class Roles:
    """Which column plays which part."""

    trait: Column
    covariates: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        """All columns."""
        return [self.trait.name, *(column.name for column in self.covariates)]

    @property
    def label(self) -> str:
        """What an effect is."""
        return f"{self.trait.name} ({self.trait.unit}) per copy of the first allele"


@dataclass(frozen=True, slots=True, eq=False)
class LinearData:
    """The pooled tables, the one pass over the genotypes, and what was asked for.

    ``chosen``: bool, shape (samples,), those with trait and covariates. ``cohorts``: int, shape (samples,).
    """

    pooled: Pooled
    chosen: Bools
    cohorts: Integers
    layout: RowLayout
    genotypes: Iterator[GenotypeBlock]
    roles: Roles
    most: int
    variants: int


class Linear(Analysis[LinearData]):
    """A linear regression of a trait on each variant, the strongest of which are released."""

    descriptor = DESCRIPTOR

    def label(
        self, parameters: Mapping[Name, Parameter], outputs: Sequence[Name], datasets: Mapping[Name, DatasetSchema]
    ) -> Mapping[Name, tuple[str, ...]]:
        """Check columns, genotypes and the number of hits; see ``Analysis.label``."""
        roles = _roles(parameters, datasets)
        for slot, dataset in datasets.items():
            if dataset.genotypes is None:
                raise AnalysisError("GENOTYPES", f"The dataset in slot {slot} was sealed without genotypes.")
        if {POOLED, BY_COHORT} <= set(outputs):
            raise AnalysisError("HITS_TWICE", f"Ask for {POOLED} or for {BY_COHORT}: genotypes are read once.")
        if "hits" in parameters and not 1 <= whole(parameters, "hits") <= MAX_HITS:
            raise AnalysisError("HITS_RANGE", f"hits must be from 1 to {MAX_HITS}.")
        return {output: (_CELL if output == SUBJECTS else roles.label,) for output in outputs}

    def pool(self, plan: Plan, inputs: Inputs) -> LinearData:
        """Join the cohorts' tables.

        Raises
        ------
        AnalysisError
            ``SUBJECT_TWICE``.
        """
        roles = _roles(plan.parameters, inputs.datasets)
        pooled = pool_subjects(inputs.cohorts, roles.names)
        samples = tuple(len(cohort.frame) for cohort in inputs.cohorts)
        return LinearData(
            pooled=pooled,
            chosen=pooled.frame.notna().all(axis="columns").to_numpy(dtype=bool),
            cohorts=np.repeat(np.arange(len(samples)), samples),
            layout=RowLayout(samples),
            genotypes=inputs.genotypes,
            roles=roles,
            most=whole(plan.parameters, "hits") if "hits" in plan.parameters else 0,
            variants=max(schema.genotypes.variants for schema in inputs.datasets.values() if schema.genotypes),
        )

    def estimate(self, output: Name, data: LinearData) -> RawResult:
        """Compute one output; genotypes are read here."""
        if output == SUBJECTS:
            cell = RawCell(_CELL, data.pooled.support(data.chosen))
            return RawCounts((cell,), rest=data.pooled.support(~data.chosen))
        return _scan(data, by_cohort=output == BY_COHORT)


def _roles(parameters: Mapping[Name, Parameter], datasets: Mapping[Name, DatasetSchema]) -> Roles:
    trait, covariates = text(parameters, "trait"), names(parameters, "covariates")
    require_distinct({"the trait": [trait], "a covariate": covariates})
    return Roles(
        trait=require_column(datasets, trait, ("integer", "decimal"), "trait"),
        covariates=require_covariates(datasets, covariates),
    )


def _scan(data: LinearData, *, by_cohort: bool) -> RawHits:
    pooled, chosen = data.pooled.complete(data.roles.names), data.chosen
    trait = pooled.frame[data.roles.trait.name].to_numpy(dtype=float)
    covariates = code_columns(pooled.frame, data.roles.covariates).matrix
    strata = data.cohorts[chosen] if by_cohort else None
    model = fit_null(data.layout, chosen, trait, covariates, strata)
    found = find_strongest(data.genotypes, data.layout, partial(scan_block, model=model), data.most)
    places = data.layout.places[chosen]
    dosages = [unpack(candidate.row[None])[0, places] for candidate in found]
    return RawHits(
        label=data.roles.label,
        entries=tuple(candidate.hit for candidate in found),
        dosages=np.stack(dosages, axis=1) if dosages else np.empty((len(trait), 0), dtype=np.uint8),
        trait=trait,
        covariates=covariates,
        strata=strata,
        owners=pooled.owners,
        owner_keys=pooled.owner_keys,
        left_out=pooled.left_out,
        scanned=data.variants,
    )
