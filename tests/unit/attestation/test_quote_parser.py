import struct

import attested
import pytest

from attestation.quote import MAX_QUOTE, parse_quote, split_chain
from attestation.simulator.platform import Conditions, EnclaveShape
from protocol.errors import AttestationError

SHAPE = EnclaveShape(
    flags=0x0102030405060705,
    xfrm=0x1112131415161718,
    miscselect=0x21222324,
    isv_prod_id=0x3132,
    isv_svn=0x4142,
    config_svn=0x5152,
    config_id=bytes(range(64)),
    isv_ext_prod_id=bytes(range(100, 116)),
    isv_family_id=bytes(range(200, 216)),
)
REPORT_DATA = bytes(range(64, 128))
QUOTE = attested.platform(Conditions(enclave=SHAPE)).quote(attested.MEASUREMENT, REPORT_DATA)
SIGNATURE_DATA = 436
AUTHENTICATION = SIGNATURE_DATA + 64 + 64 + 384 + 64
CERTIFICATION = AUTHENTICATION + 2 + 32
CHAIN = CERTIFICATION + 6


def refuse(data: bytes, code: str, words: str = "") -> None:
    with pytest.raises(AttestationError) as caught:
        parse_quote(data)
    assert caught.value.code == code
    assert words in caught.value.detail


def put(at: int, piece: bytes, quote: bytes = QUOTE) -> bytes:
    return quote[:at] + piece + quote[at + len(piece) :]


def with_chain(chain: bytes) -> bytes:
    body = QUOTE[SIGNATURE_DATA:CERTIFICATION] + struct.pack("<HI", 5, len(chain)) + chain
    return QUOTE[:432] + struct.pack("<I", len(body)) + body


def test_every_field_is_read():
    quote = parse_quote(QUOTE)
    assert (quote.header.version, quote.header.attestation_key_type) == (3, 2)
    assert (quote.header.qe_svn, quote.header.pce_svn) == (8, 13)
    assert quote.header.qe_vendor_id.hex() == "939a7233f79c4ca9940a0db3957f0607"
    assert quote.header.user_data == b"SIMULATED SEALROOM\0\0"
    report = quote.report
    for name in ("flags", "xfrm", "miscselect", "isv_prod_id", "isv_svn", "config_svn", "config_id"):
        assert getattr(report, name) == getattr(SHAPE, name)
    assert (report.isv_ext_prod_id, report.isv_family_id) == (SHAPE.isv_ext_prod_id, SHAPE.isv_family_id)
    assert (report.mr_enclave.hex(), report.report_data) == (attested.MEASUREMENT, REPORT_DATA)
    assert report.mr_signer == QUOTE[48 + 128 : 48 + 160]
    assert report.cpu_svn == QUOTE[48:64]
    assert quote.signed == QUOTE[:432]
    assert quote.signature == QUOTE[436:500]
    assert quote.attestation_key == QUOTE[500:564]
    assert quote.qe_signed == QUOTE[564:948]
    assert quote.qe_report.flags == 0x15
    assert quote.qe_signature == QUOTE[948:1012]
    assert quote.authentication == QUOTE[1014:1046]
    certificates = attested.keys().certificates
    from cryptography.hazmat.primitives.serialization import Encoding

    found = (quote.chain.leaf, quote.chain.intermediate, quote.chain.root)
    assert found == tuple(certificates[n].public_bytes(Encoding.DER) for n in ("pck", "intermediate", "root"))


def test_the_quote_does_not_print_its_bytes():
    assert QUOTE[436:460].hex() not in repr(parse_quote(QUOTE))
    assert "signature" not in repr(parse_quote(QUOTE))


@pytest.mark.parametrize("size", [0, 1, 47, 48, 431, 435, 436, 600, CHAIN, -1])
def test_a_cut_quote_is_refused(size):
    refuse(QUOTE[:size], "QUOTE_LENGTH")


@pytest.mark.parametrize("more", [b"\0", b"more bytes"])
def test_nothing_may_follow_the_quote(more):
    refuse(QUOTE + more, "QUOTE_LENGTH", "follow the signature data")


def test_nothing_may_hide_in_the_signature_data():
    size = len(QUOTE) - SIGNATURE_DATA
    refuse(put(432, struct.pack("<I", size + 3)) + b"abc", "QUOTE_LENGTH", "follow the certification data")


def test_an_endless_quote_is_refused_before_it_is_read():
    refuse(bytes(MAX_QUOTE + 1), "QUOTE_LENGTH", str(MAX_QUOTE))


@pytest.mark.parametrize("version", [0, 1, 2, 4, 5, 6, 0xFFFF])
def test_other_versions_are_refused_by_name(version):
    refuse(put(0, struct.pack("<H", version)), "QUOTE_VERSION", f"version {version}")


@pytest.mark.parametrize("version", [3, 4, 5])
def test_tdx_is_refused_by_name(version):
    refuse(put(4, struct.pack("<I", 0x81), put(0, struct.pack("<H", version))), "QUOTE_TEE", "TDX")


def test_an_unknown_tee_is_refused():
    refuse(put(4, struct.pack("<I", 7)), "QUOTE_TEE", "0x7")


@pytest.mark.parametrize("kind", [0, 1, 3])
def test_other_kinds_of_attestation_key_are_refused(kind):
    refuse(put(2, struct.pack("<H", kind)), "QUOTE_KEY_TYPE")


@pytest.mark.parametrize("base", [48, 564], ids=["enclave", "quoting enclave"])
@pytest.mark.parametrize(("offset", "size"), [(20, 12), (96, 32), (160, 32), (262, 42)])
def test_reserved_bytes_are_zero(base, offset, size):
    for at in (offset, offset + size - 1):
        refuse(put(base + at, b"\x01"), "QUOTE_RESERVED")


def test_authentication_data_is_bounded():
    refuse(put(AUTHENTICATION, struct.pack("<H", 1025)), "QUOTE_LENGTH", "authentication data claims 1025")
    refuse(put(AUTHENTICATION, struct.pack("<H", 1024)), "QUOTE_CERTIFICATION")


@pytest.mark.parametrize("kind", [0, 1, 2, 3, 4, 6, 7])
def test_other_certification_data_is_refused(kind):
    refuse(put(CERTIFICATION, struct.pack("<H", kind)), "QUOTE_CERTIFICATION", f"type {kind}")


@pytest.mark.parametrize("size", [12_289, 0xFFFFFFFF])
def test_certification_data_is_bounded(size):
    refuse(put(CERTIFICATION + 2, struct.pack("<I", size)), "QUOTE_LENGTH", "certification data claims")


def test_a_chain_may_end_with_one_nul_and_no_more():
    pem = QUOTE[CHAIN:-1]
    assert parse_quote(with_chain(pem)).chain == parse_quote(with_chain(pem + b"\0")).chain
    refuse(with_chain(pem + b"\0\0"), "QUOTE_CHAIN")


BEGIN, END = b"-----BEGIN CERTIFICATE-----\n", b"-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    "change",
    [
        lambda pem: b"",
        lambda pem: b"x" + pem,
        lambda pem: pem + b"x",
        lambda pem: pem.replace(END, END + b"\n", 1),
        lambda pem: pem.replace(b"\n", b"\r\n"),
        lambda pem: pem.replace(BEGIN, BEGIN + b"Comment: hello\n", 1),
        lambda pem: pem.replace(BEGIN, BEGIN + b"!" * 64 + b"\n", 1),
        lambda pem: pem.replace(BEGIN, BEGIN + b"A" * 63 + b"\n", 1),
        lambda pem: pem.replace(END, b"AAA\n" + END, 1),
        lambda pem: pem.replace(END, b"", 1),
        lambda pem: pem[:-1],
    ],
)
def test_a_chain_is_three_certificates_and_nothing_else(change):
    refuse(with_chain(change(QUOTE[CHAIN:-1])), "QUOTE_CHAIN")


@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_chain_of_another_length_is_refused(count):
    one = QUOTE[CHAIN : QUOTE.index(END) + len(END)]
    refuse(with_chain(one * count), "QUOTE_CHAIN", f"holds {count} certificates")


def test_base64_that_does_not_decode_is_refused():
    with pytest.raises(ValueError, match="base64"):
        split_chain(BEGIN + b"A" * 64 + b"\nAAAAA\n" + END)


def test_one_certificate_has_one_spelling_in_pem():
    # The unused bits of the last base64 digit: b"\xff" is "/w==", and "/x==" decodes to the same byte.
    assert split_chain(BEGIN + b"/w==\n" + END) == (b"\xff",)
    with pytest.raises(ValueError, match="base64"):
        split_chain(BEGIN + b"/x==\n" + END)
