"""What holds for every command."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from partner_desk import Desk

from protocol.errors import FAMILIES
from sealroom.cli import NOUNS, LazyGroup, main

HEAVY = {"pandas", "numpy", "httpx", "pydantic", "cryptography", "statsmodels", "sealroom.client"}
SERVICES = {"broker", "simulator", "host"}


def commands():
    """Every noun and verb, with its command object."""
    root = LazyGroup(name="sealroom")
    for noun in NOUNS:
        found = root.get_command(None, noun)
        assert found is not None, noun
        yield from leaves((noun,), found)


def leaves(words, command):
    """The command itself, or those of a group."""
    if not hasattr(command, "commands"):
        yield words, command
    for verb, below in getattr(command, "commands", {}).items():
        yield from leaves((*words, verb), below)


COMMANDS = dict(commands())


def in_a_process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sealroom", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | environment,
    )


def test_the_commands_are_those_of_the_issue():
    wanted = """
        demo | institution init/join/show | member add | dataset draft/check/seal/upload/list | recipe list/show/new/check
        contract propose/show/approve/revoke | run start/wait/list/status | result fetch/open | verify
        broker serve | simulator serve | host run
    """
    for entry in wanted.replace("\n", "|").split("|"):
        noun, _, verbs = entry.strip().partition(" ")
        for verb in verbs.split("/") if verbs else [None] if noun else []:
            assert ((noun,) if verb is None else (noun, verb)) in COMMANDS


@pytest.mark.parametrize("words", [words for words in COMMANDS if words[0] not in SERVICES], ids=" ".join)
def test_every_command_takes_json_and_shows_examples(words):
    command = COMMANDS[words]
    options = {name for parameter in command.params for name in parameter.opts}
    assert "--json" in options
    assert "sealroom " + " ".join(words) in command.epilog.partition("Examples:")[2]
    assert not options & {"--passphrase", "--password", "--key"}  # secrets never come from the command line


@pytest.mark.parametrize("words", [["--help"], ["dataset", "--help"], ["contract", "approve", "--help"]], ids=str)
def test_help_loads_nothing_heavy(words):
    code = (
        f"import sys; from sealroom.cli import main\ntry: main({words!r})\nexcept SystemExit: pass\nprint(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    heavy = HEAVY if words == ["--help"] else HEAVY - {"pydantic", "cryptography"}
    assert not loaded & heavy
    assert "Usage: sealroom" in done.stdout


def test_exit_codes_are_those_of_the_help():
    text = in_a_process("--help").stdout
    for name, kind in FAMILIES.items():
        assert f"{kind.exit_code} {name}" in text.replace("\n", " ")


def test_an_error_is_one_line_or_one_problem_object(tmp_path):
    desk = Desk(tmp_path)
    answer = desk.run("institution", "show", code=4)
    assert answer.out == ""
    assert answer.err.startswith("NO_INSTITUTION: ")
    assert answer.err.count("\n") == 1
    answer = desk.run("institution", "show", "--json", code=4)
    assert answer.json["type"] == "https://sealroom.dev/problems/no-institution"
    assert answer.err == ""


def test_an_unforeseen_error_shows_its_kind_and_no_text(monkeypatch, capsys):
    monkeypatch.setattr("sealroom.cli.find_spec", lambda _: (_ for _ in ()).throw(RuntimeError("canary")))
    with pytest.raises(SystemExit) as stop:
        main(["institution", "show"])
    assert stop.value.code == 1
    shown = capsys.readouterr()
    assert "RuntimeError" in shown.err
    assert "canary" not in shown.out + shown.err
    monkeypatch.setenv("SEALROOM_DEBUG", "1")
    with pytest.raises(RuntimeError):
        main(["institution", "show"])


def test_wrong_usage_is_status_two():
    assert in_a_process("frobnicate").returncode == 2
    assert in_a_process("dataset", "seal").returncode == 2
    assert in_a_process().returncode == 2
    done = in_a_process("--version")
    assert (done.returncode, done.stdout.split()[0]) == (0, "sealroom")


@pytest.mark.parametrize(
    ("words", "detail"),
    [
        (["frobnicate"], "No such command 'frobnicate'."),
        (["contract", "show"], "Missing argument 'CONTRACT'."),
        (["run", "list", "--frobnicate"], "No such option: --frobnicate"),
        (["trust", "add-measurement", "clinical"], "give one of: a measurement, --local, --builds"),
        (["run", "wait", "00", "--timeout", "soon"], "'--timeout'"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_a_problem_object_too(tmp_path, words, detail):
    answer = Desk(tmp_path).run(*words, "--json", code=2)
    assert answer.json["code"] == "USAGE"
    assert detail in answer.json["detail"]
    assert answer.err == ""


def test_help_is_help_with_json_too(tmp_path):
    assert "Usage: sealroom demo" in Desk(tmp_path).run("demo", "--help", "--json").out


def test_completion_knows_nouns_and_verbs():
    words = {"_SEALROOM_COMPLETE": "complete_bash", "COMP_WORDS": "sealroom contract ", "COMP_CWORD": "2"}
    found = subprocess.run(
        [Path(sys.executable).with_name("sealroom")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | words,
    )
    assert set(found.stdout.split()) == {"propose", "show", "list", "approve", "revoke"}


@pytest.mark.parametrize(
    "words", [("broker", "serve"), ("simulator", "serve"), ("simulator", "forge"), ("host", "run")]
)
def test_services_read_their_own_arguments(words):
    done = in_a_process(*words, "--help")
    assert done.returncode == 0
    assert f"usage: sealroom {' '.join(words)}" in done.stdout
    shown = [line.strip() for line in done.stdout.partition("Examples:")[2].strip().splitlines()]
    assert shown[0].startswith(f"sealroom {' '.join(words)} ")
    known = set(re.findall(r"--[a-z-]+", done.stdout.partition("Examples:")[0]))
    assert set(re.findall(r"--[a-z-]+", shown[0])) <= known
    assert in_a_process(*words, "--no-such-flag").returncode == 2


def test_a_broken_configuration_is_said(tmp_path):
    desk = Desk(tmp_path)
    desk.join()
    for text in (b"broker = [", b"broker = 3", b"broker = '\xff'", b"broker = " + b"[" * 20_000):
        (desk.home / "config.toml").write_bytes(text)
        assert desk.run("dataset", "list", "--json", code=4).json["code"] == "CONFIG"


def test_the_home_is_the_users_own_by_default(tmp_path):
    done = in_a_process("institution", "show", "--json", XDG_DATA_HOME=str(tmp_path), SEALROOM_HOME="")
    assert json.loads(done.stdout)["code"] == "NO_INSTITUTION"
    assert str(tmp_path) in json.loads(done.stdout)["detail"]


def test_the_sdk_is_what_it_says():
    import sealroom

    assert set(sealroom.__all__) == {"Client", "Result", "Trust", "load_trust"}
    for name in sealroom.__all__:
        assert getattr(sealroom, name).__module__.startswith("sealroom.")
    with pytest.raises(AttributeError):
        sealroom.Nothing  # noqa: B018 - asking is the test


@pytest.mark.parametrize("named", ["nosuch.json", "folder/contract"])
@pytest.mark.parametrize(
    "words", [("contract", "show"), ("contract", "approve"), ("run", "start", "--contract")], ids=str
)
def test_a_contract_that_can_only_be_a_file_is_missed_before_anything_is_asked(tmp_path, words, named):
    desk = Desk(tmp_path)
    desk.join()
    desk.run("trust", "add-measurement", "clinical", "ab" * 32, "--compared")
    (tmp_path / "passphrase").write_text("another passphrase")
    answer = desk.run(*words, named, "--json", code=9).json
    assert (answer["code"], answer["detail"]) == ("FILE_MISSING", f"There is no file {named}.")
    assert desk.run(*words, "abcdef0123", "--json", code=10).json["code"] == "NO_BROKER"
