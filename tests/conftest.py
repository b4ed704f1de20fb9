"""What all tests share: where outside reference data lies."""

import os
import sys
from pathlib import Path

import pytest

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


@pytest.fixture(scope="session")
def world_of_session(tmp_path_factory):
    """One world of real processes for all tests that are marked with the group ``world``."""
    from world import World

    with World(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture
def world(world_of_session):
    """The world with all its servers up, whatever the test before did to them."""
    world_of_session.ensure()
    return world_of_session
