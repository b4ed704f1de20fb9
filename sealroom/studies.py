"""A study as this institution judges it: everything signed, under the pins, and planned anew on this machine."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from protocol.canonical import canonical_bytes
from protocol.documents.receipt import StudyPack
from protocol.dsse import load_document
from protocol.errors import AccessDenied, AnalysisError
from protocol.governance import Study, require_apart, require_current, verify_proposal
from protocol.types import Key
from sealroom.local_enclave import PlannedOutput, plan_signed
from sealroom.trust import Trust

__all__ = ["MAX_STUDY", "Judged", "judge_study", "pack_bytes", "read_pack"]

MAX_STUDY = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Judged:
    """A verified study, what its outputs reveal in words, and what speaks against approving it.

    ``alone`` has the root of the one institution whose data an output is about, where it is only one of several;
    ``unanchored`` lists what the study rests on and the pins do not have.
    """

    study: Study
    reveals: Mapping[str, str]
    alone: Mapping[str, Key]
    unanchored: tuple[str, ...]

    def require_anchored(self) -> None:
        """Raise ``AccessDenied`` with code ``UNANCHORED`` unless everything is pinned."""
        if self.unanchored:
            raise AccessDenied("UNANCHORED", "Not pinned: " + "; ".join(self.unanchored) + ". Compare, pin, try again.")


def read_pack(data: bytes) -> StudyPack:
    """Read the documents of a study."""
    return load_document(StudyPack, data, limit=MAX_STUDY)


def pack_bytes(pack: StudyPack) -> bytes:
    """Return the canonical bytes of the documents of a study."""
    return canonical_bytes(pack.model_dump(mode="json"))


def judge_study(pack: StudyPack, trust: Trust, *, own_root: str, current: bool) -> Judged:
    """Verify a study and plan it anew.

    Parameters
    ----------
    pack
        All documents, believed in nothing.
    trust
        The pins.
    own_root
        This institution, which needs no pin of its own.
    current
        Whether everything must be valid now, as for approving; an old contract may be read without.

    Raises
    ------
    DocumentError, AccessDenied
        The checks of ``protocol.governance``.
    AnalysisError
        ``PLAN_DIFFERS`` where the contract's labels are not what the analysis installed here would release.
    """
    study = verify_proposal(pack)
    if current:
        require_current(study, datetime.now(UTC))
    outputs = _require_plan(study)
    owners = _owners(study)
    return Judged(
        study,
        reveals={output.output: output.reveals for output in outputs},
        alone={output.output: only for output in outputs if (only := output.only(owners)) is not None},
        unanchored=tuple(_unanchored(study, trust, own_root)),
    )


def _owners(study: Study) -> dict[str, Key]:
    return {binding.slot: binding.owner for binding in study.contract.document.datasets}


def _require_plan(study: Study) -> tuple[PlannedOutput, ...]:
    recipe, contract = study.recipe.document, study.contract.document
    datasets = {
        binding.slot: manifest.document for binding, manifest in zip(contract.datasets, study.manifests, strict=True)
    }
    planned = plan_signed(recipe.analysis, recipe.parameters, recipe.outputs, datasets, recipe.mappings)
    found = [(output.output, output.type, output.labels) for output in contract.outputs]
    wanted = [(output.output, output.type, output.labels) for output in planned.outputs]
    if found != wanted or contract.profile != planned.profile:
        raise AnalysisError(
            "PLAN_DIFFERS",
            f"The contract's outputs are not those that {recipe.analysis}, as installed here, would release. "
            "Ask the proposer which version it was planned with.",
        )
    owners = _owners(study)
    for output, agreed in zip(planned.outputs, contract.outputs, strict=True):
        require_apart(output.output, output.apart, owners)
        only = output.only(owners)
        if only is not None and {recipient.institution for recipient in agreed.recipients} != {only}:
            short = study.institutions[only].document.short
            raise AnalysisError("RECIPIENTS", f"{output.output} is about {short}'s data and may go to {short} alone.")
    return planned.outputs


def _unanchored(study: Study, trust: Trust, own_root: str) -> list[str]:
    contract = study.contract.document
    found = [
        f"institution {institution.document.short} ({root[:16]})"
        for root, institution in study.institutions.items()
        if root != own_root and trust.institution(root) is None
    ]
    if contract.measurement not in trust.measured(contract.profile):
        found.append(f"measurement {contract.measurement[:16]} of profile {contract.profile}")
    for manifest in study.manifests:
        document = manifest.document
        if document.owner == own_root and trust.custodian(document.custodian.signing) is None:
            found.append(f"custodian {document.custodian.signing[:16]} of your dataset {document.short}")
    if contract.simulation and not any(pin.simulated for pin in trust.hardware_roots):
        found.append("the root of a simulated platform")
    return found
