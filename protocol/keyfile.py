"""Private keys at rest: a passphrase, scrypt, ChaCha20-Poly1305.

scrypt runs with n = 2^15, r = 8, p = 1: 32 MiB and about 60 ms for each guess. More would be felt in every command, as
one command may open several keys, and the gain over a longer passphrase is small: one more random word outweighs it a
thousandfold. Files with other parameters are read within bounds, so that a planted file cannot exhaust the machine.
"""

import os
import unicodedata
from typing import Annotated, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from pydantic import Field

from protocol.canonical import canonical_bytes
from protocol.dsse import load_document
from protocol.errors import AccessDenied
from protocol.types import Base64, Document, decode_base64, encode_base64

__all__ = ["MAX_KEYFILE", "open_secret", "seal_secret"]

MAX_KEYFILE = 2**20
_COST: Literal[32_768] = 32_768
_BLOCK, _PARALLEL = 8, 1
_SALT_SIZE, _NONCE_SIZE, _KEY_SIZE = 32, 12, 32


_Cost = Literal[16_384, 32_768, 65_536, 131_072]


class _ScryptParameters(Document):
    """Bounded: at most 2^17 x 16 x 128 bytes (256 MiB) of memory and some seconds of work."""

    name: Literal["scrypt"] = "scrypt"
    n: _Cost
    r: Annotated[int, Field(ge=8, le=16)]
    p: Annotated[int, Field(ge=1, le=4)]


class _KeyFile(Document):
    version: Literal[1] = 1
    kdf: _ScryptParameters
    salt: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    nonce: Annotated[str, Field(pattern=r"^[0-9a-f]{24}$")]
    ciphertext: Base64

    @property
    def associated_data(self) -> bytes:
        return canonical_bytes(self.model_dump(mode="json", exclude={"ciphertext"}))

    def cipher(self, passphrase: str) -> ChaCha20Poly1305:
        """Derive the key. Unicode form NFC: the same letters typed on another machine are the same passphrase."""
        try:
            secret = unicodedata.normalize("NFC", passphrase).encode()
        except UnicodeEncodeError as error:
            raise AccessDenied("PASSPHRASE_TEXT", "The passphrase is no Unicode text.") from error
        if not secret:
            raise AccessDenied(
                "PASSPHRASE_TEXT", "The passphrase is empty. Choose one and keep it where you will find it."
            )
        kdf = Scrypt(salt=bytes.fromhex(self.salt), length=_KEY_SIZE, n=self.kdf.n, r=self.kdf.r, p=self.kdf.p)
        return ChaCha20Poly1305(kdf.derive(secret))


def seal_secret(secret: bytes, passphrase: str) -> bytes:
    """Encrypt a secret (up to 500 kB) under a passphrase; returns the bytes of a key file."""
    draft = _KeyFile(
        kdf=_ScryptParameters(n=_COST, r=_BLOCK, p=_PARALLEL),
        salt=os.urandom(_SALT_SIZE).hex(),
        nonce=os.urandom(_NONCE_SIZE).hex(),
        ciphertext="",
    )
    sealed = draft.cipher(passphrase).encrypt(bytes.fromhex(draft.nonce), secret, draft.associated_data)
    return canonical_bytes(draft.model_copy(update={"ciphertext": encode_base64(sealed)}).model_dump(mode="json"))


def open_secret(data: bytes, passphrase: str) -> bytes:
    """Decrypt a key file.

    Raises
    ------
    DocumentError
        ``SIZE``, ``JSON``, ``CANONICAL``, ``DOCUMENT`` where the bytes are no key file or ask for too much work.
    AccessDenied
        ``PASSPHRASE`` where it does not open, ``PASSPHRASE_TEXT`` for an empty one.
    """
    file = load_document(_KeyFile, data, limit=MAX_KEYFILE)
    try:
        return file.cipher(passphrase).decrypt(
            bytes.fromhex(file.nonce), decode_base64(file.ciphertext), file.associated_data
        )
    except InvalidTag as error:
        raise AccessDenied(
            "PASSPHRASE",
            "The key file does not open: the passphrase is wrong, or the file was altered. There is no way to recover "
            "a lost passphrase; if it is lost, make a new key and have it signed by your institution.",
        ) from error
