"""What this enclave is: fixed in its measured files, never given by the host."""

from typing import Final

__all__ = ["BYTE_LIMIT", "PROFILE", "ROW_LIMIT"]

PROFILE: Final = "clinical"
ROW_LIMIT: Final = 5_000_000
"""Rows that this profile reads, of all tables together; more is refused before any key is asked for."""
BYTE_LIMIT: Final = 2**31
"""Plain bytes that this profile reads, of all tables together."""
