import re
from pathlib import Path

import attested
import pytest

from attestation.policy import ATTRIBUTE_BITS, Masked, load_policy, manifests_folder
from attestation.roots import INTEL_ROOT
from protocol.errors import AttestationError

PRODUCTION = (manifests_folder() / "appraisal.toml").read_text("utf-8")
KEYS = re.findall(r"^([a-z_]+) =", PRODUCTION, re.MULTILINE)


def refuse(text, words=""):
    with pytest.raises(AttestationError) as caught:
        load_policy(text)
    assert caught.value.code == "POLICY"
    assert words in caught.value.detail


def put(key, value):
    text, count = re.subn(rf"^{key} = .*$", f"{key} = {value}", PRODUCTION, flags=re.MULTILINE)
    assert count == 1
    return text


def test_the_policies_that_ship():
    hardware, simulated = attested.policy("appraisal.toml"), attested.policy("appraisal.simulated.toml")
    assert not hardware.simulation
    assert simulated.simulation
    assert hardware.platform.tcb_statuses == ("UpToDate", "SWHardeningNeeded")
    assert hardware.platform.hardware_roots == (INTEL_ROOT.digest,)
    assert hardware.platform.advisories == ()
    same = {name: getattr(hardware.platform, name) for name in ("hardware_roots", "minimum_tcb_date", "advisories")}
    platform = simulated.platform.model_copy(update=same)
    assert simulated.model_copy(update={"simulation": False, "platform": platform}) == hardware
    flags = hardware.enclave.attributes
    assert flags.holds(0x05)
    assert flags.holds(0x05 | 0x80 | 0x400)
    for bit in range(64):
        if bit not in {0, 2, 7, 10}:
            assert not flags.holds(0x05 | 1 << bit)
    assert not flags.holds(0x01)
    assert hardware.enclave.xfrm.holds(0xE7)
    assert hardware.enclave.xfrm.holds(0x07)
    assert not hardware.enclave.xfrm.holds(0x0207)


def test_the_manifests_folder_is_beside_the_package():
    assert manifests_folder() == Path(__file__).resolve().parents[3] / "manifests"


@pytest.mark.parametrize("key", KEYS)
def test_no_key_may_be_missing(key):
    refuse(re.sub(rf"^{key} = .*$", "", PRODUCTION, flags=re.MULTILINE), key)


@pytest.mark.parametrize("table", ["reference_values", "platform", "enclave", "collateral_age_days"])
def test_no_table_may_be_missing_and_no_key_unknown(table):
    at = PRODUCTION.index(f"[{table}]")
    end = PRODUCTION.find("\n[", at)
    refuse(PRODUCTION[:at] + (PRODUCTION[end:] if end > 0 else ""), table)
    refuse(PRODUCTION.replace(f"[{table}]\n", f"[{table}]\nextra = 1\n"), "extra")
    refuse("surprise = 1\n" + PRODUCTION, "surprise")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("version", "2"),
        ("version", '"1"'),
        ("simulation", '"false"'),
        ("simulation", "0"),
        ("tcb_statuses", '["Revoked"]'),
        ("tcb_statuses", '"UpToDate"'),
        ("measurements", '"none"'),
        ("measurements", f'["{"AB" * 32}"]'),
        ("endorsements_wanted", "-1"),
        ("endorsements_wanted", "1"),
        ("endorsers", '"any"'),
        ("withdrawal_publishers", f'["{"00" * 32}"]'),
        ("hardware_roots", '["44a0"]'),
        ("hardware_roots", "true"),
        ("minimum_tcb_date", '"2024-03-13"'),
        ("minimum_tcb_date", '"2024-02-30T00:00:00Z"'),
        ("minimum_tcb_date", "2024-03-13T00:00:00Z"),
        ("fmspcs", '["00906ED50000"]'),
        ("ppids", f'["{"ab" * 15}"]'),
        ("ppids", f'["{"AB" * 16}"]'),
        ("minimum_pck_crl_number", "4294967296"),
        ("minimum_root_crl_number", '"0"'),
        ("advisories", '"none"'),
        ("advisories", '["intel"]'),
        ("qe_vendor_id", '"939A7233F79C4CA9940A0DB3957F0607"'),
        ("minimum_tcb_evaluation", "-1"),
        ("minimum_qe_evaluation", "17.0"),
        ("smt", '"on"'),
        ("dynamic_platform", "true"),
        ("cached_keys", '""'),
        ("attributes", '{ mask = "0x37" }'),
        ("xfrm", '{ mask = "0x3", value = "0x7" }'),
        ("miscselect", '{ mask = "ffffffff", value = "0x0" }'),
        ("isv_prod_id", "65536"),
        ("minimum_isv_svn", "-1"),
        ("config_id", '"00"'),
        ("isv_family_id", '"zz"'),
        ("tcb_info", "0"),
        ("root_ca_crl", "3651"),
        ("pck_crl", "2026-01-01"),
    ],
)
def test_wrong_values_are_refused_by_the_name_of_their_key(key, value):
    refuse(put(key, value), "" if value[-1] in "Z1" and value[0] == "2" else key)


@pytest.mark.parametrize("name", ATTRIBUTE_BITS)
def test_a_policy_cannot_leave_a_named_attribute_open_or_turn_it_round(name):
    bit = ATTRIBUTE_BITS[name]
    masked = 0x37 & ~bit
    refuse(put("attributes", f'{{ mask = "{masked:#x}", value = "{0x05 & masked:#x}" }}'), name)
    refuse(put("attributes", f'{{ mask = "0x37", value = "{0x05 ^ bit:#x}" }}'), name)


@pytest.mark.parametrize("text", ["", "not toml =", "= 1", "version = 1979-05-27", "[[platform]]", "x" * 70_000])
def test_what_is_no_policy_is_refused(text):
    refuse(text)


def test_advisories_are_listed_or_any():
    assert load_policy(put("advisories", "[]")).platform.advisories == ()
    assert load_policy(put("advisories", '["INTEL-SA-00615"]')).platform.advisories == ("INTEL-SA-00615",)
    assert load_policy(put("advisories", '"any"')).platform.advisories == "any"


def test_masked_numbers():
    masked = Masked(mask="0xf0", value="0x50")
    assert masked.holds(0x5A)
    assert not masked.holds(0x6A)
    assert (masked.looked_at, masked.wanted) == (0xF0, 0x50)


def test_narrowing_only_takes_away():
    policy = attested.policy()
    assert policy.narrowed(["UpToDate", "OutOfDate"]).platform.tcb_statuses == ("UpToDate",)
    assert policy.narrowed(tcb_statuses=()).platform.tcb_statuses == ()
    assert policy.narrowed(["SWHardeningNeeded", "UpToDate"]) == policy


A_KEY, ANOTHER = "5e" * 32, "5f" * 32


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("endorsers", f'[{{ institution = "a", key = "{A_KEY}" }}, {{ institution = "a", key = "{ANOTHER}" }}]'),
        ("endorsers", f'[{{ institution = "a", key = "{A_KEY}" }}, {{ institution = "b", key = "{A_KEY}" }}]'),
        ("withdrawal_publishers", f'["{A_KEY}", "{A_KEY}"]'),
    ],
)
def test_nobody_vouches_or_withdraws_twice(key, value):
    refuse(put(key, value), "reference_values: an endorser or publisher stands there twice")


def test_nothing_deep_is_parsed():
    refuse(PRODUCTION + "x = " + "[" * 20_000, "found 16 or more brackets")


def test_a_value_that_may_be_any_says_so():
    refuse(put("ppids", '["AB"]'), "platform.ppids.0: String should match pattern '^[0-9a-f]{32}$' (or \"any\")")
    refuse(put("ppids", '"none"'), 'platform.ppids: Input should be a valid array (or "any")')
