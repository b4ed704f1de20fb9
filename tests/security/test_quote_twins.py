"""An ECDSA signature (r, s) has a twin (r, n - s): two quotes that differ say the same. Neither counts twice.

So have certificates: what is kept of an issuer is kept of its key.
"""

import itertools
import json
import struct
from datetime import timedelta

import attested
import custody
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from attestation.certificates import key_digest
from attestation.quote import parse_quote
from attestation.simulator import der
from attestation.simulator.platform import Conditions, Platform
from protocol.errors import AttestationError
from protocol.types import decode_base64, encode_base64

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of the curve P-256."""
SIGNATURES = (436, 948)
"""Where the report's and the quoting enclave's signatures start: each is r || s."""


def twin(evidence, places=SIGNATURES):
    quote = bytearray(decode_base64(evidence.quote))
    for at in places:
        s = int.from_bytes(quote[at + 32 : at + 64], "big")
        quote[at + 32 : at + 64] = (ORDER - s).to_bytes(32, "big")
    return evidence.model_copy(update={"quote": encode_base64(bytes(quote))})


TWINS = [places for size in (1, 2) for places in itertools.combinations(SIGNATURES, size)]


@pytest.mark.parametrize("places", TWINS)
def test_the_library_takes_a_twin_for_another_quote_and_we_name_evidence_by_its_claims(places):
    good = attested.evidence()
    other = twin(good, places)
    assert other.quote != good.quote
    status = json.loads(attested.library(decode_base64(other.quote), other.collateral))["tcb"]["status"]
    assert status == "UpToDate"
    assert attested.appraise(other) == attested.appraise(good)
    assert other.claims.digest == good.claims.digest


@pytest.mark.parametrize("places", TWINS)
def test_the_twin_of_used_evidence_is_a_nonce_used(scene, places):
    evidence = scene.attest()
    scene.release(evidence=evidence)
    with scene.refuses("NONCE_USED", AttestationError):
        scene.release(evidence=twin(evidence, places))


def test_the_twin_first_uses_up_the_original(scene):
    enclave = custody.Enclave()
    evidence = scene.attest(enclave=enclave)
    reply = scene.release(evidence=twin(evidence))
    assert scene.open(reply, enclave) == [dataset.data_key for dataset in scene.study.datasets]
    assert scene.query("SELECT claims FROM runs") == [(evidence.claims.digest,)]
    with scene.refuses("NONCE_USED", AttestationError):
        scene.release(evidence=evidence)


SIGNATURE_LENGTH = 432
"""Where the length of the signature data is."""
ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")


def certificate_twin(certificate):
    r, s = decode_dss_signature(certificate.signature)
    signature = b"\0" + encode_dss_signature(r, ORDER - s)
    encoded = b"\x03" + bytes([len(signature)]) + signature
    return x509.load_der_x509_certificate(der.sequence(certificate.tbs_certificate_bytes, ECDSA_SHA256, encoded))


def twin_issuers(evidence):
    """Evidence under the twin of its platform's CA."""
    quote = decode_base64(evidence.quote)
    chain = parse_quote(quote).chain
    leaf, issuer, root = (x509.load_der_x509_certificate(item) for item in (chain.leaf, chain.intermediate, chain.root))
    leaf, issuer, root = (item.public_bytes(Encoding.PEM) for item in (leaf, certificate_twin(issuer), root))
    start = quote.index(b"-----BEGIN") - 4
    certificates = leaf + issuer + root + b"\0"
    data = quote[SIGNATURE_LENGTH + 4 : start] + struct.pack("<I", len(certificates)) + certificates
    made = quote[:SIGNATURE_LENGTH] + struct.pack("<I", len(data)) + data
    collateral = evidence.collateral.model_copy(update={"pck_crl_issuer_chain": (issuer + root).decode()})
    return evidence.model_copy(update={"quote": encode_base64(made), "collateral": collateral})


def test_the_twin_of_a_certificate_is_another_certificate_of_the_same_key():
    certificate = attested.keys().certificates["intermediate"]
    other = certificate_twin(certificate)
    assert other.public_bytes(Encoding.DER) != certificate.public_bytes(Encoding.DER)
    assert key_digest(other) == key_digest(certificate)
    good = attested.evidence()
    assert twin_issuers(good).quote != good.quote
    assert attested.appraise(twin_issuers(good)) == attested.appraise(good)


@pytest.mark.parametrize("first", [twin_issuers, lambda evidence: evidence])
def test_an_older_revocation_list_under_the_twin_of_its_issuer_is_refused(make_scene, first):
    scene = make_scene(owners=1, contract={"max_runs": 2}, policy={"max_runs": 2})
    scene.release(evidence=first(scene.attest()))
    older = Platform(custody.platform_keys(), Conditions(shifts={"pck_crl": timedelta(days=-10)}))
    for change in (twin_issuers, lambda evidence: evidence):
        evidence = change(scene.attest(custody.OTHER_RUN, platform=older))
        with scene.refuses("CRL_ROLLBACK", AttestationError):
            scene.release(custody.OTHER_RUN, 1, evidence)
    evidence = twin_issuers(scene.attest(custody.OTHER_RUN))
    scene.release(custody.OTHER_RUN, 1, evidence)
    assert len(scene.query("SELECT * FROM crls")) == 2
