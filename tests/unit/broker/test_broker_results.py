"""Custody through the broker, and the result at the end of a run."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import factories
import httpx
import pytest
from broker_scene import LiveBroker, Scene, must, refused
from cryptography.hazmat.primitives.serialization import Encoding
from stand_in_enclave import SECRET, play

from attestation.simulator.pki import create_keys
from attestation.simulator.platform import Platform
from enclave.relay import Relay
from protocol.documents import Collateral, Receipt, ResultBundle
from protocol.documents.exchange import Assignment
from protocol.dsse import Unverified, sign
from protocol.errors import SealroomError


@pytest.fixture(scope="module")
def platform():
    return Platform(create_keys(datetime.now(UTC) - timedelta(days=1)))


@pytest.fixture(scope="module")
def broker(tmp_path_factory, platform):
    folder = tmp_path_factory.mktemp("broker")
    root = folder / "root.pem"
    root.write_bytes(platform.root.certificate.public_bytes(Encoding.PEM))
    with LiveBroker(folder, hardware_roots=(root,)) as broker:
        yield broker


class Direct(Relay):
    """A relay without a host in between: the host's routes under one lease, with a platform at hand."""

    def __init__(self, broker, lease, platform):
        headers = {"Authorization": f"Bearer {broker.host_token}", "Sealroom-Fence": str(lease["fence"])}
        base = f"{broker.url}/v1/host/runs/{lease['run']}"
        super().__init__(httpx.Client(base_url=base, headers=headers, timeout=30))
        self._lease, self._platform = Assignment(**lease), platform
        self.measurement = factories.MEASUREMENT

    def assignment(self) -> Assignment:
        return self._lease

    def collateral(self, quote: bytes) -> Collateral:
        return self._platform.collateral(datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1))

    def quote(self, report_data: bytes) -> bytes:
        return self._platform.quote(self.measurement, report_data)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._client.close()


@pytest.fixture
def no_other_run(broker):
    """Nothing that another test started is left to be claimed."""
    with broker.inner.database.writing() as connection:
        connection.exec_driver_sql("UPDATE runs SET state = 'failed' WHERE state IN ('waiting', 'leased')")


@pytest.fixture
def lease(ready, no_other_run):
    ready.start()
    return ready.host.claim()


@pytest.fixture
def relay(broker, lease, platform):
    with Direct(broker, lease, platform) as relay:
        yield relay


def test_a_whole_run_ends_with_a_result_for_its_parties(broker, ready, lease, relay):
    bundle = play(relay, relay)
    answer = must(ready.host.run(lease, "PUT", "/result", bundle))
    assert answer.json()["state"] == "finished"
    assert must(ready.host.run(lease, "PUT", "/result", bundle)).content == answer.content
    run = lease["run"]
    assert ready.state(run)["state"] == "finished"
    for party, member in ((0, "analyst"), (1, "steward")):
        assert must(ready.member(party, member).get(f"/v1/runs/{run}/result")).content == bundle
    outsider = Scene(broker, owners=1).member(0, "analyst")
    refused(outsider.get(f"/v1/runs/{run}/result"), 403, "STRANGER")
    refused(ready.host.run(lease, "POST", "/heartbeat"), 409, "STALE_FENCE")
    refused(ready.host.run(lease, "PUT", "/result", bundle[:-1] + b" "), 409, "RESULT_DIFFERS")
    (stored,) = (broker.data / "objects" / "results" / run).iterdir()
    stored.unlink()
    refused(ready.member(0, "analyst").get(f"/v1/runs/{run}/result"), 409, "OBJECT_MISSING")


def test_the_same_result_sent_twice_at_once_is_kept(broker, ready, lease, relay):
    """A host that repeats itself, because the answer was slow, must not lose the result."""
    bundle = play(relay, relay)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: ready.host.run(lease, "PUT", "/result", bundle), range(4)))
    assert [answer.status_code for answer in answers] == [200] * 4
    assert must(ready.member(0, "analyst").get(f"/v1/runs/{lease['run']}/result")).content == bundle


def test_a_proposer_who_is_no_recipient_sees_the_run_and_not_the_result(broker, platform, no_other_run):
    """Recipients and owners get results; whoever proposed the study does so for others."""
    scene = Scene(broker)
    scene.upload()
    owner_only = scene.datasets[1:]
    recipe = factories.make_recipe(scene.parties[0], ["site"], at=scene.at)
    contract = factories.make_contract(scene.parties[0], recipe, owner_only, scene.parties[1:], at=scene.at)
    scene.contract = contract
    analyst = scene.member(0, "analyst")
    must(analyst.post("/v1/recipes", recipe.envelope))
    must(analyst.post("/v1/contracts", contract.envelope))
    vote = factories.approve(contract, scene.parties[1], at=scene.at)
    must(scene.member(1, "approver").post("/v1/approvals", vote.envelope))
    run = scene.start()
    lease = scene.host.claim()
    with Direct(broker, lease, platform) as relay:
        must(scene.host.run(lease, "PUT", "/result", play(relay, relay)))
    assert scene.state(run)["state"] == "finished"
    refused(analyst.get(f"/v1/runs/{run}/result"), 403, "STRANGER")
    must(scene.member(1, "steward").get(f"/v1/runs/{run}/result"))


def test_results_of_other_runs_and_forged_ones_are_refused(broker, ready, lease, relay, platform):
    bundle = play(relay, relay)
    parts = ResultBundle.from_bytes(bundle)

    def put(**changes):
        return ready.host.run(lease, "PUT", "/result", factories.changed(parts, changes).to_bytes())

    receipt = Unverified.parse(parts.receipt, Receipt).claimed
    key = factories.Person("x").api
    refused(put(receipt=sign(receipt, key).envelope), 422, "SIGNATURE")
    claims = factories.changed(parts.evidence.claims, {"run": "0" * 32})
    refused(put(evidence=factories.changed(parts.evidence, {"claims": claims})), 422, "OTHER_RUN")
    claims = factories.changed(parts.evidence.claims, {"contract": "0" * 64})
    refused(put(evidence=factories.changed(parts.evidence, {"claims": claims})), 422, "OTHER_CONTRACT")
    study = factories.changed(parts.study, {"contract": parts.study.recipe})
    refused(put(study=study), 422, "OTHER_CONTRACT")
    refused(put(receipt=parts.study.recipe), 422, "PAYLOAD_TYPE")
    refused(ready.host.run(lease, "PUT", "/result", b""), 422, "JSON")
    refused(ready.host.run(lease, "PUT", "/result", bundle + b" "), 422, "CANONICAL")
    refused(ready.host.run(lease, "PUT", "/result", bundle[: len(bundle) // 2]), 422, "JSON")
    assert ready.state(lease["run"])["state"] == "leased"
    assert not (broker.data / "objects" / "results" / lease["run"]).exists()
    other = Scene(broker).ready()
    other.start()
    second = other.host.claim()
    refused(other.host.run(second, "PUT", "/result", bundle), 422, "OTHER_RUN")


def test_a_result_under_a_fence_that_was_lost_is_refused(broker, ready, lease, relay):
    bundle = play(relay, relay)
    must(ready.host.run(lease, "POST", "/failed"))
    refused(ready.host.run(lease, "PUT", "/result", bundle), 409, "STALE_FENCE")
    new = ready.host.claim()
    refused(ready.host.run(lease, "PUT", "/result", bundle), 409, "STALE_FENCE")
    assert (new["run"], new["fence"]) == (lease["run"], 2)


def test_an_enclave_that_died_after_the_key_release_is_followed_by_another(broker, ready, lease, relay, platform):
    class DiedError(Exception):
        pass

    def die(_fence):
        raise DiedError

    with pytest.raises(DiedError):
        play(relay, relay, die)
    must(ready.host.run(lease, "POST", "/failed"))
    second = ready.host.claim()
    with Direct(broker, second, platform) as after:
        must(ready.host.run(second, "PUT", "/result", play(after, after)))
    assert ready.state(lease["run"])["state"] == "finished"


def test_the_custodians_refusal_reaches_the_enclave_as_it_was(relay, broker, ready, lease):
    relay.measurement = "0" * 64
    with pytest.raises(SealroomError) as refusal:
        play(relay, relay)
    assert refusal.value.family == "attestation"
    run = lease["run"]
    must(ready.host.run(lease, "POST", "/failure", {"code": refusal.value.code, "detail": refusal.value.detail}))
    assert ready.state(run)["code"] == refusal.value.code


def test_after_a_key_release_no_words_of_an_enclave_are_kept(broker, ready, lease, relay):
    def talk(_fence):
        answer = ready.host.run(lease, "POST", "/failure", {"code": "TALKATIVE", "detail": SECRET})
        assert must(answer).json()["state"] == "waiting"
        raise SealroomError("STOP", "Stop.")

    with pytest.raises(SealroomError):
        play(relay, relay, talk)
    found = ready.state(lease["run"])
    assert (found["state"], found["code"], found["detail"]) == ("waiting", None, None)
    for file in broker.data.rglob("broker.sqlite3*"):
        assert SECRET.encode() not in file.read_bytes()


def test_after_a_key_release_a_known_code_is_kept_in_our_words(ready, lease, relay):
    def fail(_fence):
        must(ready.host.run(lease, "POST", "/failure", {"code": "PART_DIGEST", "detail": SECRET}))
        raise SealroomError("STOP", "Stop.")

    with pytest.raises(SealroomError):
        play(relay, relay, fail)
    found = ready.state(lease["run"])
    assert (found["state"], found["code"]) == ("refused", "PART_DIGEST")
    assert SECRET not in found["detail"]


def test_a_revocation_after_the_key_release_stops_the_commit(ready, lease, relay):
    def revoke(_fence):
        vote = factories.revoke(ready.contract, ready.parties[1], at=ready.at)
        must(ready.member(1, "approver").post("/v1/revocations", vote.envelope))

    with pytest.raises(SealroomError) as refusal:
        play(relay, relay, revoke)
    assert refusal.value.code == "REVOKED"
    must(ready.host.run(lease, "POST", "/failed"))
    assert ready.host.claim() is None
    assert ready.state(lease["run"])["code"] == "REVOKED"
