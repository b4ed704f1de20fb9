"""Who vouches for code, what is withdrawn: documents are verified by the policy's keys, and nothing goes back."""

from datetime import timedelta

import attested
import pytest
from attested import NOW, changed
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from attestation.policy import Endorser
from attestation.reference import Attested, ReferenceValues, require_newer, verify_endorsement, verify_withdrawals
from attestation.simulator.platform import Conditions
from attestation.verifier import AppraisalRefused
from attestation.verifier import appraise as judge
from protocol.documents.reference import MeasurementEndorsement, WithdrawalList, Withdrawn
from protocol.dsse import public_key, sign
from protocol.errors import AttestationError, DocumentError
from protocol.types import format_time

A, B, PUBLISHER = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2, 3))
ENDORSERS = (
    Endorser(institution="hospital-a", key=public_key(A)),
    Endorser(institution="hospital-b", key=public_key(B)),
)
OBEYED = public_key(PUBLISHER)
MEASUREMENT, OTHER = attested.MEASUREMENT, "cd" * 32


def endorsement(key=A, institution="hospital-a", measurement=MEASUREMENT, profile="clinical"):
    document = MeasurementEndorsement(
        institution=institution,
        profile=profile,
        measurement=measurement,
        files="f1" * 32,
        time=format_time(NOW),
    )
    return sign(document, key)


def listed(*withdrawn, number=1, issued=NOW, days=30, key=PUBLISHER):
    document = WithdrawalList(
        publisher=public_key(key),
        number=number,
        issued=format_time(issued),
        next_update=format_time(issued + timedelta(days=days)),
        withdrawn=tuple(Withdrawn(reason="a good reason", **names) for names in withdrawn),
    )
    return sign(document, key)


def policy(**fields):
    return changed(reference_values=fields)


def appraise(wanted, *, conditions=None, endorsements=(), withdrawals=None, roots=None):
    lists = {} if withdrawals is None else {OBEYED: withdrawals}
    return judge(
        attested.evidence(conditions),
        policy=wanted,
        roots=(attested.platform().root,) if roots is None else roots,
        expected=attested.EXPECTED,
        at=NOW,
        reference=ReferenceValues(endorsements=endorsements, withdrawals=lists),
    )


def line(result, claim):
    return next((row.found, row.wanted, row.holds) for row in result.claims if row.claim.startswith(claim))


def test_pinned_measurements():
    claim = "measurement among those pinned"
    accepted = appraise(policy(measurements=(OTHER, MEASUREMENT)))
    assert line(accepted, claim) == (MEASUREMENT, "one of 2 pinned measurements", "yes")
    for none in ((OTHER,), ()):
        with attested.refused("MEASUREMENT_UNPINNED", claim):
            appraise(policy(measurements=none))


WANTED_TWO = policy(endorsers=ENDORSERS, endorsements_wanted=2)
GOOD_B = endorsement(B, "hospital-b")


def test_endorsements_are_counted_by_institution():
    accepted = appraise(WANTED_TWO, endorsements=(endorsement(), GOOD_B, endorsement()))
    assert line(accepted, "measurement rebuilt") == (
        "by 2 (hospital-a, hospital-b)",
        "by at least 2 of 2 endorsers",
        "yes",
    )


@pytest.mark.parametrize(
    "endorsements",
    [
        (),
        (GOOD_B,),
        (endorsement(), endorsement()),  # one institution twice
        (GOOD_B, endorsement(measurement=OTHER)),
        (GOOD_B, endorsement(profile="genomics")),
        (GOOD_B, endorsement(PUBLISHER)),  # nobody the policy names
        (endorsement(), endorsement(B, "hospital-a")),  # in another's name
    ],
)
def test_endorsements_that_are_not_enough(endorsements):
    with attested.refused("MEASUREMENT_ENDORSED", "measurement rebuilt"):
        appraise(WANTED_TWO, endorsements=endorsements)


def test_no_endorsement_wanted_shows_as_skipped():
    found = line(appraise(policy(endorsers=ENDORSERS), endorsements=(endorsement(),)), "measurement rebuilt")
    assert found == ("1 (hospital-a)", "left out by the policy: it wants no endorsement", "skipped")


OBEYS = policy(withdrawal_publishers=(OBEYED,))


def established():
    found = {row.claim: row.found for row in appraise(attested.policy()).claims}
    return found["platform id"], found["family of processors"]


def test_a_list_that_names_nothing_of_this():
    ppid = established()[0]
    other = listed({"measurement": OTHER}, {"ppid": "00" * 16}, {"fmspc": "00" * 6}, {"advisory": "INTEL-SA-00001"})
    assert ppid != "00" * 16
    assert line(appraise(OBEYS, withdrawals=other), "withdrawals of")[2] == "yes"
    assert line(appraise(attested.policy(), withdrawals=other), "withdrawals")[2] == "skipped"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("measurement", "this measurement (a good reason)"),
        ("ppid", "this platform (a good reason)"),
        ("fmspc", "this family of processors (a good reason)"),
        ("advisory", "advisory INTEL-SA-00615 (a good reason)"),
    ],
)
def test_what_is_withdrawn_is_refused_even_by_a_list_that_is_newer_or_out_of_date(kind, words):
    ppid, fmspc = established()
    name = {"measurement": MEASUREMENT, "ppid": ppid, "fmspc": fmspc, "advisory": "INTEL-SA-00615"}[kind]
    advised = Conditions(advisories=("INTEL-SA-00615",))
    for shift in (timedelta(0), timedelta(days=5), timedelta(days=-90)):
        named = listed({"measurement": OTHER}, {kind: name}, issued=NOW + shift)
        with attested.refused("WITHDRAWN", f"withdrawals of {OBEYED[:16]}", words=words):
            appraise(OBEYS, withdrawals=named, conditions=advised)


def test_a_list_must_be_at_hand_and_in_date():
    claim = f"withdrawals of {OBEYED[:16]}"
    with attested.refused("WITHDRAWALS_MISSING", claim):
        appraise(OBEYS)
    with attested.refused("WITHDRAWALS_MISSING", claim):
        appraise(OBEYS, withdrawals=listed(key=A))  # filed under a publisher who did not sign it
    just = listed(issued=NOW - timedelta(days=30) + timedelta(seconds=1))
    assert appraise(OBEYS, withdrawals=just)
    with attested.refused("WITHDRAWALS_EXPIRED", claim):
        appraise(OBEYS, withdrawals=listed(issued=NOW - timedelta(days=30)))


def test_each_publisher_is_obeyed():
    both = policy(withdrawal_publishers=(public_key(A), OBEYED))
    with attested.refused("WITHDRAWALS_MISSING", f"withdrawals of {public_key(A)[:16]}"):
        appraise(both, withdrawals=listed())


def test_withdrawn_code_is_refused_on_an_unknown_platform_too():
    with pytest.raises(AppraisalRefused) as caught:
        appraise(OBEYS, withdrawals=listed({"measurement": MEASUREMENT}), roots=())
    assert line(caught.value.result, "withdrawals of")[2] == "no"
    with pytest.raises(AppraisalRefused) as caught:
        appraise(OBEYS, withdrawals=listed({"ppid": "00" * 16}), roots=())
    assert line(caught.value.result, "withdrawals of")[2] == "yes"


def test_all_that_a_list_names_is_said():
    about = Attested(MEASUREMENT, "aa" * 16, "bb" * 6, ("INTEL-SA-00001",))
    told = listed({"ppid": "aa" * 16}, {"advisory": "INTEL-SA-00001"}).document
    assert about.named_in(told) == "this platform (a good reason); advisory INTEL-SA-00001 (a good reason)"


def test_of_a_list_that_names_a_lot_the_first_five_are_said():
    names = [f"INTEL-SA-{number:05}" for number in range(200)]
    about = Attested(MEASUREMENT, "", "", tuple(names))
    said = about.named_in(listed(*({"advisory": name} for name in names)).document)
    assert said.endswith("; advisory INTEL-SA-00004 (a good reason); 195 more")
    assert len(said) < 300
    said = about.named_in(listed(*({"advisory": name} for name in names[:5])).document)
    assert said.count("a good reason") == 5 and "more" not in said


@pytest.mark.parametrize(
    "name", [{"measurement": MEASUREMENT}, {"ppid": "aa" * 16}, {"fmspc": "bb" * 6}, {"advisory": "INTEL-SA-00001"}]
)
def test_a_list_names_nothing_twice(name):
    assert listed(name, {"fmspc": "cc" * 6})
    with pytest.raises(ValidationError, match=f"{next(iter(name.values()))} is withdrawn twice"):
        listed(name, {"fmspc": "cc" * 6}, name)


# Documents


def test_endorsements_are_verified_with_the_key_that_the_policy_names():
    reference = policy(endorsers=ENDORSERS).reference_values
    assert verify_endorsement(endorsement().envelope, reference).document.institution == "hospital-a"
    with pytest.raises(AttestationError, match="no endorser university") as caught:
        verify_endorsement(endorsement(A, "university").envelope, reference)
    assert caught.value.code == "ENDORSER"
    with pytest.raises(DocumentError) as signature:
        verify_endorsement(endorsement(B, "hospital-a").envelope, reference)
    assert signature.value.code == "SIGNATURE"


def test_withdrawal_lists_are_verified_as_their_publishers():
    assert verify_withdrawals(listed().envelope, [public_key(A), OBEYED]).signer == OBEYED
    with pytest.raises(AttestationError, match="names no publisher") as caught:
        verify_withdrawals(listed().envelope, [public_key(A)])
    assert caught.value.code == "PUBLISHER"
    forged = sign(listed().document.model_copy(update={"publisher": public_key(A)}), A).envelope
    with pytest.raises(DocumentError) as signature:
        verify_withdrawals(forged.model_copy(update={"signatures": listed().envelope.signatures}), [public_key(A)])
    assert signature.value.code == "SIGNATURE"


def test_numbers_of_lists_never_go_back():
    second, third = listed(number=2), listed({"ppid": "00" * 16}, number=3)
    assert require_newer(None, second)
    assert require_newer(second, third)
    assert not require_newer(third, third)
    with pytest.raises(AttestationError) as caught:
        require_newer(third, second)
    assert caught.value.code == "WITHDRAWALS_OLD"
    with pytest.raises(AttestationError) as caught:
        require_newer(second, listed({"ppid": "00" * 16}, number=2))
    assert caught.value.code == "WITHDRAWALS_FORKED"
