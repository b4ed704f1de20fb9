"""Checks of single items of collateral: who signed them, and when they are valid.

The appraisal makes all of them at once; whoever fetches an item makes them before it replaces another.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from attestation.certificates import common_name, in_date, is_issued_by, is_pck, public_key
from attestation.endorsements import Crl, SignedItem
from attestation.verdict import Check, check
from protocol.types import format_time

__all__ = ["check_crl", "check_dates", "check_signed", "check_valid", "verifies"]

_TCB_SIGNING: Final = "SGX TCB Signing"
_DAY: Final = 86_400


def check_crl(crl: Crl, issuer: x509.Certificate) -> Iterator[Check]:
    """Check who signed a list, and that it has a number."""
    signed = crl.list.issuer == issuer.subject and crl.list.is_signature_valid(public_key(issuer))
    yield check_valid("CRL_SIGNATURE", f"{crl.name} signature", "made by its issuer", holds=signed)
    yield check(
        "CRL_NUMBER",
        f"{crl.name} number",
        found="none" if crl.number is None else str(crl.number),
        wanted="a number of at most 32 bits",
        holds=crl.number is not None,
    )


def check_signed(item: SignedItem, root_der: bytes, root: x509.Certificate, at: datetime) -> Iterator[Check]:
    """Check who signed TCB information or a QE identity, and the signature."""
    yield _signer(item, root_der, root, at)
    signed = verifies(public_key(item.signer), item.signature, item.data)
    yield check_valid("COLLATERAL_SIGNATURE", f"{item.name} signature", "made by its signing certificate", holds=signed)


def check_dates(item: SignedItem | Crl, days: int, at: datetime) -> Check:
    """Check that an item was issued, has not run out, and is not older than ``days``."""
    code = ""
    if item.issued > at:
        code = "COLLATERAL_FUTURE"
    elif item.expires <= at:
        code = "COLLATERAL_EXPIRED"
    elif (at - item.issued).total_seconds() > days * _DAY:
        code = "COLLATERAL_AGE"
    return check(
        code or "COLLATERAL_EXPIRED",
        f"{item.name} dates",
        found=f"{format_time(item.issued)} to {format_time(item.expires)}",
        wanted=f"valid at {format_time(at)} and at most {days} days old",
        holds=not code,
    )


def check_valid(code: str, claim: str, wanted: str, *, holds: bool) -> Check:
    """Make the line of a claim that is valid or not."""
    return check(code, claim, found="valid" if holds else "not valid", wanted=wanted, holds=holds)


def verifies(key: ec.EllipticCurvePublicKey, signature: bytes, data: bytes) -> bool:
    """Whether a signature r || s of 64 bytes verifies; either of its two forms does."""
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    try:
        key.verify(encode_dss_signature(r, s), data, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def _signer(item: SignedItem, root_der: bytes, root: x509.Certificate, at: datetime) -> Check:
    """Only the TCB signing certificate, directly under the quote's own root, may sign; dcap-qvl takes a PCK too."""
    fault = ""
    if item.root != root_der or not is_issued_by(item.signer, root):
        fault = "not issued by the quote's root"
    elif not common_name(item.signer).endswith(_TCB_SIGNING) or is_pck(item.signer):
        fault = common_name(item.signer)
    elif not in_date(item.signer, at):
        fault = "out of date"
    return check(
        "COLLATERAL_SIGNER",
        f"{item.name} signer",
        found=fault or common_name(item.signer),
        wanted=f"the root's {_TCB_SIGNING} certificate",
        holds=not fault,
    )
