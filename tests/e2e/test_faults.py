"""Processes that die in the middle. Each test asserts that a run ends in one result or in none, and is charged once."""

import hashlib
import json
import os
import secrets
import signal

import pytest
from world import gone, wait_until

from protocol.documents.attested import ReleaseCommit
from protocol.documents.dataset import PART_SIZE
from protocol.documents.receipt import Receipt, ResultBundle
from protocol.dsse import Unverified


def test_an_upload_goes_on_after_the_broker_was_killed(world, tmp_path):
    large = world.large_package(tmp_path / "sealed", f"large-{secrets.token_hex(4)}")
    name = large.load(world.client("a").party.institution).name
    words = ("dataset", "upload", large.manifest, "--json")

    def state():
        found = {entry["name"]: entry["state"] for entry in world.run("a", "dataset", "list")}
        return found.get(name)

    with world.partners.hold("PUT", f"/{name}/files/table/parts/1$") as held:
        upload = world.process("a", *words)
        held.wait()
        world.broker.kill()
        held.drop()
        out, _ = upload.communicate(timeout=60)
    assert (upload.returncode, json.loads(out)["code"]) == (10, "UNREACHABLE")
    assert [path.stat().st_size for path in world.parts(name)] == [PART_SIZE]
    world.ensure()
    assert state() == "uploading"
    before = len(world.partners.exchanges)
    again = world.process("a", *words)
    out, _ = again.communicate(timeout=60)
    assert (again.returncode, json.loads(out)["state"]) == (0, "complete"), out
    assert state() == "complete"
    sent = [
        item.path.rsplit("/", 1)[1]
        for item in world.partners.exchanges[before:]
        if item.method == "PUT" and "/parts/" in item.path
    ]
    assert sent == ["1", "2"]  # not what was there
    stored = hashlib.sha256(b"".join(path.read_bytes() for path in world.parts(name)))
    assert stored.digest() == hashlib.sha256(large.sealed.read_bytes()).digest()


@pytest.mark.parametrize(
    ("method", "path", "answered", "leases"),
    [
        ("GET", "/datasets/", False, 1),
        ("POST", "/release$", True, 2),  # a release is not asked for twice: another enclave attests anew
        ("POST", "/commit$", True, 1),
        ("PUT", "/result$", True, 1),
    ],
    ids=["reading", "keys released", "committed", "result stored"],
)
def test_a_run_goes_on_after_the_broker_was_killed(world, method, path, answered, leases):
    contract = world.contract()
    with world.relayed.hold(method, path, answered=answered) as held:
        run = world.start(contract)
        held.wait()
        world.broker.kill()
        held.drop()
        world.broker.start()
        result = world.one_result(run)
    once(world, run, leases, commits=1)
    assert result.verified.study.contract.name == contract
    assert refused_again(world, contract)


@pytest.mark.parametrize("committed", [False, True])
def test_an_enclave_killed_after_the_key_release_is_followed_by_another(world, committed):
    contract = world.contract()
    with world.relayed.hold("POST", "/commit$", answered=committed) as held:
        run = world.start(contract)
        held.wait()
        assert len(world.custody(run)["releases"]) == 3
        assert world.results(run) == []
        first = world.enclave()
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: world.lease(run)["fence"] == 2)  # the dead one's request is not sent again
        held.drop()
        world.one_result(run)
    assert gone(first)
    once(world, run, leases=2, commits=2 if committed else 1)
    assert refused_again(world, contract)


def test_a_host_killed_after_the_key_release_is_followed_by_another(world):
    contract = world.contract()
    with world.relayed.hold("POST", "/commit$") as held:
        run = world.start(contract)
        held.wait()
        enclave = world.enclave()
        world.host.kill()
        held.drop()
        wait_until(lambda: gone(enclave))  # without its host's relay an enclave ends by itself
        assert world.client("a").run(run).state in {"leased", "waiting"}
        assert world.results(run) == []
        world.host.start()
        assert list((world.host_data / "runs").glob("*")) == []  # what the killed one left is gone
        world.one_result(run)
    once(world, run, leases=2, commits=1)
    assert refused_again(world, contract)


def test_without_its_platform_a_host_takes_no_run(world):
    contract = world.contract()
    world.platform.kill()
    run = world.start(contract)
    wait_until(lambda: "platform away" in world.host.log.read_text())
    lease = world.lease(run)
    assert (lease["state"], lease["fence"]) == ("waiting", 0)
    world.platform.start()
    world.one_result(run)
    once(world, run, leases=1, commits=1)


@pytest.mark.parametrize("moment", ["/v1/enclaves$", "/v1/quotes$", "/v1/collateral$"])
def test_a_platform_killed_before_the_key_release_costs_a_lease_and_no_run(world, moment):
    contract = world.contract()
    with world.quoted.hold("POST", moment) as held:
        run = world.start(contract)
        held.wait()
        world.platform.kill()
        held.drop()
        wait_until(lambda: world.lease(run)["state"] == "waiting")
        assert world.custody(run)["runs"] == []
        world.platform.start()
        world.one_result(run)
    once(world, run, leases=2, commits=1, releases=3)


def once(world, run, leases, commits, releases=None):
    """Assert that a run has one charge, one committed digest and one receipt, after so many leases."""
    held, lease = world.custody(run), world.lease(run)
    assert (lease["state"], lease["fence"]) == ("finished", leases)
    assert len(held["runs"]) == 1
    assert len(held["releases"]) == (3 * leases if releases is None else releases)
    assert len(held["commits"]) == commits
    (result,) = world.results(run)
    bundle = ResultBundle.from_bytes(result.read_bytes())
    assert [Unverified.parse(commit, ReleaseCommit).claimed.runs_charged for commit in bundle.commits] == [1]
    assert Unverified.parse(bundle.receipt, Receipt).claimed.predicate.run == run


def refused_again(world, contract):
    """Whether the contract's one run is spent."""
    return world.run("a", "run", "start", "--contract", contract, code=6)["code"] == "RUNS_SPENT"
