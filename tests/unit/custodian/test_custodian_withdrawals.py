from dataclasses import replace
from datetime import timedelta

import custody
import factories
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from attestation.certificates import key_digest
from attestation.endorsements import read_crl
from attestation.simulator.pki import Processor, create_keys
from attestation.simulator.platform import Conditions, Platform
from protocol.dsse import public_key
from protocol.errors import AccessDenied, AttestationError, DocumentError

PUBLISHER, OTHER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
NAMED = (public_key(PUBLISHER),)
PPID, FMSPC = "11" * 16, "00906ed50000"


@pytest.fixture
def scene(make_scene):
    policy = custody.policy_with(withdrawal_publishers=NAMED)
    return make_scene(owners=1, settings={"appraisal": policy}, contract={"max_runs": 2}, policy={"max_runs": 2})


def put(scene, *arguments, **named):
    return scene.custodian.put_withdrawals(factories.withdraw(PUBLISHER, *arguments, **named).envelope)


def names_of(scene):
    """What a list may name of the scene's enclave, read from its last accepted evidence."""
    ((measurement, ppid, fmspc, advisories),) = scene.query("SELECT measurement, ppid, fmspc, advisories FROM attested")
    assert (measurement, advisories) == (factories.MEASUREMENT, "[]")
    return {"measurement": measurement, "ppid": ppid, "fmspc": fmspc}


def test_without_a_list_of_each_publisher_nothing_is_released(scene):
    evidence = scene.attest()
    with scene.refuses("WITHDRAWALS_MISSING", AttestationError):
        scene.release(evidence=evidence)
    put(scene)
    assert scene.release(evidence=evidence)


def test_a_list_that_is_due_for_an_update_stops_releases_until_a_newer_one_is_here(scene):
    put(scene)
    scene.clock.now += timedelta(days=29)
    later = scene.clock.now + timedelta(days=1)
    scene.clock.now = later
    evidence = scene.attest()
    with scene.refuses("WITHDRAWALS_EXPIRED", AttestationError):
        scene.release(evidence=evidence)
    put(scene, 2, at=later)
    assert scene.release(evidence=evidence)


@pytest.mark.parametrize("kind", ["measurement", "ppid", "fmspc"])
def test_what_a_list_names_gets_no_keys_and_what_it_does_not_name_does(scene, kind):
    put(scene)
    scene.enter()
    named = names_of(scene)
    other = {"measurement": "0e" * 32, "ppid": PPID, "fmspc": "0e" * 6}
    assert named[kind] != other[kind]
    put(scene, 2, **{kind: other[kind]})
    scene.enter(fence=2)
    put(scene, 3, **{kind: named[kind]})
    evidence = scene.attest(custody.OTHER_RUN)
    with pytest.raises(AttestationError, match=rf"list 3 of 2026-11-24T12:00:00Z names .*{kind} of the tests"):
        scene.release(custody.OTHER_RUN, 1, evidence)
    with scene.refuses("WITHDRAWN", AttestationError):
        scene.release(custody.OTHER_RUN, 1, evidence)


def test_an_advisory_is_withdrawn_by_its_name(make_scene):
    policy = custody.policy_with(withdrawal_publishers=NAMED)
    conditions = Conditions(advisories=("INTEL-SA-00828",))
    scene = make_scene(owners=1, settings={"appraisal": policy}, conditions=conditions)
    put(scene, advisory="INTEL-SA-00829")
    enclave, evidence = scene.enter()
    assert scene.query("SELECT advisories FROM attested") == [('["INTEL-SA-00828"]',)]
    put(scene, 2, advisory="INTEL-SA-00828")
    with scene.refuses("WITHDRAWN", AttestationError):
        scene.custodian.commit(custody.RUN, 1, scene.commit_request(enclave, evidence))


@pytest.mark.parametrize("kind", ["measurement", "ppid", "fmspc"])
def test_what_is_withdrawn_after_the_release_commits_nothing(scene, kind):
    put(scene)
    enclave, evidence = scene.enter()
    request = scene.commit_request(enclave, evidence)
    named = names_of(scene)
    put(scene, 2, **{kind: named[kind]})
    with pytest.raises(AttestationError, match=rf"list 2 of .* names .*{kind} of the tests.*not released"):
        scene.custodian.commit(custody.RUN, 1, request)
    with scene.refuses("WITHDRAWN", AttestationError):
        scene.custodian.commit(custody.RUN, 1, request)
    put(scene, 3)  # the publisher took it back
    assert scene.custodian.commit(custody.RUN, 1, request)
    put(scene, 4, **{kind: named[kind]})
    with scene.refuses("WITHDRAWN", AttestationError):  # a commit that was made is not repeated either
        scene.custodian.commit(custody.RUN, 1, request)


def test_the_latest_release_is_what_a_withdrawal_is_held_against(scene):
    put(scene)
    scene.enter()
    first = names_of(scene)
    scene.platform = Platform(custody.platform_keys(), Conditions(processor=Processor(ppid=bytes.fromhex(PPID))))
    enclave, evidence = scene.enter(fence=2)
    assert names_of(scene)["ppid"] == PPID != first["ppid"]
    put(scene, 2, ppid=first["ppid"])
    assert scene.custodian.commit(custody.RUN, 2, scene.commit_request(enclave, evidence))


def test_a_run_released_before_this_was_recorded_is_released_again(scene):
    put(scene)
    enclave, evidence = scene.enter()
    scene.query("DELETE FROM attested")
    with scene.refuses("ATTESTED_UNKNOWN", AccessDenied):
        scene.custodian.commit(custody.RUN, 1, scene.commit_request(enclave, evidence))
    enclave, evidence = scene.enter(fence=2)
    assert scene.custodian.commit(custody.RUN, 2, scene.commit_request(enclave, evidence))


def test_numbers_may_not_go_back_not_even_after_a_restart(scene):
    first, second = factories.withdraw(PUBLISHER), factories.withdraw(PUBLISHER, 2, fmspc=FMSPC)
    scene.custodian.put_withdrawals(first.envelope)
    held = scene.custodian.put_withdrawals(second.envelope)
    assert (held.publisher, held.number, held.name) == (*NAMED, 2, second.name)
    for _ in range(2):
        with scene.refuses("WITHDRAWALS_OLD", AttestationError):
            scene.custodian.put_withdrawals(first.envelope)
        with scene.refuses("WITHDRAWALS_FORKED", AttestationError):
            put(scene, 2, measurement="0e" * 32)
        scene.restart()
    before = scene.records()
    assert scene.custodian.put_withdrawals(second.envelope) == held
    assert scene.records() == before
    assert scene.custodian.withdrawals(*NAMED) == second.envelope


def test_a_publisher_that_the_policy_names_again_has_not_gone_back(scene):
    put(scene, 2)
    named = scene.settings
    scene.settings = replace(named, appraisal=custody.POLICY)
    scene.restart()
    assert scene.custodian.held_withdrawals() == ()
    with scene.refuses("PUBLISHER", AttestationError):
        put(scene, 3)
    scene.enter()  # no publisher, nothing to look at
    scene.settings = named
    scene.restart()
    with scene.refuses("WITHDRAWALS_OLD", AttestationError):
        put(scene, 1)


def test_lists_that_nobody_may_bring(scene):
    for list_, code, kind in (
        (factories.withdraw(OTHER), "PUBLISHER", AttestationError),
        (factories.withdraw(PUBLISHER, key=OTHER), "SIGNATURE", DocumentError),
        (factories.withdraw(PUBLISHER, at=factories.NOW + timedelta(minutes=6)), "NOT_YET_VALID", AccessDenied),
        (factories.endorse(PUBLISHER), "PAYLOAD_TYPE", DocumentError),
    ):
        with scene.refuses(code, kind):
            scene.custodian.put_withdrawals(list_.envelope)
    put(scene, at=factories.NOW + timedelta(minutes=5))


def test_a_list_that_is_too_old_is_held_all_the_same(scene):
    put(scene, at=factories.NOW - 40 * factories.DAY, measurement=factories.MEASUREMENT)
    with scene.refuses("WITHDRAWN", AttestationError):
        scene.release()


def test_what_is_held_is_told_and_what_is_missing_too(make_scene):
    publishers = (public_key(OTHER), *NAMED)
    scene = make_scene(owners=1, settings={"appraisal": custody.policy_with(withdrawal_publishers=publishers)})
    made = factories.withdraw(PUBLISHER, 7, fmspc=FMSPC)
    scene.custodian.put_withdrawals(made.envelope)
    missing, held = scene.custodian.held_withdrawals()
    assert (missing.publisher, missing.number) == (public_key(OTHER), None)
    assert held.model_dump() == {
        "publisher": NAMED[0],
        "number": 7,
        "name": made.name,
        "issued": made.document.issued,
        "next_update": made.document.next_update,
    }
    with pytest.raises(AccessDenied) as caught:
        scene.custodian.withdrawals(public_key(OTHER))
    assert caught.value.code == "WITHDRAWALS_UNKNOWN"


def test_a_list_that_was_altered_on_disk_releases_nothing(scene):
    put(scene, measurement=factories.MEASUREMENT)
    forged = factories.withdraw(PUBLISHER, key=OTHER).envelope.to_bytes()
    scene.query(f"UPDATE withdrawals SET envelope = x'{forged.hex()}'")
    with scene.refuses("SIGNATURE", DocumentError):
        scene.release()


# Revocation lists


def asks(scene, **conditions):
    """Ask for the keys of another run, from the same platform with its collateral in other conditions."""
    platform = Platform(custody.platform_keys(), Conditions(**conditions))
    return scene.release(custody.OTHER_RUN, 1, scene.attest(custody.OTHER_RUN, platform=platform))


def kept(scene):
    """Dates and numbers of the lists that are kept, by issuer."""
    rows = scene.query("SELECT issuer, crl FROM crls ORDER BY issuer")
    return {issuer: (crl.issued, crl.number) for issuer, row in rows for crl in [read_crl("kept", row.hex())]}


def test_revocation_lists_with_lower_numbers_than_the_kept_ones_are_refused(scene):
    put(scene)
    scene.enter()
    before = kept(scene)
    keys = custody.platform_keys().certificates
    assert set(before) == {key_digest(keys[name]) for name in ("intermediate", "root")}
    with scene.refuses("CRL_ROLLBACK", AttestationError):
        asks(scene, crl_number_shift=-1)
    scene.restart()
    with scene.refuses("CRL_ROLLBACK", AttestationError):
        asks(scene, crl_number_shift=-1)
    asks(scene, crl_number_shift=5)
    assert kept(scene) == {issuer: (issued, number + 5) for issuer, (issued, number) in before.items()}


OFTEN = {"max_runs": 9}


@pytest.fixture
def numbered_alike(make_scene):
    """A custodian that saw lists in which nothing is revoked; they all have number 1."""
    made = make_scene(owners=1, contract=OFTEN, policy=OFTEN, conditions=Conditions(crl_number=1))
    made.enter()
    return made


def test_a_list_from_before_the_revocation_hides_nothing_though_it_has_the_same_number(numbered_alike):
    scene = numbered_alike
    scene.clock.now += timedelta(hours=1)
    keys = custody.platform_keys()
    revoking = Platform(keys, Conditions(crl_number=1, revoked=True)).collateral(scene.clock.now)
    other = Platform(keys, Conditions(crl_number=1, processor=Processor(ppid=b"\x77" * 16)))
    evidence = scene.attest(custody.OTHER_RUN, platform=other)
    scene.release(custody.OTHER_RUN, 1, evidence.model_copy(update={"collateral": revoking}))
    for hours in (0, -1, -29 * 24):
        with scene.refuses("REVOKED", AttestationError):
            asks(scene, crl_number=1, crl_shift=timedelta(hours=hours))
    scene.restart()
    with scene.refuses("REVOKED", AttestationError):
        asks(scene, crl_number=1, crl_shift=timedelta(days=-29))
    scene.release(custody.OTHER_RUN, 1, scene.attest(custody.OTHER_RUN, platform=other))


def test_the_list_that_revoked_a_platform_is_kept_though_its_evidence_was_refused(numbered_alike):
    scene = numbered_alike
    scene.clock.now += timedelta(hours=1)
    before = kept(scene)
    with scene.refuses("REVOKED", AttestationError):
        asks(scene, crl_number=1, revoked=True)
    assert {issued for issued, _ in kept(scene).values()} == {scene.clock.now}
    assert before.keys() == kept(scene).keys()
    with scene.refuses("REVOKED", AttestationError):
        asks(scene, crl_number=1, crl_shift=timedelta(days=-29))


def test_the_newest_list_by_date_is_kept_and_an_older_one_is_no_reason_to_refuse(numbered_alike):
    scene = numbered_alike
    before = kept(scene)
    asks(scene, crl_number=1, crl_shift=timedelta(days=-29))  # of a host that is slow to fetch its collateral
    asks(scene, crl_number=1, crl_shift=timedelta(days=-29))
    assert kept(scene) == before
    scene.clock.now += timedelta(hours=1)
    asks(scene, crl_number=1)
    after = kept(scene)
    assert after == {issuer: (issued + timedelta(hours=1), 1) for issuer, (issued, _) in before.items()}
    asks(scene, crl_number=2, crl_shift=timedelta(hours=-1))
    assert kept(scene) == after


def test_a_kept_list_that_was_altered_on_disk_releases_nothing(numbered_alike):
    scene = numbered_alike
    other = Platform(create_keys(factories.NOW - timedelta(days=1)), Conditions(crl_number=1))
    scene.query(f"UPDATE crls SET crl = x'{other.collateral(scene.clock.now).pck_crl}'")
    with scene.refuses("CRL_SIGNATURE", AttestationError):
        asks(scene, crl_number=1)
    scene.query("UPDATE crls SET crl = x'00'")
    with scene.refuses("COLLATERAL_FORMAT", AttestationError):
        asks(scene, crl_number=1)


def test_evidence_that_is_refused_leaves_no_list(make_scene):
    scene = make_scene(owners=1, conditions=Conditions(qe_evaluation=0))
    with scene.refuses("QE_EVALUATION", AttestationError):
        scene.release()
    assert scene.query("SELECT * FROM crls") == []
