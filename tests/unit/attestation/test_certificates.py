import warnings

import attested
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from attestation.certificates import common_name, in_date, is_issued_by, is_pck, load_certificate
from attestation.simulator.pki import create_keys

CERTIFICATES = attested.keys().certificates
LEAF = CERTIFICATES["pck"].public_bytes(Encoding.DER)


def make(names=("one",), key=None):
    """A certificate that signs itself, with these common names."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in names])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 7, attested.NOW, attested.NOW)
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, digest)


def test_a_certificate_is_read():
    assert load_certificate(LEAF) == CERTIFICATES["pck"]


@pytest.mark.parametrize("key", [ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()])
def test_other_keys_are_refused(key):
    with pytest.raises(ValueError, match="P-256"):
        load_certificate(make(key=key).public_bytes(Encoding.DER))


def test_trailing_bytes_and_garbage_are_refused():
    for der in (LEAF + b"\0", LEAF[:-1], b"", b"garbage"):
        with pytest.raises(ValueError, match=r"not an X\.509 certificate"):
            load_certificate(der)


def altered(name, old, new):
    der = CERTIFICATES[name].public_bytes(Encoding.DER)
    assert old in der
    return der.replace(old, new, 1)


def test_what_is_only_parsed_when_looked_at_is_refused_as_well():
    bad_version = altered("pck", b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x6a")
    twice_the_same_extension = altered("pck", b"\x06\x03\x55\x1d\x0e", b"\x06\x03\x55\x1d\x23")
    broken_name = altered("pck", b"SIMULATED SEALROOM", b"SIM\xff\xfeATED SEALROOM")
    common_name_as_country = altered("pck", b"\x06\x03\x55\x04\x03", b"\x06\x03\x55\x04\x06")
    for der in (bad_version, twice_the_same_extension, broken_name, common_name_as_country):
        with pytest.raises(ValueError, match=r"not an X\.509 certificate"):
            load_certificate(der)


@pytest.mark.parametrize("serial", [b"\x00", b"\x87"], ids=["zero", "negative"])
def test_a_serial_number_is_positive_whether_warnings_are_errors_or_not(serial):
    der = make().public_bytes(Encoding.DER).replace(b"\x02\x01\x07", b"\x02\x01" + serial, 1)
    with pytest.raises(ValueError, match=r"not an X\.509 certificate"):
        load_certificate(der)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match=r"not an X\.509 certificate"):
            load_certificate(der)


def test_who_issued_whom():
    assert is_issued_by(CERTIFICATES["pck"], CERTIFICATES["intermediate"])
    assert not is_issued_by(CERTIFICATES["pck"], CERTIFICATES["root"])
    assert not is_issued_by(CERTIFICATES["pck"], attested.other_keys().certificates["intermediate"])


def test_dates_include_both_ends():
    certificate = CERTIFICATES["pck"]
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    second = attested.timedelta(seconds=1)
    assert in_date(certificate, start)
    assert in_date(certificate, end)
    assert not in_date(certificate, start - second)
    assert not in_date(certificate, end + second)


def test_common_names():
    assert common_name(make()) == "one"
    for certificate in (make(()), make(("SGX PCK Certificate", "two"))):
        assert common_name(certificate) == "(no single common name)"


def test_only_the_leaf_describes_a_platform():
    assert [name for name, certificate in CERTIFICATES.items() if is_pck(certificate)] == ["pck"]


def unwhole(made, encoded):
    """The same, said to lack the last bit of its signature; None where that bit is 1, which DER forbids."""
    at = len(encoded) - len(made.signature) - 1
    return None if encoded[-1] & 1 else encoded[:at] + b"\x01" + encoded[at + 1 :]


def test_a_signature_that_is_said_to_lack_a_bit_is_another_spelling_and_refused():
    """Found by the tamper matrix: it verifies, so only its form tells."""
    tried = 0
    while tried < 3:
        keys = create_keys(attested.NOW)
        made = keys.certificates["tcb_signing"]
        other = unwhole(made, made.public_bytes(Encoding.DER))
        if other is None:
            continue
        x509.load_der_x509_certificate(other).verify_directly_issued_by(keys.certificates["root"])
        with pytest.raises(ValueError, match=r"not an X\.509 certificate"):
            load_certificate(other)
        tried += 1


def test_a_list_whose_signature_is_said_to_lack_a_bit_is_refused():
    platform, tried = attested.platform(), 0
    while tried < 3:
        encoded = bytes.fromhex(platform.collateral(attested.NOW).pck_crl)
        other = unwhole(x509.load_der_x509_crl(encoded), encoded)
        if other is None:
            continue
        key = attested.keys().certificates["intermediate"].public_key()
        assert x509.load_der_x509_crl(other).is_signature_valid(key)
        with attested.refused("COLLATERAL_FORMAT"):
            attested.appraise(attested.with_collateral(pck_crl=other.hex()))
        tried += 1
