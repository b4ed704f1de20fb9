"""Reference values at hand: endorsements of measurements, lists of withdrawals, the newest revocation lists seen.

Whoever appraises keeps them; which of them count is for the appraisal policy to say. Nothing unverified gets in here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from attestation.endorsements import Crl
from attestation.policy import ReferencePolicy
from protocol.documents.reference import MeasurementEndorsement, WithdrawalList, Withdrawn
from protocol.dsse import Envelope, Unverified, Verified
from protocol.errors import AttestationError
from protocol.types import Digest, Key

__all__ = [
    "NOTHING_AT_HAND",
    "Attested",
    "ReferenceValues",
    "require_newer",
    "verify_endorsement",
    "verify_withdrawals",
]


@dataclass(frozen=True, slots=True)
class ReferenceValues:
    """What is at hand. ``crls`` maps ``key_digest`` of an issuer to the newest of its revocation lists seen.

    Whom such a list names is refused, whatever list the evidence brings: Intel numbers all its lists 1, so that a
    number does not tell an older list from a newer one.
    """

    endorsements: tuple[Verified[MeasurementEndorsement], ...] = ()
    withdrawals: Mapping[Key, Verified[WithdrawalList]] = field(default_factory=dict)
    crls: Mapping[Digest, Crl] = field(default_factory=dict)


_NAMED: Final = 5
NOTHING_AT_HAND: Final = ReferenceValues()
"""Enough for a policy that wants neither endorsements nor withdrawal lists."""


@dataclass(frozen=True, slots=True)
class Attested:
    """What a withdrawal may name of an enclave and its platform, in hex; empty where it is not known."""

    measurement: Digest
    ppid: str
    fmspc: str
    advisories: tuple[str, ...]

    def named_in(self, told: WithdrawalList) -> str:
        """Say what a list withdraws of this enclave and platform, the first few; nothing where it names none of it."""
        named = [f"{name} ({found.reason})" for found in told.withdrawn if (name := self._match(found))]
        more = [f"{len(named) - _NAMED} more"] if len(named) > _NAMED else []
        return "; ".join(named[:_NAMED] + more)

    def _match(self, withdrawn: Withdrawn) -> str:
        if withdrawn.measurement == self.measurement:
            return "this measurement"
        if withdrawn.ppid == self.ppid:
            return "this platform"
        if withdrawn.fmspc == self.fmspc:
            return "this family of processors"
        return f"advisory {withdrawn.advisory}" if withdrawn.advisory in self.advisories else ""


def verify_endorsement(envelope: Envelope, policy: ReferencePolicy) -> Verified[MeasurementEndorsement]:
    """Verify an endorsement of one of the policy's endorsers.

    Raises
    ------
    DocumentError
        ``PAYLOAD_TYPE``, ``DOCUMENT``, ``CANONICAL``, ``SIGNATURE``.
    AttestationError
        ``ENDORSER`` where the policy does not name the signer, or names it for another institution.
    """
    endorsement = Unverified.parse(envelope, MeasurementEndorsement)
    said = endorsement.claimed.institution
    key = next((endorser.key for endorser in policy.endorsers if endorser.institution == said), None)
    if key is None:
        raise AttestationError(
            "ENDORSER", f"The appraisal policy names no endorser {said}. Compare its key with it and add it."
        )
    return endorsement.verify(key)


def verify_withdrawals(envelope: Envelope, publishers: Iterable[Key]) -> Verified[WithdrawalList]:
    """Verify a withdrawal list of one of the publishers.

    Raises
    ------
    DocumentError
        ``PAYLOAD_TYPE``, ``DOCUMENT``, ``CANONICAL``, ``SIGNATURE``.
    AttestationError
        ``PUBLISHER`` where none of the publishers is the list's.
    """
    withdrawals = Unverified.parse(envelope, WithdrawalList)
    publisher = withdrawals.claimed.publisher
    if publisher not in set(publishers):
        raise AttestationError(
            "PUBLISHER",
            f"The appraisal policy names no publisher {publisher[:16]} of withdrawals. Compare its key and add it.",
        )
    return withdrawals.verify(publisher)


def require_newer(known: Verified[WithdrawalList] | None, found: Verified[WithdrawalList]) -> bool:
    """Whether ``found`` replaces ``known``; False where it is the same list.

    Raises
    ------
    AttestationError
        ``WITHDRAWALS_OLD`` for a lower number than one that was seen; ``WITHDRAWALS_FORKED`` for another list under the
        same number.
    """
    if known is None:
        return True
    have, given = known.document.number, found.document.number
    if given < have:
        raise AttestationError(
            "WITHDRAWALS_OLD", f"Found withdrawal list {given}; list {have} was seen already. Take that or a newer one."
        )
    if given == have and known.name != found.name:
        raise AttestationError(
            "WITHDRAWALS_FORKED",
            f"Two different withdrawal lists have the number {given}. Ask their publisher which one is right.",
        )
    return given > have
