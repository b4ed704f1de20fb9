"""Canaries in the data, and every key: after a whole study they are nowhere outside their owner's machine.

Looked at are the folders of broker, host and platform with their databases and logs, every body and header that passed
between partners and broker, host and broker, host and platform, what the host's processes show of themselves while an
enclave holds plain data, and every document of the bundle.
"""

import base64
import json
import sqlite3
import struct

import pytest
from canary_scan import Scan, layers, values
from world import PARTIES, wait_until

from custodian.keys import CustodianSecrets
from protocol.canonical import canonical_bytes
from protocol.container import PartOpener
from protocol.documents.dataset import DatasetManifest
from protocol.dsse import Envelope, Unverified
from protocol.keyfile import open_secret
from protocol.layout.form import data_start, header_for
from protocol.layout.subjects import subject_pseudonym


@pytest.fixture(scope="module")
def plain(world_of_session):
    """The canonical table of each party, opened with the data key that was overheard when it was sealed."""
    found = {}
    for party, key in zip(PARTIES, world_of_session.canaries.data_keys, strict=False):
        folder = world_of_session.desks[party].folder / "sealed"
        document = manifest(folder / f"lung-{party}.manifest.json")
        (file,) = document.files
        opened = PartOpener(key, file).open_all([(folder / f"lung-{party}.sealed").read_bytes()])
        found[party] = (document, b"".join(opened))
    return found


def manifest(path):
    return Unverified.parse(Envelope.from_bytes(path.read_bytes()), DatasetManifest).claimed


@pytest.fixture(scope="module")
def needles(world_of_session, plain):
    world, found = world_of_session, {}
    found["a subject"] = world.canaries.subject.encode()
    found["the cell as text"] = str(world.canaries.cell).encode()
    found["the cell as an integer"] = struct.pack("<q", world.canaries.cell)
    found["the cell as a float"] = struct.pack("<d", world.canaries.cell)
    for number, key in enumerate(world.canaries.data_keys):
        found[f"data key {number}"] = key
    for party in PARTIES:
        desk, keys = world.desks[party], world.keystore(party)
        found[f"passphrase of {party}"] = (desk.folder / "passphrase").read_text().strip().encode()
        for path in sorted((desk.home / "keys").glob("*.key")):
            secret = keys.secret(path.stem)
            for start in range(0, len(secret), 32):
                found[f"{party} {path.stem} {start}"] = secret[start : start + 32]
        document, table = plain[party]
        start = data_start(memoryview(table))
        lineage = keys.secret(f"lineage.lung-{party}")
        for number in range(3):
            found[f"pseudonym {number} of {party}"] = subject_pseudonym(
                lineage, f"{world.canaries.subject}-{party}{number:03d}"
            )
        for place in header_for(document.table, document.rows).columns:
            if place.kind == "integer":  # eight rows together stand nowhere by chance
                found[f"{place.name} of {party}"] = table[start + place.offset :][:64]
    passphrase = (world.operator / "custodian-passphrase").read_text().strip()
    found["passphrase of the custodian"] = passphrase.encode()
    custodian = CustodianSecrets.from_bytes(
        open_secret((world.broker_data / "custodian" / "custodian.key").read_bytes(), passphrase)
    )
    found["signing key of the custodian"] = custodian.signing.private_bytes_raw()
    for start in range(0, 96, 32):
        found[f"opening key of the custodian {start}"] = custodian.encryption.private_bytes()[start : start + 32]
    for name, released in world.client("a").result(world.study.run).released.items():
        found[f"output {name}"] = canonical_bytes(released.value.model_dump(mode="json"))[1:60]
    return found


@pytest.fixture(scope="module")
def scan(needles):
    return Scan(needles)


def test_the_canaries_are_where_they_were_planted(world, plain, needles, scan):
    found = scan.look_in(world.desks["a"].folder / "lung.csv")
    assert found == {"a subject", "the cell as text"}
    for party in PARTIES:
        found = scan.look(plain[party][1])
        assert {name for name in needles if name.endswith(f" of {party}") and "passphrase" not in name} <= found
        assert ("the cell as an integer" in found) == (party == "a")
    assert len(world.canaries.data_keys) >= 3
    # What the scan should pass over is not passed over because nothing was captured.
    captured = {tap: {exchange.path for exchange in tap.exchanges} for tap in (world.partners, world.relayed)}
    assert any("/parts/" in path for path in captured[world.partners])
    assert any(path.endswith("/release") for path in captured[world.relayed])
    assert any(path.endswith("/result") for path in captured[world.relayed])


@pytest.mark.parametrize(
    "wrap", ["raw", "hex", "HEX", "base64", "base64url", "envelope", "database", "log of a database"]
)
def test_the_scan_finds_whatever_is_planted(needles, scan, tmp_path, wrap):
    path, connection = tmp_path / "planted", None
    everything = b"\xff?>".join(b"\xfb" * (n % 3) + needle for n, needle in enumerate(needles.values())) + b"?"
    text = base64.b64encode(everything).decode()
    match wrap:
        case "raw":
            path.write_bytes(everything)
        case "hex" | "HEX":
            path.write_text(everything.hex() if wrap == "hex" else everything.hex().upper())
        case "base64":
            path.write_text(f"some log: {text}.")
        case "base64url":
            path.write_text("some log: " + base64.urlsafe_b64encode(everything).decode())
        case "envelope":
            inner = base64.b64encode(json.dumps({"capsule": text}).encode()).decode()
            path.write_text(json.dumps([{"payload": inner}]))
        case "database" | "log of a database":
            connection = sqlite3.connect(path)
            connection.execute("PRAGMA page_size = 512")
            if wrap != "database":
                connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("CREATE TABLE t (v BLOB)")
            connection.execute("INSERT INTO t VALUES (?)", (everything,))
            connection.commit()
    assert scan.look_in(path) == scan.names
    if connection is not None:
        connection.close()


def test_a_file_without_canaries_is_clean(scan, tmp_path):
    path = tmp_path / "clean"
    path.write_bytes(bytes(range(256)) * 100 + b'{"some": "text"}')
    assert scan.look_in(path) == set()


def bulk(size, name):
    """Whether this is a part of the large packages that tests of uploads send: zeros, sealed, no canary inside."""
    return size > 2**20 and ("/parts/" in name or "/objects/sealed/" in name)


def test_nothing_is_in_the_folders_of_broker_host_and_platform(world, scan):
    secret = world.operator / "custodian-passphrase"  # the operator's own file, which no server writes
    looked = [path for path in sorted(world.operator.rglob("*")) if path.is_file() and path != secret]
    names = {path.name for path in looked}
    assert {"broker.log", "host.log", "platform.log", "broker.sqlite3", "custodian.sqlite3"} <= names
    assert any(path.suffix == ".sqlite3-wal" or path.name.endswith("-wal") for path in looked)
    assert sum("objects" in path.parts for path in looked) >= 4
    found = {
        str(path): found
        for path in looked
        if not bulk(path.stat().st_size, str(path)) and (found := scan.look_in(path))
    }
    assert found == {}


def test_databases_hold_documents_that_were_looked_into(world):
    """The scan looks through envelopes: there are some, and their inner text is reached."""
    inner = b"".join(
        layer for value in values(world.broker_data / "broker.sqlite3") for layer in layers(value) if layer != value
    )
    assert b"lung-a" in inner and b"clinical.survival" in inner


def test_nothing_passed_over_the_network(world, scan):
    for tap in (world.partners, world.relayed, world.quoted):
        assert len(tap.exchanges) >= 3
        leaks = {}
        for exchange in tap.exchanges:
            for part in (exchange.path.encode(), exchange.heads, exchange.request, exchange.answer):
                if not bulk(len(part), exchange.path) and (found := scan.look(part)):
                    leaks[exchange.path] = found
        assert leaks == {}


def test_nothing_stood_on_the_host_while_the_enclave_was_at_work(world, scan):
    assert any("cmdline" in path for path in world.study.host_files)
    assert any("environ" in path for path in world.study.host_files)
    assert {path: found for path, data in world.study.host_files.items() if (found := scan.look(data))} == {}


def test_the_enclave_printed_nothing(world):
    def ended():
        lines = map(json.loads, (world.operator / "host.log").read_text().splitlines())
        return [line for line in lines if line["event"] == "run ended" and line["run"] == world.study.run]

    wait_until(ended)  # the broker knows of the result a moment before the host has seen its enclave leave
    assert [(line["status"], line["printed"]) for line in ended()] == [("finished", 0)]


def test_nothing_is_in_any_document_of_the_bundle(world, scan):
    data = world.study.bundle.read_bytes()
    assert len(list(layers(data))) > 30
    assert scan.look_in(world.study.bundle) == set()


def test_nothing_is_in_what_partners_hand_to_each_other(world, scan):
    for party in PARTIES:
        desk = world.desks[party]
        handed = [desk.home / "institution.json", desk.home / "trust.toml", *(desk.folder / "sealed").iterdir()]
        assert {str(path): found for path in handed if (found := scan.look_in(path))} == {}
