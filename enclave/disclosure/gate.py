"""The output gate: from raw results to what may leave.

``release_all`` judges a contract's outputs together, ``release`` one of them. What comes out is a typed output or a
refusal of one class; the code of the rule that failed stays inside. Numbers are rounded, labels are indices into the
contract's dictionary in its order, everything else is dropped.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from enclave.analyses.results import (
    RawCounts,
    RawHits,
    RawMeans,
    RawMetrics,
    RawOverlap,
    RawRegression,
    RawResult,
    RawSurvival,
    RawTest,
    Unavailable,
)
from enclave.disclosure.counts import release_counts
from enclave.disclosure.hits import refuse_second_list, release_hits
from enclave.disclosure.means import release_means
from enclave.disclosure.metrics import release_metrics
from enclave.disclosure.overlap import release_overlap
from enclave.disclosure.regression import release_regression
from enclave.disclosure.statistic import release_statistic
from enclave.disclosure.support import Coalitions, coalitions
from enclave.disclosure.survival import release_survival
from protocol.documents.dataset import Preset
from protocol.documents.outputs import Output, Refusal, ReleasedOutput
from protocol.documents.study import Contract, ContractOutput
from protocol.errors import DisclosureRefused
from protocol.presets import PRESETS, GatePreset
from protocol.types import Key, Name

__all__ = ["refusal_class", "release", "release_all"]

RefusalClass = Literal["SCHEMA", "POLICY", "BUDGET", "INTERNAL"]
_CLASSES: Mapping[str, RefusalClass] = {
    # a fault of the program, not of the data
    "INTERNAL": "INTERNAL",
    "LABELS": "INTERNAL",
    "RECIPIENTS": "INTERNAL",
    "SHAPE": "INTERNAL",
}


def refusal_class(code: str) -> RefusalClass:
    """Return the class that is all that recipients learn of a code; a rule that failed is ``POLICY``.

    So is whatever an analysis finds in the data: a recipe chooses what it looks at, the column of times for one, or two
    datasets of an owner that may share a subject, and a class of its own would answer that question. ``SCHEMA`` is left
    to tables that are not what their owner signed, found before any analysis.
    """
    return _CLASSES.get(code, "POLICY")


def release_all(results: Mapping[Name, RawResult], contract: Contract) -> tuple[ReleasedOutput, ...]:
    """Judge all outputs of a contract, in the contract's order. Never raises; a result that is missing is refused.

    Each is judged by itself: no rule leaves a number that another output of the contract would complete (``counts``).
    Two lists of hits add up, and are refused.
    """
    outputs = {
        output.output: release(
            results.get(output.output, Unavailable("INTERNAL")), output, preset=contract.preset, owners=contract.owners
        )
        for output in contract.outputs
    }
    return tuple(ReleasedOutput(output=name, value=value) for name, value in refuse_second_list(outputs).items())


def release(raw: RawResult, output: ContractOutput, *, preset: Preset, owners: Sequence[Key]) -> Output:
    """Judge one output by itself. Never raises.

    Parameters
    ----------
    raw
        What the analysis computed.
    output
        The contract's entry: type, labels and recipients. The worst recipient decides.
    preset
        The contract's preset.
    owners
        Root keys of the owners of all the contract's datasets.
    """
    try:
        return _judge(raw, output, preset, owners)
    except DisclosureRefused as refused:
        return Refusal(refusal=refusal_class(refused.code))
    except Exception:  # noqa: BLE001 - a fault here must neither release anything nor say anything
        return Refusal(refusal="INTERNAL")


def _judge(raw: RawResult, output: ContractOutput, preset: Preset, owners: Sequence[Key]) -> Output:
    if isinstance(raw, Unavailable):
        return Refusal(refusal=refusal_class(raw.code))
    if raw.type != output.type or raw.labels != output.labels:
        raise DisclosureRefused(
            "LABELS", "The result is not of the type, or not in the order, that the contract fixes."
        )
    rules = PRESETS[preset]
    recipients = [recipient.institution for recipient in output.recipients]
    against = coalitions(recipients, owners)
    return _apply(raw, rules, against, recipients)


def _apply(raw: RawResult, rules: GatePreset, against: Coalitions, recipients: Sequence[Key]) -> Output:
    match raw:
        case RawCounts():
            released: Output = release_counts(raw, rules, against)
        case RawRegression():
            released = release_regression(raw, rules, against)
        case RawTest():
            released = release_statistic(raw, rules, against)
        case RawSurvival():
            released = release_survival(raw, rules, against)
        case RawMeans():
            released = release_means(raw, rules, against)
        case RawHits():
            released = release_hits(raw, rules, against)
        case RawMetrics():
            released = release_metrics(raw, rules, against, recipients)
        case RawOverlap():
            released = release_overlap(raw, rules)
        case _:
            raise DisclosureRefused("LABELS", f"The gate has no rule for results of type {raw.type}.")
    return released
