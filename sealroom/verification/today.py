"""Judge the evidence of a verified bundle again, as of today and under today's collateral, and say what changed.

A bundle is verified as of its own time: what its platform was known to be when keys were released. Since then a TCB
recovery, an advisory or a revocation may have come. That does not undo the run; it tells what a run of today would
meet, and whether what protected that run is still believed in.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from attestation.endorsements import Crl, Endorsements, SignedItem, read_endorsements
from attestation.verdict import Check
from attestation.verifier import Expected, examine
from protocol.documents.attested import AttestationResult, Collateral
from protocol.errors import AttestationError
from protocol.types import format_time
from sealroom.trust import Trust
from sealroom.verification.bundle import VerifiedBundle

__all__ = ["Today", "judge_today"]


@dataclass(frozen=True, slots=True)
class Today:
    """Two verdicts on the same evidence: ``then``, at the last key release, and ``now``. ``failed`` fails now."""

    then: AttestationResult
    now: AttestationResult
    collateral_then: Endorsements
    collateral_now: Endorsements
    failed: tuple[Check, ...]

    @property
    def accepted(self) -> bool:
        """Whether the evidence would be accepted today."""
        return not self.failed

    @property
    def advisories_new(self) -> tuple[str, ...]:
        """Advisories of today that were not there then."""
        return tuple(sorted(set(self.now.advisories) - set(self.then.advisories)))

    @property
    def advisories_gone(self) -> tuple[str, ...]:
        """Advisories of then that are not there today."""
        return tuple(sorted(set(self.then.advisories) - set(self.now.advisories)))

    @property
    def revoked(self) -> str:
        """The certificates that were revoked since; empty where none was."""
        return next((check.found for check in self.failed if check.code == "REVOKED"), "")

    def require_accepted(self) -> None:
        """Raise ``AttestationError`` with code ``APPRAISAL_CHANGED`` where the evidence would be refused today."""
        if self.accepted:
            return
        codes = ", ".join(dict.fromkeys(check.code for check in self.failed))
        raise AttestationError(
            "APPRAISAL_CHANGED",
            f"The bundle verifies as of its own time, {self.then.verified_at}. Today the same evidence is refused "
            f"({codes}): decide whether you still rely on what kept the operator out, and run nothing new there.",
        )

    def lines(self) -> list[str]:
        """Say what changed, a line for each thing."""
        then, now = self.collateral_then, self.collateral_now
        found = [
            f"appraised then at {self.then.verified_at}, today at {self.now.verified_at}",
            f"TCB status: {_moved(self.then.tcb_status, self.now.tcb_status)}",
            f"TCB evaluation number: {_moved(then.tcb_evaluation, now.tcb_evaluation)}",
            f"QE evaluation number: {_moved(then.qe_evaluation, now.qe_evaluation)}",
            f"PCK CRL number: {_moved(then.pck_crl.number, now.pck_crl.number)}",
            f"root CRL number: {_moved(then.root_ca_crl.number, now.root_ca_crl.number)}",
            *(
                f"{new.name} issued: {_moved(format_time(old.issued), format_time(new.issued))}"
                for (old, _), (new, _) in zip(_items(then), _items(now), strict=True)
            ),
            f"new advisories: {', '.join(self.advisories_new) or 'none'}",
            f"advisories gone: {', '.join(self.advisories_gone) or 'none'}",
            f"revoked since: {self.revoked or 'none'}",
        ]
        for check in self.failed:
            line = check.verdict()
            found.append(f"holds no longer: {line.claim} ({check.code}): found {line.found}, wanted {line.wanted}")
        return found

    def fields(self) -> dict[str, Any]:
        """Return the same for programs."""
        then, now = self.collateral_then, self.collateral_now
        return {
            "accepted": self.accepted,
            "then": self.then.verified_at,
            "now": self.now.verified_at,
            "tcb_status": [self.then.tcb_status, self.now.tcb_status],
            "tcb_evaluation": [then.tcb_evaluation, now.tcb_evaluation],
            "qe_evaluation": [then.qe_evaluation, now.qe_evaluation],
            "pck_crl_number": [then.pck_crl.number, now.pck_crl.number],
            "root_crl_number": [then.root_ca_crl.number, now.root_ca_crl.number],
            "advisories_new": list(self.advisories_new),
            "advisories_gone": list(self.advisories_gone),
            "revoked": self.revoked,
            "holds_no_longer": [{"code": check.code} | check.verdict().model_dump() for check in self.failed],
        }


def judge_today(verified: VerifiedBundle, trust: Trust, collateral: Collateral, *, now: datetime) -> Today:
    """Judge the evidence of a bundle at ``now`` under other collateral, with the pins under which it verified.

    Raises
    ------
    AttestationError
        ``COLLATERAL_FORMAT`` where the collateral is none; ``COLLATERAL_ROLLBACK`` where an item of it has a number or
        a date of issue below that of the bundle's own.
    """
    evidence, study = verified.bundle.evidence, verified.study
    then, given = read_endorsements(evidence.collateral), read_endorsements(collateral)
    _require_not_back(then, given)
    policy = trust.policy()
    assert policy is not None  # noqa: S101 - a bundle verifies under a pinned policy only
    reference = trust.reference_values(policy)
    for manifest in study.manifests:
        policy = policy.narrowed(manifest.document.policy.tcb_statuses)
    contract = study.contract
    examination = examine(
        evidence.model_copy(update={"collateral": collateral}),
        policy=policy,
        roots=trust.roots(),
        expected=Expected(
            measurement=contract.document.measurement,
            profile=contract.document.profile,
            contract=contract.name,
            run=evidence.claims.run,
            nonces=None,
        ),
        at=now,
        reference=reference,
    )
    return Today(
        then=verified.attestation,
        now=examination.result,
        collateral_then=then,
        collateral_now=given,
        failed=examination.failed,
    )


def _items(found: Endorsements) -> tuple[tuple[SignedItem | Crl, int], ...]:
    return (
        (found.tcb_info, found.tcb_evaluation),
        (found.qe_identity, found.qe_evaluation),
        (found.pck_crl, found.pck_crl.number or 0),
        (found.root_ca_crl, found.root_ca_crl.number or 0),
    )


def _require_not_back(then: Endorsements, given: Endorsements) -> None:
    for (old, old_number), (new, number) in zip(_items(then), _items(given), strict=True):
        if number < old_number or new.issued < old.issued:
            raise AttestationError(
                "COLLATERAL_ROLLBACK",
                f"Today's {new.name} has number {number} of {format_time(new.issued)}; the bundle's own has number "
                f"{old_number} of {format_time(old.issued)}. Ask a source that is up to date.",
            )


def _moved(then: object, now: object) -> str:
    return f"{then}, as then" if then == now else f"{then} then, {now} today"
