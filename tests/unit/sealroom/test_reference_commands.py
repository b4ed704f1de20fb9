"""Endorsements and withdrawal lists at a partner's desk, and with them among the pins, a bundle judged again."""

import json
from datetime import UTC, datetime, timedelta

import factories
import factories_bundle
import pytest
from broker_scene import POLICY, ProcessBroker
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from partner_desk import Desk

from protocol.documents import MeasurementEndorsement, WithdrawalList
from protocol.dsse import Envelope, Unverified, public_key
from protocol.errors import DocumentError, SealroomError
from sealroom.trust import Trust, load_trust, save_trust
from sealroom.verification.bundle import verify_bundle

MEASUREMENT, FILES = "ab" * 32, "77" * 32
PUBLISHER, ENDORSER, OTHER = (Ed25519PrivateKey.generate() for _ in range(3))


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    made = Desk(tmp_path_factory.mktemp("desk"))
    made.join()
    return made


def policy_text(publishers=(), endorsers=(), wanted=0):
    """The simulated policy with these keys in it."""
    text = POLICY.read_text("utf-8")
    shown = ", ".join(f'{{ institution = "{name}", key = "{key}" }}' for name, key in endorsers)
    for line in ("withdrawal_publishers = []", "endorsers = []", "endorsements_wanted = 0"):
        assert text.count(line) == 1
    text = text.replace("withdrawal_publishers = []", f"withdrawal_publishers = {json.dumps(list(publishers))}")
    text = text.replace("endorsers = []", f"endorsers = [{shown}]")
    return text.replace("endorsements_wanted = 0", f"endorsements_wanted = {wanted}")


def test_an_institution_endorses_what_it_rebuilt(desk):
    out = desk.folder / "endorsement.json"
    words = ("endorsement", "sign", "--profile", "clinical", "--measurement", MEASUREMENT, "--files", FILES)
    key = desk.run("endorsement", "key", "--json").json
    assert desk.run("endorsement", "key", "--json").json == key
    assert f'institution = "hospital-a", key = "{key["key"]}"' in desk.run("endorsement", "key").out
    said = desk.run(*words, "--out", out, "--json").json
    found = Unverified.parse(Envelope.from_bytes(out.read_bytes()), MeasurementEndorsement).verify(key["key"])
    document = found.document
    assert (document.institution, document.profile, document.measurement) == ("hospital-a", "clinical", MEASUREMENT)
    assert (said["name"], said["signer"], said["files"]) == (found.name, key["key"], FILES)
    shown = desk.run("endorsement", "show", out).out
    assert all(word in shown for word in ("hospital-a", MEASUREMENT, FILES, key["key"]))
    assert desk.run(*words, "--out", out, "--json", code=9).json["code"] == "FILE_EXISTS"
    bad = desk.run(*words[:-1], "77", "--out", desk.folder / "bad.json", "--json", code=4)
    assert bad.json["code"] == "DOCUMENT" and "files" in bad.json["detail"]
    out.unlink()


def test_nothing_is_signed_before_the_key_is_made(tmp_path):
    desk = Desk(tmp_path)
    desk.join()
    out = ("--out", tmp_path / "no.json", "--json")
    endorse = ("endorsement", "sign", "--profile", "clinical", "--measurement", MEASUREMENT, "--files", FILES)
    for words in (endorse, ("withdrawal", "sign", "--days", "3")):
        answer = desk.run(*words, *out, code=9).json
        assert answer["code"] == "KEY_MISSING"
        assert f"sealroom {words[0]} key" in answer["detail"]
    assert not (tmp_path / "no.json").exists()


def test_a_publisher_counts_its_lists_and_keeps_what_it_withdrew(desk):
    key = desk.run("withdrawal", "key", "--json").json["key"]
    assert key in desk.run("withdrawal", "key").out
    first, second = desk.folder / "list-1.json", desk.folder / "list-2.json"
    desk.run("withdrawal", "sign", "--days", "30", "--out", first)
    assert "withdraws nothing" in desk.run("withdrawal", "show", first).out
    added = [f"measurement={MEASUREMENT}", f"ppid={'0a' * 16}", f"fmspc={'0b' * 6}", "advisory=INTEL-SA-00828"]
    options = [part for text in added for part in ("--add", text)]
    sign = ("withdrawal", "sign", "--days", "7", "--reason", "Leaks", "--json")
    said = desk.run(*sign, *options, "--from", first, "--out", second).json
    document = Unverified.parse(Envelope.from_bytes(second.read_bytes()), WithdrawalList).verify(key).document
    assert (document.number, len(document.withdrawn), said["number"]) == (2, 4, 2)
    shown = desk.run("withdrawal", "show", second).out
    assert all(text.split("=")[1] in shown for text in added) and shown.count("Leaks") == 4
    third = desk.folder / "list-3.json"
    said = desk.run(*sign, "--add", "advisory=INTEL-SA-00615", "--from", second, "--out", third).json
    assert (said["number"], len(said["withdrawn"])) == (3, 5)
    refused = desk.run(*sign, *options, "--from", third, "--out", desk.folder / "no.json", code=4).json
    assert refused["code"] == "DOCUMENT" and f"{MEASUREMENT} is withdrawn twice" in refused["detail"]
    for path in (first, second, third):
        path.unlink()


def test_lists_that_cannot_be_signed(desk):
    desk.run("withdrawal", "key")
    sign = ("withdrawal", "sign", "--days", "30", "--out", desk.folder / "no.json", "--json")
    for more in (("--add", "fmspc=0b0b0b0b0b0b"), ("--reason", "Leaks"), ("--add", "mac=1", "--reason", "Leaks")):
        assert desk.run(*sign, *more, code=2).json["code"] == "USAGE"
    assert desk.run(*sign, "--add", "fmspc=xyz", "--reason", "Leaks", code=4).json["code"] == "DOCUMENT"
    foreign = desk.folder / "foreign.json"
    foreign.write_bytes(factories.withdraw(OTHER).envelope.to_bytes())
    assert desk.run(*sign, "--from", foreign, code=4).json["code"] == "PUBLISHER"
    assert not (desk.folder / "no.json").exists()


def test_a_list_is_good_for_ten_years_at_most(desk):
    desk.run("withdrawal", "key")
    words = ("withdrawal", "sign", "--out", desk.folder / "no.json", "--days")
    assert "3650" in desk.run(*words, "3000000000", code=2).err


def test_a_document_that_its_own_key_did_not_sign_is_not_shown(desk):
    forged = desk.folder / "forged.json"
    forged.write_bytes(factories.withdraw(PUBLISHER, key=OTHER).envelope.to_bytes())
    assert desk.run("withdrawal", "show", forged, "--json", code=4).json["code"] == "SIGNATURE"


def test_both_are_sent_to_the_custodian_of_the_broker(desk, tmp_path):
    key = desk.run("endorsement", "key", "--json").json["key"]
    publisher = desk.run("withdrawal", "key", "--json").json["key"]
    policy = tmp_path / "policy.toml"
    policy.write_text(policy_text([publisher], [("hospital-a", key)], 1))
    endorsement, first, second = (tmp_path / name for name in ("endorsement.json", "1.json", "2.json"))
    signed = ("--profile", "clinical", "--measurement", MEASUREMENT, "--files", FILES, "--out", endorsement)
    desk.run("endorsement", "sign", *signed)
    desk.run("withdrawal", "sign", "--days", "30", "--out", first)
    desk.run("withdrawal", "sign", "--days", "30", "--from", first, "--out", second)
    with ProcessBroker(tmp_path, "--appraisal-policy", str(policy)) as broker:
        invite = tmp_path / "invite"
        invite.write_text(broker.invite)
        desk.run("trust", "set-policy", policy, "--yes")
        desk.run("institution", "join", "--broker", broker.url, "--invite-file", invite)
        assert "custodian holds it" in desk.run("endorsement", "send", endorsement).err
        assert desk.run("withdrawal", "send", second, "--json").json["number"] == 2
        assert desk.run("withdrawal", "send", first, "--json", code=5).json["code"] == "WITHDRAWALS_OLD"
        foreign = tmp_path / "foreign.json"
        foreign.write_bytes(factories.withdraw(OTHER).envelope.to_bytes())
        assert desk.run("withdrawal", "send", foreign, "--json", code=5).json["code"] == "PUBLISHER"


def write(folder, made, name):
    path = folder / name
    path.write_bytes(made.envelope.to_bytes())
    return path


def test_pins_take_in_endorsements_and_newer_lists_of_whom_the_policy_names(tmp_path):
    desk = Desk(tmp_path)
    endorsement = write(tmp_path, factories.endorse(ENDORSER), "endorsement.json")
    lists = [write(tmp_path, factories.withdraw(PUBLISHER, number), f"{number}.json") for number in (1, 2)]
    desk.home.mkdir()
    save_trust(Trust(), desk.home / "trust.toml")
    assert desk.run("trust", "add-endorsement", endorsement, "--json", code=4).json["code"] == "TRUST"
    policy = desk.write("policy.toml", policy_text([public_key(PUBLISHER)], [("north", public_key(ENDORSER))], 1))
    desk.run("trust", "set-policy", policy, "--yes")
    for _ in range(2):
        desk.run("trust", "add-endorsement", endorsement)
        shown = desk.run("trust", "update-withdrawals", lists[1])
        assert "List 2" in shown.err and "withdrawal list" in shown.out
    assert desk.run("trust", "update-withdrawals", lists[0], "--json", code=5).json["code"] == "WITHDRAWALS_OLD"
    forked = write(tmp_path, factories.withdraw(PUBLISHER, 2, fmspc="0b" * 6), "forked.json")
    assert desk.run("trust", "update-withdrawals", forked, "--json", code=5).json["code"] == "WITHDRAWALS_FORKED"
    future = factories.withdraw(PUBLISHER, 3, at=datetime.now(UTC) + timedelta(days=1))
    early = write(tmp_path, future, "early.json")
    assert desk.run("trust", "update-withdrawals", early, "--json", code=6).json["code"] == "NOT_YET_VALID"
    for stranger, command, code in (
        (factories.withdraw(OTHER), "update-withdrawals", "PUBLISHER"),
        (factories.endorse(OTHER, "east"), "add-endorsement", "ENDORSER"),
    ):
        path = write(tmp_path, stranger, f"{code}.json")
        assert desk.run("trust", command, path, "--json", code=5).json["code"] == code
    trust = load_trust(desk.home / "trust.toml")
    values = trust.reference_values(trust.policy())
    assert [found.document.institution for found in values.endorsements] == ["north"]
    assert values.withdrawals[public_key(PUBLISHER)].document.number == 2
    name = trust.endorsements[0].name
    desk.run("trust", "remove", name)
    assert load_trust(desk.home / "trust.toml").endorsements == ()


def test_what_the_policy_does_not_name_does_not_count_and_what_is_damaged_is_told():
    endorsement, told = factories.endorse(ENDORSER).envelope, factories.withdraw(PUBLISHER).envelope
    other = Trust(endorsements=(endorsement,), withdrawals=(told,), appraisal_policy=policy_text())
    values = other.reference_values(other.policy())
    assert (values.endorsements, values.withdrawals) == ((), {})
    renamed = other.model_copy(
        update={"appraisal_policy": policy_text([public_key(PUBLISHER)], [("south", public_key(ENDORSER))], 1)}
    )
    assert renamed.reference_values(renamed.policy()).endorsements == ()
    forged = told.model_copy(update={"payload": factories.withdraw(PUBLISHER, 9).envelope.payload})
    damaged = renamed.model_copy(update={"withdrawals": (forged,)})
    with pytest.raises(DocumentError) as caught:
        damaged.reference_values(damaged.policy())
    assert caught.value.code == "SIGNATURE"


@pytest.mark.parametrize("field", ["endorsements", "withdrawals"])
def test_nothing_signed_is_pinned_twice(field):
    made = {"endorsements": factories.endorse(ENDORSER), "withdrawals": factories.withdraw(PUBLISHER)}[field].envelope
    with pytest.raises(ValueError, match="twice"):
        Trust(**{field: (made, made)})


def test_pins_that_grow_too_large_are_not_written(tmp_path, monkeypatch):
    path = tmp_path / "trust.toml"
    save_trust(Trust(), path)
    monkeypatch.setattr("sealroom.trust.MAX_TRUST", 100)
    with pytest.raises(DocumentError, match="Remove endorsements"):
        save_trust(Trust(endorsements=(factories.endorse(ENDORSER).envelope,)), path)
    monkeypatch.undo()
    assert load_trust(path) == Trust()


@pytest.fixture(scope="module")
def made():
    return factories_bundle.make_bundle()


def judged(made, *lists, publishers=(PUBLISHER,), **policy):
    text = policy_text([public_key(key) for key in publishers], **policy)
    pins = made.trust.model_copy(
        update={"appraisal_policy": text, "withdrawals": tuple(found.envelope for found in lists)}
    )
    return verify_bundle(made.data, pins, now=made.now)


def refusal(made, *lists, **given):
    with pytest.raises(SealroomError) as caught:
        judged(made, *lists, **given)
    return caught.value.code, str(caught.value)


def test_a_bundle_is_judged_with_the_lists_at_hand(made):
    measurement = made.study.contract.document.measurement
    assert judged(made, factories.withdraw(PUBLISHER, fmspc="0b" * 6)).run
    assert refusal(made)[0] == "WITHDRAWALS_MISSING"
    old = factories.withdraw(PUBLISHER, at=factories.NOW - 60 * factories.DAY)
    assert refusal(made, old)[0] == "WITHDRAWALS_EXPIRED"
    code, words = refusal(
        made, factories.withdraw(PUBLISHER, 3, at=made.now - timedelta(days=1), measurement=measurement)
    )
    assert code == "WITHDRAWN" and "list 3" in words and "earlier" not in words


def test_a_list_younger_than_the_run_refuses_it_and_says_so(made):
    measurement = made.study.contract.document.measurement
    later = factories.withdraw(PUBLISHER, 4, at=made.now + timedelta(days=9), measurement=measurement)
    harmless = factories.withdraw(OTHER, 8, at=made.now + timedelta(days=8))
    code, words = refusal(made, harmless, later, publishers=(OTHER, PUBLISHER))
    assert code == "WITHDRAWN"
    assert f"List 4 is of {later.document.issued}; keys were released to this run earlier" in words
    assert "List 8" not in words


def test_endorsements_among_the_pins_count(made):
    wanted = {"publishers": (), "endorsers": [("north", public_key(ENDORSER))], "wanted": 1}
    assert refusal(made, **wanted)[0] == "MEASUREMENT_ENDORSED"
    measurement = made.study.contract.document.measurement
    endorsement = factories.endorse(ENDORSER, changes={"measurement": measurement}).envelope
    pins = made.trust.model_copy(
        update={"appraisal_policy": policy_text((), wanted["endorsers"], 1), "endorsements": (endorsement,)}
    )
    assert verify_bundle(made.data, pins, now=made.now).run
