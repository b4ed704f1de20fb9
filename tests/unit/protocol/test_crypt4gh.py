"""Both directions with the stock crypt4gh package: it opens our body, and we take in its files."""

import io
import logging
import os
import subprocess
import sys

import pytest
from crypt4gh import header as stock_header
from crypt4gh import lib as stock
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from protocol.container import SealingWriter, generate_data_key, open_stock, read_header, write_header
from protocol.container.header import MAX_PACKET_SIZE, MAX_PACKETS
from protocol.documents.dataset import SEALED_SEGMENT, SEGMENT
from protocol.errors import AccessDenied, DocumentError

OWN = X25519PrivateKey.generate()
OTHER = X25519PrivateKey.generate()
SENDER = X25519PrivateKey.generate()


def public(key):
    return key.public_key().public_bytes_raw()


def recipients(*keys):
    return [(0, SENDER.private_bytes_raw(), public(key)) for key in keys]


def reader(key):
    return [(0, key.private_bytes_raw(), None)]


def stock_file(plain, *keys):
    made = io.BytesIO()
    stock.encrypt(recipients(*keys), io.BytesIO(plain), made)
    return made.getvalue()


def stock_plain(data, key):
    plain = io.BytesIO()
    stock.decrypt(reader(key), io.BytesIO(data), plain)
    return plain.getvalue()


def header_of(*contents, keys=(OWN,)):
    packets = [packet for content in contents for packet in stock_header.encrypt(content, recipients(*keys))]
    return stock_header.serialize(packets)


def data_packet(key, method=0):
    return stock_header.make_packet_data_enc(method, key)


@pytest.fixture(autouse=True)
def quiet(caplog):
    # the package logs keys when asked to; nobody asks
    caplog.set_level(logging.CRITICAL, logger="crypt4gh")


@pytest.mark.parametrize("size", [0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 5 * SEGMENT + 17])
def test_files_that_stock_tools_made_are_taken_in(size):
    plain = os.urandom(size)
    chunks = list(open_stock(io.BytesIO(stock_file(plain, OWN)), OWN))
    assert b"".join(chunks) == plain
    assert max(map(len, chunks), default=0) <= SEGMENT


@pytest.mark.parametrize("size", [1, SEGMENT, 5 * SEGMENT + 17])
def test_stock_tools_open_our_body(size):
    plain, data_key, body = os.urandom(size), generate_data_key(), io.BytesIO()
    writer = SealingWriter(body, data_key)
    writer.write(plain)
    writer.finish()
    data = write_header(data_key, OWN.public_key()) + body.getvalue()
    assert stock_plain(data, OWN) == plain
    assert b"".join(open_stock(io.BytesIO(data), OWN)) == plain
    with pytest.raises(ValueError, match="No supported encryption method"):
        stock_plain(data, OTHER)


def test_the_stock_command_both_ways(tmp_path):
    (tmp_path / "own.sec").write_bytes(_key_file(OWN))
    (tmp_path / "own.pub").write_bytes(_public_file(OWN))
    plain = os.urandom(SEGMENT + 5)

    def run(*arguments, data):
        command = [sys.executable, "-W", "ignore", "-m", "crypt4gh", *arguments]
        return subprocess.run(command, input=data, capture_output=True, check=True, cwd=tmp_path, timeout=60).stdout

    made = run("encrypt", "--sk", "own.sec", "--recipient_pk", "own.pub", data=plain)
    assert b"".join(open_stock(io.BytesIO(made), OWN)) == plain
    body = io.BytesIO()
    data_key = generate_data_key()
    writer = SealingWriter(body, data_key)
    writer.write(plain)
    writer.finish()
    assert run("decrypt", "--sk", "own.sec", data=write_header(data_key, OWN.public_key()) + body.getvalue()) == plain


def _key_file(key):
    from base64 import b64encode

    blob = b"c4gh-v1" + b"".join(
        len(text).to_bytes(2, "big") + text for text in (b"none", b"none", key.private_bytes_raw())
    )
    return b"-----BEGIN CRYPT4GH PRIVATE KEY-----\n" + b64encode(blob) + b"\n-----END CRYPT4GH PRIVATE KEY-----\n"


def _public_file(key):
    from base64 import b64encode

    return b"-----BEGIN CRYPT4GH PUBLIC KEY-----\n" + b64encode(public(key)) + b"\n-----END CRYPT4GH PUBLIC KEY-----\n"


def test_a_file_for_several_recipients_opens_for_each():
    data = stock_file(b"abc", OTHER, OWN)
    for key in (OWN, OTHER):
        assert b"".join(open_stock(io.BytesIO(data), key)) == b"abc"
    with pytest.raises(AccessDenied, match=r"^NO_RECIPIENT: "):
        next(open_stock(io.BytesIO(data), SENDER))


def test_a_header_leaves_the_stream_at_the_body():
    data_key = generate_data_key()
    stream = io.BytesIO(write_header(data_key, OWN.public_key()) + b"body")
    assert read_header(stream, OWN) == data_key
    assert stream.read() == b"body"


def test_edit_lists_are_refused():
    # made by the stock tool itself: the range 5 to 20 of a file
    whole = io.BytesIO(stock_file(os.urandom(100), OWN))
    made = io.BytesIO()
    stock.rearrange([(0, OWN.private_bytes_raw(), public(OWN))], whole, made, offset=5, span=15)
    assert len(stock_plain(made.getvalue(), OWN)) == 15
    with pytest.raises(DocumentError, match=r"^EDIT_LIST: "):
        next(open_stock(io.BytesIO(made.getvalue()), OWN))


def test_an_edit_list_that_a_stranger_appended_is_refused():
    # Whoever knows the recipient's public key can append one; a stock reader then hides data without a word.
    plain = os.urandom(100)
    data = stock_file(plain, OWN)
    packets = list(stock_header.parse(stream := io.BytesIO(data)))
    packets += stock_header.encrypt(stock_header.make_packet_data_edit_list([0, 10]), recipients(OWN))
    forged = stock_header.serialize(packets) + stream.read()
    assert stock_plain(forged, OWN) == plain[:10]
    with pytest.raises(DocumentError, match=r"^EDIT_LIST: "):
        next(open_stock(io.BytesIO(forged), OWN))


def test_second_data_keys_are_refused():
    for keys in ((b"1" * 32, b"2" * 32), (b"1" * 32, b"1" * 32)):
        with pytest.raises(DocumentError, match=r"^SECOND_KEY: "):
            read_header(io.BytesIO(header_of(*map(data_packet, keys))), OWN)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "ends within its Crypt4GH header"),
        (b"crypt4g", "ends within its Crypt4GH header"),
        (b"PK\x03\x04 something else entirely", "no Crypt4GH file"),
        (b"crypt4gh\x02\x00\x00\x00\x01\x00\x00\x00", "version 2"),
        (b"crypt4gh\x01\x00\x00\x00\x00\x00\x00\x00", "counts 0 packets"),
        (b"crypt4gh\x01\x00\x00\x00" + (MAX_PACKETS + 1).to_bytes(4, "little"), "counts 257 packets"),
        (b"crypt4gh\x01\x00\x00\x00\xff\xff\xff\xff", "counts 4294967295 packets"),
        (b"crypt4gh\x01\x00\x00\x00\x01\x00\x00\x00\xff\xff\xff\xff", "has 4294967295 bytes"),
        (b"crypt4gh\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00", "has 0 bytes"),
        (b"crypt4gh\x01\x00\x00\x00\x01\x00\x00\x00" + (MAX_PACKET_SIZE + 1).to_bytes(4, "little"), "has 65537 bytes"),
        (b"crypt4gh\x01\x00\x00\x00\x01\x00\x00\x00\x6c\x00\x00\x00abc", "ends within"),
        (header_of(data_packet(b"1" * 32, method=1)), "not one of 32 bytes for ChaCha20"),
        (header_of(data_packet(b"1" * 31)), "not one of 32 bytes for ChaCha20"),
        (header_of(data_packet(b"1" * 33)), "not one of 32 bytes for ChaCha20"),
        (header_of(b"\x02\x00\x00\x00 and more of it that is not known"), "type 2 is not known"),
    ],
)
def test_malformed_headers_are_refused(data, match):
    with pytest.raises(DocumentError, match=f"^HEADER: .*{match}"):
        read_header(io.BytesIO(data), OWN)


def test_packets_of_other_methods_and_without_shared_secret_are_not_ours():
    header = bytearray(write_header(b"1" * 32, OWN.public_key()))
    for at, new in ((20, b"\x01"), (24, bytes(32)), (60, b"\xff\xff\xff")):
        altered = header.copy()
        altered[at : at + len(new)] = new
        with pytest.raises(AccessDenied, match=r"^NO_RECIPIENT: "):
            read_header(io.BytesIO(altered), OWN)


def test_the_data_key_of_a_header_has_32_bytes():
    with pytest.raises(DocumentError, match=r"^KEY_SIZE: "):
        write_header(bytes(16), OWN.public_key())


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda body: body[:-1], "Segment 3 was altered or cut"),
        (lambda body: body[: 2 * SEALED_SEGMENT + 28], "Segment 3 has 28 bytes"),
        (lambda body: body[: SEALED_SEGMENT - 1], "Segment 1 was altered"),
        (lambda body: body + b"\x00", "Segment 3 was altered"),
        (lambda body: body[:SEALED_SEGMENT] + b"\x00" + body[SEALED_SEGMENT:], "Segment 2 was altered"),
        (lambda body: body[:40] + bytes([body[40] ^ 1]) + body[41:], "Segment 1 was altered"),
    ],
)
def test_damaged_bodies_are_refused(change, match):
    data = stock_file(os.urandom(2 * SEGMENT + 100), OWN)
    start = len(data) - (2 * SEALED_SEGMENT + 128)
    with pytest.raises(DocumentError, match=f"^SEGMENT: {match}"):
        list(open_stock(io.BytesIO(data[:start] + change(data[start:])), OWN))


def test_streams_that_give_little_at_a_time():
    class Slow(io.BytesIO):
        def read(self, size=-1):
            return super().read(min(size, 1000))

    plain = os.urandom(SEGMENT + 10)
    assert b"".join(open_stock(Slow(stock_file(plain, OWN)), OWN)) == plain


def test_run_time_code_does_not_import_the_package():
    code = "import protocol.container, protocol.layout, sys; sys.exit('crypt4gh' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
