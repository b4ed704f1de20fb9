"""Pseudonyms of subjects: one for each subject and lineage; nobody without the lineage secret can compute them."""

import hashlib
import hmac

from protocol.errors import DocumentError

__all__ = ["SUBJECT_SIZE", "subject_pseudonym"]

SUBJECT_SIZE = 16
_SECRET_SIZE = 32
_LABEL = b"sealroom subject pseudonym v1\x00"


def subject_pseudonym(secret: bytes, id_text: str) -> bytes:
    """Return the first 16 bytes of HMAC-SHA-256(lineage secret, label || id).

    The id is taken as it is, in UTF-8: trim and normalise it before, the same way in each version of a dataset.

    Raises
    ------
    DocumentError
        ``KEY_SIZE`` for a secret that has not 32 bytes, ``SUBJECT_TEXT`` for an id that is empty or no text.
    """
    if len(secret) != _SECRET_SIZE:
        raise DocumentError("KEY_SIZE", f"A lineage secret has {_SECRET_SIZE} bytes, found {len(secret)}.")
    try:
        identifier = id_text.encode()
    except UnicodeEncodeError as error:
        raise DocumentError("SUBJECT_TEXT", "A subject's id is no Unicode text.") from error
    if not identifier:
        raise DocumentError("SUBJECT_TEXT", "A subject's id is empty.")
    return hmac.digest(secret, _LABEL + identifier, hashlib.sha256)[:SUBJECT_SIZE]
