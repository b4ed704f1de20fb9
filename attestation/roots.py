"""Hardware roots: the certificates under which evidence may be trusted.

There are two kinds and no third: Intel's SGX root, byte for byte, and roots of software platforms, which say SIMULATED
in their subject. Any other certificate is refused when a root is made of it, so a root that somebody made can neither
equal Intel's nor pass as hardware.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509

from attestation.certificates import common_name, is_issued_by, load_certificate
from attestation.quote import split_chain
from protocol.errors import AttestationError
from protocol.types import Digest

__all__ = ["INTEL_ROOT", "SIMULATED_ROOT_NAME", "HardwareRoot", "load_root"]

SIMULATED_ROOT_NAME: Final = "SIMULATED SEALROOM SGX Root CA"
"""The common name of every simulated root; Intel's own verifier wants "SGX Root CA" in it."""
_INTEL_DER: Final = split_chain((Path(__file__).parent / "intel" / "root_ca.pem").read_bytes())[0]


@dataclass(frozen=True, slots=True)
class HardwareRoot:
    """A root certificate in DER.

    Raises ``AttestationError`` with code ``ROOT`` for a certificate that is neither Intel's nor a well-formed simulated
    root: self-signed on P-256 and named ``SIMULATED_ROOT_NAME``.
    """

    certificate_der: bytes

    def __post_init__(self) -> None:
        if self.simulated:
            _require_simulated_root(self.certificate_der)

    @property
    def simulated(self) -> bool:
        """Whether this is anything but Intel's own root."""
        return self.certificate_der != _INTEL_DER

    @property
    def digest(self) -> Digest:
        """SHA-256 of the certificate: the fingerprint that pins name."""
        return hashlib.sha256(self.certificate_der).hexdigest()

    @property
    def certificate(self) -> x509.Certificate:
        """The parsed certificate."""
        return load_certificate(self.certificate_der)


def load_root(pem: str) -> HardwareRoot:
    """Read a root from one PEM certificate with nothing around it.

    Raises
    ------
    AttestationError
        ``ROOT`` where the text is not that, or ``HardwareRoot`` refuses it.
    """
    try:
        certificates = split_chain(pem.encode("ascii"))
    except ValueError as error:
        raise AttestationError("ROOT", "A hardware root is one PEM certificate with nothing around it.") from error
    if len(certificates) != 1:
        raise AttestationError("ROOT", f"Found {len(certificates)} certificates, wanted one hardware root.")
    return HardwareRoot(certificates[0])


def _require_simulated_root(der: bytes) -> None:
    try:
        certificate = load_certificate(der)
    except ValueError as error:
        raise AttestationError("ROOT", f"The hardware root is {error}.") from error
    if common_name(certificate) != SIMULATED_ROOT_NAME or not is_issued_by(certificate, certificate):
        raise AttestationError(
            "ROOT",
            f"A hardware root is Intel's own certificate or a self-signed one that is named {SIMULATED_ROOT_NAME!r}.",
        )


INTEL_ROOT: Final = HardwareRoot(_INTEL_DER)
"""Intel's SGX root, from ``attestation/intel``."""
