from dataclasses import replace
from datetime import timedelta

import custody
import factories
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from attestation.policy import Endorser
from protocol.dsse import public_key
from protocol.errors import AccessDenied, AttestationError, DocumentError, StorageError

NORTH, SOUTH, OTHER = (Ed25519PrivateKey.generate() for _ in range(3))
ENDORSERS = tuple(Endorser(institution=name, key=public_key(key)) for name, key in (("north", NORTH), ("south", SOUTH)))
POLICY = custody.policy_with(endorsements_wanted=2, endorsers=ENDORSERS)


@pytest.fixture
def scene(make_scene):
    return make_scene(owners=1, settings={"appraisal": POLICY, "endorsements_per_endorser": 2})


def put(scene, key, institution, **changes):
    return scene.custodian.put_endorsement(factories.endorse(key, institution, changes=changes).envelope)


def test_keys_are_released_once_enough_institutions_rebuilt_the_code(scene):
    evidence = scene.attest()
    put(scene, NORTH, "north")
    put(scene, SOUTH, "south", measurement="0e" * 32)
    with scene.refuses("MEASUREMENT_ENDORSED", AttestationError):
        scene.release(evidence=evidence)
    put(scene, SOUTH, "south")
    scene.restart()
    assert scene.release(evidence=evidence)


def test_the_same_again_changes_nothing_and_the_first_one_is_kept(scene):
    first = put(scene, NORTH, "north")
    before = scene.records()
    assert put(scene, NORTH, "north", time="2026-11-24T11:00:00Z") == first
    assert scene.records() == before
    assert scene.custodian.endorsements(factories.MEASUREMENT) == (first.envelope,)
    assert scene.custodian.endorsements("0e" * 32) == ()


@pytest.mark.parametrize("change", [{"files": "f2" * 32}, {"profile": "genomics"}])
def test_an_endorser_that_contradicts_itself_is_told(scene, change):
    put(scene, NORTH, "north")
    with scene.refuses("ENDORSEMENT_DIFFERS", AttestationError):
        put(scene, NORTH, "north", **change)


def test_endorsements_that_nobody_may_bring(scene):
    for made, code, kind in (
        (factories.endorse(OTHER, "east"), "ENDORSER", AttestationError),
        (factories.endorse(SOUTH, "north"), "SIGNATURE", DocumentError),
        (factories.endorse(NORTH, "north", at=factories.NOW + timedelta(minutes=6)), "NOT_YET_VALID", AccessDenied),
        (factories.withdraw(NORTH), "PAYLOAD_TYPE", DocumentError),
    ):
        with scene.refuses(code, kind):
            scene.custodian.put_endorsement(made.envelope)


def test_one_endorser_cannot_fill_the_disk(scene):
    for number in range(2):
        put(scene, NORTH, "north", measurement=f"{number:064x}")
    with scene.refuses("ENDORSEMENTS_FULL", StorageError):
        put(scene, NORTH, "north")
    put(scene, NORTH, "north", measurement=f"{0:064x}")  # what is held already takes no room
    put(scene, SOUTH, "south")


def test_an_endorser_that_the_policy_dropped_or_renamed_does_not_count(scene):
    put(scene, NORTH, "north")
    put(scene, SOUTH, "south")
    renamed = (ENDORSERS[0], Endorser(institution="west", key=public_key(SOUTH)))
    for endorsers in (ENDORSERS[:1], renamed):
        policy = custody.policy_with(endorsements_wanted=len(endorsers), endorsers=endorsers)
        scene.settings = replace(scene.settings, appraisal=policy)
        scene.restart()
        assert len(scene.custodian.endorsements(factories.MEASUREMENT)) == 1
    with scene.refuses("MEASUREMENT_ENDORSED", AttestationError):
        scene.release()
