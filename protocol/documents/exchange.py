"""Messages between enclave, host, broker and custodian. The host and the broker relay them and are not believed."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from protocol.documents.attested import Evidence, RunId
from protocol.documents.receipt import StudyPack
from protocol.dsse import Envelope
from protocol.types import Base64, Count, Digest, Document, Name, Text

__all__ = [
    "Assignment",
    "CapsuleDeposit",
    "Failure",
    "Launch",
    "NonceReply",
    "ReleaseReply",
    "ReleaseRequest",
    "SealedRelease",
]


class Assignment(Document):
    """A run that an enclave host claimed. ``fence`` grows with each lease of the run; older leases are void."""

    run: RunId
    contract: Digest
    profile: Name
    fence: Count


class Launch(Document):
    """The one line that a host writes to an enclave's standard input: where to reach the relay.

    Where the platform is simulated, also where to reach that, and the ticket by which it knows the enclave.
    """

    relay: Annotated[str, Field(pattern=r"^http://127\.0\.0\.1:\d{1,5}$")]
    token: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{32,128}$")]
    platform: Annotated[str, Field(pattern=r"^http://127\.0\.0\.1:\d{1,5}$")] | None = None
    ticket: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{32,128}$")] | None = None

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.platform is None) != (self.ticket is None):
            raise ValueError("a simulated platform and its ticket come together")
        return self


class CapsuleDeposit(Document):
    """What an owner brings to a custodian: the manifest, the institution that signed it, the sealed data key."""

    institution: Envelope
    manifest: Envelope
    capsule: Base64


class NonceReply(Document):
    """A custodian's nonce for one run."""

    nonce: Digest


class ReleaseRequest(Document):
    """Everything that a custodian needs to decide on a key release."""

    study: StudyPack
    evidence: Evidence


class SealedRelease(Document):
    """A signed key release and the data key, sealed to the enclave with the release's name as HPKE info."""

    release: Envelope
    capsule: Base64


class ReleaseReply(Document):
    """Key releases in the order of the contract's datasets, for those that this custodian holds."""

    releases: Annotated[tuple[SealedRelease, ...], Field(min_length=1, max_length=50)]


class Failure(Document):
    """Why an enclave stopped: before any key reached it, or later for what the host can see itself."""

    code: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,63}$")]
    detail: Text
