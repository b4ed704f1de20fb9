"""An ECDSA signature (r, s) has a twin (r, n - s): two quotes that differ say the same. Neither counts twice."""

import itertools
import json

import attested
import custody
import pytest

from protocol.errors import AttestationError
from protocol.types import decode_base64, encode_base64

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of the curve P-256."""
SIGNATURES = (436, 948)
"""Where the report's and the quoting enclave's signatures start: each is r || s."""


def twin(evidence, places=SIGNATURES):
    quote = bytearray(decode_base64(evidence.quote))
    for at in places:
        s = int.from_bytes(quote[at + 32 : at + 64], "big")
        quote[at + 32 : at + 64] = (ORDER - s).to_bytes(32, "big")
    return evidence.model_copy(update={"quote": encode_base64(bytes(quote))})


TWINS = [places for size in (1, 2) for places in itertools.combinations(SIGNATURES, size)]


@pytest.mark.parametrize("places", TWINS)
def test_the_library_takes_a_twin_for_another_quote_and_we_name_evidence_by_its_claims(places):
    good = attested.evidence()
    other = twin(good, places)
    assert other.quote != good.quote
    status = json.loads(attested.library(decode_base64(other.quote), other.collateral))["tcb"]["status"]
    assert status == "UpToDate"
    assert attested.appraise(other) == attested.appraise(good)
    assert other.claims.digest == good.claims.digest


@pytest.mark.parametrize("places", TWINS)
def test_the_twin_of_used_evidence_is_a_nonce_used(scene, places):
    evidence = scene.attest()
    scene.release(evidence=evidence)
    with scene.refuses("NONCE_USED", AttestationError):
        scene.release(evidence=twin(evidence, places))


def test_the_twin_first_uses_up_the_original(scene):
    enclave = custody.Enclave()
    evidence = scene.attest(enclave=enclave)
    reply = scene.release(evidence=twin(evidence))
    assert scene.open(reply, enclave) == [dataset.data_key for dataset in scene.study.datasets]
    assert scene.query("SELECT claims FROM runs") == [(evidence.claims.digest,)]
    with scene.refuses("NONCE_USED", AttestationError):
        scene.release(evidence=evidence)
