"""The relay as the enclave sees it: bounded, direct, believed in nothing."""

import contextlib
import json

import hostile_host
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_server import Scripted

from enclave.relay import MAX_LAUNCH, MAX_SMALL, Relay, read_launch
from protocol.canonical import canonical_bytes
from protocol.documents.exchange import Failure, Launch
from protocol.dsse import load_document
from protocol.errors import AccessDenied, DocumentError, SealroomError, TransportError, from_problem

LAUNCH = {
    "relay": "http://127.0.0.1:80",
    "token": hostile_host.TOKEN,
    "platform": "http://127.0.0.1:81",
    "ticket": hostile_host.TICKET,
}


@contextlib.contextmanager
def connected(answer):
    """A relay on a server that answers all requests with bytes, a pair, or None."""
    reply = answer if isinstance(answer, tuple) or answer is None else (200, answer)
    with Scripted(lambda *_: reply) as server:
        relay = Relay.connect(Launch(**LAUNCH | {"relay": server.url}))
        with contextlib.closing(relay._client):
            yield relay, server


@contextlib.contextmanager
def refused(kind, code):
    with pytest.raises(kind) as caught:
        yield caught
    assert caught.value.code == code


def test_a_launch_line():
    line = canonical_bytes(LAUNCH)
    assert read_launch(line) == read_launch(line + b"\n") == Launch(**LAUNCH)


@pytest.mark.parametrize("line", [b"", b"{}", canonical_bytes(LAUNCH) + b" ", canonical_bytes(LAUNCH | {"a": "b"})])
def test_a_launch_line_that_is_none(line):
    with pytest.raises(DocumentError):
        read_launch(line)


def test_a_launch_line_that_is_too_long():
    with refused(DocumentError, "SIZE"):
        read_launch(b"[" * (MAX_LAUNCH + 1))


def test_the_token_goes_with_each_request():
    with connected(b"x" * 10) as (relay, server):
        assert relay.part("ab" * 32, "table", 3, 10) == b"x" * 10
        method, path, headers, body = server.requests[0]
        assert (method, path, body) == ("GET", f"/datasets/{'ab' * 32}/table/3", b"")
        assert headers["Authorization"] == f"Bearer {hostile_host.TOKEN}"


def test_no_proxy_is_taken_from_the_environment(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with connected(b"") as (relay, server):
        relay.deliver(b"bundle")
        assert [request[0:2] for request in server.requests] == [("PUT", "/result")]


def test_an_answer_of_exactly_the_limit_and_one_byte_more():
    with connected(b"x" * 100) as (relay, _):
        assert len(relay.part("ab" * 32, "table", 0, 100)) == 100
        with refused(TransportError, "ANSWER_SIZE"):
            relay.part("ab" * 32, "table", 0, 99)


def test_a_problem_may_be_longer_than_the_answer_that_was_asked_for():
    problem = canonical_bytes(AccessDenied("FENCED_OUT", "words " * 50).problem())
    with connected((403, problem)) as (relay, _), refused(AccessDenied, "FENCED_OUT"):
        relay.part("ab" * 32, "table", 0, 10)


def test_a_problem_of_exactly_the_limit_and_one_byte_more():
    start, end = b'{"title":"access","code":"TOKEN","detail":"', b'"}'
    whole = start + b"x" * (MAX_SMALL - len(start) - len(end)) + end
    with connected((403, whole)) as (relay, _), refused(AccessDenied, "TOKEN"):
        relay.study()
    with connected((403, whole + b" ")) as (relay, _), refused(TransportError, "ANSWER_SIZE"):
        relay.study()


def test_a_relay_that_is_gone():
    with connected(None) as (relay, _), refused(TransportError, "RELAY"):
        relay.assignment()


@pytest.mark.parametrize("answer", [b"[" * 30_000, b"\xff", b"", b"null", b"[]", b"1e9999", b'{"code":1}'])
def test_a_problem_that_is_none(answer):
    with connected((500, answer)) as (relay, _), refused(TransportError, "ANSWER_SHAPE"):
        relay.assignment()


@given(code=st.text(max_size=80), detail=st.text(max_size=2500))
@settings(max_examples=60, deadline=None)
def test_whatever_an_error_says_a_failure_holds_bounded_plain_text(sent, code, detail):
    relay, server = sent
    server.requests.clear()
    relay.fail(SealroomError(code, detail))
    ((method, path, _, body),) = server.requests
    assert (method, path) == ("POST", "/failure")
    failure = load_document(Failure, body, limit=2000)
    assert failure.code in {code, "ANSWER_SHAPE"}
    assert failure.detail.isascii()
    assert failure.detail.isprintable()


@pytest.fixture(scope="module")
def sent():
    with connected(b"{}") as pair:
        yield pair


def test_a_problem_from_another_process_is_cut():
    error = from_problem(json.loads(json.dumps({"title": "access", "code": "A" * 500, "detail": "B" * 5000})))
    assert (len(error.code), len(error.detail)) == (64, 2000)
