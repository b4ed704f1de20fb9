"""The relay: its token, its few routes, its bounds, on real sockets between a live broker and a client."""

import asyncio
import json

import httpx
import pytest
from broker_scene import refused

from broker.host.client import BrokerClient
from broker.host.platform import SimulatedPlatform
from broker.host.relay import Relay, relay_routes
from broker.host.session import _serving
from broker.host.settings import HostSettings
from protocol.documents.exchange import Assignment
from protocol.errors import TransportError

TOKEN = "t" * 40


@pytest.fixture
def settings(broker, tmp_path):
    return HostSettings(
        broker=broker.url,
        host_token_file=broker.data / "host-token",
        platform="http://127.0.0.1:9",
        data=tmp_path,
        retry_seconds=1,
        max_release=100_000,
        max_result=200_000,
    )


@pytest.fixture
def lease(broker, ready):
    with broker.inner.database.writing() as connection:
        connection.exec_driver_sql("UPDATE runs SET state = 'failed' WHERE state IN ('waiting', 'leased')")
    ready.start()
    return ready.host.claim()


def ask(settings, lease, *requests, token=TOKEN):
    """Serve a relay, send requests one after the other, and return the answers and how the relay saw the end."""

    async def run():
        assignment = Assignment(**lease)
        async with BrokerClient(settings) as broker, SimulatedPlatform(settings.platform) as platform:
            relay = Relay(settings, assignment, TOKEN, broker, platform)
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            async with _serving(relay) as url, httpx.AsyncClient(base_url=url, headers=headers, timeout=20) as client:
                answers = [await client.request(method, path, content=body) for method, path, body in requests]
        return answers, relay.ended

    return asyncio.run(run())


def test_what_the_relay_passes_on(ready, settings, lease):
    name, custodian = ready.datasets[1].manifest.name, ready.custodian.signing
    (assignment, study, part, nonce), ended = ask(
        settings,
        lease,
        ("GET", "/assignment", None),
        ("GET", "/study", None),
        ("GET", f"/datasets/{name}/table/0", None),
        ("POST", f"/custody/{custodian}/nonce", b""),
    )
    assert assignment.json() == lease
    assert len(study.json()["manifests"]) == 2
    assert part.content == ready.datasets[1].sealed and part.headers["content-type"] == "application/octet-stream"
    assert len(nonce.json()["nonce"]) == 64
    assert ended is None


@pytest.mark.parametrize("token", ["", "wrong", "t" * 39, "t" * 41])
def test_another_token_is_refused(settings, lease, token):
    answers, _ = ask(settings, lease, ("GET", "/assignment", None), ("GET", "/study", None), token=token)
    for answer in answers:
        refused(answer, 401, "RELAY_TOKEN")


def test_nothing_else_is_passed_on(settings, lease):
    key = "0" * 64
    requests = [
        ("GET", "/", None),
        ("GET", "/v1/host/claim", None),
        ("POST", "/study", b""),
        ("PUT", "/assignment", b""),
        ("POST", "/heartbeat", b""),
        ("POST", "/failed", b""),
        ("DELETE", "/result", None),
        ("GET", "/result", None),
        ("GET", "/study/", None),
        ("GET", "/study/../../claim", None),
        ("GET", "/%2e%2e/%2e%2e/claim", None),
        ("POST", f"/custody/{key}/keys", b""),
        ("POST", f"/custody/{key}/../../claim", b""),
        ("POST", f"/custody/{key.replace('0', 'A')}/nonce", b""),
        ("GET", f"/datasets/{key}/table/-1", None),
        ("GET", f"/datasets/{key}/table/1000000", None),
        ("GET", f"/datasets/{key}/..%2f..%2fstudy/0", None),
        ("GET", f"/datasets/{key}/../0", None),
    ]
    answers, ended = ask(settings, lease, *requests)
    for answer in answers:
        refused(answer, 404, "ROUTE_UNKNOWN")
    assert ended is None


def test_the_brokers_refusals_come_through_as_they_are(settings, lease):
    (custodian, dataset, result), ended = ask(
        settings,
        lease,
        ("POST", f"/custody/{'ab' * 32}/nonce", b""),
        ("GET", f"/datasets/{'0' * 64}/table/0", None),
        ("PUT", "/result", b"{}"),
    )
    refused(custodian, 404, "CUSTODIAN_UNKNOWN")
    refused(dataset, 403, "OTHER_DATASET")
    refused(result, 422, "DOCUMENT")
    assert ended is None


def test_bodies_are_bounded(settings, lease):
    key = "0" * 64
    requests = [
        ("POST", "/collateral", b"x" * 32_769),
        ("POST", f"/custody/{key}/nonce", b"x" * 16_385),
        ("POST", f"/custody/{key}/release", b"x" * 100_001),
        ("POST", f"/custody/{key}/commit", b"x" * (4 * 2**20 + 1)),
        ("PUT", "/result", b"x" * 200_001),
        ("POST", "/failure", b"x" * 16_385),
        ("GET", "/study", b"x"),
    ]
    answers, _ = ask(settings, lease, *requests)
    for answer in answers:
        refused(answer, 413, "SIZE")


def test_an_answer_beyond_its_bound_is_broken_off(settings, lease, monkeypatch):
    import broker.host.relay

    monkeypatch.setattr(broker.host.relay, "_ANSWER", 100)
    with pytest.raises(httpx.RemoteProtocolError):
        ask(settings, lease, ("GET", "/study", None))


def test_a_failure_that_the_broker_took_ends_the_run(ready, settings, lease):
    failure = json.dumps({"code": "EVIDENCE", "detail": "No."}, separators=(",", ":")).encode()
    (answer,), ended = ask(settings, lease, ("POST", "/failure", failure))
    assert answer.status_code == 200 and ended == "stopped"
    assert ready.state(lease["run"])["code"] == "EVIDENCE"


def test_a_platform_that_is_away(settings, lease):
    (answer,), _ = ask(settings, lease, ("POST", "/collateral", b"quote"))
    refused(answer, 502, "PLATFORM_UNREACHABLE")


def test_a_broker_that_is_away_is_tried_for_a_while(settings, lease):
    away = settings.model_copy(update={"broker": "http://127.0.0.1:9"})
    (study, release), ended = ask(away, lease, ("GET", "/study", None), ("POST", f"/custody/{'0' * 64}/release", b"{}"))
    refused(study, 502, "BROKER_AWAY")
    refused(release, 502, "BROKER_AWAY")
    assert ended is None


def test_a_release_is_not_sent_twice_once_it_may_have_arrived(settings, lease):
    """The broker hangs up without an answer: a study is asked for again, a release is not."""
    seen = []

    async def hang_up(reader, writer):
        seen.append((await reader.readline()).split()[1].decode().rsplit("/", 1)[1])
        writer.close()

    async def run():
        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        deaf = settings.model_copy(update={"broker": f"http://127.0.0.1:{port}"})
        async with server, BrokerClient(deaf) as broker:
            from contextlib import AsyncExitStack

            for path, repeat in (("/release", "unsent"), ("/study", "always")):
                async with AsyncExitStack() as stack:
                    with pytest.raises(TransportError, match="BROKER_AWAY"):
                        await broker.forward(Assignment(**lease), "POST", path, b"", repeat, stack)

    asyncio.run(run())
    assert seen.count("release") == 1 and seen.count("study") > 1


def test_routes_that_must_not_be_repeated(settings):
    routes = {route.path.pattern: route for route in relay_routes(settings)}
    assert [pattern for pattern, route in routes.items() if route.repeat == "unsent"] == [
        pattern for pattern in routes if pattern.endswith("release")
    ]
