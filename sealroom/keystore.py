"""Private keys at rest: one file for each key, sealed under the passphrase; one key, one use."""

import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocol.errors import AccessDenied, StorageError
from protocol.hpke import RecipientKey
from sealroom.files import read_bounded, write_new

__all__ = ["ABOUT_LOSS", "MEMBER_USES", "Keystore", "Passphrase"]

MAX_KEYFILE = 65_536
MIN_PASSPHRASE = 12
MEMBER_USES = {"steward": ("manifest",), "approver": ("approval",), "analyst": ("contract", "recipient")}
"""The keys that each role takes; every member has an ``api`` key besides."""
ABOUT_LOSS = (
    "Nobody can recover a lost passphrase. Without it these keys are gone: results that were sealed to your analysts "
    "stay closed, datasets have to be sealed and uploaded again, and with the root key goes the institution itself: "
    "make a new one and have every partner compare and pin its new fingerprint. Keep the passphrase in two places "
    "and a copy of the keys folder in a third."
)


class Passphrase:
    """Where the passphrase comes from: a file, or the terminal. Never an argument, never the environment's value."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._known: str | None = None

    def get(self, *, new: bool = False) -> str:
        """Return the passphrase; a new one is asked for twice.

        Raises
        ------
        AccessDenied
            ``PASSPHRASE`` where there is none, or a new one is too short; an old one is right or wrong.
        """
        if self._known is None:
            self._known = self._from_file() if self._file else self._ask(new=new)
        return self._long_enough(self._known) if new else self._known

    def _from_file(self) -> str:
        assert self._file is not None  # noqa: S101 - for the type checker: the caller looked
        lines = read_bounded(self._file, MAX_KEYFILE).decode("utf-8", "strict").splitlines()
        return lines[0] if lines else ""

    def _ask(self, *, new: bool) -> str:
        import getpass

        if not sys.stdin.isatty():
            raise AccessDenied("PASSPHRASE", "There is no terminal to ask for the passphrase; give --passphrase-file.")
        first = getpass.getpass("Passphrase: ", stream=sys.stderr)
        if new:
            self._long_enough(first)
        if new and getpass.getpass("The same again: ", stream=sys.stderr) != first:
            raise AccessDenied("PASSPHRASE", "The two passphrases differ; nothing was made.")
        return first

    @staticmethod
    def _long_enough(text: str) -> str:
        if len(text) < MIN_PASSPHRASE:
            raise AccessDenied("PASSPHRASE", f"The passphrase has {len(text)} characters, wanted {MIN_PASSPHRASE}.")
        return text


class Keystore:
    """The sealed keys in one folder."""

    def __init__(self, folder: Path, passphrase: Passphrase) -> None:
        self._folder = folder
        self._passphrase = passphrase

    def keep_signing(self, name: str, key: Ed25519PrivateKey) -> None:
        """Keep a new Ed25519 key; ``StorageError`` with code ``FILE_EXISTS`` if the name is taken."""
        self._keep(name, key.private_bytes_raw())

    def keep_recipient(self, name: str, key: RecipientKey) -> None:
        """Keep a new X-Wing key."""
        self._keep(name, key.private_bytes())

    def keep_secret(self, name: str, secret: bytes) -> None:
        """Keep a new secret that is no key pair."""
        self._keep(name, secret)

    def signing(self, name: str) -> Ed25519PrivateKey:
        """Open an Ed25519 key."""
        return Ed25519PrivateKey.from_private_bytes(self._open(name))

    def recipient(self, name: str) -> RecipientKey:
        """Open an X-Wing key."""
        return RecipientKey.from_private_bytes(self._open(name))

    def secret(self, name: str) -> bytes:
        """Open a secret that is no key pair."""
        return self._open(name)

    def has(self, name: str) -> bool:
        """Whether this key is here."""
        return self._path(name).is_file()

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.key"

    def _keep(self, name: str, secret: bytes) -> None:
        from protocol.keyfile import seal_secret

        write_new(self._path(name), seal_secret(secret, self._passphrase.get(new=True)))

    def _open(self, name: str) -> bytes:
        from protocol.keyfile import open_secret

        if not self.has(name):
            raise StorageError(
                "KEY_MISSING", f"The key {name} is not in {self._folder}; it was made on another machine."
            )
        return open_secret(read_bounded(self._path(name), MAX_KEYFILE), self._passphrase.get())
