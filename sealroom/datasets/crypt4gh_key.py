"""Reading the private key files of stock Crypt4GH tools (format c4gh-v1)."""

import base64
import binascii
import getpass
import sys
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from protocol.errors import AccessDenied, DocumentError
from sealroom.files import read_bounded

__all__ = ["read_private_key"]

MAX_KEY_FILE = 16_384
_MAGIC = b"c4gh-v1"
_BEGIN, _END = "-----BEGIN CRYPT4GH PRIVATE KEY-----", "-----END CRYPT4GH PRIVATE KEY-----"
_KEY_SIZE, _NONCE_SIZE, _ROUNDS_SIZE = 32, 12, 4
_SCRYPT_COST, _SCRYPT_BLOCK = 2**14, 8


def read_private_key(path: Path, passphrase_file: Path | None) -> X25519PrivateKey:
    """Read a key file, plain or sealed with scrypt, as ``crypt4gh-keygen`` writes it.

    The passphrase is the first line of a file, or comes from the terminal.

    Raises
    ------
    DocumentError
        ``CRYPT4GH_KEY`` where it is no such file or is sealed in a way that is not read here.
    AccessDenied
        ``PASSPHRASE`` where it does not open.
    """
    fields = _Fields(_body(path), path)
    if fields.take(len(_MAGIC)) != _MAGIC:
        raise DocumentError("CRYPT4GH_KEY", f"{path} is no Crypt4GH private key of format c4gh-v1.")
    derivation = fields.string()
    if derivation == b"none":
        fields.string()  # the cipher, which is none too
        return _key(fields.string(), path)
    options, cipher, sealed = fields.string(), fields.string(), fields.string()
    if derivation != b"scrypt" or cipher != b"chacha20_poly1305":
        raise DocumentError(
            "CRYPT4GH_KEY", f"{path} is sealed with {derivation!a} and {cipher!a}; only scrypt is read."
        )
    kdf = Scrypt(salt=options[_ROUNDS_SIZE:], length=_KEY_SIZE, n=_SCRYPT_COST, r=_SCRYPT_BLOCK, p=1)
    try:
        cipher_key = ChaCha20Poly1305(kdf.derive(_passphrase(passphrase_file).encode("utf-8")))
        return _key(cipher_key.decrypt(sealed[:_NONCE_SIZE], sealed[_NONCE_SIZE:], None), path)
    except InvalidTag as error:
        raise AccessDenied("PASSPHRASE", f"The passphrase does not open {path}.") from error


def _body(path: Path) -> bytes:
    lines = read_bounded(path, MAX_KEY_FILE).decode("ascii", "replace").split("\n")
    lines = [line.strip() for line in lines if line.strip()]
    if len(lines) < 3 or lines[0] != _BEGIN or lines[-1] != _END:  # noqa: PLR2004 - two marks and something between
        raise DocumentError("CRYPT4GH_KEY", f"{path} is no Crypt4GH private key.")
    try:
        return base64.b64decode("".join(lines[1:-1]), validate=True)
    except binascii.Error as error:
        raise DocumentError("CRYPT4GH_KEY", f"{path} is damaged: it is no base64.") from error


def _key(private: bytes, path: Path) -> X25519PrivateKey:
    if len(private) != _KEY_SIZE:
        raise DocumentError("CRYPT4GH_KEY", f"{path} holds a key of {len(private)} bytes, wanted {_KEY_SIZE}.")
    return X25519PrivateKey.from_private_bytes(private)


def _passphrase(file: Path | None) -> str:
    if file is not None:
        return read_bounded(file, MAX_KEY_FILE).decode("utf-8", "replace").split("\n")[0].rstrip("\r")
    if not sys.stdin.isatty():
        raise AccessDenied("PASSPHRASE", "There is no terminal to ask; give --crypt4gh-passphrase-file.")
    return getpass.getpass("Passphrase of the Crypt4GH key: ", stream=sys.stderr)


class _Fields:
    """Length-prefixed fields, read from the front."""

    def __init__(self, data: bytes, path: Path) -> None:
        self._data = data
        self._path = path

    def take(self, size: int) -> bytes:
        """Return the next bytes."""
        if len(self._data) < size:
            raise DocumentError("CRYPT4GH_KEY", f"{self._path} is damaged: it ends too early.")
        taken, self._data = self._data[:size], self._data[size:]
        return taken

    def string(self) -> bytes:
        """Return the next field."""
        return self.take(int.from_bytes(self.take(2), "big"))
