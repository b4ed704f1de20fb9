from datetime import timedelta

import custody
import factories
import pytest

from protocol.documents import ReleaseCommit
from protocol.dsse import Unverified
from protocol.errors import AccessDenied, DocumentError

DIGEST, OTHER = "0f" * 32, "f0" * 32


@pytest.fixture
def running(make_scene):
    scene = make_scene(owners=1, contract={"max_runs": 2}, policy={"max_runs": 2})
    scene.enclave, scene.evidence = scene.enter()
    return scene


def test_commit_countersigns_the_digest(running):
    running.clock.now += timedelta(minutes=1)
    answer = running.custodian.commit(custody.RUN, 1, running.commit_request(running.enclave, running.evidence))
    commit = Unverified.parse(answer, ReleaseCommit).verify(running.key).document
    assert commit == ReleaseCommit(
        custodian=running.key,
        contract=running.study.contract.name,
        run=custody.RUN,
        claims=running.evidence.claims.digest,
        outputs=DIGEST,
        runs_charged=1,
        revocations_held=0,
        time="2026-11-24T12:01:00Z",
    )
    assert running.query("SELECT outputs, count_at_commit FROM runs") == [(DIGEST, 1)]
    assert running.query("SELECT envelope FROM commits") == [(answer.to_bytes(),)]


def test_the_same_request_again_gets_the_same_bytes(running):
    request = running.commit_request(running.enclave, running.evidence)
    first = running.custodian.commit(custody.RUN, 1, request)
    before = running.records()
    running.clock.now += timedelta(minutes=1)
    running.enter(custody.OTHER_RUN)
    running.restart()
    assert running.custodian.commit(custody.RUN, 1, request) == first
    assert running.records()["commits"] == before["commits"]


def test_other_outputs_of_a_committed_run_are_refused(running):
    running.custodian.commit(custody.RUN, 1, running.commit_request(running.enclave, running.evidence))
    with running.refuses("COMMIT_DIFFERS", AccessDenied):
        running.custodian.commit(custody.RUN, 1, running.commit_request(running.enclave, running.evidence, OTHER))


def test_the_next_enclave_of_a_committed_run_commits_the_same_or_nothing(running):
    running.custodian.commit(custody.RUN, 1, running.commit_request(running.enclave, running.evidence))
    running.enter(custody.OTHER_RUN)
    enclave, evidence = running.enter(fence=2)
    with running.refuses("COMMIT_DIFFERS", AccessDenied):
        running.custodian.commit(custody.RUN, 2, running.commit_request(enclave, evidence, OTHER))
    answer = running.custodian.commit(custody.RUN, 2, running.commit_request(enclave, evidence))
    commit = Unverified.parse(answer, ReleaseCommit).verify(running.key).document
    assert (commit.claims, commit.outputs, commit.runs_charged) == (evidence.claims.digest, DIGEST, 1)
    assert len(running.query("SELECT * FROM commits")) == 2


def test_older_enclaves_are_fenced_out(running):
    older = running.commit_request(running.enclave, running.evidence)
    enclave, evidence = running.enter(fence=2)
    for fence in (1, 2):
        with running.refuses("FENCED_OUT", AccessDenied):
            running.custodian.commit(custody.RUN, fence, older)
    newer = running.commit_request(enclave, evidence)
    for fence in (1, 3):
        with running.refuses("FENCED_OUT", AccessDenied):
            running.custodian.commit(custody.RUN, fence, newer)
    assert running.custodian.commit(custody.RUN, 2, newer)


def test_an_older_enclave_of_the_same_lease_is_fenced_out(running):
    older = running.commit_request(running.enclave, running.evidence)
    running.enter(fence=1)
    with running.refuses("FENCED_OUT", AccessDenied):
        running.custodian.commit(custody.RUN, 1, older)


def test_a_request_that_the_enclave_did_not_sign_is_refused(running):
    with running.refuses("SIGNATURE", DocumentError):
        running.custodian.commit(custody.RUN, 1, running.commit_request(custody.Enclave(), running.evidence))


def test_a_document_of_another_type_is_refused(running):
    with running.refuses("PAYLOAD_TYPE", DocumentError):
        running.custodian.commit(custody.RUN, 1, running.study.approvals[0].envelope)


def test_a_run_without_released_keys_cannot_commit(running):
    request = running.commit_request(running.enclave, running.evidence, run=custody.OTHER_RUN)
    with running.refuses("RUN_UNKNOWN", AccessDenied):
        running.custodian.commit(custody.OTHER_RUN, 1, request)


def test_a_request_is_for_the_run_that_it_names(running):
    request = running.commit_request(running.enclave, running.evidence, run=custody.OTHER_RUN)
    with running.refuses("RUN_UNKNOWN", AccessDenied):
        running.custodian.commit(custody.RUN, 1, request)


def test_a_request_is_for_the_contract_that_it_names(running):
    request = running.commit_request(running.enclave, running.evidence, contract="cd" * 32)
    with running.refuses("OTHER_CONTRACT", AccessDenied):
        running.custodian.commit(custody.RUN, 1, request)


@pytest.mark.parametrize("committed", [False, True])
def test_a_revocation_stops_the_commit_and_its_repetition(running, committed):
    request = running.commit_request(running.enclave, running.evidence)
    if committed:
        running.custodian.commit(custody.RUN, 1, request)
    revocation = factories.revoke(running.study.contract, running.study.parties[0])
    running.custodian.revoke(running.study.pack, revocation.envelope)
    with running.refuses("REVOKED", AccessDenied):
        running.custodian.commit(custody.RUN, 1, request)


@pytest.mark.parametrize(
    "change",
    [
        {"contract": {"expires": "2026-11-24T12:05:00Z"}},
        {"policy": {"expires": "2026-11-24T12:05:00Z"}},
        {"institution": {"expires": "2026-11-24T12:05:00Z"}},
    ],
)
def test_what_expired_since_the_release_stops_the_commit(make_scene, change):
    scene = make_scene(owners=2, **change)
    enclave, evidence = scene.enter()
    request = scene.commit_request(enclave, evidence)
    scene.clock.now += timedelta(minutes=5)
    with scene.refuses("EXPIRED", AccessDenied):
        scene.custodian.commit(custody.RUN, 1, request)
    scene.clock.now -= timedelta(seconds=1)
    assert scene.custodian.commit(custody.RUN, 1, request)


def test_the_run_count_is_checked_against_the_database(running):
    running.enter(custody.OTHER_RUN)
    # A database that somebody put together from two backups: more charges than the contract allows.
    running.query(
        "INSERT INTO runs SELECT replace(run, '01', '03'), contract, max_runs, charged, fence, claims, signing, expires,"
        f" outputs, count_at_commit FROM runs WHERE run = '{custody.RUN}'"
    )
    with running.refuses("RUNS_SPENT", AccessDenied):
        running.custodian.commit(custody.RUN, 1, running.commit_request(running.enclave, running.evidence))
