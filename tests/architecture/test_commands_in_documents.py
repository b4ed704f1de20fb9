"""Commands in the documents exist, with the options that stand there; settings and units are what they are said to be."""

import configparser
import re
import shlex
import subprocess
import sys
import tomllib
from functools import cache
from itertools import takewhile
from pathlib import Path

import pytest

from broker.host.settings import HostSettings
from protocol import errors
from sealroom.cli import LazyGroup

PROJECT = Path(__file__).resolve().parents[2]
DEPLOYMENT = PROJECT / "docs/deployment-sgx.md"
DOCUMENTS = [DEPLOYMENT, PROJECT / "docs/appraisal-policy.md", PROJECT / "README.md"]
SERVERS = {
    ("broker", "serve"): ["broker", "serve"],
    ("broker", "invite"): ["broker", "invite"],
    ("simulator", "serve"): ["attestation.simulator"],
    ("simulator", "forge"): ["attestation.simulator.forge"],
    ("host", "run"): ["broker.host"],
}
"""Nouns whose options another program reads."""
_FENCE = re.compile(r"^ *```([a-z]*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def blocks(text, language=None):
    """Return the fenced blocks of a document, of one language or of all."""
    return [body for kind, body in _FENCE.findall(text) if language in (None, kind)]


def commands(text):
    """Return each command of a document as its words: lines in blocks, fenced or indented, for make or sealroom."""
    indented = re.findall(r"(?:^ {4}.*\n)+", _FENCE.sub("", text), re.MULTILINE)
    lines = "\n".join([*blocks(text), *indented]).replace("\\\n", " ").splitlines()
    plain = [line.strip().removeprefix("$ ").removeprefix(".venv/bin/") for line in lines]
    return [
        list(takewhile(lambda word: word not in {"|", ">", "&&"}, shlex.split(line, comments=True)))
        for line in plain
        if line.startswith(("make ", "sealroom "))
    ]


@cache
def options_of_server(words):
    asked = [sys.executable, "-m", *SERVERS[words], "--help"]
    printed = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=True, cwd=PROJECT).stdout
    return set(re.findall(r"--[a-z][a-z-]*", printed))


def require_sealroom(words):
    """Fail unless the noun, the verb and every option exist, and no argument that is needed is missing."""
    command, rest = LazyGroup(name="sealroom"), list(words)
    while rest and hasattr(command, "commands" if command.name != "sealroom" else "describing"):
        below = command.get_command(None, rest[0])
        assert below is not None, f"no {rest[0]} in {' '.join(words)}"
        command = below
        rest.pop(0)
    path = tuple(words[: len(words) - len(rest)])
    given = [word.partition("=")[0] for word in rest if word.startswith("--")]
    known = (
        options_of_server(path)
        if path in SERVERS
        else {o for p in command.params for o in (*p.opts, *p.secondary_opts)}
    )
    assert set(given) <= known, f"{set(given) - known} in {' '.join(words)}"
    if path not in SERVERS and "--help" not in given and "..." not in rest:
        command.make_context("sealroom", rest, resilient_parsing=False)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_exist(document):
    found = commands(document.read_text("utf-8"))
    assert len(found) >= 4
    targets = set(re.findall(r"^([a-z./$()A-Z-]+):", (PROJECT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for words in found:
        if words[0] == "make":
            asked = [word.replace(".venv", "$(VENV)") for word in words[1:] if "=" not in word]
            assert set(asked) <= targets, words
        else:
            require_sealroom(words[1:])


@pytest.mark.parametrize(
    "line",
    ["sealroom profile lint", "sealroom profile lynt x", "sealroom profile lint x --quiet", "sealroom host run --sgx"],
)
def test_the_check_finds_what_is_wrong(line):
    (words,) = commands(f"```console\n$ {line}\n```\n")
    with pytest.raises(Exception, match=r"lynt|quiet|sgx|FILE|Missing"):
        require_sealroom(words[1:])


def test_the_host_takes_the_settings_of_the_deployment_page(tmp_path):
    (text,) = blocks(DEPLOYMENT.read_text("utf-8"), "toml")
    (tmp_path / "host.toml").write_text(text)
    settings = HostSettings.load({}, {}, tmp_path / "host.toml")
    assert (settings.runtime, settings.platform) == ("gramine-sgx", None)
    assert set(tomllib.loads(text)) <= set(HostSettings.model_fields)


def test_the_service_unit_starts_the_host_with_one_device():
    (text,) = blocks(DEPLOYMENT.read_text("utf-8"), "ini")
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str
    unit.read_string(text)
    require_sealroom(shlex.split(unit["Service"]["ExecStart"])[1:])
    assert unit["Service"]["DeviceAllow"] == "/dev/sgx_enclave rw"
    assert "PrivateDevices" not in unit["Service"]


def test_codes_of_the_deployment_page_exist():
    text = DEPLOYMENT.read_text("utf-8")
    codes = set(re.findall(r"`([A-Z]{4,}(?:_[A-Z]+)+)`", text)) - {"PATH"}
    assert codes
    folders = ("attestation", "broker", "custodian", "sealroom", "enclave", "protocol")
    source = "".join(path.read_text("utf-8") for folder in folders for path in (PROJECT / folder).rglob("*.py"))
    assert not {code for code in codes if f'"{code}"' not in source}
    assert errors.AttestationError.exit_code == 5  # "Exit status 5", in section 8
