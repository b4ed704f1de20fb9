"""Verify a result bundle offline, against pins only.

The checks, in order. The first that fails ends the verification with its own code. A missing pin is UNANCHORED: the
other checks still run, so that a bundle from a self-made world is told apart from a broken one.

1.  **Bundle**: the bytes are the one canonical form of a bundle within the size limit.
2.  **Receipt**: signed by the key in the enclave's claims, over exactly the members and the sealed outputs that are
    here, in this order.
3.  **Documents**: every institution, dataset manifest, recipe, contract and approval is signed by a member with the
    role for it, and the contract keeps to every owner's terms.
4.  **Approvals**: each owner's quorum signed this contract.
5.  **Institutions**: the root of each institution is pinned.
6.  **Custodians**: the keys of each custodian that a dataset manifest names are pinned.
7.  **Claims**: the enclave speaks of this contract and profile, with a nonce of each of these custodians.
8.  **Key releases**: one per dataset, in order, signed by the custodian that the dataset manifest names, for this
    dataset, slot, contract, run and these claims.
9.  **Commits**: one per custodian, signed, for this contract, run and these claims; all over the same outputs, none
    before its own releases, within the agreed number of runs, with no revocation held.
10. **Time**: the releases' and commits' signed times, where a custodian that is pinned signed them; else today's time,
    and TIME UNPROVEN.
11. **Validity**: at those times nothing was in the future and nothing had expired.
12. **Measurement**: the contract's measurement is pinned for its profile.
13. **Evidence**: the quote is judged again under the pinned hardware roots and the pinned appraisal policy, narrowed to
    what every owner allows, at those times; the custodians came to the same verdict.
14. **Statement**: the receipt states this run, contract, recipe, profile, measurement, these claims and datasets.
15. **Outputs**: exactly one sealed output for each recipient of each output of the contract, in order, each of the size
    that the output's type and labels give.
16. **Platform**: simulated or hardware, and everything here agrees on which; unanchored where check 13 gave no verdict.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from protocol.documents.attested import AttestationResult
from protocol.documents.receipt import Receipt, ResultBundle
from protocol.dsse import Verified
from protocol.governance import Study, require_quorum, verify_proposal
from protocol.types import Digest
from sealroom.trust import Trust
from sealroom.verification.checks import Checklist, Verification
from sealroom.verification.custody import verify_claims, verify_commits, verify_releases
from sealroom.verification.evidence import appraise_again, find_measurement, require_one_platform
from sealroom.verification.moments import find_moments, require_valid
from sealroom.verification.pins import find_custodians, find_institutions
from sealroom.verification.receipt import require_outputs, require_statement, verify_receipt

__all__ = ["VerifiedBundle", "verify_bundle"]


@dataclass(frozen=True, slots=True)
class VerifiedBundle:
    """A bundle every check of which holds; made by ``verify_bundle`` only. ``digest`` is the SHA-256 of its bytes."""

    bundle: ResultBundle
    digest: Digest
    study: Study
    receipt: Verified[Receipt]
    attestation: AttestationResult
    verification: Verification

    @property
    def run(self) -> str:
        """The run that made these outputs."""
        return self.receipt.document.predicate.run

    @property
    def simulated(self) -> bool:
        """Whether the platform was simulated: then nothing was confidential towards its operator."""
        return self.attestation.simulated


def verify_bundle(data: bytes, trust: Trust, *, now: datetime) -> VerifiedBundle:
    """Verify a bundle; ``now`` judges what no pinned custodian dated, and that nothing comes from the future.

    Nothing is read or written beside the arguments. Peak memory is about three times the bundle, which is bounded.

    Raises
    ------
    VerificationFailed
        With the code of the check that fails, or ``UNANCHORED`` (exit code 3) where only pins are missing.
    """
    run = Checklist()
    with run.check("Bundle") as finding:
        bundle = ResultBundle.from_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        finding.found = f"canonical, {len(data):,} bytes, SHA-256 {digest}"
    with run.check("Receipt") as finding:
        receipt = verify_receipt(bundle, finding)
    with run.check("Documents") as finding:
        study = verify_proposal(bundle.study)
        finding.found = f"{_count(bundle)} documents, each signed by a member with the role for it; all terms kept"
    with run.check("Approvals") as finding:
        require_quorum(study)
        finding.found = _approvals(study)
    with run.check("Institutions") as finding:
        find_institutions(study, trust, finding)
    with run.check("Custodians") as finding:
        custodians = find_custodians(study, trust, finding)
    with run.check("Claims") as finding:
        verify_claims(bundle.evidence.claims, study, finding)
    with run.check("Key releases") as finding:
        releases = verify_releases(bundle, study, finding)
    with run.check("Commits") as finding:
        commits = verify_commits(bundle, study, releases, finding)
    with run.check("Time") as finding:
        moments = find_moments(releases, commits, custodians, now, finding)
    with run.check("Validity") as finding:
        require_valid(study, moments, finding)
    with run.check("Measurement") as finding:
        find_measurement(study, trust, finding)
    with run.check("Evidence") as finding:
        result = appraise_again(bundle.evidence, study, releases, trust, moments, finding)
    with run.check("Statement") as finding:
        require_statement(receipt.document.predicate, bundle.evidence.claims, study, finding)
    with run.check("Outputs") as finding:
        require_outputs(bundle.outputs, study, finding)
    with run.check("Platform") as finding:
        require_one_platform(study, result, receipt.document.predicate, releases, trust, finding)
    return _finish(run, bundle, digest, study, receipt, result)


def _finish(
    run: Checklist,
    bundle: ResultBundle,
    digest: Digest,
    study: Study,
    receipt: Verified[Receipt],
    result: AttestationResult | None,
) -> VerifiedBundle:
    verification = run.finish()
    assert result is not None  # noqa: S101 - evidence without a verdict is unanchored, and finish() raised
    return VerifiedBundle(bundle, digest, study, receipt, result, verification)


def _count(bundle: ResultBundle) -> int:
    study = bundle.study
    return len(study.institutions) + len(study.manifests) + len(study.approvals) + 2


def _approvals(study: Study) -> str:
    given = [
        f"{study.institutions[owner].document.short} "
        f"{sum(approval.document.institution == owner for approval in study.approvals)}"
        for owner in study.contract.document.owners
    ]
    return f"quorum reached: {', '.join(given)}"
