"""Sources of collateral: what is kept, refreshed, refused, and what goes on serving while a source is away."""

import logging
import os
import ssl
import threading
from datetime import timedelta

import attested
import pytest
from attested import DAY, NOW
from faulty_pccs import FaultyPccs, replies

from attestation.certificates import key_digest
from attestation.collateral import source as sources
from attestation.collateral.cache import FolderCache, MemoryCache
from attestation.collateral.client import Limits, PccsClient
from attestation.collateral.items import KINDS, CollateralItem, read_platform, vet
from attestation.collateral.source import BundledSource, PccsSource
from attestation.endorsements import collateral_to_json
from attestation.policy import CollateralAge
from attestation.simulator.platform import Conditions
from protocol.errors import AttestationError, StorageError, TransportError

QUOTE = attested.platform().quote(attested.MEASUREMENT, bytes(64))
OTHERS = attested.other_platform().quote(attested.MEASUREMENT, bytes(64))
PLATFORM = read_platform(QUOTE)
GOOD = attested.platform().collateral(NOW)
NAMES = dict(zip(KINDS, ("tcb", "identity", "pckcrl", "rootcacrl"), strict=True))
LATER = NOW + 25 * DAY
"""Less than a quarter of 30 days is left."""


class Clock:
    """Seconds that a test sets."""

    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def pccs():
    with FaultyPccs(GOOD) as server:
        yield server


@pytest.fixture
def clock():
    return Clock()


def source_of(pccs, clock, cache=None, **options):
    client = PccsClient(pccs.url, limits=Limits(connect=2, request=2, tries=1))
    return PccsSource(client, cache or MemoryCache(), clock=clock, **options)


@pytest.fixture
def source(pccs, clock):
    return source_of(pccs, clock)


def issued(at, **conditions):
    return attested.platform(Conditions(**conditions)).collateral(at)


def refused(code, source, at=NOW, kind=AttestationError):
    with pytest.raises(kind) as caught:
        source.collateral(QUOTE, at)
    assert caught.value.code == code, caught.value
    return caught.value.detail


def chained(leaf, intermediate, root):
    """A quote with these certificates in place of its own; who reads for collateral verifies nothing else."""
    pem = "".join(map(ssl.DER_cert_to_PEM_cert, (leaf, intermediate, root))).encode()
    start = QUOTE.index(b"-----BEGIN") - 4
    size, whole = (int.from_bytes(QUOTE[at : at + 4], "little") for at in (start, 432))
    grown = (whole + len(pem) - size).to_bytes(4, "little")
    return QUOTE[:432] + grown + QUOTE[436:start] + len(pem).to_bytes(4, "little") + pem


def test_certificates_that_did_not_issue_one_another_fill_no_cache():
    ours, others = PLATFORM.der, read_platform(OTHERS).der
    assert read_platform(chained(ours.leaf, ours.intermediate, ours.root)).der == PLATFORM.der
    for chain in (
        (others.leaf, others.intermediate, ours.root),
        (others.leaf, ours.intermediate, ours.root),
    ):
        with pytest.raises(AttestationError) as caught:
            read_platform(chained(*chain))
        assert caught.value.code == "PCK_CHAIN"


def test_a_crl_is_kept_under_its_issuers_key():
    assert PLATFORM.key("pck-crl").split(".")[1] == f"platform-{key_digest(PLATFORM.chain[1])[:32]}"


def test_what_was_fetched_serves_until_a_quarter_of_its_life_is_left(pccs, source, clock):
    for days in (0, 10, 22):
        assert source.collateral(QUOTE, NOW + days * DAY) == GOOD
    assert len(pccs.asked) == 4
    pccs.collateral = issued(LATER)
    clock.now += 1000
    assert source.collateral(QUOTE, LATER) == pccs.collateral
    assert len(pccs.asked) == 8
    assert [(item.until, item.number, item.failure) for item in source.status() if "crl" in item.key] == [
        (LATER + 30 * DAY, int(LATER.timestamp()), "")
    ] * 2


def test_the_refresh_is_as_early_as_one_sets(pccs, clock):
    source = source_of(pccs, clock, refresh_percent=90)
    source.collateral(QUOTE, NOW)
    pccs.collateral = issued(NOW + 4 * DAY)
    clock.now += 301
    assert source.collateral(QUOTE, NOW + 4 * DAY) == pccs.collateral


def test_each_item_has_an_age_of_its_own(pccs, clock):
    source = source_of(pccs, clock, ages=CollateralAge(tcb_info=5, qe_identity=30, pck_crl=30, root_ca_crl=30))
    source.collateral(QUOTE, NOW)
    pccs.asked.clear()
    pccs.collateral = issued(NOW + 6 * DAY)
    source.collateral(QUOTE, NOW + 6 * DAY)
    assert len(pccs.asked) == 1
    assert "/tcb?" in pccs.asked[0]
    pccs.collateral = issued(NOW - 6 * DAY)
    assert "No valid tcb-info is kept" in refused("COLLATERAL_AGE", source_of(pccs, clock, ages=source._ages))


FAULTS = {
    "COLLATERAL_CUT": "cut",
    "COLLATERAL_BUSY": (503, {}, b""),
    "COLLATERAL_UNKNOWN": (404, {}, b""),
    "COLLATERAL_ANSWER": (200, {}, b"<html>"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("code", FAULTS)
def test_a_source_with_a_fault_is_an_error_only_where_nothing_valid_is_kept(pccs, source, clock, caplog, code, kind):
    pccs.faults[NAMES[kind]] = FAULTS[code]
    assert f"No valid {kind} is kept" in refused(code, source, kind=TransportError)
    pccs.faults.clear()
    source.collateral(QUOTE, NOW)
    pccs.faults = dict.fromkeys(NAMES.values(), FAULTS[code])
    clock.now += 1000
    with caplog.at_level(logging.WARNING):
        assert source.collateral(QUOTE, LATER) == GOOD
    assert "was not refreshed, the kept item serves until 2026-12-24T12:00:00Z" in caplog.text
    assert code in {item.failure for item in source.status()}
    assert "No valid" in refused(code, source, NOW + 31 * DAY, TransportError)


def test_a_source_that_is_away_is_not_asked_again_at_once(pccs, source, clock):
    source.collateral(QUOTE, NOW)
    pccs.faults = dict.fromkeys(NAMES.values(), "cut")
    pccs.asked.clear()
    clock.now += 1000
    for _ in range(3):
        source.collateral(QUOTE, LATER)
    assert len(pccs.asked) == 1
    clock.now += 301
    source.collateral(QUOTE, LATER)
    assert len(pccs.asked) == 2


def test_a_source_with_nothing_newer_is_not_asked_again_at_once(pccs, source, clock):
    source.collateral(QUOTE, NOW)
    clock.now += 1000
    pccs.asked.clear()
    for _ in range(3):
        assert source.collateral(QUOTE, LATER) == GOOD
    assert len(pccs.asked) == 4


def wrong(**fields):
    return GOOD.model_copy(update=fields)


OTHER = attested.other_platform().collateral(NOW)
WRONG = {
    "another root's TCB information": (
        "COLLATERAL_SIGNER",
        wrong(
            tcb_info=OTHER.tcb_info,
            tcb_info_signature=OTHER.tcb_info_signature,
            tcb_info_issuer_chain=OTHER.tcb_info_issuer_chain,
        ),
    ),
    "a signature of something else": ("COLLATERAL_SIGNATURE", wrong(qe_identity_signature=GOOD.tcb_info_signature)),
    "TCB information of other processors": ("OTHER_PLATFORM", issued(NOW, fmspc=bytes(6))),
    "TCB information of another PCE": ("OTHER_PLATFORM", issued(NOW, pce_id=b"\x00\x01")),
    "signed by a PCK": ("COLLATERAL_FORMAT", issued(NOW, tcb_signer="pck")),
    "another chain in the header": ("CRL_ISSUER", wrong(pck_crl_issuer_chain=OTHER.pck_crl_issuer_chain)),
    "another CA's list": ("CRL_SIGNATURE", wrong(pck_crl=OTHER.pck_crl)),
    "another root's list": ("CRL_SIGNATURE", wrong(root_ca_crl=OTHER.root_ca_crl)),
    "the CA's list as the root's": ("CRL_SIGNATURE", wrong(root_ca_crl=GOOD.pck_crl)),
    "lists without a number": ("CRL_NUMBER", issued(NOW, crl_numbers=False)),
    "no list at all": ("COLLATERAL_FORMAT", wrong(root_ca_crl="3000")),
    "no identity at all": ("COLLATERAL_FORMAT", wrong(qe_identity="{}")),
    "items of tomorrow": ("COLLATERAL_FUTURE", issued(NOW + DAY)),
    "stale items": ("COLLATERAL_EXPIRED", issued(NOW - 31 * DAY)),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_or_stale_item_is_refused_and_takes_no_good_items_place(pccs, clock, case):
    code, bad = WRONG[case]
    pccs.collateral = bad
    refused(code, source_of(pccs, clock))
    pccs.collateral = GOOD
    source = source_of(pccs, clock)
    assert source.collateral(QUOTE, NOW) == GOOD
    pccs.collateral = bad
    clock.now += 1000
    given = source.collateral(QUOTE, LATER)
    if case != "items of tomorrow":  # by then they are none
        assert {code, "COLLATERAL_ROLLBACK"} & {item.failure for item in source.status()}
    attested.appraise(attested.evidence().model_copy(update={"collateral": given}), at=LATER)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"tcb_evaluation": 21}, {"tcb_evaluation": 20}),
        ({"qe_evaluation": 21}, {"qe_evaluation": 20}),
        ({}, {"crl_number_shift": -30 * 86_400}),
    ],
)
def test_numbers_may_not_go_back_even_under_a_later_date(pccs, source, clock, before, after):
    pccs.collateral = kept = issued(NOW, **before)
    source.collateral(QUOTE, NOW)
    pccs.collateral = issued(LATER, **after)
    clock.now += 1000
    given = source.collateral(QUOTE, LATER)
    assert "COLLATERAL_ROLLBACK" in {item.failure for item in source.status()}
    assert kept.tcb_info in {given.tcb_info, kept.tcb_info}
    assert given != pccs.collateral
    assert "was seen already" in refused("COLLATERAL_ROLLBACK", source, NOW + 31 * DAY)


def test_dates_of_issue_may_not_go_back(pccs, clock):
    cache = MemoryCache()
    source_of(pccs, clock, cache).collateral(QUOTE, NOW)
    pccs.collateral = issued(NOW - DAY, crl_number_shift=2 * 86_400)
    source = source_of(pccs, clock, cache, refresh_percent=99)
    assert source.collateral(QUOTE, NOW + DAY) == GOOD
    assert {item.failure for item in source.status()} == {"COLLATERAL_ROLLBACK"}


def test_a_list_that_revokes_the_platform_is_a_good_list(pccs, source, clock):
    source.collateral(QUOTE, NOW)
    pccs.collateral = issued(LATER, revoked=True)
    clock.now += 1000
    assert source.collateral(QUOTE, LATER) == pccs.collateral


def test_platforms_are_told_apart(pccs, source):
    source.collateral(QUOTE, NOW)
    pccs.collateral = OTHER
    assert source.collateral(OTHERS, NOW) == OTHER
    assert source.collateral(QUOTE, NOW) == GOOD
    assert len(source.status()) == 8


def test_one_thread_fetches_while_others_wait_or_take_what_is_valid(pccs, source, clock):
    held, go = threading.Event(), threading.Event()

    def slowly():
        held.set()
        assert go.wait(10)
        return replies(pccs.collateral)["tcb"]

    pccs.faults["tcb"] = slowly
    found = []
    waiting = [threading.Thread(target=lambda: found.append(source.collateral(QUOTE, NOW))) for _ in range(4)]
    for thread in waiting:
        thread.start()
    assert held.wait(10)
    go.set()
    for thread in waiting:
        thread.join(20)
    assert found == [GOOD] * 4
    assert len(pccs.asked) == 4
    held.clear()
    go.clear()
    pccs.collateral = issued(LATER)
    clock.now += 1000
    thread = threading.Thread(target=source.collateral, args=(QUOTE, LATER))
    thread.start()
    assert held.wait(10)
    assert source.collateral(QUOTE, LATER).tcb_info == GOOD.tcb_info
    go.set()
    thread.join(20)
    assert source.collateral(QUOTE, LATER) == pccs.collateral


def test_what_is_valid_serves_while_another_thread_fetches(pccs, clock):
    cache = MemoryCache()
    source_of(pccs, clock, cache).collateral(QUOTE, NOW)
    pccs.collateral = issued(LATER)
    source = source_of(pccs, clock, cache)
    busy = source._locks[PLATFORM.key("tcb-info")] = threading.Lock()
    with busy:
        given = source.collateral(QUOTE, LATER)
    assert (given.tcb_info, given.pck_crl) == (GOOD.tcb_info, pccs.collateral.pck_crl)


def test_another_thread_was_first_with_a_refresh(pccs, clock):
    """It came between the first look and the lock."""
    cache = MemoryCache()
    source_of(pccs, clock, cache).collateral(QUOTE, NOW)
    fresh = issued(LATER)

    class Late(MemoryCache):
        looks = 0

        def get(self, key):
            self.looks += 1
            return (cache if self.looks % 2 else new).get(key)

    new = MemoryCache()
    pccs.collateral = fresh
    source_of(pccs, clock, new).collateral(QUOTE, LATER)
    pccs.asked.clear()
    assert source_of(pccs, clock, Late()).collateral(QUOTE, LATER) == fresh
    assert pccs.asked == []


def test_a_folder_serves_the_next_process(pccs, clock, tmp_path):
    folder = tmp_path / "a" / "cache"
    source_of(pccs, clock, FolderCache(folder)).collateral(QUOTE, NOW)
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert sorted(path.name.split(".")[0] for path in folder.iterdir()) == sorted(KINDS)
    pccs.asked.clear()
    assert source_of(pccs, clock, FolderCache(folder)).collateral(QUOTE, NOW) == GOOD
    assert pccs.asked == []


def altered(text):
    item = CollateralItem.model_validate_json(text)
    return item.model_copy(update={"body": item.body.replace("UpToDate", "UpToDote")}).model_dump_json()


@pytest.mark.parametrize("damage", [lambda _: "", lambda text: text[:-9], lambda _: "\ufeff{}", altered])
def test_a_damaged_file_is_left_out_with_a_warning_and_fetched_again(pccs, clock, tmp_path, caplog, damage):
    source_of(pccs, clock, FolderCache(tmp_path)).collateral(QUOTE, NOW)
    path = tmp_path / f"{PLATFORM.key('tcb-info')}.json"
    whole = path.read_text()
    path.write_text(damage(whole))
    pccs.asked.clear()
    with caplog.at_level(logging.WARNING):
        assert source_of(pccs, clock, FolderCache(tmp_path)).collateral(QUOTE, NOW) == GOOD
    assert "is left out" in caplog.text
    assert len(pccs.asked) == 1
    assert path.read_text() == whole


def test_a_crash_while_writing_leaves_what_was_there(pccs, clock, tmp_path, monkeypatch, caplog):
    source_of(pccs, clock, FolderCache(tmp_path)).collateral(QUOTE, NOW)
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}

    def fail(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    pccs.collateral = issued(LATER)
    with caplog.at_level(logging.WARNING):
        assert source_of(pccs, clock, FolderCache(tmp_path)).collateral(QUOTE, LATER) == pccs.collateral
    assert "was not kept: No space left on device" in caplog.text
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before


def test_items_have_the_lengths_and_forms_that_collateral_takes():
    for fields in (
        {"kind": "root-crl", "body": "AB"},
        {"kind": "root-crl", "body": "00" * 70_000},
        {"kind": "x", "body": "00"},
    ):
        with pytest.raises(ValueError):
            CollateralItem(**fields)
    with pytest.raises(AttestationError):
        vet(CollateralItem(kind="tcb-info", body=GOOD.tcb_info), PLATFORM, NOW)


def test_quotes_that_no_collateral_is_fetched_for(source, pccs):
    with pytest.raises(AttestationError) as caught:
        source.collateral(b"", NOW)
    assert caught.value.code == "QUOTE_LENGTH"
    assert pccs.asked == []


def chain_of(*changes):
    """The good quote with DER certificates of its PEM chain replaced; the quote's lengths follow."""
    import base64
    import struct

    from attestation.quote import parse_quote

    quote = parse_quote(QUOTE)
    certificates = [quote.chain.leaf, quote.chain.intermediate, quote.chain.root]
    for place, der in changes:
        certificates[place] = der
    pem = b""
    for der in certificates:
        text = base64.b64encode(der).decode()
        lines = "\n".join(text[start : start + 64] for start in range(0, len(text), 64))
        pem += f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n".encode()
    start = QUOTE.index(b"-----BEGIN")
    signature_data = QUOTE[436 : start - 4] + struct.pack("<I", len(pem)) + pem
    return QUOTE[:432] + struct.pack("<I", len(signature_data)) + signature_data


def test_chains_that_no_collateral_is_fetched_for():
    assert read_platform(chain_of()).pck == PLATFORM.pck
    for changes, code in (([(1, b"\x30\x00")], "PCK_CHAIN"), ([(2, PLATFORM.der.intermediate)], "ROOT")):
        with pytest.raises(AttestationError) as caught:
            read_platform(chain_of(*changes))
        assert caught.value.code == code


def test_bundled_collateral_serves_its_own_platform_offline(tmp_path):
    assert BundledSource(GOOD).collateral(QUOTE, NOW) == GOOD
    later = issued(NOW + DAY)
    for name, collateral in (("a", GOOD), ("b", later), ("c", OTHER), ("d", issued(NOW - DAY))):
        (tmp_path / f"{name}.json").write_text(collateral_to_json(collateral))
    assert BundledSource(tmp_path).collateral(QUOTE, NOW) == later
    assert BundledSource(tmp_path).collateral(OTHERS, NOW) == OTHER
    refused("COLLATERAL_MISSING", BundledSource(OTHER))
    refused("COLLATERAL_MISSING", BundledSource(tmp_path / "nowhere"))


def test_bundled_files_that_are_none(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    path.write_text("{}")
    refused("COLLATERAL_FORMAT", BundledSource(tmp_path))
    path.write_bytes(b"\xff")
    refused("COLLATERAL_FILE", BundledSource(tmp_path), kind=StorageError)
    path.write_text(collateral_to_json(GOOD))
    monkeypatch.setattr(sources, "MAX_FILE", 100)
    refused("COLLATERAL_FILE", BundledSource(tmp_path), kind=StorageError)


def test_time_of_a_kept_item_is_what_the_policy_leaves_of_it():
    found = vet(CollateralItem(kind="root-crl", body=GOOD.root_ca_crl), PLATFORM, NOW)
    ages = CollateralAge(tcb_info=1, qe_identity=1, pck_crl=1, root_ca_crl=7)
    assert found.end(ages) == NOW + timedelta(days=7)
    assert found.name == "root CRL"


def test_a_fifo_in_the_cache_keeps_nobody_waiting(tmp_path, caplog):
    os.mkfifo(tmp_path / "key.json")
    assert FolderCache(tmp_path).get("key") is None
    assert "is left out: it cannot be read" in caplog.text
