"""A whole study with real processes, by public commands: its numbers, its proof, its limits."""

import importlib
import json
import math
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import custody
import factories
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from partner_desk import Desk
from typer.main import get_command
from world import PARTIES, PROJECT, gone, wait_until

from protocol.canonical import canonical_bytes
from sealroom.cli import NOUNS
from sealroom.demo.lung import SURVIVAL
from sealroom.demo.script import as_script, steps
from sealroom.demo.stage import open_stage

R = json.loads((PROJECT / "tests" / "reference" / "lung_three_partners.reference.json").read_text("utf-8"))
SEALROOM = str(Path(sys.executable).with_name("sealroom"))


@pytest.fixture(scope="module")
def released(world_of_session, tmp_path_factory):
    """What A's analyst finds in outputs.json, by output."""
    out = tmp_path_factory.mktemp("opened")
    world_of_session.run("a", "result", "open", world_of_session.study.bundle, "--out", out)
    assert "SIMULATED" in (out / "report.html").read_text("utf-8")
    return {entry["output"]: entry["value"] for entry in json.loads((out / "outputs.json").read_bytes())["outputs"]}


def sealroom(*words, **environment):
    """Run the public command as a process, in an environment without a home or a network proxy."""
    known = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"} | environment
    return subprocess.run(
        [SEALROOM, *map(str, words)], capture_output=True, text=True, env=known, check=False, timeout=120
    )


def digits(value, count):
    return float(f"{value:.{count}g}")


def five(count):
    return 5 * math.floor(count / 5 + 0.5)


@pytest.mark.parametrize(("output", "answer"), [("cox", "cox_pooled"), ("cox-stratified", "cox_strata_partner")])
def test_released_hazards_are_rs_rounded(released, output, answer):
    found, wanted = released[output], R[answer]
    assert [float(term["coefficient"]) for term in found["terms"]] == [digits(b, 4) for b in wanted["coef"]]
    assert [float(term["standard_error"]) for term in found["terms"]] == [digits(s, 4) for s in wanted["se"]]
    for term, b, s in zip(found["terms"], wanted["coef"], wanted["se"], strict=True):
        p = math.erfc(abs(b / s) / math.sqrt(2))
        assert term["p"] == ("<0.001" if p < 0.001 else f"{p:.2g}")
    # One patient has no ECOG score: so few are counted as if they had one, for else the number would tell of him.
    assert (wanted["n"], found["subjects"]) == (227, five(228))
    assert found["events"] == five(wanted["events"])


@pytest.mark.parametrize(
    ("output", "answer"), [("log-rank", "logrank_sex"), ("log-rank-stratified", "logrank_sex_strata_partner")]
)
def test_released_tests_are_rs_rounded(released, output, answer):
    found, wanted = released[output], R[answer]
    assert (float(found["statistic"]), found["df"]) == (digits(wanted["chisq"], 4), wanted["df"])
    assert found["p"] == f"{math.erfc(math.sqrt(wanted['chisq'] / 2)):.2g}"


def test_released_curves_are_rs_rounded(released):
    wanted, names = R["km_by_sex"], {2 + index: index for index in range(5)}
    days = {}
    for group in released["kaplan-meier"]["groups"]:
        sex = f"sex{group['label'] + 1}"
        days[sex] = [wanted["times"][names[point["label"]]] for point in group["points"]]
        for point in group["points"]:
            place = names[point["label"]]
            assert point["survival"] == f"{wanted[f'surv_{sex}'][place]:.2f}"
            assert point["at_risk"] == math.ceil(wanted[f"at_risk_{sex}"][place] / 6) * 6 - 3
    # Which intervals are merged is for tests/reference; a curve stops where fewer than ten are at risk.
    for sex, found in days.items():
        assert 365 in found and found == sorted(found)
        assert all(wanted[f"at_risk_{sex}"][wanted["times"].index(day)] >= 10 for day in found)
    assert set(days) == {"sex1", "sex2"}


@pytest.mark.parametrize("party", ["a", "c"])
def test_the_result_verifies_anywhere_under_the_pins_of_a_party(world, tmp_path, party):
    shutil.copy(world.study.bundle, tmp_path / "x.sealroom")
    shutil.copy(world.desks[party].home / "trust.toml", tmp_path)
    done = sealroom("verify", tmp_path / "x.sealroom", "--trust", tmp_path / "trust.toml", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    answer = json.loads(done.stdout)
    assert (answer["verified"], answer["simulated"], answer["run"]) == (True, True, world.study.run)
    assert answer["measurement"] == world.measurement
    assert {check["status"] for check in answer["checks"]} == {"holds"}


def other_world(folder):
    """Pins like a party's, of a world whose names are the same and whose keys are all others."""
    desk = Desk(folder)
    folder.mkdir(exist_ok=True)
    desk.run("institution", "init", "--short", "a", "--name", PARTIES["a"][0])
    for party in ("b", "c"):
        envelope = factories.make_institution(party, at=custody.datetime.now(factories.UTC)).institution.envelope
        path = desk.folder / f"{party}.json"
        path.write_bytes(envelope.to_bytes())
        desk.run("trust", "add-institution", path, "--compared")
    root = desk.folder / "root.pem"
    root.write_bytes(custody.platform_keys().certificates["root"].public_bytes(Encoding.PEM))
    desk.run("trust", "add-hardware-root", root, "--compared")
    keys = desk.folder / "custodian.json"
    keys.write_bytes(canonical_bytes(factories.CustodianPair().keys.model_dump(mode="json")))
    desk.run("trust", "add-custodian", keys, "--compared")
    desk.run("trust", "set-policy", PROJECT / "manifests" / "appraisal.simulated.toml")
    desk.run("trust", "add-measurement", "clinical", "ab" * 32, "--compared")
    return desk.home / "trust.toml"


def test_the_pins_of_another_world_do_not_hold(world, tmp_path):
    trust = other_world(tmp_path / "other")
    done = sealroom("verify", world.study.bundle, "--trust", trust, "--json")
    assert done.returncode == 3, done.stdout
    answer = json.loads(done.stdout)
    assert (answer["verified"], answer["code"]) == (False, "UNANCHORED")
    open_ones = {check["title"] for check in answer["checks"] if check["status"] == "unanchored"}
    assert {"Institutions", "Custodians", "Measurement"} <= open_ones
    assert not {check["title"] for check in answer["checks"] if check["status"] == "fails"}


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_one_changed_byte_of_the_bundle_is_found(world, tmp_path, place):
    data = bytearray(world.study.bundle.read_bytes())
    # A letter stays a letter: what is found is not that the JSON broke.
    at = next(i for i in range(int(len(data) * place), len(data)) if chr(data[i]) in "ABCDEFGHIJKLM")
    data[at] += 1
    (tmp_path / "x.sealroom").write_bytes(data)
    done = sealroom("verify", tmp_path / "x.sealroom", "--trust", world.desks["a"].home / "trust.toml", "--json")
    assert done.returncode == 4, done.stdout
    assert json.loads(done.stdout)["verified"] is False


def test_a_contract_of_one_run_runs_once(world):
    before = world.custody()
    answer = world.run("a", "run", "start", "--contract", world.study.contract, code=6)
    assert answer["code"] == "RUNS_SPENT"
    assert world.custody() == before
    assert len([run for run in world.run("a", "run", "list") if run["contract"] == world.study.contract]) == 1


def test_the_study_stands_in_every_partys_lists(world):
    for party in PARTIES:
        runs = {run["run"]: run for run in world.run(party, "run", "list")}
        assert runs[world.study.run]["state"] == "finished"
        status = world.run(party, "run", "status", world.study.run)
        assert status == runs[world.study.run]
        listed = {(entry["owner"], entry["short"]): entry for entry in world.run(party, "dataset", "list")}
        for owner, rows in zip(PARTIES, R["rows"], strict=True):
            entry = listed[owner, f"lung-{owner}"]
            assert (entry["state"], entry["rows"], entry["version"]) == ("complete", rows, 1)
        contracts = {entry["name"]: entry for entry in world.run(party, "contract", "list")}
        assert contracts[world.study.contract]["approvals"] == 3


def test_the_sdk_gives_data_frames(world):
    with_datasets = world.client("b").datasets().frame()
    assert set(with_datasets["short"]) >= {"lung-a", "lung-b", "lung-c"}
    for party in PARTIES:
        result = world.client(party).result(world.study.run)
        assert result.simulated
        assert result["cox"]["coefficient"].tolist() == [digits(b, 4) for b in R["cox_pooled"]["coef"]]
        assert result.log_rank["statistic"].tolist() == [digits(R["logrank_sex"]["chisq"], 4)]
        assert list(result.outputs) == [
            "cox",
            "cox-stratified",
            "kaplan-meier",
            "log-rank",
            "log-rank-stratified",
            "subjects",
        ]


def test_each_line_of_the_script_is_a_command_that_exists():
    lines = [line for step in steps(SURVIVAL) for line in step.lines]
    script = [line for line in as_script(SURVIVAL).splitlines() if line and not line.startswith("#")]
    assert script[-len(lines) :] == lines
    subprocess.run(["/bin/sh", "-n"], input=as_script(SURVIVAL), text=True, check=True)
    played = 0
    for line in lines:
        words = shlex.split(line.partition(" > ")[0].replace('"$(cat "$WORK/run.txt")"', "0" * 32))
        if words[0] in {"a", "b", "c", "sealroom"}:
            noun, *rest = words[1:]
            command = get_command(getattr(importlib.import_module(NOUNS[noun].module), NOUNS[noun].attribute))
            while hasattr(command, "commands"):
                command = command.commands[rest.pop(0)]
            command.make_context("sealroom", rest, resilient_parsing=False)  # parses, and refuses what it does not know
            played += 1
        else:
            assert words[0] == "cp"
    assert played > 40


def demo(out, log):
    with log.open("w") as sink:
        return subprocess.Popen(
            [SEALROOM, "demo", "--out", str(out)], stdout=sink, stderr=subprocess.STDOUT, start_new_session=True
        )


def services(pid):
    """Return the process ids of a demo's platform, broker and host."""
    children = [int(c) for task in Path(f"/proc/{pid}/task").glob("*/children") for c in task.read_text().split()]
    commands = {child: Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0") for child in children}
    return [
        child for child, words in commands.items() if {b"attestation.simulator", b"broker", b"broker.host"} & {*words}
    ]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_demo_runs_again_after_an_interruption(tmp_path, number):
    out, log = tmp_path / "demo", tmp_path / "log"
    first, left = demo(out, log), []
    try:
        wait_until(lambda: "== 2. Upload" in log.read_text(), 120)
        left = services(first.pid)
        assert len(left) == 3
        first.send_signal(number)
        assert first.wait(60) != 0
        if number != signal.SIGKILL:
            wait_until(lambda: all(map(gone, left)), 30)
    finally:
        first.kill()
        first.wait()
        for pid in left:  # after kill -9 they are left, and do not hinder the next demo
            if not gone(pid):
                os.kill(pid, signal.SIGKILL)
    again = demo(out, log)
    try:
        assert again.wait(300) == 0, log.read_text()
    finally:
        again.kill()
        again.wait()
    told = [line.strip()[2:] for line in log.read_text().splitlines() if line.startswith("   $ ")]
    assert told == [line for step in steps(SURVIVAL) for line in step.lines]
    assert (out / "commands.txt").read_text("utf-8") == as_script(SURVIVAL)
    names = {"a", "b", "c", "result.sealroom", "trust.toml", "outputs.json", "report.html", "commands.txt"}
    assert names <= {path.name for path in out.iterdir()}
    if number == signal.SIGINT:
        replays(out, tmp_path)


def replays(out, tmp_path):
    """Replay commands.txt against a fresh broker, with the demo's inputs."""
    folder = tmp_path / "again"
    folder.mkdir()
    with open_stage(folder, SURVIVAL) as stage:
        known = stage.environment | {"INPUTS": str(out / "inputs"), "WORK": str(folder)}
        done = subprocess.run(
            ["/bin/sh", str(out / "commands.txt")], env=known, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 0, done.stderr
    first, again = (json.loads((place / "outputs.json").read_bytes()) for place in (out, folder))
    assert again["outputs"] == first["outputs"]
    assert again["run"] != first["run"]
