"""The client of PCCS and PCS against a server on a real socket."""

import ipaddress
import json
import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path

import attested
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from faulty_pccs import CHAINS, FaultyPccs, replies

from attestation.collateral.client import MAX_ANSWER, Limits, PccsClient
from attestation.collateral.items import KINDS, assemble, read_platform, vet
from protocol.errors import TransportError

GOOD = attested.platform().collateral(attested.NOW)
PLATFORM = read_platform(attested.platform().quote(attested.MEASUREMENT, bytes(64)))
QUICK = Limits(connect=2, request=0.4, tries=1)


@pytest.fixture
def pccs():
    with FaultyPccs(GOOD) as server:
        yield server


def client(pccs, limits=QUICK, **options):
    return PccsClient(pccs.url, limits=limits, **options)


def refused(code, pccs, kind="tcb-info", limits=QUICK, **options):
    with pytest.raises(TransportError) as caught:
        client(pccs, limits, **options).fetch(kind, PLATFORM)
    assert caught.value.code == code, caught.value
    return caught.value.detail


def test_each_item_from_its_own_path_as_intel_documents_them(pccs):
    items = [client(pccs).fetch(kind, PLATFORM) for kind in KINDS]
    assert assemble(*(vet(item, PLATFORM, attested.NOW) for item in items)) == GOOD
    assert pccs.asked == [
        "/sgx/certification/v4/tcb?fmspc=5EA100000001&update=standard",
        "/sgx/certification/v4/qe/identity?update=standard",
        "/sgx/certification/v4/pckcrl?ca=platform&encoding=der",
        "/sgx/certification/v4/rootcacrl",
    ]


def test_caches_spell_some_answers_otherwise(pccs):
    found = replies(GOOD)
    status, headers, body = found["tcb"]
    pretty = json.dumps(json.loads(body), indent=2).encode()
    pccs.faults["tcb"] = (status, {"SGX-" + CHAINS["tcb"]: headers[CHAINS["tcb"]]}, pretty)
    crl = x509.load_der_x509_crl(bytes.fromhex(GOOD.pck_crl))
    for spelled in (
        GOOD.pck_crl.encode(),
        GOOD.pck_crl.upper().encode() + b"\n",
        crl.public_bytes(serialization.Encoding.PEM),
    ):
        pccs.faults["pckcrl"] = (200, found["pckcrl"][1], spelled)
        assert client(pccs).fetch("pck-crl", PLATFORM).body == GOOD.pck_crl
    assert client(pccs).fetch("tcb-info", PLATFORM).body == GOOD.tcb_info


def test_addresses():
    for url in (
        "https://pccs.example:8081",
        "https://pccs.example:8081/",
        "https://pccs.example:8081/sgx/certification/v4/",
    ):
        assert PccsClient(url).url == "https://pccs.example:8081/sgx/certification/v4"
    assert PccsClient("http://[::1]:8081/proxied").url == "http://[::1]:8081/proxied/sgx/certification/v4"
    for url in (
        "http://pccs.example",
        "ftp://127.0.0.1",
        "https://user@pccs.example",
        "https://pccs.example/?a=b",
        "https://pccs.example/#a",
        "http://127.0.0.1.example",
        "https://pccs.example\n",
        "https://[1]",
        "https://[::1]:65536",
        "https://pccs.example:0",
        "https://pccs.example/sgx/certification/v3",
        "",
    ):
        with pytest.raises(TransportError) as caught:
            PccsClient(url)
        assert caught.value.code == "COLLATERAL_ADDRESS"
    with pytest.raises(TransportError):
        PccsClient("https://pccs.example", root_crl="http://elsewhere.example/root.crl")


def test_the_roots_list_lies_elsewhere_for_intels_own_service(pccs):
    intel = PccsClient("https://api.trustedservices.intel.com")
    assert intel._root_crl == "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der"
    pccs.faults["root.der"] = (200, {}, bytes.fromhex(GOOD.root_ca_crl))
    found = client(pccs, root_crl=f"{pccs.url}/root.der").fetch("root-crl", PLATFORM)
    assert found.body == GOOD.root_ca_crl
    assert pccs.asked == ["/root.der"]


def test_nothing_listens():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(TransportError) as caught:
        PccsClient(f"http://127.0.0.1:{port}", limits=QUICK).fetch("tcb-info", PLATFORM)
    assert caught.value.code == "COLLATERAL_UNREACHABLE"


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("silent", "COLLATERAL_SLOW"),
        ("drip", "COLLATERAL_SLOW"),
        ("cut", "COLLATERAL_CUT"),
        ("no http", "COLLATERAL_CUT"),
        ((404, {}, b"No cache data for this platform."), "COLLATERAL_UNKNOWN"),
        ((461, {}, b""), "COLLATERAL_UNKNOWN"),
        ((503, {}, b""), "COLLATERAL_BUSY"),
        ((429, {}, b""), "COLLATERAL_BUSY"),
        ((302, {"Location": "/sgx/certification/v4/rootcacrl"}, b""), "COLLATERAL_STATUS"),
        ((401, {}, b""), "COLLATERAL_STATUS"),
    ],
)
def test_a_source_that_does_not_answer(pccs, fault, code):
    pccs.faults["tcb"] = fault
    refused(code, pccs)
    assert len(pccs.asked) == 1


def test_an_endless_answer_is_left(pccs):
    pccs.faults["tcb"] = "endless"
    assert str(MAX_ANSWER) in refused("COLLATERAL_SIZE", pccs, limits=Limits(request=20, tries=1))


def changed(headers=None, body=None, name="tcb"):
    status, good_headers, good_body = replies(GOOD)[name]
    return (status, good_headers if headers is None else headers, good_body if body is None else body)


@pytest.mark.parametrize(
    "answer",
    [
        changed(headers={}),
        changed(headers={CHAINS["tcb"]: "%ff"}),
        changed(headers={CHAINS["tcb"]: "A" * 40_000}),
        changed(body=b""),
        changed(body=b"[]"),
        changed(body=b"[" * 100_000),
        changed(body=b"\xff\xfe\x00"),
        changed(body=b'{"tcbInfo":{}}'),
        changed(body=b'{"tcbInfo":{},"signature":1}'),
        changed(body=b'{"tcbInfo":{},"signature":"zz"}'),
        changed(body=b'{"tcbInfo":{},"signature":"' + b"00" * 63 + b'"}'),
        changed(body=b'{"tcbInfo":{},"signature":"00","signature":"00"}'),
        changed(body=b'{"tcbInfo":{"a":"\\ud800"},"signature":"' + b"00" * 64 + b'"}'),
        changed(body=b'{"tcbInfo":"' + b"a" * 300_000 + b'","signature":"' + b"00" * 64 + b'"}'),
        changed(name="identity"),
    ],
)
def test_answers_that_are_not_as_the_api_says(pccs, answer):
    pccs.faults["tcb"] = answer
    with pytest.raises(TransportError) as caught:
        client(pccs, Limits(request=5, tries=1)).fetch("tcb-info", PLATFORM)
    assert caught.value.code in {"COLLATERAL_ANSWER", "COLLATERAL_CUT"}


@pytest.mark.parametrize("body", [b"", b"zz", b"\xff", b"-----BEGIN X509 CRL-----\n", b"<html>"])
def test_lists_that_are_none(pccs, body):
    pccs.faults["rootcacrl"] = (200, {}, body)
    refused("COLLATERAL_ANSWER", pccs, "root-crl")


def test_a_passing_fault_is_tried_again_with_longer_waits(pccs):
    answers = [(503, {}, b""), (503, {}, b""), replies(GOOD)["tcb"]]
    waits = []
    pccs.faults["tcb"] = lambda: answers.pop(0)
    found = client(pccs, Limits(tries=3, wait=0.5), sleep=waits.append).fetch("tcb-info", PLATFORM)
    assert (found.body, waits) == (GOOD.tcb_info, [0.5, 1.0])
    answers[:] = [(503, {}, b"")] * 3
    refused("COLLATERAL_BUSY", pccs, limits=Limits(tries=3, wait=0.5), sleep=waits.append)
    assert (answers, len(waits)) == ([], 4)


def test_what_would_not_change_is_not_tried_again(pccs):
    for fault, code in (("silent", "COLLATERAL_SLOW"), ((404, {}, b""), "COLLATERAL_UNKNOWN")):
        pccs.asked.clear()
        pccs.faults["tcb"] = fault
        refused(code, pccs, limits=Limits(request=0.4, tries=3))
        assert len(pccs.asked) == 1


@pytest.fixture
def server_certificate(tmp_path) -> Path:
    """Key and certificate of a PCCS as its installer makes them: signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a PCCS")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - attested.DAY)
        .not_valid_after(now + attested.DAY)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "pccs.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return path


def test_https_is_checked_against_the_authority_that_was_named(server_certificate):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(server_certificate)
    limits = Limits(request=5, tries=1)
    with FaultyPccs(GOOD, tls=tls) as pccs:
        assert client(pccs, limits, authority=server_certificate).fetch("tcb-info", PLATFORM).body == GOOD.tcb_info
        assert "certificate verify failed" in refused("COLLATERAL_UNREACHABLE", pccs, limits=limits)


def test_an_authority_that_is_none(tmp_path):
    (tmp_path / "empty.pem").write_text("nothing")
    for path in (tmp_path / "empty.pem", tmp_path / "nowhere.pem"):
        with pytest.raises(TransportError) as caught:
            PccsClient("https://pccs.example", authority=path)
        assert caught.value.code == "COLLATERAL_AUTHORITY"
