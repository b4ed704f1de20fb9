"""Each output of the contract as a section; which layout shows which type of output stands in ``LAYOUTS``."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from protocol.documents.outputs import (
    CountTable,
    Hits,
    Means,
    Metrics,
    Refusal,
    Regression,
    ReleasedOutput,
    SurvivalCurve,
    TestStatistic,
)
from protocol.documents.study import ContractOutput
from sealroom.report.counts import counts_section, statistic_section
from sealroom.report.hits import hits_section
from sealroom.report.means import means_section
from sealroom.report.metrics import metrics_section
from sealroom.report.regression import regression_section
from sealroom.report.section import Context, Section
from sealroom.report.survival import survival_section

__all__ = ["section_of"]

REFUSALS: Final[Mapping[str, str]] = {
    "SCHEMA": "a dataset did not hold what its signed schema says",
    "POLICY": "the output gate would not let it out under the owners' terms",
    "BUDGET": "a budget that the owners set is spent",
    "INTERNAL": "the enclave could not compute it",
}


def section_of(agreed: ContractOutput, released: Mapping[str, ReleasedOutput], context: Context) -> Section:
    """Lay one output of the contract out; one that this recipient does not get is named as such."""
    if agreed.output not in released:
        return Section(agreed.output, agreed.type, "This output was sealed to other recipients.")
    value = released[agreed.output].value
    return LAYOUTS[type(value)](value, context)


def _refusal_section(value: Refusal, context: Context) -> Section:
    return Section(
        context.name,
        "Not released",
        f"{context.name} was not released: {REFUSALS[value.refusal]}. The class {value.refusal} is all that leaves the "
        "enclave; the reason in detail could itself tell about the data. The run is spent.",
        refused=value.refusal,
    )


# Each layout takes the type that it stands beside.
LAYOUTS: Final[Mapping[type, Callable[[Any, Context], Section]]] = {
    CountTable: counts_section,
    Regression: regression_section,
    TestStatistic: statistic_section,
    SurvivalCurve: survival_section,
    Means: means_section,
    Metrics: metrics_section,
    Hits: hits_section,
    Refusal: _refusal_section,
}
