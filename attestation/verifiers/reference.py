"""Who vouches for the code, and whether code or platform is withdrawn."""

from collections.abc import Iterator
from datetime import datetime

from attestation.policy import ReferencePolicy
from attestation.reference import Attested, ReferenceValues
from attestation.verdict import LEFT_OUT, Check, check, skipped
from attestation.verifiers.dcap import LibraryClaims
from protocol.types import Digest, Key, Name, parse_time

__all__ = ["check_reference_values"]


def check_reference_values(
    measurement: Digest,
    profile: Name | None,
    claims: LibraryClaims | None,
    policy: ReferencePolicy,
    reference: ReferenceValues,
    at: datetime,
) -> Iterator[Check]:
    """Hold the measurement and the platform against pinned measurements, endorsements and withdrawal lists.

    Where no profile is known, because a quote is looked at alone, endorsements count for whichever they name.
    """
    yield _pinned(measurement, policy)
    yield _endorsed(measurement, profile, policy, reference)
    if not policy.withdrawal_publishers:
        yield skipped("withdrawals", found="not looked at", why=f"{LEFT_OUT}: it names no publisher")
    # An unknown platform is refused by other claims; the code may be withdrawn all the same.
    known = (claims.ppid.hex(), claims.fmspc.hex(), claims.advisories) if claims else ("", "", ())
    for publisher in policy.withdrawal_publishers:
        yield _withdrawals(publisher, Attested(measurement, *known), reference, at)


def _pinned(measurement: Digest, policy: ReferencePolicy) -> Check:
    claim = "measurement among those pinned"
    if policy.measurements == "any":
        return skipped(claim, found=measurement, why=LEFT_OUT)
    return check(
        "MEASUREMENT_UNPINNED",
        claim,
        found=measurement,
        wanted=f"one of {len(policy.measurements)} pinned measurements",
        holds=measurement in policy.measurements,
    )


def _endorsed(measurement: Digest, profile: Name | None, policy: ReferencePolicy, reference: ReferenceValues) -> Check:
    named = {endorser.key: endorser.institution for endorser in policy.endorsers}
    found = sorted(
        {
            named[endorsement.signer]
            for endorsement in reference.endorsements
            if endorsement.document.measurement == measurement
            and (profile is None or endorsement.document.profile == profile)
            and named.get(endorsement.signer) == endorsement.document.institution
        }
    )
    shown = f"{len(found)} ({', '.join(found)})" if found else "none"
    if not policy.endorsements_wanted:
        return skipped("measurement rebuilt", found=shown, why=f"{LEFT_OUT}: it wants no endorsement")
    return check(
        "MEASUREMENT_ENDORSED",
        "measurement rebuilt",
        found=f"by {shown}",
        wanted=f"by at least {policy.endorsements_wanted} of {len(named)} endorsers",
        holds=len(found) >= policy.endorsements_wanted,
    )


def _withdrawals(publisher: Key, attested: Attested, reference: ReferenceValues, at: datetime) -> Check:
    claim, wanted = f"withdrawals of {publisher[:16]}", "a list in date that names nothing of this"
    withdrawals = reference.withdrawals.get(publisher)
    if withdrawals is None or withdrawals.signer != publisher:
        return check("WITHDRAWALS_MISSING", claim, found="no list", wanted=wanted, holds=False)
    told = withdrawals.document
    number = f"list {told.number} of {told.issued}"
    if named := attested.named_in(told):
        return check("WITHDRAWN", claim, found=f"{number} names {named}", wanted=wanted, holds=False)
    if at >= parse_time(told.next_update):
        found = f"{number}, due for an update at {told.next_update}"
        return check("WITHDRAWALS_EXPIRED", claim, found=found, wanted=wanted, holds=False)
    return check("WITHDRAWN", claim, found=f"{number} names nothing of this", wanted=wanted, holds=True)
