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
from protocol.types import Timestamp

__all__ = ["LibraryClaims", "verify_with_library"]

_HINTS = (
    ("Revoked", "TCB_STATUS"),
    ("No matching TCB level", "TCB_STATUS"),
    ("Debug", "DEBUG"),
    ("Fmspc mismatch", "OTHER_PLATFORM"),
    ("QE ", "QE_IDENTITY"),
)
_ADVISORIES = 200
"""As many as ``AttestationResult`` holds."""
_Flag = Literal["True", "False", "Undefined"]
_Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")]


_Octets = tuple[Annotated[int, Field(ge=0, le=255)], ...]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class _Tcb(_Part):
    status: _Word
    advisory_ids: Annotated[tuple[_Word, ...], Field(max_length=_ADVISORIES)]


class _Pck(_Part):
    ppid: _Octets
    fmspc: _Octets
    pce_id: _Octets
    dynamic_platform: _Flag
    cached_keys: _Flag
    smt_enabled: _Flag


class _Level(_Part):
    tcbDate: Timestamp  # noqa: N815 - Intel's own spelling, here and below


class _Platform(_Part):
    pck: _Pck
    tcb_level: _Level


class _QeLevel(_Part):
    tcbStatus: _Word  # noqa: N815


class _Qe(_Part):
    tcb_level: _QeLevel


class _Claims(_Part):
    claims_version: Literal[1]
    tee_type: Literal[0]
    tcb: _Tcb
    platform: _Platform
    qe: _Qe


@dataclass(frozen=True, slots=True)
class LibraryClaims:
    """What the library established of a platform whose evidence it verified; flags are True, False or Undefined."""

    ppid: bytes
    fmspc: bytes
    pce_id: bytes
    tcb_status: str
    tcb_date: Timestamp
    advisories: tuple[str, ...]
    qe_status: str
    smt: str
    dynamic_platform: str
    cached_keys: str


def verify_with_library(quote: bytes, collateral: Collateral, root: HardwareRoot, at: datetime) -> LibraryClaims:
    """Verify a quote with its collateral under exactly one root.

    Raises
    ------
    AttestationError
        ``TCB_STATUS``, ``DEBUG``, ``OTHER_PLATFORM``, ``QE_IDENTITY`` or ``QUOTE_REFUSED``, in its own words.
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
    except (ValueError, OverflowError) as error:  # a time before 1970 overflows
        words = str(error)
        code = next((code for hint, code in _HINTS if hint in words), "QUOTE_REFUSED")
        raise AttestationError(code, f"dcap-qvl refused: {words}") from error
    return LibraryClaims(
        ppid=bytes(found.platform.pck.ppid),
        fmspc=bytes(found.platform.pck.fmspc),
        pce_id=bytes(found.platform.pck.pce_id),
        tcb_status=found.tcb.status,
        tcb_date=found.platform.tcb_level.tcbDate,
        advisories=found.tcb.advisory_ids,
        qe_status=found.qe.tcb_level.tcbStatus,
        smt=found.platform.pck.smt_enabled,
        dynamic_platform=found.platform.pck.dynamic_platform,
        cached_keys=found.platform.pck.cached_keys,
    )
