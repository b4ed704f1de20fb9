"""Each forged condition is refused with its code; acceptable ones are accepted where the policy says so."""

import json
import re
import stat
from dataclasses import replace
from functools import cache
from pathlib import Path

import attested
import pytest
from attested import DAY, NOW

from attestation import verifier
from attestation.certificates import load_certificate
from attestation.quote import parse_quote
from attestation.roots import INTEL_ROOT, load_root
from attestation.simulator.forge import CONDITIONS, EvidenceForge, policy_with
from attestation.simulator.forge.__main__ import main
from attestation.simulator.pki import load_or_create_keys
from attestation.verifier import AppraisalRefused, appraise
from protocol.documents import Collateral, Evidence
from protocol.errors import AttestationError
from protocol.types import decode_base64

FORGE = EvidenceForge(attested.keys(), NOW)
TAMPERING = {
    "QE_SIGNATURE", "QE_BINDING", "QUOTE_SIGNATURE", "CRL_SIGNATURE", "COLLATERAL_SIGNATURE", "QUOTE_REFUSED",
}  # fmt: skip
"""Codes of altered bytes, which no platform makes: ``tests/security/test_attestation_tamper.py`` has them."""


@cache
def made(name):
    return FORGE.make(CONDITIONS[name])


def judge(name, changes, roots=None):
    forged = made(name)
    return appraise(
        forged.evidence,
        policy=policy_with(changes),
        roots=(forged.root,) if roots is None else roots,
        expected=forged.expected,
        at=NOW,
        reference=forged.reference,
    )


@pytest.mark.parametrize("name", [name for name in CONDITIONS if name != "good"])
def test_each_condition_is_refused_with_its_code(name):
    with attested.refused(CONDITIONS[name].code):
        judge(name, CONDITIONS[name].refused_by)


@pytest.mark.parametrize("name", [name for name in CONDITIONS if CONDITIONS[name].accepted_by is not None])
def test_an_acceptable_condition_is_accepted_by_a_policy_that_allows_it(name):
    condition = CONDITIONS[name]
    assert judge(name, condition.accepted_by).simulated
    assert (condition.accepted_by == {}) == (condition.code is None or bool(condition.refused_by))


@pytest.mark.parametrize("name", CONDITIONS)
def test_nothing_forged_verifies_under_intels_root(name):
    with attested.refused("ROOT_UNKNOWN"):
        judge(name, {}, roots=(INTEL_ROOT,))
    evidence = made(name).evidence
    with pytest.raises(ValueError, match="Verification failed"):
        attested.library(decode_base64(evidence.quote), evidence.collateral, root=INTEL_ROOT)


def test_the_conditions_cover_every_code_that_appraisal_gives():
    told = set(re.findall(r"``([A-Z_]+)``", verifier.__doc__))
    assert {condition.code for condition in CONDITIONS.values()} - {None} == told - TAMPERING


def test_conditions_are_told_apart():
    assert len({condition.words for condition in CONDITIONS.values()}) == len(CONDITIONS)
    assert all(condition.name == name for name, condition in CONDITIONS.items())
    assert [name for name, condition in CONDITIONS.items() if condition.code is None] == ["good"]


@pytest.mark.parametrize(
    ("name", "status", "advisories"),
    [
        ("cpu-svn-low", "OutOfDate", ("INTEL-SA-00828",)),
        ("pce-svn-low", "OutOfDate", ("INTEL-SA-00828",)),
        ("tcb-unknown", "not established", ()),
        ("qe-out-of-date", "OutOfDate", ("INTEL-SA-00615",)),
    ],
)
def test_a_platform_gets_the_level_that_it_reaches(name, status, advisories):
    with pytest.raises(AppraisalRefused) as caught:
        judge(name, {})
    assert (caught.value.result.tcb_status, caught.value.result.advisories) == (status, advisories)


def test_the_platform_is_another_one_where_the_condition_says_so():
    def leaf(name):
        return parse_quote(decode_base64(made(name).evidence.quote)).chain.leaf

    assert leaf("good") == attested.platform().leaf
    assert leaf("ppid-not-listed") != leaf("good") != leaf("from-elsewhere")


# Two of three doors; the third, every dataset policy, is in tests/security/test_simulated_roots.py


def test_a_simulated_root_is_refused_where_the_policy_does_not_allow_it():
    with attested.refused("SIMULATED", "platform"):
        judge("good", {"simulation": False})


def test_a_simulated_root_is_refused_where_it_is_not_pinned():
    for roots in ((), (INTEL_ROOT,), (attested.other_platform().root,)):
        with attested.refused("ROOT_UNKNOWN"):
            judge("good", {}, roots=roots)


# The command


def test_a_condition_is_written_to_files(tmp_path, capsys):
    state = tmp_path / "state"
    assert main(["tcb-out-of-date", "--out", str(tmp_path / "made"), "--state", str(state)]) == 0
    told = capsys.readouterr().out
    assert "refused with TCB_STATUS; accepted where it says platform.tcb_statuses = " in told
    files = [Path(line) for line in told.splitlines()[1:]]
    assert [path.name for path in files] == ["evidence.json", "collateral.json", "root.pem"]
    evidence = Evidence.model_validate_json(files[0].read_text())
    assert Collateral.model_validate_json(files[1].read_text()) == evidence.collateral
    root = load_root(files[2].read_text())
    keys = load_or_create_keys(state / "platform", NOW)
    assert root.certificate == keys.certificates["root"]
    assert stat.S_IMODE((state / "platform").stat().st_mode) == 0o700
    expected = replace(made("good").expected, nonces=None)
    at = root.certificate.not_valid_before_utc
    with attested.refused("TCB_STATUS", "TCB status"):
        appraise(evidence, policy=policy_with({}), roots=(root,), expected=expected, at=at)


def test_without_a_state_each_platform_is_a_new_one(tmp_path, capsys):
    for folder in ("one", "two"):
        assert main(["good", "--out", str(tmp_path / folder), "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert told["conditions"][0]["code"] is None
        assert told["files"][0] == str(tmp_path / folder / "evidence.json")
    assert (tmp_path / "one/root.pem").read_text() != (tmp_path / "two/root.pem").read_text()


def test_the_list_names_every_condition(capsys):
    assert main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == list(CONDITIONS)
    assert lines[0] == "good: Everything is in good order. It is accepted."
    assert 'platform.smt = "off"; accepted where it says what the shipped one says.' in "\n".join(lines)
    assert main(["--list", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [entry["name"] for entry in found["conditions"]] == list(CONDITIONS)
    assert found["files"] == []


def test_an_unknown_condition_names_the_list(tmp_path, capsys):
    assert main(["nothing", "--out", str(tmp_path)]) == AttestationError.exit_code
    assert "CONDITION: There is no condition 'nothing'" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_to(tmp_path, capsys):
    taken = tmp_path / "file"
    taken.write_text("")
    assert main(["good", "--out", str(taken)]) != 0
    assert "Choose another folder." in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["good"]])
def test_a_name_needs_a_folder(arguments, capsys):
    with pytest.raises(SystemExit):
        main(arguments)
    assert "give --list, or the name of a condition and --out" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "position"), [("pck", "leaf"), ("intermediate", "intermediate"), ("root", "root")])
def test_certificates_end_before_the_platform_was_made_or_start_when_it_ends(name, position):
    whole = attested.keys().certificates["root"]

    def certificate(state):
        chain = parse_quote(decode_base64(made(f"{name}-{state}").evidence.quote)).chain
        return load_certificate(getattr(chain, position))

    assert certificate("expired").not_valid_after_utc == whole.not_valid_before_utc - DAY
    assert certificate("early").not_valid_before_utc == whole.not_valid_after_utc - DAY
