"""The client against servers that do not answer as agreed: real sockets, scripted answers."""

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jwt
from joserfc.jwk import OKPKey
from scripted_server import Scripted

from protocol.errors import AccessDenied, TransportError
from sealroom.transport import Caller, Transport


def always(status, body):
    return lambda *_: (status, body)


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (200, b"x" * 101, "ANSWER_SIZE"),
        (200, b"<html>", "ANSWER_SHAPE"),
        (500, b"<html>", "ANSWER_SHAPE"),
        (404, b"", "ANSWER_SHAPE"),
        (403, b'{"title":"unheard of","code":"X","detail":"y"}', "ANSWER_SHAPE"),
        (200, b"[" * 100, "ANSWER_SHAPE"),
    ],
)
def test_answers_that_are_not_as_agreed_are_transport_errors(status, body, code):
    with Scripted(always(status, body)) as server, Transport(server.url) as client:
        with pytest.raises(TransportError) as caught:
            client.get_json("/v1/datasets", limit=100)
        assert caught.value.code == code


def test_a_brokers_error_is_raised_as_the_error_that_it_was():
    problem = AccessDenied("NOT_APPROVED", "b gave 0 of 1 approvals.").problem()
    with Scripted(always(403, json.dumps(problem).encode())) as server, Transport(server.url) as client:
        with pytest.raises(AccessDenied) as caught:
            client.post("/v1/runs", b"{}")
        assert (caught.value.code, caught.value.exit_code) == ("NOT_APPROVED", 6)


def test_what_is_safe_to_repeat_is_repeated_and_nothing_else(monkeypatch):
    monkeypatch.setattr("sealroom.transport.time.sleep", lambda _: None)
    replies = iter([None, None, (200, b"done")])
    with Scripted(lambda *_: next(replies)) as server, Transport(server.url) as client:
        assert client.put("/v1/x", b"body") == b"done"
        assert [request[3] for request in server.requests] == [b"body"] * 3
    with Scripted(lambda *_: None) as server, Transport(server.url) as client:
        with pytest.raises(TransportError) as caught:
            client.post("/v1/runs", b"{}")
        assert caught.value.code == "UNREACHABLE"
        assert len(server.requests) == 1


def test_a_streamed_body_is_sent_anew_with_its_length(monkeypatch):
    monkeypatch.setattr("sealroom.transport.time.sleep", lambda _: None)
    replies = iter([None, (200, b"")])

    class Body:
        def __iter__(self):
            yield from (b"ab", b"cd")

    with Scripted(lambda *_: next(replies)) as server, Transport(server.url) as client:
        client.put_stream("/v1/part", Body(), 4, {"Content-Type": "application/octet-stream"})
        assert [request[3] for request in server.requests] == [b"abcd", b"abcd"]
        headers = {name.lower(): value for name, value in server.requests[1][2].items()}
        assert headers["content-length"] == "4"
        assert "transfer-encoding" not in headers
        assert headers["content-type"] == "application/octet-stream"


def test_tokens_are_asked_for_with_the_members_key_and_renewed():
    key = Ed25519PrivateKey.generate()
    lifetimes = iter([3600, 3600])

    def answer(method, path, headers, body):
        if path == "/v1/token":
            return 200, json.dumps({"access_token": f"t{next(lifetimes)}", "expires_in": 3600}).encode()
        return 200, json.dumps(headers.get("Authorization")).encode()

    with Scripted(answer) as server, Transport(server.url, Caller("ab" * 32, "ada", key)) as client:
        assert client.get_json("/v1/runs") == "Bearer t3600"
        assert client.get_json("/v1/runs") == "Bearer t3600"
        assert [request[1] for request in server.requests] == ["/v1/token", "/v1/runs", "/v1/runs"]
        client._token_until = 0.0
        client.get_json("/v1/runs")
        assert [request[1] for request in server.requests].count("/v1/token") == 2
        assertions = {request[3] for request in server.requests if request[1] == "/v1/token"}
        assert len(assertions) == 2  # each is used once
        text = assertions.pop().decode().rsplit("client_assertion=", 1)[1]
        public = OKPKey.import_key(
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "x": base64.urlsafe_b64encode(key.public_key().public_bytes_raw()).rstrip(b"=").decode(),
            }
        )
        claims = jwt.decode(text, public, algorithms=["Ed25519"]).claims
        assert claims["iss"] == claims["sub"] == "ab" * 32 + "/ada"
        assert claims["aud"] == server.url
        assert 0 < claims["exp"] - claims["iat"] <= 120


@pytest.mark.parametrize("answer", [b"{}", b"[]", b'{"access_token":3}'])
def test_an_answer_without_a_token_is_an_error(answer):
    caller = Caller("ab" * 32, "ada", Ed25519PrivateKey.generate())
    with Scripted(always(200, answer)) as server, Transport(server.url, caller) as client:
        with pytest.raises(TransportError) as caught:
            client.get("/v1/runs")
        assert caught.value.code == "ANSWER_SHAPE"


def test_redirects_are_not_followed_and_proxies_not_asked(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with Scripted(always(302, b"")) as server, Transport(server.url) as client:
        with pytest.raises(TransportError):
            client.get("/v1/datasets")
        assert len(server.requests) == 1


@pytest.mark.parametrize("address", ["http://broker.example", "ftp://x", "http://127.0.0.1.example.com", ""])
def test_plain_http_is_for_this_machine_only(address):
    with pytest.raises(TransportError) as caught:
        Transport(address)
    assert caught.value.code == "ADDRESS"


def test_nobody_there_is_said(monkeypatch):
    monkeypatch.setattr("sealroom.transport.time.sleep", lambda _: None)
    with Transport("http://127.0.0.1:9") as client, pytest.raises(TransportError) as caught:
        client.get("/v1/health")
    assert caught.value.code == "UNREACHABLE"
