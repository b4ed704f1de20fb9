"""What was agreed, in plain words: who, on what data, on which terms, and who learns what."""

from dataclasses import dataclass

from protocol.documents.study import ContractOutput
from protocol.governance import Study
from protocol.presets import PRESETS
from protocol.types import Key, Name
from sealroom.mapped import mappings_words
from sealroom.report.section import Table

__all__ = ["Facts", "facts_of"]


@dataclass(frozen=True, slots=True)
class Facts:
    """Who, what, on which terms."""

    terms: tuple[tuple[str, str], ...]
    datasets: Table
    recipients: Table
    parameters: Table
    mappings: Table


def facts_of(study: Study) -> Facts:
    """Say in words what the contract says."""
    contract, recipe = study.contract.document, study.recipe.document
    preset = PRESETS[contract.preset]
    voters = [(vote.document.institution, vote.document.member) for vote in study.approvals]
    terms = (
        ("Purpose", contract.purpose),
        ("Proposed by", f"{_person(study, contract.proposer, contract.analyst)}, on {contract.created}"),
        (
            "Approved by",
            "; ".join(_person(study, *voter) for voter in voters),
        ),
        ("Analysis", f"{recipe.analysis} on profile {contract.profile}"),
        ("Smallest count", f"{preset.k}: counts below it, zeros too, are not shown (preset {preset.name})"),
        ("Runs", f"at most {contract.max_runs}, until {contract.expires}"),
        ("Platform", "a simulated one is allowed" if contract.simulation else "hardware only"),
    )
    rows = []
    for binding, manifest in zip(contract.datasets, study.manifests, strict=True):
        owner = study.institutions[binding.owner].document
        rows.append((binding.slot, owner.name, manifest.document.title, f"{manifest.document.rows:,}"))
    datasets = Table(("Slot", "Owner", "Dataset", "Rows, as its owner states"), tuple(rows), frozenset({3}))
    described = {
        binding.slot: manifest.document.described
        for binding, manifest in zip(contract.datasets, study.manifests, strict=True)
    }
    mapped = mappings_words(recipe.mappings, described)
    parameters = tuple((name, _parameter(value)) for name, value in sorted(recipe.parameters.items()))
    recipients: dict[str, list[str]] = {}
    for item in contract.outputs:
        recipients.setdefault(_recipients(item, study), []).append(item.output)
    return Facts(
        terms,
        datasets,
        Table(("Outputs", "Opened by"), tuple((", ".join(names), who) for who, names in recipients.items())),
        Table(("Parameter", "Value"), parameters),
        Table(("Slot", "Taken as"), tuple((slot, words) for slot, told in mapped.items() for words in told)),
    )


def _person(study: Study, root: Key, identifier: Name) -> str:
    institution = study.institutions[root].document
    member = institution.member(identifier)
    return f"{member.name if member else identifier}, {institution.name}"


def _recipients(agreed: ContractOutput, study: Study) -> str:
    return "; ".join(_person(study, item.institution, item.member) for item in agreed.recipients)


def _parameter(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
