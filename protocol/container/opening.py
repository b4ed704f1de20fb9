"""Opening a sealed file part by part: size and SHA-256 first, decryption after."""

import hashlib
from collections.abc import Iterable, Iterator

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from protocol.container.keys import require_data_key
from protocol.container.segments import open_segments
from protocol.documents.dataset import SEGMENT, SEGMENTS_PER_PART, SealedFile
from protocol.errors import DocumentError

__all__ = ["PART_PLAIN", "PartOpener"]

PART_PLAIN = SEGMENTS_PER_PART * SEGMENT
"""Plain bytes of a whole part."""


class PartOpener:
    """Opens the parts of one sealed file, in any order.

    Every method raises ``DocumentError`` and hands out nothing where a part is not the one that the manifest lists:
    ``PART_EXTRA`` (no such part), ``PART_SIZE``, ``PART_DIGEST``, ``PART_MISSING``, and ``SEGMENT`` where the part is
    the listed one but does not decrypt.
    """

    def __init__(self, data_key: bytes, sealed_file: SealedFile) -> None:
        require_data_key(data_key)
        self._cipher = ChaCha20Poly1305(data_key)
        self._file = sealed_file
        self._digests = tuple(bytes.fromhex(part) for part in sealed_file.parts)

    def plain_size(self, index: int) -> int:
        """Plain bytes of part ``index``, counted from 0."""
        self._require_index(index)
        return min(PART_PLAIN, self._file.plain_size - index * PART_PLAIN)

    def open_part(self, index: int, sealed: bytes | bytearray | memoryview) -> bytes:
        """Return the plain bytes of part ``index``."""
        out = bytearray(self.plain_size(index))
        self.open_part_into(index, sealed, memoryview(out))
        return bytes(out)

    def open_part_into(self, index: int, sealed: bytes | bytearray | memoryview, out: memoryview) -> int:
        """Write the plain bytes of part ``index`` to the start of ``out`` and return how many; the fast way.

        ``out`` is untouched where size or digest are wrong, and zero where a segment does not decrypt.
        """
        size = self.plain_size(index)
        view = memoryview(sealed).cast("B")
        self._require_part(index, view)
        if len(out) < size:
            raise DocumentError("BUFFER", f"{self._where(index)} has {size} plain bytes, the buffer {len(out)}.")
        open_segments(self._cipher, view, out[:size], where=self._where(index))
        return size

    def open_all(self, parts: Iterable[bytes | bytearray | memoryview]) -> Iterator[memoryview]:
        """Yield the plain bytes of all parts in order, each a read-only view, valid until the next is asked for."""
        buffer = memoryview(bytearray(self.plain_size(0)))
        index = 0
        for index, sealed in enumerate(parts, 1):
            size = self.open_part_into(index - 1, sealed, buffer)
            yield buffer[:size].toreadonly()
        if index < len(self._digests):
            raise DocumentError("PART_MISSING", f"{self._where(index)} is missing: {index} parts came. Fetch it again.")

    def _require_index(self, index: int) -> None:
        if not 0 <= index < len(self._digests):
            raise DocumentError(
                "PART_EXTRA", f"File {self._file.name} has {len(self._digests)} parts; found a part {index + 1}."
            )

    def _require_part(self, index: int, view: memoryview) -> None:
        wanted = self._file.part_size(index)
        if len(view) != wanted:
            raise DocumentError(
                "PART_SIZE", f"{self._where(index)} has {len(view)} bytes, wanted {wanted}. Fetch or upload it again."
            )
        if hashlib.sha256(view).digest() != self._digests[index]:
            raise DocumentError(
                "PART_DIGEST",
                f"{self._where(index)} is not the one in the dataset manifest (SHA-256 differs). Fetch or upload it "
                "again.",
            )

    def _where(self, index: int) -> str:
        return f"File {self._file.name}, part {index + 1} of {len(self._digests)}"
