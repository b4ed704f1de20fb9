"""Builds inside ``gramine-direct``: which attester an enclave asks there, and a whole session from its trusted files."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hostile_host import TOKEN, host, make_host

from protocol.canonical import canonical_bytes
from protocol.documents.exchange import Launch

__all__ = ["host", "make_host"]

GRAMINE = shutil.which("gramine-direct")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(GRAMINE is None, reason="gramine-direct is not on the PATH: install Gramine to run this"),
]


def build(folder: Path, *options: str) -> Path:
    command = [sys.executable, "-m", "sealroom", "profile", "build", "clinical", "--out", str(folder), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "clinical"


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    return build(tmp_path_factory.mktemp("simulated"), "--simulated")


@pytest.fixture(scope="module")
def production(tmp_path_factory):
    return build(tmp_path_factory.mktemp("production"))


def run(folder, launch):
    """Start a build as the host does; return its exit status and what it printed."""
    line = canonical_bytes(launch.model_dump(mode="json")) + b"\n"
    done = subprocess.run([GRAMINE, "enclave"], cwd=folder, input=line, capture_output=True, timeout=240, check=False)
    return done.returncode, done.stdout, done.stderr


def test_a_session_from_a_simulated_build(simulated, host):
    assert run(simulated, host.launch) == (0, b"", b"")
    assert host.failures == []
    assert len(host.results) == len(host.asked("quotes")) == 1
    assert host.commit().run == host.run_id


def test_a_production_build_holds_no_simulated_attester(production, host):
    assert list((production / "tree").rglob("gramine.py*"))
    assert list((production / "tree").rglob("simulated.py*")) == []
    assert run(production, host.launch) == (1, b"", b"")
    assert host.seen == []


def test_outside_of_sgx_a_production_build_has_no_hardware_to_ask(production, host):
    assert run(production, Launch(relay=host.url, token=TOKEN)) == (0, b"", b"")
    (failure,) = host.failures
    assert failure.code == "ATTESTATION_TYPE"
    assert host.asked("release") == []
