"""The four items that collateral consists of, each vetted for itself before it may replace another.

An item is *authentic* where it is well formed, about this platform and signed under the certificates in the quote, and
*current* where it is in date and not too old. Of two authentic items the newer counts: numbers and dates of issue may
not go back, for an old list or an old judgement of a platform is how a hostile source would hide a new one.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from attestation.certificates import is_issued_by, key_digest
from attestation.endorsements import Crl, SignedItem, read_chain, read_crl, read_qe_identity, read_tcb_info
from attestation.pck import PckCa, PckPlatform, issuing_ca, read_pck
from attestation.policy import CollateralAge
from attestation.quote import PckChain, parse_quote
from attestation.roots import HardwareRoot
from attestation.verdict import Check
from attestation.verifiers.items import check_crl, check_dates, check_signed
from attestation.verifiers.signatures import PckCertificates, read_pck_chain
from protocol.documents import Collateral
from protocol.errors import AttestationError
from protocol.types import Document, format_time

__all__ = [
    "DEFAULT_AGES",
    "KINDS",
    "CollateralItem",
    "ItemKind",
    "PlatformCertificates",
    "Vetted",
    "assemble",
    "read_platform",
    "require_current",
    "require_not_back",
    "vet",
]

ItemKind = Literal["tcb-info", "qe-identity", "pck-crl", "root-crl"]
KINDS: Final[tuple[ItemKind, ...]] = ("tcb-info", "qe-identity", "pck-crl", "root-crl")
DEFAULT_AGES: Final = CollateralAge(tcb_info=30, qe_identity=30, pck_crl=30, root_ca_crl=400)
"""Where no appraisal policy says otherwise: Intel issues the root's list once a year, everything else every 30 days."""
_NAMES: Final[dict[ItemKind, str]] = {
    "tcb-info": "TCB information",
    "qe-identity": "QE identity",
    "pck-crl": "PCK CRL",
    "root-crl": "root CRL",
}
_LISTS: Final = frozenset({"pck-crl", "root-crl"})
_LONGEST: Final[dict[ItemKind, int]] = {
    "tcb-info": 262_144,
    "qe-identity": 65_536,
    "pck-crl": 131_072,
    "root-crl": 131_072,
}
"""Characters: what the fields of ``Collateral`` hold."""


class CollateralItem(Document):
    """One item as a source gave it: ``body`` is signed JSON, or a CRL in hex; a CRL has no ``signature`` of its own."""

    kind: ItemKind
    body: Annotated[str, Field(min_length=2)]
    signature: Annotated[str, Field(pattern=r"^(?:[0-9a-f]{128})?$")] = ""
    issuer_chain: Annotated[str, Field(max_length=32_768)] = ""

    @model_validator(mode="after")
    def _fits_collateral(self) -> Self:
        if len(self.body) > _LONGEST[self.kind]:
            raise ValueError(f"{self.kind} of {len(self.body)} characters, at most {_LONGEST[self.kind]} may be")
        if self.kind in _LISTS and bytes.fromhex(self.body).hex() != self.body:
            raise ValueError(f"{self.kind} is not in lower-case hex")
        return self


@dataclass(frozen=True, slots=True)
class PlatformCertificates:
    """The certificates in a quote and what the PCK leaf says; nothing of the quote itself is verified."""

    der: PckChain
    chain: PckCertificates
    pck: PckPlatform
    ca: PckCa

    def key(self, kind: ItemKind) -> str:
        """Return the name under which an item is kept: of which root, and of what it is about. Safe as a file name.

        A CRL is about its issuer's key, not about a name, which whoever makes certificates may choose.
        """
        root = hashlib.sha256(self.der.root).hexdigest()[:32]
        issuer = key_digest(self.chain[1])
        about = {"tcb-info": f".{self.pck.fmspc.hex()}-{self.pck.pce_id.hex()}", "pck-crl": f".{self.ca}-{issuer[:32]}"}
        return f"{kind}{about.get(kind, '')}.{root}"


@dataclass(frozen=True, slots=True)
class Vetted:
    """An authentic item. ``number`` is a list's CRL number, or the evaluation number of signed JSON."""

    item: CollateralItem
    facts: SignedItem | Crl
    number: int

    @property
    def name(self) -> str:
        """The item in words."""
        return self.facts.name

    def end(self, ages: CollateralAge) -> datetime:
        """When it may be used no longer: run out, or too old."""
        return min(self.facts.expires, self.facts.issued + timedelta(days=_days(self.item.kind, ages)))


def read_platform(quote: bytes) -> PlatformCertificates:
    """Read from a quote whose collateral is wanted.

    Raises
    ------
    AttestationError
        ``QUOTE_*`` where the quote does not parse; ``PCK_CHAIN`` where leaf, CA and root did not issue one another;
        ``PCK_EXTENSION``, ``PCK_ISSUER`` for certificates that are none of SGX; ``ROOT`` for a root that is neither
        Intel's nor a simulated one.
    """
    parsed = parse_quote(quote)
    HardwareRoot(parsed.chain.root)
    chain = read_pck_chain(parsed)
    if chain is None:
        raise AttestationError("PCK_CHAIN", "A certificate in the quote cannot be read.")
    leaf, intermediate, root = chain
    if not (is_issued_by(leaf, intermediate) and is_issued_by(intermediate, root)):
        raise AttestationError("PCK_CHAIN", "The certificates in the quote did not issue one another, up to the root.")
    return PlatformCertificates(der=parsed.chain, chain=chain, pck=read_pck(chain[0]), ca=issuing_ca(chain[0]))


def vet(item: CollateralItem, platform: PlatformCertificates, at: datetime) -> Vetted:
    """Return an item that is authentic for this platform.

    Raises
    ------
    AttestationError
        ``COLLATERAL_FORMAT``, ``COLLATERAL_SIGNER``, ``COLLATERAL_SIGNATURE``, ``CRL_ISSUER``, ``CRL_SIGNATURE``,
        ``CRL_NUMBER``; ``OTHER_PLATFORM`` for TCB information of another platform.
    """
    _leaf, intermediate, root = platform.chain
    name = _NAMES[item.kind]
    if item.kind in _LISTS:
        crl = read_crl(name, item.body)
        if item.kind == "pck-crl":
            _require_issuer(item, platform)
        _require(check_crl(crl, intermediate if item.kind == "pck-crl" else root))
        return Vetted(item, crl, crl.number or 0)
    read = read_tcb_info if item.kind == "tcb-info" else read_qe_identity
    signed = read(item.body, item.signature, item.issuer_chain)
    _require(check_signed(signed, platform.der.root, root, at))
    if item.kind == "tcb-info" and (signed.fmspc, signed.pce_id) != (platform.pck.fmspc, platform.pck.pce_id):
        raise AttestationError(
            "OTHER_PLATFORM",
            f"Found TCB information of FMSPC {signed.fmspc.hex()}, PCE {signed.pce_id.hex()}; wanted that of "
            f"FMSPC {platform.pck.fmspc.hex()}, PCE {platform.pck.pce_id.hex()}.",
        )
    return Vetted(item, signed, signed.evaluation)


def require_current(found: Vetted, ages: CollateralAge, at: datetime) -> None:
    """Require that an item may be used at a time.

    Raises
    ------
    AttestationError
        ``COLLATERAL_FUTURE``, ``COLLATERAL_EXPIRED``, ``COLLATERAL_AGE``.
    """
    _require([check_dates(found.facts, _days(found.item.kind, ages), at)])


def require_not_back(kept: Vetted | None, found: Vetted) -> None:
    """Require that neither number nor date of issue is below that of the item that was kept before.

    Raises
    ------
    AttestationError
        ``COLLATERAL_ROLLBACK``.
    """
    if kept is None or (found.number >= kept.number and found.facts.issued >= kept.facts.issued):
        return
    raise AttestationError(
        "COLLATERAL_ROLLBACK",
        f"Found {found.name} with number {found.number} of {format_time(found.facts.issued)}; number {kept.number} of "
        f"{format_time(kept.facts.issued)} was seen already. Ask who runs the source. If going back is right, remove "
        "the kept item from the cache.",
    )


def assemble(tcb_info: Vetted, qe_identity: Vetted, pck_crl: Vetted, root_crl: Vetted) -> Collateral:
    """Put four items together as collateral."""
    return Collateral(
        pck_crl_issuer_chain=pck_crl.item.issuer_chain,
        root_ca_crl=root_crl.item.body,
        pck_crl=pck_crl.item.body,
        tcb_info_issuer_chain=tcb_info.item.issuer_chain,
        tcb_info=tcb_info.item.body,
        tcb_info_signature=tcb_info.item.signature,
        qe_identity_issuer_chain=qe_identity.item.issuer_chain,
        qe_identity=qe_identity.item.body,
        qe_identity_signature=qe_identity.item.signature,
    )


def _require_issuer(item: CollateralItem, platform: PlatformCertificates) -> None:
    if read_chain("PCK CRL issuer chain", item.issuer_chain) != (platform.der.intermediate, platform.der.root):
        raise AttestationError(
            "CRL_ISSUER", "PCK CRL issuer chain: found other certificates, wanted the quote's CA and root."
        )


def _require(checks: Iterable[Check]) -> None:
    for found in checks:
        if found.holds == "no":
            line = found.verdict()
            raise AttestationError(found.code, f"{line.claim}: found {line.found}, wanted {line.wanted}.")


def _days(kind: ItemKind, ages: CollateralAge) -> int:
    return {
        "tcb-info": ages.tcb_info,
        "qe-identity": ages.qe_identity,
        "pck-crl": ages.pck_crl,
        "root-crl": ages.root_ca_crl,
    }[kind]
