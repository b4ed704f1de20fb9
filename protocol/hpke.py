"""Single-shot public-key sealing: HPKE (RFC 9180) with the hybrid post-quantum KEM X-Wing.

KEM ML-KEM-768 + X25519, KDF HKDF-SHA-256, AEAD ChaCha20-Poly1305. A private key is the ML-KEM seed (64 bytes) followed
by the X25519 private key (32); a public key is the ML-KEM public key (1,184) followed by the X25519 public key (32).
``info`` ties what is sealed to its place: a capsule that is moved elsewhere does not open.
"""

import hashlib
from typing import Self, final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from protocol.canonical import canonical_bytes
from protocol.errors import DocumentError
from protocol.types import Digest, Key, Name

__all__ = [
    "OVERHEAD",
    "PRIVATE_SIZE",
    "PUBLIC_SIZE",
    "RecipientKey",
    "capsule_info",
    "output_info",
    "public_digest",
    "release_info",
    "seal",
]

_SEED_SIZE, _MLKEM_PUBLIC_SIZE, _X25519_SIZE = 64, 1184, 32
PRIVATE_SIZE = _SEED_SIZE + _X25519_SIZE
PUBLIC_SIZE = _MLKEM_PUBLIC_SIZE + _X25519_SIZE
OVERHEAD = 1088 + 32 + 16
"""Bytes that sealing adds: ML-KEM ciphertext, X25519 share, tag."""


def _suite() -> Suite:
    return Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


@final
class RecipientKey:
    """A private X-Wing key. Neither ``repr`` nor an error shows more than the public key's digest."""

    __slots__ = ("_mlkem", "_x25519")

    def __init__(self, mlkem: MLKEM768PrivateKey, x25519: X25519PrivateKey) -> None:
        self._mlkem = mlkem
        self._x25519 = x25519

    @classmethod
    def generate(cls) -> Self:
        """Make a new key from the operating system's randomness."""
        return cls(MLKEM768PrivateKey.generate(), X25519PrivateKey.generate())

    @classmethod
    def from_private_bytes(cls, private: bytes) -> Self:
        """Read a private key of 96 bytes; another length is a ``DocumentError`` with code ``KEY_SIZE``."""
        if len(private) != PRIVATE_SIZE:
            raise DocumentError("KEY_SIZE", f"A private key has {PRIVATE_SIZE} bytes, found {len(private)}.")
        return cls(
            MLKEM768PrivateKey.from_seed_bytes(private[:_SEED_SIZE]),
            X25519PrivateKey.from_private_bytes(private[_SEED_SIZE:]),
        )

    def private_bytes(self) -> bytes:
        """Return the 96 private bytes; keep them in a key file only."""
        return self._mlkem.private_bytes_raw() + self._x25519.private_bytes_raw()

    def public_bytes(self) -> bytes:
        """Return the 1,216 public bytes."""
        return self._mlkem.public_key().public_bytes_raw() + self._x25519.public_key().public_bytes_raw()

    def open(self, sealed: bytes, *, info: bytes) -> bytes:
        """Open what was sealed to this key under the same ``info``.

        Raises
        ------
        DocumentError
            ``CAPSULE`` where it was sealed to another key or under another ``info``, or was altered.
        """
        try:
            return _suite().decrypt(sealed, MLKEM768X25519PrivateKey(self._mlkem, self._x25519), info=info)
        except InvalidTag as error:
            raise DocumentError(
                "CAPSULE",
                f"The {len(sealed)} sealed bytes do not open with key {public_digest(self.public_bytes())[:16]}: they "
                "were sealed to another key, for another purpose, or were altered.",
            ) from error

    def __repr__(self) -> str:
        return f"RecipientKey(public sha256 {public_digest(self.public_bytes())[:16]})"


def seal(plain: bytes, public: bytes, *, info: bytes) -> bytes:
    """Seal to a public key of 1,216 bytes; the result is 1,136 bytes longer than ``plain``.

    Raises
    ------
    DocumentError
        ``RECIPIENT_KEY`` where the public key has another length or is not valid.
    """
    if len(public) != PUBLIC_SIZE:
        raise DocumentError("RECIPIENT_KEY", f"A public key has {PUBLIC_SIZE} bytes, found {len(public)}.")
    try:
        key = MLKEM768X25519PublicKey(
            MLKEM768PublicKey.from_public_bytes(public[:_MLKEM_PUBLIC_SIZE]),
            X25519PublicKey.from_public_bytes(public[_MLKEM_PUBLIC_SIZE:]),
        )
        return _suite().encrypt(plain, key, info=info)
    except ValueError as error:
        raise DocumentError("RECIPIENT_KEY", "The recipient's public key is not a valid X-Wing key.") from error


def public_digest(public: bytes) -> Digest:
    """SHA-256 of a public key in hex: how contracts name recipients."""
    return hashlib.sha256(public).hexdigest()


def capsule_info(manifest_name: Digest, owner: Key, custodian_signing_key: Key) -> bytes:
    """Return ``info`` of a capsule: a data key on its way from an owner to the custodian of that dataset."""
    return canonical_bytes(
        {
            "type": "application/vnd.sealroom.capsule.v1",
            "manifest": manifest_name,
            "owner": owner,
            "custodian": custodian_signing_key,
        }
    )


def release_info(release_name: Digest) -> bytes:
    """Return ``info`` of a data key that a custodian seals to an enclave under a signed key release."""
    return canonical_bytes({"type": "application/vnd.sealroom.released-key.v1", "release": release_name})


def output_info(contract: Digest, run: str, output: Name, recipient_digest: Digest) -> bytes:
    """Return ``info`` of one output of one run, sealed to one recipient."""
    return canonical_bytes(
        {
            "type": "application/vnd.sealroom.sealed-output.v1",
            "contract": contract,
            "run": run,
            "output": output,
            "recipient": recipient_digest,
        }
    )
