"""The attester of hardware, on a folder that behaves like Gramine's ``/dev/attestation``."""

import os
import resource
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import attested
import pytest
from attestation_folder import AttestationFolder

from attestation.attesters.gramine import GramineAttester
from attestation.quote import parse_quote
from protocol.errors import AttestationError, TransportError

REPORT_DATA = attested.claims().report_data


def make_quote(report_data):
    return attested.platform().quote(attested.MEASUREMENT, report_data)


@pytest.fixture
def files(tmp_path):
    with AttestationFolder(tmp_path / "attestation", make_quote) as folder:
        yield folder


@contextmanager
def refused(kind, code, *words):
    with pytest.raises(kind) as caught:
        yield
    assert caught.value.code == code
    for word in words:
        assert word in caught.value.detail


def ask(files):
    return GramineAttester(files.path).quote(REPORT_DATA)


def test_a_quote_over_the_report_data_that_a_verifier_accepts(files):
    quote = ask(files)
    assert parse_quote(quote).report.report_data == REPORT_DATA
    assert attested.appraise(attested.with_quote(lambda _: quote))


def test_each_quote_is_made_anew(files):
    attester = GramineAttester(files.path)
    for number in range(5):
        data = bytes([number]) * 64
        assert parse_quote(attester.quote(data)).report.report_data == data
    assert files.given == 5


def test_a_quote_that_comes_slowly_and_in_pieces_is_read_to_its_end(files):
    files.piece, files.pause = 700, 0.02
    assert parse_quote(ask(files)).report.report_data == REPORT_DATA


def test_gramines_own_folder_is_the_default():
    assert GramineAttester()._folder.as_posix() == "/dev/attestation"


@pytest.mark.parametrize("size", [0, 32, 63, 65, 128])
def test_report_data_is_never_padded_or_cut(files, size):
    with refused(AttestationError, "REPORT_DATA", f"Found {size} bytes", "wanted 64"):
        GramineAttester(files.path).quote(bytes(size))
    assert files.given == 0


def test_report_data_is_written_at_once(files, monkeypatch):
    """To Gramine each write is whole report data: two halves would be one half, padded."""
    writes, write = [], os.write

    def spy(file, data):
        writes.append(bytes(data))
        return write(file, data)

    monkeypatch.setattr(os, "write", spy)
    ask(files)
    assert writes == [REPORT_DATA]


# What the type says


@pytest.mark.parametrize(
    ("kind", "found"),
    [(None, "no such file"), ("none", "'none'"), ("epid", "'epid'"), ("", "''"), ("dcap2", "'dcap2'"), ("x" * 99, "x")],
)
def test_another_type_than_dcap_makes_no_quote(tmp_path, kind, found):
    with (
        AttestationFolder(tmp_path / "attestation", make_quote, kind) as files,
        refused(AttestationError, "ATTESTATION_TYPE", found, "wanted 'dcap'", "gramine-sgx", "sgx.remote_attestation"),
    ):
        ask(files)
    assert files.given == 0


def test_a_type_with_a_newline(tmp_path):
    with AttestationFolder(tmp_path / "attestation", make_quote, "dcap\n") as files:
        assert ask(files)


def test_a_folder_that_is_not_there(tmp_path):
    with refused(AttestationError, "ATTESTATION_TYPE", "no such file"):
        GramineAttester(tmp_path / "none").quote(REPORT_DATA)


# What a faulty platform gives


@pytest.mark.parametrize(
    "change",
    [
        lambda _quote: b"",
        lambda quote: quote[:-1],
        lambda quote: quote[:432],
        lambda quote: quote[:436],
        lambda quote: quote[:100],
        lambda quote: quote + b"\0",
        lambda quote: quote.ljust(8192, b"\0"),
        lambda quote: quote.ljust(200_000, b"\0"),
        lambda quote: quote[:432] + (8193 - 436).to_bytes(4, "little") + bytes(8193 - 436),
        lambda quote: quote[:432] + bytes(4),
    ],
    ids=["empty", "cut", "report", "header", "short", "byte", "padded", "huge", "bound", "unsigned"],
)
def test_what_is_no_quote(files, change):
    files.change = change
    with refused(TransportError, "PLATFORM_ANSWER", "no quote", "8192"):
        ask(files)


def test_the_largest_quote(files):
    files.change = lambda quote: quote[:432] + (8192 - 436).to_bytes(4, "little") + bytes(8192 - 436)
    assert len(ask(files)) == 8192


def test_a_stale_quote_is_found_at_once(files):
    earlier = make_quote(bytes(64))
    files.change = lambda _quote: earlier
    with refused(TransportError, "PLATFORM_REPORT_DATA", "other report data"):
        ask(files)


@pytest.mark.parametrize("at", [0, 31, 63])
def test_one_other_byte_of_report_data_is_found(files, at):
    files.change = lambda quote: bytes(byte ^ (place == 368 + at) for place, byte in enumerate(quote))
    with refused(TransportError, "PLATFORM_REPORT_DATA"):
        ask(files)


# Files that fail


@pytest.mark.parametrize(
    ("name", "target", "found"),
    [
        ("attestation_type", "/proc/self/mem", "EIO"),
        ("user_report_data", None, "ENOENT"),
        ("user_report_data", "/dev/full", "ENOSPC"),
        ("quote", None, "ENOENT"),
        ("quote", "quote", "ELOOP"),
        ("quote", "keys", "EISDIR"),
        ("quote", "/proc/self/mem", "EIO"),
    ],
)
def test_a_file_that_cannot_be_opened_written_or_read(tmp_path, name, target, found):
    files = AttestationFolder(tmp_path / "attestation", make_quote)
    (files.path / name).unlink()
    if target:
        (files.path / name).symlink_to(target)
    reader = os.open(files.path / "user_report_data", os.O_RDONLY | os.O_NONBLOCK) if name == "quote" else -1
    with refused(TransportError, "PLATFORM_UNREACHABLE", found, "AESM"):
        ask(files)
    if reader >= 0:
        os.close(reader)


def test_a_failure_without_a_number_is_told_too(files, monkeypatch):
    def fail(*_):
        raise OSError("no number")

    monkeypatch.setattr(os, "write", fail)
    with refused(TransportError, "PLATFORM_UNREACHABLE", "an error"):
        ask(files)


def test_report_data_that_is_not_taken_whole(tmp_path):
    files = AttestationFolder(tmp_path / "attestation", make_quote)
    for name in ("user_report_data", "quote"):
        (files.path / name).unlink()
        (files.path / name).touch()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (32, before[1]))  # the kernel then takes 32 bytes of a file
    try:
        with refused(TransportError, "PLATFORM_ANSWER", "took 32 bytes", "wanted 64"):
            ask(files)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_the_next_quote_after_a_failure(files):
    files.change = lambda _quote: b""
    with refused(TransportError, "PLATFORM_ANSWER"):
        ask(files)
    files.change = bytes
    assert ask(files)


# Many at once


def test_each_of_many_threads_gets_the_quote_for_its_own_report_data(files):
    """Attesters that know nothing of each other share the lock, since they share the files."""
    files.piece, files.pause = 4_096, 0.001
    together = threading.Barrier(12)

    def rounds(number):
        together.wait(20)
        for step in range(4):
            data = bytes([number, step]) * 32
            quote = GramineAttester(files.path).quote(data)
            assert parse_quote(quote).report.report_data == data
        return number

    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(rounds, range(12), timeout=60)) == list(range(12))
    assert files.given == 48
