"""What the whole room refuses, with codes and exit codes; each test asserts that no key was released or no result is there."""

import base64
import hashlib
import secrets
import time
from datetime import UTC, datetime, timedelta

import factories
import pytest
from broker_scene import Caller, call, must, split
from factories import changed
from world import PARTIES

from attestation.profiles.trusted_files import LOCK_NAME, parse_lock
from enclave.profiles import PROFILES
from protocol.documents.study import Approval
from protocol.dsse import sign
from protocol.errors import SealroomError
from protocol.types import format_time


def refused(world, code, kind, envelope, party="b", member="ann"):
    """Assert that the broker refuses a vote, and that nothing was recorded."""
    before = world.custody()
    client = world.client(party, member)
    with pytest.raises(SealroomError) as caught:
        client.broker.post(f"/v1/{kind}", envelope.to_bytes())
    assert caught.value.code == code, caught.value
    assert world.custody() == before


def votes(world, contract):
    found = {entry["name"]: entry for entry in world.run("a", "contract", "list")}[contract]
    return found["state"], found["approvals"], found["revocations"]


def does_not_start(world, contract, code):
    before, runs = world.custody(), len(world.client("a").runs())
    assert world.run("a", "run", "start", "--contract", contract, code=6)["code"] == code
    assert world.custody() == before
    assert len(world.client("a").runs()) == runs


# Measured code


def flip(path):
    """Change one letter of a module's first line of documentation."""
    data = bytearray(path.read_bytes())
    place = next(place for place in range(3, len(data)) if chr(data[place]).isalpha())
    data[place] ^= 0x20
    path.write_bytes(data)


def test_one_changed_byte_of_any_file_of_the_enclave_is_another_enclave(world):
    agreed = {profile: world.measure(profile) for profile in PROFILES}
    assert agreed["clinical"] == world.measurement
    runs = {profile: parse_lock((world.files / "manifests" / profile / LOCK_NAME).read_text()) for profile in PROFILES}
    paths = [path for path in sorted((world.files / "enclave").rglob("*")) if path.is_file()]
    assert len(paths) > 25
    found = set(agreed.values())
    for path in paths:
        measured = [profile for profile in PROFILES if path.relative_to(world.files).as_posix() in runs[profile]]
        assert measured, f"{path} is of no profile"
        before = path.read_bytes()
        try:
            path.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
            now = {profile: world.measure(profile) for profile in PROFILES}
        finally:
            path.write_bytes(before)
        assert [profile for profile in PROFILES if now[profile] != agreed[profile]] == measured
        changed = {now[profile] for profile in measured}
        assert len(changed) == len(measured)
        assert not changed & found
        found |= changed
    assert {profile: world.measure(profile) for profile in PROFILES} == agreed


def test_after_one_changed_byte_an_existing_contract_gets_no_key(world):
    contract, before = world.contract(), world.custody()
    for name in ("__init__.py", "disclosure/regression.py", "analyses/clinical/survival/cox.py"):
        path = world.files / "enclave" / name
        original = path.read_bytes()
        try:
            flip(path)
            assert sum(a != b for a, b in zip(original, path.read_bytes(), strict=True)) == 1
            world.platform.kill()
            world.ensure()
            run = world.start(contract)
            world.no_result(run, "MEASUREMENT")
            assert world.run("a", "run", "wait", run, code=6)["code"] == "MEASUREMENT"
            assert world.custody() == before
        finally:
            path.write_bytes(original)
    world.platform.kill()
    world.ensure()
    world.one_result(world.start(contract))  # the same contract, the measured files as agreed


# Approvals


def test_an_unapproved_contract_does_not_run(world):
    contract = world.contract(approve=False)
    does_not_start(world, contract, "NOT_APPROVED")
    for party in ("a", "c"):
        world.vote(world.approval(contract, party))
    does_not_start(world, contract, "NOT_APPROVED")
    assert votes(world, contract) == ("proposed", 2, 0)


def test_half_a_quorum_does_not_run(world):
    desk = world.desks["a"]
    dataset = world.seal("a", "two-of-us", desk.folder / "lung.csv", quorum="2")
    world.run("a", "dataset", "upload", desk.folder / "sealed" / "two-of-us")
    contract = world.contract(datasets={"a": dataset})
    does_not_start(world, contract, "NOT_APPROVED")
    until(past(0))
    refused(world, "VOTED", "approvals", world.approval(contract, "a").envelope, "a")  # the same approver again
    does_not_start(world, contract, "NOT_APPROVED")
    assert world.vote(world.approval(contract, "a", "abe", key="abe.approval"))["state"] == "approved"


def test_an_approval_by_the_wrong_role_is_refused(world):
    contract = world.contract(approve=False)
    for member, key in (("lea", "lea.contract"), ("stew", "stew.manifest")):
        vote = world.approval(contract, "b", member, key=key)
        refused(world, "ROLE", "approvals", vote.envelope, member=member)
        refused(world, "ROLE", "approvals", vote.envelope)  # handed in by a colleague who is an approver
    for key in ("lea.contract", "stew.manifest", "abe.approval"):  # in an approver's name, under another key
        refused(world, "SIGNATURE", "approvals", world.approval(contract, "b", key=key).envelope)
    assert votes(world, contract) == ("proposed", 0, 0)


class Guest:
    """The world's broker, for callers of the broker's own tests."""

    def __init__(self, url):
        self.url = url

    def clock(self):
        return datetime.now(UTC)


def test_an_approval_by_a_stranger_is_refused(world):
    contract = world.contract(approve=False)
    stranger, guest = factories.make_institution("stranger", at=datetime.now(UTC)), Guest(world.partners.url)
    invite = {"Sealroom-Invite": (world.broker_data / "invite").read_text().strip()}
    must(call(guest.url, "PUT", f"/v1/institutions/{stranger.key}", stranger.institution.envelope, invite))
    approver = Caller(guest, stranger, "approver")
    fields = {"contract": contract, "time": past(0)}
    own = Approval(institution=stranger.key, member="approver", **fields)
    answer = approver.post("/v1/approvals", sign(own, stranger.people["approver"].approval).envelope)
    assert (answer.status_code, answer.json()["code"]) == (403, "STRANGER")
    posed = Approval(institution=world.root("b"), member="ann", **fields)
    answer = approver.post("/v1/approvals", sign(posed, stranger.people["approver"].approval).envelope)
    assert (answer.status_code, answer.json()["code"]) == (403, "SIGNER")
    assert votes(world, contract) == ("proposed", 0, 0)


def test_an_approval_of_another_contract_does_not_count(world):
    contract, other = world.contract(approve=False), world.contract(approve=False)
    for party in PARTIES:
        world.vote(world.approval(other, party))
    does_not_start(world, contract, "NOT_APPROVED")
    vote = world.approval(other, "b")
    text = base64.b64decode(vote.envelope.payload).replace(other.encode(), contract.encode())
    forged = changed(vote.envelope, {"payload": base64.b64encode(text).decode()})
    refused(world, "SIGNATURE", "approvals", forged)
    assert votes(world, contract) == ("proposed", 0, 0)


def retyped(envelope, other):
    return changed(envelope, {"payloadType": other.payloadType})


def test_a_vote_is_no_vote_of_the_other_kind(world):
    contract = world.contract(approve=False)
    yes, no = world.approval(contract, "b").envelope, world.revocation(contract, "b").envelope
    refused(world, "PAYLOAD_TYPE", "approvals", no)
    refused(world, "PAYLOAD_TYPE", "revocations", yes)
    for kind, vote, other in (("approvals", no, yes), ("revocations", yes, no)):
        refused(world, "DOCUMENT", kind, retyped(vote, other))
    # With the fields of the other kind as well, the signature is over another type.
    text = base64.b64decode(no.payload)
    posed = base64.b64decode(yes.payload)
    refused(world, "SIGNATURE", "approvals", changed(retyped(no, yes), {"payload": base64.b64encode(posed).decode()}))
    refused(world, "SIGNATURE", "revocations", changed(retyped(yes, no), {"payload": base64.b64encode(text).decode()}))
    assert votes(world, contract) == ("proposed", 0, 0)


# Expiry and revocation


def past(seconds):
    return format_time(datetime.now(UTC) - timedelta(seconds=seconds))


def until(time_text):
    while format_time(datetime.now(UTC)) <= time_text:
        time.sleep(0.1)


def test_an_expired_contract_does_not_run_nor_does_a_run_that_waited_too_long(world):
    world.host.stop()
    ends = past(-5)
    contract = world.contract(expires=ends)
    before = world.custody()
    run = world.start(contract)
    until(ends)
    does_not_start(world, contract, "EXPIRED")
    world.ensure()
    world.no_result(run, "EXPIRED")
    assert world.run("a", "run", "wait", run, code=6)["code"] == "EXPIRED"
    assert world.custody() == before


def test_outputs_of_a_study_that_expired_meanwhile_are_dropped(world):
    with world.relayed.hold("POST", "/commit$") as held:
        ends = past(-20)
        run = world.start(world.contract(expires=ends))
        held.wait()
        until(ends)
        held.go()
        world.no_result(run, "EXPIRED", released=True)


def test_a_revocation_ends_a_run_that_waits(world):
    world.host.stop()
    contract = world.contract()
    before = world.custody()
    run = world.start(contract)
    words = ("contract", "revoke", contract, "--reason", "A subject withdrew", "--yes", "--as", "abe")
    assert world.run("c", *words)["state"] == "revoked"
    assert world.run("a", "run", "wait", run, code=6)["code"] == "REVOKED"
    world.ensure()
    world.no_result(run, "REVOKED")
    does_not_start(world, contract, "REVOKED")
    after = world.custody()
    assert len(after.pop("revocations")) == len(before.pop("revocations")) + 1
    assert after == before
    # A yes does not take the no back.
    refused(
        world, "REVOKED", "approvals", world.approval(contract, "c", "abe", key="abe.approval").envelope, "c", "abe"
    )


def test_a_revocation_while_the_enclave_computes_drops_its_outputs(world):
    contract = world.contract()
    with world.relayed.hold("POST", "/commit$") as held:
        run = world.start(contract)
        held.wait()
        words = ("contract", "revoke", contract, "--reason", "A subject withdrew", "--yes", "--as", "ann")
        assert world.run("b", *words)["state"] == "revoked"
        held.go()
        world.no_result(run, "REVOKED", released=True)
    assert len(world.custody(run)["runs"]) == 1
    assert world.run("a", "result", "fetch", run, "--out", world.folder / "none", code=9)["code"] == "RESULT_MISSING"


# Sealed bytes


def test_a_broker_that_serves_other_sealed_bytes_gets_no_result(world):
    (path,) = world.parts(world.manifest("b").name)
    original, mode = path.read_bytes(), path.stat().st_mode
    for code, sealed in (("PART_DIGEST", original[::-1]), ("PART_DIGEST", secrets.token_bytes(len(original)))):
        path.chmod(0o600)
        path.write_bytes(sealed)
        try:
            world.no_result(world.start(world.contract()), code, released=True)
        finally:
            path.write_bytes(original)
            path.chmod(mode)


def test_parts_that_are_empty_wrong_late_or_early(world, tmp_path):
    package = world.large_package(tmp_path / "sealed", f"large-{secrets.token_hex(4)}")
    manifest, parts = package.load(world.client("a").party.institution), split(package.sealed.read_bytes())
    broker = world.client("a", "stew").broker
    broker.put(f"/v1/datasets/{manifest.name}", manifest.envelope.to_bytes())

    def put(index, data, digest=None):
        digest = base64.b64encode(digest or hashlib.sha256(data).digest()).decode()
        path = f"/v1/datasets/{manifest.name}/files/table/parts/{index}"
        return broker.put(path, data, {"Content-Digest": f"sha-256=:{digest}:"})

    def fails(code, *arguments):
        with pytest.raises(SealroomError) as caught:
            put(*arguments)
        assert caught.value.code == code, caught.value

    whole = [hashlib.sha256(part).digest() for part in parts]
    fails("PART_DIGEST", 0, b"")
    fails("PART_SIZE", 0, b"", whole[0])
    fails("PART_DIGEST", 0, parts[1])
    fails("PART_DIGEST", 0, parts[1], whole[0])
    assert world.parts(manifest.name) == []
    put(1, parts[1])
    put(1, parts[1])
    with pytest.raises(SealroomError) as caught:
        broker.post(f"/v1/datasets/{manifest.name}/complete", b"")
    assert caught.value.code == "PARTS_MISSING"
    put(2, parts[2])
    put(0, parts[0])
    assert broker.post(f"/v1/datasets/{manifest.name}/complete", b"")["state"] == "complete"
    assert [hashlib.sha256(path.read_bytes()).digest() for path in world.parts(manifest.name)] == whole
