"""Receipts and result bundles: what anyone verifies offline."""

import hashlib
from collections.abc import Iterator
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import Field

from protocol.canonical import canonical_bytes
from protocol.documents.attested import Evidence, RunId
from protocol.dsse import Envelope, SignedDocument, load_document
from protocol.types import Base64, Digest, Document, Name

__all__ = [
    "MAX_BUNDLE",
    "PREDICATE_TYPE",
    "BundleMember",
    "Receipt",
    "ReceiptPredicate",
    "ResultBundle",
    "SealedOutput",
    "Sha256",
    "StudyPack",
    "Subject",
    "bundle_members",
    "output_subjects",
]

MAX_BUNDLE = 64 * 2**20
PREDICATE_TYPE: Final = "https://sealroom.dev/receipt/v1"
_Envelopes = Annotated[tuple[Envelope, ...], Field(min_length=1, max_length=500)]


class StudyPack(Document):
    """Every signed document that a run rests on, unverified: what custodian, enclave and verifier each check anew."""

    institutions: _Envelopes
    manifests: _Envelopes
    recipe: Envelope
    contract: Envelope
    approvals: Annotated[tuple[Envelope, ...], Field(max_length=500)]


class SealedOutput(Document):
    """One output sealed to one recipient (``recipient`` is the SHA-256 of its X-Wing public key)."""

    output: Name
    recipient: Digest
    sealed: Base64


class Sha256(Document):
    """A digest set as in-toto writes it."""

    sha256: Digest


class Subject(Document):
    """A sealed output that the receipt is about, named ``output/recipient``."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9._-]{1,64}/[0-9a-f]{64}$")]
    digest: Sha256


class BundleMember(Document):
    """One other member of the bundle and the SHA-256 of its canonical bytes."""

    kind: Literal["institution", "manifest", "recipe", "contract", "approval", "evidence", "release", "commit"]
    digest: Digest


class ReceiptPredicate(Document):
    """What was run, where, on what; and the digest of every other member of the bundle, in the bundle's order."""

    run: RunId
    contract: Digest
    recipe: Digest
    profile: Name
    measurement: Digest
    claims: Digest
    simulated: bool
    datasets: Annotated[tuple[Digest, ...], Field(min_length=1, max_length=50)]
    members: Annotated[tuple[BundleMember, ...], Field(min_length=1, max_length=3000)]


class Receipt(SignedDocument):
    """An in-toto Statement, signed with the enclave's attested key."""

    payload_type: ClassVar[str] = "application/vnd.in-toto+json"

    type: Annotated[Literal["https://in-toto.io/Statement/v1"], Field(alias="_type")] = (
        "https://in-toto.io/Statement/v1"
    )
    subject: Annotated[tuple[Subject, ...], Field(min_length=1, max_length=2500)]
    predicateType: Literal["https://sealroom.dev/receipt/v1"] = PREDICATE_TYPE  # noqa: N815 - in-toto's own spelling
    predicate: ReceiptPredicate


class ResultBundle(Document):
    """Everything needed to verify a result, in one canonical file: ``NAME.sealroom``."""

    version: Literal[1] = 1
    study: StudyPack
    evidence: Evidence
    releases: _Envelopes
    commits: _Envelopes
    receipt: Envelope
    outputs: Annotated[tuple[SealedOutput, ...], Field(min_length=1, max_length=2500)]

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a bundle from its canonical bytes."""
        return load_document(cls, data, limit=MAX_BUNDLE)

    def to_bytes(self) -> bytes:
        """Return the canonical bytes."""
        return canonical_bytes(self.model_dump(mode="json"))


def bundle_members(
    study: StudyPack, evidence: Evidence, releases: tuple[Envelope, ...], commits: tuple[Envelope, ...]
) -> tuple[BundleMember, ...]:
    """Digest every member but receipt and outputs, in the bundle's order: what the receipt lists."""

    def members() -> Iterator[tuple[str, Document]]:
        yield from (("institution", envelope) for envelope in study.institutions)
        yield from (("manifest", envelope) for envelope in study.manifests)
        yield "recipe", study.recipe
        yield "contract", study.contract
        yield from (("approval", envelope) for envelope in study.approvals)
        yield "evidence", evidence
        yield from (("release", envelope) for envelope in releases)
        yield from (("commit", envelope) for envelope in commits)

    return tuple(
        BundleMember.model_validate(
            {"kind": kind, "digest": hashlib.sha256(canonical_bytes(member.model_dump(mode="json"))).hexdigest()}
        )
        for kind, member in members()
    )


def output_subjects(outputs: tuple[SealedOutput, ...]) -> tuple[Subject, ...]:
    """Name and digest sealed outputs, in the bundle's order: the subjects of the receipt."""
    return tuple(
        Subject(
            name=f"{item.output}/{item.recipient}",
            digest=Sha256(sha256=hashlib.sha256(canonical_bytes(item.model_dump(mode="json"))).hexdigest()),
        )
        for item in outputs
    )
