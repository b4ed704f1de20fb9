"""Padding to a size that the contract fixes, so that a sealed output's length says nothing about what is in it.

The size class of an output follows from its type and the number of its labels alone, both signed before the run; a
refusal has the same. Padded bytes are the length of the data (4 bytes, big-endian), the data, and zeros.
"""

import struct

from protocol.documents.outputs import MAX_HITS
from protocol.documents.study import OutputType
from protocol.errors import DocumentError

__all__ = ["MAX_PADDED", "MIN_PADDED", "pad", "size_class", "unpad"]

MIN_PADDED = 4096
MAX_PADDED = 2**20 - 2**16
"""No padded output is longer, in bytes: sealed and in base64 it still fits its field."""
_HEAD = struct.Struct(">I")
_FRAME = 512
"""Bytes for what stands around the entries."""
_ENTRY: dict[OutputType, int] = {
    "counts": 48,
    "regression": 192,
    "test": 192,
    "survival": 96,
    "means": 144,
    "metrics": 144,
    "hits": 96,
}
"""Bytes of the longest entry of each type."""


def size_class(kind: OutputType, labels: int) -> int:
    """Return the padded bytes of every output of this type with so many labels: a power of two, or ``MAX_PADDED``.

    Labels of a survival curve are groups and times, and it has an entry for each pair of them: at most a quarter of
    the labels' square, and one for each group. The label of hits names the trait; there are up to ``MAX_HITS``.
    """
    match kind:
        case "survival":
            entries = labels * labels // 4 + labels
        case "hits":
            entries = MAX_HITS
        case _:
            entries = labels
    return min(max(MIN_PADDED, 1 << (_FRAME + entries * _ENTRY[kind] - 1).bit_length()), MAX_PADDED)


def pad(data: bytes, size: int) -> bytes:
    """Pad to ``size`` bytes.

    Raises
    ------
    DocumentError
        ``SIZE`` where the data is too long for it.
    """
    if _HEAD.size + len(data) > size:
        raise DocumentError("SIZE", f"Found {len(data)} bytes to pad; at most {size - _HEAD.size} fit this output.")
    return (_HEAD.pack(len(data)) + data).ljust(size, b"\x00")


def unpad(padded: bytes, size: int) -> bytes:
    """Return the data; every padded form but the one that ``pad`` makes is refused.

    Raises
    ------
    DocumentError
        ``PADDING`` where the size is not the one wanted, or the length or the zeros do not fit.
    """
    if len(padded) != size or size < MIN_PADDED:
        raise DocumentError("PADDING", f"Found {len(padded)} padded bytes, wanted {size}.")
    (length,) = _HEAD.unpack_from(padded)
    data = padded[_HEAD.size : _HEAD.size + length]
    if len(data) != length or pad(data, size) != padded:
        raise DocumentError("PADDING", "The padded bytes are not what padding of their data gives.")
    return data
