from datetime import timedelta

import factories
import pytest
from factories import changed

from protocol.errors import AccessDenied, DocumentError, StorageError
from protocol.hpke import capsule_info, seal
from protocol.types import decode_base64, encode_base64


@pytest.fixture
def empty(make_scene):
    return make_scene(owners=1, deposit=False)


def test_deposit_stores_the_capsule_under_the_manifest(empty):
    deposit = empty.study.deposit(0)
    assert empty.custodian.deposit(deposit) == empty.study.datasets[0].manifest.name
    rows = empty.query("SELECT manifest, owner, capsule FROM capsules")
    assert rows == [(empty.study.datasets[0].manifest.name, empty.study.parties[0].key, decode_base64(deposit.capsule))]


def test_the_same_deposit_again_changes_nothing(empty):
    deposit = empty.study.deposit(0)
    empty.custodian.deposit(deposit)
    before = empty.records()
    empty.clock.now += timedelta(hours=1)
    assert empty.custodian.deposit(deposit) == empty.study.datasets[0].manifest.name
    assert empty.records() == before


def test_another_capsule_for_the_same_manifest_is_refused(empty):
    empty.custodian.deposit(empty.study.deposit(0))
    with empty.refuses("CAPSULE_DIFFERS", StorageError):
        empty.custodian.deposit(empty.study.deposit(0))  # sealed anew, so other bytes


def test_a_capsule_with_another_key_is_refused(empty):
    dataset = empty.study.datasets[0]
    other = encode_base64(factories.seal_capsule(dataset.manifest, b"another data key, 32 bytes long."))
    with empty.refuses("KEY_COMMITMENT", DocumentError):
        empty.custodian.deposit(changed(empty.study.deposit(0), {"capsule": other}))


@pytest.mark.parametrize("part", ["manifest", "owner", "custodian"])
def test_a_capsule_that_was_made_for_another_place_is_refused(empty, part):
    dataset = empty.study.datasets[0]
    names = {"manifest": dataset.manifest.name, "owner": empty.study.parties[0].key, "custodian": empty.key}
    info = capsule_info(*(names | {part: "ab" * 32}).values())
    public = decode_base64(empty.custodian.keys().encryption)
    capsule = encode_base64(seal(dataset.data_key, public, info=info))
    with empty.refuses("CAPSULE", DocumentError):
        empty.custodian.deposit(changed(empty.study.deposit(0), {"capsule": capsule}))


def test_an_altered_capsule_is_refused(empty):
    capsule = bytearray(empty.study.datasets[0].capsule)
    capsule[-1] ^= 1
    with empty.refuses("CAPSULE", DocumentError):
        empty.custodian.deposit(changed(empty.study.deposit(0), {"capsule": encode_base64(bytes(capsule))}))


def test_a_manifest_that_names_another_custodian_is_refused(empty):
    other = factories.CustodianPair().keys
    for keys in (other, changed(other, {"signing": empty.key})):
        dataset = factories.make_dataset(empty.study.parties[0], keys)
        with empty.refuses("OTHER_CUSTODIAN", AccessDenied):
            empty.custodian.deposit(factories.make_deposit(empty.study.parties[0], dataset))


def test_a_manifest_that_no_steward_signed_is_refused(empty):
    party = empty.study.parties[0]
    dataset = factories.make_dataset(party, empty.custodian.keys(), key=party.people["analyst"].contract)
    with empty.refuses("SIGNATURE", DocumentError):
        empty.custodian.deposit(factories.make_deposit(party, dataset))


def test_an_approver_is_no_steward(empty):
    party = empty.study.parties[0]
    dataset = factories.make_dataset(party, empty.custodian.keys(), changes={"steward": "approver"})
    with empty.refuses("ROLE", AccessDenied):
        empty.custodian.deposit(factories.make_deposit(party, dataset))


def test_an_institution_that_did_not_sign_the_manifest_is_refused(empty):
    stranger = factories.make_institution("stranger")
    deposit = changed(empty.study.deposit(0), {"institution": stranger.institution.envelope})
    with empty.refuses("INSTITUTION_UNKNOWN", AccessDenied):
        empty.custodian.deposit(deposit)


@pytest.mark.parametrize(("days", "code"), [(-2, "NOT_YET_VALID"), (300, "EXPIRED"), (365, "EXPIRED")])
def test_documents_are_judged_at_the_clock(empty, days, code):
    empty.clock.now += timedelta(days=days)
    with empty.refuses(code, AccessDenied):
        empty.custodian.deposit(empty.study.deposit(0))


def test_an_institution_may_not_go_back(empty):
    party = empty.study.parties[0]
    newer = party.reissue(serial=2)
    empty.custodian.deposit(factories.make_deposit(newer, empty.study.datasets[0]))
    other = factories.make_dataset(party, empty.custodian.keys())
    with empty.refuses("INSTITUTION_OLD", AccessDenied):
        empty.custodian.deposit(factories.make_deposit(party, other))
    with empty.refuses("INSTITUTION_FORKED", AccessDenied):
        empty.custodian.deposit(factories.make_deposit(party.reissue(serial=2, name="Another name"), other))
    empty.custodian.deposit(factories.make_deposit(newer, other))
    assert len(empty.query("SELECT * FROM capsules")) == 2
