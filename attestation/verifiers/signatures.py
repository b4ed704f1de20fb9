"""Our own look at chains, signatures, dates and revocation, beside the verification library's.

Both must agree before evidence is accepted. These checks give each refusal its own code, and they look at what the
library was seen not to look at: who signed the collateral, the PCK CRL's issuer chain, CRL numbers, dates of issue in
the future, the age of each item.
"""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from attestation.certificates import common_name, in_date, is_issued_by, key_digest, load_certificate, public_key
from attestation.endorsements import Crl, Endorsements
from attestation.policy import AppraisalPolicy
from attestation.quote import Quote
from attestation.verdict import LEFT_OUT, Check, check, skipped
from attestation.verifiers.items import check_crl, check_dates, check_signed, check_valid, verifies
from protocol.types import Digest, format_time

__all__ = ["PckCertificates", "check_endorsements", "check_quote_signatures", "read_pck_chain"]

_PCK_CAS: Final = ("SGX PCK Platform CA", "SGX PCK Processor CA")
_PCK: Final = "SGX PCK Certificate"
PckCertificates = tuple[x509.Certificate, x509.Certificate, x509.Certificate]
"""Leaf, CA and root of a platform."""


def read_pck_chain(quote: Quote) -> PckCertificates | None:
    """Parse the certificates in a quote, or return None where one of them is not a certificate."""
    try:
        leaf, intermediate, root = quote.chain.leaf, quote.chain.intermediate, quote.chain.root
        return load_certificate(leaf), load_certificate(intermediate), load_certificate(root)
    except ValueError:
        return None


def check_quote_signatures(quote: Quote, chain: PckCertificates | None, at: datetime) -> Iterator[Check]:
    """Check the chain from root to PCK leaf, and from the leaf through the quoting enclave to the report."""
    fault = _chain_fault(chain, at)
    yield check("PCK_CHAIN", "PCK certificate chain", found=fault or "valid", wanted="valid", holds=not fault)
    signed = chain is not None and verifies(public_key(chain[0]), quote.qe_signature, quote.qe_signed)
    yield check_valid("QE_SIGNATURE", "quoting enclave's report", "signed by the PCK certificate", holds=signed)
    bound = hashlib.sha256(quote.attestation_key + quote.authentication).digest() + bytes(32)
    yield check_valid(
        "QE_BINDING",
        "attestation key",
        "named by the quoting enclave's report",
        holds=quote.qe_report.report_data == bound,
    )
    key = _attestation_key(quote)
    signed = key is not None and verifies(key, quote.signature, quote.signed)
    yield check_valid("QUOTE_SIGNATURE", "quote", "signed by the attestation key", holds=signed)


def check_endorsements(
    chain: PckCertificates,
    quote: Quote,
    endorsements: Endorsements,
    policy: AppraisalPolicy,
    kept: Mapping[Digest, Crl],
    at: datetime,
) -> Iterator[Check]:
    """Check that each item of collateral is signed by whom it must be, in date, and revokes nothing here.

    ``kept`` are the newest revocation lists seen before, as in ``ReferenceValues``: no number may be lower than theirs,
    and they revoke beside the evidence's own.
    """
    ages, floors = policy.collateral_age_days, policy.platform
    leaf, intermediate, root = chain
    same = endorsements.crl_chain == (quote.chain.intermediate, quote.chain.root)
    yield check(
        "CRL_ISSUER",
        "PCK CRL issuer chain",
        found="the quote's CA and root" if same else "other certificates",
        wanted="the quote's CA and root",
        holds=same,
    )
    revoked: list[str] = []
    signers = (intermediate, endorsements.tcb_info.signer, endorsements.qe_identity.signer)
    for crl, issuer, floor, certificates in (
        (endorsements.pck_crl, intermediate, floors.minimum_pck_crl_number, (leaf,)),
        (endorsements.root_ca_crl, root, floors.minimum_root_crl_number, signers),
    ):
        earlier = kept.get(key_digest(issuer))
        yield from check_crl(crl, issuer)
        yield _not_back(crl, floor, earlier)
        revoked += _revoked(crl, certificates, crl.name)
        if earlier is not None:
            signed = earlier.list.is_signature_valid(public_key(issuer))
            yield check_valid("CRL_SIGNATURE", f"kept {crl.name} signature", "made by its issuer", holds=signed)
            revoked += _revoked(earlier, certificates, f"kept {crl.name}")
    for item in (endorsements.tcb_info, endorsements.qe_identity):
        yield from check_signed(item, quote.chain.root, root, at)
    yield check_dates(endorsements.tcb_info, ages.tcb_info, at)
    yield check_dates(endorsements.qe_identity, ages.qe_identity, at)
    yield check_dates(endorsements.pck_crl, ages.pck_crl, at)
    yield check_dates(endorsements.root_ca_crl, ages.root_ca_crl, at)
    yield check(
        "REVOKED", "revocation", found="; ".join(revoked) or "none", wanted="no certificate revoked", holds=not revoked
    )


def _chain_fault(chain: PckCertificates | None, at: datetime) -> str:
    """Say what is wrong with the chain in a quote; nothing where it is right."""
    if chain is None:
        return "a certificate that cannot be read"
    leaf, intermediate, root = chain
    if not is_issued_by(leaf, intermediate) or not is_issued_by(intermediate, root):
        return "a certificate that the next one did not issue"
    if not (common_name(leaf).endswith(_PCK) and common_name(intermediate).endswith(_PCK_CAS)):
        return f"{common_name(leaf)} under {common_name(intermediate)}"
    if not (in_date(leaf, at) and in_date(intermediate, at)):
        return "a certificate out of date"
    return ""


def _not_back(crl: Crl, floor: int | Literal["any"], earlier: Crl | None) -> Check:
    """Refuse a number below the policy's floor, and one below that of the newest list seen of the same issuer."""
    claim, found = f"{crl.name} number's floor", "none" if crl.number is None else str(crl.number)
    bounds = [bound for bound in (floor, earlier.number if earlier else None) if isinstance(bound, int)]
    if not bounds:
        return skipped(claim, found=found, why=f"{LEFT_OUT}, and no earlier list was seen")
    holds = crl.number is not None and crl.number >= max(bounds)
    return check("CRL_ROLLBACK", claim, found=found, wanted=f"at least {max(bounds)}", holds=holds)


def _revoked(crl: Crl, certificates: tuple[x509.Certificate, ...], name: str) -> list[str]:
    """Say which of the certificates the list names; nothing where it names none."""
    found = [
        common_name(certificate)
        for certificate in certificates
        if crl.list.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None
    ]
    return [f"{', '.join(found)} by the {name} of {format_time(crl.issued)}"] if found else []


def _attestation_key(quote: Quote) -> ec.EllipticCurvePublicKey | None:
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + quote.attestation_key)
    except ValueError:
        return None
