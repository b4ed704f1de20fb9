"""The stream of genotypes: the same bytes in the same requests, whatever is in them and whatever an analysis reads."""

import itertools
import re
import secrets
import tracemalloc
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import genotype_study
import numpy as np
import pytest
from factories import resign
from genotype_study import GenotypeHost, bed, pack, seal

from enclave.genotypes import BED_HEAD, BLOCK_BYTES, BLOCK_VARIANTS, GenotypeStream
from enclave.parts import HostFaultError, PartSource
from protocol.commitment import commit_key
from protocol.container import PartOpener, generate_data_key
from protocol.container.opening import PART_PLAIN
from protocol.documents.outputs import CountTable, Hits, Refusal
from protocol.errors import TransportError


@dataclass
class Parts:
    """A file in parts of any size, as ``PartSource`` gives them; notes every request in ``log``."""

    name: str
    plain: bytes
    size: int
    log: list
    broken: frozenset = frozenset()
    fault: int | None = None
    file: SimpleNamespace = field(init=False)
    opener: SimpleNamespace = field(init=False)

    def __post_init__(self):
        self.file = SimpleNamespace(plain_size=len(self.plain))
        self.opener = SimpleNamespace(plain_size=lambda index: len(self.part(index)))

    def part(self, index):
        return self.plain[index * self.size : (index + 1) * self.size]

    def open_into(self, index, out):
        assert len(out) == len(self.part(index)) > 0
        self.log.append((self.name, index))
        if index == self.fault:
            raise HostFaultError(TransportError("STATUS", "The relay has no such part."))
        out[:] = bytes(len(out)) if index in self.broken else self.part(index)
        return index not in self.broken


SAMPLES = (13, 1, 8, 4, 6)
VARIANTS = 41


def dosages_of(samples=SAMPLES, variants=VARIANTS):
    generator = np.random.default_rng(4)
    return [generator.choice(np.array([0, 1, 2, 255], dtype=np.uint8), (variants, count)) for count in samples]


def stream_of(dosages, sizes, log=None, plains=(), variants=VARIANTS, **more):
    """Stream files in parts of ``sizes`` bytes; ``more`` goes to the second cohort's file."""
    plains = plains or [bed(part) for part in dosages]
    log = [] if log is None else log
    sources = [
        Parts(str(place), plain, size, log, **(more if place == 1 else {}))
        for place, (plain, size) in enumerate(zip(plains, sizes, strict=True))
    ]
    return GenotypeStream(sources, [part.shape[1] for part in dosages], variants)


def read(stream):
    """Read all blocks; return each cohort's calls."""
    calls, expected = None, 0
    for block in stream.blocks():
        assert block.start == expected
        expected += len(block.calls[0])
        copied = [part.copy() for part in block.calls]
        calls = [[part] for part in copied] if calls is None else [[*a, b] for a, b in zip(calls, copied, strict=True)]
    return [np.concatenate(parts) for parts in calls or []]


@pytest.mark.parametrize(
    "sizes",
    [(1, 2, 3, 4, 5), (10_000,) * 5, (7, 1, 10_000, 2, 3), (4, 4, 5, 44, 44)],
    ids=str,
)
def test_calls_of_several_cohorts_however_their_parts_lie(sizes):
    """Parts end in the head, within a variant, at its end, and past all."""
    dosages = dosages_of()
    stream = stream_of(dosages, sizes)
    for found, wanted in zip(read(stream), dosages, strict=True):
        assert (found == pack(wanted)).all()
    assert stream.finish() is True


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 1025])
def test_any_number_of_samples(count):
    dosages = dosages_of((count,), 3)
    stream = stream_of(dosages, (5,), variants=3)
    (found,) = read(stream)
    assert found.shape == (3, -(-count // 4))
    assert (found == pack(dosages[0])).all()
    assert stream.finish() is True


def test_cohorts_without_genotypes_and_without_samples():
    stream = GenotypeStream([], [], 0)
    assert list(stream.blocks()) == []
    assert stream.finish() is True
    empty = stream_of(dosages_of((0, 3), 2), (3, 3), variants=2)
    assert [part.shape for part in read(empty)] == [(2, 0), (2, 1)]
    assert empty.finish() is True


def test_a_block_holds_a_mebibyte_and_no_more_than_1024_variants():
    few = stream_of([np.zeros((2500, 4), dtype=np.uint8)], (10_000,), variants=2500)
    assert [len(block.calls[0]) for block in few.blocks()] == [
        BLOCK_VARIANTS,
        BLOCK_VARIANTS,
        2500 - 2 * BLOCK_VARIANTS,
    ]
    many = 3 * BLOCK_BYTES  # samples of a variant: three quarters of a block, so one variant at a time
    wide = stream_of([np.zeros((2, many), dtype=np.uint8)], (PART_PLAIN,), variants=2)
    assert [len(block.calls[0]) for block in wide.blocks()] == [1, 1]
    assert few.finish() is wide.finish() is True


SIZES = (3, 2, 5, 4, 7)


def honest_log():
    log = []
    stream = stream_of(dosages_of(), SIZES, log)
    assert stream.finish() is True
    return log


def test_every_part_is_asked_for_once_and_in_order():
    log = honest_log()
    for place, dosages in enumerate(dosages_of()):
        indices = [index for name, index in log if name == str(place)]
        assert indices == list(range(-(-len(bed(dosages)) // SIZES[place])))
    assert [name for name, _ in log[:5]] == list("01123")  # heads first: the second file's takes two parts


def padded(byte):
    """The second cohort has one sample: three calls of each byte belong to nobody."""
    plain = bytearray(bed(dosages_of()[1]))
    plain[len(BED_HEAD) + 17] |= byte
    return bytes(plain)


@pytest.mark.parametrize("bits", [0b100, 0b1000, 0b1000_0000, 0b1111_1100])
def test_bits_behind_the_last_sample_must_be_zero(bits):
    dosages, log = dosages_of(), []
    plains = [bed(part) for part in dosages]
    plains[1] = padded(bits)
    stream = stream_of(dosages, SIZES, log, plains)
    assert len(read(stream)[1]) == VARIANTS
    assert stream.finish() is False
    assert log == honest_log()


@pytest.mark.parametrize("head", [b"\x6c\x1b\x00", b"\x00\x00\x00", b"\x6c\x1b\x03"])
def test_a_wrong_head(head):
    dosages, log = dosages_of(), []
    plains = [bed(part) for part in dosages]
    plains[3] = head + plains[3][3:]
    stream = stream_of(dosages, SIZES, log, plains)
    assert stream.finish() is False
    assert log == honest_log()


@pytest.mark.parametrize("index", [0, 1, 20, 21])
def test_a_part_that_does_not_decrypt_comes_as_zeros_and_is_found_out(index):
    log = []
    stream = stream_of(dosages_of(), SIZES, log, broken=frozenset({index}))
    calls = read(stream)
    assert calls[1].shape == (VARIANTS, 1)
    assert stream.finish() is False
    assert log == honest_log()


@pytest.mark.parametrize("blocks", [0, 1, 2])
def test_an_analysis_that_stops_early_changes_no_request(blocks):
    log, variants = [], 2 * BLOCK_VARIANTS + 5
    dosages = dosages_of(variants=variants)
    stream = stream_of(dosages, (7, 5, 3, 2, 6), log, variants=variants)
    for block in itertools.islice(stream.blocks(), blocks):
        assert block.calls[0].shape[1] == 4
    early = len(log)
    assert stream.finish() is True
    assert early < len(log)
    whole = []
    assert len(read(stream_of(dosages, (7, 5, 3, 2, 6), whole, variants=variants))[0]) == variants
    assert log == whole


@pytest.mark.parametrize("index", [0, 1, 20])
def test_a_host_fault_ends_the_stream_and_is_raised_when_it_is_finished(index):
    log = []
    stream = stream_of(dosages_of(), SIZES, log, fault=index)
    read(stream)
    with pytest.raises(HostFaultError) as caught:
        stream.finish()
    assert caught.value.error.code == "STATUS"
    assert log == honest_log()[: len(log)]
    assert log[-1] == ("1", index)


def test_a_stream_that_breaks_from_within_is_no_whole_stream():
    stream = stream_of(dosages_of(), SIZES)
    with pytest.raises(MemoryError):
        stream.blocks().throw(MemoryError)
    with pytest.raises(RuntimeError):
        stream.finish()


# Sealed parts


class Sealed:
    """A relay that serves the sealed parts of one file."""

    def __init__(self, sealed, listed):
        self.sealed, self.listed, self.asked = sealed, listed, []

    def part(self, dataset, name, index, size):
        self.asked.append(index)
        start = sum(self.listed.part_size(before) for before in range(index))
        return self.sealed[start : start + size]


def test_a_sealed_file_of_three_parts_that_end_inside_variants():
    samples, variants = 4_001, 36_000  # 1,001 bytes a variant
    plain = BED_HEAD + bytes(1_000 * variants + variants)
    body = bytearray(plain)
    marks = [PART_PLAIN - 1, PART_PLAIN, 2 * PART_PLAIN - 1, 2 * PART_PLAIN]
    for place in marks:
        body[place] = 0b11
    assert all((place - 3) % 1_001 not in {0, 1_000} for place in marks)
    key = generate_data_key()
    sealed, listed = seal(key, bytes(body))
    relay = Sealed(sealed, listed)
    stream = GenotypeStream([PartSource(relay, "d", listed, PartOpener(key, listed))], [samples], variants)
    found = [
        (block.start + row) * 1_001 + byte + 3
        for block in stream.blocks()
        for row, byte in zip(*np.nonzero(block.calls[0]), strict=True)
    ]
    assert found == marks
    assert stream.finish() is True
    assert relay.asked == [0, 1, 2]


def peak(variants):
    """Return the peak of memory, in bytes, of reading so many variants of 40,000 samples in two cohorts."""
    width, head = 5_000, len(BED_HEAD)

    class Zeros(Parts):
        def part(self, index):
            return range(min(self.size, head + width * variants - index * self.size))

        def open_into(self, index, out):
            out[:] = bytes(len(out))
            if index == 0:
                out[:head] = BED_HEAD
            return True

    sources = [Zeros(name, b"", 2**18, []) for name in "ab"]
    for source in sources:
        source.file = SimpleNamespace(plain_size=head + width * variants)
    tracemalloc.start()
    try:
        stream = GenotypeStream(sources, [4 * width] * 2, variants)
        assert sum(len(block.calls[0]) for block in stream.blocks()) == variants
        assert stream.finish() is True
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_variants():
    few, many = peak(4_000), peak(16_000)
    assert 2 * PART_PLAIN < few < 2 * PART_PLAIN + 16 * BLOCK_BYTES
    assert many < 1.02 * few


# Whole sessions


def looks(host):
    """What the host sees but times, with the names of documents taken out."""
    return [
        (seen.step, seen.method, re.sub("[0-9a-f]{64}", "NAME", seen.path), seen.sent, seen.status, seen.answered)
        for seen in host.seen
    ]


@pytest.fixture(scope="module")
def good_looks(tmp_path_factory):
    with GenotypeHost(tmp_path_factory.mktemp("good")) as host:
        assert host.run() is True
        assert host.failures == []
        opened = {name: item.value for name, item in host.opened().items()}
        assert isinstance(opened["hits"], Hits)
        assert isinstance(opened["subjects"], CountTable)
        assert set(genotype_study.PLANTED) <= {hit.variant for hit in opened["hits"].entries}
        parts = [seen.path.rsplit("/", 2)[1] for seen in host.asked("part")]
        assert parts == ["table"] * 3 + ["genotypes"] * 3
        return looks(host)


def under_another_key(party, dataset, sealed, plain):
    """Seal the genotypes under a key that is not the manifest's; the table stays as it is."""
    again, listed = seal(generate_data_key(), plain)
    document = dataset.manifest.document
    manifest = resign(document, party.people["steward"].manifest, files=(document.files[0], listed))
    return replace(dataset, manifest=manifest), again


def all_under_another_key(party, dataset, sealed, plain):
    key = generate_data_key()
    manifest = resign(dataset.manifest.document, party.people["steward"].manifest, commitment=commit_key(key))
    return replace(dataset, manifest=manifest, data_key=key), sealed


def changed_bed(**changes):
    """Return the first partner's .bed file with some bytes set, by offset."""
    plain = bytearray(bed(genotype_study.study_data()[1][0]))
    for place, byte in changes.items():
        plain[int(place[1:])] |= byte
    return bytes(plain)


@pytest.mark.parametrize(
    ("study", "refused"),
    [
        ({"respoil": under_another_key}, True),
        ({"respoil": all_under_another_key}, True),
        ({"beds": {0: secrets.token_bytes(len(bed(genotype_study.study_data()[1][0])))}}, True),
        ({"beds": {0: changed_bed(p1=0xFF)}}, True),
        ({"beds": {0: changed_bed(p63=0b1000_0000)}}, True),  # 241 samples: the last of a variant's 61 bytes has one
        ({"beds": {0: changed_bed(p62=0b1000_0000)}}, False),
    ],
    ids=["other key", "other key for all", "noise", "head", "padding", "another call"],
)
def test_whatever_the_genotypes_are_the_host_sees_the_same(tmp_path, good_looks, study, refused):
    with GenotypeHost(tmp_path, **study) as host:
        assert host.run() is True
        assert host.failures == []
        assert looks(host) == good_looks
        for party in range(3):
            values = {item.value for item in host.opened(party).values()}
            assert (values == {Refusal(refusal="SCHEMA")}) is refused


@pytest.mark.parametrize("which", [0, 2])
def test_a_host_that_alters_genotypes_is_told(tmp_path, which):
    with GenotypeHost(tmp_path) as host:
        name = host.study.datasets[which].manifest.name

        def lie(asked, honest):
            sealed = honest()
            mine = asked.rest[:2] == (name, "genotypes")
            return sealed[:-1] + bytes([sealed[-1] ^ 1]) if mine else sealed

        host.lies["part"] = lie
        host.refuses("PART_DIGEST", before="commit")
