"""X.509 certificates as SGX uses them: read completely or refused, keys on P-256 only."""

import hashlib
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

__all__ = [
    "MALFORMED",
    "SGX_EXTENSION",
    "common_name",
    "in_date",
    "is_issued_by",
    "is_pck",
    "key_digest",
    "load_certificate",
    "public_key",
    "require_whole_signature",
]

SGX_EXTENSION: Final = x509.ObjectIdentifier("1.2.840.113741.1.13.1")
"""The extension in which a PCK certificate describes its platform."""

MALFORMED: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
    Warning,  # raised where warnings are errors: names of odd lengths, deprecated encodings
)
"""Whatever the parser of certificates and lists raises; several of these have no family in common."""


def load_certificate(der: bytes) -> x509.Certificate:
    """Parse a certificate, whole, so that no later look at a part of it can fail.

    Raises
    ------
    ValueError
        It is not an X.509 certificate, or its key is not on P-256.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
        # These are parsed when they are looked at, and no sooner.
        _ = certificate.extensions, certificate.subject, certificate.issuer, certificate.not_valid_after_utc
        public_key(certificate)
        _require_positive(certificate.serial_number)
        require_whole_signature(der, certificate.signature)
    except MALFORMED as error:
        raise ValueError("not an X.509 certificate for a key on P-256") from error
    return certificate


def public_key(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey:
    """Return the key; ValueError where it is not on P-256."""
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise ValueError("the key is not on P-256")


def key_digest(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of the key as SubjectPublicKeyInfo: what names an issuer.

    A certificate's own digest names nobody, for its ECDSA signature (r, s) has a twin (r, n - s).
    """
    der = public_key(certificate).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the issuer's name and key vouch for the certificate; dates and extensions are not looked at."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, *MALFORMED):
        return False
    return True


def in_date(certificate: x509.Certificate, at: datetime) -> bool:
    """Whether the certificate is valid at a time, its first and last second included."""
    return certificate.not_valid_before_utc <= at.astimezone(UTC) <= certificate.not_valid_after_utc


def common_name(certificate: x509.Certificate) -> str:
    """Return the one common name of the subject, or words that no certificate is trusted under."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if len(names) == 1 else "(no single common name)"


def is_pck(certificate: x509.Certificate) -> bool:
    """Whether this is the certificate of a platform: it has the SGX extension."""
    return any(extension.oid == SGX_EXTENSION for extension in certificate.extensions)


def require_whole_signature(der: bytes, signature: bytes) -> None:
    """Raise ValueError where the signature, which ends a certificate or list, is not said to be whole bytes.

    X.509 writes it as a BIT STRING. Said to lack its last bits, where those are 0, it verifies all the same: another
    spelling of the same document.
    """
    if der[-len(signature) - 1]:
        raise ValueError("the signature is not whole bytes")


def _require_positive(serial_number: int) -> None:
    if serial_number <= 0:
        raise ValueError("the serial number is not positive")
