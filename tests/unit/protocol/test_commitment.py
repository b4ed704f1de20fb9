import hashlib
import hmac

import factories
import pytest

from protocol.commitment import commit_key, require_commitment
from protocol.container import generate_data_key
from protocol.errors import DocumentError


def test_the_committed_key_and_no_other_passes():
    data_key = generate_data_key()
    commitment = commit_key(data_key)
    require_commitment(data_key, commitment)
    for wrong in (generate_data_key(), bytes([data_key[0] ^ 1]) + data_key[1:]):
        with pytest.raises(DocumentError, match=r"^KEY_COMMITMENT: ") as caught:
            require_commitment(wrong, commitment)
        assert wrong.hex() not in str(caught.value)


def test_a_changed_commitment_is_refused():
    data_key = generate_data_key()
    commitment = commit_key(data_key)
    for changes in ({"nonce": "00" * 32}, {"mac": "00" * 32}):
        with pytest.raises(DocumentError, match=r"^KEY_COMMITMENT: "):
            require_commitment(data_key, factories.changed(commitment, changes))


def test_commitments_are_salted_macs():
    data_key = bytes(range(32))
    first, second = commit_key(data_key), commit_key(data_key)
    assert first.nonce != second.nonce
    assert first.mac != second.mac
    message = b"sealroom data key commitment v1\x00" + bytes.fromhex(first.nonce)
    assert first.mac == hmac.new(data_key, message, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_data_keys_have_one_size(size):
    # HMAC pads short keys with zeros and hashes long ones: two keys of different sizes could share a commitment.
    with pytest.raises(DocumentError, match=r"^KEY_SIZE: "):
        commit_key(bytes(size))
    with pytest.raises(DocumentError, match=r"^KEY_SIZE: "):
        require_commitment(bytes(size), commit_key(bytes(32)))
