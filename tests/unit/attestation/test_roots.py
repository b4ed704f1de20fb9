import hashlib

import attested
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from attestation.roots import INTEL_ROOT, SIMULATED_ROOT_NAME, HardwareRoot, load_root
from attestation.simulator import pki
from protocol.errors import AttestationError

PEM = attested.platform().root.certificate.public_bytes(Encoding.PEM).decode()


def refuse(make):
    with pytest.raises(AttestationError) as caught:
        make()
    assert caught.value.code == "ROOT"
    return caught.value.detail


def test_intels_root_is_intels():
    assert not INTEL_ROOT.simulated
    assert INTEL_ROOT.digest == "44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3"
    certificate = INTEL_ROOT.certificate
    assert "CN=Intel SGX Root CA" in certificate.subject.rfc4514_string()
    certificate.verify_directly_issued_by(certificate)
    assert load_root(certificate.public_bytes(Encoding.PEM).decode()) == INTEL_ROOT


def test_a_simulated_root_says_so_and_is_another():
    root = load_root(PEM)
    assert root.simulated
    assert root != INTEL_ROOT
    assert root == attested.platform().root
    assert root.digest == hashlib.sha256(root.certificate_der).hexdigest()
    subject = root.certificate.subject.rfc4514_string()
    assert "SIMULATED" in subject
    assert "SGX Root CA" in subject
    assert SIMULATED_ROOT_NAME in subject


@pytest.mark.parametrize("name", ["intermediate", "pck", "tcb_signing"])
def test_other_certificates_are_no_roots(name):
    der = attested.keys().certificates[name].public_bytes(Encoding.DER)
    assert "Intel's own certificate or a self-signed one" in refuse(lambda: HardwareRoot(der))


@pytest.mark.parametrize("name", ["Intel SGX Root CA", "SGX Root CA", "SIMULATED", SIMULATED_ROOT_NAME + " "])
def test_a_self_made_root_can_have_no_other_name(name):
    keys = {"root": ec.generate_private_key(ec.SECP256R1())}
    made = pki._issue("root", name, keys, None, (attested.NOW, attested.NOW))
    refuse(lambda: HardwareRoot(made.public_bytes(Encoding.DER)))


def test_a_simulated_root_signs_itself():
    made = attested.keys()
    impostor = pki._issue(
        "tcb_signing", SIMULATED_ROOT_NAME, made.keys, made.certificates["root"], (attested.NOW, attested.NOW)
    )
    signed_by_another_key = impostor.public_bytes(Encoding.DER)
    refuse(lambda: HardwareRoot(signed_by_another_key))


def test_an_altered_intel_root_is_no_root():
    altered = bytearray(INTEL_ROOT.certificate_der)
    altered[-1] ^= 1
    refuse(lambda: HardwareRoot(bytes(altered)))


@pytest.mark.parametrize("pem", ["", "garbage", PEM + PEM, PEM + "x", PEM.replace("CERT", "CÉRT")])
def test_a_root_is_read_from_one_certificate_and_nothing_else(pem):
    refuse(lambda: load_root(pem))


def test_garbage_is_no_root():
    assert "not an X.509 certificate" in refuse(lambda: HardwareRoot(b"garbage"))
