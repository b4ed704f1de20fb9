"""The custodian's own keys: one Ed25519 key that signs, one X-Wing key that opens capsules, in one sealed file.

The file is made at the first start, whole or not at all, with mode 0600. Whoever loses it or its passphrase loses all
capsules deposited here: the owners have to seal their data keys to the next custodian again.
"""

import os
import secrets
from pathlib import Path
from typing import Final, final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from custodian.settings import CustodianSettings
from protocol.documents.dataset import CustodianKeys
from protocol.dsse import public_key
from protocol.errors import StorageError
from protocol.hpke import PRIVATE_SIZE, RecipientKey
from protocol.keyfile import open_secret, seal_secret
from protocol.types import encode_base64

__all__ = ["CustodianSecrets", "load_or_create", "read_passphrase"]

_HEAD: Final = b"sealroom custodian keys v1\x00"
_SIGNING_SIZE: Final = 32


@final
class CustodianSecrets:
    """Both private keys; ``repr`` shows no more than the public signing key."""

    __slots__ = ("encryption", "public", "signing")

    def __init__(self, signing: Ed25519PrivateKey, encryption: RecipientKey) -> None:
        self.signing = signing
        self.encryption = encryption
        self.public = CustodianKeys(signing=public_key(signing), encryption=encode_base64(encryption.public_bytes()))

    @classmethod
    def generate(cls) -> "CustodianSecrets":
        """Make new keys from the operating system's randomness."""
        return cls(Ed25519PrivateKey.generate(), RecipientKey.generate())

    @classmethod
    def from_bytes(cls, data: bytes) -> "CustodianSecrets":
        """Read what ``to_bytes`` wrote, or raise ``StorageError`` with ``KEY_FILE``."""
        if len(data) != len(_HEAD) + _SIGNING_SIZE + PRIVATE_SIZE or not data.startswith(_HEAD):
            raise StorageError("KEY_FILE", "The key file opens, but does not hold a custodian's keys of this version.")
        signing = data[len(_HEAD) : len(_HEAD) + _SIGNING_SIZE]
        return cls(
            Ed25519PrivateKey.from_private_bytes(signing),
            RecipientKey.from_private_bytes(data[len(_HEAD) + _SIGNING_SIZE :]),
        )

    def to_bytes(self) -> bytes:
        """Return the private bytes, for the key file only."""
        return _HEAD + self.signing.private_bytes_raw() + self.encryption.private_bytes()

    def __repr__(self) -> str:
        return f"CustodianSecrets(signing public {self.public.signing[:16]})"


def load_or_create(settings: CustodianSettings) -> CustodianSecrets:
    """Open the key file; at the first start make it.

    Two processes that start at once end with the same keys: the file appears by a hard link, which only the first can
    make.

    Raises
    ------
    StorageError
        ``PASSPHRASE_FILE`` where the passphrase file is absent or empty, ``KEY_FILE_MODE`` where others may read the
        key file, ``KEY_FILE`` where it holds something else.
    AccessDenied
        ``PASSPHRASE`` where the key file does not open with this passphrase.
    """
    passphrase = read_passphrase(settings.passphrase_file)
    settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not settings.key_file.exists():
        _write_once(settings.key_file, seal_secret(CustodianSecrets.generate().to_bytes(), passphrase))
    mode = settings.key_file.stat().st_mode & 0o777
    if mode & 0o077:
        raise StorageError(
            "KEY_FILE_MODE",
            f"{settings.key_file} has mode {mode:o}, wanted 600. Find out who read it, then set the mode.",
        )
    return CustodianSecrets.from_bytes(open_secret(settings.key_file.read_bytes(), passphrase))


def read_passphrase(path: Path) -> str:
    """Return the passphrase in a file, without its last newline; ``StorageError`` (``PASSPHRASE_FILE``) if none."""
    try:
        text = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError("PASSPHRASE_FILE", f"The passphrase file {path} is not a readable UTF-8 file.") from error
    if not text:
        raise StorageError(
            "PASSPHRASE_FILE", f"The passphrase file {path} is empty. Write a long random passphrase into it."
        )
    return text


def _write_once(path: Path, data: bytes) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return  # another process was first: its keys are the custodian's
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
