"""The enclave host as a process: with a broker and a simulated platform as processes, and a program for an enclave."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

from broker_scene import ProcessBroker, Scene, must, wait_until
from host_scene import ended, finish, make_host, platform, shared, statuses, study
from stand_in_enclave import SECRET

from broker.host.__main__ import main
from protocol.documents import ResultBundle

__all__ = ["make_host", "platform", "shared"]


def test_a_host_brings_a_run_to_its_result(shared, platform, make_host):
    scene = study(shared, platform)
    run = scene.start()
    host = make_host(shared, "print")
    assert host.ready == {"ready": True, "profiles": ["clinical", "discovery", "genomics"]}
    assert ended(scene, run)["state"] == "finished"
    result = must(scene.member(0, "analyst").get(f"/v1/runs/{run}/result")).content
    assert ResultBundle.from_bytes(result).evidence.claims.run == run
    wait_until(lambda: statuses(host))
    assert statuses(host) == ["finished"]
    assert main(["--check", "--data", str(host.data)]) == 0
    assert host.end() == 0
    assert main(["--check", "--data", str(host.data)]) == 1
    text = host.log.read_text()
    assert SECRET not in text and shared.host_token not in text
    assert f'"printed": {2 * (len(SECRET) * 1000 + 1)}' in text
    assert list((host.data / "runs").iterdir()) == []


def test_an_enclaves_reason_before_any_key_ends_the_run(shared, platform, make_host):
    scene = study(shared, platform)
    run = scene.start()
    host = make_host(shared, "refuse")
    found = ended(scene, run)
    assert (found["state"], found["code"]) == ("refused", "NOT_APPROVED")
    wait_until(lambda: statuses(host))
    assert statuses(host) == ["stopped"]


def test_another_measurement_than_the_contracts_gets_no_key(shared, platform, make_host):
    scene = study(shared, platform, measurement="0" * 64)
    run = scene.start()
    make_host(shared, "whole")
    found = ended(scene, run)
    assert (found["state"], found["code"]) == ("refused", "MEASUREMENT")
    assert not [line for line in shared.log.read_text().splitlines() if run in line and "keys released" in line]


def test_an_enclave_that_died_after_the_key_release_is_followed_by_another(shared, platform, make_host):
    scene = study(shared, platform)
    run = scene.start()
    host = make_host(shared, "die-once")
    assert ended(scene, run)["state"] == "finished"
    wait_until(lambda: len(statuses(host)) == 2)
    assert statuses(host) == ["died", "finished"]


def test_words_after_a_key_release_reach_nobody(shared, platform, make_host):
    scene = study(shared, platform)
    run = scene.start()
    host = make_host(shared, "talk")
    found = ended(scene, run)
    assert (found["state"], found["code"]) == ("failed", "LEASES_SPENT")
    for text in (host.log.read_text(), shared.log.read_text(), json.dumps(found)):
        assert SECRET not in text and "TALKATIVE" not in text


def test_an_enclave_that_always_dies_ends_the_run_as_failed(shared, platform, make_host):
    scene = study(shared, platform)
    run = scene.start()
    host = make_host(shared, "die")
    assert ended(scene, run)["code"] == "LEASES_SPENT"
    wait_until(lambda: len(statuses(host)) == 2)
    assert statuses(host) == ["died"] * 2


def test_a_program_that_cannot_be_started_is_survived(shared, platform, make_host):
    scene = study(shared, platform)
    run = scene.start()
    host = make_host(shared, ["/nonexistent/python"])
    assert ended(scene, run)["state"] == "failed"
    assert host.process.poll() is None and set(statuses(host)) <= {"not-started"}


def test_an_enclave_runs_no_longer_than_it_may(shared, platform, make_host):
    scene = study(shared, platform)
    run = scene.start()
    host = make_host(shared, "hang", run_seconds=0.7)
    wait_until(lambda: statuses(host), 30)
    assert statuses(host)[0] == "overtime"
    host.end()
    assert scene.state(run)["state"] in {"waiting", "leased"}
    finish(shared, make_host, scene, run)


def test_a_stop_ends_the_enclave_and_gives_the_lease_back_at_once(shared, platform, make_host):
    scene = study(shared, platform)
    run = scene.start()
    host = make_host(shared, "hang")
    wait_until(lambda: scene.state(run)["state"] == "leased")
    enclave = wait_until(lambda: children(host.process.pid))
    assert host.end() == 0
    assert statuses(host) == ["interrupted"]
    assert scene.state(run)["state"] == "waiting"
    assert not any(Path(f"/proc/{pid}").exists() for pid in enclave)
    finish(shared, make_host, scene, run)


def test_a_host_killed_in_the_middle_is_followed_by_another(shared, platform, make_host):
    scene = study(shared, platform)
    run = scene.start()
    first = make_host(shared, "wait")
    wait_until((first.data / "keys-open").exists)
    orphans = children(first.process.pid)
    first.end(signal.SIGKILL)
    second = make_host(shared, "whole")
    assert ended(scene, run)["state"] == "finished"
    wait_until(lambda: statuses(second) == ["finished"])
    (first.data / "go-on").touch()  # the orphan goes on, finds its relay gone, and ends
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in orphans))
    assert scene.state(run)["state"] == "finished"


def test_a_lease_that_was_lost_stops_the_enclave(shared, platform, make_host):
    scene = study(shared, platform)
    run = scene.start()
    host = make_host(shared, "wait", heartbeat_seconds=6.0)  # longer than the lease
    wait_until((host.data / "keys-open").exists)
    enclave = children(host.process.pid)
    lease = wait_until(scene.host.claim)
    assert lease["run"] == run
    wait_until(lambda: statuses(host), 30)
    assert statuses(host) == ["lease-lost"]
    assert not any(Path(f"/proc/{pid}").exists() for pid in enclave)
    must(scene.host.run(lease, "POST", "/heartbeat"))  # nothing of the first host's touched the second's lease
    must(scene.host.run(lease, "POST", "/failed"))


def test_a_broker_killed_in_the_middle_of_a_run_is_waited_for(tmp_path, platform, make_host):
    with ProcessBroker(tmp_path, "--hardware-root", str(platform.root)) as broker:
        scene = study(broker, platform)
        run = scene.start()
        host = make_host(broker, "wait")
        wait_until((host.data / "keys-open").exists)
        broker.kill()
        (host.data / "go-on").touch()  # the enclave asks for a part while the broker is away
        time.sleep(1)
        broker.start()
        assert ended(scene, run)["state"] == "finished"
        wait_until(lambda: statuses(host))
        assert statuses(host) == ["finished"]


def test_a_host_waits_for_a_broker_that_is_away_and_for_a_platform(tmp_path, platform, make_host):
    with ProcessBroker(tmp_path, "--hardware-root", str(platform.root)) as broker:
        scene = study(broker, platform)
        run = scene.start()
        broker.kill()
        host = make_host(broker, "whole")
        wait_until(lambda: '"broker away"' in host.log.read_text())
        broker.start()
        assert ended(scene, run)["state"] == "finished"


def test_a_host_without_its_platform_takes_no_run(shared, platform, make_host):
    scene = study(shared, platform)
    run = scene.start()
    host = make_host(shared, "whole", platform="http://127.0.0.1:9")
    wait_until(lambda: host.log.read_text().count('"platform away"') > 2)
    assert scene.state(run)["state"] == "waiting"
    assert statuses(host) == []
    assert host.end() == 0
    finish(shared, make_host, scene, run)


def test_a_profile_that_the_platform_cannot_measure_ends_the_run(tmp_path, platform, make_host):
    with ProcessBroker(tmp_path, "--hardware-root", str(platform.root)) as broker:
        scene = Scene(broker, owners=1, policy={"profiles": ("unheard",)}, terms={"profile": "unheard"}).ready()
        run = scene.start()
        make_host(broker, "whole", profiles=["unheard"])
        found = ended(scene, run)
        assert (found["state"], found["code"]) == ("refused", "PROFILE")


def test_wrong_settings_are_told_on_standard_error(tmp_path):
    found = subprocess.run([sys.executable, "-m", "broker.host"], capture_output=True, text=True, check=False)
    assert found.returncode == 4 and "SETTINGS" in found.stderr


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
