"""Sealing a stream: plain bytes in, Crypt4GH segments out, SHA-256 of every part on the way.

Nonces are random, 96 bits, as Crypt4GH has it; one key seals the files of one dataset, two at most. A file has at most
10,000 x 256 segments (below 2^21.3), so two nonces of a key are equal with a probability below 2^-52.
"""

import hashlib
import os
from typing import NamedTuple, Protocol

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from protocol.container.keys import require_data_key
from protocol.container.segments import NONCE_SIZE, TAG_SIZE
from protocol.documents.dataset import MAX_PARTS, SEALED_SEGMENT, SEGMENT, SEGMENTS_PER_PART, SealedFile
from protocol.errors import DocumentError, StorageError
from protocol.types import Digest, Name

__all__ = ["ByteSink", "Sealed", "SealingWriter"]


class ByteSink(Protocol):
    """Whatever takes bytes: a file, a socket, a hash. It may not keep the view beyond the call."""

    def write(self, data: memoryview, /) -> object:
        """Take all of ``data``; a number that is returned says how many bytes were taken."""


class Sealed(NamedTuple):
    """What a manifest says of a sealed file: sizes in bytes and the SHA-256 of each part."""

    plain_size: int
    sealed_size: int
    parts: tuple[Digest, ...]

    def sealed_file(self, name: Name) -> SealedFile:
        """Return the manifest's entry under a name."""
        return SealedFile(name=name, plain_size=self.plain_size, sealed_size=self.sealed_size, parts=self.parts)


class SealingWriter:
    """Seals what is written to it and passes the sealed bytes on; holds one segment and 3 KiB of nonces.

    Parameters
    ----------
    sink
        Where the sealed body goes, from byte 0.
    data_key
        32 bytes, used for the files of one dataset only.
    """

    def __init__(self, sink: ByteSink, data_key: bytes) -> None:
        require_data_key(data_key)
        self._sink = sink
        self._cipher = ChaCha20Poly1305(data_key)
        self._plain = memoryview(bytearray(SEGMENT))
        self._filled = 0
        self._sealed = memoryview(bytearray(SEALED_SEGMENT))
        self._body = self._sealed[NONCE_SIZE:]
        self._nonces = memoryview(b"")
        self._hash = hashlib.sha256()
        self._segments = 0
        self._sizes = [0, 0]
        self._parts: list[Digest] = []
        self._finished = False

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Seal more plain bytes; returns how many were taken, which is all.

        Raises
        ------
        DocumentError
            ``FILE_TOO_LARGE`` beyond 10,000 parts, ``WRITER_FINISHED`` after ``finish``.
        StorageError
            ``SHORT_WRITE`` where the sink did not take all.
        """
        self._require_open()
        view = memoryview(data).cast("B")
        size, at = len(view), 0
        if self._filled:
            at = min(SEGMENT - self._filled, size)
            self._plain[self._filled : self._filled + at] = view[:at]
            self._filled += at
            if self._filled < SEGMENT:
                return size
            self._seal(self._plain)
            self._filled = 0
        while size - at >= SEGMENT:
            self._seal(view[at : at + SEGMENT])
            at += SEGMENT
        self._filled = size - at
        self._plain[: self._filled] = view[at:]
        return size

    def finish(self) -> Sealed:
        """Seal what is left and return sizes and digests; ``DocumentError`` ``EMPTY_FILE`` if there was nothing."""
        self._require_open()
        if self._filled:
            self._seal(self._plain[: self._filled])
        self._finished = True
        if not self._sizes[0]:
            raise DocumentError("EMPTY_FILE", "There is nothing to seal: the file is empty.")
        if self._segments % SEGMENTS_PER_PART:
            self._parts.append(self._hash.hexdigest())
        return Sealed(self._sizes[0], self._sizes[1], tuple(self._parts))

    def _require_open(self) -> None:
        if self._finished:
            raise DocumentError("WRITER_FINISHED", "The file is finished; seal further bytes as another file.")

    def _seal(self, plain: memoryview) -> None:
        within = self._segments % SEGMENTS_PER_PART
        if not within:
            if len(self._parts) == MAX_PARTS:
                raise DocumentError("FILE_TOO_LARGE", f"A file has at most {MAX_PARTS} parts; split the dataset.")
            # One call for all nonces of a part: a call for each segment costs as much as hashing it.
            self._nonces = memoryview(os.urandom(NONCE_SIZE * SEGMENTS_PER_PART))
        nonce = self._nonces[within * NONCE_SIZE : (within + 1) * NONCE_SIZE]
        size = len(plain) + TAG_SIZE
        self._sealed[:NONCE_SIZE] = nonce
        self._cipher.encrypt_into(nonce, plain, None, self._body[:size])
        sealed = self._sealed[: NONCE_SIZE + size]
        self._hash.update(sealed)
        taken = self._sink.write(sealed)
        if isinstance(taken, int) and taken != len(sealed):
            raise StorageError("SHORT_WRITE", f"The sink took {taken} of {len(sealed)} bytes. Is the disk full?")
        self._sizes[0] += len(plain)
        self._sizes[1] += len(sealed)
        self._segments += 1
        if within == SEGMENTS_PER_PART - 1:
            self._parts.append(self._hash.hexdigest())
            self._hash = hashlib.sha256()
