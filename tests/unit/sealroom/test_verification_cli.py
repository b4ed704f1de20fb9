"""The commands as they are used: real files, real keys, a real broker; verification without any network."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import broker_scene
import custody
import factories
import factories_bundle
import pytest

from custodian.keys import CustodianSecrets
from protocol.canonical import parse_canonical
from protocol.keyfile import open_secret
from sealroom.cli import main
from sealroom.cli.output import wrapped
from sealroom.home import Home
from sealroom.keystore import Keystore, Passphrase
from sealroom.trust import save_trust

PROJECT = Path(__file__).resolve().parents[3]
PASSPHRASE = "a passphrase of the tests"
OUTPUTS = {name: factories_bundle.LUNG[name] for name in ("cox", "kaplan-meier", "log-rank")}


def make_home(folder, made, party):
    """Lay out the home of one party's analyst, as ``institution init`` and ``member add`` do."""
    home = Home(folder)
    (folder / "passphrase").parent.mkdir(parents=True)
    (folder / "passphrase").write_text(PASSPHRASE + "\n")
    keys = Keystore(home.keys, Passphrase(folder / "passphrase"))
    home.save_institution(party.institution)
    keys.keep_recipient("analyst.recipient", party.people["analyst"].recipient)
    keys.keep_signing("analyst.api", party.people["analyst"].api)
    others = tuple(pin for pin in made.trust.institutions if pin.root != party.key)
    save_trust(factories.changed(made.trust, {"institutions": others}), home.trust_file)
    return home


@pytest.fixture(scope="module")
def made():
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    return factories_bundle.make_bundle(outputs=OUTPUTS, at=at)


@pytest.fixture(scope="module")
def home(made, tmp_path_factory):
    return make_home(tmp_path_factory.mktemp("party") / "home", made, made.study.parties[1])


@pytest.fixture
def files(made, tmp_path):
    """A bundle and pins, as an auditor has them."""
    (tmp_path / "lung.sealroom").write_bytes(made.data)
    save_trust(made.trust, tmp_path / "trust.toml")
    return tmp_path


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return caught.value.code or 0, said.out, said.err


def verify(capsys, folder, *flags, trust="trust.toml"):
    return run(capsys, "verify", folder / "lung.sealroom", "--trust", folder / trust, *flags)


def test_verify_prints_each_check_and_exits_with_0(capsys, files, made):
    status, out, err = verify(capsys, files)
    assert status == 0
    lines = out.splitlines()
    assert len(lines) == 16
    assert lines[0].split()[:4] == ["1", "ok", "Bundle", "canonical,"]
    assert all(line.split()[1] == "ok" for line in lines)
    assert "VERIFIED: all 16 checks hold" in err
    assert "SIMULATED" in err


def test_verify_as_json_is_one_value(capsys, files, made):
    status, out, err = verify(capsys, files, "--json")
    value = json.loads(out)
    assert (status, err) == (0, "")
    assert value["verified"] is True
    assert value["simulated"] is True
    assert value["run"] == made.receipt.predicate.run
    assert [check["number"] for check in value["checks"]] == list(range(1, 17))


def test_verify_exits_with_3_where_a_pin_is_missing(capsys, files, made):
    save_trust(factories.changed(made.trust, {"measurements": ()}), files / "trust.toml")
    status, out, err = verify(capsys, files)
    assert status == 3
    assert out.count("UNANCHORED") == 1
    assert err.startswith("UNANCHORED: Not pinned: measurement.")
    status, out, _ = verify(capsys, files, "--json")
    value = json.loads(out)
    assert (status, value["verified"], value["code"]) == (3, False, "UNANCHORED")
    assert [check["title"] for check in value["checks"] if check["status"] == "unanchored"] == ["Measurement"]


def test_verify_exits_with_the_code_of_what_fails(capsys, files, made):
    broken = made.again(outputs=made.parts.outputs[:-1])
    (files / "lung.sealroom").write_bytes(broken.data)
    status, out, err = verify(capsys, files)
    assert status == 4
    assert out.splitlines()[-1].split()[:4] == ["15", "FAILS", "OUTPUTS", "Outputs"]
    assert err.startswith("OUTPUTS: ")
    assert verify(capsys, files, "--json")[0] == 4


@pytest.mark.parametrize("missing", ["lung.sealroom", "trust.toml"])
def test_verify_says_which_file_is_missing(capsys, files, missing):
    (files / missing).unlink()
    status, _, err = verify(capsys, files)
    assert (status, err.split(":")[0]) == (9, "FILE_MISSING")
    assert missing in err


def test_verify_needs_no_network_no_home_and_no_service_code(files):
    """In a process that ends when a socket is made, without a home."""
    program = (
        "import sys\n"
        "def watch(event, _):\n"
        "    if event.startswith('socket.'): raise SystemExit(f'{event}: no network here')\n"
        "sys.addaudithook(watch)\n"
        "from sealroom.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end:\n"
        "    loaded = {name.split('.')[0] for name in sys.modules} & {'httpx', 'custodian', 'broker', 'enclave', 'pandas'}\n"
        "    print(sorted(loaded), file=sys.stderr)\n"
        "    raise\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "verify", "lung.sealroom", "--trust", "trust.toml"],
        cwd=files,
        env={"PATH": "/usr/bin:/bin", "HOME": str(files / "nowhere")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.endswith("[]\n")
    assert not (files / "nowhere").exists()


@pytest.mark.parametrize("command", [("verify",), ("result", "fetch"), ("result", "open")], ids=" ".join)
def test_help_ends_with_examples(capsys, command):
    status, out, _ = run(capsys, *command, "--help")
    assert status == 0
    shown = [line.strip() for line in out.rpartition("Examples:\n")[2].strip().splitlines()]
    assert len(shown) >= 2
    assert all(line.startswith(" ".join(("sealroom", *command))) for line in shown)


def open_result(capsys, home, bundle, out, *flags):
    return run(
        capsys,
        "result",
        "open",
        bundle,
        "--out",
        out,
        "--home",
        home.folder,
        "--passphrase-file",
        home.folder / "passphrase",
        *flags,
    )


def test_open_writes_outputs_and_report(capsys, files, home, made):
    status, out, err = open_result(capsys, home, files / "lung.sealroom", files / "opened")
    assert status == 0, err
    assert "SIMULATED" in err
    lines = [line.split() for line in out.splitlines()]
    assert ["age", "(per", "year)", "0.01107", "0.009267", "1.01", "0.993", "1.03", "0.23"] in lines
    assert ["sex:", "female", "against", "male", "-0.5526", "0.1677", "0.575", "0.414", "0.799", "<0.001"] in lines
    assert ["log-rank:", "sex", "10.33", "1", "0.0013"] in lines
    value = parse_canonical((files / "opened" / "outputs.json").read_bytes(), limit=2**20)
    assert [item["output"] for item in value["outputs"]] == list(OUTPUTS)
    assert value["run"] == made.receipt.predicate.run
    page = (files / "opened" / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "Verified: all 16 checks hold" in page
    assert (files / "opened" / "report.html").stat().st_mode & 0o077 == 0


def test_open_twice_changes_nothing_and_says_where_files_are(capsys, files, home):
    first = open_result(capsys, home, files / "lung.sealroom", files / "opened", "--json")
    report = (files / "opened" / "report.html").read_bytes()
    second = open_result(capsys, home, files / "lung.sealroom", files / "opened", "--json")
    assert first == second
    assert json.loads(first[1])["report"] == str(files / "opened" / "report.html")
    assert json.loads(first[1])["opened"] == list(OUTPUTS)
    assert (files / "opened" / "report.html").read_bytes() == report


def test_open_never_replaces_another_file(capsys, files, home):
    (files / "report.html").write_text("mine")
    status, _, err = open_result(capsys, home, files / "lung.sealroom", files)
    assert status == 9
    assert err.startswith("FILE_EXISTS")
    assert (files / "report.html").read_text() == "mine"
    assert not (files / "outputs.json").exists()


def test_open_verifies_again(capsys, files, home, made):
    (files / "lung.sealroom").write_bytes(made.again(commits=(made.parts.releases[0],)).data)
    status, _, err = open_result(capsys, home, files / "lung.sealroom", files / "opened")
    assert (status, err.split(":")[0]) == (4, "PAYLOAD_TYPE")
    assert not (files / "opened").exists()


def test_open_takes_other_pins(capsys, files, home, made):
    save_trust(factories.changed(made.trust, {"custodians": ()}), files / "trust.toml")
    status, _, err = open_result(
        capsys, home, files / "lung.sealroom", files / "opened", "--trust", files / "trust.toml"
    )
    assert (status, err.split(":")[0]) == (3, "UNANCHORED")


def test_pins_that_give_the_own_name_to_somebody_else_are_refused(capsys, files, home, made):
    pins = tuple(
        factories.changed(pin, {"root": "ab" * 32}) if pin.short == "south" else pin for pin in made.trust.institutions
    )
    save_trust(factories.changed(made.trust, {"institutions": pins}), files / "trust.toml")
    status, _, err = open_result(
        capsys, home, files / "lung.sealroom", files / "opened", "--trust", files / "trust.toml"
    )
    assert (status, err.split(":")[0]) == (4, "TRUST")


def custodian_pair():
    """The keys of the broker's own custodian, with which the test plays custodian and enclave itself."""
    secrets = CustodianSecrets.from_bytes(open_secret(custody.sealed_keys(), custody.PASSPHRASE))
    return factories.CustodianPair(secrets.signing, secrets.encryption)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A broker that holds the results of two runs of one contract, and the bundle of the first."""
    folder = tmp_path_factory.mktemp("scene")
    outputs = {"cox-pooled": OUTPUTS["cox"]}
    with broker_scene.LiveBroker(folder) as broker:
        scene = broker_scene.Scene(broker, owners=2, policy={"max_runs": 2}, terms={"max_runs": 2})
        scene.ready()
        approvals = tuple(factories.approve(scene.contract, party, at=scene.at) for party in scene.parties)
        study = factories.StudyParts(
            tuple(scene.parties), custodian_pair(), tuple(scene.datasets), scene.recipe, scene.contract, approvals
        )
        bundles = []
        for charged in (1, 2):
            run_id = scene.start()
            lease = scene.host.claim()
            made = factories_bundle.make_bundle(
                study,
                outputs=outputs,
                claims={"run": run_id},
                commit={"runs_charged": charged},
                at=scene.at.replace(microsecond=0) - timedelta(seconds=30),
            )
            broker_scene.must(scene.host.run(lease, "PUT", "/result", made.parts))
            bundles.append(made)
        home = make_home(folder / "home", bundles[0], scene.parties[1])
        home.save_broker(broker.url)
        yield broker, home, bundles


def fetch(capsys, home, run_id, out, *flags):
    return run(
        capsys,
        "result",
        "fetch",
        run_id,
        "--out",
        out,
        "--home",
        home.folder,
        "--passphrase-file",
        home.folder / "passphrase",
        *flags,
    )


def test_fetch_downloads_verifies_and_keeps(capsys, tmp_path, finished):
    _, home, (first, _) = finished
    run_id = first.receipt.predicate.run
    status, out, err = fetch(capsys, home, run_id, tmp_path)
    assert status == 0, err
    assert out.strip() == str(tmp_path / f"{run_id}.sealroom")
    assert (tmp_path / f"{run_id}.sealroom").read_bytes() == first.data
    status, out, _ = fetch(capsys, home, run_id, tmp_path, "--json")
    assert (status, json.loads(out)["run"]) == (0, run_id)
    (tmp_path / f"{run_id}.sealroom").write_bytes(b"other")
    assert fetch(capsys, home, run_id, tmp_path)[0] == 9
    assert (tmp_path / f"{run_id}.sealroom").read_bytes() == b"other"


def test_fetch_writes_nothing_that_does_not_verify(capsys, tmp_path, finished):
    _, home, (first, _) = finished
    save_trust(factories.changed(home.trust(), {"hardware_roots": ()}), tmp_path / "trust.toml")
    status, _, err = fetch(
        capsys, home, first.receipt.predicate.run, tmp_path / "out", "--trust", tmp_path / "trust.toml"
    )
    assert (status, err.split(":")[0]) == (3, "UNANCHORED")
    assert not (tmp_path / "out").exists()


def test_fetch_asks_for_a_run_id(capsys, tmp_path, finished):
    _, home, _ = finished
    assert fetch(capsys, home, "../institutions", tmp_path)[2].startswith("RUN: ")
    status, _, err = fetch(capsys, home, "00" * 16, tmp_path)
    assert (status, err.split(":")[0]) == (9, "RUN_UNKNOWN")


def test_a_broker_that_serves_another_run_is_found_out(capsys, tmp_path, finished):
    broker, home, (first, second) = finished
    stored = sorted((broker.data / "objects").rglob(f"*{first.receipt.predicate.run}*/*"))
    (target,) = [path for path in stored if path.is_file()]
    kept = target.read_bytes()
    target.write_bytes(second.data)
    try:
        status, _, err = fetch(capsys, home, first.receipt.predicate.run, tmp_path)
    finally:
        target.write_bytes(kept)
    assert (status, err.split(":")[0]) == (4, "OTHER_RUN")
    assert not list(tmp_path.iterdir())


def test_a_terminal_shows_long_findings_wrapped_and_a_program_one_line(monkeypatch, capsys):
    assert wrapped("12  ok  ", "word " * 40).count("\n") == 0
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    lines = wrapped("12  ok  ", "word " * 40).splitlines()
    assert lines[0].startswith("12  ok  word")
    assert all(line.startswith(" " * 8 + "word") and len(line) <= 60 for line in lines[1:])
    assert len(lines) > 3
    capsys.readouterr()
