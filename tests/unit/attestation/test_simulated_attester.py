"""The attester against platforms that misbehave: real servers on loopback."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from attestation.attesters.simulated import SimulatedAttester
from protocol.errors import AccessDenied, AttestationError, TransportError
from protocol.types import encode_base64

TICKET = "t" * 43
DATA = bytes(range(64))


@contextmanager
def platform(answer, status=200):
    """A platform that gives one answer; yields its address and the requests that it saw."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            seen.append((self.path, json.loads(self.rfile.read(int(self.headers["content-length"])))))
            self.send_response(status)
            self.end_headers()
            try:
                self.wfile.write(answer)
            except OSError:
                seen.append("cut")

        def log_message(self, *_):
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", seen
        finally:
            server.shutdown()
            thread.join()


def ask(url):
    return SimulatedAttester(url, TICKET).quote(DATA)


def test_it_asks_with_ticket_and_report_data():
    with platform(json.dumps({"quote": encode_base64(b"a quote")}).encode()) as (url, seen):
        assert ask(url) == b"a quote"
        assert ask(url + "/") == b"a quote"
    assert seen == [("/v1/quotes", {"ticket": TICKET, "report_data": DATA.hex()})] * 2


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"garbage",
        b"[" * 50_000,
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"quote":1}',
        b'{"quote":""}',
        b'{"quote":"not base64"}',
        json.dumps({"quote": encode_base64(bytes(20_000))}).encode(),
        b"x" * 1_000_000,
    ],
)
def test_answers_that_are_no_quote(answer):
    with platform(answer) as (url, _seen), pytest.raises(TransportError) as caught:
        ask(url)
    assert caught.value.code == "PLATFORM_ANSWER"


def test_problems_come_back_as_what_they_were():
    problem = AccessDenied("TICKET", "The platform knows no enclave with this ticket.").problem()
    with platform(json.dumps(problem).encode(), 403) as (url, _seen), pytest.raises(AccessDenied) as caught:
        ask(url)
    assert caught.value.code == "TICKET"
    with platform(b'{"detail":"Not Found"}', 404) as (url, _seen), pytest.raises(TransportError) as other:
        ask(url)
    assert other.value.code == "ANSWER_SHAPE"


def test_a_platform_that_is_not_there():
    with platform(b"") as (url, _seen):
        pass
    with pytest.raises(TransportError) as caught:
        ask(url)
    assert caught.value.code == "PLATFORM_UNREACHABLE"
    assert TICKET not in caught.value.detail


def test_a_proxy_in_the_environment_is_not_asked(monkeypatch):
    with platform(b"{}") as (proxy, asked), platform(json.dumps({"quote": "YQ=="}).encode()) as (url, _seen):
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy)
        assert ask(url) == b"a"
    assert asked == []


@pytest.mark.parametrize(
    "url",
    [
        "http://192.0.2.1:80",
        "http://localhost:80",
        "https://127.0.0.1:80",
        "http://127.0.0.1:80/path",
        "http://127.0.0.1:80/?query=1",
        "http://user@127.0.0.1:80",
        "http://[::2]:80",
        "http://127.0.0.1:port",
        "ftp://127.0.0.1",
        "",
    ],
)
def test_only_loopback_is_asked(url):
    with pytest.raises(TransportError) as caught:
        SimulatedAttester(url, TICKET)
    assert caught.value.code == "PLATFORM_URL"


@pytest.mark.parametrize("size", [0, 63, 65])
def test_report_data_is_never_padded_or_cut(size):
    with platform(b"{}") as (url, seen), pytest.raises(AttestationError) as caught:
        SimulatedAttester(url, TICKET).quote(bytes(size))
    assert caught.value.code == "REPORT_DATA"
    assert seen == []
