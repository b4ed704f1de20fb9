"""Each check of governance, with the forgery that it is there for."""

from datetime import timedelta

import factories
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from factories import DAY, NOW, approve, changed, envelopes, make_study, resign

from protocol.documents import Approval, Revocation
from protocol.dsse import Unverified
from protocol.errors import AccessDenied, DocumentError
from protocol.governance import (
    CLOCK_SKEW,
    require_current,
    require_quorum,
    verify_contract,
    verify_institution,
    verify_institutions,
    verify_manifest,
    verify_proposal,
    verify_vote,
)
from protocol.types import format_time

STUDY = make_study()
NORTH, SOUTH, EAST = STUDY.parties
ANALYST = NORTH.people["analyst"].contract
CONTRACT = STUDY.contract.document
ELSEWHERE = factories.make_institution("elsewhere")


def refused(family, code, pack):
    with pytest.raises(family, match=f"^{code}: ") as caught:
        verify_proposal(pack)
    assert type(caught.value) is family


def with_contract(study=STUDY, **changes):
    """The pack with its contract signed anew after changes; approvals of the old one are left out."""
    contract = resign(study.contract.document, study.parties[0].people["analyst"].contract, **changes)
    return study.repack(contract=contract.envelope, approvals=())


def test_a_good_study_passes_every_check():
    study = verify_proposal(STUDY.pack)
    require_quorum(study)
    require_current(study, NOW)
    assert study.contract == STUDY.contract
    assert [manifest.name for manifest in study.manifests] == [binding.dataset for binding in CONTRACT.datasets]
    assert study.recipient_key(SOUTH.key, "analyst") == SOUTH.people["analyst"].recipient.public_bytes()


def test_manifests_are_put_in_the_order_of_the_contract():
    study = verify_proposal(STUDY.repack(manifests=STUDY.pack.manifests[::-1]))
    assert [manifest.name for manifest in study.manifests] == [binding.dataset for binding in CONTRACT.datasets]


# 1. institutions


def test_an_institution_signs_itself():
    forged = resign(NORTH.institution.document, Ed25519PrivateKey.generate())
    with pytest.raises(DocumentError, match=r"^SIGNATURE: "):
        verify_institution(forged.envelope)


def test_an_institution_stands_once():
    envelopes_twice = (
        NORTH.institution.envelope,
        SOUTH.institution.envelope,
        NORTH.reissue(serial=2).institution.envelope,
    )
    refused(DocumentError, "INSTITUTION_TWICE", STUDY.repack(institutions=envelopes_twice))
    assert set(verify_institutions(envelopes_twice[:2])) == {NORTH.key, SOUTH.key}


def test_a_public_key_belongs_to_one_institution():
    borrowed = changed(
        ELSEWHERE.institution.document.members[3].keys,
        {"recipient": NORTH.institution.document.member("analyst").keys.recipient},
    )
    members = ELSEWHERE.institution.document.members
    shell = resign(
        ELSEWHERE.institution.document, ELSEWHERE.root, members=(*members[:3], changed(members[3], {"keys": borrowed}))
    )
    with pytest.raises(DocumentError, match=r"^KEY_SHARED: Institutions north and elsewhere "):
        verify_institutions([NORTH.institution.envelope, shell.envelope])
    refused(DocumentError, "KEY_SHARED", STUDY.repack(institutions=(*STUDY.pack.institutions, shell.envelope)))


def test_institutions_are_needed():
    without = envelopes([NORTH.institution, SOUTH.institution])
    refused(AccessDenied, "INSTITUTION_UNKNOWN", STUDY.repack(institutions=without))


# 2. manifests


def test_a_manifest_is_signed_by_a_steward_of_its_owner():
    dataset = STUDY.datasets[0]
    for key in (NORTH.people["approver"].approval, SOUTH.people["steward"].manifest, NORTH.root):
        forged = resign(dataset.manifest.document, key)
        refused(DocumentError, "SIGNATURE", STUDY.repack(manifests=(forged.envelope, *STUDY.pack.manifests[1:])))
    for steward, code in (("analyst", "ROLE"), ("nobody", "MEMBER_UNKNOWN")):
        forged = resign(dataset.manifest.document, NORTH.people["analyst"].contract, steward=steward)
        refused(AccessDenied, code, STUDY.repack(manifests=(forged.envelope, *STUDY.pack.manifests[1:])))


def test_a_manifest_verifies_under_a_reissued_institution_only_while_it_lists_the_key():
    dataset = STUDY.datasets[0]
    institutions = {NORTH.key: NORTH.institution}
    assert verify_manifest(dataset.manifest.envelope, institutions) == dataset.manifest
    left = NORTH.reissue(members=NORTH.institution.document.members[1:], serial=2)
    with pytest.raises(AccessDenied, match=r"^MEMBER_UNKNOWN: "):
        verify_manifest(dataset.manifest.envelope, {NORTH.key: left.institution})


# 3. recipe and contract


def test_recipe_and_contract_are_signed_by_an_analyst():
    forged = resign(STUDY.recipe.document, SOUTH.people["analyst"].contract)
    refused(DocumentError, "SIGNATURE", STUDY.repack(recipe=forged.envelope))
    forged = resign(STUDY.recipe.document, NORTH.people["approver"].approval, analyst="approver")
    refused(AccessDenied, "ROLE", STUDY.repack(recipe=forged.envelope))
    forged = resign(CONTRACT, NORTH.people["approver"].approval, analyst="approver")
    refused(AccessDenied, "ROLE", STUDY.repack(contract=forged.envelope, approvals=()))
    forged = resign(CONTRACT, ANALYST, proposer=ELSEWHERE.key)
    refused(AccessDenied, "INSTITUTION_UNKNOWN", STUDY.repack(contract=forged.envelope, approvals=()))
    with pytest.raises(DocumentError, match=r"^PAYLOAD_TYPE: "):
        verify_contract(STUDY.recipe.envelope, {NORTH.key: NORTH.institution})


# 4. what the contract binds


def test_the_contract_binds_its_recipe():
    other = resign(STUDY.recipe.document, ANALYST, title="Another question")
    refused(DocumentError, "RECIPE_SWAPPED", STUDY.repack(recipe=other.envelope))


def test_only_the_author_of_a_recipe_proposes_it():
    contract = resign(CONTRACT, SOUTH.people["analyst"].contract, proposer=SOUTH.key)
    refused(DocumentError, "RECIPE_SWAPPED", STUDY.repack(contract=contract.envelope, approvals=()))


def test_the_contract_binds_exactly_its_manifests():
    first, second, third = STUDY.pack.manifests
    swapped = factories.make_dataset(NORTH, STUDY.custodian.keys).manifest.envelope
    for manifests in (
        (first, second),
        (first, second, third, swapped),
        (swapped, second, third),
        (first, second, third, third),
    ):
        refused(DocumentError, "DATASET_SWAPPED", STUDY.repack(manifests=manifests))


def test_the_contract_fills_the_slots_in_order():
    first, second, third = CONTRACT.datasets
    refused(DocumentError, "SLOTS", with_contract(datasets=(second, first, third)))
    # The right slots in the right order, with two datasets exchanged, say a wrong owner.
    crossed = (changed(first, {"dataset": second.dataset}), changed(second, {"dataset": first.dataset}), third)
    refused(DocumentError, "OWNER_SWAPPED", with_contract(datasets=crossed))


def test_the_contract_lists_the_outputs_of_the_recipe():
    output = changed(CONTRACT.outputs[0], {"output": "something-else"})
    refused(DocumentError, "OUTPUTS", with_contract(outputs=(output,)))
    refused(DocumentError, "OUTPUTS", with_contract(outputs=(*CONTRACT.outputs, output)))


# 5. terms


@pytest.mark.parametrize(
    ("policy", "contract", "code"),
    [
        ({"analyses": ("clinical.table1",)}, {}, "TERMS_ANALYSIS"),
        ({"profiles": ("genomics",)}, {}, "TERMS_PROFILE"),
        ({}, {"profile": "genomics"}, "TERMS_PROFILE"),
        ({"simulation": False}, {}, "TERMS_SIMULATION"),
        ({"preset": "cms"}, {}, "TERMS_PRESET"),
        ({"preset": "uk-llc"}, {}, "TERMS_PRESET"),
        ({}, {"max_runs": 2}, "TERMS_RUNS"),
    ],
)
def test_the_contract_keeps_to_the_terms(policy, contract, code):
    refused(AccessDenied, code, make_study(1, policy=policy, contract=contract).pack)


@pytest.mark.parametrize(
    ("policy", "contract"),
    [
        ({"simulation": False}, {"simulation": False}),
        ({"preset": "cms"}, {"preset": "all-of-us"}),
        ({"preset": "uk-llc"}, {"preset": "cms"}),
        ({"max_runs": 5}, {"max_runs": 4}),
    ],
)
def test_a_contract_may_be_narrower_than_the_terms(policy, contract):
    require_quorum(verify_proposal(make_study(1, policy=policy, contract=contract).pack))


def test_one_owner_s_terms_are_enough_to_refuse():
    strict = factories.make_dataset(EAST, STUDY.custodian.keys, policy={"preset": "all-of-us"})
    bindings = (*CONTRACT.datasets[:2], changed(CONTRACT.datasets[2], {"dataset": strict.manifest.name}))
    contract = resign(CONTRACT, ANALYST, datasets=bindings).envelope
    pack = STUDY.repack(
        contract=contract, approvals=(), manifests=(*STUDY.pack.manifests[:2], strict.manifest.envelope)
    )
    refused(AccessDenied, "TERMS_PRESET", pack)


# 6. recipients


def outputs_for(recipient):
    return (changed(CONTRACT.outputs[0], {"recipients": (recipient,)}),)


def test_recipients_are_analysts_whom_a_root_signed():
    good = factories.recipient_of(SOUTH)
    verify_proposal(with_contract(outputs=outputs_for(good)))
    for bad in (
        changed(good, {"key": "ab" * 32}),
        changed(good, {"institution": EAST.key}),
        changed(good, {"member": "steward"}),
        changed(good, {"member": "nobody"}),
    ):
        refused(AccessDenied, "RECIPIENT", with_contract(outputs=outputs_for(bad)))
    refused(AccessDenied, "INSTITUTION_UNKNOWN", with_contract(outputs=outputs_for(factories.recipient_of(ELSEWHERE))))


# 7. approvals and revocations


def test_approvals_are_by_approvers_of_owners_for_this_contract():
    study = make_study()
    other = resign(study.contract.document, study.parties[0].people["analyst"].contract, title="Another").envelope
    cases = [
        (approve(STUDY.contract, NORTH), AccessDenied, "OTHER_CONTRACT"),
        (approve(study.contract, ELSEWHERE), AccessDenied, "STRANGER"),
        (approve(study.contract, study.parties[0], "analyst"), AccessDenied, "ROLE"),
        (
            approve(study.contract, study.parties[0], "approver", changes={"member": "nobody"}),
            AccessDenied,
            "MEMBER_UNKNOWN",
        ),
        (approve(study.contract, study.parties[0], key=study.parties[0].root), DocumentError, "SIGNATURE"),
        (
            approve(study.contract, study.parties[0], key=study.parties[1].people["approver"].approval),
            DocumentError,
            "SIGNATURE",
        ),
    ]
    for approval, family, code in cases:
        refused(family, code, study.repack(approvals=(approval.envelope,)))
    # Approvals of a contract do not carry over to a changed one.
    refused(AccessDenied, "OTHER_CONTRACT", study.repack(contract=other))


def test_an_approver_counts_once():
    again = approve(STUDY.contract, NORTH, changes={"time": "2026-11-24T11:30:00Z"})
    assert again.name != STUDY.approvals[0].name
    refused(AccessDenied, "APPROVED_TWICE", STUDY.repack(approvals=(STUDY.approvals[0].envelope, again.envelope)))


def test_revocations_are_votes_too_and_never_approvals():
    revocation = factories.revoke(STUDY.contract, SOUTH)
    institutions = verify_institutions(STUDY.pack.institutions)
    assert verify_vote(revocation.envelope, Revocation, STUDY.contract, institutions) == revocation
    refused(DocumentError, "PAYLOAD_TYPE", STUDY.repack(approvals=(revocation.envelope,)))
    with pytest.raises(DocumentError, match=r"^PAYLOAD_TYPE: "):
        verify_vote(STUDY.approvals[0].envelope, Revocation, STUDY.contract, institutions)
    with pytest.raises(AccessDenied, match=r"^OTHER_CONTRACT: The revocation is for another contract"):
        verify_vote(factories.revoke(make_study(1).contract, SOUTH).envelope, Revocation, STUDY.contract, institutions)
    with pytest.raises(AccessDenied, match=r"^STRANGER: The revocation "):
        verify_vote(factories.revoke(STUDY.contract, ELSEWHERE).envelope, Revocation, STUDY.contract, institutions)
    assert Unverified.parse(STUDY.approvals[0].envelope, Approval).claimed.kind == "approval"


# 8. quorum


def test_every_owner_approves():
    for left_out in range(3):
        approvals = [approval.envelope for index, approval in enumerate(STUDY.approvals) if index != left_out]
        study = verify_proposal(STUDY.repack(approvals=tuple(approvals)))
        with pytest.raises(AccessDenied, match=r"^NOT_APPROVED: \w+ gave 0 of 1 approvals"):
            require_quorum(study)


def test_a_quorum_of_two_takes_two_people():
    study = make_study(2, quorum=2)
    require_quorum(verify_proposal(study.pack))
    with pytest.raises(AccessDenied, match=r"^NOT_APPROVED: south gave 1 of 2"):
        require_quorum(verify_proposal(study.repack(approvals=study.pack.approvals[:3])))


def test_the_largest_quorum_of_an_owner_s_datasets_counts():
    party = factories.make_institution("solo")
    keys = factories.CustodianPair().keys
    datasets = [factories.make_dataset(party, keys, policy={"quorum": quorum}) for quorum in (1, 2)]
    recipe = factories.make_recipe(party, ["one", "two"])
    contract = factories.make_contract(party, recipe, datasets, [party])
    votes = [approve(contract, party), approve(contract, party, "approver-2")]
    parts = factories.StudyParts((party,), None, tuple(datasets), recipe, contract, tuple(votes))
    require_quorum(verify_proposal(parts.pack))
    with pytest.raises(AccessDenied, match=r"^NOT_APPROVED: solo gave 1 of 2"):
        require_quorum(verify_proposal(parts.repack(approvals=envelopes(votes[:1]))))


# 9. time


def at(moment):
    return {"at": moment}


def test_nothing_may_have_expired():
    past = format_time(NOW - timedelta(seconds=1))
    cases = {
        "contract": make_study(1, contract={"expires": past}),
        "institution north": make_study(1, institution={"expires": past}),
        "dataset north-lung": make_study(1, policy={"expires": past}),
    }
    for what, study in cases.items():
        with pytest.raises(AccessDenied, match=f"^EXPIRED: The {what} expired"):
            require_current(verify_proposal(study.pack), NOW)


def test_nothing_may_come_from_the_future():
    late = format_time(NOW + CLOCK_SKEW + timedelta(seconds=1))
    cases = {
        "contract": make_study(1, contract={"created": late}),
        "recipe": make_study(1, recipe={"created": late}),
        "institution north": make_study(1, institution={"issued": late}),
        "dataset north-lung": make_study(1, manifest={"created": late}),
    }
    for what, study in cases.items():
        with pytest.raises(AccessDenied, match=f"^NOT_YET_VALID: The {what} is dated"):
            require_current(verify_proposal(study.pack), NOW)
    study = make_study(1)
    vote = approve(study.contract, study.parties[0], changes={"time": late})
    with pytest.raises(AccessDenied, match=r"^NOT_YET_VALID: The approval by approver"):
        require_current(verify_proposal(study.repack(approvals=(vote.envelope,))), NOW)


def test_no_approval_is_older_than_its_contract():
    study = make_study(1, contract={"created": format_time(NOW - timedelta(minutes=30))})
    early = format_time(NOW - timedelta(minutes=30) - CLOCK_SKEW - timedelta(seconds=1))
    vote = approve(study.contract, study.parties[0], changes={"time": early})
    with pytest.raises(AccessDenied, match=r"^APPROVED_BEFORE: The approval by approver "):
        require_current(verify_proposal(study.repack(approvals=(vote.envelope,))), NOW)
    edge = format_time(NOW - timedelta(minutes=30) - CLOCK_SKEW)
    vote = approve(study.contract, study.parties[0], changes={"time": edge})
    require_current(verify_proposal(study.repack(approvals=(vote.envelope,))), NOW)


def test_the_edges_of_a_span():
    made = make_study(1, contract={"created": format_time(NOW), "expires": format_time(NOW + DAY)})
    vote = approve(made.contract, made.parties[0], changes={"time": format_time(NOW)})
    study = verify_proposal(made.repack(approvals=(vote.envelope,)))
    require_current(study, NOW - CLOCK_SKEW)
    require_current(study, NOW + DAY - timedelta(seconds=1))
    with pytest.raises(AccessDenied, match=r"^NOT_YET_VALID: "):
        require_current(study, NOW - CLOCK_SKEW - timedelta(seconds=1))
    with pytest.raises(AccessDenied, match=r"^EXPIRED: "):
        require_current(study, NOW + DAY)
