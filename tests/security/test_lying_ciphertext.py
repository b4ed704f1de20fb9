"""A broker that lies about ciphertext and commits, and answers without end: nothing is released, and the code says why."""

import tracemalloc
from pathlib import Path

import custody
import factories
import lung
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from factories import changed
from hostile_host import Endless, Raw, trust_of, verify_bundle

from enclave.relay import MAX_ANSWER, MAX_SMALL
from enclave.session import QUANTUM
from protocol.documents import ReleaseCommit
from protocol.dsse import Envelope, Unverified, public_key, sign

LIMITS = [Path(f"/proc/sys/net/ipv4/tcp_{side}mem") for side in "rw"]
BUFFERS = sum(int(limit.read_text().split()[2]) if limit.exists() else 2**26 for limit in LIMITS)
"""What the kernel's sockets may hold beside what was read: the largest buffer of each side."""


def signing_key(host):
    """The custodian's own key: for statements that only a custodian gone wrong, or confused, would sign."""
    return host.scene.custodian._context.secrets.signing


# Ciphertext


def older_version(host, frame):
    """Another version of partner north's dataset, sealed by its owner under another data key."""
    party = host.study.parties[0]
    manifest = host.study.datasets[0].manifest.document
    return factories.make_dataset(
        party, manifest.custodian, plain=lung.table_bytes(frame, "a"), table=lung.SCHEMA, changes={"rows": len(frame)}
    ).sealed


def lie_about_north(host, answer):
    """Lie about the first dataset's part."""
    name = host.study.datasets[0].manifest.name
    host.lies["part"] = lambda asked, honest: answer(honest()) if asked.rest[0] == name else honest()


@pytest.mark.parametrize(("rows", "code"), [(73, "PART_DIGEST"), (72, "PART_SIZE"), (75, "ANSWER_SIZE")])
def test_old_ciphertext_of_the_same_dataset(host, rows, code):
    old = older_version(host, lung.rows()[:rows])
    lie_about_north(host, lambda honest: old)
    host.refuses(code, before="commit")
    assert len(host.asked("part")) == 1


def flip(data):
    return data[:-1] + bytes([data[-1] ^ 1])


PARTS = {
    "truncated": (lambda sealed: sealed[:-1], "PART_SIZE"),
    "empty": (lambda sealed: b"", "PART_SIZE"),
    "one byte longer": (lambda sealed: sealed + b"\0", "ANSWER_SIZE"),
    "twice": (lambda sealed: sealed * 2, "ANSWER_SIZE"),
    "first bit": (lambda sealed: bytes([sealed[0] ^ 1]) + sealed[1:], "PART_DIGEST"),
    "last bit": (flip, "PART_DIGEST"),
    "zeros": (lambda sealed: bytes(len(sealed)), "PART_DIGEST"),
}


@pytest.mark.parametrize("what", PARTS)
def test_altered_ciphertext(host, what):
    change, code = PARTS[what]
    lie_about_north(host, change)
    host.refuses(code, before="commit")


def test_ciphertext_of_another_dataset(host):
    lie_about_north(host, lambda honest: host.study.datasets[2].sealed)
    host.refuses("PART_SIZE", before="commit")


def test_last_dataset_altered_after_the_others_were_decrypted(host):
    host.lies["part"] = lambda asked, honest: (
        flip(honest()) if asked.rest[0] == host.study.datasets[2].manifest.name else honest()
    )
    host.refuses("PART_DIGEST", before="commit")
    assert len(host.asked("part")) == 3


def test_when_a_fault_is_told_does_not_say_how_long_the_secret_part_took_so_far(host):
    """Genotypes are fetched while an analysis runs: with a bad part the host would choose where to look at its watch."""
    lie_about_north(host, flip)
    host.refuses("PART_DIGEST", before="commit")
    *_, release = host.asked("release")
    (failure,) = host.asked("failure")
    assert failure.at - release.at >= QUANTUM


# Commits


def lie_about_commit(host, change):
    host.lies["commit"] = lambda asked, honest: change(Envelope.from_bytes(honest())).to_bytes()


def recommit(envelope, key, **changes):
    return sign(changed(Unverified.parse(envelope, ReleaseCommit).claimed, changes), key).envelope


COMMITS = {
    "other outputs": ({"outputs": "00" * 32}, "COMMIT_SWAPPED"),
    "another run": ({"run": custody.OTHER_RUN}, "COMMIT_SWAPPED"),
    "another contract": ({"contract": "00" * 32}, "COMMIT_SWAPPED"),
    "another enclave": ({"claims": "00" * 32}, "COMMIT_SWAPPED"),
    "another custodian": ({"custodian": public_key(Ed25519PrivateKey.generate())}, "COMMIT_SWAPPED"),
    "after expiry": ({"time": "2028-01-01T00:00:00Z"}, "EXPIRED"),
    "before the contract": ({"time": "2026-11-20T00:00:00Z"}, "NOT_YET_VALID"),
}


def refuses_commit(host, code):
    """Run; the host is told the code, and there is no result."""
    assert host.run() is True
    assert [failure.code for failure in host.failures] == [code], host.failures
    assert host.asked("result") == []
    assert host.results == []


@pytest.mark.parametrize("what", COMMITS)
def test_commit_for_something_else(host, what):
    changes, code = COMMITS[what]
    lie_about_commit(host, lambda envelope: recommit(envelope, signing_key(host), **changes))
    refuses_commit(host, code)


def test_commit_by_another_key(host):
    lie_about_commit(host, lambda envelope: recommit(envelope, Ed25519PrivateKey.generate()))
    refuses_commit(host, "SIGNATURE")


def test_commit_request_sent_back_as_the_commit(host):
    host.lies["commit"] = lambda asked, honest: asked.body
    refuses_commit(host, "PAYLOAD_TYPE")


def test_revoked_between_release_and_commit(host):
    def lie(asked, honest):
        host.scene.custodian.revoke(
            host.study.pack, factories.revoke(host.study.contract, host.study.parties[2]).envelope
        )
        return honest()

    host.lies["commit"] = lie
    refuses_commit(host, "REVOKED")
    assert host.scene.records()["commits"] == []


def test_commit_replayed_from_an_earlier_enclave_of_the_run(host):
    given = []
    host.lies["commit"] = lambda asked, honest: given.append(honest()) or given[0]
    host.lies["result"] = lambda asked, honest: Raw()
    assert host.run() is False
    assert host.failures == []
    host.forget()
    host.again()
    refuses_commit(host, "COMMIT_SWAPPED")
    assert len(given) == 2


# Sizes


@pytest.mark.parametrize(
    ("step", "limit", "before"),
    [
        ("assignment", MAX_SMALL, "study"),
        ("study", MAX_ANSWER, "nonce"),
        ("nonce", MAX_SMALL, "quotes"),
        ("quotes", 65_536, "collateral"),
        ("collateral", 4 * 2**20, "release"),
        ("release", MAX_ANSWER, "part"),
        ("part", 4 * 2**10, "commit"),
    ],
)
def test_endless_answers_are_cut_off(host, step, limit, before):
    host.lies[step] = lambda asked, honest: Endless()
    host.refuses("ANSWER_SIZE", "PLATFORM_ANSWER", before=before)
    assert host.asked(step)[0].answered <= limit + BUFFERS


def test_endless_commit_is_cut_off(host):
    host.lies["commit"] = lambda asked, honest: Endless()
    refuses_commit(host, "ANSWER_SIZE")
    assert host.asked("commit")[0].answered <= 4 * 2**20 + BUFFERS


@pytest.mark.parametrize("step", ["study", "part"])
def test_endless_problems_are_cut_off(host, step):
    host.lies[step] = lambda asked, honest: Endless(b'{"detail": "' + b"A" * 60_000, status=500)
    host.refuses("ANSWER_SIZE", before={"study": "nonce", "part": "commit"}[step])
    assert host.asked(step)[0].answered <= MAX_SMALL + BUFFERS


def test_an_endless_part_takes_no_memory(host):
    host.lies["part"] = lambda asked, honest: Endless()
    host.refuses("ANSWER_SIZE", before="commit")  # once, so that everything is imported
    host.forget()
    host.again()
    tracemalloc.start()
    try:
        host.refuses("ANSWER_SIZE", before="commit")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * 2**20


# Two enclaves, two runs


def test_two_enclaves_of_one_run_end_in_the_same_outputs_and_two_runs_in_different_bytes(make_host):
    host = make_host(contract={"max_runs": 2}, policy={"max_runs": 2})
    trust = trust_of(host)
    assert host.run() is True
    host.again()
    assert host.run() is True
    first, second = host.commit(0), host.commit(1)
    assert (first.run, first.outputs) == (second.run, second.outputs)
    assert first.claims != second.claims
    assert host.opened(place=0) == host.opened(place=1)
    host.again(custody.OTHER_RUN)
    assert host.run() is True
    third = host.commit(2)
    assert third.outputs != first.outputs  # the digest is under the run id, so equal results do not show
    assert host.opened(place=2) == host.opened(place=0)
    for data in host.results:
        assert verify_bundle(data, trust, now=host.scene.clock.now).simulated
    bundles = [host.bundle(place) for place in range(3)]
    sealed = [{item.sealed for item in bundle.outputs} for bundle in bundles]
    assert not sealed[0] & sealed[1] and not sealed[0] & sealed[2] and not sealed[1] & sealed[2]
    assert len({bundle.receipt.name for bundle in bundles}) == 3
    sizes = [sorted(len(item.sealed) for item in bundle.outputs) for bundle in bundles]
    assert sizes[0] == sizes[1] == sizes[2]
