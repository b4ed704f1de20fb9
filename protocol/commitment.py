"""Commitments to data keys.

ChaCha20-Poly1305 does not commit to its key: one ciphertext can be made that opens under two keys to two plain texts.
The signed dataset manifest therefore carries HMAC-SHA-256(data key, label || nonce); custodian and enclave check it.
"""

import hashlib
import hmac
import os

from protocol.container.keys import require_data_key
from protocol.documents.dataset import KeyCommitment
from protocol.errors import DocumentError

__all__ = ["commit_key", "require_commitment"]

_LABEL = b"sealroom data key commitment v1\x00"
_NONCE_SIZE = 32


def commit_key(data_key: bytes) -> KeyCommitment:
    """Commit to a data key of 32 bytes under a fresh nonce."""
    nonce = os.urandom(_NONCE_SIZE)
    return KeyCommitment(nonce=nonce.hex(), mac=_mac(data_key, nonce).hex())


def require_commitment(data_key: bytes, commitment: KeyCommitment) -> None:
    """Raise ``DocumentError`` with ``KEY_COMMITMENT`` unless this is the key that was committed to."""
    found = _mac(data_key, bytes.fromhex(commitment.nonce))
    if not hmac.compare_digest(found, bytes.fromhex(commitment.mac)):
        raise DocumentError(
            "KEY_COMMITMENT",
            "The data key is not the one that the dataset manifest commits to. Ask the owner to seal it again.",
        )


def _mac(data_key: bytes, nonce: bytes) -> bytes:
    require_data_key(data_key)
    return hmac.digest(data_key, _LABEL + nonce, hashlib.sha256)
