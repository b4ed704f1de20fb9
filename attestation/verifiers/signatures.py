"""Our own look at chains, signatures, dates and revocation, beside the verification library's.

Both must agree before evidence is accepted. These checks give each refusal its own code, and they look at what the
library was seen not to look at: who signed the collateral, the PCK CRL's issuer chain, CRL numbers, dates of issue in
the future, the root's own dates, the PCE that TCB information is for.
"""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.x509.oid import NameOID

from attestation.endorsements import Crl, Endorsements, SignedItem, load_certificate
from attestation.policy import CollateralAge
from attestation.quote import Quote
from attestation.verdict import Check, check
from attestation.verifiers.dcap import pck_platform
from protocol.errors import AttestationError
from protocol.types import format_time

__all__ = ["check_endorsements", "check_quote_signatures"]

_SGX_EXTENSION = x509.ObjectIdentifier("1.2.840.113741.1.13.1")
_TCB_SIGNING = "SGX TCB Signing"
_PCK_CAS = ("PCK Platform CA", "PCK Processor CA")


def check_quote_signatures(quote: Quote, at: datetime) -> Iterator[Check]:
    """Check the chain from root to PCK leaf, and from the leaf through the quoting enclave to the report."""
    leaf, fault = _pck_chain(quote, at)
    yield check(
        "PCK_CHAIN",
        "PCK certificate chain",
        found=fault or "signed, in date",
        wanted="signed, in date",
        holds=not fault,
    )
    yield check(
        "QE_SIGNATURE",
        "quoting enclave's report",
        found=_word(signed := leaf is not None and _verifies(leaf, quote.qe_signature, quote.qe_signed)),
        wanted="signed by the PCK leaf",
        holds=signed,
    )
    bound = hashlib.sha256(quote.attestation_key + quote.authentication).digest() + bytes(32)
    yield check(
        "QE_BINDING",
        "attestation key",
        found=_word(holds := quote.qe_report.report_data == bound),
        wanted="named by the quoting enclave's report",
        holds=holds,
    )
    key = _point(quote.attestation_key)
    yield check(
        "QUOTE_SIGNATURE",
        "quote",
        found=_word(signed := key is not None and _verifies(key, quote.signature, quote.signed)),
        wanted="signed by the attestation key",
        holds=signed,
    )


def check_endorsements(
    raw: bytes, quote: Quote, endorsements: Endorsements, ages: CollateralAge, at: datetime
) -> Iterator[Check]:
    """Check that each item of collateral is signed by whom it must be, in date, and about this platform."""
    yield check(
        "CRL_ISSUER",
        "PCK CRL issuer chain",
        found="other certificates" if (other := _crl_chain_differs(quote, endorsements)) else "those of the quote",
        wanted="the CA and root of the quote",
        holds=not other,
    )
    intermediate, root = _certificate(quote.chain.intermediate), _certificate(quote.chain.root)
    yield from _crl(endorsements.pck_crl, intermediate)
    yield from _crl(endorsements.root_ca_crl, root)
    for item in (endorsements.tcb_info, endorsements.qe_identity):
        yield _signer(item, quote.chain.root, at)
        yield check(
            "COLLATERAL_SIGNATURE",
            f"{item.name} signature",
            found=_word(signed := _verifies(item.signer, item.signature, item.data)),
            wanted="made by its signing certificate",
            holds=signed,
        )
    yield _dates(endorsements.tcb_info, ages.tcb_info, at)
    yield _dates(endorsements.qe_identity, ages.qe_identity, at)
    yield _dates(endorsements.pck_crl, ages.pck_crl, at)
    yield _dates(endorsements.root_ca_crl, ages.root_ca_crl, at)
    yield _revocation(quote, endorsements)
    stated = pck_platform(raw)
    wanted = (endorsements.fmspc, endorsements.pce_id)
    yield check(
        "OTHER_PLATFORM",
        "TCB information's platform",
        found=_platform(wanted),
        wanted="no platform" if stated is None else _platform(stated),
        holds=stated == wanted,
    )


def _pck_chain(quote: Quote, at: datetime) -> tuple[x509.Certificate | None, str]:
    """Return the PCK leaf where it can be read, and what is wrong with the chain, if anything."""
    leaf, intermediate, root = (
        _certificate(der) for der in (quote.chain.leaf, quote.chain.intermediate, quote.chain.root)
    )
    if leaf is None or intermediate is None or root is None:
        return leaf, "a certificate cannot be read"
    if not _issued(leaf, intermediate) or not _issued(intermediate, root):
        return leaf, "a certificate is not signed by the next one"
    if not (_common_name(intermediate).endswith(_PCK_CAS) and _common_name(leaf).endswith("SGX PCK Certificate")):
        return leaf, f"{_common_name(leaf)} under {_common_name(intermediate)}"
    late = [_common_name(certificate) for certificate in (leaf, intermediate) if not _in_date(certificate, at)]
    return leaf, f"out of date: {', '.join(late)}" if late else ""


def _crl_chain_differs(quote: Quote, endorsements: Endorsements) -> bool:
    return endorsements.crl_chain != (quote.chain.intermediate, quote.chain.root)


def _crl(crl: Crl, issuer: x509.Certificate | None) -> Iterator[Check]:
    signed = issuer is not None and crl.list.issuer == issuer.subject and _crl_signed(crl.list, issuer)
    yield check(
        "CRL_SIGNATURE", f"{crl.name} signature", found=_word(signed), wanted="made by its issuer", holds=signed
    )
    yield check(
        "CRL_NUMBER",
        f"{crl.name} number",
        found="none within 32 bits" if crl.number is None else str(crl.number),
        wanted="a number of at most 32 bits",
        holds=crl.number is not None,
    )


def _signer(item: SignedItem, root: bytes, at: datetime) -> Check:
    """Only the TCB signing certificate, directly under the same root, may sign: dcap-qvl takes a PCK leaf too."""
    authority = _certificate(root)
    fault = ""
    if item.root != root:
        fault = "under another root than the quote"
    elif authority is None or not _issued(item.signer, authority):
        fault = "not signed by the root"
    elif not _common_name(item.signer).endswith(_TCB_SIGNING) or _is_pck(item.signer):
        fault = _common_name(item.signer)
    elif not _in_date(item.signer, at):
        fault = "out of date"
    return check(
        "COLLATERAL_SIGNER",
        f"{item.name} signer",
        found=fault or _common_name(item.signer),
        wanted=f"the {_TCB_SIGNING} certificate of the root",
        holds=not fault,
    )


def _dates(item: SignedItem | Crl, days: int, at: datetime) -> Check:
    age = (at - item.issued).total_seconds() / 86_400
    code = ""
    if item.issued > at:
        code = "COLLATERAL_FUTURE"
    elif item.expires <= at:
        code = "COLLATERAL_EXPIRED"
    elif age > days:
        code = "COLLATERAL_AGE"
    return check(
        code or "COLLATERAL_EXPIRED",
        f"{item.name} dates",
        found=f"{format_time(item.issued)} to {format_time(item.expires)}",
        wanted=f"valid at {format_time(at)}, at most {days} days old",
        holds=not code,
    )


def _revocation(quote: Quote, endorsements: Endorsements) -> Check:
    leaf, intermediate = _certificate(quote.chain.leaf), _certificate(quote.chain.intermediate)
    by_root = [intermediate, endorsements.tcb_info.signer, endorsements.qe_identity.signer]
    suspects = [(endorsements.pck_crl, leaf), *((endorsements.root_ca_crl, certificate) for certificate in by_root)]
    revoked = [
        _common_name(certificate)
        for crl, certificate in suspects
        if certificate is not None
        and crl.list.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None
    ]
    return check(
        "REVOKED",
        "revocation",
        found=f"revoked: {', '.join(revoked)}" if revoked else "nothing revoked",
        wanted="nothing revoked",
        holds=not revoked,
    )


def _certificate(der: bytes) -> x509.Certificate | None:
    try:
        return load_certificate("certificate", der)
    except AttestationError:
        return None


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _crl_signed(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    key = issuer.public_key()
    try:
        return isinstance(key, ec.EllipticCurvePublicKey) and crl.is_signature_valid(key)
    except (UnsupportedAlgorithm, ValueError, TypeError):
        return False


def _verifies(signer: x509.Certificate | ec.EllipticCurvePublicKey, signature: bytes, data: bytes) -> bool:
    key = signer.public_key() if isinstance(signer, x509.Certificate) else signer
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return False
    half = len(signature) // 2
    r, s = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
    try:
        key.verify(encode_dss_signature(r, s), data, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def _point(raw: bytes) -> ec.EllipticCurvePublicKey | None:
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + raw)
    except ValueError:
        return None


def _common_name(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if len(names) == 1 else "a certificate without one common name"


def _is_pck(certificate: x509.Certificate) -> bool:
    return any(extension.oid == _SGX_EXTENSION for extension in certificate.extensions)


def _in_date(certificate: x509.Certificate, at: datetime) -> bool:
    return certificate.not_valid_before_utc <= at.astimezone(UTC) <= certificate.not_valid_after_utc


def _platform(found: tuple[bytes, bytes]) -> str:
    return f"FMSPC {found[0].hex()}, PCE {found[1].hex()}"


def _word(holds: bool) -> str:  # noqa: FBT001 - one value, shown as a word
    return "yes" if holds else "no"
