"""What an SGX report and its platform are held against: the contract's measurement and the appraisal policy."""

from collections.abc import Iterator

from attestation.endorsements import Endorsements
from attestation.policy import ATTRIBUTE_BITS, EnclavePolicy, Masked, PlatformPolicy
from attestation.quote import QuoteHeader, ReportBody
from attestation.verdict import LEFT_OUT, Check, check, skipped
from attestation.verifiers.dcap import LibraryClaims
from protocol.types import Digest

__all__ = ["UNKNOWN", "check_enclave", "check_platform"]

UNKNOWN = "not established"
"""What is found where the verification library refused, so that nothing is known of the platform."""


def check_enclave(
    header: QuoteHeader, report: ReportBody, policy: EnclavePolicy, vendor: str, measurement: Digest | None
) -> Iterator[Check]:
    """Compare the measurement exactly, where one is expected, then every other field of the report."""
    if measurement is None:
        yield skipped("measurement", found=report.mr_enclave.hex(), why="no contract is at hand")
    else:
        yield _same("MEASUREMENT", "measurement", report.mr_enclave.hex(), measurement)
    for name, bit in ATTRIBUTE_BITS.items():
        wanted = bool(policy.attributes.wanted & bit)
        found = bool(report.flags & bit)
        code = "DEBUG" if name == "DEBUG" else "ATTRIBUTES"
        yield check(code, f"attribute {name}", found=_bit(found), wanted=_bit(wanted), holds=found == wanted)
    yield _masked("ATTRIBUTES", "attributes", report.flags, policy.attributes)
    yield _masked("XFRM", "extended features", report.xfrm, policy.xfrm)
    yield _masked("MISCSELECT", "miscellaneous select", report.miscselect, policy.miscselect)
    yield _same("ISV_PROD_ID", "product id", str(report.isv_prod_id), str(policy.isv_prod_id))
    yield _at_least("ISV_SVN", "security version", report.isv_svn, policy.minimum_isv_svn)
    yield _same("CONFIG_ID", "configuration id", report.config_id.hex(), policy.config_id)
    yield _same("CONFIG_SVN", "configuration version", str(report.config_svn), str(policy.config_svn))
    yield _same("ISV_EXT_PROD_ID", "extended product id", report.isv_ext_prod_id.hex(), policy.isv_ext_prod_id)
    yield _same("ISV_FAMILY_ID", "family id", report.isv_family_id.hex(), policy.isv_family_id)
    yield _same("QE_VENDOR", "quoting enclave's vendor", header.qe_vendor_id.hex(), vendor)


def check_platform(
    claims: LibraryClaims | None, endorsements: Endorsements | None, policy: PlatformPolicy
) -> Iterator[Check]:
    """Hold what the library established against the policy; where it established nothing, nothing holds."""
    yield _same(
        "OTHER_PLATFORM",
        "TCB information's platform",
        UNKNOWN if endorsements is None else _platform(endorsements.fmspc, endorsements.pce_id),
        "that of the PCK certificate" if claims is None else _platform(claims.fmspc, claims.pce_id),
    )
    status = UNKNOWN if claims is None else claims.tcb_status
    yield check(
        "TCB_STATUS",
        "TCB status",
        found=status,
        wanted=f"one of {', '.join(policy.tcb_statuses) or 'none'}",
        holds=status in policy.tcb_statuses,
    )
    yield _dated(claims, policy)
    yield _advisories(claims, policy)
    yield _listed("FMSPC", "family of processors", claims.fmspc if claims else None, policy.fmspcs)
    yield _listed("PPID", "platform id", claims.ppid if claims else None, policy.ppids)
    yield _same("QE_STATUS", "quoting enclave's status", UNKNOWN if claims is None else claims.qe_status, "UpToDate")
    # The library gives the smaller of the two numbers as that of the TCB information, so they are read from the items.
    verified = endorsements if claims else None
    found = verified.tcb_evaluation if verified else None
    yield _at_least("TCB_EVALUATION", "TCB evaluation number", found, policy.minimum_tcb_evaluation)
    found = verified.qe_evaluation if verified else None
    yield _at_least("QE_EVALUATION", "QE evaluation number", found, policy.minimum_qe_evaluation)
    for claim, shown, rule in (
        ("SMT", claims.smt if claims else UNKNOWN, policy.smt),
        ("dynamic platform", claims.dynamic_platform if claims else UNKNOWN, policy.dynamic_platform),
        ("cached keys", claims.cached_keys if claims else UNKNOWN, policy.cached_keys),
    ):
        if rule == "any":
            yield skipped(claim, found=shown, why=LEFT_OUT)
        else:
            yield check("PLATFORM_FLAG", claim, found=shown, wanted="False", holds=shown == "False")


def _dated(claims: LibraryClaims | None, policy: PlatformPolicy) -> Check:
    shown, floor = UNKNOWN if claims is None else claims.tcb_date, policy.minimum_tcb_date
    if floor == "any":
        return skipped("TCB date", found=shown, why=LEFT_OUT)
    holds = claims is not None and claims.tcb_date >= floor  # RFC 3339 in UTC sorts as text
    return check("TCB_DATE", "TCB date", found=shown, wanted=f"at least {floor}", holds=holds)


def _listed(code: str, claim: str, found: bytes | None, accepted: tuple[str, ...] | str) -> Check:
    shown = UNKNOWN if found is None else found.hex()
    if isinstance(accepted, str):  # "any"
        return skipped(claim, found=shown, why=LEFT_OUT)
    return check(code, claim, found=shown, wanted=f"one of {len(accepted)} accepted", holds=shown in accepted)


def _advisories(claims: LibraryClaims | None, policy: PlatformPolicy) -> Check:
    shown = UNKNOWN if claims is None else ", ".join(claims.advisories) or "none"
    if policy.advisories == "any":
        return skipped("advisories", found=shown, why=LEFT_OUT)
    return check(
        "ADVISORY",
        "advisories",
        found=shown,
        wanted=f"none but {', '.join(policy.advisories)}" if policy.advisories else "none",
        holds=claims is not None and set(claims.advisories) <= set(policy.advisories),
    )


def _same(code: str, claim: str, found: str, wanted: str) -> Check:
    return check(code, claim, found=found, wanted=wanted, holds=found == wanted)


def _at_least(code: str, claim: str, found: int | None, minimum: int) -> Check:
    shown = UNKNOWN if found is None else str(found)
    if minimum == 0:
        return skipped(claim, found=shown, why=LEFT_OUT)
    holds = found is not None and found >= minimum
    return check(code, claim, found=shown, wanted=f"at least {minimum}", holds=holds)


def _masked(code: str, claim: str, found: int, wanted: Masked) -> Check:
    if wanted.looked_at == 0:
        return skipped(claim, found=f"{found:#x}", why=LEFT_OUT)
    return check(
        code, claim, found=f"{found:#x}", wanted=f"{wanted.value} under {wanted.mask}", holds=wanted.holds(found)
    )


def _platform(fmspc: bytes, pce_id: bytes) -> str:
    return f"FMSPC {fmspc.hex()}, PCE {pce_id.hex()}"


def _bit(value: bool) -> str:  # noqa: FBT001 - one value, shown as a word
    return "set" if value else "clear"
