"""Fuzzing of attestation, short: the same cases each time. ``make fuzz`` goes on from there."""

import random

import attested
import fuzzing
import pytest

from protocol.errors import AttestationError
from protocol.types import decode_base64, encode_base64


@pytest.mark.parametrize(
    ("target", "cases"), [("quote", 5000), ("certificate", 5000), ("collateral", 1500), ("evidence", 400)]
)
def test_nothing_but_refusals_comes_out(target, cases):
    for case in range(cases):
        fuzzing.play(target, case)


def test_a_case_is_the_same_each_time():
    for kind in ("quote", "certificate", "collateral"):
        seeds = fuzzing.seeds(kind)
        first, second = (fuzzing.mutate(random.Random("case 1"), seeds[0], seeds) for _ in range(2))
        assert first == second


def test_an_exception_a_crash_and_a_slow_case_are_findings(monkeypatch):
    class Panic(BaseException):
        """As native code raises it: no Exception."""

    def raising(error):
        def target(chance):
            raise error

        return target

    for target in (raising(KeyError("x")), raising(Panic()), lambda chance: None):
        monkeypatch.setitem(fuzzing.TARGETS, "quote", target)
        monkeypatch.setattr(fuzzing, "SLOWEST", -1)
        with pytest.raises(fuzzing.Finding):
            fuzzing.play("quote", 1)


def test_another_code_than_a_parsers_own_is_a_finding(monkeypatch):
    def wrong(*_):
        raise AttestationError("OTHER", "another code")

    monkeypatch.setattr(fuzzing, "parse_quote", wrong)
    monkeypatch.setattr(fuzzing, "read_endorsements", wrong)
    for target in ("quote", "collateral"):
        with pytest.raises(fuzzing.Finding):
            [fuzzing.play(target, case) for case in range(20)]


def test_what_is_accepted_with_another_meaning_is_a_finding(monkeypatch):
    monkeypatch.setattr(attested, "appraise", lambda *_, **__: None)
    with pytest.raises(fuzzing.Finding, match="something else"):
        [fuzzing.play("evidence", case) for case in range(50)]


def test_twins_and_spellings_mean_the_same_and_nothing_else_does():
    good = attested.evidence()
    quote = bytearray(decode_base64(good.quote))
    s = int.from_bytes(quote[468:500], "big")
    quote[468:500] = (fuzzing.ORDER - s).to_bytes(32, "big")
    twin = good.model_copy(update={"quote": encode_base64(bytes(quote))})
    assert fuzzing.meaning(twin) == fuzzing.meaning(good)
    text = good.collateral.tcb_info
    other = good.model_copy(update={"collateral": good.collateral.model_copy(update={"tcb_info": text + " "})})
    assert fuzzing.meaning(other) != fuzzing.meaning(good)
