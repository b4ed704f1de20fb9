"""Every way to talk a custodian out of a key: each is refused with its code, releases nothing and charges nothing."""

from datetime import timedelta

import custody
import factories
import pytest
from factories import changed, envelopes, resign

from attestation.simulator.pki import create_keys
from attestation.simulator.platform import Conditions, EnclaveShape, Platform
from protocol.documents import CustodianNonce
from protocol.errors import AccessDenied, AttestationError, DocumentError
from protocol.types import decode_base64, encode_base64, format_time

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def refused(scene, code, kind, *, pack=None, evidence=None):
    """Ask with everything in order but what the test spoiled."""
    evidence = evidence or scene.attest()
    with scene.refuses(code, kind):
        scene.release(evidence=evidence, pack=pack)


# Approvals


def test_unapproved(make_scene):
    refused(make_scene(approvals=False), "NOT_APPROVED", AccessDenied)


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_approved_by_all_owners_but_one(scene, missing):
    votes = envelopes(scene.study.approvals)
    refused(
        scene, "NOT_APPROVED", AccessDenied, pack=scene.study.repack(approvals=votes[:missing] + votes[missing + 1 :])
    )


def test_half_of_a_quorum(make_scene):
    scene = make_scene(owners=2, quorum=2)
    refused(
        scene, "NOT_APPROVED", AccessDenied, pack=scene.study.repack(approvals=envelopes(scene.study.approvals[:3]))
    )


def test_one_approver_twice_is_no_quorum(make_scene):
    scene = make_scene(owners=1, quorum=2)
    first = scene.study.approvals[0]
    later = resign(first.document, scene.study.parties[0].people["approver"].approval, time=format_time(factories.NOW))
    pack = scene.study.repack(approvals=envelopes((first, later)))
    refused(scene, "APPROVED_TWICE", AccessDenied, pack=pack)


def spoil_last_approval(scene, forged, extra=()):
    votes = envelopes((*scene.study.approvals[:-1], forged))
    institutions = (*scene.study.pack.institutions, *(party.institution.envelope for party in extra))
    return scene.study.repack(approvals=votes, institutions=institutions)


def test_approval_by_a_stranger(scene):
    stranger = factories.make_institution("stranger")
    forged = factories.approve(scene.study.contract, stranger)
    refused(scene, "STRANGER", AccessDenied, pack=spoil_last_approval(scene, forged, (stranger,)))


@pytest.mark.parametrize("member", ["steward", "analyst"])
def test_approval_by_the_wrong_role(scene, member):
    forged = factories.approve(scene.study.contract, scene.study.parties[2], member)
    refused(scene, "ROLE", AccessDenied, pack=spoil_last_approval(scene, forged))


def test_approval_by_a_member_of_another_owner(scene):
    key = scene.study.parties[0].people["approver"].approval
    forged = factories.approve(scene.study.contract, scene.study.parties[2], key=key)
    refused(scene, "SIGNATURE", DocumentError, pack=spoil_last_approval(scene, forged))


def test_approval_with_a_key_of_another_use(scene):
    party = scene.study.parties[2]
    forged = factories.approve(scene.study.contract, party, key=party.people["approver"].api)
    refused(scene, "SIGNATURE", DocumentError, pack=spoil_last_approval(scene, forged))


def test_approval_of_another_contract(scene):
    other = factories.make_contract(
        scene.study.parties[0], scene.study.recipe, scene.study.datasets, scene.study.parties
    )
    forged = factories.approve(other, scene.study.parties[2])
    refused(scene, "OTHER_CONTRACT", AccessDenied, pack=spoil_last_approval(scene, forged))


def test_revocation_replayed_as_an_approval(scene):
    forged = factories.revoke(scene.study.contract, scene.study.parties[2])
    refused(scene, "PAYLOAD_TYPE", DocumentError, pack=spoil_last_approval(scene, forged))


def test_revocation_relabelled_as_an_approval(scene):
    envelope = factories.revoke(scene.study.contract, scene.study.parties[2]).envelope
    relabelled = changed(envelope, {"payloadType": "application/vnd.sealroom.approval.v1+json"})
    votes = (*envelopes(scene.study.approvals[:-1]), relabelled)
    refused(scene, "DOCUMENT", DocumentError, pack=scene.study.repack(approvals=votes))


def test_approval_replayed_as_a_revocation(scene):
    with scene.refuses("PAYLOAD_TYPE", DocumentError):
        scene.custodian.revoke(scene.study.pack, scene.study.approvals[0].envelope)
    assert scene.release()


# Time, revocations, run counts


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"contract": {"expires": "2026-11-24T11:59:59Z"}}, "EXPIRED"),
        ({"contract": {"expires": "2026-11-24T12:00:00Z"}}, "EXPIRED"),
        ({"policy": {"expires": "2026-11-24T12:00:00Z"}}, "EXPIRED"),
        ({"institution": {"expires": "2026-11-24T12:00:00Z"}}, "EXPIRED"),
        ({"contract": {"created": "2026-11-24T12:06:00Z"}}, "NOT_YET_VALID"),
        ({"recipe": {"created": "2026-11-24T12:06:00Z"}}, "NOT_YET_VALID"),
        ({"manifest": {"created": "2026-11-24T12:06:00Z"}}, "NOT_YET_VALID"),
    ],
)
def test_documents_out_of_their_time(make_scene, change, code):
    refused(make_scene(owners=2, deposit=False, **change), code, AccessDenied)


def test_expired_while_the_enclave_attested(make_scene):
    scene = make_scene(owners=1, contract={"expires": "2026-11-24T12:01:00Z"})
    evidence = scene.attest()
    scene.clock.now += MINUTE
    refused(scene, "EXPIRED", AccessDenied, evidence=evidence)


def test_revoked_although_the_broker_withholds_the_revocation(scene):
    scene.custodian.revoke(scene.study.pack, factories.revoke(scene.study.contract, scene.study.parties[1]).envelope)
    refused(scene, "REVOKED", AccessDenied)


def test_revoked_while_a_run_waits_for_its_next_enclave(scene):
    scene.enter()
    evidence = scene.attest()
    scene.custodian.revoke(scene.study.pack, factories.revoke(scene.study.contract, scene.study.parties[1]).envelope)
    with scene.refuses("REVOKED", AccessDenied):
        scene.release(fence=2, evidence=evidence)


def test_over_used(scene):
    scene.enter()
    evidence = scene.attest(custody.OTHER_RUN)
    with scene.refuses("RUNS_SPENT", AccessDenied):
        scene.release(custody.OTHER_RUN, 1, evidence)


def test_more_runs_than_an_owner_allows(make_scene):
    refused(make_scene(owners=1, contract={"max_runs": 2}), "TERMS_RUNS", AccessDenied)


# Evidence


def test_wrong_measurement(scene):
    refused(scene, "MEASUREMENT", AttestationError, evidence=scene.attest(measurement="ab" * 32))


@pytest.mark.parametrize(
    ("conditions", "code"),
    [
        (Conditions(enclave=EnclaveShape(flags=0x07)), "DEBUG"),
        (Conditions(enclave=EnclaveShape(flags=0x15)), "ATTRIBUTES"),
        (Conditions(tcb_status="OutOfDate"), "TCB_STATUS"),
        (Conditions(revoked=True), "REVOKED"),
    ],
)
def test_a_platform_or_enclave_that_is_not_in_order(make_scene, conditions, code):
    refused(make_scene(owners=1, conditions=conditions), code, AttestationError)


def test_claims_that_the_quote_does_not_bind(scene):
    evidence = scene.attest()
    keys = custody.Enclave()
    claims = changed(evidence.claims, {"encryption": encode_base64(keys.encryption.public_bytes())})
    refused(scene, "REPORT_DATA", AttestationError, evidence=changed(evidence, {"claims": claims}))


def test_an_altered_quote(scene):
    evidence = scene.attest()
    quote = bytearray(decode_base64(evidence.quote))
    quote[112] ^= 1  # the first byte of MRENCLAVE
    with scene.refuses("QUOTE_SIGNATURE", AttestationError):
        scene.release(evidence=changed(evidence, {"quote": encode_base64(bytes(quote))}))


def test_stale_nonce(scene):
    evidence = scene.attest()
    scene.clock.now += timedelta(minutes=10)
    refused(scene, "NONCE_EXPIRED", AttestationError, evidence=evidence)
    scene.clock.now -= timedelta(seconds=1)
    assert scene.release(evidence=evidence)


def test_replayed_evidence(scene):
    evidence = scene.attest()
    scene.release(evidence=evidence)
    refused(scene, "NONCE_USED", AttestationError, evidence=evidence)


def test_replayed_nonce_in_new_evidence(scene):
    nonce = scene.attest().claims.nonces[0].nonce
    scene.release(evidence=scene.attest(nonce=nonce))
    refused(scene, "NONCE_USED", AttestationError, evidence=scene.attest(nonce=nonce))


def test_nonce_that_the_enclave_made_up(scene):
    refused(scene, "NONCE_UNKNOWN", AttestationError, evidence=scene.attest(nonce="ab" * 32))


def test_nonce_of_another_custodian(scene):
    nonces = (CustodianNonce(custodian="ab" * 32, nonce=scene.attest().claims.nonces[0].nonce),)
    refused(scene, "NONCE_MISSING", AttestationError, evidence=scene.attest(nonces=nonces))


def test_two_nonces_of_this_custodian(scene):
    nonces = tuple(
        CustodianNonce(custodian=scene.key, nonce=scene.custodian.nonce(custody.RUN, scene.study.contract.name).nonce)
        for _ in range(2)
    )
    refused(scene, "NONCE_MISSING", AttestationError, evidence=scene.attest(nonces=nonces))


def test_nonce_of_another_run(scene):
    nonce = scene.custodian.nonce(custody.OTHER_RUN, scene.study.contract.name).nonce
    refused(scene, "NONCE_FOREIGN", AttestationError, evidence=scene.attest(nonce=nonce))


def test_nonce_of_another_contract(scene):
    nonce = scene.custodian.nonce(custody.RUN, "ab" * 32).nonce
    refused(scene, "NONCE_FOREIGN", AttestationError, evidence=scene.attest(nonce=nonce))


def test_evidence_for_another_run(scene):
    evidence = scene.attest(custody.OTHER_RUN)
    refused(scene, "OTHER_RUN", AttestationError, evidence=evidence)


def test_evidence_for_another_contract(scene):
    nonce = scene.custodian.nonce(custody.RUN, "ab" * 32).nonce
    evidence = scene.attest(nonce=nonce, claims={"contract": "ab" * 32})
    refused(scene, "OTHER_CONTRACT", AttestationError, evidence=evidence)


def test_evidence_of_another_profile(scene):
    refused(scene, "PROFILE", AttestationError, evidence=scene.attest(claims={"profile": "genomics"}))


# Simulation


def test_a_root_that_is_not_pinned(scene):
    other = Platform(create_keys(factories.NOW - DAY))
    refused(scene, "ROOT_UNKNOWN", AttestationError, evidence=scene.attest(platform=other))


def test_a_simulated_root_where_the_appraisal_policy_forbids_it(make_scene):
    scene = make_scene(owners=1, settings={"appraisal": changed(custody.POLICY, {"simulation": False})})
    refused(scene, "SIMULATED", AttestationError)


def test_a_simulated_platform_where_the_contract_forbids_it(make_scene):
    scene = make_scene(owners=1, contract={"simulation": False}, policy={"simulation": False})
    refused(scene, "SIMULATED", AccessDenied)


def test_a_simulated_platform_where_one_owner_forbids_it(make_scene):
    refused(make_scene(owners=1, policy={"simulation": False}), "TERMS_SIMULATION", AccessDenied)


# A broker that swaps and invents


def test_swapped_dataset(scene):
    party = scene.study.parties[1]
    other = factories.make_dataset(party, scene.custodian.keys())
    scene.custodian.deposit(factories.make_deposit(party, other))
    manifests = list(scene.study.pack.manifests)
    manifests[1] = other.manifest.envelope
    refused(scene, "DATASET_SWAPPED", DocumentError, pack=scene.study.repack(manifests=tuple(manifests)))


@pytest.mark.parametrize("change", ["left out", "added", "repeated"])
def test_datasets_left_out_added_or_repeated(scene, change):
    manifests = scene.study.pack.manifests
    extra = factories.make_dataset(scene.study.parties[0], scene.custodian.keys()).manifest.envelope
    manifests = {
        "left out": manifests[:-1],
        "added": (*manifests, extra),
        "repeated": (*manifests, manifests[0]),
    }[change]
    refused(scene, "DATASET_SWAPPED", DocumentError, pack=scene.study.repack(manifests=manifests))


def test_a_dataset_that_is_given_to_another_owner(scene):
    bindings = scene.study.contract.document.datasets
    swapped = (changed(bindings[0], {"owner": bindings[1].owner}), *bindings[1:])
    key = scene.study.parties[0].people["analyst"].contract
    contract = resign(scene.study.contract.document, key, datasets=swapped)
    votes = tuple(factories.approve(contract, party) for party in scene.study.parties)
    pack = scene.study.repack(contract=contract.envelope, approvals=envelopes(votes))
    refused(scene, "OWNER_SWAPPED", DocumentError, pack=pack)


def test_swapped_recipients_after_approval(scene):
    document = scene.study.contract.document
    output = changed(document.outputs[0], {"recipients": (factories.recipient_of(scene.study.parties[0]),)})
    key = scene.study.parties[0].people["analyst"].contract
    contract = resign(document, key, outputs=(output,))
    refused(scene, "OTHER_CONTRACT", AccessDenied, pack=scene.study.repack(contract=contract.envelope))


def test_swapped_contract_whose_signature_is_the_brokers(scene):
    broker = factories.Person("broker")
    contract = resign(scene.study.contract.document, broker.contract, title="Another")
    refused(scene, "SIGNATURE", DocumentError, pack=scene.study.repack(contract=contract.envelope))


def test_swapped_recipient_key_in_an_institution(scene):
    party = scene.study.parties[1]
    members = tuple(
        factories.Person("analyst").member("analyst") if member.id == "analyst" else member
        for member in party.institution.document.members
    )
    institutions = list(scene.study.pack.institutions)
    institutions[1] = party.reissue(members=members, serial=2).institution.envelope
    refused(scene, "RECIPIENT", AccessDenied, pack=scene.study.repack(institutions=tuple(institutions)))


def test_swapped_recipe(scene):
    recipe = resign(scene.study.recipe.document, scene.study.parties[0].people["analyst"].contract, title="Another")
    refused(scene, "RECIPE_SWAPPED", DocumentError, pack=scene.study.repack(recipe=recipe.envelope))


def test_invented_member(scene):
    party = scene.study.parties[2]
    invented = factories.Person("invented")
    document = party.institution.document
    forged = resign(document, factories.Person("broker").api, members=(*document.members, invented.member("approver")))
    institutions = (*scene.study.pack.institutions[:2], forged.envelope)
    vote = factories.approve(scene.study.contract, party, key=invented.approval, changes={"member": "invented"})
    pack = scene.study.repack(institutions=institutions, approvals=envelopes((*scene.study.approvals[:2], vote)))
    refused(scene, "SIGNATURE", DocumentError, pack=pack)


def test_institution_made_up_in_an_owners_name(scene):
    made_up = factories.make_institution(scene.study.parties[2].institution.document.short)
    institutions = (*scene.study.pack.institutions[:2], made_up.institution.envelope)
    refused(scene, "INSTITUTION_UNKNOWN", AccessDenied, pack=scene.study.repack(institutions=institutions))


def test_institution_twice(scene):
    institutions = (*scene.study.pack.institutions, scene.study.pack.institutions[0])
    refused(scene, "INSTITUTION_TWICE", DocumentError, pack=scene.study.repack(institutions=institutions))


def test_approver_who_was_removed_brought_back_with_an_old_document(scene):
    party = scene.study.parties[2]
    members = tuple(member for member in party.institution.document.members if member.id != "approver")
    newer = party.reissue(serial=2, members=members)
    scene.custodian.deposit(factories.make_deposit(newer, factories.make_dataset(newer, scene.custodian.keys())))
    refused(scene, "INSTITUTION_OLD", AccessDenied)


def test_unknown_capsule(make_scene):
    refused(make_scene(owners=2, deposit=False), "CAPSULE_UNKNOWN", AccessDenied)


def test_one_unknown_capsule_of_several(make_scene):
    scene = make_scene(owners=2, deposit=False)
    scene.custodian.deposit(scene.study.deposit(0))
    refused(scene, "CAPSULE_UNKNOWN", AccessDenied)


def test_capsules_swapped_on_the_custodians_disk(make_scene):
    scene = make_scene(owners=2)
    first, second = (dataset.manifest.name for dataset in scene.study.datasets)
    scene.query(
        f"UPDATE capsules SET capsule = (SELECT capsule FROM capsules WHERE manifest = '{second}') WHERE manifest = '{first}'"
    )
    refused(scene, "CAPSULE", DocumentError)


def test_lease_that_ended(scene):
    scene.enter(fence=3)
    evidence = scene.attest()
    with scene.refuses("FENCED_OUT", AccessDenied):
        scene.release(fence=2, evidence=evidence)


def test_terms_that_the_contract_goes_beyond(make_scene):
    for change, code in (
        ({"policy": {"analyses": ("clinical.table1",)}}, "TERMS_ANALYSIS"),
        ({"policy": {"profiles": ("genomics",)}}, "TERMS_PROFILE"),
        ({"policy": {"preset": "all-of-us"}}, "TERMS_PRESET"),
    ):
        refused(make_scene(owners=1, **change), code, AccessDenied)


def test_the_same_request_passes_when_nothing_is_spoiled(scene):
    enclave = custody.Enclave()
    reply = scene.release(evidence=scene.attest(enclave=enclave))
    assert scene.open(reply, enclave) == [dataset.data_key for dataset in scene.study.datasets]
