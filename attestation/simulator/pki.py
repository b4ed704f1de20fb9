"""The simulated platform's keys and certificates, made once for an installation.

They follow Intel's "SGX PCK Certificate and CRL profile": a root, the Platform CA that issues the PCK leaf, and the
certificate that signs TCB information. The root's subject says SIMULATED; no other name can be given to it.
"""

import hashlib
import os
import secrets
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from attestation.roots import SIMULATED_ROOT_NAME
from attestation.simulator import der
from protocol.errors import StorageError

__all__ = [
    "CPU_SVN",
    "FMSPC",
    "PCE_ID",
    "PCE_SVN",
    "PlatformKeys",
    "Processor",
    "certify_anew",
    "create_keys",
    "load_or_create_keys",
]

FMSPC: Final = bytes.fromhex("5ea100000001")
"""The simulated family of processors."""
PCE_ID: Final = bytes(2)
PCE_SVN: Final = 13
CPU_SVN: Final = bytes([12, 12, 3, 3, 255, 255, 1, *[0] * 9])
_SGX_EXTENSION = "1.2.840.113741.1.13.1"
_CRL_URL = "https://simulated.invalid/sgx/"
_LIFE = timedelta(days=3650)
_KEYS: Final = ("root", "intermediate", "pck", "tcb_signing", "attestation")
_CERTIFICATES: Final = ("root", "intermediate", "pck", "tcb_signing")
_NAMES: Final = {
    "root": SIMULATED_ROOT_NAME,
    "intermediate": "SIMULATED SEALROOM SGX PCK Platform CA",
    "pck": "SIMULATED SEALROOM SGX PCK Certificate",
    "tcb_signing": "SIMULATED SEALROOM SGX TCB Signing",
}
_SIGNERS: Final = {"root": "root", "intermediate": "root", "pck": "intermediate", "tcb_signing": "root"}


@dataclass(frozen=True, slots=True)
class Processor:
    """What a PCK certificate says of its platform. Without ``ppid`` the platform's name follows from its PCK key."""

    fmspc: bytes = FMSPC
    pce_id: bytes = PCE_ID
    cpu_svn: bytes = CPU_SVN
    pce_svn: int = PCE_SVN
    ppid: bytes | None = None
    dynamic_platform: bool = False
    cached_keys: bool = False
    smt: bool = False


@dataclass(frozen=True, slots=True)
class PlatformKeys:
    """The private keys and certificates of a simulated platform. ``attestation`` is the quoting enclave's key."""

    keys: dict[str, ec.EllipticCurvePrivateKey]
    certificates: dict[str, x509.Certificate]

    def __repr__(self) -> str:
        return "PlatformKeys(...)"


def create_keys(at: datetime, *, root_life: timedelta = _LIFE) -> PlatformKeys:
    """Make the keys and certificates of a new platform, valid from ``at``, for ten years unless ``root_life`` says."""
    keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in _KEYS}
    made: dict[str, x509.Certificate] = {}
    for name in _CERTIFICATES:
        life = root_life if name == "root" else _LIFE
        made[name] = _issue(name, _NAMES[name], keys, made.get(_SIGNERS[name]), (at, at + life))
    return PlatformKeys(keys, made)


def certify_anew(
    made: PlatformKeys,
    *,
    processor: Processor | None = None,
    expired: Collection[str] = (),
    early: Collection[str] = (),
    misnamed: Collection[str] = (),
) -> PlatformKeys:
    """Issue certificates of the same keys that a verifier must refuse, or for another ``processor``.

    What is ``expired`` ended before the platform was made, what is ``early`` starts when its life ends; what is
    ``misnamed`` has a common name that stands for nothing. All others stay as they are.
    """
    root = made.certificates["root"]
    start, end = root.not_valid_before_utc, root.not_valid_after_utc
    day = timedelta(days=1)
    certificates = dict(made.certificates)
    for name in _CERTIFICATES:
        if name not in {*expired, *early, *misnamed, *(("pck",) if processor else ())}:
            continue
        span = (start, end)
        if name in expired:
            span = (start - 10 * day, start - day)
        elif name in early:
            span = (end - day, end)
        certificates[name] = _issue(
            name,
            "SIMULATED SEALROOM Certificate" if name in misnamed else _NAMES[name],
            made.keys,
            None if name == "root" else certificates[_SIGNERS[name]],
            span,
            processor=processor or Processor(),
        )
    return PlatformKeys(made.keys, certificates)


def load_or_create_keys(folder: Path, at: datetime) -> PlatformKeys:
    """Read the platform's keys from ``folder``, or make them there: files of mode 0600, all or none.

    Raises
    ------
    StorageError
        ``PLATFORM_KEYS`` where files are missing or damaged.
    """
    if not folder.exists():
        _store(create_keys(at), folder)
    try:
        return _read(folder)
    except (OSError, ValueError, TypeError) as error:
        raise StorageError(
            "PLATFORM_KEYS",
            f"The simulated platform's keys in {folder.name} are incomplete or damaged. Remove the folder to make a "
            "new platform; its pins have to be renewed then.",
        ) from error


def _read(folder: Path) -> PlatformKeys:
    keys: dict[str, ec.EllipticCurvePrivateKey] = {}
    for name in _KEYS:
        key = serialization.load_pem_private_key((folder / f"{name}.key.pem").read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError(name)
        keys[name] = key
    certificates = {
        name: x509.load_pem_x509_certificate((folder / f"{name}.pem").read_bytes()) for name in _CERTIFICATES
    }
    if any(certificates[name].public_key() != keys[name].public_key() for name in _CERTIFICATES):
        raise ValueError("certificate and key differ")
    return PlatformKeys(keys, certificates)


def _store(made: PlatformKeys, folder: Path) -> None:
    draft = folder.with_name(f"{folder.name}.{secrets.token_hex(8)}")
    draft.mkdir(mode=0o700, parents=True)
    for name, key in made.keys.items():
        _write(
            draft / f"{name}.key.pem",
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
        )
    for name, certificate in made.certificates.items():
        _write(draft / f"{name}.pem", certificate.public_bytes(serialization.Encoding.PEM))
    try:
        draft.rename(folder)
    except OSError:  # another process was first: its platform is the platform
        shutil.rmtree(draft)


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _issue(
    name: str,
    common_name: str,
    keys: dict[str, ec.EllipticCurvePrivateKey],
    issuer: x509.Certificate | None,
    span: tuple[datetime, datetime],
    *,
    processor: Processor = Processor(),
) -> x509.Certificate:
    """Issue the certificate of one key, under ``issuer`` or by itself; a PCK certificate describes ``processor``."""
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "SIMULATED: no hardware stands behind this"),
        ]
    )
    signer = _SIGNERS[name]
    authority = name in {"root", "intermediate"}
    signer_public = keys[signer].public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(keys[name].public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(span[0])
        .not_valid_after(span[1])
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer_public), critical=False)
        .add_extension(_distribution_point(signer), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(keys[name].public_key()), critical=False)
        .add_extension(_key_usage(authority=authority), critical=True)
        .add_extension(
            x509.BasicConstraints(ca=authority, path_length={"root": 1, "intermediate": 0}.get(name)), critical=True
        )
    )
    if name == "pck":
        builder = builder.add_extension(
            x509.UnrecognizedExtension(x509.ObjectIdentifier(_SGX_EXTENSION), _sgx_extension(keys["pck"], processor)),
            critical=False,
        )
    return builder.sign(keys[signer], hashes.SHA256())


def _distribution_point(signer: str) -> x509.CRLDistributionPoints:
    location = x509.UniformResourceIdentifier(f"{_CRL_URL}{signer}.crl")
    return x509.CRLDistributionPoints([x509.DistributionPoint([location], None, None, None)])


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=not authority,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _sgx_extension(pck: ec.EllipticCurvePrivateKey, processor: Processor) -> bytes:
    """Encode Intel's SGX extension: platform, TCB components, PCE, family, type, instance, configuration."""

    def entry(suffix: str, value: bytes) -> bytes:
        return der.sequence(der.object_identifier(f"{_SGX_EXTENSION}.{suffix}"), value)

    point = pck.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    platform = hashlib.sha256(b"sealroom simulated platform\x00" + point).digest()
    components = [entry(f"2.{number}", der.integer(svn)) for number, svn in enumerate(processor.cpu_svn, start=1)]
    tcb = der.sequence(
        *components, entry("2.17", der.integer(processor.pce_svn)), entry("2.18", der.octets(processor.cpu_svn))
    )
    flags = (processor.dynamic_platform, processor.cached_keys, processor.smt)
    configuration = der.sequence(*(entry(f"7.{at}", der.boolean(value=flag)) for at, flag in enumerate(flags, start=1)))
    return der.sequence(
        entry("1", der.octets(platform[:16] if processor.ppid is None else processor.ppid)),
        entry("2", tcb),
        entry("3", der.octets(processor.pce_id)),
        entry("4", der.octets(processor.fmspc)),
        entry("5", der.enumerated(1)),
        entry("6", der.octets(platform[16:])),
        entry("7", configuration),
    )
