"""Signed documents: DSSE envelopes with one Ed25519 signature, and the step from unverified to verified.

A document is named by the SHA-256 of its DSSE pre-authentication encoding, so the name covers type and content and
does not depend on the signature. ``Unverified.claimed`` may be read to find the key to verify with, for nothing else.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Annotated, ClassVar, Generic, Self, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import Field, ValidationError

from protocol.canonical import MAX_NODES, canonical_bytes, parse_canonical
from protocol.errors import DocumentError
from protocol.types import Base64, Digest, Document, Key, decode_base64, encode_base64

__all__ = [
    "MAX_DOCUMENT",
    "Envelope",
    "SignedDocument",
    "Unverified",
    "Verified",
    "load_document",
    "pre_authentication_encoding",
    "public_key",
    "sign",
]

MAX_DOCUMENT = 4 * 2**20
"""No envelope is longer, in bytes."""
_ENVELOPE_NODES = 16
"""An envelope's own objects and items: its payload is base64 and holds no marks."""


class SignedDocument(Document):
    """A document that travels in an envelope under its own payload type."""

    payload_type: ClassVar[str]


T = TypeVar("T", bound=SignedDocument)
D = TypeVar("D", bound=Document)


class Signature(Document):
    """One Ed25519 signature and the public key that it claims."""

    keyid: Key
    sig: Annotated[str, Field(min_length=88, max_length=88)]


class Envelope(Document):
    """A DSSE envelope as it travels: payload, payload type, exactly one signature."""

    payload: Base64
    payloadType: Annotated[str, Field(pattern=r"^application/[a-z0-9.+-]{1,100}$")]  # noqa: N815 - DSSE's own spelling
    signatures: Annotated[tuple[Signature, ...], Field(min_length=1, max_length=1)]

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read an envelope from its canonical bytes."""
        return load_document(cls, data, limit=MAX_DOCUMENT, nodes=_ENVELOPE_NODES)

    def to_bytes(self) -> bytes:
        """Return the canonical bytes."""
        return canonical_bytes(self.model_dump(mode="json"))

    @property
    def name(self) -> Digest:
        """SHA-256 of the pre-authentication encoding: how other documents name this one."""
        payload = decode_base64(self.payload)
        return hashlib.sha256(pre_authentication_encoding(self.payloadType, payload)).hexdigest()


@dataclass(frozen=True, slots=True)
class Verified(Generic[T]):
    """A document whose signature was verified; made by ``Unverified.verify`` and ``sign`` only."""

    document: T
    name: Digest
    envelope: Envelope
    signer: Key


@dataclass(frozen=True, slots=True)
class Unverified(Generic[T]):
    """A well-formed document that nobody vouches for yet."""

    claimed: T
    envelope: Envelope

    @classmethod
    def parse(cls, envelope: Envelope, kind: type[T]) -> "Unverified[T]":
        """Read the payload of an envelope as one kind of document.

        Raises
        ------
        DocumentError
            ``PAYLOAD_TYPE`` for another kind, ``CANONICAL``, ``JSON``, ``DOCUMENT`` for a malformed payload.
        """
        if envelope.payloadType != kind.payload_type:
            raise DocumentError(
                "PAYLOAD_TYPE", f"Found a document of type {envelope.payloadType}, wanted {kind.payload_type}."
            )
        return cls(load_document(kind, decode_base64(envelope.payload), limit=MAX_DOCUMENT), envelope)

    def verify(self, key: Key) -> Verified[T]:
        """Return the document as verified under ``key``, or raise ``DocumentError`` with code ``SIGNATURE``."""
        signature = self.envelope.signatures[0]
        kind = type(self.claimed).__name__
        if signature.keyid != key:
            raise DocumentError(
                "SIGNATURE", f"The {kind} is signed with key {signature.keyid[:16]}, wanted key {key[:16]}."
            )
        encoding = pre_authentication_encoding(self.envelope.payloadType, decode_base64(self.envelope.payload))
        try:
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(decode_base64(signature.sig), encoding)
        except (InvalidSignature, ValueError) as error:
            raise DocumentError("SIGNATURE", f"The signature on the {kind} does not verify under its key.") from error
        return Verified(self.claimed, hashlib.sha256(encoding).hexdigest(), self.envelope, key)


def sign(document: T, private_key: Ed25519PrivateKey) -> Verified[T]:
    """Sign a document; the result has passed the same reading as anybody else's."""
    payload = canonical_bytes(document.model_dump(mode="json", by_alias=True))
    signature = private_key.sign(pre_authentication_encoding(document.payload_type, payload))
    key = public_key(private_key)
    envelope = Envelope(
        payload=encode_base64(payload),
        payloadType=document.payload_type,
        signatures=(Signature(keyid=key, sig=encode_base64(signature)),),
    )
    return Unverified.parse(envelope, type(document)).verify(key)


def load_document(kind: type[D], data: bytes, *, limit: int, nodes: int = MAX_NODES) -> D:
    """Read a document from its canonical bytes.

    Raises
    ------
    DocumentError
        ``SIZE``, ``JSON``, ``CANONICAL``, or ``DOCUMENT`` with the first field that is wrong.
    """
    parse_canonical(data, limit=limit, nodes=nodes)
    try:
        document = kind.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        # A field name may be the sender's own words: only letters, digits and a bounded length are repeated.
        where = re.sub(r"[^A-Za-z0-9_.-]", "?", ".".join(str(step) for step in first["loc"]))[:100] or "the whole"
        raise DocumentError("DOCUMENT", f"Not a valid {kind.__name__}: {where}: {first['msg']}.") from error
    if canonical_bytes(document.model_dump(mode="json", by_alias=True)) != data:
        raise DocumentError("CANONICAL", f"The {kind.__name__} does not equal its own re-encoding.")
    return document


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """Return DSSE's PAE: what is signed and what names a document."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def public_key(private_key: Ed25519PrivateKey) -> Key:
    """Return the public key in hex."""
    return private_key.public_key().public_bytes_raw().hex()
