"""The broker as a process: ready line, clean stop, kill -9 in the middle of an upload and of a run, quiet logs."""

import base64
import hashlib
import json
import signal
import socket
import subprocess
import sys
import time

import pytest
from broker_scene import ProcessBroker, Scene, call, must, refused, split, wait_until


@pytest.fixture
def broker(tmp_path):
    with ProcessBroker(tmp_path, "--lease-seconds", "1.5") as broker:
        yield broker


def test_it_serves_until_it_is_told_to_stop(tmp_path):
    with ProcessBroker(tmp_path) as broker:
        assert must(call(broker.url, "GET", "/v1/health")).json()["status"] == "ok"
        assert broker.stop() == 0
        broker.start()
        broker.process.send_signal(signal.SIGINT)
        assert broker.process.wait(timeout=20) == 0
        broker.process.stdout.close()
    for line in broker.log.read_text().splitlines():
        assert json.loads(line)["level"] in {"info", "warning"}, line


def test_wrong_settings_are_told_on_standard_error(tmp_path):
    command = [sys.executable, "-m", "broker", "serve", "--data", str(tmp_path), "--appraisal-policy", "absent.toml"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 9 and found.stdout == ""
    assert "SETTINGS: absent.toml cannot be read" in found.stderr


def test_a_data_folder_and_a_port_serve_one_broker(broker, tmp_path):
    command = [sys.executable, "-m", "broker", "serve", "--data"]
    found = subprocess.run([*command, str(broker.data)], capture_output=True, text=True, check=False)
    assert found.returncode == 9 and "DATA_IN_USE" in found.stderr
    port = broker.url.rsplit(":", 1)[1]
    taken = [*command, str(tmp_path / "other"), "--port", port]
    found = subprocess.run(taken, capture_output=True, text=True, check=False)
    assert found.returncode == 10 and "ADDRESS" in found.stderr


def test_an_upload_goes_on_after_kill_9(broker):
    scene = Scene(broker, owners=1, parts=3)
    dataset = scene.make_dataset(0)
    manifest, parts = dataset.manifest, split(dataset.sealed)
    steward = scene.member(0, "steward")
    must(scene.open_upload(0, dataset))
    must(steward.put_part(manifest, 1, parts[1]))
    cut = send_half(broker, steward, manifest, parts[0])
    broker.kill()
    cut.close()
    broker.start()
    listed = f"/v1/datasets/{manifest.name}/files/table/parts"
    assert must(steward.get(listed)).json() == {"have": [1], "wanted": 3}
    objects = broker.data / "objects"
    files = [path for path in (objects / "sealed").rglob("*") if path.is_file()]
    assert [path.read_bytes() for path in files] == [parts[1]]
    refused(steward.post(f"/v1/datasets/{manifest.name}/complete"), 409, "PARTS_MISSING")
    for index in (0, 2):
        must(steward.put_part(manifest, index, parts[index]))
    assert must(steward.post(f"/v1/datasets/{manifest.name}/complete")).json()["state"] == "complete"


def send_half(broker, steward, manifest, part):
    """Send the first half of a part and leave the connection open."""
    digest = base64.b64encode(hashlib.sha256(part).digest()).decode()
    head = (
        f"PUT /v1/datasets/{manifest.name}/files/table/parts/0 HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {steward.token}\r\nContent-Digest: sha-256=:{digest}:\r\n"
        f"Content-Length: {len(part)}\r\n\r\n"
    )
    host, port = broker.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=20)
    connection.sendall(head.encode() + part[: len(part) // 2])
    time.sleep(0.5)  # the broker is in the middle of it now
    return connection


def test_a_run_goes_on_after_kill_9(broker):
    scene = Scene(broker).ready()
    run, host = scene.start(), scene.host
    lease = host.claim()
    broker.kill()
    broker.start()
    must(host.run(lease, "POST", "/heartbeat"))
    must(host.run(lease, "GET", "/study"))
    time.sleep(1.6)
    assert scene.state(run)["state"] == "waiting"
    second = host.claim()
    assert (second["run"], second["fence"]) == (run, 2)
    refused(host.run(lease, "POST", "/heartbeat"), 409, "STALE_FENCE")


def test_secrets_and_keys_outlive_a_restart(broker):
    before = broker.invite, broker.host_token, must(call(broker.url, "GET", "/v1/custodian")).content
    scene = Scene(broker, owners=1)
    token = scene.member(0, "analyst").token
    assertion = scene.member(0, "analyst").assertion()
    from broker_scene import ask_token

    must(ask_token(broker.url, assertion))
    broker.kill()
    broker.start()
    assert before == (broker.invite, broker.host_token, must(call(broker.url, "GET", "/v1/custodian")).content)
    must(scene.member(0, "analyst").get("/v1/institutions"))
    assert scene.member(0, "analyst").token == token
    refused(ask_token(broker.url, assertion), 401, "ASSERTION_REPLAYED")


def test_logs_hold_no_secret_and_no_body(broker):
    scene = Scene(broker, owners=1).ready()
    scene.start()
    scene.host.claim()
    caller = scene.member(0, "analyst")
    call(broker.url, "GET", f"/v1/datasets?token={caller.token}", headers={"Authorization": f"Bearer {caller.token}"})
    broker.stop()
    text = broker.log.read_text()
    secrets = [broker.invite, broker.host_token, *(c.token for c in scene._callers.values())]
    passphrase = (broker.data / "custodian-passphrase").read_text().strip()
    words = [scene.contract.document.purpose, scene.contract.envelope.payload[:40], scene.datasets[0].data_key.hex()]
    for hidden in (*secrets, passphrase, *words):
        assert hidden not in text
    assert '"route": "/v1/host/claim"' in text


def test_connections_are_bounded(tmp_path):
    config = tmp_path / "broker.toml"
    config.write_text("[limits]\nconnections = 8\n")
    with ProcessBroker(tmp_path, "--config", str(config)) as broker:
        host, port = broker.url.removeprefix("http://").split(":")
        idle = [socket.create_connection((host, int(port)), timeout=10) for _ in range(12)]
        try:
            assert wait_until(lambda: call(broker.url, "GET", "/v1/health").status_code == 503)
        finally:
            for connection in idle:
                connection.close()
        assert wait_until(lambda: call(broker.url, "GET", "/v1/health").status_code == 200)
