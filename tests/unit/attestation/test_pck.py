import re
from datetime import UTC, datetime
from functools import cache

import attested
import dcap_qvl
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from attestation.certificates import SGX_EXTENSION
from attestation.pck import PckPlatform, issuing_ca, read_pck
from attestation.simulator import der
from attestation.simulator.pki import CPU_SVN, FMSPC, PCE_ID, PCE_SVN
from protocol.errors import AttestationError

ROOT = "1.2.840.113741.1.13.1"
KEY = ec.generate_private_key(ec.SECP256R1())


def entry(suffix, value):
    return der.sequence(der.object_identifier(f"{ROOT}.{suffix}"), value)


def tcb(**changed):
    items = {f"2.{place}": der.integer(place) for place in range(1, 17)}
    items |= {"2.17": der.integer(300), "2.18": der.octets(bytes(range(16)))}
    items |= {name.replace("_", ".").strip("."): value for name, value in changed.items()}
    return der.sequence(*(entry(name, value) for name, value in items.items() if value))


def extension(*more, **changed):
    """The five items that every PCK certificate has; an empty value leaves one out."""
    items = {
        "_1": der.octets(b"p" * 16),
        "_2": tcb(),
        "_3": der.octets(b"\x00\x01"),
        "_4": der.octets(b"fmspc!"),
        "_5": der.enumerated(0),
    } | changed
    return der.sequence(*(entry(name.strip("_"), value) for name, value in items.items() if value), *more)


def certificate(value=None, *, issuers=("SGX PCK Processor CA",)):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer) for issuer in issuers])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2027, 1, 1, tzinfo=UTC))
    )
    if value is not None:
        builder = builder.add_extension(x509.UnrecognizedExtension(SGX_EXTENSION, value), critical=False)
    return builder.sign(KEY, hashes.SHA256())


def refuse(value, words):
    with pytest.raises(AttestationError) as caught:
        read_pck(certificate(value))
    assert caught.value.code == "PCK_EXTENSION"
    assert words in caught.value.detail


def test_a_certificate_of_the_processor_ca_has_five_items():
    assert read_pck(certificate(extension())) == PckPlatform(
        ppid=b"p" * 16,
        components=tuple(range(1, 17)),
        pce_svn=300,
        cpu_svn=bytes(range(16)),
        pce_id=b"\x00\x01",
        fmspc=b"fmspc!",
        sgx_type=0,
    )


def test_the_simulated_platforms_certificate():
    found = read_pck(attested.keys().certificates["pck"])
    assert (found.fmspc, found.pce_id, found.pce_svn, found.cpu_svn) == (FMSPC, PCE_ID, PCE_SVN, CPU_SVN)
    assert found.components == tuple(CPU_SVN)
    assert (found.dynamic_platform, found.cached_keys, found.smt, found.sgx_type) == (False, False, False, 1)
    assert found.instance is not None
    assert len({found.ppid, found.instance}) == 2


def test_flags_stand_each_for_itself():
    for place, name in enumerate(("dynamic_platform", "cached_keys", "smt"), start=1):
        configuration = der.sequence(entry(f"7.{place}", der.boolean(value=True)))
        found = read_pck(certificate(extension(_7=configuration)))
        assert {flag: getattr(found, flag) for flag in ("dynamic_platform", "cached_keys", "smt")} == {
            "dynamic_platform": None,
            "cached_keys": None,
            "smt": None,
        } | {name: True}


@cache
def real_leaves(folder):
    found = {}
    for place in sorted(folder.iterdir()):
        if place.is_dir():
            quote = (place / "quote.bin").read_bytes()
            pem = re.search(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", quote, re.DOTALL)
            found[x509.load_pem_x509_certificate(pem[0])] = quote
    return found


def test_real_platforms_are_read_as_the_verification_library_reads_them(reference):
    leaves = real_leaves(reference / "vectors")
    assert len(leaves) >= 5
    for leaf, quote in leaves.items():
        found, parsed = read_pck(leaf), dcap_qvl.parse_quote(quote)
        assert found.fmspc.hex() == parsed.fmspc().lower()
        assert issuing_ca(leaf) == parsed.ca()
        # Intel's processors spell the 16 components out in CPUSVN, byte for byte.
        assert bytes(found.components) == found.cpu_svn


def test_items_that_the_profile_does_not_know_are_let_be():
    assert read_pck(certificate(extension(entry("9", der.octets(b"later"))))) == read_pck(certificate(extension()))


def test_no_extension_at_all():
    with pytest.raises(AttestationError, match="without Intel's SGX extension") as caught:
        read_pck(certificate())
    assert caught.value.code == "PCK_EXTENSION"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (b"", "ends early"),
        (b"\x30", "ends early"),
        (b"\x30\x05\x30", "ends early"),
        (b"\x04\x00", "wanted 0x30"),
        (extension() + b"\x00", "bytes follow it"),
        (b"\x30\x80" + extension()[4:] + b"\x00\x00", "shortest form"),  # an indefinite length
        (b"\x30\x83\x00" + extension()[2:], "shortest form"),
        (b"\x30\x83\x01\x00\x00", "shortest form"),  # longer than any certificate
        (b"\x30\x81\x7f" + bytes(127), "shortest form"),
        (b"\x30\x82\x00\x80" + bytes(128), "shortest form"),
        (b"\x30\x82\x01", "shortest form"),  # the length itself is cut
        (extension(entry("1", der.octets(bytes(16)))), "twice"),
        (extension(der.sequence(der.object_identifier(f"{ROOT}.9"))), "ends early"),
        (extension(der.sequence(der.octets(b"9"), der.octets(b"9"))), "wanted 0x6"),
        (extension(der.sequence(der.object_identifier(f"{ROOT}.9"), der.integer(1), der.integer(1))), "more than"),
        (extension(_1=None), "PPID is missing"),
        (extension(_1=der.octets(bytes(15))), "PPID has 15 bytes"),
        (extension(_2=None), "TCB is missing"),
        (extension(_2=der.octets(b"")), "TCB is missing or of another type"),
        (extension(_3=der.octets(bytes(3))), "PCE ID has 3 bytes"),
        (extension(_4=der.octets(bytes(5))), "FMSPC has 5 bytes"),
        (extension(_4=der.integer(5)), "FMSPC is missing or of another type"),
        (extension(_5=der.integer(0)), "SGX type is missing or of another type"),
        (extension(_5=b"\x0a\x00"), "SGX type is not a number"),
        (extension(_6=der.octets(b"")), "platform instance has 0 bytes"),
        (extension(_7=der.boolean(value=True)), "configuration is missing or of another type"),
        (extension(_7=der.sequence(entry("7.1", b"\x01\x01\x01"))), "dynamic platform is neither"),
        (extension(_7=der.sequence(entry("7.3", der.integer(1)))), "SMT is missing or of another type"),
        (extension(_2=tcb(_2_16=None)), "component SVN is missing"),
        (extension(_2=tcb(_2_1=der.integer(256))), "component SVN is not a number from 0 to 255"),
        (extension(_2=tcb(_2_1=b"\x02\x01\xff")), "component SVN is not a number"),  # minus one
        (extension(_2=tcb(_2_1=b"\x02\x02\x00\x01")), "component SVN is not a number"),  # a needless zero
        (extension(_2=tcb(_2_17=der.integer(0x10000))), "PCE SVN is not a number from 0 to 65535"),
        (extension(_2=tcb(_2_18=der.octets(bytes(17)))), "CPU SVN has 17 bytes"),
    ],
)
def test_extensions_that_are_not_as_the_profile_says(value, words):
    refuse(value, words)


def test_no_cut_extension_is_read():
    whole = extension()
    for size in range(len(whole)):
        refuse(whole[:size], "")


def test_which_ca_issued_it():
    assert issuing_ca(certificate(issuers=("Intel SGX PCK Processor CA",))) == "processor"
    assert issuing_ca(attested.keys().certificates["pck"]) == "platform"
    for issuers in (("Intel SGX Root CA",), (), ("SGX PCK Platform CA", "SGX PCK Platform CA")):
        with pytest.raises(AttestationError) as caught:
            issuing_ca(certificate(issuers=issuers))
        assert caught.value.code == "PCK_ISSUER"
