"""Checks 7, 8 and 9: the enclave's claims, the custodians' key releases and their commits."""

from protocol.documents.attested import KeyRelease, ReleaseCommit, RuntimeClaims
from protocol.documents.receipt import ResultBundle
from protocol.dsse import Unverified, Verified
from protocol.errors import AccessDenied, DocumentError
from protocol.governance import CLOCK_SKEW, Study
from protocol.types import Key, parse_time
from sealroom.verification.checks import Finding

__all__ = ["Commits", "Releases", "verify_claims", "verify_commits", "verify_releases"]

Releases = tuple[Verified[KeyRelease], ...]
Commits = tuple[Verified[ReleaseCommit], ...]


def verify_claims(claims: RuntimeClaims, study: Study, finding: Finding) -> None:
    """Require that the claims are about this contract, and fresh for every custodian of its datasets.

    Raises
    ------
    DocumentError
        ``CLAIMS_SWAPPED`` for another contract or profile, ``NONCES`` where the nonces name other custodians.
    """
    contract = study.contract
    if (claims.contract, claims.profile) != (contract.name, contract.document.profile):
        raise DocumentError("CLAIMS_SWAPPED", "The enclave's claims are about another contract or profile.")
    if tuple(nonce.custodian for nonce in claims.nonces) != _custodians(study):
        raise DocumentError("NONCES", "The enclave's nonces are not one of each custodian that the datasets name.")
    finding.found = f"claims {claims.digest}, run {claims.run}, {len(claims.nonces)} nonce(s)"


def verify_releases(bundle: ResultBundle, study: Study, finding: Finding) -> Releases:
    """Verify one key release for each dataset, in the contract's order.

    Raises
    ------
    DocumentError
        ``RELEASE_COUNT``, ``RELEASE_SWAPPED``, ``SIGNATURE``.
    """
    claims, bindings = bundle.evidence.claims, study.contract.document.datasets
    if len(bundle.releases) != len(bindings):
        raise DocumentError(
            "RELEASE_COUNT", f"Found {len(bundle.releases)} key releases, wanted {len(bindings)}, one for each dataset."
        )
    releases = []
    for envelope, binding, manifest in zip(bundle.releases, bindings, study.manifests, strict=True):
        custodian = manifest.document.custodian.signing
        release = Unverified.parse(envelope, KeyRelease).verify(custodian)
        found = release.document
        if (found.custodian, found.dataset, found.slot, found.contract, found.run, found.claims) != (
            custodian,
            manifest.name,
            binding.slot,
            study.contract.name,
            claims.run,
            claims.digest,
        ):
            raise DocumentError(
                "RELEASE_SWAPPED", f"Slot {binding.slot}: the key release is for another dataset, run or enclave."
            )
        releases.append(release)
    finding.found = f"{len(releases)}, each by its dataset's custodian, for this dataset, run and enclave"
    return tuple(releases)


def verify_commits(bundle: ResultBundle, study: Study, releases: Releases, finding: Finding) -> Commits:
    """Verify one commit of each custodian, in the order in which the datasets name them.

    Raises
    ------
    DocumentError
        ``COMMIT_COUNT``, ``COMMIT_SWAPPED``, ``SIGNATURE``, ``OUTPUTS_DIFFER``, ``TIME_ORDER``.
    AccessDenied
        ``RUN_COUNT`` beyond the agreed number of runs, ``REVOKED`` where the custodian held a revocation.
    """
    claims, custodians = bundle.evidence.claims, _custodians(study)
    if len(bundle.commits) != len(custodians):
        raise DocumentError(
            "COMMIT_COUNT", f"Found {len(bundle.commits)} commits, wanted {len(custodians)}, one for each custodian."
        )
    commits = []
    for envelope, custodian in zip(bundle.commits, custodians, strict=True):
        commit = Unverified.parse(envelope, ReleaseCommit).verify(custodian)
        found = commit.document
        if (found.custodian, found.contract, found.run, found.claims) != (
            custodian,
            study.contract.name,
            claims.run,
            claims.digest,
        ):
            raise DocumentError("COMMIT_SWAPPED", f"The commit of {custodian[:16]} is for another contract or run.")
        _require_allowed(found, study)
        _require_after(found, releases)
        commits.append(commit)
    if len({commit.document.outputs for commit in commits}) != 1:
        raise DocumentError("OUTPUTS_DIFFER", "The custodians committed to different outputs.")
    charged = ", ".join(str(commit.document.runs_charged) for commit in commits)
    finding.found = f"{len(commits)}, over the same outputs; run {charged} of {study.contract.document.max_runs}"
    return tuple(commits)


def _require_allowed(commit: ReleaseCommit, study: Study) -> None:
    limit = study.contract.document.max_runs
    if not 1 <= commit.runs_charged <= limit:
        raise AccessDenied(
            "RUN_COUNT", f"The custodian charged {commit.runs_charged} runs; the contract allows {limit}."
        )
    if commit.revocations_held:
        raise AccessDenied("REVOKED", "The custodian held a revocation of the contract when it committed.")


def _require_after(commit: ReleaseCommit, releases: Releases) -> None:
    """No commit is dated before a release: by its own clock not at all, by another's within the clock skew."""
    for release in releases:
        early = parse_time(release.document.time) - parse_time(commit.time)
        if early.total_seconds() > 0 and (release.document.custodian == commit.custodian or early > CLOCK_SKEW):
            raise DocumentError(
                "TIME_ORDER", f"A commit is dated {commit.time}, before a key release at {release.document.time}."
            )


def _custodians(study: Study) -> tuple[Key, ...]:
    return tuple(dict.fromkeys(manifest.document.custodian.signing for manifest in study.manifests))
