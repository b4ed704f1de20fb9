"""Evidence, attestation results, key releases and commits: what passes between an enclave and a custodian."""

import hashlib
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from protocol.canonical import canonical_bytes
from protocol.dsse import SignedDocument
from protocol.types import Base64, Count, Digest, Document, Key, Name, Text, Timestamp

__all__ = [
    "AttestationResult",
    "ClaimVerdict",
    "Collateral",
    "CommitRequest",
    "CustodianNonce",
    "Evidence",
    "KeyRelease",
    "ReleaseCommit",
    "RunId",
    "RuntimeClaims",
]

RunId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
"""16 random bytes in hex."""
_TAG = b"sealroom runtime claims v1\x00"
_Pem = Annotated[str, Field(max_length=32_768)]


def _lower_hex(text: str) -> str:
    if bytes.fromhex(text).hex() != text:
        raise ValueError("not lower-case hex")
    return text


_Hex = Annotated[str, Field(min_length=2, max_length=131_072), AfterValidator(_lower_hex)]


class CustodianNonce(Document):
    """A nonce that one custodian gave for one run: 32 random bytes in hex."""

    custodian: Key
    nonce: Digest


class RuntimeClaims(Document):
    """What an enclave says of itself; its quote carries their digest, so the hardware vouches for them."""

    version: Literal[1] = 1
    role: Literal["enclave"] = "enclave"
    profile: Name
    run: RunId
    contract: Digest
    nonces: Annotated[tuple[CustodianNonce, ...], Field(min_length=1, max_length=50)]
    encryption: Base64
    signing: Key

    @property
    def digest(self) -> Digest:
        """SHA-256 of the canonical claims: how evidence is named (never by quote bytes, which are malleable)."""
        return hashlib.sha256(canonical_bytes(self.model_dump(mode="json"))).hexdigest()

    @property
    def report_data(self) -> bytes:
        """SHA-512(tag || canonical claims): the 64 bytes that the quote must carry."""
        return hashlib.sha512(_TAG + canonical_bytes(self.model_dump(mode="json"))).digest()


class Collateral(Document):
    """Endorsements for one quote, with the fields of Intel's QuoteCollateralV3; CRLs and signatures in hex."""

    pck_crl_issuer_chain: _Pem
    root_ca_crl: _Hex
    pck_crl: _Hex
    tcb_info_issuer_chain: _Pem
    tcb_info: Annotated[str, Field(max_length=262_144)]
    tcb_info_signature: _Hex
    qe_identity_issuer_chain: _Pem
    qe_identity: Annotated[str, Field(max_length=65_536)]
    qe_identity_signature: _Hex


class Evidence(Document):
    """A quote, the claims that it binds and the collateral to judge it with."""

    claims: RuntimeClaims
    quote: Base64
    collateral: Collateral


class ClaimVerdict(Document):
    """One line of an appraisal: what was found, what was wanted, whether it holds."""

    claim: Text
    found: Text
    wanted: Text
    holds: Literal["yes", "no", "skipped"]


class AttestationResult(Document):
    """The verdict on evidence. ``root`` is the SHA-256 of the root certificate that was trusted."""

    simulated: bool
    root: Digest
    measurement: Digest
    tcb_status: Text
    advisories: Annotated[tuple[Text, ...], Field(max_length=200)]
    collateral_expires: Timestamp
    verified_at: Timestamp
    claims: Annotated[tuple[ClaimVerdict, ...], Field(min_length=1, max_length=200)]


class KeyRelease(SignedDocument):
    """A custodian's statement that it released one data key to one enclave; its name seals the key to that enclave."""

    payload_type: ClassVar[str] = "application/vnd.sealroom.key-release.v1+json"

    custodian: Key
    dataset: Digest
    slot: Name
    contract: Digest
    run: RunId
    claims: Digest
    attestation: AttestationResult
    time: Timestamp


class CommitRequest(SignedDocument):
    """An enclave's request to release outputs; signed with the key in its claims."""

    payload_type: ClassVar[str] = "application/vnd.sealroom.commit-request.v1+json"

    contract: Digest
    run: RunId
    claims: Digest
    outputs: Digest


class ReleaseCommit(SignedDocument):
    """A custodian's consent to the release of one set of outputs. ``outputs`` is a salted digest of them."""

    payload_type: ClassVar[str] = "application/vnd.sealroom.release-commit.v1+json"

    custodian: Key
    contract: Digest
    run: RunId
    claims: Digest
    outputs: Digest
    runs_charged: Count
    revocations_held: Count
    time: Timestamp
