"""Starting runs, leases with fences, and who sees what."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from broker_scene import LiveBroker, Scene, must, refused

RUNS = {"max_runs": 3}


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    """Here a lease lasts a minute, and a run has three."""
    from broker.settings import Limits

    folder = tmp_path_factory.mktemp("broker")
    with LiveBroker(folder, lease_seconds=60, limits=Limits(leases=3)) as broker:
        yield broker


@pytest.fixture
def many(broker):
    """A contract with three runs; the clock is right, and runs that other tests left are over."""
    broker.clock.offset = timedelta(0)
    with broker.inner.database.writing() as connection:
        connection.exec_driver_sql("UPDATE runs SET state = 'failed' WHERE state IN ('waiting', 'leased')")
    return Scene(broker, policy=RUNS, terms=RUNS).ready()


def later(broker, seconds):
    broker.clock.offset += timedelta(seconds=seconds)


def test_a_run_takes_an_analyst_of_a_party(broker, ready):
    body = {"contract": ready.contract.name}
    refused(ready.member(0, "steward").post("/v1/runs", body), 403, "ROLE")
    refused(Scene(broker, owners=1).member(0, "analyst").post("/v1/runs", body), 403, "STRANGER")
    refused(ready.member(0, "analyst").post("/v1/runs", {"contract": "0" * 64}), 404, "CONTRACT_UNKNOWN")
    refused(ready.member(0, "analyst").post("/v1/runs", {}), 422, "DOCUMENT")
    refused(ready.member(0, "analyst").post("/v1/runs", b'{ "contract": 1 }'), 422, "CANONICAL")
    answer = ready.member(1, "analyst").post("/v1/runs", body)
    assert answer.status_code == 201
    assert answer.json()["state"] == "waiting" and answer.json()["code"] is None


def test_unapproved_and_incomplete_contracts_do_not_run(broker):
    scene = Scene(broker)
    scene.upload()
    scene.propose()
    body = {"contract": scene.contract.name}
    refused(scene.member(0, "analyst").post("/v1/runs", body), 403, "NOT_APPROVED")
    half = Scene(broker)
    half.datasets = [half.make_dataset(index) for index in range(2)]
    for index, dataset in enumerate(half.datasets):
        must(half.open_upload(index, dataset))
    half.propose()
    half.approve()
    refused(half.member(0, "analyst").post("/v1/runs", {"contract": half.contract.name}), 409, "DATASET_INCOMPLETE")


def test_a_contract_has_so_many_runs(ready):
    ready.start()
    refused(ready.member(0, "analyst").post("/v1/runs", {"contract": ready.contract.name}), 403, "RUNS_SPENT")


def test_concurrent_starts_never_exceed_the_limit(broker, many):
    analyst = many.member(0, "analyst")
    analyst.token  # noqa: B018 - one token for all
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: analyst.post("/v1/runs", {"contract": many.contract.name}), range(12)))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [403] * 9


def test_concurrent_claims_never_share_a_run(broker, many):
    started = {many.start() for _ in range(3)}
    with ThreadPoolExecutor(8) as pool:
        leases = [lease for lease in pool.map(lambda _: many.host.claim(), range(8)) if lease]
    assert {lease["run"] for lease in leases} == started and len(leases) == 3


def test_runs_are_claimed_in_order_and_by_profile(many):
    first, second = many.start(), many.start()
    assert many.host.claim("genomics", "discovery") is None
    assert many.host.claim("genomics", "clinical")["run"] == first
    assert many.host.claim()["run"] == second


def test_a_lease_that_ran_out_goes_to_another_host_and_the_old_fence_is_void(broker, many):
    run, host = many.start(), many.host
    old = host.claim()
    later(broker, 61)
    assert many.state(run)["state"] == "waiting"
    new = host.claim()
    assert new["run"] == run and (old["fence"], new["fence"]) == (1, 2)
    custodian = many.custodian.signing
    name = many.datasets[0].manifest.name
    for method, path, body in (
        ("POST", "/heartbeat", b""),
        ("GET", "/study", b""),
        ("GET", f"/datasets/{name}/table/0", b""),
        ("POST", f"/custody/{custodian}/nonce", b""),
        ("POST", f"/custody/{custodian}/commit", many.recipe.envelope),
        ("PUT", "/result", b"x"),
        ("POST", "/failure", {"code": "X", "detail": "Stale."}),
        ("POST", "/failed", b""),
    ):
        refused(host.run(old, method, path, body), 409, "STALE_FENCE")
    assert many.state(run)["state"] == "leased"
    must(host.run(new, "POST", "/heartbeat"))


def test_heartbeats_keep_a_lease(broker, many):
    run, host = many.start(), many.host
    lease = host.claim()
    for _ in range(3):
        later(broker, 40)
        assert must(host.run(lease, "POST", "/heartbeat")).json()["state"] == "leased"
        assert host.claim() is None
    later(broker, 61)
    assert host.claim()["run"] == run


def test_a_holder_keeps_a_lease_that_nobody_else_took(broker, many):
    run, host = many.start(), many.host
    lease = host.claim()
    later(broker, 120)
    assert many.state(run)["state"] == "waiting"
    must(host.run(lease, "POST", "/heartbeat"))
    assert many.state(run)["state"] == "leased"


def test_a_run_has_so_many_leases(broker, many):
    run, host = many.start(), many.host
    for fence in (1, 2, 3):
        lease = host.claim()
        assert (lease["run"], lease["fence"]) == (run, fence)
        answer = must(host.run(lease, "POST", "/failed")).json()
        assert answer["state"] == ("failed" if fence == 3 else "waiting")
    assert host.claim() is None
    assert many.state(run)["code"] == "LEASES_SPENT"


def test_the_last_lease_may_run_out_too(broker, many):
    run, host = many.start(), many.host
    for _ in range(3):
        assert host.claim()["run"] == run
        later(broker, 61)
    assert host.claim() is None
    assert many.state(run)["state"] == "failed" and many.state(run)["code"] == "LEASES_SPENT"


def test_a_failure_before_keys_keeps_the_enclaves_reason(many):
    run, host = many.start(), many.host
    lease = host.claim()
    failure = {"code": "MEASUREMENT", "detail": "Found another measurement than the contract's."}
    refused(host.run(lease, "POST", "/failure", {"code": "lower", "detail": "x"}), 422, "DOCUMENT")
    assert must(host.run(lease, "POST", "/failure", failure)).json()["state"] == "refused"
    found = many.state(run)
    assert (found["state"], found["code"], found["detail"]) == ("refused", failure["code"], failure["detail"])
    refused(host.run(lease, "POST", "/failed"), 409, "STALE_FENCE")
    many.start()


def test_a_failure_of_the_machinery_gives_the_run_to_another_lease(many):
    run, host = many.start(), many.host
    lease = host.claim()
    must(host.run(lease, "POST", "/failure", {"code": "BROKER_AWAY", "detail": "The broker does not answer."}))
    assert many.state(run)["state"] == "waiting"
    assert host.claim()["fence"] == 2


def test_runs_of_a_contract_that_lapsed_are_refused_when_claimed(broker, many):
    run = many.start()
    later(broker, 201 * 86_400)
    assert many.host.claim() is None
    for caller in list(many._callers.values()):
        caller._token = ""
    found = many.state(run)
    assert (found["state"], found["code"]) == ("refused", "EXPIRED")


def test_a_host_reads_only_the_contracts_datasets(broker, many):
    other = Scene(broker, owners=1)
    other.upload()
    many.start()
    lease, name = many.host.claim(), many.datasets[0].manifest.name
    foreign = other.datasets[0].manifest.name
    refused(many.host.run(lease, "GET", f"/datasets/{foreign}/table/0"), 403, "OTHER_DATASET")
    refused(many.host.run(lease, "GET", f"/datasets/{name}/other/0"), 404, "FILE_UNKNOWN")
    refused(many.host.run(lease, "GET", f"/datasets/{name}/table/1"), 404, "PART_UNKNOWN")
    assert must(many.host.run(lease, "GET", f"/datasets/{name}/table/0")).content == many.datasets[0].sealed
    objects = broker.data / "objects" / "sealed" / name
    (file,) = (file for file in objects.rglob("*") if file.is_file())
    file.write_bytes(b"short")
    refused(many.host.run(lease, "GET", f"/datasets/{name}/table/0"), 409, "OBJECT_MISSING")


def test_hosts_need_a_fence_and_a_run(broker, many):
    many.start()
    lease = many.host.claim()
    refused(many.host.request("POST", f"/v1/host/runs/{lease['run']}/heartbeat"), 400, "REQUEST")
    refused(many.host.request("POST", f"/v1/host/runs/{'0' * 32}/heartbeat", fence=1), 404, "RUN_UNKNOWN")
    refused(many.host.request("POST", "/v1/host/runs/short/heartbeat", fence=1), 400, "REQUEST")
    refused(many.host.request("POST", "/v1/host/claim", {"profiles": []}), 422, "DOCUMENT")


def test_runs_are_shown_to_their_parties_only(broker, many):
    run = many.start()
    outsider = Scene(broker, owners=1).member(0, "analyst")
    refused(outsider.get(f"/v1/runs/{run}"), 403, "STRANGER")
    refused(outsider.get(f"/v1/runs/{run}/result"), 403, "STRANGER")
    assert must(outsider.get("/v1/runs")).json() == []
    assert [item["run"] for item in must(many.member(1, "approver").get("/v1/runs")).json()] == [run]
    refused(many.member(0, "analyst").get(f"/v1/runs/{'0' * 32}"), 404, "RUN_UNKNOWN")
    refused(many.member(0, "analyst").get(f"/v1/runs/{run}/result"), 409, "RESULT_MISSING")
