"""A host that starts builds with Gramine, and one whose platform is hardware: programs on the PATH stand for Gramine."""

import asyncio
import os
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime

import attested
import httpx
import pytest
from attestation_folder import AttestationFolder
from broker_scene import wait_until
from host_scene import STAND_IN, ended, make_host, platform, shared, statuses, study

from attestation.attesters.simulated import SimulatedAttester
from broker.host.__main__ import main
from broker.host.platform import HardwarePlatform, SimulatedPlatform, make_platform
from broker.host.runtime import require_runtime, start_command
from broker.host.settings import HostSettings
from protocol.documents import Collateral
from protocol.errors import AttestationError, DocumentError, TransportError

__all__ = ["make_host", "platform", "shared"]

SIMULATED = "http://127.0.0.1:2"
PCCS = "https://pccs.example:8081"
FILES = {"gramine-direct": ["enclave.manifest"], "gramine-sgx": ["enclave.manifest.sgx", "enclave.sig"]}


@pytest.fixture
def gramine(tmp_path, monkeypatch):
    """Programs that stand for Gramine's: they note where and how they are started, and run an enclave."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in FILES:
        (programs / name).write_text(
            f'#!/bin/sh\necho "$0 $*" > started\nenv > environment\nexec {sys.executable} -I {STAND_IN} whole\n'
        )
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return programs


@pytest.fixture
def builds(tmp_path):
    folder = tmp_path / "builds"
    for name in ("enclave.manifest", "enclave.manifest.sgx", "enclave.sig"):
        (folder / "clinical").mkdir(parents=True, exist_ok=True)
        (folder / "clinical" / name).write_text("what a build holds")
    return folder


def settings(**fields):
    return HostSettings.load({"broker": "http://127.0.0.1:1", "host_token_file": "t", "data": "d"} | fields)


# Settings


@pytest.mark.parametrize(
    "fields",
    [
        {"platform": SIMULATED},
        {"platform": SIMULATED, "runtime": "gramine-direct", "enclaves": "b"},
        {"platform": SIMULATED, "runtime": "gramine-sgx", "enclaves": "b"},
        {"runtime": "gramine-sgx", "enclaves": "b", "pccs": PCCS},
        {"runtime": "gramine-sgx", "enclaves": "b", "pccs": PCCS, "pccs_authority": "ca.pem"},
    ],
)
def test_settings_that_fit(fields):
    assert settings(**fields).platform == fields.get("platform")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "without a simulated platform enclaves need SGX hardware"),
        ({"pccs": PCCS}, "without a simulated platform enclaves need SGX hardware"),
        ({"runtime": "gramine-direct", "enclaves": "b", "pccs": PCCS}, "need SGX hardware: set --runtime gramine-sgx"),
        ({"runtime": "gramine-sgx", "enclaves": "b"}, "name it with --pccs"),
        ({"platform": SIMULATED, "pccs": PCCS}, "leave pccs out"),
        ({"platform": SIMULATED, "runtime": "gramine-direct"}, "name their folder with --enclaves"),
        ({"platform": SIMULATED, "enclaves": "b"}, "set --runtime gramine-direct or gramine-sgx"),
        (
            {"platform": SIMULATED, "runtime": "gramine-direct", "enclaves": "b", "enclave_command": ["x"]},
            "leave enclave_command out",
        ),
        ({"platform": SIMULATED, "runtime": "docker"}, "setting runtime is wrong"),
    ],
)
def test_settings_that_do_not_fit_say_what_to_do(fields, words):
    with pytest.raises(DocumentError) as caught:
        settings(**fields)
    assert caught.value.code == "SETTINGS"
    assert words in caught.value.detail


def test_paths_of_a_settings_file_are_relative_to_it(tmp_path):
    file = tmp_path / "host.toml"
    file.write_text(
        'broker = "http://127.0.0.1:1"\nhost_token_file = "t"\ndata = "d"\nruntime = "gramine-sgx"\nenclaves = "b"\n'
        f'pccs = "{PCCS}"\npccs_authority = "ca.pem"\n'
    )
    found = HostSettings.load({}, {}, file)
    assert (found.enclaves, found.pccs_authority) == (tmp_path / "b", tmp_path / "ca.pem")


# Builds and Gramine's programs


def runtime(name, builds, **fields):
    return settings(platform=SIMULATED, runtime=name, enclaves=builds, profiles=["clinical"], **fields)


@pytest.mark.parametrize("name", FILES)
def test_each_file_of_each_build_must_be_there(gramine, builds, name):
    require_runtime(runtime(name, builds))
    for file in FILES[name]:
        (builds / "clinical" / file).unlink()
        with pytest.raises(DocumentError, match="sealroom profile build clinical") as caught:
            require_runtime(runtime(name, builds))
        assert str(builds / "clinical" / file) in caught.value.detail
        assert ("gramine-sgx-sign" in caught.value.detail) == (name == "gramine-sgx")
        (builds / "clinical" / file).touch()
    with pytest.raises(DocumentError, match="profile build genomics"):
        require_runtime(runtime(name, builds).model_copy(update={"profiles": ("clinical", "genomics")}))


def test_gramine_must_be_installed(builds, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(DocumentError, match="gramine-direct is not on the PATH") as caught:
        require_runtime(runtime("gramine-direct", builds))
    assert caught.value.code == "SETTINGS"
    assert start_command(runtime("gramine-direct", builds), "clinical", builds)[0] == ("gramine-direct", "enclave")


def test_plain_python_needs_neither(tmp_path):
    plain = settings(platform=SIMULATED, python="/usr/bin/python3")
    require_runtime(plain)
    command = ("/usr/bin/python3", "-I", "-m", "enclave", "clinical")
    assert start_command(plain, "clinical", tmp_path) == (command, tmp_path)


def test_a_host_without_its_build_does_not_start(builds, gramine, tmp_path, capsys):
    (builds / "clinical/enclave.manifest").unlink()
    flags = ["--broker", "http://127.0.0.1:9", "--host-token-file", "t", "--data", str(tmp_path / "d")]
    flags += [
        "--platform",
        SIMULATED,
        "--runtime",
        "gramine-direct",
        "--enclaves",
        str(builds),
        "--profile",
        "clinical",
    ]
    assert main(flags) == DocumentError.exit_code
    out, err = capsys.readouterr()
    assert out == "" and "SETTINGS" in err and "enclave.manifest" in err


@pytest.mark.parametrize("name", FILES)
def test_a_build_is_started_in_its_folder_with_next_to_nothing(shared, platform, make_host, gramine, builds, name):
    scene = study(shared, platform)
    run = scene.start()
    host = make_host(shared, None, runtime=name, enclaves=str(builds), profiles=["clinical"])
    assert ended(scene, run)["state"] == "finished"
    wait_until(lambda: statuses(host))
    assert statuses(host) == ["finished"]
    assert (builds / "clinical/started").read_text() == f"{gramine / name} enclave\n"
    names = {line.partition("=")[0] for line in (builds / "clinical/environment").read_text().splitlines()}
    assert {"LANG", "PATH"} <= names <= {"LANG", "PATH", "PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE"}


# Hardware


@contextmanager
def hardware(platform, builds):
    """``attestation`` in the build's folder stands for ``/dev/attestation``; the simulated platform makes its quotes."""
    answer = httpx.post(platform.url + "/v1/enclaves", json={"profile": "clinical"}, trust_env=False).json()
    attester = SimulatedAttester(platform.url, answer["ticket"])
    with AttestationFolder(builds / "clinical" / "attestation", attester.quote) as files:
        yield files


def test_a_run_on_hardware_takes_its_collateral_from_a_pccs(shared, platform, make_host, gramine, builds):
    """Without a ticket: the enclave asks its own attestation folder, the host the PCCS, by the client used in production."""
    scene = study(shared, platform)
    run = scene.start()
    with hardware(platform, builds) as files:
        given = {"platform": None, "pccs": platform.url, "runtime": "gramine-sgx", "enclaves": str(builds)}
        host = make_host(shared, None, profiles=["clinical"], **given)
        assert ended(scene, run)["state"] == "finished"
        wait_until(lambda: statuses(host))
    assert statuses(host) == ["finished"] and files.given == 1
    assert len(list((host.data / "collateral").iterdir())) == 4


def test_a_pccs_that_is_away_costs_one_lease_and_then_none(shared, platform, make_host, gramine, builds):
    scene = study(shared, platform)
    run = scene.start()
    with hardware(platform, builds):
        given = {"platform": None, "pccs": "http://127.0.0.1:9", "runtime": "gramine-sgx", "enclaves": str(builds)}
        host = make_host(shared, None, profiles=["clinical"], **given)
        wait_until(lambda: '"platform away"' in host.log.read_text(), 60)
    assert len(statuses(host)) == 1
    assert scene.state(run)["state"] == "waiting"
    host.end()
    make_host(shared, "whole")
    assert ended(scene, run)["state"] == "finished"


class Source:
    """A source of collateral that gives it, or fails."""

    def __init__(self, error=None):
        self.error = error

    def collateral(self, quote, at):
        assert quote == b"a quote" and abs((datetime.now(UTC) - at).total_seconds()) < 60
        if self.error is not None:
            raise self.error
        return attested.platform().collateral(attested.NOW)


def ask(source):
    """Ask for collateral once; return the answer or the error, and whether the platform answers afterwards."""

    async def run():
        async with HardwarePlatform(source) as platform:
            assert await platform.answers() and await platform.ticket("clinical") is None
            try:
                found = await platform.collateral(b"a quote")
            except (TransportError, AttestationError) as error:
                found = error.code
            return found, await platform.answers()

    return asyncio.run(run())


def test_what_the_source_says_is_passed_on():
    found, answers = ask(Source())
    assert Collateral.model_validate_json(found) and answers
    assert ask(Source(TransportError("COLLATERAL_SLOW", "slow"))) == ("COLLATERAL_SLOW", False)
    assert ask(Source(AttestationError("COLLATERAL_FORMAT", "no collateral"))) == ("COLLATERAL_FORMAT", False)


def test_the_settings_name_the_platform(tmp_path):
    assert isinstance(make_platform(settings(platform=SIMULATED)), SimulatedPlatform)
    hardware = {"runtime": "gramine-sgx", "enclaves": "b", "data": tmp_path}
    assert isinstance(make_platform(settings(pccs=PCCS, **hardware)), HardwarePlatform)
    with pytest.raises(TransportError, match="COLLATERAL_ADDRESS"):
        make_platform(settings(pccs="http://pccs.example", **hardware))
    with pytest.raises(TransportError, match="COLLATERAL_AUTHORITY"):
        make_platform(settings(pccs=PCCS, pccs_authority=tmp_path / "none.pem", **hardware))


def test_warnings_about_collateral_stand_in_the_hosts_log():
    code = (
        "import logging; from broker.host.loop import report_collateral; report_collateral(); "
        "logging.getLogger('attestation.collateral.source').warning('item %s', 'x'); logging.getLogger('httpx').warning('secret')"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert '"event": "collateral", "detail": "item x"' in found.stderr
    assert "secret" not in found.stderr


def test_a_program_from_a_relative_path_has_an_absolute_one(gramine, builds, tmp_path, monkeypatch):
    (tmp_path / "relative").mkdir()
    (tmp_path / "relative/gramine-direct").write_text("#!/bin/sh\n")
    (tmp_path / "relative/gramine-direct").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "relative")
    command, _ = start_command(runtime("gramine-direct", builds), "clinical", tmp_path)
    assert command[0] == str(tmp_path / "relative/gramine-direct")
