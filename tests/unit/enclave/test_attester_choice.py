"""Which attester an enclave asks: its launch line and what lies in its tree decide, as processes of their own show."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hostile_host import TICKET, TOKEN, host, make_host

from protocol.canonical import canonical_bytes
from protocol.documents.exchange import Launch

__all__ = ["host", "make_host"]

PROJECT = Path(__file__).resolve().parents[3]
SIMULATED = "attestation/attesters/simulated.py"


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """The enclave's sources as a production build has them: without the simulated attester."""
    tree = tmp_path_factory.mktemp("tree")
    for name in ("enclave", "protocol", "attestation"):
        shutil.copytree(PROJECT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tree / SIMULATED).unlink()
    return tree


def run(tree, launch):
    code = f"import sys; sys.path.insert(0, {str(tree)!r}); from enclave.__main__ import main; sys.exit(main(['clinical']))"
    line = canonical_bytes(launch.model_dump(mode="json")) + b"\n"
    done = subprocess.run([sys.executable, "-I", "-c", code], input=line, capture_output=True, timeout=120, check=False)
    return done.returncode, done.stdout, done.stderr


def test_a_production_enclave_ends_where_the_host_names_a_simulated_platform(tree, host):
    assert run(tree, host.launch) == (1, b"", b"")
    assert host.seen == []


def test_the_same_enclave_with_a_simulated_attester_asks_that_platform(tree, host, tmp_path):
    shutil.copytree(tree, tmp_path / "tree")
    shutil.copy(PROJECT / SIMULATED, tmp_path / "tree" / SIMULATED)
    assert run(tmp_path / "tree", host.launch) == (0, b"", b"")
    assert len(host.results) == len(host.asked("quotes")) == 1


@pytest.mark.skipif(Path("/dev/attestation/quote").exists(), reason="this process runs in an enclave itself")
def test_an_enclave_that_is_told_of_no_platform_asks_the_hardware(tree, host):
    """Here, outside of SGX, it finds none, and says so before any key is released."""
    assert run(tree, Launch(relay=host.url, token=TOKEN)) == (0, b"", b"")
    (failure,) = host.failures
    assert failure.code == "ATTESTATION_TYPE"
    assert host.asked("quotes") == host.asked("collateral") == host.asked("release") == []


def test_a_simulated_platform_and_its_ticket_come_together():
    line = {"relay": "http://127.0.0.1:1", "token": TOKEN}
    assert Launch(**line).platform is Launch(**line).ticket is None
    for half in ({"platform": "http://127.0.0.1:2"}, {"ticket": TICKET}):
        with pytest.raises(ValueError, match="come together"):
            Launch(**line, **half)
