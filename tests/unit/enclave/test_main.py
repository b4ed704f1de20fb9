"""The enclave's program: what it takes, its exit statuses, and that it prints nothing in a session."""

import io
import json
import os
import subprocess
import sys

import pytest
from hostile_host import TICKET, TOKEN

from enclave import profiles
from enclave.__main__ import PROFILES, main
from enclave.profiles import load_profile
from enclave.relay import MAX_LAUNCH
from protocol.canonical import canonical_bytes

CLOSED = "http://127.0.0.1:9"  # the discard port: nobody listens there
LAUNCH = {"relay": CLOSED, "token": TOKEN, "platform": CLOSED, "ticket": TICKET}


def run(*arguments, line=b""):
    kept = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE")}
    done = subprocess.run(
        [sys.executable, "-I", "-m", "enclave", *arguments],
        input=line,
        capture_output=True,
        timeout=60,
        env={"PATH": os.defpath, "LANG": "C.UTF-8"} | kept,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def launch(**changes):
    return canonical_bytes(LAUNCH | changes) + b"\n"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"{}\n",
        b"\0\xff\xfe\n",
        b"[" * MAX_LAUNCH,
        launch(ticket="A" * 128, token="B" * 129),
        launch() + launch(),
        b" " + launch(),
        launch(more="x"),
        launch()[:-3],
        launch().replace(b"\n", b" " * MAX_LAUNCH + b"\n"),
    ],
    ids=["nothing", "empty", "no fields", "no text", "too long", "token", "two", "space", "field", "cut", "padded"],
)
def test_a_launch_line_that_is_none_ends_in_1_without_a_word(line):
    wanted = (1, b"", b"")
    assert run("clinical", line=line) == wanted


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"relay": "http://127.0.0.1:99999"},
        {"relay": "http://192.0.2.1:80"},
        {"relay": "http://localhost:80"},
        {"relay": "http://127.0.0.1:80@192.0.2.1"},
        {"platform": "http://192.0.2.1:80"},
        {"attester": "sgx"},
        {"platform": None, "ticket": None},
    ],
    ids=lambda changes: "-".join(map(str, changes.values())) or "nobody listens",
)
def test_a_launch_that_leads_nowhere_ends_in_1_without_a_word(changes):
    assert run("clinical", line=launch(**changes)) == (1, b"", b"")


def test_a_process_started_with_closed_streams_ends_as_any_other():
    command = ["sh", "-c", 'exec "$0" -I -m enclave clinical >&- 2>&-', sys.executable]
    done = subprocess.run(command, input=launch(), capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--local"],
        ["--plan", "x"],
        ["--help"],
        [""],
        ["-"],
        ["--describe", "--plan"],
        [],
        ["production"],
        ["clinical", "x"],
    ],
)
def test_unknown_arguments_exit_with_2(arguments, capsys):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", "Usage: python -I -m enclave clinical | discovery | genomics | --describe | --plan\n")


def test_unknown_arguments_of_the_process_exit_with_2_and_are_not_repeated():
    status, out, err = run("--secret=hunter2", line=launch())
    assert (status, out) == (2, b"")
    assert b"hunter2" not in err


def test_describe(capfdbinary):
    assert main(["--describe"]) == 0
    sys.stdout.flush()
    out, err = capfdbinary.readouterr()
    names = [analysis["name"] for analysis in json.loads(out)["analyses"]]
    assert names == sorted(name for profile in PROFILES for name in load_profile(profile).analyses)
    assert err == b""


def test_plan_of_nothing_is_a_problem_with_exit_code_7(monkeypatch, capfdbinary):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"{}")))
    assert main(["--plan"]) == 7
    sys.stdout.flush()
    assert json.loads(capfdbinary.readouterr().out)["code"] == "DOCUMENT"


def test_plan_reads_no_more_than_it_may(monkeypatch, capfdbinary):
    source = io.BytesIO(b" " * (5 * 2**20))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(source))
    assert main(["--plan"]) == 7
    assert source.tell() == 4 * 2**20 + 1
    sys.stdout.flush()
    assert json.loads(capfdbinary.readouterr().out)["code"] == "SIZE"


def test_the_profiles_are_those_that_there_are():
    assert PROFILES == profiles.PROFILES
