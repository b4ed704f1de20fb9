"""``sealroom attestation``: policies in words, evidence explained, and a policy that loosens is asked about."""

from datetime import UTC, datetime, timedelta

import attested
import factories_bundle
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from partner_desk import Desk

from attestation.policy import manifests_folder
from attestation.simulator.platform import Conditions
from protocol.documents.attested import KeyRelease
from protocol.documents.reference import MeasurementEndorsement, WithdrawalList
from protocol.dsse import Unverified, public_key, sign
from protocol.types import decode_base64, format_time, parse_time
from sealroom.trust import HardwareRootPin, Trust, save_trust

SIMULATED, HARDWARE = (manifests_folder() / name for name in ("appraisal.simulated.toml", "appraisal.toml"))
AT = ("--at", format_time(attested.NOW))
KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)


@pytest.fixture
def desk(tmp_path):
    root = attested.platform().root
    (tmp_path / "root.pem").write_bytes(root.certificate.public_bytes(Encoding.PEM))
    pin = HardwareRootPin.from_der(root.certificate_der, simulated=True)
    save_trust(Trust(hardware_roots=(pin,), appraisal_policy=SIMULATED.read_text("utf-8")), tmp_path / "trust.toml")
    return Desk(tmp_path)


def evidence(desk, conditions=None):
    return desk.write("evidence.json", attested.evidence(conditions).model_dump_json())


def explain(desk, *words, code=0):
    return desk.run("attestation", "explain", *words, code=code)


def test_good_evidence_is_explained(desk):
    for pins in (("--policy", SIMULATED, "--root", desk.folder / "root.pem"), ("--trust", desk.folder / "trust.toml")):
        told = explain(desk, evidence(desk), *pins, *AT).out
        assert told.startswith("SIMULATED: no hardware stands behind this evidence")
        assert "\nACCEPTED: 43 claims hold, 19 are left out; judged at 2026-11-24T12:00:00Z.\n" in told
        assert "No contract is at hand" in told
        assert "\nLeft out (19)\n  left out by the policy:\n" in told
        assert "  no contract is at hand:\n   measurement " in told
        assert "TCB status                     UpToDate (wanted: one of UpToDate, SWHardeningNeeded)" in told
        assert max(map(len, told.splitlines())) <= 100


def test_refused_evidence_says_what_to_do(desk):
    made = evidence(desk, Conditions(tcb_status="OutOfDate", advisories=("INTEL-SA-00289", "INTEL-SA-77777")))
    strict = desk.write("strict.toml", SIMULATED.read_text("utf-8").replace('advisories = "any"', "advisories = []"))
    told = explain(desk, made, "--policy", strict, "--root", desk.folder / "root.pem", *AT, code=5).out
    assert "REFUSED: 2 of 62 claims do not hold, 18 are left out" in told
    assert "  TCB status  [TCB_STATUS]\n    found  OutOfDate\n    wanted one of UpToDate, SWHard" in told
    assert "    do     Update BIOS and microcode of the host" in told
    assert "  INTEL-SA-00289  REFUSED: voltage settings (Plundervolt)\n" in told
    assert "  INTEL-SA-77777  REFUSED\n    do     Read it." in told
    assert "advisory/intel-sa-77777.html" in told
    assert max(len(line) for line in told.splitlines() if "https://" not in line) <= 100


def test_the_same_as_json(desk):
    made = evidence(desk, Conditions(advisories=("INTEL-SA-00289", "INTEL-SA-00615")))
    one = SIMULATED.read_text("utf-8").replace('advisories = "any"', 'advisories = ["INTEL-SA-00615"]')
    words = ("--policy", desk.write("one.toml", one), "--root", desk.folder / "root.pem", *AT, "--json")
    told = explain(desk, made, *words, code=5).json
    assert (told["accepted"], told["simulated"], told["tcb_status"]) == (False, True, "UpToDate")
    assert [item["standing"] for item in told["advisories"]] == ["REFUSED", "accepted by name"]
    [refused] = [item for item in told["claims"] if item["verdict"] == "REFUSED"]
    assert (refused["claim"], refused["code"]) == ("advisories", "ADVISORY")
    assert refused["advice"].startswith("Read each advisory")
    assert {item["verdict"] for item in told["claims"]} == {"ok", "left out", "REFUSED"}
    assert all(item["code"] is None for item in told["claims"] if item["verdict"] != "REFUSED")
    words = ("--trust", desk.folder / "trust.toml", *AT, "--json")
    told = explain(desk, made, *words).json
    assert told["accepted"]
    assert told["advisories"][0]["standing"] == "not looked at (the policy says any)"


def test_a_bare_quote_needs_collateral(desk):
    good = attested.evidence()
    quote = desk.folder / "quote.bin"
    quote.write_bytes(decode_base64(good.quote))
    collateral = desk.write("collateral.json", good.collateral.model_dump_json())
    pins = ("--trust", desk.folder / "trust.toml", *AT)
    told = explain(desk, quote, "--collateral", collateral, *pins).out
    assert "  a quote alone does not say:\n   claims in the quote " in told
    assert explain(desk, quote, *pins, "--json", code=4).json["code"] == "EVIDENCE"
    quote.write_bytes(decode_base64(good.quote) + b"\0")
    told = explain(desk, quote, "--collateral", collateral, *pins, "--json", code=5).json
    assert told["code"] == "QUOTE_LENGTH"
    assert "take the evidence from the host anew" in told["detail"]


def test_a_bundle_is_judged_as_of_its_release(desk):
    made = factories_bundle.make_bundle(small=True)
    (desk.folder / "lung.sealroom").write_bytes(made.data)
    save_trust(made.trust, desk.folder / "pins.toml")
    told = explain(
        desk, desk.folder / "lung.sealroom", "--trust", desk.folder / "pins.toml", "--at", "bundle", "--json"
    ).json
    assert told["accepted"]
    released = Unverified.parse(made.parts.releases[0], KeyRelease).claimed.time
    assert told["verified_at"] == released
    assert told["time_verified"] is False
    words = (desk.folder / "lung.sealroom", "--trust", desk.folder / "pins.toml")
    assert explain(desk, *words, "--at", "bundle").out.startswith(f"TIME NOT VERIFIED: judged as of {released}")


def test_a_bundle_is_judged_as_of_now_unless_its_word_is_taken(desk):
    """What a file says of its own time is not verified here."""
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
    made = factories_bundle.make_bundle(small=True, at=at)
    (desk.folder / "lung.sealroom").write_bytes(made.data)
    save_trust(made.trust, desk.folder / "pins.toml")
    words = (desk.folder / "lung.sealroom", "--trust", desk.folder / "pins.toml")
    told = explain(desk, *words, "--json", code=5).json
    assert told["time_verified"] is True
    assert parse_time(told["verified_at"]) < at
    assert "in the future" in explain(desk, *words, "--at", "bundle", code=4).err


def test_only_a_bundle_states_a_time(desk):
    words = ("--policy", SIMULATED, "--at", "bundle")
    assert "--at bundle goes with a result bundle" in explain(desk, evidence(desk), *words, code=2).err


def test_now_is_the_time_of_evidence_without_one(desk):
    told = explain(desk, evidence(desk), "--policy", SIMULATED, "--json", code=5).json
    assert parse_time(told["verified_at"]) >= datetime.now(UTC) - timedelta(minutes=5)


def test_endorsements_and_withdrawal_lists_may_be_at_hand(desk):
    key = public_key(KEY)
    wanted = SIMULATED.read_text("utf-8").replace("endorsements_wanted = 0", "endorsements_wanted = 1")
    wanted = wanted.replace("\nendorsers = []", f'\nendorsers = [{{ institution = "a", key = "{key}" }}]')
    wanted = wanted.replace("withdrawal_publishers = []", f'withdrawal_publishers = ["{key}"]')
    pins = ("--policy", desk.write("wanted.toml", wanted), "--root", desk.folder / "root.pem", *AT)
    told = explain(desk, evidence(desk), *pins, "--json", code=5).json
    assert [item["code"] for item in told["claims"] if item["code"]] == ["MEASUREMENT_ENDORSED", "WITHDRAWALS_MISSING"]
    endorsement = MeasurementEndorsement(
        institution="a",
        profile="clinical",
        measurement=attested.MEASUREMENT,
        files="00" * 32,
        time=format_time(attested.NOW),
    )
    until = format_time(attested.NOW + timedelta(days=9))
    none = WithdrawalList(publisher=key, number=1, issued=format_time(attested.NOW), next_update=until, withdrawn=())
    files = []
    for option, document in (("--endorsement", endorsement), ("--withdrawals", none)):
        path = desk.folder / f"{option[2:]}.json"
        path.write_bytes(sign(document, KEY).envelope.to_bytes())
        files += [option, path]
    assert explain(desk, evidence(desk), *pins, *files, "--json").json["accepted"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "USAGE"),
        (("--policy", SIMULATED, "--at", "yesterday"), 4, "TIME"),
        (("--policy", "absent.toml"), 9, "FILE_MISSING"),
    ],
)
def test_what_is_missing_or_wrong_is_said(desk, words, code, said):
    assert explain(desk, evidence(desk), *words, "--json", code=code).json["code"] == said


def test_without_pins_only_intels_root_counts(desk):
    told = explain(desk, evidence(desk), "--policy", SIMULATED, *AT, code=5).out
    assert "  hardware root  [ROOT_UNKNOWN]\n" in told


# Policies


def test_a_policy_in_words(desk):
    assert (
        "Any measurement is accepted that the contract names."
        in desk.run("attestation", "policy", "show", HARDWARE).out
    )
    assert desk.run("attestation", "policy", "show", HARDWARE, "--json").json[0].startswith("Hardware only")


def test_the_difference_of_two_policies(desk):
    told = desk.run("attestation", "policy", "diff", HARDWARE, SIMULATED).out
    assert told.startswith("LOOSER: simulation: Before: Hardware only")
    assert "\nLOOSER: platform.advisories: " in told
    back = desk.run("attestation", "policy", "diff", SIMULATED, HARDWARE, "--json").json
    assert {item["effect"] for item in back} == {"stricter"}
    assert "Both accept the same." in desk.run("attestation", "policy", "diff", HARDWARE, HARDWARE).err


def test_what_accepts_more_stands_first(desk):
    other = (
        HARDWARE.read_text("utf-8")
        .replace("isv_prod_id = 0", "isv_prod_id = 1")
        .replace("tcb_info = 30", "tcb_info = 9")
    )
    other = other.replace("root_ca_crl = 400", "root_ca_crl = 401")
    told = desk.run("attestation", "policy", "diff", HARDWARE, desk.write("o.toml", other)).out
    assert [line.partition(": ")[0] for line in told.splitlines()] == ["LOOSER and stricter", "LOOSER", "stricter"]


def policy(desk):
    return desk.run("trust", "show", "--json").json["appraisal_policy"]


def test_a_first_policy_is_said_in_words(desk):
    told = desk.run("trust", "set-policy", HARDWARE)
    assert "Hardware only: no simulated platform is accepted." in told.err
    assert policy(desk)


def test_a_policy_that_accepts_more_is_asked_about(desk):
    desk.run("trust", "set-policy", HARDWARE)
    before = policy(desk)
    refused = desk.run("trust", "set-policy", SIMULATED, code=6)
    assert "POLICY_LOOSER" in refused.err
    assert "LOOSER: simulation: " in refused.err
    assert policy(desk) == before
    assert "LOOSER: simulation: " in desk.run("trust", "set-policy", SIMULATED, "--yes").err
    assert "simulation = true" in policy(desk)
    stricter = desk.run("trust", "set-policy", HARDWARE)
    assert "stricter: simulation: " in stricter.err
    assert "simulation = false" in policy(desk)


def test_a_policy_of_an_older_version_can_be_replaced(desk):
    save_trust(Trust(appraisal_policy="version = 1\n"), desk.home / "trust.toml")
    told = desk.run("trust", "set-policy", HARDWARE)
    assert "The policy of now accepts nothing." in told.err
    assert "simulation = false" in policy(desk)
