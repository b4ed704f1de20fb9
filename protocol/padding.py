"""Padding to a size class, so that a sealed output's length says nothing about what is in it.

Padded bytes are the length of the data (4 bytes, big-endian), the data, and zeros up to a multiple of 65,536 bytes.
"""

import struct

from protocol.errors import DocumentError

__all__ = ["MAX_PADDED", "SIZE_CLASS", "pad", "unpad"]

SIZE_CLASS = 65_536
"""Padded bytes come in multiples of this."""
MAX_PADDED = 15 * SIZE_CLASS
"""No padded output is longer, in bytes: sealed and in base64 it still fits its field."""
_HEAD = struct.Struct(">I")


def pad(data: bytes) -> bytes:
    """Pad to the next size class.

    Raises
    ------
    DocumentError
        ``SIZE`` where the padded data would exceed ``MAX_PADDED``.
    """
    size = -(-(_HEAD.size + len(data)) // SIZE_CLASS) * SIZE_CLASS
    if size > MAX_PADDED:
        raise DocumentError("SIZE", f"Found {len(data)} bytes to pad; at most {MAX_PADDED - _HEAD.size} fit an output.")
    return (_HEAD.pack(len(data)) + data).ljust(size, b"\x00")


def unpad(padded: bytes) -> bytes:
    """Return the data; every padded form but the one that ``pad`` makes is refused.

    Raises
    ------
    DocumentError
        ``PADDING`` where the size is no size class, or the length, the zeros or the size class do not fit the data.
    """
    if not padded or len(padded) > MAX_PADDED or len(padded) % SIZE_CLASS:
        raise DocumentError("PADDING", f"Found {len(padded)} padded bytes, wanted a multiple of {SIZE_CLASS}.")
    (length,) = _HEAD.unpack_from(padded)
    data = padded[_HEAD.size : _HEAD.size + length]
    if len(data) != length or pad(data) != padded:
        raise DocumentError("PADDING", "The padded bytes are not what padding of their data gives.")
    return data
