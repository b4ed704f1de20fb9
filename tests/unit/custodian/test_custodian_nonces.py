from datetime import timedelta

import custody
import pytest

from protocol.errors import AccessDenied, DocumentError

CONTRACT = "cd" * 32


def test_nonces_are_fresh_and_stored_with_run_contract_and_expiry(scene):
    given = [scene.custodian.nonce(custody.RUN, CONTRACT).nonce for _ in range(3)]
    assert len(set(given)) == 3
    rows = scene.query("SELECT nonce, run, contract, expires, used FROM nonces")
    assert sorted(rows) == sorted((nonce, custody.RUN, CONTRACT, "2026-11-24T12:10:00Z", None) for nonce in given)


@pytest.mark.parametrize(
    ("run", "contract"),
    [("01" * 15, CONTRACT), ("01" * 16 + "\n", CONTRACT), ("AB" * 16, CONTRACT), (custody.RUN, "cd" * 31), ("", "")],
)
def test_names_of_another_form_are_refused(scene, run, contract):
    with scene.refuses("RUN_ID", DocumentError):
        scene.custodian.nonce(run, contract)
    assert scene.query("SELECT * FROM nonces") == []


def test_the_nonces_of_one_run_are_bounded_and_others_are_not_starved(scene):
    for _ in range(8):
        scene.custodian.nonce(custody.RUN, CONTRACT)
    with scene.refuses("NONCES_OUTSTANDING", AccessDenied):
        scene.custodian.nonce(custody.RUN, CONTRACT)
    scene.custodian.nonce(custody.OTHER_RUN, CONTRACT)
    assert len(scene.query("SELECT * FROM nonces")) == 9


def test_the_nonces_of_all_runs_are_bounded(make_scene):
    scene = make_scene(owners=1, settings={"nonces_outstanding": 2})
    scene.custodian.nonce(custody.RUN, CONTRACT)
    scene.custodian.nonce(custody.OTHER_RUN, CONTRACT)
    with scene.refuses("NONCES_OUTSTANDING", AccessDenied):
        scene.custodian.nonce("03" * 16, CONTRACT)


def test_expired_nonces_make_room_and_are_forgotten_after_an_hour(make_scene):
    scene = make_scene(owners=1, settings={"nonces_outstanding": 1})
    first = scene.custodian.nonce(custody.RUN, CONTRACT).nonce
    scene.clock.now += timedelta(minutes=10)
    second = scene.custodian.nonce(custody.RUN, CONTRACT).nonce
    assert {row[0] for row in scene.query("SELECT nonce FROM nonces")} == {first, second}
    scene.clock.now += timedelta(minutes=61)
    third = scene.custodian.nonce(custody.RUN, CONTRACT).nonce
    assert {row[0] for row in scene.query("SELECT nonce FROM nonces")} == {second, third}


def test_a_used_nonce_makes_room(make_scene):
    scene = make_scene(owners=1, settings={"nonces_outstanding": 1})
    scene.enter()
    assert scene.custodian.nonce(custody.OTHER_RUN, CONTRACT).nonce
