"""What dcap-qvl alone accepts and appraisal refuses: each test shows both.

Twins of signatures, which both accept, are in ``tests/security/test_quote_twins.py``.
"""

import json
from importlib.metadata import version
from pathlib import Path

import attested
import pytest
from attested import DAY, NOW, appraise, changed, evidence, evidence_of, refused, with_collateral, with_quote
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from attestation.simulator import pki
from attestation.simulator.platform import Conditions, EnclaveShape, Platform
from protocol.documents import Evidence
from protocol.types import decode_base64


def accepted_by_library(made: Evidence, at=NOW, root=None):
    status = json.loads(attested.library(decode_base64(made.quote), made.collateral, at, root))["tcb"]["status"]
    assert status == "UpToDate"
    return made


def refused_by_library(made: Evidence, at=NOW):
    with pytest.raises(ValueError, match="Verification failed"):
        attested.library(decode_base64(made.quote), made.collateral, at)
    return made


@pytest.mark.parametrize("more", [b"\0", b"trailing"])
def test_trailing_bytes(more):
    made = accepted_by_library(with_quote(lambda quote: quote + more))
    with refused("QUOTE_LENGTH"):
        appraise(made)


def test_extra_bytes_inside_the_signature_data():
    def stuff(quote):
        size = int.from_bytes(quote[432:436], "little") + 5
        return quote[:432] + size.to_bytes(4, "little") + quote[436:] + b"extra"

    made = accepted_by_library(with_quote(stuff))
    with refused("QUOTE_LENGTH"):
        appraise(made)


@pytest.mark.parametrize("field", ["tcb_signer", "qe_signer"])
def test_collateral_signed_by_a_platform_certificate(field):
    """A PCK key is in every platform: whoever holds one could write their own TCB information."""
    made = accepted_by_library(evidence(Conditions(**{field: "pck"})))
    with refused("COLLATERAL_FORMAT"):  # the chain is one certificate too long
        appraise(made)


def test_collateral_signed_by_a_platform_certificate_right_under_the_root():
    keys = attested.keys()
    pck = pki._issue("pck", "SGX TCB Signing", keys.keys, keys.certificates["intermediate"], (NOW, NOW + DAY))
    direct = x509.CertificateBuilder(
        keys.certificates["root"].subject, pck.subject, pck.public_key(), 99, NOW, NOW + DAY, list(pck.extensions)
    )
    signer = direct.sign(keys.keys["root"], pck.signature_hash_algorithm)
    forged_keys = {**keys.keys, "tcb_signing": keys.keys["pck"]}
    forged = Platform(pki.PlatformKeys(forged_keys, {**keys.certificates, "tcb_signing": signer}))
    with refused("COLLATERAL_SIGNER", "TCB information signer", "QE identity signer"):
        appraise(evidence_of(forged))


def test_collateral_signed_by_a_certificate_of_another_name():
    keys = attested.keys()
    signer = pki._issue("tcb_signing", "Some Signing", keys.keys, keys.certificates["root"], (NOW, NOW + DAY))
    made = evidence_of(Platform(pki.PlatformKeys(keys.keys, {**keys.certificates, "tcb_signing": signer})))
    accepted_by_library(made)
    with refused("COLLATERAL_SIGNER", "TCB information signer", "QE identity signer"):
        appraise(made)


def test_tcb_information_for_another_pce():
    made = accepted_by_library(evidence(Conditions(pce_id=b"\0\1")))
    with refused("OTHER_PLATFORM", "TCB information's platform"):
        appraise(made)


def test_an_expired_root():
    old = Platform(pki.create_keys(NOW - 9 * DAY, root_life=DAY))
    made = accepted_by_library(evidence_of(old), root=old.root)
    with refused("ROOT_EXPIRED", "hardware root's dates"):
        appraise(made, roots=(old.root,))


def test_a_root_that_is_not_valid_yet():
    new = Platform(pki.create_keys(NOW + DAY))
    with refused("ROOT_EXPIRED"):
        appraise(evidence_of(new), roots=(new.root,))


def test_crls_without_a_number():
    made = accepted_by_library(evidence(Conditions(crl_numbers=False)))
    with refused("CRL_NUMBER", "PCK CRL number", "root CRL number"):
        appraise(made)


def test_crls_with_an_endless_number():
    with refused("CRL_NUMBER"):
        appraise(refused_by_library(evidence(Conditions(crl_number_shift=2**40))))


def test_crls_of_the_future():
    made = accepted_by_library(evidence(Conditions(crl_shift=3 * DAY)))
    with refused("COLLATERAL_FUTURE", "PCK CRL dates", "root CRL dates"):
        appraise(made)


@pytest.mark.parametrize("chain", ["garbage", ""])
def test_garbage_for_the_unused_crl_issuer_chain(chain):
    made = accepted_by_library(with_collateral(pck_crl_issuer_chain=chain))
    unread = ("TCB information's platform", "TCB evaluation number", "QE evaluation number")
    with refused("COLLATERAL_FORMAT", "collateral", *unread):
        appraise(made)


def test_another_crl_issuer_chain():
    theirs = attested.other_platform().collateral(NOW)
    for chain in (theirs.pck_crl_issuer_chain, evidence().collateral.tcb_info_issuer_chain):
        made = accepted_by_library(with_collateral(pck_crl_issuer_chain=chain))
        with refused("CRL_ISSUER", "PCK CRL issuer chain"):
            appraise(made)


def test_the_status_of_the_quoting_enclave():
    made = accepted_by_library(evidence(Conditions(qe_status="ConfigurationNeeded")))
    with refused("QE_STATUS", "quoting enclave's status"):
        appraise(made)


@pytest.mark.parametrize("flags", [0x04, 0x01, 0x15, 0x25])
def test_attribute_bits(flags):
    made = accepted_by_library(evidence(Conditions(enclave=EnclaveShape(flags=flags))))
    with refused("ATTRIBUTES"):
        appraise(made)


def test_old_collateral():
    """A year-old root CRL is good; TCB information as old as its own life is, only if the policy says so."""
    later = NOW + 29 * DAY
    made = accepted_by_library(evidence(), later)
    assert appraise(made, at=later)
    ages = {"tcb_info": 7, "qe_identity": 7, "pck_crl": 7, "root_ca_crl": 7}
    for name, claim in zip(ages, ("TCB information", "QE identity", "PCK CRL", "root CRL"), strict=True):
        policy = changed(collateral_age_days={name: 7})
        with refused("COLLATERAL_AGE", f"{claim} dates"):
            appraise(made, policy=policy, at=later)
        assert appraise(made, policy=policy, at=NOW + 7 * DAY)


# What both refuse, with a code of ours


def test_expired_collateral():
    made = evidence()
    last = NOW + 30 * DAY
    assert appraise(made, at=last - attested.timedelta(seconds=1))
    with refused("COLLATERAL_EXPIRED"):
        appraise(made, at=last)
    with refused("COLLATERAL_EXPIRED"):
        appraise(refused_by_library(made, NOW + 40 * DAY), at=NOW + 40 * DAY)


def test_collateral_of_tomorrow():
    made = refused_by_library(evidence(at=NOW + DAY))
    with refused("COLLATERAL_FUTURE"):
        appraise(made)


@pytest.mark.parametrize("name", ["tcb_info", "qe_identity"])
def test_collateral_that_was_altered(name):
    good = evidence().collateral
    text = getattr(good, name).replace('"tcbEvaluationDataNumber":20', '"tcbEvaluationDataNumber":21')
    signature = "00" * 64
    for fields in ({name: text}, {f"{name}_signature": signature}):
        with refused("COLLATERAL_SIGNATURE"):
            appraise(refused_by_library(with_collateral(**fields)))


def test_the_library_is_pinned_by_version_and_hash():
    lock = (Path(__file__).resolve().parents[3] / "requirements.lock").read_text("utf-8")
    assert "\ndcap-qvl==0.7.0 \\\n    --hash=sha256:" in lock
    assert version("dcap-qvl") == "0.7.0"


def test_a_forged_qe_identity():
    """CVE-2026-22696: old versions of the library took a QE identity that Intel never signed."""
    forged = attested.other_platform().collateral(NOW)
    made = with_collateral(
        qe_identity=forged.qe_identity,
        qe_identity_signature=forged.qe_identity_signature,
        qe_identity_issuer_chain=forged.qe_identity_issuer_chain,
    )
    with refused("COLLATERAL_SIGNER"):
        appraise(refused_by_library(made))
    own_chain = with_collateral(qe_identity=forged.qe_identity, qe_identity_signature=forged.qe_identity_signature)
    with refused("COLLATERAL_SIGNATURE"):
        appraise(refused_by_library(own_chain))


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("pck_crl_issuer_chain", "CRL_ISSUER"),
        ("root_ca_crl", "CRL_SIGNATURE"),
        ("pck_crl", "CRL_SIGNATURE"),
        ("tcb_info_issuer_chain", "COLLATERAL_SIGNER"),
        ("tcb_info", "COLLATERAL_SIGNATURE"),
        ("tcb_info_signature", "COLLATERAL_SIGNATURE"),
        ("qe_identity_issuer_chain", "COLLATERAL_SIGNER"),
        ("qe_identity", "COLLATERAL_SIGNATURE"),
        ("qe_identity_signature", "COLLATERAL_SIGNATURE"),
    ],
)
def test_each_item_of_another_platforms_collateral(name, code):
    theirs = attested.other_platform(Conditions(tcb_evaluation=21, qe_evaluation=21)).collateral(NOW)
    with refused(code):
        appraise(with_collateral(**{name: getattr(theirs, name)}))


def test_tcb_information_for_another_family():
    with refused("OTHER_PLATFORM"):
        appraise(refused_by_library(evidence(Conditions(fmspc=b"\x5e\xa1\0\0\0\2"))))


def test_a_revoked_platform():
    with refused("REVOKED"):
        appraise(refused_by_library(evidence(Conditions(revoked=True))))


@pytest.mark.parametrize("name", ["intermediate", "tcb_signing"])
def test_certificates_that_the_root_revoked(name):
    with refused("REVOKED"):
        appraise(refused_by_library(evidence(Conditions(revoked_by_root=(name,)))))


@pytest.mark.parametrize("days", [(-9, -1), (1, 9)])
def test_a_signing_certificate_out_of_date(days):
    keys = attested.keys()
    span = tuple(NOW + day * DAY for day in days)
    signer = pki._issue("tcb_signing", "SIMULATED SEALROOM SGX TCB Signing", keys.keys, keys.certificates["root"], span)
    made = evidence_of(Platform(pki.PlatformKeys(keys.keys, {**keys.certificates, "tcb_signing": signer})))
    with refused("COLLATERAL_SIGNER"):
        appraise(refused_by_library(made))


def test_crls_swapped():
    good = evidence().collateral
    with refused("CRL_SIGNATURE"):
        appraise(with_collateral(pck_crl=good.root_ca_crl, root_ca_crl=good.pck_crl))


@pytest.mark.parametrize(
    ("qe", "words"),
    [
        (EnclaveShape(flags=0x17, isv_prod_id=1, isv_svn=8), "QE report"),
        (EnclaveShape(flags=0x15, isv_prod_id=2, isv_svn=8), "ISVPRODID"),
        (EnclaveShape(flags=0x15, isv_prod_id=1, isv_svn=7), "ISVSVN"),
        (EnclaveShape(flags=0x15, isv_prod_id=1, isv_svn=8, miscselect=1), "QE"),
    ],
)
def test_another_quoting_enclave(qe, words):
    with refused("QE_IDENTITY", words=words):
        appraise(refused_by_library(evidence(Conditions(qe=qe))))


def test_pem_and_der_of_a_root_are_the_same_root():
    root = attested.platform().root
    assert root.certificate.public_bytes(Encoding.DER) == root.certificate_der
