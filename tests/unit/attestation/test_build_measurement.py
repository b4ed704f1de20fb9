"""Builds of enclaves, as the simulated platform measures them."""

import json
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from attestation.attesters.simulated import SimulatedAttester
from attestation.quote import parse_quote
from attestation.simulator import measure, measure_build
from attestation.simulator.__main__ import ENVIRONMENT_PREFIX, load_settings
from protocol.errors import AttestationError

PROJECT = Path(__file__).resolve().parents[3]
MANIFEST = b'sgx.debug = false\nsgx.remote_attestation = "dcap"\n'


@pytest.fixture
def builds(tmp_path):
    for profile in ("clinical", "genomics"):
        folder = tmp_path / "builds" / profile
        folder.mkdir(parents=True)
        (folder / "enclave.manifest").write_bytes(MANIFEST)
    return tmp_path / "builds"


@pytest.mark.parametrize("change", [lambda text: text + b"\n", lambda text: text[:-1], lambda text: text.swapcase()])
def test_any_other_manifest_has_another_measurement(builds, change):
    before = measure_build("clinical", builds)
    (builds / "clinical/enclave.manifest").write_bytes(change(MANIFEST))
    assert measure_build("clinical", builds) != before


def test_the_measurement_depends_on_nothing_but_profile_and_manifest(builds, tmp_path):
    before = measure_build("clinical", builds)
    assert len(before) == 64
    assert measure_build("genomics", builds) != before
    (builds / "clinical/enclave.manifest.sgx").write_bytes(b"more")
    assert measure_build("clinical", shutil.copytree(builds, tmp_path / "elsewhere")) == before


def test_what_a_build_is_measured_to_stays_what_it_is(builds):
    """Pinned: pins and contracts hold it. Made with sha256sum over the tag, a NUL and the canonical JSON."""
    assert measure_build("clinical", builds) == "289a4b7f03a97f0429c4e6ac8ec119fd0483729de5f092c048e450956343c84d"


def test_a_build_that_is_not_there(builds):
    (builds / "clinical/enclave.manifest").unlink()
    for profile in ("clinical", "discovery"):
        with pytest.raises(AttestationError, match=f"sealroom profile build {profile}") as caught:
            measure_build(profile, builds)
        assert caught.value.code == "BUILD"


@pytest.mark.parametrize(
    "profile", ["", "..", ".", "../builds/clinical", "clinical/", "Clinical", "x" * 64, "clinical\n"]
)
def test_what_cannot_be_a_profile(builds, profile):
    with pytest.raises(AttestationError) as caught:
        measure_build(profile, builds)
    assert caught.value.code == "PROFILE"


def test_settings():
    assert load_settings([], {}).enclaves is None
    assert load_settings(["--enclaves", "builds"], {}).enclaves == Path("builds")
    assert load_settings([], {ENVIRONMENT_PREFIX + "ENCLAVES": "builds"}).enclaves == Path("builds")


@contextmanager
def service(state, *arguments):
    command = [sys.executable, "-m", "attestation.simulator", "--state", str(state), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=PROJECT, text=True) as running:
        try:
            yield json.loads(running.stdout.readline())["url"]
        finally:
            running.send_signal(signal.SIGTERM)


def test_the_service_quotes_for_a_build_as_it_is_when_an_enclave_starts(builds, tmp_path):
    def start():
        answer = httpx.post(url + "/v1/enclaves", json={"profile": "clinical"}, trust_env=False).json()
        quote = SimulatedAttester(url, answer["ticket"]).quote(bytes(64))
        assert parse_quote(quote).report.mr_enclave.hex() == answer["measurement"]
        return answer["measurement"]

    with service(tmp_path / "state", "--enclaves", str(builds)) as url:
        first = start()
        assert first == measure_build("clinical", builds) != measure("clinical", PROJECT)
        (builds / "clinical/enclave.manifest").write_bytes(MANIFEST + b"# changed\n")
        assert start() == measure_build("clinical", builds) != first
        answer = httpx.post(url + "/v1/enclaves", json={"profile": "discovery"}, trust_env=False)
        assert (answer.status_code, answer.json()["code"]) == (403, "BUILD")
