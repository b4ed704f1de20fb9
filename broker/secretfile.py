"""Secrets that the broker makes at its first start and keeps in its data folder, readable by its user alone."""

import os
import secrets
from pathlib import Path

from protocol.errors import StorageError

__all__ = ["load_or_make_secret"]


def load_or_make_secret(path: Path) -> str:
    """Return the secret in a file; where there is none, make 32 random bytes in base64url and write them, mode 0600.

    Raises
    ------
    StorageError
        ``SECRET_FILE`` where the file can be read by others, or is empty.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    if not path.exists():
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(secrets.token_urlsafe(32) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(draft, path)  # never over another process's secret
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    if path.stat().st_mode & 0o077:
        raise StorageError(
            "SECRET_FILE", f"{path} can be read by others. Remove it, restart, and hand out the new one."
        )
    secret = path.read_text(encoding="ascii").strip()
    if not secret:
        raise StorageError("SECRET_FILE", f"{path} is empty. Remove it; the broker makes a new one when it starts.")
    return secret
