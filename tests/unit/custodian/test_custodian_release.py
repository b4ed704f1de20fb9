import logging
from datetime import timedelta

import custody
import factories
import pytest

from attestation.simulator.platform import Conditions
from custodian import Custodian
from protocol.documents import CustodianNonce, KeyRelease, ReleaseCommit
from protocol.dsse import Unverified
from protocol.errors import AccessDenied, DocumentError
from protocol.hpke import release_info
from protocol.types import decode_base64


def test_an_approved_study_gets_the_data_keys_sealed_to_its_enclave(scene):
    enclave = custody.Enclave()
    evidence = scene.attest(enclave=enclave)
    reply = scene.release(evidence=evidence)
    assert scene.open(reply, enclave) == [dataset.data_key for dataset in scene.study.datasets]
    for item, binding in zip(reply.releases, scene.study.contract.document.datasets, strict=True):
        release = Unverified.parse(item.release, KeyRelease).verify(scene.key).document
        assert (release.custodian, release.dataset, release.slot) == (scene.key, binding.dataset, binding.slot)
        assert (release.contract, release.run) == (scene.study.contract.name, custody.RUN)
        assert release.claims == evidence.claims.digest
        assert release.attestation.simulated
        assert release.attestation.measurement == scene.study.contract.document.measurement
        assert release.time == "2026-11-24T12:00:00Z"


def test_charge_nonce_and_signed_releases_are_recorded(scene):
    _, evidence = scene.enter(fence=7)
    assert scene.query("SELECT run, contract, fence, claims, expires, outputs FROM runs") == [
        (
            custody.RUN,
            scene.study.contract.name,
            7,
            evidence.claims.digest,
            scene.study.contract.document.expires,
            None,
        )
    ]
    assert scene.records()["used"] == [(evidence.claims.nonces[0].nonce,)]
    stored = scene.query("SELECT name, dataset, fence FROM releases")
    assert sorted(row[1:] for row in stored) == sorted((d.manifest.name, 7) for d in scene.study.datasets)


def test_a_key_opens_under_its_own_release_only(scene):
    enclave = custody.Enclave()
    first, second, _ = scene.release(evidence=scene.attest(enclave=enclave)).releases
    with pytest.raises(DocumentError) as caught:
        enclave.encryption.open(decode_base64(first.capsule), info=release_info(second.release.name))
    assert caught.value.code == "CAPSULE"


def test_a_run_is_charged_once_and_released_again_to_its_next_enclave(scene):
    scene.enter(fence=1)
    charged = scene.query("SELECT run, charged FROM runs")
    scene.clock.now += timedelta(minutes=5)
    enclave = custody.Enclave()
    evidence = scene.attest(enclave=enclave)
    reply = scene.release(fence=2, evidence=evidence)
    assert scene.open(reply, enclave) == [dataset.data_key for dataset in scene.study.datasets]
    assert scene.query("SELECT run, charged FROM runs") == charged
    assert scene.query("SELECT fence, claims FROM runs") == [(2, evidence.claims.digest)]
    assert len(scene.query("SELECT * FROM releases")) == 6


def test_the_same_lease_may_ask_again_and_an_older_one_may_not(scene):
    scene.enter(fence=2)
    scene.enter(fence=2)
    evidence = scene.attest()
    with scene.refuses("FENCED_OUT", AccessDenied):
        scene.release(fence=1, evidence=evidence)


def test_a_contract_has_as_many_runs_as_it_says(make_scene):
    scene = make_scene(owners=1, contract={"max_runs": 2}, policy={"max_runs": 2})
    scene.enter(custody.RUN)
    scene.enter(custody.OTHER_RUN)
    evidence = scene.attest("03" * 16)
    with scene.refuses("RUNS_SPENT", AccessDenied):
        scene.release("03" * 16, 1, evidence)
    scene.enter(custody.RUN, fence=2)  # what is charged may still be finished


def test_a_run_belongs_to_one_contract(scene):
    scene.enter()
    first = scene.study
    recipients = first.parties[:1]
    contract = factories.make_contract(first.parties[0], first.recipe, first.datasets, recipients)
    approvals = tuple(factories.approve(contract, party) for party in first.parties)
    scene.study = factories.StudyParts(first.parties, None, first.datasets, first.recipe, contract, approvals)
    evidence = scene.attest()
    with scene.refuses("OTHER_CONTRACT", AccessDenied):
        scene.release(fence=2, evidence=evidence)


def test_a_committed_run_is_released_again_so_that_it_can_still_deliver(scene):
    enclave, evidence = scene.enter(fence=1)
    scene.custodian.commit(custody.RUN, 1, scene.commit_request(enclave, evidence))
    enclave, evidence = scene.enter(fence=2)
    commit = scene.custodian.commit(custody.RUN, 2, scene.commit_request(enclave, evidence))
    document = Unverified.parse(commit, ReleaseCommit).verify(scene.key).document
    assert (document.claims, document.runs_charged) == (evidence.claims.digest, 1)


def test_only_datasets_that_name_this_custodian_are_released(make_scene):
    scene = make_scene()
    study, elsewhere = scene.study, factories.CustodianPair()
    other = factories.make_dataset(study.parties[1], elsewhere.keys)
    datasets = (study.datasets[0], other, study.datasets[2])
    contract = factories.make_contract(study.parties[0], study.recipe, datasets, study.parties)
    approvals = tuple(factories.approve(contract, party) for party in study.parties)
    scene.study = factories.StudyParts(study.parties, None, datasets, study.recipe, contract, approvals)
    enclave = custody.Enclave()
    own = CustodianNonce(custodian=scene.key, nonce=scene.custodian.nonce(custody.RUN, contract.name).nonce)
    foreign = CustodianNonce(custodian=elsewhere.keys.signing, nonce="ee" * 32)
    reply = scene.release(evidence=scene.attest(enclave=enclave, nonces=(foreign, own)))
    assert scene.open(reply, enclave) == [datasets[0].data_key, datasets[2].data_key]


def test_a_study_of_other_custodians_datasets_is_refused(make_scene):
    scene = make_scene(owners=1)
    scene.study = factories.make_study(owners=1)
    evidence = scene.attest()
    with scene.refuses("OTHER_CUSTODIAN", AccessDenied):
        scene.release(evidence=evidence)


def test_a_dataset_that_names_half_of_this_custodian_is_not_its_own(make_scene):
    scene = make_scene(owners=1)
    keys = factories.changed(factories.CustodianPair().keys, {"signing": scene.key})
    scene.study = factories.make_study(owners=1, custodian=keys)
    evidence = scene.attest()
    with scene.refuses("OTHER_CUSTODIAN", AccessDenied):
        scene.release(evidence=evidence)


def test_owners_terms_narrow_the_appraisal_policy(make_scene):
    hardening = Conditions(tcb_status="SWHardeningNeeded")
    wide = make_scene(owners=2, conditions=hardening, policy={"tcb_statuses": ("UpToDate", "SWHardeningNeeded")})
    wide.enter()
    narrow = make_scene(owners=2, conditions=hardening)
    evidence = narrow.attest()
    with narrow.refuses("TCB_STATUS"):
        narrow.release(evidence=evidence)


def test_owners_terms_do_not_widen_the_appraisal_policy(make_scene):
    scene = make_scene(owners=1, conditions=Conditions(tcb_status="OutOfDate"), policy={"tcb_statuses": ("OutOfDate",)})
    evidence = scene.attest()
    with scene.refuses("TCB_STATUS"):
        scene.release(evidence=evidence)


def test_one_owner_that_asks_for_more_is_enough(make_scene):
    scene = make_scene(owners=2, conditions=Conditions(tcb_status="SWHardeningNeeded"))
    first = scene.study
    lax = factories.make_dataset(
        first.parties[0], scene.custodian.keys(), policy={"tcb_statuses": ("UpToDate", "SWHardeningNeeded")}
    )
    scene.custodian.deposit(factories.make_deposit(first.parties[0], lax))
    datasets = (lax, first.datasets[1])
    contract = factories.make_contract(first.parties[0], first.recipe, datasets, first.parties)
    approvals = tuple(factories.approve(contract, party) for party in first.parties)
    scene.study = factories.StudyParts(first.parties, None, datasets, first.recipe, contract, approvals)
    evidence = scene.attest()
    with scene.refuses("TCB_STATUS"):
        scene.release(evidence=evidence)


def test_a_restart_forgets_nothing(scene):
    evidence = scene.attest()
    scene.restart()
    scene.release(evidence=evidence)
    scene.restart()
    again = scene.attest(custody.OTHER_RUN)
    with scene.refuses("RUNS_SPENT"):
        scene.release(custody.OTHER_RUN, 1, again)


def test_a_custodian_closes_with_its_block(scene):
    scene.custodian.close()
    with Custodian(scene.settings, scene.clock) as custodian:
        assert custodian.keys().signing == scene.key


def test_an_enclave_key_that_is_none_gets_nothing(scene):
    evidence = scene.attest(claims={"encryption": "AAAA"})
    with scene.refuses("RECIPIENT_KEY", DocumentError):
        scene.release(evidence=evidence)


def test_logs_and_errors_hold_no_secret(scene, caplog):
    caplog.set_level(logging.DEBUG)
    enclave, evidence = scene.enter()
    scene.custodian.commit(custody.RUN, 1, scene.commit_request(enclave, evidence))
    evidence = scene.attest(custody.OTHER_RUN)
    with pytest.raises(AccessDenied) as caught:
        scene.release(custody.OTHER_RUN, 1, evidence)
    said = caplog.text + str(caught.value)
    assert "keys released" in said
    assert "outputs committed" in said
    secrets = [dataset.data_key for dataset in scene.study.datasets]
    secrets += [scene.custodian._context.secrets.signing.private_bytes_raw(), custody.PASSPHRASE.encode()]
    for secret in secrets:
        assert secret.hex() not in said
        assert repr(secret)[2:-1] not in said
