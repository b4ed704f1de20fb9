"""A broker and a host that lie about documents: each lie is refused by name before a custodian is asked for anything."""

import hashlib
from dataclasses import replace

import custody
import factories
import hostile_host
import lung
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from factories import changed, envelopes, resign
from hostile_host import reapprove, to_bytes, trust_of

from protocol.documents import Recipient
from protocol.dsse import public_key
from sealroom.verification import VerificationFailed, verify_bundle


def says(host, **changes):
    """Serve the study with some of its documents replaced."""
    pack = host.study.repack(**changes)
    host.lies["study"] = lambda asked, honest: to_bytes(pack)


def serve(host, study):
    host.lies["study"] = lambda asked, honest: to_bytes(study.pack)


def assign(host, contract):
    """Assign whatever contract, as a broker may."""
    made = changed(_assignment(host), {"contract": contract})
    host.lies["assignment"] = lambda asked, honest: to_bytes(made)


def _assignment(host):
    contract = host.study.contract
    return hostile_host.Assignment(run=host.run_id, contract=contract.name, profile="clinical", fence=1)


def test_an_honest_host_gets_a_bundle_that_verifies(host):
    assert host.run() is True
    assert host.failures == []
    assert [seen.step for seen in host.seen] == [
        *hostile_host.STEPS[: hostile_host.STEPS.index("part")],
        "part",
        "part",
        "part",
        "commit",
        "result",
    ]
    trust = trust_of(host)
    assert verify_bundle(host.results[0], trust, now=host.scene.clock.now).simulated
    assert {name: item.value.type for name, item in host.opened().items()} == {
        "cox": "regression",
        "cox-stratified": "regression",
        "kaplan-meier": "survival",
        "log-rank": "test",
        "log-rank-stratified": "test",
        "subjects": "counts",
    }
    assert host.opened(0) == host.opened(1) == host.opened(2)


# Another contract


def test_another_contract_is_assigned_than_served(host):
    assign(host, "00" * 32)
    host.refuses("OTHER_CONTRACT", before="nonce")


def test_another_approved_contract_is_served_than_assigned(host):
    serve(host, reapprove(host.study, title="Another contract of the same partners"))
    host.refuses("OTHER_CONTRACT", before="nonce")


def test_contract_altered_after_it_was_signed(host):
    honest = host.study.contract
    longer = resign(honest.document, Ed25519PrivateKey.generate(), expires="2030-01-01T00:00:00Z")
    forged = changed(honest.envelope, {"payload": longer.envelope.payload})
    says(host, contract=forged)
    host.refuses("SIGNATURE", before="nonce")


def test_contract_for_another_profile(make_host):
    host = make_host(policy={"profiles": ("clinical", "genomics")})
    host.study = reapprove(host.study, profile="genomics")
    host.refuses("PROFILE", before="nonce")


def test_contract_beyond_an_owners_terms(host):
    host.study = reapprove(host.study, max_runs=2)
    host.refuses("TERMS_RUNS", before="nonce")


def test_contract_with_other_labels_than_recipe_and_schemas_give(host):
    outputs = host.study.contract.document.outputs
    labels = (*outputs[0].labels[:-1], "whatever the broker likes")
    host.study = reapprove(host.study, outputs=(changed(outputs[0], {"labels": labels}), *outputs[1:]))
    host.refuses("PLAN_DIFFERS", before="nonce")


def test_contract_with_another_output_type_than_planned(host):
    outputs = host.study.contract.document.outputs
    host.study = reapprove(host.study, outputs=(changed(outputs[0], {"type": "counts"}), *outputs[1:]))
    host.refuses("PLAN_DIFFERS", before="nonce")


@pytest.mark.parametrize(("field", "value"), [("rows", 5_000_001), ("files", None)])
def test_tables_larger_than_the_profile_reads(make_host, field, value):
    large = 2**31 + 1
    sealed = hostile_host.sealed_size(large)
    parts = ("00" * 32,) * -(-sealed // hostile_host.PART_SIZE)
    files = (hostile_host.SealedFile(name="table", plain_size=large, sealed_size=sealed, parts=parts),)
    host = make_host(manifest={field: value or files})
    host.refuses("ROW_LIMIT", before="nonce")


# Datasets and recipes


@pytest.mark.parametrize("signer", ["steward", "attacker"])
def test_dataset_swapped_for_another_version(host, signer):
    manifest = host.study.datasets[1].manifest.document
    key = host.study.parties[1].people["steward"].manifest if signer == "steward" else Ed25519PrivateKey.generate()
    newer = resign(manifest, key, lineage=changed(manifest.lineage, {"version": 2}))
    first, _, third = host.study.pack.manifests
    says(host, manifests=(first, newer.envelope, third))
    host.refuses("DATASET_SWAPPED" if signer == "steward" else "SIGNATURE", before="nonce")


def test_dataset_left_out(host):
    says(host, manifests=host.study.pack.manifests[:2])
    host.refuses("DATASET_SWAPPED", before="nonce")


def test_recipe_swapped_for_another_of_the_same_analyst(host):
    analyst = host.study.parties[0].people["analyst"]
    other = resign(host.study.recipe.document, analyst.contract, title="Another recipe")
    says(host, recipe=other.envelope)
    host.refuses("RECIPE_SWAPPED", before="nonce")


def test_recipe_altered_after_it_was_signed(host):
    other = resign(host.study.recipe.document, Ed25519PrivateKey.generate(), title="Another recipe")
    says(host, recipe=changed(host.study.recipe.envelope, {"payload": other.envelope.payload}))
    host.refuses("SIGNATURE", before="nonce")


def test_recipe_for_an_analysis_that_the_enclave_lacks(make_host):
    host = make_host(policy={"analyses": ("clinical.survival", "clinical.dump")}, recipe={"analysis": "clinical.dump"})
    host.refuses("ANALYSIS_UNKNOWN", before="nonce")


# Recipients


def attackers_recipient(attacker):
    key = attacker.people["analyst"].recipient.public_bytes()
    return Recipient(institution=attacker.key, member="analyst", key=hashlib.sha256(key).hexdigest())


def with_recipient(study, recipient):
    outputs = study.contract.document.outputs
    return tuple(changed(output, {"recipients": (*output.recipients, recipient)}) for output in outputs)


def test_recipients_swapped_by_a_contract_that_nobody_approved(host):
    attacker = factories.make_institution("attacker")
    analyst = host.study.parties[0].people["analyst"].contract
    forged = resign(
        host.study.contract.document, analyst, outputs=with_recipient(host.study, attackers_recipient(attacker))
    )
    institutions = (*host.study.pack.institutions, attacker.institution.envelope)
    assign(host, forged.name)
    says(host, contract=forged.envelope, institutions=institutions)
    host.refuses("OTHER_CONTRACT", before="nonce")
    host.forget()
    says(host, contract=forged.envelope, institutions=institutions, approvals=())
    host.refuses("NOT_APPROVED", before="nonce")


def test_recipients_swapped_in_a_contract_that_an_attackers_institution_signed(host):
    attacker = factories.make_institution("attacker")
    forged = resign(
        host.study.contract.document,
        attacker.people["analyst"].contract,
        proposer=attacker.key,
        outputs=with_recipient(host.study, attackers_recipient(attacker)),
    )
    assign(host, forged.name)
    says(
        host,
        contract=forged.envelope,
        approvals=(),
        institutions=(*host.study.pack.institutions, attacker.institution.envelope),
    )
    host.refuses("RECIPE_SWAPPED", before="nonce")


def test_attackers_recipe_and_contract_over_the_owners_datasets(host):
    attacker = factories.make_institution("attacker")
    analyst = attacker.people["analyst"].contract
    recipe = resign(host.study.recipe.document, analyst, author=attacker.key)
    contract = resign(
        host.study.contract.document,
        analyst,
        proposer=attacker.key,
        recipe=recipe.name,
        outputs=with_recipient(host.study, attackers_recipient(attacker)),
    )
    votes = [factories.approve(contract, attacker)]
    assign(host, contract.name)
    everybody = (*host.study.pack.institutions, attacker.institution.envelope)
    says(host, recipe=recipe.envelope, contract=contract.envelope, approvals=(), institutions=everybody)
    host.refuses("NOT_APPROVED", before="nonce")
    host.forget()
    says(host, recipe=recipe.envelope, contract=contract.envelope, approvals=envelopes(votes), institutions=everybody)
    host.refuses("STRANGER", before="nonce")


def test_recipient_with_an_own_key_of_an_invented_member(host):
    owner = host.study.parties[0]
    invented = factories.Person("mallory")
    members = (*owner.institution.document.members, invented.member("analyst"))
    forged = resign(owner.institution.document, Ed25519PrivateKey.generate(), members=members)
    says(host, institutions=(forged.envelope, *host.study.pack.institutions[1:]))
    host.refuses("SIGNATURE", before="nonce")


def test_institution_made_up_in_an_owners_name(host):
    owner = host.study.parties[0]
    root = Ed25519PrivateKey.generate()
    forged = resign(owner.institution.document, root, root=public_key(root))
    says(host, institutions=(forged.envelope, *host.study.pack.institutions[1:]))
    host.refuses("INSTITUTION_UNKNOWN", before="nonce")


def test_recipient_whose_key_is_another_one_of_the_same_member(host):
    owner = host.study.parties[0]
    people = owner.people | {"analyst": replace(owner.people["analyst"], recipient=factories.Person("x").recipient)}
    members = tuple(person.member(name.removesuffix("-2")) for name, person in people.items())
    says(
        host,
        institutions=(
            owner.reissue(members=members, serial=2).institution.envelope,
            *host.study.pack.institutions[1:],
        ),
    )
    host.refuses("RECIPIENT", before="nonce")


def test_institution_served_twice(host):
    says(host, institutions=(*host.study.pack.institutions, host.study.pack.institutions[0]))
    host.refuses("INSTITUTION_TWICE", before="nonce")


@pytest.mark.parametrize("key", ["AAAA", factories.encode_base64(b"\xff" * 1216)], ids=["short", "invalid"])
def test_recipient_key_that_nothing_can_be_sealed_to_stops_a_run_before_it_is_charged(make_host, key):
    party = factories.make_institution("north")
    analyst = party.institution.document.member("analyst")
    broken = changed(analyst, {"keys": changed(analyst.keys, {"recipient": key})})
    members = tuple(broken if member.id == "analyst" else member for member in party.institution.document.members)
    others = (factories.make_institution("south"), factories.make_institution("east"))
    host = make_host(parties=(party.reissue(members=members), *others))
    outputs = host.study.contract.document.outputs
    digest = hashlib.sha256(factories.decode_base64(key)).hexdigest()
    host.study = reapprove(
        host.study,
        outputs=tuple(
            changed(out, {"recipients": (changed(out.recipients[0], {"key": digest}), *out.recipients[1:])})
            for out in outputs
        ),
    )
    host.refuses("RECIPIENT_KEY", before="nonce")


# Approvals


def revoked_vote(host):
    return factories.revoke(host.study.contract, host.study.parties[2]).envelope


def relabelled_vote(host):
    return changed(revoked_vote(host), {"payloadType": "application/vnd.sealroom.approval.v1+json"})


def strangers_vote(host):
    return factories.approve(host.study.contract, factories.make_institution("stranger")).envelope


def vote_of_another_contract(host):
    return reapprove(host.study, title="Another contract").approvals[2].envelope


def forged_vote(host):
    return factories.approve(host.study.contract, host.study.parties[2], key=Ed25519PrivateKey.generate()).envelope


def stewards_vote(host):
    return factories.approve(host.study.contract, host.study.parties[2], "steward").envelope


def first_vote_again(host):
    return host.study.approvals[0].envelope


@pytest.mark.parametrize(
    ("vote", "code"),
    [
        (revoked_vote, "PAYLOAD_TYPE"),
        (relabelled_vote, "DOCUMENT"),
        (strangers_vote, "STRANGER"),
        (vote_of_another_contract, "OTHER_CONTRACT"),
        (forged_vote, "SIGNATURE"),
        (stewards_vote, "ROLE"),
        (first_vote_again, "APPROVED_TWICE"),
    ],
)
def test_something_else_in_place_of_the_last_approval(host, vote, code):
    says(host, approvals=(*envelopes(host.study.approvals[:2]), vote(host)))
    host.refuses(code, before="nonce")


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_approvals_dropped(host, kept):
    says(host, approvals=envelopes(host.study.approvals[:kept]))
    host.refuses("NOT_APPROVED", before="nonce")


# Worlds of the broker's own


def test_a_self_made_world_gets_no_real_key_and_its_bundle_fails_under_real_pins(make_host):
    real = make_host()
    trust = trust_of(real)
    own = make_host(parties=tuple(factories.make_institution(short) for short in ("north", "south", "east")))
    assert own.run() is True
    for data in own.study.datasets:
        assert data.manifest.name not in {item.manifest.name for item in real.study.datasets}
    with pytest.raises(VerificationFailed) as caught:
        verify_bundle(own.results[0], trust, now=own.scene.clock.now)
    assert caught.value.exit_code == 3
    assert real.scene.records()["releases"] == []


def test_a_real_dataset_in_a_self_made_world(host):
    """The manifest is signed by its owner, so the world has to hold the real owner, who did not approve."""
    attacker = factories.make_institution("attacker")
    real = host.study.datasets[0]
    recipe = factories.make_recipe(attacker, ("a",), changes={"parameters": lung.PARAMETERS, "outputs": ("cox",)})
    contract = factories.make_contract(attacker, recipe, (real,), (attacker,))
    pack = factories.StudyParts(
        (attacker, host.study.parties[0]), None, (real,), recipe, contract, (factories.approve(contract, attacker),)
    )
    assign(host, contract.name)
    serve(host, pack)
    host.refuses("STRANGER", before="nonce")
    host.forget()
    serve(host, replace(pack, approvals=()))
    host.refuses("NOT_APPROVED", before="nonce")
    host.forget()
    binding = changed(contract.document.datasets[0], {"owner": attacker.key})
    stolen = resign(contract.document, attacker.people["analyst"].contract, datasets=(binding,))
    assign(host, stolen.name)
    serve(host, replace(pack, contract=stolen, approvals=(factories.approve(stolen, attacker),)))
    host.refuses("OWNER_SWAPPED", before="nonce")


# What embedded custody cannot detect: broker and custodian are one


def test_embedded_custody_cannot_detect_a_withheld_revocation(host):
    withheld = factories.revoke(host.study.contract, host.study.parties[1])
    assert withheld.document.contract == host.study.contract.name  # signed, sent to the broker, never passed on
    assert host.run() is True
    assert len(host.results) == 1
    trust = trust_of(host)
    assert verify_bundle(host.results[0], trust, now=host.scene.clock.now)
    host.scene.custodian.revoke(host.study.pack, withheld.envelope)  # had it come, nothing would have run
    host.forget()
    host.again(custody.OTHER_RUN)
    host.refuses("REVOKED", before="part")


def test_embedded_custody_cannot_detect_a_restored_database(host):
    database = host.scene.settings.database
    before = {file: file.read_bytes() for file in database.parent.glob(f"{database.name}*")}
    assert host.study.contract.document.max_runs == 1
    assert host.run() is True
    host.again(custody.OTHER_RUN)
    host.scene.custodian.close()
    for file in database.parent.glob(f"{database.name}*"):
        file.unlink()
    for file, content in before.items():
        file.write_bytes(content)
    host.scene.restart()
    assert host.run() is True
    assert len(host.results) == 2  # twice where the owners agreed to once
    assert host.commit(0).runs_charged == host.commit(1).runs_charged == 1
    trust = trust_of(host)
    for data in host.results:
        assert verify_bundle(data, trust, now=host.scene.clock.now)
