"""The strict parser of SGX quotes: DCAP quote version 3, ECDSA on P-256, certification data of type 5.

A quote has one length only: nothing may follow the signature data, nothing may hide inside it, reserved bytes are
zero. What this parser returns is not verified. Layout: Intel SGX ECDSA QuoteLibReference, appendix A.4.

A signature (r, s) has a twin (r, n - s), so two different quotes can say the same: evidence is named by the digest of
its claims, and nothing may be keyed on the bytes of a quote.
"""

import re
from dataclasses import dataclass, field

from protocol.errors import AttestationError
from protocol.types import decode_base64

__all__ = ["MAX_QUOTE", "PckChain", "Quote", "QuoteHeader", "ReportBody", "parse_quote", "split_chain"]

MAX_QUOTE = 16_384
"""No quote is longer, in bytes."""
MAX_AUTHENTICATION = 1_024
MAX_CHAIN = 12_288

_HEADER = 48
_REPORT = 384
_SIGNATURE = 64
_TDX = 0x81
_VERSION = 3
_ECDSA_P256 = 2
_PCK_CHAIN_PEM = 5
_CERTIFICATE = re.compile(
    rb"-----BEGIN CERTIFICATE-----\n((?:[A-Za-z0-9+/]{64}\n)*[A-Za-z0-9+/]{1,64}={0,2}\n)-----END CERTIFICATE-----\n"
)
_CHAIN_LENGTH = 3


@dataclass(frozen=True, slots=True)
class QuoteHeader:
    """The first 48 bytes. ``qe_svn`` and ``pce_svn`` are what the quoting enclave claims."""

    version: int
    attestation_key_type: int
    qe_svn: int
    pce_svn: int
    qe_vendor_id: bytes
    user_data: bytes


@dataclass(frozen=True, slots=True)
class ReportBody:
    """An SGX report of 384 bytes. ``flags`` and ``xfrm`` are the two halves of ATTRIBUTES, as numbers."""

    cpu_svn: bytes
    miscselect: int
    isv_ext_prod_id: bytes
    flags: int
    xfrm: int
    mr_enclave: bytes
    mr_signer: bytes
    config_id: bytes
    isv_prod_id: int
    isv_svn: int
    config_svn: int
    isv_family_id: bytes
    report_data: bytes


@dataclass(frozen=True, slots=True)
class PckChain:
    """The certificates of the platform, each in DER: the PCK leaf, the CA that issued it, the root."""

    leaf: bytes
    intermediate: bytes
    root: bytes


@dataclass(frozen=True, slots=True)
class Quote:
    """A parsed quote; nothing in it is verified. ``signed`` is what ``signature`` covers: header and report."""

    header: QuoteHeader
    report: ReportBody
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    attestation_key: bytes = field(repr=False)
    qe_report: ReportBody = field(repr=False)
    qe_signed: bytes = field(repr=False)
    qe_signature: bytes = field(repr=False)
    authentication: bytes = field(repr=False)
    chain: PckChain = field(repr=False)


class _Reader:
    """Takes bytes from the front; asking for more than there is refuses the quote."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._data):
            raise AttestationError("QUOTE_LENGTH", f"The quote ends at byte {len(self._data)}, wanted at least {end}.")
        piece, self._at = self._data[self._at : end], end
        return piece

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def zeros(self, size: int) -> None:
        at = self._at
        if any(self.take(size)):
            raise AttestationError("QUOTE_RESERVED", f"The {size} reserved bytes at {at} are not zero.")

    def end(self, what: str) -> None:
        if left := len(self._data) - self._at:
            raise AttestationError("QUOTE_LENGTH", f"{left} bytes follow {what}; none may.")


def parse_quote(data: bytes) -> Quote:
    """Read a quote.

    Raises
    ------
    AttestationError
        ``QUOTE_LENGTH`` too short, too long, or bytes that belong to nothing; ``QUOTE_TEE`` not SGX;
        ``QUOTE_VERSION``; ``QUOTE_KEY_TYPE``; ``QUOTE_RESERVED``; ``QUOTE_CERTIFICATION`` another type of certification
        data than a PEM chain; ``QUOTE_CHAIN`` a chain that is not three PEM certificates and nothing else.
    """
    if len(data) > MAX_QUOTE:
        raise AttestationError("QUOTE_LENGTH", f"The quote has {len(data)} bytes, wanted at most {MAX_QUOTE}.")
    reader = _Reader(data)
    header = _header(reader)
    report = _report(reader)
    signature_data = _Reader(reader.take(reader.number(4)))
    reader.end("the signature data")
    signature = signature_data.take(_SIGNATURE)
    attestation_key = signature_data.take(64)
    qe_signed = signature_data.take(_REPORT)
    qe_signature = signature_data.take(_SIGNATURE)
    authentication = signature_data.take(_bounded(signature_data.number(2), MAX_AUTHENTICATION, "authentication data"))
    kind = signature_data.number(2)
    if kind != _PCK_CHAIN_PEM:
        raise AttestationError(
            "QUOTE_CERTIFICATION",
            f"Found certification data of type {kind}, wanted type {_PCK_CHAIN_PEM}, a PEM chain.",
        )
    chain = signature_data.take(_bounded(signature_data.number(4), MAX_CHAIN, "certification data"))
    signature_data.end("the certification data")
    return Quote(
        header=header,
        report=report,
        signed=data[: _HEADER + _REPORT],
        signature=signature,
        attestation_key=attestation_key,
        qe_report=_report(_Reader(qe_signed)),
        qe_signed=qe_signed,
        qe_signature=qe_signature,
        authentication=authentication,
        chain=_pck_chain(chain),
    )


def split_chain(pem: bytes) -> tuple[bytes, ...]:
    """Return the DER of PEM certificates that follow each other with nothing between, before or after them.

    Raises ``ValueError`` for anything else, an empty chain included.
    """
    found, at = [], 0
    while at < len(pem):
        match = _CERTIFICATE.match(pem, at)
        if match is None:
            raise ValueError("not a plain sequence of PEM certificates")
        found.append(decode_base64(match[1].replace(b"\n", b"").decode("ascii")))
        at = match.end()
    if not found:
        raise ValueError("no certificate")
    return tuple(found)


def _header(reader: _Reader) -> QuoteHeader:
    version = reader.number(2)
    key_type = reader.number(2)
    tee = reader.number(4)
    if tee == _TDX:
        raise AttestationError("QUOTE_TEE", f"Found a TDX quote (version {version}), wanted an SGX quote.")
    if version != _VERSION:
        raise AttestationError("QUOTE_VERSION", f"Found a quote of version {version}, wanted version {_VERSION}.")
    if tee:
        raise AttestationError("QUOTE_TEE", f"Found a quote for TEE type {tee:#x}, wanted 0, SGX.")
    if key_type != _ECDSA_P256:
        raise AttestationError(
            "QUOTE_KEY_TYPE", f"Found attestation key type {key_type}, wanted {_ECDSA_P256}, ECDSA on P-256."
        )
    return QuoteHeader(
        version=version,
        attestation_key_type=key_type,
        qe_svn=reader.number(2),
        pce_svn=reader.number(2),
        qe_vendor_id=reader.take(16),
        user_data=reader.take(20),
    )


def _report(reader: _Reader) -> ReportBody:
    cpu_svn, miscselect = reader.take(16), reader.number(4)
    reader.zeros(12)
    isv_ext_prod_id, flags, xfrm, mr_enclave = reader.take(16), reader.number(8), reader.number(8), reader.take(32)
    reader.zeros(32)
    mr_signer = reader.take(32)
    reader.zeros(32)
    config_id, isv_prod_id, isv_svn, config_svn = reader.take(64), reader.number(2), reader.number(2), reader.number(2)
    reader.zeros(42)
    return ReportBody(
        cpu_svn=cpu_svn,
        miscselect=miscselect,
        isv_ext_prod_id=isv_ext_prod_id,
        flags=flags,
        xfrm=xfrm,
        mr_enclave=mr_enclave,
        mr_signer=mr_signer,
        config_id=config_id,
        isv_prod_id=isv_prod_id,
        isv_svn=isv_svn,
        config_svn=config_svn,
        isv_family_id=reader.take(16),
        report_data=reader.take(64),
    )


def _bounded(size: int, limit: int, what: str) -> int:
    if size > limit:
        raise AttestationError("QUOTE_LENGTH", f"The {what} claims {size} bytes, wanted at most {limit}.")
    return size


def _pck_chain(pem: bytes) -> PckChain:
    try:
        # Intel's own library ends the chain with one NUL, others do not.
        certificates = split_chain(pem.removesuffix(b"\x00"))
    except ValueError as error:
        raise AttestationError("QUOTE_CHAIN", f"The certificate chain in the quote is {error}.") from error
    if len(certificates) != _CHAIN_LENGTH:
        raise AttestationError(
            "QUOTE_CHAIN",
            f"The chain in the quote holds {len(certificates)} certificates, wanted {_CHAIN_LENGTH}: leaf, CA, root.",
        )
    return PckChain(*certificates)
