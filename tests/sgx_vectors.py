"""Real quotes and their verdicts: ``sgx_vectors.vectors(reference, "SGX")``, ``sgx_vectors.judge(quote, collateral, at)``.

Vectors: ``SEALROOM_REFERENCE/vectors``, described there in SOURCES.md.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

import attested
import pytest

from attestation.endorsements import collateral_from_json
from attestation.quote import parse_quote
from attestation.roots import INTEL_ROOT
from attestation.verifier import AppraisalRefused, Expected, appraise
from protocol.documents import AttestationResult, Collateral, Evidence
from protocol.types import encode_base64

ALL_STATUSES = (
    "UpToDate",
    "SWHardeningNeeded",
    "ConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded",
    "OutOfDate",
    "OutOfDateConfigurationNeeded",
)
HARDWARE = attested.policy("appraisal.toml")
LENIENT = HARDWARE.model_copy(
    update={
        "platform": HARDWARE.platform.model_copy(
            update={
                "tcb_statuses": ALL_STATUSES,
                "minimum_tcb_date": "any",
                "advisories": "any",
                "minimum_tcb_evaluation": 17,
                "minimum_qe_evaluation": 17,
            }
        ),
        "collateral_age_days": HARDWARE.collateral_age_days.model_copy(
            update={"tcb_info": 60, "qe_identity": 60, "pck_crl": 60}
        ),
    }
)
"""Whatever Intel calls the platform: what is tested is which word we find."""


@dataclass(frozen=True)
class Vector:
    name: str
    quote: bytes
    collateral: Collateral
    at: datetime
    verdict: str
    status: str
    advisories: list[str]


def load(folder, tee):
    meta = json.loads((folder / "meta.json").read_text("utf-8"))
    if meta["tee"] != tee:
        return None
    return Vector(
        folder.name,
        (folder / "quote.bin").read_bytes(),
        collateral_from_json((folder / "collateral.json").read_text("utf-8")),
        datetime.fromtimestamp(meta["now"], UTC),
        meta["verdict"],
        meta["status"],
        meta["advisories"],
    )


def vectors(reference, tee):
    found = [load(folder, tee) for folder in sorted((reference / "vectors").iterdir()) if folder.is_dir()]
    return [vector for vector in found if vector is not None]


def judge(quote, collateral, at, policy=LENIENT) -> tuple[str, AttestationResult]:
    """Appraise a quote that is bound to nothing of ours: the verdict is in the error, as REPORT_DATA at best."""
    claims = attested.claims()
    evidence = Evidence(claims=claims, quote=encode_base64(quote), collateral=collateral)
    measurement = parse_quote(quote).report.mr_enclave.hex()
    expected = Expected(measurement=measurement, profile="clinical", contract="dd" * 32, run="cc" * 16, nonces=None)
    with pytest.raises(AppraisalRefused) as caught:
        appraise(evidence, policy=policy, roots=(INTEL_ROOT,), expected=expected, at=at)
    return caught.value.code, caught.value.result


def failing(result):
    return [line.claim for line in result.claims if line.holds == "no"]
