"""The quote parser on arbitrary and altered bytes: it refuses with its own codes, or has read every byte."""

import base64
import struct

import attested
from hypothesis import given, settings
from hypothesis import strategies as st

from attestation.quote import Quote, ReportBody, parse_quote
from attestation.verifier import AppraisalRefused
from protocol.errors import AttestationError

QUOTE = attested.platform().quote(attested.MEASUREMENT, bytes(range(64)))
CODES = {
    "QUOTE_LENGTH",
    "QUOTE_TEE",
    "QUOTE_VERSION",
    "QUOTE_KEY_TYPE",
    "QUOTE_RESERVED",
    "QUOTE_CERTIFICATION",
    "QUOTE_CHAIN",
}


def render_report(report: ReportBody) -> bytes:
    return struct.pack(
        "<16sI12x16sQQ32s32x32s32x64sHHH42x16s64s",
        *(report.cpu_svn, report.miscselect, report.isv_ext_prod_id, report.flags, report.xfrm, report.mr_enclave),
        *(report.mr_signer, report.config_id, report.isv_prod_id, report.isv_svn, report.config_svn),
        *(report.isv_family_id, report.report_data),
    )


def render(quote: Quote, *, nul: bool) -> bytes:
    """Write a quote from its parsed fields alone, independently of the parser and of the simulator."""
    header = quote.header
    head = struct.pack(
        "<HHIHH16s20s",
        *(header.version, header.attestation_key_type, 0, header.qe_svn, header.pce_svn),
        *(header.qe_vendor_id, header.user_data),
    )
    chain = b""
    for der in (quote.chain.leaf, quote.chain.intermediate, quote.chain.root):
        text = base64.b64encode(der)
        lines = b"\n".join(text[at : at + 64] for at in range(0, len(text), 64))
        chain += b"-----BEGIN CERTIFICATE-----\n" + lines + b"\n-----END CERTIFICATE-----\n"
    chain += b"\0" if nul else b""
    body = quote.signature + quote.attestation_key + render_report(quote.qe_report) + quote.qe_signature
    body += struct.pack("<H", len(quote.authentication)) + quote.authentication
    body += struct.pack("<HI", 5, len(chain)) + chain
    return head + render_report(quote.report) + struct.pack("<I", len(body)) + body


def read_or_refuse(data: bytes) -> Quote | None:
    try:
        quote = parse_quote(data)
    except AttestationError as error:
        assert error.code in CODES
        return None
    assert render(quote, nul=data.endswith(b"\0")) == data
    return quote


def test_the_renderer_writes_what_the_platform_wrote():
    assert render(parse_quote(QUOTE), nul=True) == QUOTE


@given(st.binary(max_size=6000))
@settings(max_examples=300)
def test_arbitrary_bytes_are_refused(data):
    assert read_or_refuse(data) is None


@given(st.integers(0, len(QUOTE) - 1), st.integers(1, 255))
@settings(max_examples=600)
def test_an_altered_byte_is_refused_or_read_back(at, difference):
    altered = bytearray(QUOTE)
    altered[at] ^= difference
    read_or_refuse(bytes(altered))


@given(st.integers(0, len(QUOTE)), st.binary(min_size=1, max_size=80))
@settings(max_examples=300)
def test_inserted_bytes_are_refused(at, piece):
    assert read_or_refuse(QUOTE[:at] + piece + QUOTE[at:]) is None


@given(st.integers(0, len(QUOTE) - 1), st.integers(1, 600))
@settings(max_examples=300)
def test_dropped_bytes_are_refused(at, size):
    assert read_or_refuse(QUOTE[:at] + QUOTE[at + size :]) is None


@given(st.lists(st.tuples(st.integers(0, 1060), st.integers(0, 255)), max_size=8))
@settings(max_examples=400)
def test_altered_lengths_and_types_never_escape_the_codes(changes):
    altered = bytearray(QUOTE)
    for at, value in changes:
        altered[at] = value
    read_or_refuse(bytes(altered))


@given(st.integers(0, len(QUOTE) - 1), st.integers(0, 7))
@settings(max_examples=120, deadline=None)
def test_no_altered_bit_is_accepted(at, bit):
    """Every byte of a quote is covered by a signature, a hash or the strict form."""

    def flip(quote: bytes) -> bytes:
        altered = bytearray(quote)
        altered[at % len(quote)] ^= 1 << bit
        return bytes(altered)

    try:
        attested.appraise(attested.with_quote(flip))
    except AppraisalRefused:
        return
    raise AssertionError(f"bit {bit} of byte {at} may be altered")
