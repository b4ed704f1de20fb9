"""The enclave host as a process, with a broker and a simulated platform as processes: for tests of the host.

Import the fixtures with what they need: ``from host_scene import make_host, platform, shared``.
"""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from broker_scene import PROJECT, ProcessBroker, Scene, call, wait_until

from attestation.simulator.measurement import measure

STAND_IN = PROJECT / "tests" / "stand_in_enclave.py"


class Process:
    """A server process; its first line of output says that it is ready."""

    def __init__(self, folder: Path, name: str, *command: str) -> None:
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command], stdout=subprocess.PIPE, stderr=log, cwd=folder, text=True
            )
        line = self.process.stdout.readline()
        assert line, self.log.read_text()
        self.ready = json.loads(line)

    def end(self, number=signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(timeout=30)
        self.process.stdout.close()
        return status


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    """A simulated platform that measures a copy of the enclave's files, which nobody edits meanwhile."""
    folder = tmp_path_factory.mktemp("platform")
    files = folder / "files"
    for name in ("enclave", "protocol", "attestation", "manifests"):
        shutil.copytree(PROJECT / name, files / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "requirements.lock", files)
    measurement = measure("clinical", files)
    state = folder / "state"
    process = Process(folder, "platform", "-m", "attestation.simulator", "--state", str(state), "--files", str(files))
    process.url = process.ready["url"]
    process.measurement = measurement
    process.root = folder / "root.pem"
    process.root.write_bytes(call(process.url, "GET", "/v1/root").content)
    yield process
    process.end()


@pytest.fixture(scope="module")
def shared(tmp_path_factory, platform):
    folder = tmp_path_factory.mktemp("broker")
    config = folder / "broker.toml"
    config.write_text("lease_seconds = 3\n[limits]\nleases = 2\n")
    with ProcessBroker(folder, "--hardware-root", str(platform.root), "--config", str(config)) as broker:
        yield broker


@pytest.fixture
def make_host(tmp_path, platform):
    made = []

    def make(broker, mode, **settings) -> Process:
        config = tmp_path / f"host-{len(made)}.toml"
        fields = {
            "broker": broker.url,
            "host_token_file": str(broker.data / "host-token"),
            "platform": platform.url,
            "data": str(tmp_path / f"host-{len(made)}"),
            "enclave_command": [sys.executable, "-I", str(STAND_IN), mode] if isinstance(mode, str) else mode,
            "heartbeat_seconds": 0.5,
            "poll_seconds": 0.1,
        } | settings
        given = {name: value for name, value in fields.items() if value is not None}
        config.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in given.items()))
        host = Process(tmp_path, f"host-{len(made)}", "-m", "broker.host", "--config", str(config))
        host.data = Path(fields["data"])
        made.append(host)
        return host

    yield make
    for host in made:
        host.end(signal.SIGKILL)


def study(broker, platform, **terms):
    return Scene(broker, owners=1, terms={"measurement": platform.measurement} | terms).ready()


def ended(scene, run):
    def over():
        found = scene.state(run)
        return found if found["state"] in {"finished", "refused", "failed"} else None

    return wait_until(over, 60)


def statuses(host):
    lines = [json.loads(line) for line in host.log.read_text().splitlines()]
    return [line["status"] for line in lines if line["event"] == "run ended"]


def finish(broker, make_host, scene, run):
    make_host(broker, "whole")
    assert ended(scene, run)["state"] == "finished"
