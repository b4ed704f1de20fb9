"""Decisions under concurrency and sudden death: real threads, real processes, SIGKILL."""

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import custody
import factories
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocol.documents import ReleaseCommit
from protocol.documents.exchange import ReleaseRequest
from protocol.dsse import Envelope, Unverified, public_key
from protocol.errors import AccessDenied, SealroomError

TESTS = Path(custody.__file__).parent


class Child:
    """One call in a custodian process on the scene's folder; it starts when told to."""

    def __init__(self, scene, call, arguments, die=""):
        root = scene.folder.with_name("root.der")
        root.write_bytes(scene.platform.root.certificate_der)
        self.process = subprocess.Popen(
            [sys.executable, TESTS / "custody_child.py", scene.folder, root, call, *([die] if die else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=TESTS.parent,
        )
        self.say(json.dumps(arguments))
        assert self.process.stdout.readline() == "ready\n"

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def end(self):
        said, _ = self.process.communicate(timeout=60)
        return said.strip()


def release_arguments(scene, run=custody.RUN, fence=1, evidence=None):
    request = ReleaseRequest(study=scene.study.pack, evidence=evidence or scene.attest(run))
    return {"run": run, "fence": fence, "request": request.model_dump(mode="json")}


@pytest.fixture
def scene(make_scene):
    return make_scene(owners=1)


def race(calls):
    barrier, outcomes = threading.Barrier(len(calls)), []

    def attempt(call):
        barrier.wait()
        try:
            call()
        except SealroomError as error:
            outcomes.append(error.code)
        else:
            outcomes.append("ok")

    threads = [threading.Thread(target=attempt, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(outcomes)


def test_of_threads_racing_for_the_last_run_exactly_one_wins(scene):
    runs = [f"{number:032x}" for number in range(6)]
    evidence = {run: scene.attest(run) for run in runs}
    outcomes = race([lambda run=run: scene.release(run, 1, evidence[run]) for run in runs])
    assert outcomes == ["RUNS_SPENT"] * 5 + ["ok"]
    assert len(scene.query("SELECT * FROM runs")) == 1
    assert len(scene.query("SELECT * FROM releases")) == 1
    assert len(scene.records()["used"]) == 1


def test_of_processes_racing_for_the_last_run_exactly_one_wins(scene):
    runs = [f"{number:032x}" for number in range(3)]
    children = [Child(scene, "release", release_arguments(scene, run)) for run in runs]
    for child in children:
        child.say("go")
    assert sorted(child.end() for child in children) == ["RUNS_SPENT", "RUNS_SPENT", "ok"]
    assert len(scene.query("SELECT * FROM runs")) == 1
    assert len(scene.query("SELECT * FROM releases")) == 1


def test_one_nonce_serves_one_of_several_racing_requests(make_scene):
    scene = make_scene(owners=1, contract={"max_runs": 9}, policy={"max_runs": 9})
    nonce = scene.attest().claims.nonces[0].nonce
    evidence = [scene.attest(nonce=nonce) for _ in range(4)]
    outcomes = race([lambda item=item: scene.release(evidence=item) for item in evidence])
    assert outcomes == ["NONCE_USED"] * 3 + ["ok"]
    assert len(scene.query("SELECT * FROM releases")) == 1


def test_of_commits_with_different_outputs_exactly_one_stands(scene):
    enclave, evidence = scene.enter()
    requests = [scene.commit_request(enclave, evidence, f"{number:064x}") for number in range(4)]
    outcomes = race([lambda item=item: scene.custodian.commit(custody.RUN, 1, item) for item in requests])
    assert outcomes == ["COMMIT_DIFFERS"] * 3 + ["ok"]
    assert len(scene.query("SELECT * FROM commits")) == 1


def test_the_number_of_nonces_is_bounded_under_concurrency(scene):
    outcomes = race([lambda: scene.custodian.nonce(custody.RUN, "cd" * 32) for _ in range(12)])
    assert outcomes == ["NONCES_OUTSTANDING"] * 4 + ["ok"] * 8


def test_killed_after_the_release_was_recorded_loses_no_run(scene):
    arguments = release_arguments(scene)
    child = Child(scene, "release", arguments, "after")
    child.say("go")
    assert child.end() == ""
    assert child.process.returncode == -signal.SIGKILL
    assert scene.query("SELECT run, fence FROM runs") == [(custody.RUN, 1)]
    assert len(scene.query("SELECT * FROM releases")) == 1
    scene.restart()
    enclave, evidence = scene.enter(fence=2)  # the next enclave finishes the same run, on the same charge
    assert scene.query("SELECT run, fence FROM runs") == [(custody.RUN, 2)]
    assert scene.custodian.commit(custody.RUN, 2, scene.commit_request(enclave, evidence))


def test_killed_before_the_release_was_recorded_charges_nothing(scene):
    evidence = scene.attest()
    before = scene.records()
    child = Child(scene, "release", release_arguments(scene, evidence=evidence), "before")
    child.say("go")
    assert child.end() == ""
    assert child.process.returncode == -signal.SIGKILL
    scene.restart()
    assert scene.records() == before
    assert scene.release(evidence=evidence)  # not even the nonce is lost


def test_killed_after_the_commit_was_recorded_loses_nothing(scene):
    enclave, evidence = scene.enter()
    request = scene.commit_request(enclave, evidence)
    arguments = {"run": custody.RUN, "fence": 1, "envelope": request.model_dump(mode="json")}
    child = Child(scene, "commit", arguments, "after")
    child.say("go")
    assert child.end() == ""
    assert child.process.returncode == -signal.SIGKILL
    ((stored,),) = scene.query("SELECT envelope FROM commits")
    scene.restart()
    answer = scene.custodian.commit(custody.RUN, 1, request)
    assert answer == Envelope.from_bytes(stored)
    assert Unverified.parse(answer, ReleaseCommit).verify(scene.key)


def test_killed_after_the_revocation_was_recorded_still_holds_it(scene):
    revocation = factories.revoke(scene.study.contract, scene.study.parties[0])
    arguments = {
        "pack": scene.study.pack.model_dump(mode="json"),
        "envelope": revocation.envelope.model_dump(mode="json"),
    }
    evidence = scene.attest()
    child = Child(scene, "revoke", arguments, "after")
    child.say("go")
    assert child.end() == ""
    assert child.process.returncode == -signal.SIGKILL
    scene.restart()
    with scene.refuses("REVOKED", AccessDenied):
        scene.release(evidence=evidence)


def test_a_full_disk_releases_nothing_and_charges_nothing(scene):
    evidence = scene.attest()
    before = scene.records()
    scene.custodian.close()  # the last one to close empties the write-ahead log
    child = Child(scene, "release", release_arguments(scene, evidence=evidence), "full")
    child.say("go")
    assert child.end() == "DATABASE"
    assert scene.records() == before
    scene.restart()
    assert scene.release(evidence=evidence)


PUBLISHER = Ed25519PrivateKey.generate()
OBEYS = custody.policy_with(withdrawal_publishers=(public_key(PUBLISHER),))


@pytest.fixture
def obeying(make_scene):
    """A custodian that obeys a publisher, whose first list withdraws nothing."""
    scene = make_scene(owners=1, settings={"appraisal": OBEYS})
    scene.custodian.put_withdrawals(factories.withdraw(PUBLISHER).envelope)
    return scene


def withdrawal_arguments(*arguments, **named):
    envelope = factories.withdraw(PUBLISHER, *arguments, **named).envelope
    return {"envelope": envelope.model_dump(mode="json"), "policy": OBEYS.model_dump(mode="json")}


def go(*children):
    for child in children:
        child.say("go")
    return [child.end() for child in children]


@pytest.mark.parametrize("first", ["release", "withdraw"])
def test_a_withdrawal_racing_a_release_stops_the_keys_or_the_outputs(obeying, first):
    enclave = custody.Enclave()
    evidence = obeying.attest(enclave=enclave)
    arguments = release_arguments(obeying, evidence=evidence) | {"policy": OBEYS.model_dump(mode="json")}
    calls = {
        "release": Child(obeying, "release", arguments),
        "withdraw": Child(obeying, "withdraw", withdrawal_arguments(2, measurement=factories.MEASUREMENT)),
    }
    order = sorted(calls, key=lambda name: name != first)
    outcomes = dict(zip(order, go(*(calls[name] for name in order)), strict=True))
    assert outcomes["withdraw"] == "ok"
    released = len(obeying.query("SELECT * FROM releases"))
    assert outcomes["release"] == ("ok" if released else "WITHDRAWN")
    request = obeying.commit_request(enclave, evidence)
    with obeying.refuses("WITHDRAWN" if released else "RUN_UNKNOWN"):
        obeying.custodian.commit(custody.RUN, 1, request)


def test_a_withdrawal_put_by_another_process_stops_the_next_release_and_the_commit(make_scene):
    scene = make_scene(owners=1, settings={"appraisal": OBEYS}, contract={"max_runs": 2}, policy={"max_runs": 2})
    scene.custodian.put_withdrawals(factories.withdraw(PUBLISHER).envelope)
    enclave, evidence = scene.enter()
    waiting = scene.attest(custody.OTHER_RUN)
    assert go(Child(scene, "withdraw", withdrawal_arguments(2, measurement=factories.MEASUREMENT))) == ["ok"]
    with scene.refuses("WITHDRAWN"):
        scene.release(custody.OTHER_RUN, 1, waiting)
    with scene.refuses("WITHDRAWN"):
        scene.custodian.commit(custody.RUN, 1, scene.commit_request(enclave, evidence))


def test_of_racing_lists_the_highest_number_stands(obeying):
    outcomes = go(*(Child(obeying, "withdraw", withdrawal_arguments(number)) for number in (4, 2, 3)))
    assert outcomes[0] == "ok"
    assert set(outcomes[1:]) <= {"ok", "WITHDRAWALS_OLD"}
    assert obeying.custodian.held_withdrawals()[0].number == 4


def test_of_two_lists_with_one_number_exactly_one_is_held(obeying):
    lists = [withdrawal_arguments(2), withdrawal_arguments(2, fmspc="00906ed50000")]
    assert sorted(go(*(Child(obeying, "withdraw", item) for item in lists))) == ["WITHDRAWALS_FORKED", "ok"]


def test_killed_after_the_list_was_recorded_still_obeys_it(obeying):
    arguments = withdrawal_arguments(2, measurement=factories.MEASUREMENT)
    child = Child(obeying, "withdraw", arguments, "after")
    assert go(child) == [""]
    assert child.process.returncode == -signal.SIGKILL
    obeying.restart()
    with obeying.refuses("WITHDRAWN"):
        obeying.release()
    with obeying.refuses("WITHDRAWALS_OLD"):
        obeying.custodian.put_withdrawals(factories.withdraw(PUBLISHER).envelope)


def test_killed_before_the_list_was_recorded_holds_the_earlier_one(obeying):
    child = Child(obeying, "withdraw", withdrawal_arguments(2, measurement=factories.MEASUREMENT), "before")
    assert go(child) == [""]
    obeying.restart()
    assert obeying.custodian.held_withdrawals()[0].number == 1
    obeying.enter()
