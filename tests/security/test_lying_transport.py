"""A host that breaks the relay itself: nothing gets further, and what it said is repeated within bounds only."""

import json
import re

import pytest
from hostile_host import STEPS, Raw, Reply

from protocol.canonical import canonical_bytes

HOSTILE = "\x1b[2J<script>alert(1)</script>\u202e" + "A" * 60_000
ANSWERS = {
    "hangs up": (Raw(), {"RELAY", "PLATFORM_UNREACHABLE"}),
    "no http": (Raw(b"\0\xff" * 500), {"RELAY", "PLATFORM_UNREACHABLE"}),
    "cut off": (Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"), {"RELAY", "PLATFORM_UNREACHABLE"}),
    "huge header": (Raw(b"HTTP/1.1 200 OK\r\nX: " + b"A" * 2**20), {"RELAY", "PLATFORM_UNREACHABLE"}),
    "headers without end": (Raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 2**17), {"RELAY", "PLATFORM_UNREACHABLE"}),
    "redirect": (Reply(307, b"", (("Location", "/assignment"),)), {"ANSWER_SHAPE", "PLATFORM_ANSWER"}),
    "redirect away": (
        Reply(302, b"{}", (("Location", "http://192.0.2.1/take-this"),)),
        {"ANSWER_SHAPE"},
    ),
    "empty": (Reply(200, b""), {"JSON", "PART_SIZE", "PLATFORM_ANSWER"}),
    "no content": (Reply(204), {"JSON", "PART_SIZE", "PLATFORM_ANSWER"}),
    "other json": (Reply(200, b'{"x":1}'), {"DOCUMENT", "PART_SIZE", "PLATFORM_ANSWER"}),
    "not canonical": (Reply(200, b'{ "x":1}'), {"CANONICAL", "PART_SIZE", "PLATFORM_ANSWER"}),
    "deep json": (Reply(200, b"[" * 50_000), {"JSON", "ANSWER_SIZE", "PLATFORM_ANSWER"}),
    "deep problem": (Reply(500, b"[" * 50_000), {"ANSWER_SHAPE", "PLATFORM_ANSWER"}),
    "problem of text": (Reply(500, HOSTILE.encode()), {"ANSWER_SHAPE", "PLATFORM_ANSWER"}),
    "problem in latin": (Reply(502, b"\xff\xfe<html>"), {"ANSWER_SHAPE", "PLATFORM_ANSWER"}),
    "hostile code": (
        Reply(500, json.dumps({"title": "access", "code": "<b>", "detail": HOSTILE}).encode()),
        {"ANSWER_SHAPE"},
    ),
    "hostile detail": (
        Reply(403, json.dumps({"title": "access", "code": "NOT_APPROVED", "detail": HOSTILE[:50_000]}).encode()),
        {"NOT_APPROVED"},
    ),
    "empty detail": (
        Reply(403, canonical_bytes({"title": "access", "code": "NOT_APPROVED", "detail": ""})),
        {"NOT_APPROVED"},
    ),
    "problem of no family": (
        Reply(500, canonical_bytes({"title": "own", "code": "OK", "detail": "x"})),
        {"ANSWER_SHAPE"},
    ),
}
EARLY = STEPS[:-2]
"""Up to the parts; commit and result have tests of their own."""


@pytest.mark.parametrize("step", EARLY)
def test_an_answer_that_is_none(host, step, subtests):
    for what, (answer, codes) in ANSWERS.items():
        with subtests.test(what):
            host.forget()
            host.again()
            host.scene.clock.now += 2 * host.scene.settings.nonce_lifetime  # unused nonces would pile up
            host.lies[step] = lambda asked, honest, answer=answer: answer
            require_clean(host.refuses(*codes, before=STEPS[STEPS.index(step) + 1]))


def require_clean(failure):
    assert re.fullmatch(r"[A-Z][A-Z0-9_]{0,63}", failure.code)
    assert re.fullmatch(r"[ -~]{1,1000}", failure.detail)


@pytest.mark.parametrize("what", ["hangs up", "deep problem", "hostile code", "empty"])
def test_a_commit_that_is_none(host, what):
    answer, codes = ANSWERS[what]
    host.lies["commit"] = lambda asked, honest: answer
    assert host.run() is True
    (failure,) = host.failures
    assert failure.code in codes
    require_clean(failure)
    assert host.results == []
    assert host.asked("result") == []


@pytest.mark.parametrize("what", ["hangs up", "hostile code", "redirect"])
def test_a_result_that_nobody_takes_says_nothing_more(host, what):
    host.lies["result"] = lambda asked, honest: ANSWERS[what][0]
    assert host.run() is False
    assert host.failures == []
    assert [seen.step for seen in host.seen][-1] == "result"
