"""Each check fails with its own code, also where the enclave itself signed the receipt over what is wrong."""

from dataclasses import replace
from datetime import timedelta

import factories
import factories_bundle
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from attestation.simulator.platform import Conditions
from protocol.documents import CountTable, KeyRelease, ReleaseCommit, SealedOutput
from protocol.documents.outputs import CountCell
from protocol.dsse import Unverified, public_key, sign
from protocol.types import decode_base64, encode_base64, format_time
from sealroom.trust import HardwareRootPin, InstitutionPin
from sealroom.verification import Verification, VerificationFailed, VerifiedBundle, verify_bundle

NOW = factories.NOW
OUTPUTS = {name: factories_bundle.LUNG[name] for name in ("cox", "log-rank")}
TITLES = (
    "Bundle",
    "Receipt",
    "Documents",
    "Approvals",
    "Institutions",
    "Custodians",
    "Claims",
    "Key releases",
    "Commits",
    "Time",
    "Validity",
    "Measurement",
    "Evidence",
    "Statement",
    "Outputs",
    "Platform",
)


@pytest.fixture(scope="module")
def made():
    return factories_bundle.make_bundle(outputs=OUTPUTS)


def make(**given):
    return factories_bundle.make_bundle(outputs=OUTPUTS, **given)


def refuse(made, *, trust=None, now=None):
    with pytest.raises(VerificationFailed) as caught:
        verify_bundle(made.data, trust or made.trust, now=now or made.now)
    return caught.value


def fails(made, title, code, *, exit_code, **given):
    error = refuse(made, **given)
    last = error.checks[-1]
    assert (last.title, last.status, last.code) == (title, "fails", code), error
    assert (error.code, error.exit_code, last.found) == (code, exit_code, error.detail)
    assert [check.number for check in error.checks] == list(range(1, TITLES.index(title) + 2))
    return error


def signed_again(envelopes, kind, key, **changes):
    return tuple(
        sign(factories.changed(Unverified.parse(envelope, kind).claimed, changes), key).envelope
        for envelope in envelopes
    )


def two_custodians(**given):
    """Make a study whose second dataset lies with a custodian of its own; ``given`` goes to ``make_bundle``."""
    study, keeper = factories_bundle.make_study(OUTPUTS, owners=2), factories.CustodianPair()
    other = factories.make_dataset(study.parties[1], keeper.keys)
    datasets = (study.datasets[0], other)
    bindings = list(study.contract.document.datasets)
    bindings[1] = factories.changed(bindings[1], {"dataset": other.manifest.name})
    study = factories_bundle.with_contract(replace(study, datasets=datasets), datasets=tuple(bindings))
    custodians = {public_key(keeper.signing): keeper.signing}
    return factories_bundle.make_bundle(study, outputs=OUTPUTS, custodians=custodians, **given), keeper


def test_a_whole_bundle_verifies_and_says_what_it_found(made):
    verified = verify_bundle(made.data, made.trust, now=made.now)
    assert isinstance(verified, VerifiedBundle)
    assert isinstance(verified.verification, Verification)
    checks = verified.verification.checks
    assert tuple(check.title for check in checks) == TITLES
    assert [check.number for check in checks] == list(range(1, 17))
    assert {check.status for check in checks} == {"holds"}
    assert all(check.found and not check.code for check in checks)
    found = {check.title: check.found for check in checks}
    assert found["Approvals"] == "quorum reached: north 1, south 1, east 1"
    assert "SIMULATED" in found["Platform"]
    assert "platform UpToDate" in found["Evidence"]
    assert "14 left out by the policy: hardware root among those listed, " in found["Evidence"]
    assert "; 1 not known here: nonces" in found["Evidence"]
    assert found["Outputs"] == "2 output(s) sealed to 3 recipient(s)"
    assert verified.simulated
    assert verified.run == made.parts.evidence.claims.run
    assert verified.study.contract.name == made.study.contract.name
    assert verified.attestation.measurement == factories.MEASUREMENT


def test_the_receipt_is_the_enclaves(made):
    fails(made.again(key=Ed25519PrivateKey.generate()), "Receipt", "SIGNATURE", exit_code=4)


def test_the_receipt_lists_exactly_what_is_here(made):
    outputs = factories.changed(made.parts, {"outputs": made.parts.outputs[1:]})
    fails(replace(made, parts=outputs), "Receipt", "SUBJECTS", exit_code=4)
    fails(made.again(predicate={"members": made.receipt.predicate.members[1:]}), "Receipt", "MEMBERS", exit_code=4)


def test_documents_are_signed_by_those_with_the_role(made):
    stranger = factories.approve(made.study.contract, made.study.parties[0], key=Ed25519PrivateKey.generate())
    study = made.study.repack(approvals=(stranger.envelope, *made.parts.study.approvals[1:]))
    fails(made.again(study=study), "Documents", "SIGNATURE", exit_code=4)


def test_the_contract_keeps_to_the_terms():
    fails(
        make(study=factories_bundle.with_contract(factories_bundle.make_study(OUTPUTS), max_runs=2)),
        "Documents",
        "TERMS_RUNS",
        exit_code=6,
    )


def test_each_quorum_signed(made):
    study = made.study.repack(approvals=made.parts.study.approvals[:2])
    error = fails(made.again(study=study), "Approvals", "NOT_APPROVED", exit_code=6)
    assert "east gave 0 of 1" in error.detail


def test_the_custodians_pinned_encryption_key_is_the_manifests(made):
    (pin,) = made.trust.custodians
    trust = factories.changed(made.trust, {"custodians": (factories.changed(pin, {"encryption": "00" * 32}),)})
    fails(made, "Custodians", "CUSTODIAN_KEY", exit_code=4, trust=trust)


@pytest.mark.parametrize("claims", [{"contract": "00" * 32}, {"profile": "genomics"}], ids=str)
def test_claims_are_about_this_contract(claims):
    fails(make(claims=claims), "Claims", "CLAIMS_SWAPPED", exit_code=4)


def test_the_nonces_are_the_custodians(made):
    nonces = made.parts.evidence.claims.nonces
    fails(make(study=made.study, claims={"nonces": nonces * 2}), "Claims", "NONCES", exit_code=4)
    other = factories.changed(nonces[0], {"custodian": "22" * 32})
    fails(make(study=made.study, claims={"nonces": (other,)}), "Claims", "NONCES", exit_code=4)


@pytest.mark.parametrize(
    "change",
    [
        {"dataset": "00" * 32},
        {"slot": "other"},
        {"contract": "00" * 32},
        {"run": "00" * 16},
        {"claims": "00" * 32},
        {"custodian": "22" * 32},
    ],
    ids=lambda change: next(iter(change)),
)
def test_each_key_release_is_for_this_dataset_run_and_enclave(made, change):
    fails(make(study=made.study, release=change), "Key releases", "RELEASE_SWAPPED", exit_code=4)


def test_there_is_one_key_release_for_each_dataset_in_order(made):
    releases = made.parts.releases
    fails(made.again(releases=releases[:2]), "Key releases", "RELEASE_COUNT", exit_code=4)
    fails(made.again(releases=(*releases, releases[0])), "Key releases", "RELEASE_COUNT", exit_code=4)
    fails(made.again(releases=(releases[0], releases[0], releases[2])), "Key releases", "RELEASE_SWAPPED", exit_code=4)
    fails(made.again(releases=releases[::-1]), "Key releases", "RELEASE_SWAPPED", exit_code=4)


def test_key_releases_are_signed_by_the_custodian_of_the_manifest(made):
    releases = signed_again(made.parts.releases, KeyRelease, Ed25519PrivateKey.generate())
    fails(made.again(releases=releases), "Key releases", "SIGNATURE", exit_code=4)


def test_a_commit_is_no_key_release(made):
    fails(
        made.again(releases=(*made.parts.releases[:2], made.parts.commits[0])),
        "Key releases",
        "PAYLOAD_TYPE",
        exit_code=4,
    )


@pytest.mark.parametrize(
    "change",
    [{"contract": "00" * 32}, {"run": "00" * 16}, {"claims": "00" * 32}, {"custodian": "22" * 32}],
    ids=lambda change: next(iter(change)),
)
def test_each_commit_is_for_this_run_and_enclave(made, change):
    fails(make(study=made.study, commit=change), "Commits", "COMMIT_SWAPPED", exit_code=4)


def test_there_is_one_commit_for_each_custodian():
    made, _ = two_custodians()
    assert verify_bundle(made.data, made.trust, now=made.now).verification
    first, second = made.parts.commits
    fails(made.again(commits=(first,)), "Commits", "COMMIT_COUNT", exit_code=4)
    fails(made.again(commits=(first, second, first)), "Commits", "COMMIT_COUNT", exit_code=4)
    fails(made.again(commits=(first, first)), "Commits", "SIGNATURE", exit_code=4)
    fails(made.again(commits=(second, first)), "Commits", "SIGNATURE", exit_code=4)


def test_custodians_commit_to_the_same_outputs():
    made, keeper = two_custodians()
    other = signed_again(made.parts.commits[1:], ReleaseCommit, keeper.signing, outputs="00" * 32)
    fails(made.again(commits=(made.parts.commits[0], *other)), "Commits", "OUTPUTS_DIFFER", exit_code=4)


@pytest.mark.parametrize("charged", [0, 2])
def test_runs_stay_within_the_agreed_number(made, charged):
    fails(make(study=made.study, commit={"runs_charged": charged}), "Commits", "RUN_COUNT", exit_code=6)


def test_nothing_is_released_after_a_revocation(made):
    fails(make(study=made.study, commit={"revocations_held": 1}), "Commits", "REVOKED", exit_code=6)


def test_a_commit_comes_after_the_releases(made):
    early = format_time(NOW - timedelta(seconds=1))
    fails(make(study=made.study, commit={"time": early}), "Commits", "TIME_ORDER", exit_code=4)


@pytest.mark.parametrize(("seconds", "holds"), [(-299, True), (-300, True), (-301, False)])
def test_clocks_of_two_custodians_may_differ_a_little(seconds, holds):
    made, keeper = two_custodians()
    time = format_time(NOW + timedelta(seconds=seconds))
    releases = signed_again(made.parts.releases[1:], KeyRelease, keeper.signing, time=time)
    commits = signed_again(made.parts.commits[1:], ReleaseCommit, keeper.signing, time=time)
    made = made.again(releases=(made.parts.releases[0], *releases), commits=(made.parts.commits[0], *commits))
    if holds:
        verify_bundle(made.data, made.trust, now=made.now)
    else:
        fails(made, "Commits", "TIME_ORDER", exit_code=4)


def test_what_a_pinned_custodian_dated_later_than_now_is_refused(made):
    fails(made, "Time", "TIME_FUTURE", exit_code=4, now=NOW - timedelta(minutes=5))
    verify_bundle(made.data, made.trust, now=NOW - timedelta(minutes=4))


def test_years_later_a_bundle_still_verifies_at_its_own_time(made):
    verify_bundle(made.data, made.trust, now=NOW + timedelta(days=10 * 365))


def test_a_contract_that_had_expired_at_the_release(made):
    study = factories_bundle.with_contract(made.study, expires=format_time(NOW))
    fails(make(study=study), "Validity", "EXPIRED", exit_code=6)


def test_a_contract_that_expired_between_release_and_commit(made):
    study = factories_bundle.with_contract(made.study, expires=format_time(NOW + timedelta(seconds=10)))
    fails(make(study=study), "Validity", "EXPIRED", exit_code=6)


def test_an_approval_after_the_release(made):
    party = made.study.parties[0]
    late = factories.approve(made.study.contract, party, at=NOW + timedelta(hours=2))
    study = replace(made.study, approvals=(late, *made.study.approvals[1:]))
    fails(make(study=study), "Validity", "NOT_YET_VALID", exit_code=6)


@pytest.mark.parametrize(
    ("conditions", "code"),
    [
        (Conditions(tcb_status="OutOfDate"), "TCB_STATUS"),
        (Conditions(tcb_status="SWHardeningNeeded"), "TCB_STATUS"),  # pinned policy: yes; the owners' terms: no
        (Conditions(revoked=True), "REVOKED"),
    ],
    ids=["out of date", "not the owners' terms", "revoked"],
)
def test_evidence_is_judged_again(made, conditions, code):
    fails(make(study=made.study, conditions=conditions), "Evidence", code, exit_code=5)


def test_advisories_are_told(made):
    advised = make(study=made.study, conditions=Conditions(advisories=("INTEL-SA-00001", "INTEL-SA-00002")))
    checks = verify_bundle(advised.data, advised.trust, now=advised.now).verification.checks
    assert checks[12].found.endswith("advisories INTEL-SA-00001, INTEL-SA-00002")


def test_evidence_for_other_code(made):
    made = make(study=made.study)
    claims = made.parts.evidence.claims
    quote = made.platform.quote("00" * 32, claims.report_data)
    evidence = factories.changed(made.parts.evidence, {"quote": encode_base64(quote)})
    fails(made.again(evidence=evidence), "Evidence", "MEASUREMENT", exit_code=5)


def test_evidence_for_other_claims(made):
    quote = made.platform.quote(factories.MEASUREMENT, bytes(64))
    evidence = factories.changed(made.parts.evidence, {"quote": encode_base64(quote)})
    fails(made.again(evidence=evidence), "Evidence", "REPORT_DATA", exit_code=5)


def test_a_quote_that_is_none(made):
    evidence = factories.changed(made.parts.evidence, {"quote": encode_base64(b"nothing")})
    fails(made.again(evidence=evidence), "Evidence", "QUOTE_LENGTH", exit_code=5)


def test_collateral_that_had_expired_at_the_release(made):
    late = format_time(NOW + timedelta(days=31))
    releases = signed_again(made.parts.releases, KeyRelease, made.study.custodian.signing, time=late)
    commits = signed_again(made.parts.commits, ReleaseCommit, made.study.custodian.signing, time=late)
    error = fails(
        made.again(releases=releases, commits=commits),
        "Evidence",
        "COLLATERAL_EXPIRED",
        exit_code=5,
        now=NOW + timedelta(days=40),
    )
    assert error.checks[-1].number == 13


def test_a_policy_that_does_not_take_simulation(made):
    policy = factories_bundle.POLICY.replace("simulation = true", "simulation = false")
    fails(made, "Evidence", "SIMULATED", exit_code=5, trust=factories.changed(made.trust, {"appraisal_policy": policy}))


@pytest.mark.parametrize(
    "change", [{"root": "00" * 32}, {"measurement": "00" * 32}], ids=lambda change: next(iter(change))
)
def test_custodians_came_to_the_same_verdict(made, change):
    verdict = factories.changed(made.attestation, change)
    fails(make(study=made.study, release={"attestation": verdict}), "Evidence", "VERDICTS_DIFFER", exit_code=5)


@pytest.mark.parametrize(
    "change",
    [
        {"run": "00" * 16},
        {"contract": "00" * 32},
        {"recipe": "00" * 32},
        {"profile": "genomics"},
        {"measurement": "00" * 32},
        {"claims": "00" * 32},
        {"datasets": ("00" * 32,)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_receipt_states_what_the_documents_say(made, change):
    error = fails(made.again(predicate=change), "Statement", "STATEMENT", exit_code=4)
    assert next(iter(change)) in error.detail


def test_the_outputs_are_those_of_the_contract_in_its_order(made):
    outputs = made.parts.outputs
    for wrong in (outputs[:-1], outputs[::-1], (*outputs, outputs[0]), (outputs[0], outputs[0], *outputs[2:])):
        fails(made.again(outputs=wrong), "Outputs", "OUTPUTS", exit_code=4)
    stranger = SealedOutput(output=outputs[0].output, recipient="00" * 32, sealed=outputs[0].sealed)
    fails(made.again(outputs=(stranger, *outputs[1:])), "Outputs", "OUTPUTS", exit_code=4)


@pytest.mark.parametrize(
    "change",
    [
        lambda b: b[:-1],
        lambda b: b + b"x",
        lambda b: b[:1136],
        lambda b: b"",
        lambda b: b[:-65536],
        lambda b: b + bytes(65535),
    ],
)
def test_sealed_outputs_are_of_a_size_class(made, change):
    first = made.parts.outputs[0]
    sealed = factories.changed(first, {"sealed": encode_base64(change(decode_base64(first.sealed)))})
    fails(made.again(outputs=(sealed, *made.parts.outputs[1:])), "Outputs", "OUTPUT_SIZE", exit_code=4)


def test_a_large_output_takes_the_next_size_class():
    cells = tuple(CountCell(label=label, count=1000) for label in range(3000))
    labels = tuple(f"group {label}" for label in range(3000))
    outputs = {"subjects": ("counts", labels, CountTable(cells=cells, total=3_000_000))}
    made = factories_bundle.make_bundle(factories_bundle.make_study(outputs), outputs=outputs)
    assert len(decode_base64(made.parts.outputs[0].sealed)) > 2 * 65_536
    verify_bundle(made.data, made.trust, now=made.now)


def test_everything_agrees_on_a_simulated_platform(made):
    error = fails(made.again(predicate={"simulated": False}), "Platform", "SIMULATED", exit_code=4)
    assert "do not agree" in error.detail


def test_simulation_needs_the_contracts_word(made):
    study = factories_bundle.with_contract(made.study, simulation=False)
    error = fails(make(study=study), "Platform", "SIMULATED", exit_code=6)
    assert "does not allow" in error.detail


UNPINNED = {
    "institutions": {"Institutions"},
    "custodians": {"Custodians", "Time"},
    "measurements": {"Measurement"},
    "hardware_roots": {"Evidence", "Platform"},
    "appraisal_policy": {"Evidence", "Platform"},
}


@pytest.mark.parametrize(("pins", "titles"), UNPINNED.items(), ids=UNPINNED)
def test_what_is_not_pinned_is_unanchored(made, pins, titles):
    trust = factories.changed(made.trust, {pins: None if pins == "appraisal_policy" else ()})
    error = refuse(made, trust=trust)
    assert (error.code, error.exit_code) == ("UNANCHORED", 3)
    assert {check.title for check in error.checks if check.status == "unanchored"} == titles
    assert {check.code for check in error.checks if check.status == "unanchored"} == {"UNANCHORED"}
    assert len(error.checks) == 16
    assert all(title.lower() in error.detail for title in titles)


def test_one_institution_that_is_not_pinned_is_enough(made):
    trust = factories.changed(made.trust, {"institutions": made.trust.institutions[:2]})
    error = refuse(made, trust=trust)
    (check,) = [check for check in error.checks if check.status == "unanchored"]
    assert made.study.parties[2].key in check.found
    assert "pinned: north" in check.found


def test_a_pin_for_another_profile_does_not_count(made):
    (pin,) = made.trust.measurements
    trust = factories.changed(made.trust, {"measurements": (factories.changed(pin, {"profile": "genomics"}),)})
    assert refuse(made, trust=trust).exit_code == 3


def test_another_platforms_root_does_not_count(made):
    other = factories_bundle.Platform(factories_bundle.create_keys(NOW)).root
    pin = HardwareRootPin.from_der(other.certificate_der, simulated=True)
    error = refuse(made, trust=factories.changed(made.trust, {"hardware_roots": (pin,)}))
    assert error.exit_code == 3
    assert error.checks[-1].status == "unanchored"
    assert error.checks[-1].found.startswith("said to be simulated; nothing pinned vouches for it; SIMULATED")


def test_a_simulated_platform_is_not_ok_where_the_pinned_policy_forbids_it(made):
    policy = factories_bundle.POLICY.replace("simulation = true", "simulation = false")
    error = refuse(made, trust=factories.changed(made.trust, {"hardware_roots": (), "appraisal_policy": policy}))
    assert error.exit_code == 3
    assert error.checks[-1].status == "unanchored"
    assert "the pinned appraisal policy forbids a simulated platform" in error.checks[-1].found


def test_without_a_pinned_time_source_time_is_unproven_and_today_counts(made):
    trust = factories.changed(made.trust, {"custodians": ()})
    error = refuse(made, trust=trust)
    assert "TIME UNPROVEN" in {check.title: check.found for check in error.checks}["Time"]
    assert error.exit_code == 3
    fails(made, "Validity", "EXPIRED", exit_code=6, trust=trust, now=NOW + timedelta(days=250))


def test_a_failure_weighs_more_than_a_missing_pin(made):
    trust = factories.changed(made.trust, {"institutions": ()})
    fails(made.again(predicate={"run": "00" * 16}), "Statement", "STATEMENT", exit_code=4, trust=trust)


def test_a_claim_of_hardware_without_a_verdict_is_not_believed(made):
    verdict = factories.changed(made.attestation, {"simulated": False})
    claimed = make(study=made.study, release={"attestation": verdict}).again(predicate={"simulated": False})
    error = refuse(claimed, trust=factories.changed(claimed.trust, {"hardware_roots": ()}))
    assert error.exit_code == 3
    assert error.checks[-1].found == "said to be hardware; nothing pinned vouches for it"
    fails(claimed, "Evidence", "VERDICTS_DIFFER", exit_code=5)


def test_one_of_two_custodians_pinned_dates_the_run():
    made, keeper = two_custodians()
    pins = tuple(pin for pin in made.trust.custodians if pin.signing == public_key(keeper.signing))
    error = refuse(made, trust=factories.changed(made.trust, {"custodians": pins}))
    assert {check.title for check in error.checks if check.status == "unanchored"} == {"Custodians"}


def test_the_short_name_shown_is_the_pinned_one(made):
    first, *rest = made.trust.institutions
    pins = (InstitutionPin(short="as-i-know-it", root=first.root), *rest)
    verified = verify_bundle(made.data, factories.changed(made.trust, {"institutions": pins}), now=made.now)
    assert "as-i-know-it" in verified.verification.checks[4].found
