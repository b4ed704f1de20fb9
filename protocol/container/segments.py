"""The inner loop of opening: Crypt4GH v1 segments, decrypted into a buffer that the caller owns."""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from protocol.documents.dataset import SEALED_SEGMENT, SEGMENT
from protocol.errors import DocumentError

__all__ = ["NONCE_SIZE", "TAG_SIZE", "open_segments"]

NONCE_SIZE, TAG_SIZE = 12, 16


def open_segments(cipher: ChaCha20Poly1305, sealed: memoryview, out: memoryview, *, where: str) -> None:
    """Decrypt consecutive segments, of which only the last may be short, into ``out`` of exactly their plain size.

    Raises
    ------
    DocumentError
        ``SEGMENT`` where one does not decrypt; ``out`` then holds zeros only.
    """
    decrypt = cipher.decrypt_into  # looked up once: this loop is bound by what it does besides decrypting
    at = start = 0
    try:
        for start in range(0, len(out) - SEGMENT + 1, SEGMENT):
            body, end = at + NONCE_SIZE, at + SEALED_SEGMENT
            decrypt(sealed[at:body], sealed[body:end], None, out[start : start + SEGMENT])
            at = end
        if at < len(sealed):
            start = len(out) // SEGMENT * SEGMENT
            decrypt(sealed[at : at + NONCE_SIZE], sealed[at + NONCE_SIZE :], None, out[start:])
    except InvalidTag as error:
        out[:] = bytes(len(out))
        raise DocumentError(
            "SEGMENT",
            f"{where}: segment {start // SEGMENT + 1} does not decrypt although the part is the listed one: the data "
            "key is not the one that it was sealed with.",
        ) from error
