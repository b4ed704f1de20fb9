"""Sealing and opening, and everything that a storage operator may do to the sealed bytes in between."""

import hashlib
import io
import os
import random

import factories
import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from protocol.container import PartOpener, Sealed, SealingWriter, generate_data_key
from protocol.container import sealing as sealing_module
from protocol.documents.dataset import PART_SIZE, SEALED_SEGMENT, SEGMENT, SEGMENTS_PER_PART, SealedFile, sealed_size
from protocol.errors import DocumentError, StorageError

PART_PLAIN = SEGMENT * SEGMENTS_PER_PART
TAIL = 2 * SEGMENT + 77


def seal(plain, data_key, chunks=(None,)):
    sink = io.BytesIO()
    writer = SealingWriter(sink, data_key)
    rest = memoryview(plain)
    for size in chunks:
        writer.write(rest[:size])
        rest = rest[len(rest) if size is None else size :]
    writer.write(rest)
    sealed = writer.finish()
    return sink.getvalue(), sealed


def split(body):
    return [body[at : at + PART_SIZE] for at in range(0, len(body), PART_SIZE)]


class Example:
    """Two whole parts and a short one."""

    def __init__(self):
        self.data_key = generate_data_key()
        self.plain = random.Random(1).randbytes(2 * PART_PLAIN + TAIL)
        self.body, self.sealed = seal(self.plain, self.data_key)
        self.file = self.sealed.sealed_file("table")
        self.parts = split(self.body)
        self.opener = PartOpener(self.data_key, self.file)


@pytest.fixture(scope="module")
def example():
    return Example()


def test_sealed_parts_open(example):
    assert len(example.parts) == 3
    opened = [bytes(view) for view in example.opener.open_all(example.parts)]
    assert [len(plain) for plain in opened] == [PART_PLAIN, PART_PLAIN, TAIL]
    assert b"".join(opened) == example.plain
    assert example.opener.open_part(2, bytearray(example.parts[2])) == example.plain[-TAIL:]
    assert example.opener.open_part(1, memoryview(example.parts[1])) == example.plain[PART_PLAIN : 2 * PART_PLAIN]


def test_the_manifest_entry_follows_from_the_bytes(example):
    assert example.sealed == Sealed(len(example.plain), len(example.body), example.file.parts)
    assert example.file.parts == tuple(hashlib.sha256(part).hexdigest() for part in example.parts)
    plain_size, size, parts = example.sealed
    assert (plain_size, size, len(parts)) == (len(example.plain), sealed_size(len(example.plain)), 3)


def test_segments_are_crypt4gh(example):
    segment = example.body[SEALED_SEGMENT : 2 * SEALED_SEGMENT]
    plain = ChaCha20Poly1305(example.data_key).decrypt(segment[:12], segment[12:], None)
    assert plain == example.plain[SEGMENT : 2 * SEGMENT]


def test_nonces_do_not_repeat(example):
    nonces = {example.body[at : at + 12] for at in range(0, len(example.body), SEALED_SEGMENT)}
    assert len(nonces) == 2 * SEGMENTS_PER_PART + 3


@pytest.mark.parametrize(
    "size", [1, 2, SEGMENT - 1, SEGMENT, SEGMENT + 1, 3 * SEGMENT, PART_PLAIN, PART_PLAIN + 1], ids=str
)
def test_sizes_at_the_edges(size):
    data_key, plain = generate_data_key(), os.urandom(size)
    body, sealed = seal(plain, data_key)
    assert len(body) == sealed.sealed_size == sealed_size(size)
    opener = PartOpener(data_key, sealed.sealed_file("table"))
    assert b"".join(bytes(view) for view in opener.open_all(split(body))) == plain
    assert b"".join(opener.open_part(index, part) for index, part in enumerate(split(body))) == plain


@pytest.mark.parametrize(
    "chunks", [(0, 1, 0), (1, SEGMENT - 1, 1), (SEGMENT - 1, 2), (5, 2 * SEGMENT), (3 * SEGMENT, 1)]
)
def test_it_does_not_matter_how_bytes_are_written(chunks):
    data_key, plain = generate_data_key(), os.urandom(4 * SEGMENT + 9)
    body, sealed = seal(plain, data_key, chunks)
    assert PartOpener(data_key, sealed.sealed_file("table")).open_part(0, body) == plain


def test_write_says_how_much_it_took_and_takes_views_of_wider_items():
    import array

    sink = io.BytesIO()
    writer = SealingWriter(sink, bytes(32))
    assert writer.write(memoryview(array.array("q", range(100)))) == 800
    sealed = writer.finish()
    assert (
        PartOpener(bytes(32), sealed.sealed_file("a")).open_part(0, sink.getvalue())
        == array.array("q", range(100)).tobytes()
    )


def test_nothing_cannot_be_sealed():
    sink = io.BytesIO()
    writer = SealingWriter(sink, generate_data_key())
    writer.write(b"")
    with pytest.raises(DocumentError, match=r"^EMPTY_FILE: "):
        writer.finish()
    assert sink.getvalue() == b""


def test_a_finished_file_takes_no_more():
    writer = SealingWriter(io.BytesIO(), generate_data_key())
    writer.write(b"x")
    writer.finish()
    for again in (lambda: writer.write(b"y"), writer.finish):
        with pytest.raises(DocumentError, match=r"^WRITER_FINISHED: "):
            again()


def test_files_are_bounded(monkeypatch):
    monkeypatch.setattr(sealing_module, "MAX_PARTS", 1)
    writer = SealingWriter(io.BytesIO(), generate_data_key())
    writer.write(bytes(PART_PLAIN))
    with pytest.raises(DocumentError, match=r"^FILE_TOO_LARGE: A file has at most 1 parts"):
        writer.write(bytes(SEGMENT))


def test_a_sink_that_takes_less_is_noticed():
    class Full(io.RawIOBase):
        def write(self, data):
            return len(data) - 1

    with pytest.raises(StorageError, match=r"^SHORT_WRITE: The sink took 65563 of 65564 bytes"):
        SealingWriter(Full(), generate_data_key()).write(bytes(SEGMENT))


def test_a_sink_need_not_count():
    class Silent:
        taken = b""

        def write(self, data):
            self.taken += data

    sink = Silent()
    writer = SealingWriter(sink, bytes(32))
    writer.write(b"abc")
    sealed = writer.finish()
    assert PartOpener(bytes(32), sealed.sealed_file("a")).open_part(0, sink.taken) == b"abc"


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_data_keys_have_one_size(size, example):
    with pytest.raises(DocumentError, match=r"^KEY_SIZE: "):
        SealingWriter(io.BytesIO(), bytes(size))
    with pytest.raises(DocumentError, match=r"^KEY_SIZE: "):
        PartOpener(bytes(size), example.file)


# What a hostile store may do. Each is noticed before a plain byte is there: the buffer stays as it was.


def cut(part, first, last):
    """A part without the segments from ``first`` up to ``last``."""
    return part[: first * SEALED_SEGMENT] + part[last * SEALED_SEGMENT :]


def swapped(part):
    return part[SEALED_SEGMENT : 2 * SEALED_SEGMENT] + part[:SEALED_SEGMENT] + part[2 * SEALED_SEGMENT :]


def flipped(part, at):
    altered = bytearray(part)
    altered[at] ^= 0x80
    return bytes(altered)


ATTACKS = {
    "dropped segment": (lambda parts: cut(parts[0], 3, 4), "PART_SIZE"),
    "dropped last segment": (lambda parts: cut(parts[0], 255, 256), "PART_SIZE"),
    "swapped segments": (lambda parts: swapped(parts[0]), "PART_DIGEST"),
    "repeated segment": (lambda parts: parts[0][:SEALED_SEGMENT] + parts[0][:-SEALED_SEGMENT], "PART_DIGEST"),
    "added segment": (lambda parts: parts[0] + parts[0][:SEALED_SEGMENT], "PART_SIZE"),
    "segment of another part": (lambda parts: parts[1][:SEALED_SEGMENT] + parts[0][SEALED_SEGMENT:], "PART_DIGEST"),
    "truncated": (lambda parts: parts[0][:-1], "PART_SIZE"),
    "extended": (lambda parts: parts[0] + b"\x00", "PART_SIZE"),
    "empty": (lambda parts: b"", "PART_SIZE"),
    "altered nonce": (lambda parts: flipped(parts[0], 0), "PART_DIGEST"),
    "altered text": (lambda parts: flipped(parts[0], 12), "PART_DIGEST"),
    "altered tag": (lambda parts: flipped(parts[0], -1), "PART_DIGEST"),
    "another part": (lambda parts: parts[1], "PART_DIGEST"),
    "the short part": (lambda parts: parts[2], "PART_SIZE"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_altered_parts_are_caught_before_decrypting(name, example):
    change, code = ATTACKS[name]
    sealed = change(example.parts)
    buffer = bytearray(b"\xaa" * PART_PLAIN)
    with pytest.raises(DocumentError, match=f"^{code}: File table, part 1 of 3 "):
        example.opener.open_part_into(0, sealed, memoryview(buffer))
    assert buffer == b"\xaa" * PART_PLAIN
    with pytest.raises(DocumentError, match=f"^{code}: "):
        example.opener.open_part(0, sealed)
    with pytest.raises(DocumentError, match=f"^{code}: "):
        next(example.opener.open_all([sealed]))


@pytest.mark.parametrize(
    ("order", "code", "opened"),
    [
        ((), "PART_MISSING: File table, part 1 of 3 is missing", 0),
        ((0,), "PART_MISSING: File table, part 2 of 3 is missing", 1),
        ((0, 1), "PART_MISSING: File table, part 3 of 3 is missing", 2),
        ((1, 0, 2), "PART_DIGEST: File table, part 1 of 3", 0),
        ((0, 0, 2), "PART_DIGEST: File table, part 2 of 3", 1),
        ((0, 2), "PART_SIZE: File table, part 2 of 3", 1),
        ((0, 1, 2, 2), "PART_EXTRA: File table has 3 parts; found a part 4", 3),
        ((0, 1, 2, 0), "PART_EXTRA: ", 3),
    ],
)
def test_parts_come_all_once_and_in_order(order, code, opened, example):
    views = example.opener.open_all(example.parts[index] for index in order)
    for index in range(opened):
        assert next(views) == example.plain[index * PART_PLAIN : (index + 1) * PART_PLAIN]
    with pytest.raises(DocumentError, match=f"^{code}"):
        next(views)


@pytest.mark.parametrize("index", [-1, 3, 10**9])
def test_there_are_no_other_parts(index, example):
    for use in (
        lambda: example.opener.plain_size(index),
        lambda: example.opener.open_part(index, example.parts[0]),
        lambda: example.opener.open_part_into(index, example.parts[0], memoryview(bytearray(PART_PLAIN))),
    ):
        with pytest.raises(DocumentError, match=r"^PART_EXTRA: "):
            use()


def test_the_parts_of_another_file_are_refused(example):
    body, _ = seal(bytes(len(example.plain)), example.data_key)
    for index, part in enumerate(split(body)):
        with pytest.raises(DocumentError, match=r"^PART_DIGEST: "):
            example.opener.open_part(index, part)


def test_the_wrong_key_leaves_zeros(example):
    opener = PartOpener(generate_data_key(), example.file)
    buffer = bytearray(b"\xaa" * PART_PLAIN)
    with pytest.raises(DocumentError, match=r"^SEGMENT: File table, part 1 of 3: segment 1 does not decrypt") as caught:
        opener.open_part_into(0, example.parts[0], memoryview(buffer))
    assert buffer == bytes(PART_PLAIN)
    assert example.data_key.hex() not in str(caught.value)


@pytest.mark.parametrize(("segment", "named"), [(0, 1), (1, 2), (2, 3)])
def test_a_manifest_over_bad_segments_opens_nothing(segment, named):
    # The owner's own manifest lists the altered bytes: size and digest are right, the tag is not.
    data_key = generate_data_key()
    body, sealed = seal(os.urandom(TAIL), data_key)
    body = flipped(body, segment * SEALED_SEGMENT + 20)
    file = SealedFile(
        name="table", plain_size=TAIL, sealed_size=sealed.sealed_size, parts=(hashlib.sha256(body).hexdigest(),)
    )
    buffer = bytearray(b"\xaa" * (TAIL + 5))
    with pytest.raises(DocumentError, match=f"^SEGMENT: File table, part 1 of 1: segment {named} "):
        PartOpener(data_key, file).open_part_into(0, body, memoryview(buffer))
    assert buffer == bytes(TAIL) + b"\xaa" * 5  # what was decrypted before the bad segment is gone


def test_the_buffer_must_be_large_enough(example):
    with pytest.raises(
        DocumentError, match=r"^BUFFER: File table, part 3 of 3 has 131149 plain bytes, the buffer 131148"
    ):
        example.opener.open_part_into(2, example.parts[2], memoryview(bytearray(TAIL - 1)))


def test_views_are_read_only(example):
    view = next(example.opener.open_all(example.parts))
    assert view.readonly
    with pytest.raises(TypeError):
        view[0] = 1


def test_a_sealed_file_of_the_factories_opens():
    dataset = factories.make_study(1).datasets[0]
    opener = PartOpener(dataset.data_key, dataset.manifest.document.files[0])
    assert opener.open_part(0, dataset.sealed) == dataset.plain
