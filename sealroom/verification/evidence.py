"""Checks 12, 13 and 16: which code ran, on which platform, judged again under this party's own pins."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from attestation.policy import AppraisalPolicy
from attestation.quote import parse_quote
from attestation.reference import ReferenceValues
from attestation.verdict import LEFT_OUT, AppraisalRefused
from attestation.verifier import Expected, appraise
from protocol.documents.attested import AttestationResult, Evidence
from protocol.documents.receipt import ReceiptPredicate
from protocol.errors import AccessDenied, AttestationError, DocumentError
from protocol.governance import Study
from protocol.types import decode_base64, format_time, parse_time
from sealroom.trust import Trust
from sealroom.verification.checks import Finding
from sealroom.verification.custody import Releases
from sealroom.verification.moments import Moments

__all__ = ["appraise_again", "find_measurement", "require_one_platform"]


def find_measurement(study: Study, trust: Trust, finding: Finding) -> None:
    """Look up the contract's measurement among those pinned for its profile."""
    contract = study.contract.document
    if contract.measurement in trust.measured(contract.profile):
        finding.found = f"{contract.measurement}, pinned for profile {contract.profile}"
    else:
        finding.unanchored(f"{contract.measurement} is not pinned for profile {contract.profile}")


def appraise_again(
    evidence: Evidence, study: Study, releases: Releases, trust: Trust, moments: Moments, finding: Finding
) -> AttestationResult | None:
    """Judge the evidence as the custodians did, under own pins; None where its root or a policy is not pinned.

    The withdrawal lists are those at hand here: what was withdrawn since counts against an earlier run too.

    Raises
    ------
    AttestationError
        Whatever the appraisal finds wrong; ``VERDICTS_DIFFER`` where a custodian recorded another verdict.
    """
    root = hashlib.sha256(parse_quote(decode_base64(evidence.quote)).chain.root).hexdigest()
    roots = tuple(pin for pin in trust.roots() if pin.digest == root)
    policy = trust.policy()
    if not roots:
        finding.unanchored(f"the platform's root certificate {root} is not pinned")
    if policy is None:
        finding.unanchored("no appraisal policy is pinned")
    if not roots or policy is None:
        return None
    policy = _narrowed(policy, study)
    contract = study.contract
    expected = Expected(
        measurement=contract.document.measurement,
        profile=contract.document.profile,
        contract=contract.name,
        run=evidence.claims.run,
        nonces=None,  # only their custodians know them; each signed a key release for exactly these claims
    )
    reference = trust.reference_values(policy)
    for moment in moments.releases:
        with _telling_later_lists(reference, moment):
            result = appraise(evidence, policy=policy, roots=roots, expected=expected, at=moment, reference=reference)
    for release in releases:
        recorded = release.document.attestation
        if (recorded.root, recorded.measurement, recorded.simulated) != (root, result.measurement, result.simulated):
            raise AttestationError(
                "VERDICTS_DIFFER",
                f"Slot {release.document.slot}: the custodian recorded another verdict on this evidence.",
            )
    finding.found = _said(result)
    return result


def require_one_platform(
    study: Study,
    result: AttestationResult | None,
    stated: ReceiptPredicate,
    releases: Releases,
    trust: Trust,
    finding: Finding,
) -> None:
    """Require that contract, custodians, receipt and our own verdict agree on whether the platform was simulated.

    Without a verdict of our own the platform is unanchored: the bundle alone says what it was.

    Raises
    ------
    DocumentError
        ``SIMULATED`` where two of them differ.
    AccessDenied
        ``SIMULATED`` where the contract does not allow it.
    """
    words = {stated.simulated, *(release.document.attestation.simulated for release in releases)}
    if result is not None:
        words.add(result.simulated)
    if len(words) != 1:
        raise DocumentError("SIMULATED", "Receipt, key releases and evidence do not agree on a simulated platform.")
    if stated.simulated and not study.contract.document.simulation:
        raise AccessDenied("SIMULATED", "The platform was simulated, and the contract does not allow it.")
    if stated.simulated:
        finding.found = "SIMULATED: a software platform, which the contract allows; it kept nothing from its operator"
    elif result is not None:
        finding.found = "hardware"
    if result is None:
        finding.unanchored(
            f"said to be {'simulated' if stated.simulated else 'hardware'}; nothing pinned vouches for it"
        )
        policy = trust.policy()
        if stated.simulated and policy is not None and not policy.simulation:
            finding.unanchored("the pinned appraisal policy forbids a simulated platform")


@contextmanager
def _telling_later_lists(reference: ReferenceValues, moment: datetime) -> Iterator[None]:
    """Add to a refusal that a list gives whether that list is younger than the run."""
    try:
        yield
    except AppraisalRefused as error:
        if error.code != "WITHDRAWN":
            raise
        younger = [
            f"List {told.number} is of {told.issued}"
            for told in (withdrawals.document for withdrawals in reference.withdrawals.values())
            if parse_time(told.issued) > moment and f"withdrawals of {told.publisher[:16]}:" in error.detail
        ]
        if not younger:
            raise
        since = (
            f" {younger[0]}; keys were released to this run earlier, at {format_time(moment)}. What is "
            "withdrawn counts against earlier runs too: ask the list's publisher what it means for this result."
        )
        raise AppraisalRefused(error.code, error.detail + since, error.result) from error


def _narrowed(policy: AppraisalPolicy, study: Study) -> AppraisalPolicy:
    for manifest in study.manifests:
        policy = policy.narrowed(manifest.document.policy.tcb_statuses)
    return policy


def _said(result: AttestationResult) -> str:
    """Say the verdict; what was left out is named, by why it was."""
    left_out: dict[str, list[str]] = {}
    for verdict in result.claims:
        if verdict.holds == "skipped":
            left_out.setdefault(verdict.wanted.partition(LEFT_OUT)[1] or verdict.wanted, []).append(verdict.claim)
    count = sum(map(len, left_out.values()))
    parts = [
        f"root {result.root}",
        f"platform {result.tcb_status}",
        f"{len(result.claims) - count} claims hold",
        *(f"{len(claims)} {reason}: {', '.join(claims)}" for reason, claims in left_out.items()),
    ]
    if not left_out:
        parts.append("none left out")
    if result.advisories:
        parts.append(f"advisories {', '.join(result.advisories)}")
    return "; ".join(parts)
