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
