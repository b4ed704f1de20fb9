"""What this enclave is: fixed in its measured files, never given by the host."""

from typing import Final

__all__ = ["BYTE_LIMIT", "PROFILE", "ROW_LIMIT"]

PROFILE: Final = "clinical"
ROW_LIMIT: Final = 5_000_000
"""Rows of one table that this profile reads; more is refused before memory is spent on them."""
BYTE_LIMIT: Final = 2**31
"""Plain bytes of one table that this profile reads."""
