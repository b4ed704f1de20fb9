"""The platform's service: in this process where answers are looked at, as a process of its own where it starts and stops."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import attested
import httpx
import pytest
import uvicorn

from attestation.attesters.simulated import SimulatedAttester
from attestation.quote import parse_quote
from attestation.roots import load_root
from attestation.simulator import Settings, measure, serve
from attestation.simulator.__main__ import ENVIRONMENT_PREFIX, load_settings, main
from attestation.simulator.app import MAX_BODY, create_app
from attestation.simulator.platform import Platform
from protocol.documents import Collateral, Evidence
from protocol.errors import AttestationError, DocumentError, SealroomError, TransportError
from protocol.types import decode_base64, encode_base64

PROJECT = Path(__file__).resolve().parents[3]
PROFILES = ("clinical", "discovery", "genomics")
REPORT_DATA = attested.claims().report_data


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    return create_app(Settings(state=tmp_path_factory.mktemp("simulator"), files=PROJECT))


@pytest.fixture(scope="module")
def client(app):
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", trust_env=False) as client:
            yield client
        server.should_exit = True
        thread.join(20)


def enclave(client):
    return client.post("/v1/enclaves", json={"profile": "clinical"}).json()


def test_health_and_root_say_simulated(client):
    health = client.get("/v1/health").json()
    answer = client.get("/v1/root")
    root = load_root(answer.text)
    assert answer.headers["content-type"].startswith("application/x-pem-file")
    assert root.simulated
    assert health == {"status": "ok", "simulated": True, "root": root.digest}


def test_an_enclave_is_measured_quoted_for_and_accepted(client):
    started = enclave(client)
    assert started["measurement"] == measure("clinical", PROJECT)
    answer = client.post("/v1/quotes", json={"ticket": started["ticket"], "report_data": REPORT_DATA.hex()})
    quote = answer.json()["quote"]
    assert parse_quote(decode_base64(quote)).report.mr_enclave.hex() == started["measurement"]
    collateral = Collateral.model_validate_json(client.post("/v1/collateral", json={"quote": quote}).content)
    made = Evidence(claims=attested.claims(), quote=quote, collateral=collateral)
    expected = replace(attested.EXPECTED, measurement=started["measurement"])
    root = load_root(client.get("/v1/root").text)
    result = attested.appraise(made, roots=(root,), expected=expected, at=datetime.now(UTC))
    assert result.simulated


def test_each_enclave_has_its_own_ticket(client):
    assert enclave(client)["ticket"] != enclave(client)["ticket"]


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("enclaves", {"profile": "unknown"}, 403, "PROFILE"),
        ("enclaves", {"profile": "../clinical"}, 422, "DOCUMENT"),
        ("enclaves", {}, 422, "DOCUMENT"),
        ("enclaves", {"profile": "clinical", "measurement": "ab" * 32}, 422, "DOCUMENT"),
        ("enclaves", {"profile": "clinical", "debug": True}, 422, "DOCUMENT"),
        ("enclaves", [], 422, "DOCUMENT"),
        ("quotes", {"ticket": "x" * 43, "report_data": "00" * 64}, 403, "TICKET"),
        ("quotes", {"ticket": "x" * 43, "report_data": "00" * 63}, 422, "DOCUMENT"),
        ("quotes", {"ticket": "", "report_data": "00" * 64}, 422, "DOCUMENT"),
        ("collateral", {"quote": encode_base64(b"garbage")}, 403, "QUOTE_LENGTH"),
        ("collateral", {"quote": "not base64"}, 422, "DOCUMENT"),
    ],
)
def test_requests_that_are_not_right(client, path, body, status, code):
    answer = client.post(f"/v1/{path}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


def test_collateral_is_for_its_own_quotes(client):
    quote = Platform(attested.other_keys()).quote(attested.MEASUREMENT, bytes(64))
    answer = client.post("/v1/collateral", json={"quote": encode_base64(quote)})
    assert answer.json()["code"] == "OTHER_PLATFORM"


@pytest.mark.parametrize("path", ["enclaves", "quotes", "collateral"])
def test_bodies_are_bounded(client, path):
    answer = client.post(f"/v1/{path}", content=b"x" * (MAX_BODY + 1))
    assert (answer.status_code, answer.json()["code"]) == (422, "SIZE")


def test_pages_of_other_hosts_do_not_reach_it(client):
    assert client.get("/v1/health", headers={"host": "sealroom.example"}).status_code == 400


def test_there_is_no_route_to_forge(app):
    assert {(path, *methods) for path, methods in app.openapi()["paths"].items()} == {
        ("/v1/health", "get"),
        ("/v1/root", "get"),
        ("/v1/enclaves", "post"),
        ("/v1/quotes", "post"),
        ("/v1/collateral", "post"),
        ("/sgx/certification/v4/tcb", "get"),
        ("/sgx/certification/v4/qe/identity", "get"),
        ("/sgx/certification/v4/pckcrl", "get"),
        ("/sgx/certification/v4/rootcacrl", "get"),
    }


# Settings


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "localhost", "", "::"])
def test_it_listens_on_loopback_only(tmp_path, host):
    with pytest.raises(TransportError) as caught:
        Settings(state=tmp_path, files=tmp_path, host=host)
    assert caught.value.code == "LOOPBACK_ONLY"


def test_flags_before_environment_before_file(tmp_path):
    config = tmp_path / "simulator.toml"
    config.write_text('state = "from-file"\nport = 1\nhost = "127.0.0.2"\n')
    environment = {ENVIRONMENT_PREFIX + "PORT": "2", ENVIRONMENT_PREFIX + "HOST": "127.0.0.3", "OTHER": "9"}
    found = load_settings(["--config", str(config), "--host", "::1"], environment)
    assert found == Settings(state=Path("from-file"), files=PROJECT, host="::1", port=2)
    assert load_settings([], {}) == Settings(state=Path("simulator-state"), files=PROJECT)
    assert load_settings(["--files", "elsewhere"], {}).files == Path("elsewhere")


@pytest.mark.parametrize(
    "text", ["not toml", "ports = 1", 'state = "a"\n[more]\n', "port = -1", 'port = "two"', "port = 65536"]
)
def test_settings_that_are_not_right(tmp_path, text):
    config = tmp_path / "simulator.toml"
    config.write_text(text)
    with pytest.raises(DocumentError) as caught:
        load_settings(["--config", str(config)], {})
    assert caught.value.code == "SETTINGS"


def test_a_settings_file_that_is_missing(tmp_path, capsys):
    assert main(["--config", str(tmp_path / "none.toml")]) == DocumentError.exit_code
    assert capsys.readouterr().err.startswith("SETTINGS: ")


# The process


@contextmanager
def process(state, *arguments, expect_ready=True):
    command = [sys.executable, "-m", "attestation.simulator", "--state", str(state), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=PROJECT, text=True) as running:
        try:
            yield running, json.loads(running.stdout.readline()) if expect_ready else None
        finally:
            if running.poll() is None:
                running.kill()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_process_of_its_own_serves_and_stops(tmp_path, stop):
    with process(tmp_path / "state") as (running, ready):
        assert ready["ready"] is True
        assert ready["url"] == f"http://127.0.0.1:{ready['port']}"
        started = httpx.post(ready["url"] + "/v1/enclaves", json={"profile": "clinical"}).json()
        quote = SimulatedAttester(ready["url"], started["ticket"]).quote(REPORT_DATA)
        assert parse_quote(quote).report.report_data == REPORT_DATA
        with pytest.raises(SealroomError, match="TICKET"):
            SimulatedAttester(ready["url"], "x" * 43).quote(REPORT_DATA)
        root = httpx.get(ready["url"] + "/v1/root").text
        running.send_signal(stop)
        output, errors = running.communicate(timeout=20)
        assert (running.returncode, output, errors) == (0, "", "")
    with process(tmp_path / "state", "--port", str(ready["port"])) as (running, again):
        assert again == ready
        assert httpx.get(again["url"] + "/v1/root").text == root


def test_a_port_that_is_taken(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with process(tmp_path / "state", "--port", port, expect_ready=False) as (running, _):
            _output, errors = running.communicate(timeout=20)
    assert running.returncode == TransportError.exit_code
    assert errors.startswith("ADDRESS: ")
    assert port in errors


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_it_serves_on_the_ipv6_loopback(tmp_path):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback address")
    with process(tmp_path / "state", "--host", "::1") as (running, ready):
        assert ready["url"].startswith("http://[::1]:")
        assert httpx.get(ready["url"] + "/v1/health").json()["simulated"] is True
        running.send_signal(signal.SIGTERM)
        assert running.wait(20) == 0


def test_serving_returns_when_a_signal_asks(tmp_path, capsys):
    """In this process, so that its own handlers are seen to be put back."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    def stop_when_it_answers():
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/v1/health", trust_env=False)
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                os.kill(os.getpid(), signal.SIGTERM)
                return

    before = signal.getsignal(signal.SIGTERM)
    threading.Thread(target=stop_when_it_answers, daemon=True).start()
    serve(Settings(state=tmp_path, files=PROJECT, port=port))
    assert signal.getsignal(signal.SIGTERM) == before
    assert json.loads(capsys.readouterr().out) == {"ready": True, "url": f"http://127.0.0.1:{port}", "port": port}


def test_keys_that_are_damaged_stop_it(tmp_path):
    (tmp_path / "state/platform").mkdir(parents=True)
    with process(tmp_path / "state", expect_ready=False) as (running, _):
        _output, errors = running.communicate(timeout=20)
    assert running.returncode == 9
    assert errors.startswith("PLATFORM_KEYS: ")


def test_importing_the_package_starts_nothing():
    code = "import sys, attestation.simulator; assert not {'fastapi', 'uvicorn'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=False).returncode == 0


def test_the_error_for_other_report_data():
    with pytest.raises(AttestationError) as caught:
        SimulatedAttester("http://127.0.0.1:1", "x" * 43).quote(bytes(63))
    assert caught.value.code == "REPORT_DATA"


# An existing contract


def test_one_changed_byte_of_the_enclave_makes_an_existing_contract_refuse(tmp_path):
    tree = tmp_path / "tree"
    for name in ("enclave", "protocol", "attestation", "manifests"):
        shutil.copytree(PROJECT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "requirements.lock", tree)
    expected = {name: replace(attested.EXPECTED, profile=name, measurement=measure(name, tree)) for name in PROFILES}
    with (
        process(tmp_path / "state", "--files", str(tree)) as (running, ready),
        httpx.Client(base_url=ready["url"], trust_env=False) as client,
    ):
        roots = (load_root(client.get("/v1/root").text),)

        def appraise(profile):
            ticket = client.post("/v1/enclaves", json={"profile": profile}).json()["ticket"]
            claims = attested.claims(profile=profile)
            quote = encode_base64(SimulatedAttester(ready["url"], ticket).quote(claims.report_data))
            collateral = Collateral.model_validate_json(client.post("/v1/collateral", json={"quote": quote}).content)
            evidence = Evidence(claims=claims, quote=quote, collateral=collateral)
            return attested.appraise(evidence, roots=roots, expected=expected[profile], at=datetime.now(UTC))

        assert all(appraise(profile) for profile in PROFILES)
        for path in sorted((tree / "enclave").rglob("*.py"))[::7]:
            before = path.read_bytes()
            path.write_bytes(before + b"#")
            changed = [name for name in PROFILES if measure(name, tree) != expected[name].measurement]
            assert changed, path
            with attested.refused("MEASUREMENT", "measurement"):
                appraise(changed[0])
            path.write_bytes(before)
        assert all(appraise(profile) for profile in PROFILES)
        running.send_signal(signal.SIGTERM)
        assert running.wait(20) == 0
