"""What this institution makes of a study that somebody else assembled."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import factories
import pytest
from factories import make_study

from protocol.documents.study import Contract
from protocol.dsse import Unverified, sign
from protocol.errors import AccessDenied, AnalysisError, DocumentError
from protocol.presets import PRESETS
from protocol.types import format_time
from sealroom.home import Home
from sealroom.keystore import Keystore, Passphrase
from sealroom.party import Party
from sealroom.studies import judge_study, pack_bytes, read_pack
from sealroom.trust import InstitutionPin, MeasurementPin, Trust, custodian_pin
from sealroom.votes import sign_approval, sign_revocation
from sealroom.words import contract_fields, contract_words, released_as, unverified_words

RECIPE = {
    "outputs": ("cox",),
    "parameters": {"time": "time", "event": "status", "event_level": "2", "covariates": ("age",)},
}
OUTPUT = {"labels": ("age (per a)",)}


def pins(study, **changes):
    trust = Trust(
        institutions=tuple(InstitutionPin(short=p.institution.document.short, root=p.key) for p in study.parties),
        measurements=(MeasurementPin(profile="clinical", measurement=factories.MEASUREMENT),),
        custodians=(custodian_pin(study.custodian.keys.signing, study.custodian.encryption.public_bytes()),),
    )
    return trust.model_copy(update=changes)


def fitting(**contract):
    """A study whose contract has the labels that the installed analysis plans."""
    study = make_study(owners=2, recipe=RECIPE, contract={"simulation": False} | contract)
    outputs = tuple(output.model_copy(update=OUTPUT) for output in study.contract.document.outputs)
    changed = study.contract.document.model_copy(update={"outputs": outputs})
    signed = sign(changed, study.parties[0].people["analyst"].contract)
    approvals = tuple(factories.approve(signed, party) for party in study.parties)
    return replace(study, contract=signed, approvals=approvals)


@pytest.fixture(scope="module")
def study():
    return fitting()


def judged(study, trust, **more):
    own = study.parties[0].key
    return judge_study(study.pack, trust, own_root=own, current=False, **more)


def test_a_study_that_is_pinned_speaks_in_plain_words(study):
    found = judged(study, pins(study))
    assert "about: age (per year)" in contract_words(found)
    assert found.unanchored == ()
    words = contract_words(found)
    for party in study.parties:
        assert party.institution.document.name in words
    for manifest in (dataset.manifest for dataset in study.datasets):
        assert manifest.document.short in words
    assert "cox (regression)" in words
    assert study.contract.document.expires in words
    assert contract_fields(found)["words"] == words


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"institutions": ()}, "institution"),
        ({"measurements": ()}, "measurement"),
        ({"custodians": ()}, "custodian"),
    ],
)
def test_what_is_not_pinned_comes_first_and_stops_an_approval(study, changes, word):
    found = judged(study, pins(study, **changes))
    assert any(word in item for item in found.unanchored)
    first = contract_words(found).splitlines()
    assert any(line.startswith("UNANCHORED") and word in line for line in first[:4])
    with pytest.raises(AccessDenied) as caught:
        found.require_anchored()
    assert caught.value.code == "UNANCHORED"


def test_the_own_institution_needs_no_pin(study):
    own = study.parties[0].key
    trust = pins(study)
    others = tuple(pin for pin in trust.institutions if pin.root != own)
    assert judged(study, trust.model_copy(update={"institutions": others})).unanchored == ()


def test_labels_that_the_analysis_would_not_release_are_refused(study):
    contract = study.contract.document
    output = contract.outputs[0]
    forged = contract.model_copy(update={"outputs": (output.model_copy(update={"labels": ("another label",)}),)})
    envelope = sign(forged, study.parties[0].people["analyst"].contract).envelope
    pack = study.repack(contract=envelope, approvals=())
    with pytest.raises(AnalysisError) as caught:
        judge_study(pack, pins(study), own_root=study.parties[0].key, current=False)
    assert caught.value.code == "PLAN_DIFFERS"


def test_a_swapped_recipe_or_dataset_is_refused(study):
    other = make_study(owners=2, recipe=RECIPE)
    for changes in (
        {"recipe": other.recipe.envelope},
        {"manifests": tuple(dataset.manifest.envelope for dataset in other.datasets)},
        {"contract": other.contract.envelope},
    ):
        with pytest.raises((DocumentError, AccessDenied)):
            judge_study(study.repack(**changes), pins(study), own_root=study.parties[0].key, current=False)


def test_an_expired_contract_may_be_read_but_not_approved(study):
    ended = format_time(datetime.now(UTC) - timedelta(seconds=1))
    begun = format_time(datetime.now(UTC) - timedelta(days=9))
    stale = fitting(expires=ended, created=begun)
    assert judged(stale, pins(stale)).unanchored == ()
    with pytest.raises(AccessDenied) as caught:
        judge_study(stale.pack, pins(stale), own_root=stale.parties[0].key, current=True)
    assert caught.value.code == "EXPIRED"


def test_a_study_travels_as_canonical_bytes(study):
    assert read_pack(pack_bytes(study.pack)) == study.pack
    with pytest.raises(DocumentError):
        read_pack(pack_bytes(study.pack)[:-1])
    assert Unverified.parse(study.pack.contract, Contract).claimed == study.contract.document


@pytest.mark.parametrize("kind", ["counts", "regression", "test", "survival"])
@pytest.mark.parametrize("preset", list(PRESETS))
def test_each_kind_of_output_says_its_smallest_number(kind, preset):
    assert str(PRESETS[preset].k) in released_as(kind, PRESETS[preset])


def test_simulation_is_the_first_word(study):
    simulated = fitting(simulation=True)
    found = judged(simulated, pins(simulated))
    assert contract_words(found).startswith("SIMULATED")
    assert "the root of a simulated platform" in found.unanchored


def approver(study, folder, party=0):
    """The approver of one party, with their key in a keystore."""
    folder.mkdir(exist_ok=True)
    made = study.parties[party]
    (folder / "passphrase").write_text("a passphrase of the tests\n")
    keys = Keystore(folder / "keys", Passphrase(folder / "passphrase"))
    keys.keep_signing("approver.approval", made.people["approver"].approval)
    return Party(Home(folder), keys, made.institution, made.institution.document.member("approver"))


def test_an_approval_is_signed_only_for_what_is_pinned_and_owned(study, tmp_path):
    found = judged(study, pins(study))
    signed = sign_approval(found, approver(study, tmp_path))
    assert signed.document.contract == study.contract.name
    assert signed.signer == study.parties[0].institution.document.member("approver").keys.approval
    with pytest.raises(AccessDenied) as caught:
        sign_approval(judged(study, pins(study, measurements=())), approver(study, tmp_path / "2"))
    assert caught.value.code == "UNANCHORED"


def test_a_stranger_neither_approves_nor_revokes(study, tmp_path):
    stranger = approver(make_study(owners=1), tmp_path)
    contract = Unverified.parse(study.contract.envelope, Contract)
    for sign_vote in (
        lambda party: sign_approval(judged(study, pins(study)), party),
        lambda party: sign_revocation(contract, party, "because"),
    ):
        with pytest.raises(AccessDenied) as caught:
            sign_vote(stranger)
        assert caught.value.code == "STRANGER"


def test_a_revocation_takes_the_contract_s_content_and_the_own_institution(study, tmp_path):
    unsigned = factories.resign(study.contract.document, study.parties[1].root).envelope
    contract = Unverified.parse(unsigned, Contract)
    signed = sign_revocation(contract, approver(study, tmp_path, 1), "because")
    assert signed.document.contract == study.contract.name
    words = unverified_words(contract)
    assert study.contract.name in words and study.contract.document.title in words


def test_who_learns_without_giving_is_said_for_each(study):
    assert "without giving data" not in contract_words(judged(study, pins(study)))
    assert contract_fields(judged(study, pins(study)))["recipients_without_data"] == []
    outsider = factories.make_institution("insurer")
    output = study.contract.document.outputs[0]
    people = (*output.recipients, factories.recipient_of(outsider))
    outputs = (output.model_copy(update={"recipients": people}),)
    contract = sign(
        study.contract.document.model_copy(update={"outputs": outputs}), study.parties[0].people["analyst"].contract
    )
    institutions = (*study.pack.institutions, outsider.institution.envelope)
    pack = study.repack(contract=contract.envelope, approvals=(), institutions=institutions)
    found = judge_study(pack, pins(study), own_root=study.parties[0].key, current=False)
    lines = [line for line in contract_words(found).splitlines() if "learns results without giving data" in line]
    said = "NOTE: analyst of Institute of the insurer (insurer) learns results without giving data; "
    assert lines == [said + "approve only if your institution means to tell them."]
    assert contract_fields(found)["recipients_without_data"] == ["insurer/analyst"]
