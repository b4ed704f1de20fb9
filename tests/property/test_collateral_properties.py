"""Altered collateral and claims never pass an appraisal, and never end in another error than a refusal."""

import base64

import attested
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attestation.quote import split_chain
from attestation.verifier import AppraisalRefused
from protocol.types import decode_base64, encode_base64

GOOD = attested.evidence()
HEXADECIMAL = ("root_ca_crl", "pck_crl", "tcb_info_signature", "qe_identity_signature")
CHAINS = ("pck_crl_issuer_chain", "tcb_info_issuer_chain", "qe_identity_issuer_chain")
TEXTS = ("tcb_info", "qe_identity")


def refused(**fields):
    collateral = GOOD.collateral.model_copy(update=fields)
    with pytest.raises(AppraisalRefused) as caught:
        attested.appraise(GOOD.model_copy(update={"collateral": collateral}))
    assert caught.value.result is not None


def flipped(data, at, bit):
    altered = bytearray(data)
    altered[at % len(data)] ^= 1 << bit
    return bytes(altered)


@given(st.sampled_from(HEXADECIMAL), st.integers(0, 100_000), st.integers(0, 7))
@settings(max_examples=150, deadline=None)
def test_no_bit_of_lists_and_signatures_may_change(name, at, bit):
    refused(**{name: flipped(bytes.fromhex(getattr(GOOD.collateral, name)), at, bit).hex()})


@given(st.sampled_from(CHAINS), st.integers(0, 1), st.integers(0, 100_000), st.integers(0, 7))
@settings(max_examples=150, deadline=None)
def test_no_bit_of_a_chain_may_change(name, which, at, bit):
    chain = list(split_chain(getattr(GOOD.collateral, name).encode()))
    chain[which] = flipped(chain[which], at, bit)
    pem = ""
    for der in chain:
        text = base64.b64encode(der).decode()
        lines = "\n".join(text[start : start + 64] for start in range(0, len(text), 64))
        pem += f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"
    refused(**{name: pem})


@given(st.sampled_from(TEXTS), st.integers(0, 100_000), st.text(max_size=3))
@settings(max_examples=150, deadline=None)
def test_no_character_of_signed_json_may_change(name, at, piece):
    text = getattr(GOOD.collateral, name)
    position = at % len(text)
    altered = text[:position] + piece + text[position + 1 :]
    if altered != text and altered.isprintable():
        refused(**{name: altered})


@pytest.mark.slow
def test_no_bit_of_a_quote_may_change():
    """All positions, two bits of each byte."""
    quote = decode_base64(GOOD.quote)
    for at in range(len(quote)):
        for bit in (0, 5):
            with pytest.raises(AppraisalRefused):
                attested.appraise(GOOD.model_copy(update={"quote": encode_base64(flipped(quote, at, bit))}))
