"""Collateral, read strictly: the endorsements with which a quote is judged.

``dcap-qvl`` decides whether signatures and TCB levels hold. What is read here lets ``verifiers.signatures`` check,
beside it, what it was seen not to look at, and give every refusal a code of our own.
"""

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from cryptography import x509
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from attestation.certificates import MALFORMED, load_certificate, require_whole_signature
from attestation.quote import split_chain
from protocol.documents import Collateral
from protocol.errors import AttestationError
from protocol.types import Timestamp, parse_time

__all__ = [
    "Crl",
    "Endorsements",
    "SignedItem",
    "collateral_from_json",
    "collateral_to_json",
    "read_chain",
    "read_crl",
    "read_endorsements",
    "read_qe_identity",
    "read_tcb_info",
]

_SIGNATURE = 64
_SIGNER_CHAIN = 2
_CRL_NUMBER_BITS = 32


class _Signed(BaseModel):
    """The fields of Intel's signed JSON that we read ourselves; the rest is left to the library."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")

    issueDate: Timestamp  # noqa: N815 - Intel's own spelling, here and below
    nextUpdate: Timestamp  # noqa: N815
    tcbEvaluationDataNumber: Annotated[int, Field(ge=0)]  # noqa: N815


class _TcbInfo(_Signed):
    id: Literal["SGX"]
    version: Literal[3]
    fmspc: Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{12}$")]
    pceId: Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{4}$")]  # noqa: N815


class _QeIdentity(_Signed):
    id: Literal["QE"]
    version: Literal[2]


Signed = TypeVar("Signed", bound=_Signed)


@dataclass(frozen=True, slots=True)
class SignedItem:
    """TCB information or a QE identity: its bytes, signature (r || s), signing chain, dates and evaluation number.

    ``fmspc`` and ``pce_id`` say which platforms TCB information is about; those of a QE identity are empty.
    """

    name: str
    data: bytes
    signature: bytes
    signer: x509.Certificate
    root: bytes
    issued: datetime
    expires: datetime
    evaluation: int
    fmspc: bytes = b""
    pce_id: bytes = b""


@dataclass(frozen=True, slots=True)
class Crl:
    """A certificate revocation list; ``number`` is None where it carries none that fits 32 bits."""

    name: str
    list: x509.CertificateRevocationList
    number: int | None
    issued: datetime
    expires: datetime


@dataclass(frozen=True, slots=True)
class Endorsements:
    """Everything in the collateral that is looked at by ourselves. ``crl_chain`` is in DER, issuer first."""

    tcb_info: SignedItem
    qe_identity: SignedItem
    pck_crl: Crl
    root_ca_crl: Crl
    crl_chain: tuple[bytes, ...]
    fmspc: bytes
    pce_id: bytes
    tcb_evaluation: int
    qe_evaluation: int

    @property
    def expires(self) -> datetime:
        """When the first item runs out."""
        items = (self.tcb_info, self.qe_identity, self.pck_crl, self.root_ca_crl)
        return min(item.expires for item in items)


def collateral_from_json(text: str) -> Collateral:
    """Read the JSON form of dcap-qvl's ``QuoteCollateralV3``.

    Raises
    ------
    AttestationError
        ``COLLATERAL_FORMAT`` with the first field that is wrong.
    """
    try:
        return Collateral.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "the whole"
        raise AttestationError("COLLATERAL_FORMAT", f"Not collateral: {where}: {first['msg']}.") from error


def collateral_to_json(collateral: Collateral) -> str:
    """Write the JSON form of dcap-qvl's ``QuoteCollateralV3``."""
    return collateral.model_dump_json()


def read_endorsements(collateral: Collateral) -> Endorsements:
    """Read every item of the collateral.

    Raises
    ------
    AttestationError
        ``COLLATERAL_FORMAT`` with the first item that is not what it must be. Nothing is verified here.
    """
    tcb_info = read_tcb_info(collateral.tcb_info, collateral.tcb_info_signature, collateral.tcb_info_issuer_chain)
    qe_identity = read_qe_identity(
        collateral.qe_identity, collateral.qe_identity_signature, collateral.qe_identity_issuer_chain
    )
    return Endorsements(
        tcb_info=tcb_info,
        qe_identity=qe_identity,
        pck_crl=read_crl("PCK CRL", collateral.pck_crl),
        root_ca_crl=read_crl("root CRL", collateral.root_ca_crl),
        crl_chain=read_chain("PCK CRL issuer chain", collateral.pck_crl_issuer_chain),
        fmspc=tcb_info.fmspc,
        pce_id=tcb_info.pce_id,
        tcb_evaluation=tcb_info.evaluation,
        qe_evaluation=qe_identity.evaluation,
    )


def read_tcb_info(text: str, signature: str, chain: str) -> SignedItem:
    """Read TCB information, its signature in hex and its PEM chain; ``COLLATERAL_FORMAT`` where one is not right."""
    name = "TCB information"
    head = _json(name, text, _TcbInfo)
    item = _signed_item(name, head, text, signature, chain)
    return replace(item, fmspc=bytes.fromhex(head.fmspc), pce_id=bytes.fromhex(head.pceId))


def read_qe_identity(text: str, signature: str, chain: str) -> SignedItem:
    """Read a QE identity, its signature in hex and its PEM chain; ``COLLATERAL_FORMAT`` where one is not right."""
    return _signed_item("QE identity", _json("QE identity", text, _QeIdentity), text, signature, chain)


def _refusal(name: str, why: str) -> AttestationError:
    return AttestationError("COLLATERAL_FORMAT", f"The {name} is {why}.")


def _json(name: str, text: str, kind: type[Signed]) -> Signed:
    try:
        return kind.model_validate(json.loads(text, object_pairs_hook=_no_duplicates))
    except (ValueError, RecursionError) as error:  # pydantic's ValidationError is a ValueError
        raise _refusal(name, f"not the JSON that Intel's API describes for {kind.__name__.strip('_')}") from error


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate key")
    return found


def _signed_item(name: str, head: _Signed, data: str, signature: str, chain: str) -> SignedItem:
    certificates = read_chain(f"{name} issuer chain", chain)
    if len(certificates) != _SIGNER_CHAIN:
        raise _refusal(f"{name} issuer chain", f"{len(certificates)} certificates long, wanted {_SIGNER_CHAIN}")
    raw = bytes.fromhex(signature)
    if len(raw) != _SIGNATURE:
        raise _refusal(f"{name} signature", f"{len(raw)} bytes long, wanted {_SIGNATURE}")
    return SignedItem(
        name=name,
        data=data.encode(),
        signature=raw,
        signer=_certificate(f"{name} signing certificate", certificates[0]),
        root=certificates[1],
        issued=parse_time(head.issueDate),
        expires=parse_time(head.nextUpdate),
        evaluation=head.tcbEvaluationDataNumber,
    )


def read_chain(name: str, pem: str) -> tuple[bytes, ...]:
    """Read a PEM chain into DER certificates; ``COLLATERAL_FORMAT`` where it is none."""
    try:
        # Intel's service ends a chain with a newline, some caches do not.
        return split_chain(pem.removesuffix("\n").encode("ascii") + b"\n")
    except ValueError as error:
        raise _refusal(name, str(error)) from error


def _certificate(name: str, der: bytes) -> x509.Certificate:
    try:
        return load_certificate(der)
    except ValueError as error:
        raise _refusal(name, str(error)) from error


def read_crl(name: str, encoded: str) -> Crl:
    """Read a list from the hex of its DER; ``COLLATERAL_FORMAT`` where it is none."""
    try:
        found = x509.load_der_x509_crl(der := bytes.fromhex(encoded))
        require_whole_signature(der, found.signature)
        expires = found.next_update_utc
        extensions = found.extensions
        _ = found.issuer
    except MALFORMED as error:
        raise _refusal(name, "not a certificate revocation list in DER") from error
    if expires is None:
        raise _refusal(name, "without a date of its next update")
    try:
        number: int | None = extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        number = None
    if number is not None and number.bit_length() > _CRL_NUMBER_BITS:
        number = None
    return Crl(name=name, list=found, number=number, issued=found.last_update_utc, expires=expires)
