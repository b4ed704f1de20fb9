"""What the host sees of an enclave once keys are open: the same requests, sizes and silence whatever the data are."""

import asyncio
import os
import re
import secrets
import signal
import subprocess
import sys
from pathlib import Path

import hostile_host
import lung
import pytest
from factories import replace, resign
from hostile_host import STEPS, TICKET, TOKEN, to_bytes

from broker.host.enclave import EnclaveProcess
from broker.host.settings import HostSettings
from enclave.session import QUANTUM
from protocol.commitment import commit_key
from protocol.container import generate_data_key
from protocol.documents import Refusal

TESTS = Path(__file__).parents[1]
CANARY = "canary-of-the-crashing-enclave"
"""What the crashing enclave puts before the tables that it prints."""


def partner(slot):
    rows = lung.rows()
    return rows[rows.partner == slot]


def subject_twice():
    good = lung.table_bytes(partner("a"), "a")
    first, second = (lung.hashlib.sha256(name).digest()[:16] for name in (b"a-0", b"a-1"))
    return {"plains": {0: good.replace(second, first)}}


def code_outside_its_levels():
    status = lung.category("status", ("0", "censored"), ("1", "dead"), ("2", "unknown"))
    columns = [status if column.name == "status" else column for column in lung.SCHEMA.columns]
    frame = partner("a").assign(status="2")
    return {"plains": {0: lung.table_bytes(frame, "a", lung.TableSchema(columns=tuple(columns)))}}


def no_table_at_all():
    return {"plains": {0: secrets.token_bytes(len(lung.table_bytes(partner("a"), "a")))}}


def fewer_rows_than_signed():
    def spoil(party, dataset):
        manifest = resign(dataset.manifest.document, party.people["steward"].manifest, rows=74)
        return replace(dataset, manifest=manifest)

    return {"spoil": {0: spoil}}


def segments_under_another_key():
    def spoil(party, dataset):
        key = generate_data_key()
        manifest = resign(dataset.manifest.document, party.people["steward"].manifest, commitment=commit_key(key))
        return replace(dataset, manifest=manifest, data_key=key)

    return {"spoil": {0: spoil}}


def time_before_the_start():
    """Within its schema, which gives no range, but nothing that survival can be computed from."""
    return {"plains": {1: lung.table_bytes(partner("b").assign(time=-5), "b")}}


def looks(host):
    """Everything that a host can see but times: routes, sizes, statuses, with names of documents taken out."""
    return [
        (seen.step, seen.method, re.sub("[0-9a-f]{64}", "NAME", seen.path), seen.sent, seen.status, seen.answered)
        for seen in host.seen
    ]


@pytest.fixture(scope="module")
def good_looks(tmp_path_factory):
    with hostile_host.Host(tmp_path_factory.mktemp("good")) as host:
        assert host.run() is True
        assert not any(isinstance(output.value, Refusal) for output in host.opened().values())
        return looks(host)


@pytest.mark.parametrize(
    ("spoil", "refusal"),
    [
        (subject_twice, "SCHEMA"),
        (code_outside_its_levels, "SCHEMA"),
        (no_table_at_all, "SCHEMA"),
        (fewer_rows_than_signed, "SCHEMA"),
        (segments_under_another_key, "SCHEMA"),
        (time_before_the_start, "POLICY"),
    ],
)
def test_a_table_that_breaks_its_schema_looks_like_any_other_to_the_host(make_host, good_looks, spoil, refusal):
    host = make_host(**spoil())
    assert host.run() is True
    assert looks(host) == good_looks
    assert host.failures == []
    for party in range(3):
        opened = host.opened(party)
        assert list(opened) == list(lung.OUTPUTS)
        assert {output.value for output in opened.values()} == {Refusal(refusal=refusal)}
    (release,), (commit,) = host.asked("release"), host.asked("commit")
    assert commit.at - release.at >= QUANTUM
    trust = hostile_host.trust_of(host)
    assert hostile_host.verify_bundle(host.results[0], trust, now=host.scene.clock.now).simulated


# Processes


def environment():
    """What a host gives an enclave, and what coverage measures by."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE")}
    return {"LANG": "C.UTF-8", "PATH": os.defpath} | kept


def start(folder, *command, **more):
    return subprocess.Popen(
        [sys.executable, "-I", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=environment() | more,
    )


def finish(process, line):
    out, err = process.communicate(line, timeout=120)
    return process.returncode, out, err


def launch_line(host):
    return to_bytes(host.launch) + b"\n"


def test_a_session_in_a_process_prints_nothing(host, tmp_path):
    status = finish(start(tmp_path, "-m", "enclave", "clinical"), launch_line(host))
    assert status == (0, b"", b"")
    assert len(host.results) == 1
    assert not any(isinstance(output.value, Refusal) for output in host.opened().values())


def test_a_refused_session_in_a_process_prints_nothing(host, tmp_path):
    host.lies["study"] = lambda asked, honest: to_bytes(host.study.repack(approvals=()))
    assert finish(start(tmp_path, "-m", "enclave", "clinical"), launch_line(host)) == (0, b"", b"")
    assert [failure.code for failure in host.failures] == ["NOT_APPROVED"]


CRASHES = {
    "analysis": 0,
    "bundle": 1,
    "exit": -signal.SIGINT,
    "thread": 0,
    "native": 0,
}
"""What the crashing enclave does after keys, and the exit status."""


@pytest.mark.parametrize("crash", CRASHES)
def test_a_crash_after_keys_says_nothing_of_the_data(host, tmp_path, crash):
    bodies = []
    for step in STEPS[STEPS.index("part") :]:
        host.lies[step] = lambda asked, honest: bodies.append(asked.body) or honest()
    process = start(tmp_path, str(TESTS / "crashing_enclave.py"), crash)
    assert finish(process, launch_line(host)) == (CRASHES[crash], b"", b"")
    assert host.failures == []
    assert CANARY.encode() not in b"".join(bodies)
    if crash == "analysis":
        assert {output.value for output in host.opened().values()} == {Refusal(refusal="INTERNAL")}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_after_keys_brings_out_no_traceback(host, tmp_path, number):
    processes = []

    def lie(asked, honest):
        processes[0].send_signal(number)
        return honest()

    host.lies["commit"] = lie
    processes.append(start(tmp_path, "-m", "enclave", "clinical"))
    status, out, err = finish(processes[0], launch_line(host))
    assert status != 0
    assert (out, err) == (b"", b"")
    assert host.results == []


def test_an_enclave_computes_in_one_thread_whatever_its_host_sets(host, tmp_path):
    """So sums are in one order, and the same data give the same bits on every machine."""
    running, threads = [], []

    def lie(asked, honest):
        threads.append(len(list((Path("/proc") / str(running[0].pid) / "task").iterdir())))
        return honest()

    host.lies["commit"] = lie
    running.append(start(tmp_path, "-m", "enclave", "clinical", OPENBLAS_NUM_THREADS="2", OMP_NUM_THREADS="2"))
    assert finish(running[0], launch_line(host)) == (0, b"", b"")
    assert threads == [1]


def test_arguments_environment_and_files_of_an_enclave_hold_no_secret(host, tmp_path):
    """Started as the host starts it; looked at while it has keys."""
    folder = tmp_path / "run"
    folder.mkdir()
    settings = HostSettings(
        broker="http://127.0.0.1:9", host_token_file=tmp_path / "token", platform=host.url, data=tmp_path
    )
    running, found = [], {}

    def lie(asked, honest):
        process = Path("/proc") / str(running[0])
        found.update({name: (process / name).read_bytes() for name in ("cmdline", "environ")})
        return honest()

    host.lies["commit"] = lie

    async def run():
        enclave = await EnclaveProcess.start(settings, "clinical", host.launch, folder)
        running.append(enclave._process.pid)
        status = await enclave.wait()
        await enclave.stop()
        return status, enclave.printed

    assert asyncio.run(run()) == (0, 0)
    assert found["cmdline"].split(b"\0")[1:] == [b"-I", b"-m", b"enclave", b"clinical", b""]
    names = {pair.split(b"=")[0] for pair in found["environ"].split(b"\0") if pair}
    assert names <= {b"LANG", b"PATH", b"LC_CTYPE"}
    for secret in (TOKEN, TICKET, *(dataset.data_key.hex() for dataset in host.study.datasets)):
        assert secret.encode() not in found["cmdline"] + found["environ"]
    assert list(folder.iterdir()) == []
