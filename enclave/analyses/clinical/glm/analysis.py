"""``clinical.glm``: linear and logistic regression, pooled over partners or within them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from enclave.analyses.base import Analysis, Inputs, Plan
from enclave.analyses.clinical.glm.descriptor import DESCRIPTOR
from enclave.analyses.clinical.glm.linear import fit_linear
from enclave.analyses.clinical.glm.logistic import fit_logistic
from enclave.analyses.columns import require_column, require_covariates, require_distinct, require_level
from enclave.analyses.design import code_columns, term_labels
from enclave.analyses.parameters import names, text
from enclave.analyses.pooling import Pooled, pool_subjects
from enclave.analyses.results import RawRegression
from protocol.documents.dataset import Column, ColumnKind, DatasetSchema
from protocol.documents.study import Parameter
from protocol.errors import AnalysisError
from protocol.types import Name

__all__ = ["Glm"]

_BY_SITE = "-by-site"
_KINDS: Mapping[str, tuple[ColumnKind, ...]] = {"linear": ("integer", "decimal"), "logistic": ("integer", "category")}


@dataclass(frozen=True, slots=True)
class Roles:
    """Which column plays which part."""

    outcome: Column
    outcome_level: Parameter | None
    covariates: tuple[Column, ...]


@dataclass(frozen=True, slots=True, eq=False)
class GlmData:
    """Subjects without a missing value, and the parts that their columns play."""

    pooled: Pooled
    roles: Roles


class Glm(Analysis[GlmData]):
    """Linear and logistic regression, plain and with partners as fixed effects."""

    descriptor = DESCRIPTOR

    def label(
        self, parameters: Mapping[Name, Parameter], outputs: Sequence[Name], datasets: Mapping[Name, DatasetSchema]
    ) -> Mapping[Name, tuple[str, ...]]:
        """Check columns and level; see ``Analysis.label``."""
        roles = _roles(parameters, outputs, datasets)
        return dict.fromkeys(outputs, term_labels(roles.covariates))

    def pool(self, plan: Plan, inputs: Inputs) -> GlmData:
        """Join the cohorts and leave out subjects with a missing outcome or covariate.

        Raises
        ------
        AnalysisError
            ``SUBJECT_TWICE``; ``NO_SUBJECTS`` where none is without a missing value.
        """
        roles = _roles(plan.parameters, [output.output for output in plan.outputs], inputs.datasets)
        columns = [roles.outcome.name, *(column.name for column in roles.covariates)]
        return GlmData(pool_subjects(inputs.cohorts, columns).complete(columns), roles)

    def estimate(self, output: Name, data: GlmData) -> RawRegression:
        """Compute one output; see the module of its estimator."""
        pooled, roles = data.pooled, data.roles
        outcome, by_site = pooled.frame[roles.outcome.name], output.endswith(_BY_SITE)
        coded, labels = code_columns(pooled.frame, roles.covariates), term_labels(roles.covariates)
        if output.removesuffix(_BY_SITE) == "linear":
            return fit_linear(pooled, coded, outcome.to_numpy(dtype=float), labels, by_site=by_site)
        event = (outcome == roles.outcome_level).to_numpy(dtype=bool)
        return fit_logistic(pooled, coded, event, labels, by_site=by_site)


def _roles(
    parameters: Mapping[Name, Parameter], outputs: Sequence[Name], datasets: Mapping[Name, DatasetSchema]
) -> Roles:
    name, covariates, level = text(parameters, "outcome"), names(parameters, "covariates"), None
    require_distinct({"outcome": [name], "a covariate": covariates})
    for model in dict.fromkeys(output.removesuffix(_BY_SITE) for output in outputs):
        outcome = require_column(datasets, name, _KINDS[model], f"outcome of {model} regression")
        if model == "logistic":
            level = parameters["outcome_level"]
            require_level(outcome, level, "outcome")
    found = require_covariates(datasets, covariates)
    if not term_labels(found):
        raise AnalysisError("TERMS", "covariates: categories of one level make no terms. Name a column that varies.")
    return Roles(outcome, level, found)
