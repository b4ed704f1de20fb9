"""docs/TCB.md says what the trusted file locks hold."""

import subprocess
import sys
from pathlib import Path

from attestation.profiles.tcb import render_tcb

PROJECT = Path(__file__).resolve().parents[2]


def test_the_page_is_up_to_date():
    """Regenerate with: make generated."""
    assert (PROJECT / "docs/TCB.md").read_text("utf-8") == render_tcb(PROJECT)


def test_the_page_counts_lines_and_names_packages():
    page = render_tcb(PROJECT)
    session = len((PROJECT / "enclave/session.py").read_text("utf-8").splitlines())
    assert session > 50
    assert "| `enclave/disclosure/` |" in page
    for package in ("cryptography", "pandas", "statsmodels", "sklearn", "httpx"):
        assert f"`{package}`" in page
    # What only packages need is there too, in the version that enclaves run, and the simulated attester apart.
    for row in ("| `httpcore` | 1.0.9 |", "| `numpy` | 2.4.6 |", "| `threadpoolctl` | 3.8.0 |"):
        assert row in page
    assert page.count("hold besides: `attestation/attesters/simulated.py` (") == 3
    for outside in ("fastapi", "sqlalchemy", "rdkit", "dcap_qvl", "uvicorn"):
        assert f"`{outside}`" not in page


def test_the_command_prints_the_page():
    command = [sys.executable, "-m", "attestation.profiles.tcb"]
    ran = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert ran.stdout == render_tcb(PROJECT)
