"""What all tests share: where outside reference data lies."""

import os
import sys
from pathlib import Path

import pytest

# As in the enclave, and before NumPy is imported: threads that wait for each other's cores made tests of boosting slow.
for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(Path(__file__).parent))  # so that tests say: import factories


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder with ``data/`` and ``vectors/``; its absence skips, or fails under REQUIRE_REFERENCE=1."""
    folder = Path(os.environ.get("SEALROOM_REFERENCE") or PROJECT.parent / "shared")
    if not (folder / "data").is_dir():
        message = f"no reference data in {folder}: set SEALROOM_REFERENCE"
        if os.environ.get("REQUIRE_REFERENCE") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return folder


WORLD = ("tests/e2e/", "tests/security/test_no_leaks.py")
"""Tests that share the world of ``world.py``, which is dear to make: one worker gets them all."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Under ``--dist loadgroup``, give each file to one worker, and all files of the world to the same.

    xdist 3.8 groups by a mark that it writes into the name of a test, which pytest 9.2 takes no more.
    """
    if config.getvalue("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return "world" if nodeid.startswith(WORLD) else nodeid.split("::", 1)[0]

    return ByFile(config, log)


@pytest.fixture(scope="session")
def world_of_session(tmp_path_factory):
    """One world of real processes for all tests of a worker."""
    from world import World

    with World(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture
def world(world_of_session):
    """The world with all its servers up, whatever the test before did to them."""
    world_of_session.ensure()
    return world_of_session
