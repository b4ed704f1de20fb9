from datetime import timedelta

import custody
import factories
import pytest

from protocol.errors import AccessDenied, DocumentError


def test_one_approver_of_one_owner_stops_the_contract(scene):
    evidence = scene.attest()
    revocation = factories.revoke(scene.study.contract, scene.study.parties[2], "approver-2")
    scene.custodian.revoke(scene.study.pack, revocation.envelope)
    assert scene.query("SELECT contract, institution, member, envelope FROM revocations") == [
        (
            scene.study.contract.name,
            scene.study.parties[2].key,
            "approver-2",
            revocation.envelope.to_bytes(),
        )
    ]
    with scene.refuses("REVOKED", AccessDenied):
        scene.release(evidence=evidence)


def test_a_revocation_may_come_before_any_approval_and_holds_after_a_restart(make_scene):
    scene = make_scene(owners=2, deposit=False)
    revocation = factories.revoke(scene.study.contract, scene.study.parties[0])
    scene.custodian.revoke(scene.study.repack(approvals=()), revocation.envelope)
    scene.restart()
    for index in range(2):
        scene.custodian.deposit(scene.study.deposit(index))
    evidence = scene.attest()
    with scene.refuses("REVOKED", AccessDenied):
        scene.release(evidence=evidence)


def test_a_contract_that_could_not_run_anyway_may_be_revoked(make_scene):
    scene = make_scene(owners=1, contract={"max_runs": 5})  # beyond the owner's terms
    revocation = factories.revoke(scene.study.contract, scene.study.parties[0])
    scene.custodian.revoke(scene.study.pack, revocation.envelope)
    assert len(scene.query("SELECT * FROM revocations")) == 1


def test_the_same_approver_again_changes_nothing(scene):
    party = scene.study.parties[0]
    scene.custodian.revoke(scene.study.pack, factories.revoke(scene.study.contract, party).envelope)
    before = scene.records()
    later = factories.revoke(scene.study.contract, party, at=factories.NOW + timedelta(hours=1))
    scene.custodian.revoke(scene.study.pack, later.envelope)
    assert scene.records() == before
    scene.custodian.revoke(scene.study.pack, factories.revoke(scene.study.contract, party, "approver-2").envelope)
    assert len(scene.records()["revocations"]) == 2


def test_an_approval_is_no_revocation(scene):
    with scene.refuses("PAYLOAD_TYPE", DocumentError):
        scene.custodian.revoke(scene.study.pack, scene.study.approvals[0].envelope)


@pytest.mark.parametrize("code", ["STRANGER", "ROLE", "MEMBER_UNKNOWN", "OTHER_CONTRACT", "SIGNATURE"])
def test_nobody_else_may_revoke(scene, code):
    study, owner = scene.study, scene.study.parties[0]
    stranger = factories.make_institution("stranger")
    pack = study.repack(institutions=(*study.pack.institutions, stranger.institution.envelope))
    other = factories.make_study(owners=1).contract
    forged = {
        "STRANGER": factories.revoke(study.contract, stranger),
        "ROLE": factories.revoke(study.contract, owner, "steward"),
        "MEMBER_UNKNOWN": factories.revoke(study.contract, owner, changes={"member": "nobody"}),
        "OTHER_CONTRACT": factories.revoke(other, owner),
        "SIGNATURE": factories.revoke(study.contract, owner, key=stranger.people["approver"].approval),
    }[code]
    with scene.refuses(code):
        scene.custodian.revoke(pack, forged.envelope)
    assert scene.release(custody.RUN)


def removed(party, serial, left):
    """The party's document without one of its people."""
    return party.reissue(
        serial=serial, members=tuple(member for member in party.institution.document.members if member.id != left)
    )


def test_a_proposer_whose_analyst_left_cannot_keep_others_from_revoking(scene):
    study = scene.study
    proposer, *others = study.parties
    without = (removed(proposer, 2, "analyst"), *others)
    revocation = factories.revoke(study.contract, others[1], "approver-2")
    scene.custodian.revoke(
        study.repack(institutions=factories.envelopes([p.institution for p in without])), revocation.envelope
    )
    back = (proposer.reissue(serial=3), *others)
    with scene.refuses("REVOKED", AccessDenied):
        scene.release(pack=study.repack(institutions=factories.envelopes([p.institution for p in back])))


@pytest.mark.parametrize("kind", ["forked", "old", "forged", "twice", "absent"])
def test_other_institutions_documents_are_not_looked_at(scene, kind):
    study = scene.study
    proposer, other, revoker = (party.institution.envelope for party in study.parties)
    shown = study.parties[0].reissue(serial=2, name="What the custodian was shown")
    scene.custodian.deposit(factories.make_deposit(shown, factories.make_dataset(shown, scene.custodian.keys())))
    packs = {
        "forked": (study.parties[0].reissue(serial=2, name="Another").institution.envelope, other, revoker),
        "old": (proposer, other, revoker),
        "forged": (proposer.model_copy(update={"payload": other.payload}), other, revoker),
        "twice": (proposer, other, other, revoker),
        "absent": (revoker,),
    }
    revocation = factories.revoke(study.contract, study.parties[2]).envelope
    scene.custodian.revoke(study.repack(institutions=packs[kind]), revocation)
    assert scene.query("SELECT contract FROM revocations") == [(study.contract.name,)]
    assert scene.query(f"SELECT serial FROM institutions WHERE root = '{study.parties[0].key}'") == [(2,)]


def test_a_contract_is_named_by_its_content_whoever_signed_it(scene):
    study = scene.study
    unsigned = factories.resign(study.contract.document, study.parties[1].root)
    assert unsigned.name == study.contract.name
    revocation = factories.revoke(study.contract, study.parties[2]).envelope
    altered = factories.resign(study.contract.document, study.parties[1].root, title="Altered")
    with scene.refuses("OTHER_CONTRACT", AccessDenied):
        scene.custodian.revoke(study.repack(contract=altered.envelope), revocation)
    scene.custodian.revoke(study.repack(contract=unsigned.envelope), revocation)
    assert scene.query("SELECT contract FROM revocations") == [(study.contract.name,)]


def test_the_revoking_institution_has_to_be_there(scene):
    revocation = factories.revoke(scene.study.contract, scene.study.parties[2]).envelope
    with scene.refuses("INSTITUTION_UNKNOWN", AccessDenied):
        scene.custodian.revoke(scene.study.repack(institutions=scene.study.pack.institutions[:2]), revocation)


def test_an_approver_who_was_removed_cannot_revoke_with_an_old_document(scene):
    party = scene.study.parties[0]
    members = tuple(member for member in party.institution.document.members if member.id != "approver-2")
    newer = party.reissue(serial=2, members=members)
    scene.custodian.deposit(factories.make_deposit(newer, factories.make_dataset(newer, scene.custodian.keys())))
    with scene.refuses("INSTITUTION_OLD", AccessDenied):
        scene.custodian.revoke(scene.study.pack, factories.revoke(scene.study.contract, party, "approver-2").envelope)
