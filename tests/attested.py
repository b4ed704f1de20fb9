"""Evidence for tests, good and forged: ``import attested``. Everything is valid at ``attested.NOW``.

::

    attested.appraise()                                          # good evidence, accepted
    attested.appraise(Conditions(tcb_status="OutOfDate"))        # raises AppraisalRefused
    with attested.refused("DEBUG", "attribute DEBUG"): ...       # asserts the code, and that the claim shows as failed
    attested.library(quote, collateral)                          # what dcap-qvl alone says, under the platform's root
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import dcap_qvl
import pytest

from attestation.policy import AppraisalPolicy, load_policy, manifests_folder
from attestation.roots import HardwareRoot
from attestation.simulator.pki import PlatformKeys, create_keys
from attestation.simulator.platform import Conditions, Platform
from attestation.verifier import AppraisalRefused, Expected
from attestation.verifier import appraise as judge
from protocol.documents import AttestationResult, Collateral, CustodianNonce, Evidence, RuntimeClaims
from protocol.types import decode_base64, encode_base64

DAY = timedelta(days=1)
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
MEASUREMENT = "ab" * 32
NONCE = CustodianNonce(custodian="aa" * 32, nonce="bb" * 32)
OTHER_NONCE = CustodianNonce(custodian="a1" * 32, nonce="b1" * 32)
EXPECTED = Expected(measurement=MEASUREMENT, profile="clinical", contract="dd" * 32, run="cc" * 16, nonces=(NONCE,))


@cache
def keys() -> PlatformKeys:
    return create_keys(NOW - timedelta(days=1))


@cache
def other_keys() -> PlatformKeys:
    return create_keys(NOW - timedelta(days=1))


def platform(conditions: Conditions | None = None) -> Platform:
    return Platform(keys(), conditions)


def other_platform(conditions: Conditions | None = None) -> Platform:
    """A platform of another installation."""
    return Platform(other_keys(), conditions)


@cache
def policy(name: str = "appraisal.simulated.toml") -> AppraisalPolicy:
    return load_policy((manifests_folder() / name).read_text("utf-8"))


SIMULATED_POLICY = policy()


def changed(**parts: dict[str, Any]) -> AppraisalPolicy:
    """The simulated policy with fields of its tables replaced: ``changed(platform={"smt": "off"})``."""
    found = policy()
    return found.model_copy(
        update={part: getattr(found, part).model_copy(update=fields) for part, fields in parts.items()}
    )


def claims(**fields: Any) -> RuntimeClaims:
    given = {"profile": "clinical", "run": "cc" * 16, "contract": "dd" * 32, "nonces": (NONCE, OTHER_NONCE)}
    given |= {"encryption": encode_base64(bytes(1216)), "signing": "ee" * 32}
    return RuntimeClaims(**{**given, **fields})


def evidence(
    conditions: Conditions | None = None, *, at: datetime = NOW, made: RuntimeClaims | None = None
) -> Evidence:
    made = made or claims()
    forged = platform(conditions)
    quote = forged.quote(MEASUREMENT, made.report_data)
    return Evidence(claims=made, quote=encode_base64(quote), collateral=forged.collateral(at))


def evidence_of(forged: Platform) -> Evidence:
    """Evidence of any platform, under its own collateral."""
    made = claims()
    quote = forged.quote(MEASUREMENT, made.report_data)
    return Evidence(claims=made, quote=encode_base64(quote), collateral=forged.collateral(NOW))


def with_quote(change: Callable[[bytes], bytes], conditions: Conditions | None = None) -> Evidence:
    good = evidence(conditions)
    return good.model_copy(update={"quote": encode_base64(change(decode_base64(good.quote)))})


def with_collateral(conditions: Conditions | None = None, **fields: Any) -> Evidence:
    good = evidence(conditions)
    return good.model_copy(update={"collateral": good.collateral.model_copy(update=fields)})


def appraise(
    made: Evidence | Conditions | None = None,
    *,
    policy: AppraisalPolicy = SIMULATED_POLICY,
    roots: tuple[HardwareRoot, ...] | None = None,
    expected: Expected = EXPECTED,
    at: datetime = NOW,
) -> AttestationResult:
    found = made if isinstance(made, Evidence) else evidence(made)
    trusted = (platform().root,) if roots is None else roots
    return judge(found, policy=policy, roots=trusted, expected=expected, at=at)


@contextmanager
def refused(code: str, *failing: str, words: str = "") -> Iterator[None]:
    """Assert that appraisal fails with ``code``, and that exactly the claims named ``failing`` do not hold, if any are."""
    with pytest.raises(AppraisalRefused) as caught:
        yield
    assert caught.value.code == code, caught.value
    assert words in caught.value.detail
    if failing:
        assert caught.value.result is not None
        assert [line.claim for line in caught.value.result.claims if line.holds == "no"] == list(failing)


def library(quote: bytes, collateral: Collateral, at: datetime = NOW, root: HardwareRoot | None = None) -> str:
    """Return the JSON of what dcap-qvl alone makes of it, or raise its ValueError."""
    now = int(at.timestamp())
    claims = dcap_qvl.QuoteVerifier((root or platform().root).certificate_der).verify_with_policy(
        quote,
        dcap_qvl.QuoteCollateralV3.from_json(collateral.model_dump_json()),
        now,
        dcap_qvl.QuotePolicy.claims_only(now),
    )
    return str(claims.to_json())
