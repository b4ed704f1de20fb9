"""A broker that lies about keys, ciphertext and commits: nothing is decrypted, or nothing is released, and the code says why."""

import tracemalloc

import custody
import factories
import hostile_host
import lung
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from factories import changed
from hostile_host import Endless, Raw, reapprove, to_bytes

from attestation.simulator.pki import create_keys
from attestation.simulator.platform import Platform
from enclave.relay import MAX_ANSWER, MAX_SMALL
from protocol import hpke
from protocol.container import generate_data_key
from protocol.documents import KeyRelease, ReleaseCommit
from protocol.documents.exchange import NonceReply, ReleaseReply, ReleaseRequest, SealedRelease
from protocol.dsse import Envelope, Unverified, load_document, public_key, sign
from protocol.types import decode_base64, encode_base64

BUFFERS = 8 * 2**20
"""What sockets may hold beside what was read."""


def signing_key(host):
    """The custodian's own key: for statements that only a custodian gone wrong, or confused, would sign."""
    return host.scene.custodian._context.secrets.signing


# Evidence


def test_nonce_of_the_brokers_own(host):
    host.lies["nonce"] = lambda asked, honest: to_bytes(NonceReply(nonce="5a" * 32))
    host.refuses("NONCE_UNKNOWN", before="part")
    assert host.scene.records()["releases"] == []


def test_nonce_of_another_run(host):
    host.lies["nonce"] = lambda asked, honest: to_bytes(
        host.scene.custodian.nonce(custody.OTHER_RUN, host.study.contract.name)
    )
    host.refuses("NONCE_FOREIGN", before="part")
    assert host.scene.records()["releases"] == []


def test_nonce_replayed_from_an_earlier_run(host):
    given = []
    host.lies["nonce"] = lambda asked, honest: given.append(honest()) or given[0]
    host.lies["part"] = lambda asked, honest: b""
    host.refuses("PART_SIZE", before="commit")
    host.forget()
    host.again()
    host.refuses("NONCE_USED", before="part")
    assert len(given) == 2


def test_quote_of_other_code(host):
    host.lies["quotes"] = lambda asked, honest: quote_of(host.scene.platform, asked, "ab" * 32)
    host.refuses("MEASUREMENT", before="part")
    assert host.scene.records()["releases"] == []


def quote_of(platform, asked, measurement):
    wanted = hostile_host.json.loads(asked.body)["report_data"]
    quote = platform.quote(measurement, bytes.fromhex(wanted))
    return hostile_host.canonical_bytes({"quote": encode_base64(quote)})


def test_quote_of_a_platform_of_the_hosts_own(host):
    own = Platform(create_keys(factories.NOW - factories.DAY))
    measurement = host.study.contract.document.measurement
    host.lies["quotes"] = lambda asked, honest: quote_of(own, asked, measurement)
    host.lies["collateral"] = lambda asked, honest: to_bytes(own.collateral(factories.NOW))
    host.refuses("ROOT_UNKNOWN", before="part")
    assert host.scene.records()["releases"] == []


def test_quote_for_keys_of_the_hosts_own(host):
    """A quote is made over other claims than the enclave's: its keys would not be bound."""
    platform, measurement = host.scene.platform, host.study.contract.document.measurement
    quote = hostile_host.canonical_bytes({"quote": encode_base64(platform.quote(measurement, b"\5" * 64))})
    host.lies["quotes"] = lambda asked, honest: quote
    host.refuses("REPORT_DATA", before="part")
    assert host.scene.records()["releases"] == []


def test_release_asked_for_under_another_run(host):
    host.lies["release"] = lambda asked, honest: to_bytes(
        host.scene.custodian.release(custody.OTHER_RUN, 1, load_document(ReleaseRequest, asked.body, limit=2**25))
    )
    host.refuses("OTHER_RUN", before="part")
    assert host.scene.records()["releases"] == []


# Key releases


def lie_about_releases(host, change):
    """Let the custodian release, then change its list of releases on the way."""

    def lie(asked, honest):
        reply = load_document(ReleaseReply, honest(), limit=2**25)
        evidence = load_document(ReleaseRequest, asked.body, limit=2**25).evidence
        return to_bytes(ReleaseReply(releases=tuple(change(list(reply.releases), evidence))))

    host.lies["release"] = lie


def seal_again(item, evidence, key, data_key, **changes):
    """Sign a key release with changes and seal a data key under it, as its custodian would."""
    stated = Unverified.parse(item.release, KeyRelease).claimed
    signed = sign(changed(stated, changes), key)
    capsule = hpke.seal(data_key, decode_base64(evidence.claims.encryption), info=hpke.release_info(signed.name))
    return SealedRelease(release=signed.envelope, capsule=encode_base64(capsule))


STATED = {
    "another run": ({"run": custody.OTHER_RUN}, "RELEASE_SWAPPED"),
    "another dataset": ({"dataset": "00" * 32}, "RELEASE_SWAPPED"),
    "another slot": ({"slot": "site-south"}, "RELEASE_SWAPPED"),
    "another contract": ({"contract": "00" * 32}, "RELEASE_SWAPPED"),
    "another enclave": ({"claims": "00" * 32}, "RELEASE_SWAPPED"),
    "another custodian's name": ({"custodian": "00" * 32}, "RELEASE_SWAPPED"),
    "after the contract expired": ({"time": "2028-01-01T00:00:00Z"}, "EXPIRED"),
    "before the contract was made": ({"time": "2026-11-20T00:00:00Z"}, "NOT_YET_VALID"),
}


@pytest.mark.parametrize("what", STATED)
def test_key_release_that_says_something_else(host, what):
    changes, code = STATED[what]
    lie_about_releases(
        host,
        lambda releases, evidence: [
            seal_again(releases[0], evidence, signing_key(host), host.study.datasets[0].data_key, **changes),
            *releases[1:],
        ],
    )
    host.refuses(code, before="part")


@pytest.mark.parametrize("name", ["its own", "the owner's"])
def test_key_release_by_a_custodian_of_the_brokers_own(host, name):
    own = Ed25519PrivateKey.generate()
    changes = {"custodian": public_key(own)} if name == "its own" else {}
    lie_about_releases(
        host,
        lambda releases, evidence: [
            seal_again(releases[0], evidence, own, host.study.datasets[0].data_key, **changes),
            *releases[1:],
        ],
    )
    host.refuses("SIGNATURE", before="part")


def test_key_release_with_an_attestation_of_other_code(host):
    def change(releases, evidence):
        attestation = Unverified.parse(releases[0].release, KeyRelease).claimed.attestation
        other = changed(attestation, {"measurement": "ab" * 32})
        data_key = host.study.datasets[0].data_key
        return [seal_again(releases[0], evidence, signing_key(host), data_key, attestation=other), *releases[1:]]

    lie_about_releases(host, change)
    host.refuses("MEASUREMENT", before="part")


def test_key_release_after_a_simulated_attestation_that_the_contract_does_not_allow(host):
    """The custodian refuses this itself; here it released for another contract, and the statement is signed anew."""
    agreed = host.study
    strict = reapprove(agreed, simulation=False)
    host.study = strict
    data_keys = [dataset.data_key for dataset in agreed.datasets]

    def lie(asked, honest):
        request = load_document(ReleaseRequest, asked.body, limit=2**25)
        host.study = agreed
        evidence = host.scene.attest(custody.OTHER_RUN)
        reply = host.scene.custodian.release(custody.OTHER_RUN, 1, ReleaseRequest(study=agreed.pack, evidence=evidence))
        claims = request.evidence.claims
        stated = {"contract": claims.contract, "run": claims.run, "claims": claims.digest}
        return to_bytes(
            ReleaseReply(
                releases=tuple(
                    seal_again(item, request.evidence, signing_key(host), key, **stated)
                    for item, key in zip(reply.releases, data_keys, strict=True)
                )
            )
        )

    host.lies["release"] = lie
    assert host.run() is True
    assert [failure.code for failure in host.failures] == ["SIMULATED"]
    assert host.asked("part") == []


def test_key_releases_in_another_order(host):
    lie_about_releases(host, lambda releases, evidence: releases[::-1])
    host.refuses("RELEASE_SWAPPED", before="part")


def test_key_release_too_few(host):
    lie_about_releases(host, lambda releases, evidence: releases[:2])
    host.refuses("KEY_MISSING", before="part")


def test_key_release_too_many(host):
    lie_about_releases(host, lambda releases, evidence: [*releases, releases[0]])
    host.refuses("RELEASE_SWAPPED", before="part")


def test_key_release_with_no_release_at_all(host):
    host.lies["release"] = lambda asked, honest: b'{"releases":[]}'
    host.refuses("DOCUMENT", before="part")


CAPSULES = {
    "of another dataset": lambda releases: releases[1].capsule,
    "empty": lambda releases: "",
    "short": lambda releases: encode_base64(decode_base64(releases[0].capsule)[:64]),
    "zeros": lambda releases: encode_base64(bytes(len(decode_base64(releases[0].capsule)))),
    "ones": lambda releases: encode_base64(b"\xff" * len(decode_base64(releases[0].capsule))),
    "last bit": lambda releases: encode_base64(flip(decode_base64(releases[0].capsule))),
}


def flip(data):
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize("what", CAPSULES)
def test_key_release_with_another_capsule(host, what):
    lie_about_releases(
        host,
        lambda releases, evidence: [changed(releases[0], {"capsule": CAPSULES[what](releases)}), *releases[1:]],
    )
    host.refuses("CAPSULE", before="part")


@pytest.mark.parametrize(
    ("data_key", "code"), [(generate_data_key(), "KEY_COMMITMENT"), (b"short", "KEY_SIZE")], ids=["another", "short"]
)
def test_data_key_that_the_manifest_does_not_commit_to(host, data_key, code):
    lie_about_releases(
        host,
        lambda releases, evidence: [seal_again(releases[0], evidence, signing_key(host), data_key), *releases[1:]],
    )
    host.refuses(code, before="part")


def test_key_release_to_an_enclave_of_the_brokers_own_is_of_no_use_to_another(host):
    def lie(asked, honest):
        evidence = host.scene.attest(host.run_id, enclave=custody.Enclave())
        return to_bytes(host.scene.release(host.run_id, host.fence, evidence))

    host.lies["release"] = lie
    host.refuses("RELEASE_SWAPPED", before="part")


@pytest.mark.parametrize("run", [custody.RUN, custody.OTHER_RUN], ids=["the same run", "another run"])
def test_key_releases_replayed_from_an_earlier_enclave(make_host, run):
    host = make_host(contract={"max_runs": 2}, policy={"max_runs": 2})
    given = []
    host.lies["release"] = lambda asked, honest: given.append(honest()) or given[0]
    host.lies["part"] = lambda asked, honest: b""
    host.refuses("PART_SIZE", before="commit")
    host.forget()
    host.again(run)
    host.refuses("RELEASE_SWAPPED", before="part")


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
    "another custodian": ({"custodian": "00" * 32}, "COMMIT_SWAPPED"),
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
    trust = hostile_host.trust_of(host)
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
        assert hostile_host.verify_bundle(data, trust, now=host.scene.clock.now).simulated
    bundles = [host.bundle(place) for place in range(3)]
    sealed = [{item.sealed for item in bundle.outputs} for bundle in bundles]
    assert not sealed[0] & sealed[1] and not sealed[0] & sealed[2] and not sealed[1] & sealed[2]
    assert len({bundle.receipt.name for bundle in bundles}) == 3
    sizes = [sorted(len(item.sealed) for item in bundle.outputs) for bundle in bundles]
    assert sizes[0] == sizes[1] == sizes[2]
