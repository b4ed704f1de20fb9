"""Attest, receive keys, open them: nothing is opened whose release the owner's custodian did not sign for this run."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from attestation.attesters import Attester
from enclave.relay import Relay
from protocol.commitment import require_commitment
from protocol.documents.attested import CustodianNonce, Evidence, KeyRelease, ReleaseCommit, RuntimeClaims
from protocol.documents.dataset import DatasetManifest
from protocol.documents.exchange import Assignment, ReleaseRequest, SealedRelease
from protocol.documents.receipt import StudyPack
from protocol.dsse import Unverified, Verified, public_key
from protocol.errors import AccessDenied, DocumentError
from protocol.governance import Study, require_current
from protocol.hpke import RecipientKey, release_info
from protocol.types import Digest, Key, decode_base64, encode_base64, parse_time

__all__ = ["Custody", "EnclaveKeys", "attest", "receive_keys", "verify_commit"]


@dataclass(frozen=True, slots=True)
class EnclaveKeys:
    """Keys made for one session; they are bound to the quote and never leave."""

    signing: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate, repr=False)
    encryption: RecipientKey = field(default_factory=RecipientKey.generate, repr=False)


@dataclass(frozen=True, slots=True)
class Custody:
    """Released data keys by dataset manifest name, with the signed releases in the contract's order."""

    evidence: Evidence
    releases: tuple[Verified[KeyRelease], ...]
    data_keys: Mapping[Digest, bytes] = field(repr=False)

    @property
    def simulated(self) -> bool:
        """Whether any custodian accepted a simulated platform."""
        return any(release.document.attestation.simulated for release in self.releases)


def attest(relay: Relay, attester: Attester, assignment: Assignment, study: Study, keys: EnclaveKeys) -> Evidence:
    """Bind the session's keys, run, contract and every custodian's nonce to a quote."""
    custodians = custodians_of(study)
    claims = RuntimeClaims(
        profile=study.contract.document.profile,
        run=assignment.run,
        contract=study.contract.name,
        nonces=tuple(CustodianNonce(custodian=key, nonce=relay.nonce(key)) for key in custodians),
        encryption=encode_base64(keys.encryption.public_bytes()),
        signing=public_key(keys.signing),
    )
    quote = attester.quote(claims.report_data)
    return Evidence(claims=claims, quote=encode_base64(quote), collateral=relay.collateral(quote))


def receive_keys(relay: Relay, pack: StudyPack, study: Study, evidence: Evidence, keys: EnclaveKeys) -> Custody:
    """Ask each custodian for its datasets' keys, verify every release and open it.

    Raises
    ------
    DocumentError
        ``RELEASE_SWAPPED`` where a release is not for this dataset, run, contract or evidence; ``SIGNATURE``,
        ``CAPSULE``, ``KEY_COMMITMENT``.
    AccessDenied
        The custodian's own refusal, or ``EXPIRED`` at the custodian's signed time.
    """
    sealed: dict[Key, list[SealedRelease]] = {}
    for custodian in custodians_of(study):
        reply = relay.release(custodian, ReleaseRequest(study=pack, evidence=evidence))
        sealed[custodian] = list(reply.releases)
    releases: list[Verified[KeyRelease]] = []
    data_keys: dict[Digest, bytes] = {}
    for manifest, binding in zip(study.manifests, study.contract.document.datasets, strict=True):
        queue = sealed[manifest.document.custodian.signing]
        if not queue:
            raise AccessDenied("KEY_MISSING", f"Slot {binding.slot}: its custodian released no key.")
        release = _verify_release(queue[0], manifest, binding.slot, study, evidence)
        capsule = decode_base64(queue.pop(0).capsule)
        data_key = keys.encryption.open(capsule, info=release_info(release.name))
        require_commitment(data_key, manifest.document.commitment)
        releases.append(release)
        data_keys[manifest.name] = data_key
    if any(sealed.values()):
        raise DocumentError("RELEASE_SWAPPED", "A custodian released more keys than it holds datasets of the contract.")
    return Custody(evidence, tuple(releases), data_keys)


def verify_commit(
    envelope_document: Unverified[ReleaseCommit], custodian: Key, study: Study, evidence: Evidence, outputs: Digest
) -> Verified[ReleaseCommit]:
    """Verify a custodian's countersignature over exactly these outputs of this run."""
    commit = envelope_document.verify(custodian)
    found, claims = commit.document, evidence.claims
    if (found.custodian, found.contract, found.run, found.claims, found.outputs) != (
        custodian,
        study.contract.name,
        claims.run,
        claims.digest,
        outputs,
    ):
        raise DocumentError("COMMIT_SWAPPED", "The custodian's commit is not for these outputs of this run.")
    require_current(study, parse_time(found.time))
    return commit


def custodians_of(study: Study) -> tuple[Key, ...]:
    """Signing keys of the custodians that the dataset manifests name, each once, in the contract's order."""
    return tuple(dict.fromkeys(manifest.document.custodian.signing for manifest in study.manifests))


def _verify_release(
    sealed: SealedRelease, manifest: Verified[DatasetManifest], slot: str, study: Study, evidence: Evidence
) -> Verified[KeyRelease]:
    custodian = manifest.document.custodian.signing
    release = Unverified.parse(sealed.release, KeyRelease).verify(custodian)
    found, claims = release.document, evidence.claims
    if (found.custodian, found.dataset, found.slot, found.contract, found.run, found.claims) != (
        custodian,
        manifest.name,
        slot,
        study.contract.name,
        claims.run,
        claims.digest,
    ):
        raise DocumentError("RELEASE_SWAPPED", f"Slot {slot}: the key release is for another dataset, run or enclave.")
    if found.attestation.measurement != study.contract.document.measurement:
        raise DocumentError("MEASUREMENT", f"Slot {slot}: the custodian appraised another measurement than agreed.")
    if found.attestation.simulated and not study.contract.document.simulation:
        raise AccessDenied("SIMULATED", f"Slot {slot}: the platform is simulated and the contract does not allow it.")
    require_current(study, parse_time(found.time))
    return release
