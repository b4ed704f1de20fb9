"""The field types that documents are made of.

Text is NFC without control or bidirectional characters, numbers are integers below 2^53 or decimal strings,
times are RFC 3339 in UTC with whole seconds, digests and keys are lower-case hex, longer bytes are base64.
"""

import base64
import binascii
import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from protocol.canonical import MAX_INTEGER

__all__ = [
    "MAX_BASE64",
    "Base64",
    "Count",
    "Decimal",
    "Digest",
    "Document",
    "Key",
    "Name",
    "Text",
    "Timestamp",
    "decode_base64",
    "encode_base64",
    "format_time",
    "parse_time",
]

MAX_BASE64: Final = 1_400_000
"""Characters; so many say 1,050,000 bytes, more than which no signed document has."""
_TIME = "%Y-%m-%dT%H:%M:%SZ"


class Document(BaseModel):
    """A strict, frozen model without extra fields: the base of everything that is signed."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


def _plain(text: str) -> str:
    if unicodedata.normalize("NFC", text) != text:
        raise ValueError("text must be in Unicode form NFC")
    for character in text:
        # Cc control, Cf format (bidirectional marks, zero width), Cs surrogate, Co private, Zl and Zp separators
        if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}:
            raise ValueError("text must hold no control, bidirectional or invisible characters")
    return text


def _time(text: str) -> str:
    if format_time(parse_time(text)) != text:
        raise ValueError("a time must look like 2026-01-31T12:00:00Z")
    return text


# Points of small order, little-endian y without the sign bit: under such a "key" anybody's signature verifies.
_SMALL_ORDER = frozenset(
    {
        "00" * 32,
        "01" + "00" * 31,
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ec" + "ff" * 30 + "7f",
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 30 + "7f",
    }
)


def _full_order(text: str) -> str:
    if text[:62] + f"{int(text[62:], 16) & 0x7F:02x}" in _SMALL_ORDER:
        raise ValueError("a public key of small order is no key")
    return text


def _base64(text: str) -> str:
    decode_base64(text)
    return text


def parse_time(text: str) -> datetime:
    """Read an RFC 3339 time in UTC with whole seconds."""
    return datetime.strptime(text, _TIME).replace(tzinfo=UTC)


def format_time(moment: datetime) -> str:
    """Write an RFC 3339 time in UTC with whole seconds."""
    return moment.astimezone(UTC).strftime(_TIME)


def encode_base64(data: bytes) -> str:
    """Encode as standard base64 with padding."""
    return base64.b64encode(data).decode("ascii")


def decode_base64(text: str) -> bytes:
    """Decode the one base64 spelling of some bytes; any other spelling is a ValueError."""
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    if encode_base64(data) != text:
        raise ValueError("not the canonical base64 of its bytes")
    return data


Text = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_plain)]
"""Words for people."""
Name = Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$")]
"""A short name for programs: ``lung-a``, ``clinical.survival``."""
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256 in hex."""
Key = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$"), AfterValidator(_full_order)]
"""An Ed25519 public key in hex."""
Base64 = Annotated[str, Field(max_length=MAX_BASE64), AfterValidator(_base64)]
"""Bytes."""
Timestamp = Annotated[
    str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"), AfterValidator(_time)
]
"""RFC 3339, UTC, whole seconds."""
Count = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
"""A number of things."""
Decimal = Annotated[str, Field(pattern=r"^-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?$")]
"""A decimal number as text, in ASCII digits: ``\\d`` would take digits of other scripts, too."""
