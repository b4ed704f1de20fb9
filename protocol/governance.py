"""Who signed what, and whether the contract keeps to every owner's terms.

One set of checks, run by the custodian before it releases a key, by the enclave before it opens one, and by whoever
verifies a bundle. It reads no clock: times are given. In order:

1. Each institution is signed by the root key that is its identity, and stands in the pack once.
2. Each dataset manifest is signed by a steward of its owner.
3. The recipe and the contract are signed by an analyst of the proposing institution.
4. The contract binds this recipe and exactly these manifests, slot by slot, to their owners.
5. The contract keeps to each dataset policy: analysis, profile, gate preset, simulation, number of runs.
6. Each recipient key belongs to an analyst whom a root signed.
7. Each approval is by an approver of an owner, for this contract, and no approver counts twice.
8. Each owner's quorum is reached (``require_quorum``).
9. At a given time, nothing has expired nothing was signed in the future, and no approval
   is older than its contract (``require_current``).
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations
from typing import TypeVar

from protocol.documents.dataset import DatasetManifest, Preset
from protocol.documents.institution import Institution, Member, Role
from protocol.documents.receipt import StudyPack
from protocol.documents.study import Approval, Contract, Recipe, Revocation
from protocol.dsse import Envelope, SignedDocument, Unverified, Verified
from protocol.errors import AccessDenied, AnalysisError, DocumentError
from protocol.presets import PRESETS, strictest
from protocol.types import Digest, Key, Name, decode_base64, parse_time

__all__ = [
    "CLOCK_SKEW",
    "Institutions",
    "Study",
    "require_apart",
    "require_current",
    "require_data_current",
    "require_quorum",
    "require_span",
    "require_terms",
    "verify_contract",
    "verify_institution",
    "verify_institutions",
    "verify_manifest",
    "verify_proposal",
    "verify_recipe",
    "verify_revocation",
    "verify_vote",
]

CLOCK_SKEW = timedelta(minutes=5)
Institutions = Mapping[Key, Verified[Institution]]
T = TypeVar("T", bound=SignedDocument)
Vote = TypeVar("Vote", Approval, Revocation)
_KEY_OF: dict[Role, str] = {"steward": "manifest", "approver": "approval", "analyst": "contract"}


@dataclass(frozen=True, slots=True)
class Study:
    """The verified documents of one contract; ``manifests`` stand in the order of the contract's datasets."""

    institutions: Institutions
    manifests: tuple[Verified[DatasetManifest], ...]
    recipe: Verified[Recipe]
    contract: Verified[Contract]
    approvals: tuple[Verified[Approval], ...]

    def recipient_key(self, institution: Key, member: Name) -> bytes:
        """Return a recipient's X-Wing public key (1,216 bytes)."""
        found = self.institutions[institution].document.member(member)
        if found is None or found.keys.recipient is None:
            raise AccessDenied("RECIPIENT", f"{member} is no analyst of the institution that the contract names.")
        return decode_base64(found.keys.recipient)


def verify_proposal(pack: StudyPack) -> Study:
    """Run checks 1 to 7 and return the study.

    Raises
    ------
    DocumentError
        A document is malformed, wrongly signed, or not the one that is named.
    AccessDenied
        A signer lacks the role, or the contract goes beyond an owner's terms.
    """
    institutions = verify_institutions(pack.institutions)
    recipe = verify_recipe(pack.recipe, institutions)
    contract = verify_contract(pack.contract, institutions)
    if contract.document.recipe != recipe.name or contract.document.proposer != recipe.document.author:
        raise DocumentError("RECIPE_SWAPPED", "The recipe is not the one that the contract names.")
    found = [verify_manifest(envelope, institutions) for envelope in pack.manifests]
    manifests = _bind(contract.document, recipe.document, found)
    for manifest in manifests:
        require_terms(
            manifest.document,
            analysis=recipe.document.analysis,
            profile=contract.document.profile,
            preset=contract.document.preset,
            simulation=contract.document.simulation,
            max_runs=contract.document.max_runs,
        )
    _require_outputs(contract.document, recipe.document)
    study = Study(institutions, manifests, recipe, contract, _approvals(pack.approvals, contract, institutions))
    for output in contract.document.outputs:
        for recipient in output.recipients:
            _require_institution(institutions, recipient.institution)
            key = study.recipient_key(recipient.institution, recipient.member)
            if hashlib.sha256(key).hexdigest() != recipient.key:
                raise AccessDenied(
                    "RECIPIENT", f"The recipient key of {recipient.member} is not the one in the contract."
                )
    return study


def require_terms(
    manifest: DatasetManifest, *, analysis: Name, profile: Name, preset: Preset, simulation: bool, max_runs: int
) -> None:
    """Run check 5 for one dataset: raise ``AccessDenied`` with ``TERMS_*`` where its owner does not allow this much."""
    terms, short = manifest.policy, manifest.short
    if analysis not in terms.analyses:
        raise AccessDenied("TERMS_ANALYSIS", f"{short} allows {', '.join(terms.analyses)}, not {analysis}.")
    if profile not in terms.profiles:
        raise AccessDenied("TERMS_PROFILE", f"{short} allows {', '.join(terms.profiles)}, not {profile}.")
    if simulation and not terms.simulation:
        raise AccessDenied("TERMS_SIMULATION", f"{short} does not allow a simulated platform.")
    if strictest((preset, terms.preset)) != preset:
        wanted = PRESETS[terms.preset]
        raise AccessDenied("TERMS_PRESET", f"{short} asks for preset {wanted.name} (k = {wanted.k}) or a stricter one.")
    if max_runs > terms.max_runs:
        raise AccessDenied("TERMS_RUNS", f"{short} allows {terms.max_runs} runs, the contract {max_runs}.")


def require_apart(output: Name, groups: Iterable[tuple[Name, ...]], owners: Mapping[Name, Key]) -> None:
    """Require that no owner has datasets in two of an output's groups of slots.

    Raises
    ------
    AnalysisError
        ``SLOTS_APART``.
    """
    for one, other in combinations(groups, 2):
        if not {owners[slot] for slot in one}.isdisjoint(owners[slot] for slot in other):
            raise AnalysisError(
                "SLOTS_APART",
                f"{output}: slots {', '.join(one)} have an owner in common with {', '.join(other)}. Name datasets of "
                "different owners.",
            )


def require_quorum(study: Study) -> None:
    """Run check 8: raise ``AccessDenied`` with ``NOT_APPROVED`` unless each owner's quorum signed."""
    for owner in study.contract.document.owners:
        wanted = max(m.document.policy.quorum for m in study.manifests if m.document.owner == owner)
        given = sum(approval.document.institution == owner for approval in study.approvals)
        if given < wanted:
            name = study.institutions[owner].document.short
            raise AccessDenied("NOT_APPROVED", f"{name} gave {given} of {wanted} approvals. Ask its approvers to sign.")


def require_current(study: Study, at: datetime) -> None:
    """Run check 9: raise ``AccessDenied`` with ``EXPIRED`` or ``NOT_YET_VALID`` for the time ``at``."""
    contract = study.contract.document
    require_span("contract", contract.created, contract.expires, at)
    require_span("recipe", study.recipe.document.created, None, at)
    require_data_current((item.document for item in study.institutions.values()), study.manifests, at)
    for approval in study.approvals:
        require_span(f"approval by {approval.document.member}", approval.document.time, None, at)
        if parse_time(approval.document.time) + CLOCK_SKEW < parse_time(contract.created):
            raise AccessDenied(
                "APPROVED_BEFORE", f"The approval by {approval.document.member} is older than the contract."
            )


def require_data_current(
    institutions: Iterable[Institution], manifests: Iterable[Verified[DatasetManifest]], at: datetime
) -> None:
    """Run the part of check 9 that no contract is needed for: institutions, and datasets with their terms."""
    for institution in institutions:
        require_span(f"institution {institution.short}", institution.issued, institution.expires, at)
    for manifest in manifests:
        dataset = manifest.document
        require_span(f"dataset {dataset.short}", dataset.created, dataset.policy.expires, at)


def require_span(what: str, start: str, end: str | None, at: datetime) -> None:
    """Raise unless ``at`` lies between two times, within the clock skew at the start."""
    if parse_time(start) > at + CLOCK_SKEW:
        raise AccessDenied("NOT_YET_VALID", f"The {what} is dated {start}, which is in the future.")
    if end is not None and parse_time(end) <= at:
        raise AccessDenied("EXPIRED", f"The {what} expired at {end}. Its signer has to issue a new one.")


def verify_institution(envelope: Envelope) -> Verified[Institution]:
    """Verify an institution under the root key that it names; whether that root is trusted is the pins' business."""
    unverified = Unverified.parse(envelope, Institution)
    return unverified.verify(unverified.claimed.root)


def verify_institutions(envelopes: Iterable[Envelope]) -> Institutions:
    """Verify institutions; each stands once, and no public key belongs to two."""
    found: dict[Key, Verified[Institution]] = {}
    holders: dict[str, Name] = {}
    for envelope in envelopes:
        institution = verify_institution(envelope)
        if institution.document.root in found:
            raise DocumentError("INSTITUTION_TWICE", f"Institution {institution.document.short} stands there twice.")
        found[institution.document.root] = institution
        for key in _keys(institution.document):
            if key in holders:
                raise DocumentError(
                    "KEY_SHARED",
                    f"Institutions {holders[key]} and {institution.document.short} list the same public key; "
                    "one of them does not hold it.",
                )
            holders[key] = institution.document.short
    return found


def _keys(institution: Institution) -> list[str]:
    members = (member.keys.model_dump().values() for member in institution.members)
    return [institution.root, *(key for keys in members for key in keys if key)]


def verify_manifest(envelope: Envelope, institutions: Institutions) -> Verified[DatasetManifest]:
    """Verify a dataset manifest under a steward key of its owner."""
    unverified = Unverified.parse(envelope, DatasetManifest)
    return _by_member(unverified, institutions, unverified.claimed.owner, unverified.claimed.steward, "steward")


def verify_recipe(envelope: Envelope, institutions: Institutions) -> Verified[Recipe]:
    """Verify a recipe under an analyst key of its author's institution."""
    unverified = Unverified.parse(envelope, Recipe)
    return _by_member(unverified, institutions, unverified.claimed.author, unverified.claimed.analyst, "analyst")


def verify_contract(envelope: Envelope, institutions: Institutions) -> Verified[Contract]:
    """Verify a contract under an analyst key of the proposing institution."""
    unverified = Unverified.parse(envelope, Contract)
    return _by_member(unverified, institutions, unverified.claimed.proposer, unverified.claimed.analyst, "analyst")


def verify_vote(
    envelope: Envelope, kind: type[Vote], contract: Verified[Contract], institutions: Institutions
) -> Verified[Vote]:
    """Verify an approval or a revocation of ``contract`` by an approver of one of its owners."""
    return _verify_vote(envelope, kind, contract.name, contract.document, institutions)


def verify_revocation(
    envelope: Envelope, contract: Unverified[Contract], institutions: Institutions
) -> Verified[Revocation]:
    """Verify a revocation of a contract that nobody needs to vouch for; only the revoking institution is looked up.

    A contract's name is the digest of its content, so its owners are read from what the revocation names. Were the
    proposer's signature asked for, a proposer could make a revocation impossible by removing their analyst.
    """
    return _verify_vote(envelope, Revocation, contract.envelope.name, contract.claimed, institutions)


def _verify_vote(
    envelope: Envelope, kind: type[Vote], name: Digest, contract: Contract, institutions: Institutions
) -> Verified[Vote]:
    unverified = Unverified.parse(envelope, kind)
    claimed = unverified.claimed
    if claimed.contract != name:
        raise AccessDenied("OTHER_CONTRACT", f"The {claimed.kind} is for another contract, {claimed.contract[:16]}.")
    if claimed.institution not in contract.owners:
        raise AccessDenied("STRANGER", f"The {claimed.kind} comes from an institution that owns none of the datasets.")
    return _by_member(unverified, institutions, claimed.institution, claimed.member, "approver")


def _by_member(
    unverified: Unverified[T], institutions: Institutions, root: Key, identifier: Name, role: Role
) -> Verified[T]:
    institution = _require_institution(institutions, root)
    member: Member | None = institution.member(identifier)
    if member is None:
        raise AccessDenied("MEMBER_UNKNOWN", f"{institution.short} has no member {identifier}.")
    if role not in member.roles:
        raise AccessDenied(
            "ROLE", f"{identifier} of {institution.short} is {', '.join(member.roles)}; this takes the role {role}."
        )
    return unverified.verify(getattr(member.keys, _KEY_OF[role]))


def _require_institution(institutions: Institutions, root: Key) -> Institution:
    if root not in institutions:
        raise AccessDenied("INSTITUTION_UNKNOWN", f"The institution with root {root[:16]} is not among the documents.")
    return institutions[root].document


def _bind(
    contract: Contract, recipe: Recipe, found: list[Verified[DatasetManifest]]
) -> tuple[Verified[DatasetManifest], ...]:
    manifests = {manifest.name: manifest for manifest in found}
    wanted = {binding.dataset for binding in contract.datasets}
    if set(manifests) != wanted or len(manifests) != len(found):
        raise DocumentError("DATASET_SWAPPED", "The dataset manifests are not exactly those that the contract names.")
    if tuple(binding.slot for binding in contract.datasets) != recipe.slots:
        raise DocumentError("SLOTS", "The contract's slots are not the recipe's slots in the recipe's order.")
    for binding in contract.datasets:
        if manifests[binding.dataset].document.owner != binding.owner:
            raise DocumentError("OWNER_SWAPPED", f"Slot {binding.slot}: the dataset's owner is not the contract's.")
    return tuple(manifests[binding.dataset] for binding in contract.datasets)


def _require_outputs(contract: Contract, recipe: Recipe) -> None:
    if tuple(output.output for output in contract.outputs) != recipe.outputs:
        raise DocumentError("OUTPUTS", "The contract's outputs are not the recipe's outputs in the recipe's order.")


def _approvals(
    envelopes: Iterable[Envelope], contract: Verified[Contract], institutions: Institutions
) -> tuple[Verified[Approval], ...]:
    approvals = tuple(verify_vote(envelope, Approval, contract, institutions) for envelope in envelopes)
    voters = [(approval.document.institution, approval.document.member) for approval in approvals]
    if len(set(voters)) != len(voters):
        raise AccessDenied("APPROVED_TWICE", "One approver stands there twice; each counts once.")
    return approvals
