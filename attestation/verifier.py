"""The one path on which evidence is judged, real and simulated alike.

``appraise`` looks at every claim, in this order, and raises the code of the first that fails:

1. The quote parses: ``QUOTE_*`` of ``attestation.quote``. Otherwise nothing else can be said.
2. The chain in the quote ends in one of the given roots, in date: ``ROOT_UNKNOWN``, ``ROOT_EXPIRED``. A simulated
   root is allowed by the policy: ``SIMULATED``. The policy accepts this root, if it lists roots: ``ROOT_UNLISTED``.
3. The chain and the signatures of the quote: ``PCK_CHAIN``, ``QE_SIGNATURE``, ``QE_BINDING``, ``QUOTE_SIGNATURE``.
4. The collateral: ``COLLATERAL_FORMAT``, ``CRL_ISSUER``, ``CRL_SIGNATURE``, ``CRL_NUMBER``, ``CRL_ROLLBACK``,
   ``COLLATERAL_SIGNER``, ``COLLATERAL_SIGNATURE``, ``COLLATERAL_FUTURE``, ``COLLATERAL_EXPIRED``, ``COLLATERAL_AGE``,
   ``REVOKED``.
5. What the hardware reports of the enclave: ``MEASUREMENT``, ``DEBUG``, ``ATTRIBUTES``, ``XFRM``, ``MISCSELECT``,
   ``ISV_PROD_ID``, ``ISV_SVN``, ``CONFIG_ID``, ``CONFIG_SVN``, ``ISV_EXT_PROD_ID``, ``ISV_FAMILY_ID``, ``QE_VENDOR``.
6. The verification library (dcap-qvl) accepts it all: ``QUOTE_REFUSED``, or, where only it looks, ``QE_IDENTITY``,
   ``TCB_STATUS``.
7. The platform: ``OTHER_PLATFORM``, ``TCB_STATUS``, ``TCB_DATE``, ``ADVISORY``, ``FMSPC``, ``PPID``, ``QE_STATUS``,
   ``TCB_EVALUATION``, ``QE_EVALUATION``, ``PLATFORM_FLAG``.
8. Reference values: ``MEASUREMENT_UNPINNED``, ``MEASUREMENT_ENDORSED``, ``WITHDRAWALS_MISSING``, ``WITHDRAWN``,
   ``WITHDRAWALS_EXPIRED``.
9. The session: ``REPORT_DATA``, ``OTHER_CONTRACT``, ``OTHER_RUN``, ``PROFILE``, ``NONCE``.

Left out are claims that the policy names as "any", masks and least numbers of 0, and the nonces where none are
expected; they show as skipped.
Evidence is named by the digest of its claims. Nothing here is keyed on a quote's bytes, which have a twin.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from attestation.endorsements import Endorsements, read_endorsements
from attestation.policy import AppraisalPolicy
from attestation.quote import Quote, ReportBody, parse_quote
from attestation.reference import NOTHING_AT_HAND, ReferenceValues
from attestation.roots import INTEL_ROOT, HardwareRoot
from attestation.verdict import LEFT_OUT, AppraisalRefused, Check, check, skipped
from attestation.verifiers.dcap import LibraryClaims, verify_with_library
from attestation.verifiers.reference import check_reference_values
from attestation.verifiers.sgx import UNKNOWN, check_enclave, check_platform
from attestation.verifiers.signatures import check_endorsements, check_quote_signatures, read_pck_chain
from protocol.documents import AttestationResult, Collateral, CustodianNonce, Evidence, RuntimeClaims
from protocol.errors import AttestationError
from protocol.types import Digest, Name, decode_base64, format_time

__all__ = ["AppraisalRefused", "Examination", "Expected", "appraise", "examine", "examine_quote"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What this evidence must be about.

    Parameters
    ----------
    measurement, profile, contract, run
        Of the contract and the run at hand.
    nonces
        Nonces that must be in the claims, each from its custodian; None where none is known (the claim then shows as
        skipped). An empty tuple is never satisfied.
    """

    measurement: Digest
    profile: Name
    contract: Digest
    run: str
    nonces: tuple[CustodianNonce, ...] | None


@dataclass(frozen=True, slots=True)
class Examination:
    """Every claim that was looked at, each with the code of its failure, and the same as a document."""

    checks: tuple[Check, ...]
    result: AttestationResult

    @property
    def failed(self) -> tuple[Check, ...]:
        """The claims that do not hold, in order; evidence is accepted where there is none."""
        return tuple(item for item in self.checks if item.holds == "no")


def appraise(
    evidence: Evidence,
    *,
    policy: AppraisalPolicy,
    roots: Sequence[HardwareRoot],
    expected: Expected,
    at: datetime,
    reference: ReferenceValues = NOTHING_AT_HAND,
) -> AttestationResult:
    """Judge evidence as of the time ``at`` and return the verdict, in which no claim fails.

    Raises
    ------
    AppraisalRefused
        An ``AttestationError`` with the code of the first claim that fails and, as ``.result``, every claim.
    """
    try:
        examination = examine(evidence, policy=policy, roots=roots, expected=expected, at=at, reference=reference)
    except AttestationError as error:
        raise AppraisalRefused(error.code, error.detail, None) from error
    if failed := examination.failed:
        first, more = failed[0], len(failed) - 1
        line = first.verdict()
        also = f" {more} more of {len(examination.checks)} claims fail." if more else ""
        detail = f"{line.claim}: found {line.found}, wanted {line.wanted}.{also}"
        raise AppraisalRefused(first.code, detail, examination.result)
    return examination.result


def examine(
    evidence: Evidence,
    *,
    policy: AppraisalPolicy,
    roots: Sequence[HardwareRoot],
    expected: Expected | None,
    at: datetime,
    reference: ReferenceValues = NOTHING_AT_HAND,
) -> Examination:
    """Look at every claim as of the time ``at``, for people: what does not hold is shown and not raised.

    Without ``expected`` no contract is at hand: measurement, contract, run, profile and nonces show as skipped. Release
    nothing on an examination; ``appraise`` is the verdict.

    Raises
    ------
    AttestationError
        ``QUOTE_*`` where the quote does not parse, so that nothing can be said.
    """
    subject = _Subject(decode_base64(evidence.quote), evidence.collateral, evidence.claims, expected)
    return _examine(subject, policy, roots, at, reference)


def examine_quote(
    quote: bytes,
    collateral: Collateral,
    *,
    policy: AppraisalPolicy,
    roots: Sequence[HardwareRoot],
    at: datetime,
    reference: ReferenceValues = NOTHING_AT_HAND,
) -> Examination:
    """Look at a quote without the claims that it binds, as ``examine`` does without a contract.

    Raises
    ------
    AttestationError
        As ``examine``.
    """
    return _examine(_Subject(quote, collateral, None, None), policy, roots, at, reference)


@dataclass(frozen=True, slots=True)
class _Subject:
    """What is looked at, and what it must be about; claims and contract may be missing where people look."""

    quote: bytes
    collateral: Collateral
    claims: RuntimeClaims | None
    expected: Expected | None


def _examine(
    subject: _Subject,
    policy: AppraisalPolicy,
    roots: Sequence[HardwareRoot],
    at: datetime,
    reference: ReferenceValues,
) -> Examination:
    quote, expected = parse_quote(subject.quote), subject.expected
    root = next((known for known in roots if known.certificate_der == quote.chain.root), None)
    endorsements, readable = _read(subject.collateral)
    library, accepted = _ask_library(subject.quote, subject.collateral, root, at)
    chain = read_pck_chain(quote)
    checks = [*_check_root(quote, root, policy, at), *check_quote_signatures(quote, chain, at), readable]
    if chain is not None and endorsements is not None:
        checks += check_endorsements(chain, quote, endorsements, policy, reference.crls, at)
    checks += check_enclave(
        quote.header,
        quote.report,
        policy.enclave,
        policy.platform.qe_vendor_id,
        expected.measurement if expected else None,
    )
    checks += [accepted, *check_platform(library, endorsements, policy.platform)]
    checks += check_reference_values(
        quote.report.mr_enclave.hex(),
        subject.claims.profile if subject.claims else None,
        library,
        policy.reference_values,
        reference,
        at,
    )
    checks += _check_session(subject.claims, quote.report, expected)
    result = AttestationResult(
        simulated=quote.chain.root != INTEL_ROOT.certificate_der,
        root=hashlib.sha256(quote.chain.root).hexdigest(),
        measurement=quote.report.mr_enclave.hex(),
        tcb_status=library.tcb_status if library else UNKNOWN,
        advisories=library.advisories if library else (),
        collateral_expires=format_time(endorsements.expires if endorsements else at),
        verified_at=format_time(at),
        claims=tuple(item.verdict() for item in checks),
    )
    return Examination(tuple(checks), result)


def _check_root(quote: Quote, root: HardwareRoot | None, policy: AppraisalPolicy, at: datetime) -> Iterator[Check]:
    digest = hashlib.sha256(quote.chain.root).hexdigest()
    yield check("ROOT_UNKNOWN", "hardware root", found=digest, wanted="one of the pinned roots", holds=root is not None)
    if root is not None:
        start, end = root.certificate.not_valid_before_utc, root.certificate.not_valid_after_utc
        yield check(
            "ROOT_EXPIRED",
            "hardware root's dates",
            found=f"{format_time(start)} to {format_time(end)}",
            wanted=f"valid at {format_time(at)}",
            holds=start <= at <= end,
        )
    simulated = quote.chain.root != INTEL_ROOT.certificate_der
    yield check(
        "SIMULATED",
        "platform",
        found="SIMULATED" if simulated else "hardware",
        wanted="hardware or SIMULATED" if policy.simulation else "hardware",
        holds=policy.simulation or not simulated,
    )
    yield _listed_root(digest, policy)


def _listed_root(digest: Digest, policy: AppraisalPolicy) -> Check:
    accepted = policy.platform.hardware_roots
    if accepted == "any":
        return skipped("hardware root among those listed", found=digest, why=LEFT_OUT)
    return check(
        "ROOT_UNLISTED",
        "hardware root among those listed",
        found=digest,
        wanted=f"one of {len(accepted)} accepted by the policy",
        holds=digest in accepted,
    )


def _read(collateral: Collateral) -> tuple[Endorsements | None, Check]:
    try:
        endorsements, fault = read_endorsements(collateral), ""
    except AttestationError as error:
        endorsements, fault = None, error.detail
    return endorsements, check(
        "COLLATERAL_FORMAT", "collateral", found=fault or "well formed", wanted="well formed", holds=not fault
    )


def _ask_library(
    raw: bytes, collateral: Collateral, root: HardwareRoot | None, at: datetime
) -> tuple[LibraryClaims | None, Check]:
    claims, code, fault = None, "QUOTE_REFUSED", "nothing to verify under"
    if root is not None:
        try:
            claims, fault = verify_with_library(raw, collateral, root, at), ""
        except AttestationError as error:
            code, fault = error.code, error.detail
    return claims, check(
        code, "verification library", found=fault or "accepted", wanted="accepted", holds=claims is not None
    )


def _check_session(claims: RuntimeClaims | None, report: ReportBody, expected: Expected | None) -> Iterator[Check]:
    def same(code: str, claim: str, found: str, wanted: str) -> Check:
        return check(code, claim, found=found, wanted=wanted, holds=found == wanted)

    if claims is None:
        for claim in ("claims in the quote", "contract", "run", "profile", "nonces"):
            yield skipped(claim, found="not at hand", why="a quote alone does not say")
        return
    yield same("REPORT_DATA", "claims in the quote", report.report_data.hex(), claims.report_data.hex())
    if expected is None:
        for claim, found in (("contract", claims.contract), ("run", claims.run), ("profile", claims.profile)):
            yield skipped(claim, found=found, why="no contract is at hand")
        yield skipped("nonces", found=f"{len(claims.nonces)} nonces", why="no contract is at hand")
        return
    yield same("OTHER_CONTRACT", "contract", claims.contract, expected.contract)
    yield same("OTHER_RUN", "run", claims.run, expected.run)
    yield same("PROFILE", "profile", claims.profile, expected.profile)
    if expected.nonces is None:
        yield skipped("nonces", found=f"{len(claims.nonces)} nonces", why="not known here")
        return
    met = [_holds_nonce(claims, nonce) for nonce in expected.nonces]
    yield check(
        "NONCE",
        "nonces",
        found=f"{sum(met)} of the expected nonces",
        wanted=f"{len(met)}, at least one",
        holds=bool(met) and all(met),
    )


def _holds_nonce(claims: RuntimeClaims, wanted: CustodianNonce) -> bool:
    """Whether the claims hold this nonce and no other of its custodian."""
    return [nonce for nonce in claims.nonces if nonce.custodian == wanted.custodian] == [wanted]
