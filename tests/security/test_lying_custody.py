"""A broker that lies about nonces, quotes and keys: nothing is decrypted, and the code says why."""

import custody
import factories
import hostile_host
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from factories import changed
from hostile_host import reapprove, to_bytes, trust_of, verify_bundle

from attestation.simulator.pki import create_keys
from attestation.simulator.platform import Platform
from protocol import hpke
from protocol.container import generate_data_key
from protocol.documents import KeyRelease
from protocol.documents.exchange import NonceReply, ReleaseReply, ReleaseRequest, SealedRelease
from protocol.dsse import Unverified, load_document, public_key, sign
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
    "another custodian's name": ({"custodian": public_key(Ed25519PrivateKey.generate())}, "RELEASE_SWAPPED"),
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


# Two custodians


def refuses_commit(host, code):
    """Run; the host is told the code, and there is no result."""
    assert host.run() is True
    assert [failure.code for failure in host.failures] == [code], host.failures
    assert host.asked("result") == []
    assert host.results == []


@pytest.fixture
def second(host, tmp_path):
    """Another custodian, which keeps the third dataset."""
    return host.add_custodian(tmp_path / "second")


def test_two_custodians_each_release_and_countersign(host, second):
    assert host.run() is True
    assert host.failures == []
    assert [seen.step for seen in host.seen].count("commit") == 2
    assert len(host.bundle().commits) == 2
    assert verify_bundle(host.results[0], trust_of(host), now=host.scene.clock.now).simulated


def only_for(host, custodian, step, lie):
    key = custodian.keys().signing
    host.lies[step] = lambda asked, honest: lie(asked, honest) if asked.rest[0] == key else honest()


def test_one_custodian_of_two_does_not_release(host, second):
    second.revoke(host.study.pack, factories.revoke(host.study.contract, host.study.parties[2]).envelope)
    assert host.run() is True
    assert [failure.code for failure in host.failures] == ["REVOKED"]
    assert host.asked("part") == []


def test_one_custodian_of_two_does_not_countersign(host, second):
    def lie(asked, honest):
        second.revoke(host.study.pack, factories.revoke(host.study.contract, host.study.parties[2]).envelope)
        return honest()

    only_for(host, second, "commit", lie)
    refuses_commit(host, "REVOKED")
    assert len(host.asked("commit")) == 2


def test_one_custodians_commit_twice(host, second):
    given = []

    def lie(asked, honest):
        given.append(honest())
        return given[0]

    host.lies["commit"] = lie
    refuses_commit(host, "SIGNATURE")


def test_one_custodians_releases_in_place_of_the_others(host, second):
    given = []

    def lie(asked, honest):
        given.append(honest())
        return given[0]

    host.lies["release"] = lie
    assert host.run() is True
    assert [failure.code for failure in host.failures] == ["SIGNATURE"]
    assert host.asked("part") == []


def test_one_custodians_nonce_in_place_of_the_others(host, second):
    given = []
    host.lies["nonce"] = lambda asked, honest: given.append(honest()) or given[0]
    assert host.run() is True
    assert [failure.code for failure in host.failures] == ["NONCE_UNKNOWN"]
    assert host.asked("part") == []
