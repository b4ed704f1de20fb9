"""Any flipped bit of a signed document is refused, wherever it is."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from protocol.documents import Approval
from protocol.dsse import Envelope, Unverified, public_key, sign
from protocol.errors import DocumentError

KEY = Ed25519PrivateKey.from_private_bytes(b"a key for the tests only, 32 b. ")
APPROVAL = Approval(contract="ab" * 32, institution="cd" * 32, member="approver", time="2026-11-24T12:00:00Z")
DATA = sign(APPROVAL, KEY).envelope.to_bytes()


def verify(data):
    return Unverified.parse(Envelope.from_bytes(data), Approval).verify(public_key(KEY))


def test_every_flipped_byte_is_refused():
    assert verify(DATA).document == APPROVAL
    for at in range(len(DATA)):
        altered = bytearray(DATA)
        altered[at] ^= 1
        with pytest.raises(DocumentError):
            verify(bytes(altered))


@given(st.integers(0, len(DATA) - 1), st.binary(max_size=8), st.integers(0, 8))
def test_every_splice_is_refused(at, new, removed):
    altered = DATA[:at] + new + DATA[at + removed :]
    if altered != DATA:
        with pytest.raises(DocumentError):
            verify(altered)


@given(st.binary(max_size=300))
def test_any_bytes_are_refused(data):
    with pytest.raises(DocumentError):
        verify(data)
