"""Sealed bytes open to what was sealed, or to nothing."""

import hashlib
import io
import random
from itertools import pairwise

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from protocol import hpke
from protocol.container import PartOpener, SealingWriter, open_stock, read_header, write_header
from protocol.documents.dataset import SEALED_SEGMENT, SEGMENT, SealedFile, sealed_size
from protocol.errors import DocumentError, SealroomError

DATA_KEY = bytes(range(32))
PLAIN = random.Random(5).randbytes(2 * SEGMENT + 1000)
OWN = X25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
RECIPIENT = hpke.RecipientKey.from_private_bytes(bytes(range(96)))


def seal(plain, cuts=()):
    sink = io.BytesIO()
    writer = SealingWriter(sink, DATA_KEY)
    edges = [0, *sorted(cuts), len(plain)]
    for start, end in pairwise(edges):
        writer.write(plain[start:end])
    sealed = writer.finish()
    return sink.getvalue(), sealed.sealed_file("table")


BODY, FILE = seal(PLAIN)
HEADER = write_header(DATA_KEY, OWN.public_key())
CAPSULE = hpke.seal(DATA_KEY, RECIPIENT.public_bytes(), info=b"info")


@given(st.integers(1, 3 * SEGMENT), st.lists(st.integers(0, 3 * SEGMENT), max_size=5))
def test_any_size_in_any_pieces_comes_back(size, cuts):
    plain = (PLAIN * 2)[:size]
    body, file = seal(plain, [cut for cut in cuts if cut <= size])
    assert len(body) == sealed_size(size) == file.sealed_size
    assert PartOpener(DATA_KEY, file).open_part(0, body) == plain


def altered(data, draw):
    """Bytes with a few random changes: flips, cuts, insertions, moved segments."""
    changed = bytearray(data)
    kind = draw(st.sampled_from(["flip", "cut", "insert", "move"]))
    at = draw(st.integers(0, len(changed) - 1))
    if kind == "flip":
        changed[at] ^= draw(st.integers(1, 255))
    elif kind == "cut":
        del changed[at : at + draw(st.integers(1, 2 * SEALED_SEGMENT))]
    elif kind == "insert":
        changed[at:at] = draw(st.binary(min_size=1, max_size=40))
    else:
        segment = changed[:SEALED_SEGMENT]
        del changed[:SEALED_SEGMENT]
        changed[SEALED_SEGMENT:SEALED_SEGMENT] = segment
    return bytes(changed)


@given(st.data())
def test_altered_parts_open_to_nothing(data):
    sealed = altered(BODY, data.draw)
    out = bytearray(b"\xaa" * len(PLAIN))
    with pytest.raises(DocumentError, match=r"^PART_(SIZE|DIGEST): File table, part 1 of 1"):
        PartOpener(DATA_KEY, FILE).open_part_into(0, sealed, memoryview(out))
    assert out == b"\xaa" * len(PLAIN)


@given(st.data())
def test_even_under_a_lying_manifest_altered_segments_open_to_nothing(data):
    changed = bytearray(BODY)
    changed[data.draw(st.integers(0, len(BODY) - 1))] ^= data.draw(st.integers(1, 255))
    digest = hashlib.sha256(changed).hexdigest()
    file = SealedFile(name="table", plain_size=len(PLAIN), sealed_size=len(BODY), parts=(digest,))
    out = bytearray(b"\xaa" * len(PLAIN))
    with pytest.raises(DocumentError, match=r"^SEGMENT: "):
        PartOpener(DATA_KEY, file).open_part_into(0, bytes(changed), memoryview(out))
    assert not any(out)


def test_every_flipped_bit_of_a_header_is_refused():
    assert read_header(io.BytesIO(HEADER), OWN) == DATA_KEY
    for bit in range(8 * len(HEADER)):
        changed = bytearray(HEADER)
        changed[bit // 8] ^= 1 << bit % 8
        # Bit 255 of an X25519 public key is ignored by RFC 7748, but the key derivation here covers it.
        with pytest.raises(SealroomError):
            read_header(io.BytesIO(changed), OWN)


@given(st.binary(max_size=300), st.booleans())
def test_any_stream_is_taken_in_or_refused(data, with_magic):
    start = b"crypt4gh\x01\x00\x00\x00" if with_magic else b""
    with pytest.raises(SealroomError):
        list(open_stock(io.BytesIO(start + data), OWN))


@given(st.integers(0, 8 * len(CAPSULE) - 1))
def test_a_flipped_bit_of_a_capsule_is_refused(bit):
    changed = bytearray(CAPSULE)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(DocumentError, match=r"^CAPSULE: "):
        RECIPIENT.open(bytes(changed), info=b"info")
