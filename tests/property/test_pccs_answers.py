"""Whatever a source of collateral answers, there is an item or a coded error."""

import attested
import httpx
from faulty_pccs import CHAINS, replies
from hypothesis import given, settings
from hypothesis import strategies as st

from attestation.collateral import client as clients
from attestation.collateral.client import PccsClient
from attestation.collateral.items import KINDS, CollateralItem, read_platform, vet
from protocol.errors import AttestationError, TransportError

GOOD = attested.platform().collateral(attested.NOW)
PLATFORM = read_platform(attested.platform().quote(attested.MEASUREMENT, bytes(64)))
NAMES = dict(zip(KINDS, ("tcb", "identity", "pckcrl", "rootcacrl"), strict=True))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["tcbInfo", "enclaveIdentity", "signature", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


class Answering(PccsClient):
    """A client whose connection is a pair of headers and a body."""

    answer = None

    def _once(self, url):
        return self.answer


CLIENT = Answering("http://127.0.0.1:1")


def judged(kind, headers, body):
    """Return the item, or None for a coded error; any other error fails the test."""
    CLIENT.answer = httpx.Headers(headers), body
    try:
        item = CLIENT.fetch(kind, PLATFORM)
    except TransportError as error:
        assert error.code == "COLLATERAL_ANSWER"
        return None
    assert isinstance(item, CollateralItem)
    try:
        return vet(item, PLATFORM, attested.NOW)
    except AttestationError as error:
        assert error.code
        return None


def test_the_good_answers_are_items():
    for kind in KINDS:
        _, headers, body = replies(GOOD)[NAMES[kind]]
        assert judged(kind, headers, body) is not None


@given(st.sampled_from(KINDS), st.binary(max_size=200), st.binary(max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_bytes(kind, body, chain):
    header = chain.replace(b"\r", b"").replace(b"\n", b"").replace(b"\x00", b"")
    assert judged(kind, [(CHAINS.get(NAMES[kind], "X").encode(), header)], body) is None


@given(st.sampled_from(("tcb-info", "qe-identity")), JSON)
@settings(max_examples=300, deadline=None)
def test_any_json(kind, value):
    _, headers, _ = replies(GOOD)[NAMES[kind]]
    assert judged(kind, headers, clients.json.dumps(value).encode()) is None


@given(st.sampled_from(KINDS), st.integers(0, 1_000_000), st.integers(0, 7))
@settings(max_examples=300, deadline=None)
def test_no_bit_of_a_body_may_change_what_is_kept(kind, at, bit):
    _, headers, body = replies(GOOD)[NAMES[kind]]
    altered = bytearray(body)
    altered[at % len(body)] ^= 1 << bit
    found = judged(kind, headers, bytes(altered))
    if found is not None:  # the case of a hexadecimal digit, or white space around it
        assert found.item == judged(kind, headers, body).item
