"""Seal outputs to their recipients, sign the receipt, and put the bundle together."""

import hashlib
import hmac
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from enclave.custody import Custody
from protocol.canonical import canonical_bytes
from protocol.documents.attested import ReleaseCommit
from protocol.documents.outputs import ReleasedOutput
from protocol.documents.receipt import (
    Receipt,
    ReceiptPredicate,
    ResultBundle,
    SealedOutput,
    StudyPack,
    bundle_members,
    output_subjects,
)
from protocol.dsse import Verified, sign
from protocol.governance import Study
from protocol.hpke import output_info, seal
from protocol.padding import pad, size_class
from protocol.types import Digest, encode_base64

__all__ = ["make_bundle", "outputs_digest", "require_recipients", "secret_seed"]


def require_recipients(study: Study) -> None:
    """Seal nothing to every recipient: a key that cannot be sealed to must stop a run before it is charged.

    Raises
    ------
    DocumentError
        ``RECIPIENT_KEY``.
    """
    recipients = (recipient for output in study.contract.document.outputs for recipient in output.recipients)
    for institution, member in {(recipient.institution, recipient.member) for recipient in recipients}:
        seal(b"", study.recipient_key(institution, member), info=b"")


def secret_seed(data_keys: Mapping[Digest, bytes], study: Study) -> bytes:
    """Derive 32 bytes that nobody without every data key knows: a function of data, recipe and parameters.

    Each data key belongs to one sealing of one dataset, so the keys stand for the data.
    """
    keys = b"".join(data_keys[manifest.name] for manifest in study.manifests)
    return HKDF(SHA256(), 32, salt=None, info=b"sealroom seed v1" + bytes.fromhex(study.recipe.name)).derive(keys)


def outputs_digest(outputs: tuple[ReleasedOutput, ...], seed: bytes, run: str) -> Digest:
    """Digest what would be released, under a secret key: small tables could be guessed from a plain digest.

    The same run gives the same digest in any enclave, so that a run ends in one set of outputs.
    """
    content = canonical_bytes([output.model_dump(mode="json") for output in outputs])
    return hmac.new(seed, b"sealroom outputs v1" + bytes.fromhex(run) + content, hashlib.sha256).hexdigest()


def make_bundle(
    pack: StudyPack,
    study: Study,
    custody: Custody,
    commits: tuple[Verified[ReleaseCommit], ...],
    outputs: tuple[ReleasedOutput, ...],
    signing: Ed25519PrivateKey,
) -> ResultBundle:
    """Seal every output to every recipient that the contract names, and sign the receipt over the whole bundle."""
    claims, contract = custody.evidence.claims, study.contract
    sealed = tuple(
        SealedOutput(
            output=output.output,
            recipient=recipient.key,
            sealed=encode_base64(
                seal(
                    pad(canonical_bytes(output.model_dump(mode="json")), size_class(agreed.type, len(agreed.labels))),
                    study.recipient_key(recipient.institution, recipient.member),
                    info=output_info(contract.name, claims.run, output.output, recipient.key),
                )
            ),
        )
        for output, agreed in zip(outputs, contract.document.outputs, strict=True)
        for recipient in agreed.recipients
    )
    releases = tuple(release.envelope for release in custody.releases)
    commit_envelopes = tuple(commit.envelope for commit in commits)
    receipt = Receipt(
        subject=output_subjects(sealed),
        predicate=ReceiptPredicate(
            run=claims.run,
            contract=contract.name,
            recipe=study.recipe.name,
            profile=claims.profile,
            measurement=contract.document.measurement,
            claims=claims.digest,
            simulated=custody.simulated,
            datasets=tuple(manifest.name for manifest in study.manifests),
            members=bundle_members(pack, custody.evidence, releases, commit_envelopes),
        ),
    )
    return ResultBundle(
        study=pack,
        evidence=custody.evidence,
        releases=releases,
        commits=commit_envelopes,
        receipt=sign(receipt, signing).envelope,
        outputs=sealed,
    )
