"""What a PCK certificate says of its platform: Intel's SGX extension, read strictly.

Layout: Intel SGX PCK Certificate and Certificate Revocation List Profile, section 1.3.5. Only the DER that the profile
needs is read; every length is the shortest, nothing stands twice and nothing is left over. What is read here is as
good as the certificate's signature, which is checked elsewhere.
"""

from dataclasses import dataclass
from typing import Final, Literal

from cryptography import x509
from cryptography.x509.oid import NameOID

from attestation.certificates import MALFORMED, SGX_EXTENSION
from protocol.errors import AttestationError

__all__ = ["PckCa", "PckPlatform", "issuing_ca", "read_pck"]

PckCa = Literal["platform", "processor"]
"""Which of Intel's two CAs issued a PCK certificate: its CRL is fetched by this name."""

_BOOLEAN: Final = 0x01
_INTEGER: Final = 0x02
_OCTETS: Final = 0x04
_OBJECT_IDENTIFIER: Final = 0x06
_ENUMERATED: Final = 0x0A
_SEQUENCE: Final = 0x30
_LONG: Final = 0x80
_LENGTH_OCTETS: Final = 2
_PREFIX: Final = bytes.fromhex("2a864886f84d010d01")  # 1.2.840.113741.1.13.1
_COMPONENTS: Final = 16
_BYTE: Final = 0xFF
_SVN: Final = 0xFFFF


@dataclass(frozen=True, slots=True)
class PckPlatform:
    """A platform as Intel certified it.

    ``ppid`` (16 bytes) names this one platform, ``fmspc`` (6 bytes) its family of processors, ``pce_id`` (2 bytes) its
    provisioning enclave. ``components`` are the 16 SVNs that ``cpu_svn`` stands for. ``sgx_type`` is 0 standard,
    1 scalable, 2 scalable with integrity. ``instance`` and the flags are None where the certificate is silent, as those
    of the Processor CA are.
    """

    ppid: bytes
    components: tuple[int, ...]
    pce_svn: int
    cpu_svn: bytes
    pce_id: bytes
    fmspc: bytes
    sgx_type: int
    instance: bytes | None = None
    dynamic_platform: bool | None = None
    cached_keys: bool | None = None
    smt: bool | None = None


def read_pck(certificate: x509.Certificate) -> PckPlatform:
    """Read the SGX extension of a PCK certificate.

    Raises
    ------
    AttestationError
        ``PCK_EXTENSION`` where there is none, or it is not what Intel's profile describes.
    """
    try:
        extension = certificate.extensions.get_extension_for_oid(SGX_EXTENSION).value
        return _platform(_entries(_whole(extension.public_bytes(), _SEQUENCE)))
    except x509.ExtensionNotFound as error:
        raise AttestationError("PCK_EXTENSION", "Found a certificate without Intel's SGX extension.") from error
    except MALFORMED as error:
        raise AttestationError(
            "PCK_EXTENSION", f"The SGX extension of the PCK certificate is not as Intel's profile says: {error}."
        ) from error


def issuing_ca(certificate: x509.Certificate) -> PckCa:
    """Return which CA issued a PCK certificate, by the issuer's one common name.

    Raises
    ------
    AttestationError
        ``PCK_ISSUER`` where it is neither Intel's Platform CA nor its Processor CA.
    """
    names = certificate.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)
    name = str(names[0].value) if len(names) == 1 else ""
    if name.endswith("SGX PCK Platform CA"):
        return "platform"
    if name.endswith("SGX PCK Processor CA"):
        return "processor"
    raise AttestationError(
        "PCK_ISSUER", "The PCK certificate's issuer is neither Intel's Platform CA nor its Processor CA."
    )


def _platform(entries: dict[bytes, tuple[int, bytes]]) -> PckPlatform:
    tcb = _entries(_typed(entries, "TCB", (2,), _SEQUENCE))
    configuration = _entries(_typed(entries, "configuration", (7,), _SEQUENCE)) if _oid(7) in entries else {}
    return PckPlatform(
        ppid=_octets(entries, "PPID", (1,), 16),
        components=tuple(_number(tcb, "component SVN", (2, place), _BYTE) for place in range(1, _COMPONENTS + 1)),
        pce_svn=_number(tcb, "PCE SVN", (2, 17), _SVN),
        cpu_svn=_octets(tcb, "CPU SVN", (2, 18), 16),
        pce_id=_octets(entries, "PCE ID", (3,), 2),
        fmspc=_octets(entries, "FMSPC", (4,), 6),
        sgx_type=_unsigned(_typed(entries, "SGX type", (5,), _ENUMERATED), "SGX type", _BYTE),
        instance=_octets(entries, "platform instance", (6,), 16) if _oid(6) in entries else None,
        dynamic_platform=_flag(configuration, "dynamic platform", (7, 1)),
        cached_keys=_flag(configuration, "cached keys", (7, 2)),
        smt=_flag(configuration, "SMT", (7, 3)),
    )


def _entries(body: bytes) -> dict[bytes, tuple[int, bytes]]:
    """Read a sequence of pairs (object identifier, value) into values by identifier; unknown ones are let be."""
    found: dict[bytes, tuple[int, bytes]] = {}
    while body:
        pair, body = _take(body, _SEQUENCE)
        identifier, rest = _take(pair, _OBJECT_IDENTIFIER)
        if identifier in found:
            raise ValueError("an item stands there twice")
        tag, value, rest = _any(rest)
        if rest:
            raise ValueError("an item has more than a name and a value")
        found[identifier] = tag, value
    return found


def _typed(entries: dict[bytes, tuple[int, bytes]], what: str, arcs: tuple[int, ...], tag: int) -> bytes:
    found, value = entries.get(_oid(*arcs), (0, b""))
    if found != tag:
        raise ValueError(f"{what} is missing or of another type")
    return value


def _octets(entries: dict[bytes, tuple[int, bytes]], what: str, arcs: tuple[int, ...], size: int) -> bytes:
    value = _typed(entries, what, arcs, _OCTETS)
    if len(value) != size:
        raise ValueError(f"{what} has {len(value)} bytes, wanted {size}")
    return value


def _number(entries: dict[bytes, tuple[int, bytes]], what: str, arcs: tuple[int, ...], limit: int) -> int:
    return _unsigned(_typed(entries, what, arcs, _INTEGER), what, limit)


def _unsigned(value: bytes, what: str, limit: int) -> int:
    number = int.from_bytes(value, "big", signed=True)
    shortest = number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True)
    if value != shortest or not 0 <= number <= limit:
        raise ValueError(f"{what} is not a number from 0 to {limit}")
    return number


def _flag(entries: dict[bytes, tuple[int, bytes]], what: str, arcs: tuple[int, ...]) -> bool | None:
    if _oid(*arcs) not in entries:
        return None
    value = _typed(entries, what, arcs, _BOOLEAN)
    if value not in {b"\x00", b"\xff"}:
        raise ValueError(f"{what} is neither true nor false")
    return value == b"\xff"


def _oid(*arcs: int) -> bytes:
    return _PREFIX + bytes(arcs)


def _whole(data: bytes, tag: int) -> bytes:
    value, rest = _take(data, tag)
    if rest:
        raise ValueError("bytes follow it")
    return value


def _take(data: bytes, tag: int) -> tuple[bytes, bytes]:
    found, value, rest = _any(data)
    if found != tag:
        raise ValueError(f"found DER type {found:#x}, wanted {tag:#x}")
    return value, rest


def _any(data: bytes) -> tuple[int, bytes, bytes]:
    """Read one DER value: its tag, its body, what follows. Lengths up to 65,535, in their one shortest spelling."""
    head = 2
    if len(data) < head:
        raise ValueError("it ends early")
    tag, size = data[0], data[1]
    if size >= _LONG:
        octets = size - _LONG
        size = int.from_bytes(data[head : head + octets], "big")
        # A length that the short form, or fewer octets, can say has a leading zero or is below 128.
        if not 1 <= octets <= _LENGTH_OCTETS or size < _LONG or size.bit_length() <= 8 * (octets - 1):
            raise ValueError("a length is not in its shortest form")
        head += octets
    if len(data) < head + size:
        raise ValueError("it ends early")
    return tag, data[head : head + size], data[head + size :]
