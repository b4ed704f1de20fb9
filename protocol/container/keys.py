"""Data keys: 32 random bytes, one for each sealed file."""

import os

from protocol.errors import DocumentError

__all__ = ["DATA_KEY_SIZE", "generate_data_key", "require_data_key"]

DATA_KEY_SIZE = 32


def generate_data_key() -> bytes:
    """Make a data key from the operating system's randomness."""
    return os.urandom(DATA_KEY_SIZE)


def require_data_key(data_key: bytes) -> None:
    """Raise ``DocumentError`` with ``KEY_SIZE`` unless the key has 32 bytes."""
    if len(data_key) != DATA_KEY_SIZE:
        raise DocumentError("KEY_SIZE", f"A data key has {DATA_KEY_SIZE} bytes, found {len(data_key)}.")
