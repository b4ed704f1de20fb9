"""Crypt4GH v1 headers (GA4GH): who may open a body, and with which data key.

Only one kind of header is read: exactly one data key for this recipient and no edit list. Edit lists can be appended by
anyone who knows the recipient's public key and silently cut data; a second data key mixes bodies.
"""

import hashlib
import os
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from protocol.container.keys import DATA_KEY_SIZE, require_data_key
from protocol.container.segments import NONCE_SIZE, TAG_SIZE
from protocol.errors import AccessDenied, DocumentError

__all__ = ["MAX_PACKETS", "MAX_PACKET_SIZE", "read_header", "write_header"]

MAGIC = b"crypt4gh"
VERSION = 1
MAX_PACKETS = 256
MAX_PACKET_SIZE = 65_536
_KEY_SIZE = 32
_X25519_CHACHA20 = 0
_DATA_KEY, _EDIT_LIST = 0, 1
_MIN_PACKET = 8 + _KEY_SIZE + NONCE_SIZE + TAG_SIZE + 4


def read_header(stream: BinaryIO, private_key: X25519PrivateKey) -> bytes:
    """Read a header and return the data key (32 bytes); the stream then stands at the body.

    Raises
    ------
    DocumentError
        ``HEADER`` where it is malformed or beyond the bounds, ``EDIT_LIST``, ``SECOND_KEY``.
    AccessDenied
        ``NO_RECIPIENT`` where no packet opens with this key.
    """
    if _take(stream, len(MAGIC)) != MAGIC:
        raise DocumentError("HEADER", "This is no Crypt4GH file: it does not begin with the word crypt4gh.")
    version, count = _number(stream), _number(stream)
    if version != VERSION:
        raise DocumentError("HEADER", f"Crypt4GH version {version} was found, wanted {VERSION}.")
    if not 1 <= count <= MAX_PACKETS:
        raise DocumentError("HEADER", f"The header counts {count} packets; 1 to {MAX_PACKETS} are read.")
    found: bytes | None = None
    for _ in range(count):
        size = _number(stream)
        if not _MIN_PACKET <= size <= MAX_PACKET_SIZE:
            raise DocumentError(
                "HEADER", f"A header packet has {size} bytes; {_MIN_PACKET} to {MAX_PACKET_SIZE} are read."
            )
        content = _open_packet(_take(stream, size - 4), private_key)
        if content is None:  # for another recipient
            continue
        data_key = _data_key(content)
        if found is not None:
            raise DocumentError(
                "SECOND_KEY", "The header holds a second data key. Encrypt the file again with one key."
            )
        found = data_key
    if found is None:
        raise AccessDenied("NO_RECIPIENT", "The file was not encrypted for this key. Give the key of its recipient.")
    return found


def write_header(data_key: bytes, recipient: X25519PublicKey) -> bytes:
    """Return a header with which stock tools open a body: one packet for one recipient."""
    require_data_key(data_key)
    writer = X25519PrivateKey.generate()
    public = writer.public_key().public_bytes_raw()
    nonce = os.urandom(NONCE_SIZE)
    shared = _shared_key(writer, recipient, reader=recipient.public_bytes_raw(), writer=public)
    content = _DATA_KEY.to_bytes(4, "little") + _X25519_CHACHA20.to_bytes(4, "little") + data_key
    packet = _X25519_CHACHA20.to_bytes(4, "little") + public + nonce
    packet += ChaCha20Poly1305(shared).encrypt(nonce, content, None)
    sizes = [VERSION, 1, len(packet) + 4]
    return MAGIC + b"".join(number.to_bytes(4, "little") for number in sizes) + packet


def _open_packet(packet: bytes, private_key: X25519PrivateKey) -> bytes | None:
    if int.from_bytes(packet[:4], "little") != _X25519_CHACHA20:
        return None
    start = 4 + _KEY_SIZE
    public, nonce, sealed = packet[4:start], packet[start : start + NONCE_SIZE], packet[start + NONCE_SIZE :]
    try:
        own = private_key.public_key().public_bytes_raw()
        shared = _shared_key(private_key, X25519PublicKey.from_public_bytes(public), reader=own, writer=public)
        return ChaCha20Poly1305(shared).decrypt(nonce, sealed, None)
    except (InvalidTag, ValueError):  # sealed to another recipient, or a public key without a shared secret
        return None


def _shared_key(private: X25519PrivateKey, public: X25519PublicKey, *, reader: bytes, writer: bytes) -> bytes:
    return hashlib.blake2b(private.exchange(public) + reader + writer, digest_size=64).digest()[:DATA_KEY_SIZE]


def _data_key(content: bytes) -> bytes:
    kind = int.from_bytes(content[:4], "little")
    if kind == _EDIT_LIST:
        raise DocumentError(
            "EDIT_LIST",
            "The header holds an edit list, which hides part of the data. Decrypt and encrypt the file again.",
        )
    if kind != _DATA_KEY:
        raise DocumentError("HEADER", f"A header packet of type {kind} is not known.")
    if content[4:8] != _X25519_CHACHA20.to_bytes(4, "little") or len(content) != 8 + DATA_KEY_SIZE:
        raise DocumentError("HEADER", "The data key is not one of 32 bytes for ChaCha20-Poly1305.")
    return content[8:]


def _number(stream: BinaryIO) -> int:
    return int.from_bytes(_take(stream, 4), "little")


def _take(stream: BinaryIO, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        more = stream.read(size - len(data))
        if not more:
            raise DocumentError("HEADER", "The file ends within its Crypt4GH header.")
        data += more
    return bytes(data)
