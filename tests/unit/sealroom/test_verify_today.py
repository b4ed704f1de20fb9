"""``sealroom verify --now`` and ``sealroom collateral``: a bundle of yesterday under today's collateral."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import factories_bundle
import pytest
from faulty_pccs import FaultyPccs
from servers import Service

from attestation.endorsements import collateral_from_json, collateral_to_json
from attestation.simulator.pki import _store, create_keys
from attestation.simulator.platform import Conditions, Platform
from protocol.errors import AttestationError
from protocol.types import decode_base64
from sealroom.cli import main
from sealroom.trust import save_trust
from sealroom.verification import verify_bundle
from sealroom.verification.today import judge_today

OUTPUTS = {"cox": factories_bundle.LUNG["cox"]}
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def made():
    return factories_bundle.make_bundle(outputs=OUTPUTS, at=NOW - timedelta(hours=1))


@pytest.fixture
def files(made, tmp_path):
    (tmp_path / "lung.sealroom").write_bytes(made.data)
    save_trust(made.trust, tmp_path / "trust.toml")
    return tmp_path


def collateral(**conditions):
    """The same platform's collateral of today, under other conditions."""
    return Platform(factories_bundle.platform_keys(), Conditions(**conditions)).collateral(
        datetime.now(UTC).replace(microsecond=0)
    )


def today(made, **conditions):
    at = datetime.now(UTC).replace(microsecond=0)
    verified = verify_bundle(made.data, made.trust, now=at)
    return judge_today(verified, made.trust, collateral(**conditions), now=at)


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return caught.value.code or 0, said.out, said.err


def verify(capsys, folder, *flags):
    return run(capsys, "verify", folder / "lung.sealroom", "--trust", folder / "trust.toml", *flags)


def test_nothing_changed(made):
    found = today(made)
    assert found.accepted
    assert (found.advisories_new, found.advisories_gone, found.revoked) == ((), (), "")
    assert "TCB status: UpToDate, as then" in found.lines()
    found.require_accepted()


CHANGED = {
    "OutOfDate": ({"tcb_status": "OutOfDate", "tcb_evaluation": 22}, "TCB_STATUS"),
    "revoked": ({"revoked": True}, "REVOKED"),
    "CA revoked": ({"revoked_by_root": ("intermediate",)}, "REVOKED"),
}


@pytest.mark.parametrize("case", CHANGED)
def test_what_holds_no_longer(made, case):
    conditions, code = CHANGED[case]
    found = today(made, **conditions)
    assert code in {check.code for check in found.failed}
    with pytest.raises(AttestationError, match=code) as caught:
        found.require_accepted()
    assert (caught.value.code, caught.value.exit_code) == ("APPRAISAL_CHANGED", 5)
    assert any(line.startswith("holds no longer:") and f"({code})" in line for line in found.lines())
    assert ("revoked since: none" in found.lines()) is (code != "REVOKED")
    if case == "OutOfDate":
        assert "TCB status: UpToDate then, OutOfDate today" in found.lines()
        assert "TCB evaluation number: 20 then, 22 today" in found.lines()


def test_advisories_new_and_gone(made):
    found = today(made, advisories=("INTEL-SA-00615", "INTEL-SA-00334"))
    assert found.advisories_new == ("INTEL-SA-00334", "INTEL-SA-00615")
    assert "new advisories: INTEL-SA-00334, INTEL-SA-00615" in found.lines()
    before = factories_bundle.make_bundle(
        outputs=OUTPUTS, at=NOW - timedelta(hours=1), conditions=Conditions(advisories=("INTEL-SA-00334",))
    )
    assert today(before).advisories_gone == ("INTEL-SA-00334",)


@pytest.mark.parametrize(
    "older",
    [
        {"shifts": {"tcb_info": -timedelta(days=20)}},
        {"shifts": {"qe_identity": -timedelta(days=20)}},
        {"shifts": {"pck_crl": -timedelta(days=20)}},
        {"shifts": {"root_ca_crl": -timedelta(days=20)}},
        {"tcb_evaluation": 19},
    ],
)
def test_collateral_older_than_the_bundles_own_is_refused(made, older):
    with pytest.raises(AttestationError, match="the bundle's own has number") as caught:
        today(made, **older)
    assert caught.value.code == "COLLATERAL_ROLLBACK"


def test_dates_of_issue_are_said(made):
    lines = today(made).lines()
    for item in ("TCB information", "QE identity", "PCK CRL", "root CRL"):
        assert any(line.startswith(f"{item} issued: ") and line.endswith(" today") for line in lines)


def test_the_command_says_what_changed_and_exits_with_5(capsys, files):
    path = files / "collateral.json"
    path.write_text(collateral_to_json(collateral(tcb_status="OutOfDate")))
    status, out, err = verify(capsys, files, "--now", "--collateral", path)
    assert status == 5
    assert "VERIFIED" in err
    assert "now  TCB status: UpToDate then, OutOfDate today" in out
    assert "APPRAISAL_CHANGED: The bundle verifies as of its own time" in err
    status, out, err = verify(capsys, files, "--now", "--collateral", path, "--json")
    value = json.loads(out)
    assert (status, err, value["verified"], value["code"]) == (5, "", True, "APPRAISAL_CHANGED")
    assert value["today"]["tcb_status"] == ["UpToDate", "OutOfDate"]
    assert [line["code"] for line in value["today"]["holds_no_longer"]] == ["TCB_STATUS"]


def test_the_command_says_that_nothing_changed(capsys, files):
    (files / "many").mkdir()
    for name in ("a", "b"):
        (files / "many" / f"{name}.json").write_text(collateral_to_json(collateral()))
    status, out, err = verify(capsys, files, "--now", "--collateral", files / "many")
    assert (status, "TODAY: the evidence would be accepted again." in err) == (0, True)
    assert "now  revoked since: none" in out
    status, out, _ = verify(capsys, files, "--now", "--collateral", files / "many", "--json")
    assert (status, json.loads(out)["today"]["accepted"]) == (0, True)


@pytest.mark.parametrize(
    "flags",
    [
        ("--now",),
        ("--pccs", "http://127.0.0.1:1"),
        ("--collateral", "c"),
        ("--now", "--pccs", "x", "--collateral", "c"),
        ("--pccs", "x", "--collateral", "c"),
    ],
)
def test_now_goes_with_one_source(capsys, files, flags):
    status, _, err = verify(capsys, files, *flags)
    assert status == 2
    assert "--now goes with one of" in err


def test_collateral_that_is_not_this_platforms(capsys, files):
    path = files / "collateral.json"
    path.write_text(collateral_to_json(Platform(create_keys(NOW - timedelta(days=1))).collateral(NOW)))
    status, _, err = verify(capsys, files, "--now", "--collateral", path)
    assert (status, "COLLATERAL_MISSING" in err) == (5, True)


def test_collateral_is_shown_with_what_expires_first(capsys, tmp_path):
    path = tmp_path / "collateral.json"
    path.write_text(collateral_to_json(collateral(crl_shift=-timedelta(days=31))))
    status, out, _ = run(capsys, "collateral", "show", path)
    assert status == 0
    assert out.startswith("FMSPC 5ea100000001, PCE 0000\n")
    assert out.count("EXPIRED") == 2
    assert "first to expire: PCK CRL" in out
    value = json.loads(run(capsys, "collateral", "show", path, "--json")[1])
    assert [item["expired"] for item in value["items"]] == [False, False, True, True]
    assert value["first_to_expire"] == "PCK CRL"
    path.write_text("{}")
    assert run(capsys, "collateral", "show", path)[0] == 5


def test_collateral_is_shown_where_lists_have_no_number(capsys, tmp_path):
    path = tmp_path / "collateral.json"
    path.write_text(collateral_to_json(collateral(crl_numbers=False)))
    assert run(capsys, "collateral", "show", path)[1].count("none") == 2


def test_the_kept_items_are_given_while_the_source_is_away(capsys, made, tmp_path):
    quote = tmp_path / "quote.bin"
    quote.write_bytes(decode_base64(made.parts.evidence.quote))
    old = Platform(factories_bundle.platform_keys()).collateral(NOW - timedelta(days=25))
    flags = ("--quote", quote, "--out", tmp_path / "out.json", "--cache", tmp_path / "kept")
    with FaultyPccs(old) as pccs:
        assert run(capsys, "collateral", "fetch", "--pccs", pccs.url, *flags)[0] == 0
        pccs.faults = dict.fromkeys(("tcb", "identity", "pckcrl", "rootcacrl"), (404, {}, b""))
        status, _, err = run(capsys, "collateral", "fetch", "--pccs", pccs.url, *flags)
        assert (status, err.count("COLLATERAL_UNKNOWN: ") > 0) == (0, True)
        assert collateral_from_json((tmp_path / "out.json").read_text()) == old
        status, _, err = run(capsys, "collateral", "fetch", "--pccs", pccs.url, *flags[:4])
        assert (status, err.split(":")[0]) == (10, "COLLATERAL_UNKNOWN")


def test_by_real_processes_over_http(made, files):
    """The simulated platform as a PCCS; fetch and verify as commands of their own."""
    _store(factories_bundle.platform_keys(), files / "state" / "platform")
    simulator = Service("simulator", lambda: ["simulator", "serve", "--state", str(files / "state")], files / "log")
    url = simulator.start()["url"]
    (files / "evidence.json").write_text(made.parts.evidence.model_dump_json())

    def sealroom(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "sealroom", *arguments],
            cwd=files,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    try:
        for quote in ("lung.sealroom", "evidence.json"):
            fetched = sealroom("collateral", "fetch", "--pccs", url, "--quote", quote, "--out", "c.json", "--json")
            assert fetched.returncode == 0, fetched.stderr
            assert json.loads(fetched.stdout)["fmspc"] == "5ea100000001"
        checked = sealroom("verify", "lung.sealroom", "--trust", "trust.toml", "--now", "--pccs", url, "--json")
        assert checked.returncode == 0, checked.stdout
        assert json.loads(checked.stdout)["today"]["accepted"]
        with FaultyPccs(collateral(revoked=True)) as revoking:
            checked = sealroom("verify", "lung.sealroom", "--trust", "trust.toml", "--now", "--pccs", revoking.url)
        assert checked.returncode == 5, checked.stderr
        assert "revoked since: SIMULATED SEALROOM SGX PCK Certificate" in checked.stdout
        assert "APPRAISAL_CHANGED" in checked.stderr
    finally:
        simulator.stop()
    away = sealroom("verify", "lung.sealroom", "--trust", "trust.toml", "--now", "--pccs", url)
    assert (away.returncode, away.stderr.splitlines()[-1].split(":")[0]) == (10, "COLLATERAL_UNREACHABLE")
