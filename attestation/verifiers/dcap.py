"""The verification library: dcap-qvl decides about signatures, revocation and TCB levels; it applies no policy here.

What it was seen to accept, and we do not, is checked in ``signatures`` and ``attestation.verifier``. Its messages are
for people and change between versions, so no code depends on them but a hint for what only the library looks at.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

import dcap_qvl  # type: ignore[import-untyped] # its stubs come without the py.typed marker
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from attestation.endorsements import collateral_to_json
from attestation.roots import HardwareRoot
from protocol.documents import Collateral
from protocol.errors import AttestationError

__all__ = ["LibraryClaims", "pck_platform", "verify_with_library"]

_HINTS = (
    ("Revoked", "TCB_STATUS"),
    ("No matching TCB level", "TCB_STATUS"),
    ("Debug", "DEBUG"),
    ("QE ", "QE_IDENTITY"),
)
_Flag = Literal["True", "False", "Undefined"]
_Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class _Tcb(_Part):
    status: _Word
    advisory_ids: tuple[_Word, ...]
    eval_data_number: int


class _Pck(_Part):
    dynamic_platform: _Flag
    cached_keys: _Flag
    smt_enabled: _Flag


class _Platform(_Part):
    pck: _Pck


class _QeLevel(_Part):
    tcbStatus: _Word  # noqa: N815 - Intel's own spelling


class _Qe(_Part):
    tcb_level: _QeLevel
    tcb_eval_data_number: int


class _Claims(_Part):
    claims_version: Literal[1]
    tee_type: Literal[0]
    tcb: _Tcb
    platform: _Platform
    qe: _Qe


@dataclass(frozen=True, slots=True)
class LibraryClaims:
    """What the library established of a platform whose evidence it verified; flags are True, False or Undefined."""

    tcb_status: str
    advisories: tuple[str, ...]
    tcb_evaluation: int
    qe_status: str
    qe_evaluation: int
    smt: str
    dynamic_platform: str
    cached_keys: str


def verify_with_library(quote: bytes, collateral: Collateral, root: HardwareRoot, at: datetime) -> LibraryClaims:
    """Verify a quote with its collateral under exactly one root.

    Raises
    ------
    AttestationError
        ``TCB_STATUS``, ``DEBUG``, ``QE_IDENTITY`` or ``QUOTE_REFUSED``, with the library's own words.
    """
    now = int(at.timestamp())
    try:
        claims = dcap_qvl.QuoteVerifier(root.certificate_der).verify_with_policy(
            quote,
            dcap_qvl.QuoteCollateralV3.from_json(collateral_to_json(collateral)),
            now,
            dcap_qvl.QuotePolicy.claims_only(now),
        )
        found = _Claims.model_validate_json(claims.to_json())
    except ValidationError as error:
        raise AttestationError("QUOTE_REFUSED", "dcap-qvl described the platform in unknown words.") from error
    except ValueError as error:
        words = str(error)
        code = next((code for hint, code in _HINTS if hint in words), "QUOTE_REFUSED")
        raise AttestationError(code, f"dcap-qvl refused: {words}") from error
    return LibraryClaims(
        tcb_status=found.tcb.status,
        advisories=found.tcb.advisory_ids,
        tcb_evaluation=found.tcb.eval_data_number,
        qe_status=found.qe.tcb_level.tcbStatus,
        qe_evaluation=found.qe.tcb_eval_data_number,
        smt=found.platform.pck.smt_enabled,
        dynamic_platform=found.platform.pck.dynamic_platform,
        cached_keys=found.platform.pck.cached_keys,
    )


def pck_platform(quote: bytes) -> tuple[bytes, bytes] | None:
    """Return FMSPC and PCE id that the PCK leaf of a quote states, or None where it states none."""
    extension = dcap_qvl.parse_quote(quote).pck_extension()
    return None if extension is None else (extension.fmspc, extension.pce_id)
