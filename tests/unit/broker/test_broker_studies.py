"""Recipes, contracts, votes: who may, and what state follows."""

import json
from contextlib import contextmanager
from datetime import timedelta

import factories
import pytest
from broker_scene import LiveBroker, Scene, must, refused
from factories import DAY

from broker.context import Broker
from broker.contracts import judge, load_study
from broker.settings import Limits
from protocol.dsse import Envelope
from protocol.governance import verify_proposal
from protocol.types import format_time


@pytest.fixture
def proposed(broker):
    scene = Scene(broker)
    scene.upload()
    scene.propose()
    return scene


def contract(scene):
    return must(scene.member(0, "steward").get(f"/v1/contracts/{scene.contract.name}")).json()


def approval(scene, party, **options):
    return factories.approve(scene.contract, scene.parties[party], at=scene.at, **options).envelope


def test_recipes_are_signed_by_an_analyst_of_the_caller(scene):
    recipe = factories.make_recipe(scene.parties[0], ["a"], at=scene.at)
    refused(scene.member(0, "steward").post("/v1/recipes", recipe.envelope), 403, "ROLE")
    refused(scene.member(1, "analyst").post("/v1/recipes", recipe.envelope), 403, "INSTITUTION_UNKNOWN")
    future = factories.make_recipe(scene.parties[0], ["a"], at=scene.at + 3 * DAY)
    refused(scene.member(0, "analyst").post("/v1/recipes", future.envelope), 403, "NOT_YET_VALID")
    answer = scene.member(0, "analyst").post("/v1/recipes", recipe.envelope)
    assert answer.status_code == 201
    assert must(scene.member(0, "analyst").post("/v1/recipes", recipe.envelope)).content == answer.content
    wire = recipe.envelope.model_dump(mode="json")
    assert must(scene.member(1, "steward").get(f"/v1/recipes/{recipe.name}")).json() == wire
    assert wire in must(scene.member(1, "steward").get("/v1/recipes")).json()
    refused(scene.member(1, "steward").get(f"/v1/recipes/{'0' * 64}"), 404, "RECIPE_UNKNOWN")


def test_a_contract_is_checked_before_it_is_stored(broker, proposed):
    analyst, at = proposed.member(0, "analyst"), proposed.at
    make = lambda **changes: factories.make_contract(  # noqa: E731
        proposed.parties[0], proposed.recipe, proposed.datasets, proposed.parties, at=at, changes=changes
    )
    for changes, status, code in (
        ({"recipe": "0" * 64}, 404, "RECIPE_UNKNOWN"),
        ({"max_runs": 2}, 403, "TERMS_RUNS"),
        ({"profile": "genomics"}, 403, "TERMS_PROFILE"),
        ({"preset": "uk-biobank"}, 403, "TERMS_PRESET"),
        ({"expires": format_time(at - DAY)}, 403, "EXPIRED"),
        ({"created": format_time(at + DAY)}, 403, "NOT_YET_VALID"),
        ({"proposer": proposed.parties[1].key}, 403, "SIGNER"),
    ):
        refused(analyst.post("/v1/contracts", make(**changes).envelope), status, code)
    refused(proposed.member(0, "steward").post("/v1/contracts", make().envelope), 403, "ROLE")
    refused(proposed.member(1, "analyst").post("/v1/contracts", make().envelope), 403, "SIGNER")
    stranger = factories.make_institution("stranger", at=at)
    foreign = factories.make_contract(
        proposed.parties[0], proposed.recipe, proposed.datasets, [*proposed.parties, stranger], at=at
    )
    refused(analyst.post("/v1/contracts", foreign.envelope), 404, "INSTITUTION_UNKNOWN")
    other = proposed.make_dataset(1)
    swapped = factories.make_contract(
        proposed.parties[0], proposed.recipe, [proposed.datasets[0], other], proposed.parties, at=at
    )
    refused(analyst.post("/v1/contracts", swapped.envelope), 404, "DATASET_UNKNOWN")
    assert must(analyst.post("/v1/contracts", proposed.contract.envelope)).json()["state"] == "proposed"
    refused(analyst.get(f"/v1/contracts/{'0' * 64}"), 404, "CONTRACT_UNKNOWN")


def test_approvals_are_counted_by_signature(proposed):
    assert contract(proposed)["state"] == "proposed"
    post = lambda party, envelope: proposed.member(party, "approver").post("/v1/approvals", envelope)  # noqa: E731
    assert must(post(0, approval(proposed, 0))).json()["state"] == "proposed"
    analyst_key = proposed.parties[1].people["analyst"].contract
    refused(post(1, approval(proposed, 1, key=analyst_key)), 422, "SIGNATURE")
    refused(post(1, approval(proposed, 1, changes={"member": "steward"})), 403, "ROLE")
    refused(post(1, approval(proposed, 1, changes={"member": "nobody"})), 403, "MEMBER_UNKNOWN")
    refused(post(1, approval(proposed, 1, changes={"contract": "0" * 64})), 404, "CONTRACT_UNKNOWN")
    refused(post(1, approval(proposed, 0)), 403, "SIGNER")
    late = factories.approve(proposed.contract, proposed.parties[1], at=proposed.at + DAY).envelope
    refused(post(1, late), 403, "NOT_YET_VALID")
    refused(proposed.member(1, "steward").post("/v1/approvals", approval(proposed, 1)), 403, "ROLE")
    revocation = factories.revoke(proposed.contract, proposed.parties[1], at=proposed.at).envelope
    refused(post(1, revocation), 422, "PAYLOAD_TYPE")
    assert contract(proposed)["state"] == "proposed"
    good = approval(proposed, 1)
    assert must(post(1, good)).json()["state"] == "approved"
    assert must(post(1, good)).json()["state"] == "approved"
    second = factories.approve(proposed.contract, proposed.parties[1], at=proposed.at - timedelta(minutes=9)).envelope
    refused(post(1, second), 409, "VOTED")
    assert len(contract(proposed)["approvals"]) == 2


def test_a_stranger_to_the_contract_cannot_vote(broker, proposed):
    outsider = Scene(broker, owners=1)
    vote = factories.approve(proposed.contract, outsider.parties[0], at=proposed.at)
    refused(outsider.member(0, "approver").post("/v1/approvals", vote.envelope), 403, "STRANGER")
    vote = factories.revoke(proposed.contract, outsider.parties[0], at=proposed.at)
    refused(outsider.member(0, "approver").post("/v1/revocations", vote.envelope), 403, "STRANGER")


def test_an_approval_is_no_revocation(proposed):
    refused(proposed.member(0, "approver").post("/v1/revocations", approval(proposed, 0)), 422, "PAYLOAD_TYPE")
    assert contract(proposed)["state"] == "proposed"


def test_a_quorum_of_two_takes_two(broker):
    scene = Scene(broker, owners=1, policy={"quorum": 2})
    scene.upload()
    scene.propose()
    scene.approve()
    assert contract(scene)["state"] == "proposed"
    vote = factories.approve(scene.contract, scene.parties[0], "approver-2", at=scene.at)
    assert must(scene.member(0, "approver-2").post("/v1/approvals", vote.envelope)).json()["state"] == "approved"


def test_an_approver_who_left_counts_no_more(broker, ready):
    party = ready.parties[1]
    kept = tuple(member for member in party.institution.document.members if member.id != "approver")
    ready.parties[1] = party.reissue(serial=2, members=kept)
    must(ready.join(ready.parties[1]))
    found = contract(ready)
    assert found["state"] == "proposed" and len(found["approvals"]) == 2
    refused(ready.member(0, "analyst").post("/v1/runs", {"contract": ready.contract.name}), 403, "NOT_APPROVED")
    study = must(ready.member(0, "analyst").get(f"/v1/contracts/{ready.contract.name}/study")).json()
    assert len(study["approvals"]) == 1


def test_a_contract_whose_signer_left_is_void_until_the_signer_returns(ready):
    party = ready.parties[0]
    kept = tuple(member for member in party.institution.document.members if member.id != "analyst")
    must(ready.join(party.reissue(serial=2, members=kept)))
    assert contract(ready)["state"] == "void"
    starter = ready.member(1, "analyst").post("/v1/runs", {"contract": ready.contract.name})
    refused(starter, 403, "MEMBER_UNKNOWN")
    vote = factories.approve(ready.contract, ready.parties[1], "approver-2", at=ready.at)
    refused(ready.member(1, "approver-2").post("/v1/approvals", vote.envelope), 403, "MEMBER_UNKNOWN")
    must(ready.join(party.reissue(serial=3)))
    assert contract(ready)["state"] == "approved"


def test_a_contract_expires(broker, ready):
    broker.clock.offset = timedelta(days=201)
    try:
        for caller in list(ready._callers.values()):
            caller._token = ""
        assert contract(ready)["state"] == "expired"
        refused(ready.member(0, "analyst").post("/v1/runs", {"contract": ready.contract.name}), 403, "EXPIRED")
        vote = factories.approve(ready.contract, ready.parties[1], "approver-2", at=ready.at)
        refused(ready.member(1, "approver-2").post("/v1/approvals", vote.envelope), 403, "EXPIRED")
        revocation = factories.revoke(ready.contract, ready.parties[1], at=ready.at).envelope
        assert must(ready.member(1, "approver").post("/v1/revocations", revocation)).json()["state"] == "revoked"
    finally:
        broker.clock.offset = timedelta(0)


def test_a_clock_set_back_voids_instead_of_approving(broker, ready):
    inner: Broker = broker.inner
    with inner.database.reading() as connection:
        study = load_study(connection, ready.contract.name)
    state, reason = judge(study, ready.at - 3 * DAY)
    assert state == "void" and reason is not None and reason.code == "NOT_YET_VALID"


def test_revocations_are_final_and_may_come_twice(broker, ready):
    approver = ready.member(1, "approver")
    vote = factories.revoke(ready.contract, ready.parties[1], at=ready.at)
    refused(ready.member(1, "analyst").post("/v1/revocations", vote.envelope), 403, "ROLE")
    must(approver.post("/v1/revocations", vote.envelope))
    must(approver.post("/v1/revocations", vote.envelope))
    again = factories.revoke(ready.contract, ready.parties[1], at=ready.at, changes={"reason": "Once more"})
    must(approver.post("/v1/revocations", again.envelope))
    must(
        ready.member(0, "approver").post(
            "/v1/revocations", factories.revoke(ready.contract, ready.parties[0], at=ready.at).envelope
        )
    )
    found = contract(ready)
    assert found["state"] == "revoked" and len(found["revocations"]) == 2
    refused(ready.member(1, "approver").post("/v1/approvals", approval(ready, 1)), 403, "REVOKED")


def test_a_revocation_is_with_the_custodian_when_it_is_acknowledged(broker, ready):
    import sqlite3

    vote = factories.revoke(ready.contract, ready.parties[1], at=ready.at)
    must(ready.member(1, "approver").post("/v1/revocations", vote.envelope))
    with sqlite3.connect(broker.data / "custodian" / "custodian.sqlite3") as database:
        held = database.execute(
            "SELECT contract FROM revocations WHERE contract = ?", (ready.contract.name,)
        ).fetchall()
    database.close()
    assert held == [(ready.contract.name,)]


def test_a_custodian_that_refuses_a_revocation_leaves_nothing_acknowledged(broker, ready):
    """An institution that the custodian knows in a newer version than the broker's: INSTITUTION_OLD."""
    import sqlite3

    with sqlite3.connect(broker.data / "custodian" / "custodian.sqlite3") as database:
        changed = database.execute(
            "UPDATE institutions SET serial = 9 WHERE root = ?", (ready.parties[1].key,)
        ).rowcount
    database.close()
    assert changed == 1
    vote = factories.revoke(ready.contract, ready.parties[1], at=ready.at)
    refused(ready.member(1, "approver").post("/v1/revocations", vote.envelope), 403, "INSTITUTION_OLD")
    assert contract(ready)["revocations"] == []


def test_lists_hold_what_one_answers(ready):
    listed = must(ready.member(1, "steward").get("/v1/contracts")).json()
    assert contract(ready) in listed


def without(party, serial, left):
    """The party's next document, without one of its people."""
    return party.reissue(
        serial=serial, members=tuple(member for member in party.institution.document.members if member.id != left)
    )


def test_a_proposer_whose_analyst_left_cannot_keep_others_from_revoking(broker, ready):
    proposer = ready.parties[0]
    ready.parties[0] = without(proposer, 2, "analyst")
    must(ready.join(ready.parties[0]))
    assert contract(ready)["state"] == "void"
    vote = factories.revoke(ready.contract, ready.parties[1], at=ready.at)
    answer = must(ready.member(1, "approver").post("/v1/revocations", vote.envelope)).json()
    assert answer["state"] == "revoked" and len(answer["revocations"]) == 1
    ready.parties[0] = proposer.reissue(serial=3)
    must(ready.join(ready.parties[0]))
    assert contract(ready)["state"] == "revoked"
    refused(ready.member(0, "analyst").post("/v1/runs", {"contract": ready.contract.name}), 403, "REVOKED")


def test_a_fork_that_the_custodian_was_shown_does_not_stop_a_revocation(broker, ready):
    proposer = ready.parties[0]
    shown = proposer.reissue(serial=2, name="Shown to the custodian")
    deposit = factories.make_deposit(shown, factories.make_dataset(shown, ready.custodian, at=ready.at))
    must(ready.member(0, "steward").put(f"/v1/custodian/capsules/{deposit.manifest.name}", deposit))
    ready.parties[0] = proposer.reissue(serial=2, name="Shown to the broker")
    must(ready.join(ready.parties[0]))
    vote = factories.revoke(ready.contract, ready.parties[1], at=ready.at)
    assert must(ready.member(1, "approver").post("/v1/revocations", vote.envelope)).json()["state"] == "revoked"


@pytest.mark.parametrize("noun", ["recipes", "contracts", "datasets"])
def test_lists_come_page_by_page(broker, proposed, noun):
    Scene(broker).ready()  # two datasets more, a recipe, a contract
    member = proposed.member(1, "steward")
    whole = must(member.get(f"/v1/{noun}?limit=100")).json()
    name = lambda item: item.get("name") or envelope_name(item)  # noqa: E731
    names = [name(item) for item in whole]
    assert len(names) >= 2 and names == sorted(names)
    found, after = [], ""
    while page := must(member.get(f"/v1/{noun}?limit=1{after}")).json():
        found += page
        after = f"&after={name(page[-1])}"
        assert len(page) == 1
    assert found == whole
    refused(member.get(f"/v1/{noun}?limit=101"), 400, "REQUEST")
    refused(member.get(f"/v1/{noun}?after=x"), 400, "REQUEST")


def envelope_name(item):
    return Envelope.model_validate_json(json.dumps(item)).name


def test_a_page_ends_where_it_is_long_enough(broker, proposed, monkeypatch):
    monkeypatch.setattr("broker.api.pages.PAGE_BYTES", 10)
    member = proposed.member(1, "steward")
    for noun in ("recipes", "contracts", "datasets"):
        assert len(must(member.get(f"/v1/{noun}")).json()) == 1


def test_an_institution_keeps_so_many_documents_and_no_more(tmp_path):
    with LiveBroker(tmp_path, limits=Limits(recipes=1, contracts=1, datasets=1)) as broker:
        scene = Scene(broker)
        scene.upload()
        scene.propose()
        analyst = scene.member(0, "analyst")
        must(analyst.post("/v1/recipes", scene.recipe.envelope))  # the same again is no second one
        must(analyst.post("/v1/contracts", scene.contract.envelope))
        must(scene.open_upload(0, scene.datasets[0]))
        recipe = factories.make_recipe(scene.parties[0], ["a"], at=scene.at)
        refused(analyst.post("/v1/recipes", recipe.envelope), 403, "QUOTA")
        other = factories.make_contract(scene.parties[0], scene.recipe, scene.datasets, scene.parties, at=scene.at)
        refused(analyst.post("/v1/contracts", other.envelope), 403, "QUOTA")
        refused(scene.open_upload(0, scene.make_dataset(0)), 403, "QUOTA")
        mine = factories.make_recipe(scene.parties[1], ["a"], at=scene.at)
        must(scene.member(1, "analyst").post("/v1/recipes", mine.envelope))  # the others' quota is their own


def test_nothing_is_verified_while_the_write_lock_is_held(broker, proposed, monkeypatch):
    """Each study is judged outside of a write transaction: one big contract delays nobody else's writes."""
    held = []
    whole = broker.inner.database.writing

    @contextmanager
    def writing():
        with whole() as connection:
            held.append(True)
            try:
                yield connection
            finally:
                held.pop()

    verified = []

    def watched(pack):
        verified.append(bool(held))
        return verify_proposal(pack)

    monkeypatch.setattr(broker.inner.database, "writing", writing)
    for module in ("broker.api.studies", "broker.contracts"):
        monkeypatch.setattr(f"{module}.verify_proposal", watched)
    must(proposed.member(0, "analyst").post("/v1/contracts", proposed.contract.envelope))
    proposed.approve()
    must(proposed.member(0, "analyst").post("/v1/runs", {"contract": proposed.contract.name}))
    vote = factories.revoke(proposed.contract, proposed.parties[1], at=proposed.at)
    must(proposed.member(1, "approver").post("/v1/revocations", vote.envelope))
    assert len(verified) >= 6 and not any(verified)


def test_an_institution_that_changes_while_a_contract_is_verified_has_it_sent_again(broker, proposed, monkeypatch):
    def changing(pack):
        found = verify_proposal(pack)
        proposed.parties[1] = without(
            proposed.parties[1], proposed.parties[1].institution.document.serial + 1, "analyst"
        )
        must(proposed.join(proposed.parties[1]))
        return found

    monkeypatch.setattr("broker.api.studies.verify_proposal", changing)
    contract = factories.make_contract(
        proposed.parties[0], proposed.recipe, proposed.datasets, proposed.parties, at=proposed.at
    )
    refused(proposed.member(0, "analyst").post("/v1/contracts", contract.envelope), 409, "CHANGED")
    refused(proposed.member(0, "analyst").get(f"/v1/contracts/{contract.name}"), 404, "CONTRACT_UNKNOWN")
