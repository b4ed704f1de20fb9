"""Evidence in files: a document of it, a result bundle that holds it, or a bare quote with its collateral."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from attestation.advice import ADVICE
from attestation.endorsements import collateral_from_json
from attestation.policy import AppraisalPolicy, ReferencePolicy
from attestation.reference import ReferenceValues, verify_endorsement, verify_withdrawals
from attestation.roots import HardwareRoot
from attestation.verifier import Examination, examine, examine_quote
from protocol.documents.attested import Collateral, Evidence, KeyRelease
from protocol.documents.receipt import MAX_BUNDLE, ResultBundle
from protocol.dsse import MAX_DOCUMENT, Envelope, Unverified
from protocol.errors import AttestationError, DocumentError
from protocol.types import parse_time
from sealroom.files import read_bounded

__all__ = ["EvidenceFile", "judge_file", "read_evidence", "read_reference"]

_MAX_COLLATERAL: Final = 2**20


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """What a file holds: evidence, or a quote and its collateral. ``at`` is when a bundle says keys were released."""

    evidence: Evidence | tuple[bytes, Collateral]
    at: datetime | None = None


def read_evidence(path: Path, collateral: Path | None) -> EvidenceFile:
    """Read a file; with ``collateral`` it is a bare quote. Nothing is verified here.

    Raises
    ------
    DocumentError
        ``EVIDENCE`` where it is neither evidence nor a result bundle.
    AttestationError
        ``COLLATERAL_FORMAT``.
    StorageError
        As ``read_bounded``.
    """
    data = read_bounded(path, MAX_BUNDLE)
    if collateral is not None:
        text = read_bounded(collateral, _MAX_COLLATERAL).decode("utf-8", "replace")
        return EvidenceFile((data, collateral_from_json(text)))
    try:
        return EvidenceFile(Evidence.model_validate_json(data))
    except ValueError:
        pass
    try:
        bundle = ResultBundle.from_bytes(data)
        released = Unverified.parse(bundle.releases[0], KeyRelease).claimed.time
    except DocumentError as error:
        raise DocumentError(
            "EVIDENCE", f"{path} is neither evidence nor a result bundle; a bare quote needs --collateral."
        ) from error
    return EvidenceFile(bundle.evidence, parse_time(released))


def read_reference(
    endorsements: Iterable[Path], withdrawals: Iterable[Path], policy: ReferencePolicy
) -> ReferenceValues:
    """Read and verify signed endorsements and withdrawal lists of those whom a policy names.

    Raises
    ------
    DocumentError, AttestationError, StorageError
        As ``verify_endorsement``, ``verify_withdrawals`` and ``read_bounded``.
    """
    lists = [verify_withdrawals(_envelope(path), policy.withdrawal_publishers) for path in withdrawals]
    return ReferenceValues(
        endorsements=tuple(verify_endorsement(_envelope(path), policy) for path in endorsements),
        withdrawals={found.signer: found for found in lists},
    )


def _envelope(path: Path) -> Envelope:
    return Envelope.from_bytes(read_bounded(path, MAX_DOCUMENT))


def judge_file(
    found: EvidenceFile,
    *,
    policy: AppraisalPolicy,
    roots: tuple[HardwareRoot, ...],
    at: datetime,
    reference: ReferenceValues,
) -> Examination:
    """Look at every claim, without a contract.

    Raises
    ------
    AttestationError
        ``QUOTE_*`` where the quote does not parse, with what to do about it.
    """
    try:
        if isinstance(found.evidence, Evidence):
            return examine(found.evidence, policy=policy, roots=roots, expected=None, at=at, reference=reference)
        quote, collateral = found.evidence
        return examine_quote(quote, collateral, policy=policy, roots=roots, at=at, reference=reference)
    except AttestationError as error:
        raise AttestationError(error.code, f"{error.detail} {ADVICE[error.code]}") from error
