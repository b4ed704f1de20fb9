"""Taking in files that stock Crypt4GH tools made for an X25519 key; for the owner's machine, not for the enclave.

A stock file does not say how long it is. A file that was cut off between two segments cannot be told from a whole one:
compare its size or checksum with its source before sealing it.
"""

from collections.abc import Iterator
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from protocol.container.header import read_header
from protocol.container.segments import NONCE_SIZE, TAG_SIZE
from protocol.documents.dataset import SEALED_SEGMENT
from protocol.errors import DocumentError

__all__ = ["open_stock"]


def open_stock(stream: BinaryIO, private_key: X25519PrivateKey) -> Iterator[bytes]:
    """Yield the plain bytes of a stock file, one segment (64 KiB) at a time.

    Raises
    ------
    DocumentError
        As ``read_header`` does, and ``SEGMENT`` where a segment is cut or does not decrypt.
    AccessDenied
        ``NO_RECIPIENT`` where the file is for another key.
    """
    cipher = ChaCha20Poly1305(read_header(stream, private_key))
    buffer = memoryview(bytearray(SEALED_SEGMENT))
    number = 0
    while size := _fill(stream, buffer):
        number += 1
        if size <= NONCE_SIZE + TAG_SIZE:
            raise DocumentError("SEGMENT", f"Segment {number} has {size} bytes: the file was cut.")
        try:
            yield cipher.decrypt(buffer[:NONCE_SIZE], buffer[NONCE_SIZE:size], None)
        except InvalidTag as error:
            raise DocumentError("SEGMENT", f"Segment {number} was altered or cut: it does not decrypt.") from error


def _fill(stream: BinaryIO, buffer: memoryview) -> int:
    size = 0
    while size < len(buffer):
        more = stream.read(len(buffer) - size)
        if not more:
            break
        buffer[size : size + len(more)] = more
        size += len(more)
    return size
