"""Problems for every error, and limits on every body, with and without a Content-Length."""

import json
import socket

import httpx
import pytest
from broker_scene import LiveBroker, Scene, call, must, refused, wait_until
from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse

from broker.settings import Limits
from protocol.documents.dataset import PART_SIZE


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    """With a limit of 1 MiB on results and a route that fails, which quotes a secret as programs do."""
    folder = tmp_path_factory.mktemp("broker")
    live = LiveBroker(folder, limits=Limits(body=100_000, release=200_000, result=1_000_000))

    @live.app.get("/v1/breaks")
    def breaks() -> None:
        raise ValueError("the secret that must not show")

    @live.app.get("/v1/breaks-off")
    def breaks_off() -> StreamingResponse:
        def half():
            yield b"half"
            raise ValueError("the secret that must not show")

        return StreamingResponse(half(), headers={"Content-Length": "8"})

    @live.app.get("/v1/raises/{status}")
    def raises(status: int) -> None:
        raise HTTPException(status, "the secret that must not show")

    with live as broker:
        yield broker


def chunks(size, piece=65_536):
    for start in range(0, size, piece):
        yield b" " * min(piece, size - start)


def raw(url, text):
    """Send bytes on a bare socket and return all that comes back."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(text)
        found = b""
        while chunk := connection.recv(65_536):
            found += chunk
    return found


def test_health(broker):
    assert must(call(broker.url, "GET", "/v1/health")).json()["status"] == "ok"


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/nothing", "/docs", "/openapi.json", "/v1/health/", "/v1//health"])
def test_unknown_addresses(broker, path):
    refused(call(broker.url, "GET", path), 404, "ROUTE_UNKNOWN")


def test_other_methods(broker):
    answer = call(broker.url, "DELETE", "/v1/health")
    refused(answer, 405, "METHOD")
    assert answer.headers["allow"] == "GET"


def test_a_surprise_is_a_problem_without_details(broker, caplog):
    answer = call(broker.url, "GET", "/v1/breaks")
    refused(answer, 500, "UNEXPECTED")
    assert "secret" not in answer.text
    assert "must not show" not in caplog.text and "unexpected" in caplog.text
    record = next(record for record in caplog.records if record.getMessage() == "unexpected")
    assert record.fields["error"] == "ValueError" and any("test_broker_edge" in f for f in record.fields["frames"])


def test_an_answer_that_breaks_off_is_seen_to_be_cut(broker, caplog):
    with pytest.raises(httpx.RemoteProtocolError):
        call(broker.url, "GET", "/v1/breaks-off")
    assert "must not show" not in caplog.text
    must(call(broker.url, "GET", "/v1/health"))


@pytest.mark.parametrize(("status", "told", "code"), [(418, 400, "REQUEST"), (503, 500, "UNEXPECTED")])
def test_other_http_errors_are_problems_too(broker, status, told, code):
    answer = call(broker.url, "GET", f"/v1/raises/{status}")
    refused(answer, told, code)
    assert "secret" not in answer.text


def test_requests_are_logged_by_route_and_without_what_they_say(broker, caplog):
    import logging

    scene = Scene(broker, owners=1)
    with caplog.at_level(logging.INFO, logger="broker.request"):
        scene.member(0, "analyst").get(f"/v1/runs/{'ab' * 16}?q=secret")

        def logged():  # a request is logged once it is answered
            fields = [record.fields for record in caplog.records if record.getMessage() == "request"]
            return fields if any(item["route"] == "/v1/runs/{run}" for item in fields) else None

        found = wait_until(logged)
    assert {"method": "GET", "route": "/v1/runs/{run}", "status": 404}.items() <= found[-1].items()
    text = json.dumps(found)
    assert "secret" not in text and "abab" not in text and scene.member(0, "analyst").token not in text


@pytest.mark.parametrize("declared", [True, False], ids=["with Content-Length", "chunked"])
def test_bodies_beyond_the_limit_are_refused(broker, declared):
    scene = Scene(broker, owners=1)
    steward, analyst = scene.member(0, "steward"), scene.member(0, "analyst")
    host = {"Authorization": f"Bearer {broker.host_token}", "Sealroom-Fence": "1"}
    run = f"/v1/host/runs/{'0' * 32}"
    for method, path, size, headers in (
        ("PUT", f"/v1/institutions/{'ab' * 32}", 2**20 + 1, {"Sealroom-Invite": broker.invite}),
        ("POST", "/v1/token", 8 * 1024 + 1, {}),
        ("POST", "/v1/recipes", 64 * 1024 + 1, {"Authorization": f"Bearer {analyst.token}"}),
        ("POST", "/v1/contracts", 2**20 + 1, {"Authorization": f"Bearer {analyst.token}"}),
        ("PUT", f"/v1/custodian/capsules/{'0' * 64}", 100_001, {"Authorization": f"Bearer {steward.token}"}),
        ("POST", f"{run}/custody/{broker.inner.custodian.keys().signing}/release", 200_001, host),
        ("PUT", f"{run}/result", 1_000_001, host),
    ):
        content = b" " * size if declared else chunks(size)
        answer = httpx.request(method, f"{broker.url}{path}", content=content, headers=headers, timeout=30)
        refused(answer, 413, "SIZE")


def test_a_part_is_cut_off_beyond_its_own_size_without_a_content_length(broker):
    import base64
    import hashlib

    scene = Scene(broker, owners=1)
    dataset = scene.make_dataset(0)
    must(scene.open_upload(0, dataset))
    steward = scene.member(0, "steward")
    digest = base64.b64encode(hashlib.sha256(dataset.sealed).digest()).decode()
    url = f"{broker.url}/v1/datasets/{dataset.manifest.name}/files/table/parts/0"
    headers = {"Authorization": f"Bearer {steward.token}", "Content-Digest": f"sha-256=:{digest}:"}
    refused(httpx.put(url, content=chunks(len(dataset.sealed) + 1), headers=headers), 422, "PART_SIZE")
    refused(httpx.put(url, content=chunks(20 * 2**20), headers=headers, timeout=30), 422, "PART_SIZE")
    refused(httpx.put(url, content=chunks(0), headers=headers), 422, "PART_SIZE")


def test_a_refusal_before_the_body_was_read_reaches_the_client(broker):
    """A client that sends before it listens must find the answer, not a broken connection."""
    url = f"{broker.url}/v1/datasets/{'0' * 64}/files/table/parts/0"
    headers = {"Authorization": "Bearer wrong", "Content-Digest": "sha-256=:x:"}
    for _ in range(5):
        refused(httpx.put(url, content=b" " * PART_SIZE, headers=headers), 401, "TOKEN")


def test_a_content_length_that_lies_is_refused(broker):
    text = b"POST /v1/token HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 99999999999\r\n\r\n"
    host, port = broker.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        found = b""
        while chunk := connection.recv(65_536):
            found += chunk
    assert b"413" in found.split(b"\r\n")[0] or found == b""


@pytest.mark.parametrize(
    "text",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"POST /v1/token HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/token HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_no_http_is_closed_and_the_broker_goes_on(broker, text):
    assert b" 200 " not in raw(broker.url, text)
    must(call(broker.url, "GET", "/v1/health"))


def test_a_client_that_leaves_in_the_middle_of_a_body_harms_nobody(broker):
    host, port = broker.url.removeprefix("http://").split(":")
    head = b"POST /v1/token HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\nhalf"
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(head)
    must(call(broker.url, "GET", "/v1/health"))


def sent_slowly(url, head, pause, pieces):
    """Send a body in pieces; return what came back and whether the broker closed the connection by itself."""
    import time

    host, port = url.removeprefix("http://").split(":")
    found = b""
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(head)
        for piece in pieces:
            time.sleep(pause)
            try:
                connection.sendall(piece)
            except OSError:
                break
        try:
            while chunk := connection.recv(65_536):
                found += chunk
        except ConnectionError:
            pass
    return found


@pytest.mark.parametrize("pieces", [[], [b"x"] * 10], ids=["nothing", "byte by byte"])
def test_a_body_that_does_not_come_is_cut_off(tmp_path, pieces):
    head = b"POST /v1/token HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n"
    with LiveBroker(tmp_path, limits=Limits(body_seconds=0.5)) as broker:
        found = sent_slowly(broker.url, head, 0.1, pieces)
    assert b"408" in found.split(b"\r\n")[0] and b"BODY_SLOW" in found
    assert b"connection: close" in found.lower()


def test_a_body_may_take_the_time_that_its_bytes_take(tmp_path):
    """Past the time for nothing at all, at four times the slowest pace."""
    with LiveBroker(tmp_path, limits=Limits(body_seconds=0.5)) as broker:
        scene = Scene(broker, owners=1)
        token = scene.member(0, "analyst").token
        pieces = [b" " * 6_400] * 9
        head = f"POST /v1/recipes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n"
        head += f"Content-Length: {sum(map(len, pieces))}\r\n\r\n"
        found = sent_slowly(broker.url, head.encode(), 0.1, pieces)
    assert b"422" in found.split(b"\r\n")[0] and b"BODY_SLOW" not in found


def test_a_download_that_is_read_slowly_is_not_a_slow_body(tmp_path):
    """While an answer streams, the broker waits for the client to leave, for as long as that takes."""
    import time

    live = LiveBroker(tmp_path, limits=Limits(body_seconds=0.3))

    @live.app.get("/v1/long")
    def long() -> StreamingResponse:
        def pieces():
            for _ in range(4):
                time.sleep(0.25)
                yield b"piece"

        return StreamingResponse(pieces())

    with live as broker:
        assert must(call(broker.url, "GET", "/v1/long")).content == b"piece" * 4


def test_so_many_requests_are_worked_on_at_once(tmp_path):
    from anyio.to_thread import current_default_thread_limiter

    live = LiveBroker(tmp_path, limits=Limits(threads=3))

    @live.app.get("/v1/threads")
    async def threads() -> dict[str, float]:
        return {"threads": current_default_thread_limiter().total_tokens}

    with live as broker:
        assert call(broker.url, "GET", "/v1/threads").json() == {"threads": 3}
