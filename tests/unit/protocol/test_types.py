from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import TypeAdapter, ValidationError

from protocol.types import (
    Base64,
    Count,
    Decimal,
    Digest,
    Document,
    Key,
    Name,
    Text,
    Timestamp,
    decode_base64,
    encode_base64,
    format_time,
    parse_time,
)

GOOD = [
    (Text, "Überlebenszeit (d), 10 %"),
    (Text, "x" * 1000),
    (Name, "a"),
    (Name, "lung-a_1.b"),
    (Name, "a" * 64),
    (Digest, "0123456789abcdef" * 4),
    (Key, "f" * 64),
    (Base64, ""),
    (Base64, "AA=="),
    (Timestamp, "2024-02-29T23:59:59Z"),
    (Count, 0),
    (Count, 2**53 - 1),
    (Decimal, "0"),
    (Decimal, "-0.5"),
    (Decimal, "999999999999999999.000000000000000001"),
]
BAD = [
    (Text, ""),
    (Text, "x" * 1001),
    (Text, "e\u0301"),  # not NFC
    (Text, "a\nb"),
    (Text, "a\u202eb"),  # turns what follows around
    (Text, "a\u200bb"),  # zero width
    (Text, "a\u2028b"),
    (Text, "a\ue000b"),
    (Text, "a\u0378b"),  # unassigned
    (Text, 5),
    (Name, ""),
    (Name, "A"),
    (Name, "-a"),
    (Name, "a-"),
    (Name, "a" * 65),
    (Name, "a\n"),
    (Name, "\u0430"),  # a Cyrillic a
    (Digest, "a" * 63),
    (Digest, "A" * 64),
    (Digest, "a" * 64 + "\n"),
    (Key, "g" * 64),
    (Base64, "AA="),
    (Base64, "AB=="),  # bits that say nothing are set
    (Base64, "AA==\n"),
    (Base64, "A A="),
    (Base64, "_-__"),
    (Base64, "\u00e9\u00e9\u00e9\u00e9"),
    (Base64, "A" * 1_400_004),
    (Timestamp, "2026-02-30T00:00:00Z"),
    (Timestamp, "2026-01-31T00:00:60Z"),
    (Timestamp, "2026-01-31T00:00:00"),
    (Timestamp, "2026-01-31T00:00:00+00:00"),
    (Timestamp, "2026-01-31 00:00:00Z"),
    (Timestamp, "2026-01-31T00:00:00.5Z"),
    (Timestamp, "2026-01-3\u0661T00:00:00Z"),
    (Timestamp, "0999-01-01T00:00:00Z"),
    (Count, -1),
    (Count, 2**53),
    (Count, 1.0),
    (Count, "1"),
    (Count, True),
    (Decimal, "01"),
    (Decimal, "1."),
    (Decimal, ".5"),
    (Decimal, "+1"),
    (Decimal, "1e3"),
    (Decimal, "1\u0662"),  # digits of another script
    (Decimal, "1.\u0662"),
    (Decimal, "NaN"),
    (Decimal, 1),
]


@pytest.mark.parametrize(("kind", "value"), GOOD)
def test_good_values(kind, value):
    assert TypeAdapter(kind).validate_python(value, strict=True) == value


@pytest.mark.parametrize(("kind", "value"), BAD)
def test_bad_values(kind, value):
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(value, strict=True)


class Pair(Document):
    left: Count
    right: Text = "none"


def test_documents_are_strict_frozen_and_without_extra_fields():
    pair = Pair(left=1)
    with pytest.raises(ValidationError, match="frozen"):
        pair.left = 2
    with pytest.raises(ValidationError, match="Extra inputs"):
        Pair(left=1, middle=2)
    with pytest.raises(ValidationError, match="valid integer"):
        Pair.model_validate_json('{"left":"1"}')


def test_times_are_utc_with_whole_seconds():
    moment = datetime(2026, 11, 24, 12, 0, 1, 999_999, tzinfo=timezone(timedelta(hours=2)))
    assert format_time(moment) == "2026-11-24T10:00:01Z"
    assert parse_time("2026-11-24T10:00:01Z") == datetime(2026, 11, 24, 10, 0, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="does not match"):
        parse_time("today")


def test_base64_of_bytes():
    assert encode_base64(b"\xfb\xff") == "+/8="
    assert decode_base64("+/8=") == b"\xfb\xff"


P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P


def add(first, second):
    """Add two points of edwards25519 in affine coordinates (RFC 8032, section 5.1.4)."""
    (x1, y1), (x2, y2) = first, second
    t = D * x1 * x2 * y1 * y2 % P
    return (x1 * y2 + x2 * y1) * pow(1 + t, -1, P) % P, (y1 * y2 + x1 * x2) * pow(1 - t, -1, P) % P


def points_of_small_order():
    """The eight points whose order divides 8: multiples of one of order 8."""
    y = int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little")
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if x * x % P == square else x * pow(2, (P - 1) // 4, P) % P
    point, found = (x, y), [(x, y)]
    while len(found) < 8:
        found.append(add(found[-1], point))
    assert found[-1] == (0, 1)
    return found


def test_keys_of_small_order_are_refused_in_every_spelling():
    key = TypeAdapter(Key)
    spellings = set()
    for x, y in points_of_small_order():
        for value in (y, y + P):
            if value < 2**255:
                spellings |= {value | (sign << 255) for sign in (x & 1, 1 - (x & 1))}
    assert len(spellings) >= 10
    for value in spellings:
        with pytest.raises(ValidationError, match="small order"):
            key.validate_python(value.to_bytes(32, "little").hex())


def test_a_key_of_small_order_would_verify_anything():
    identity = "01" + "00" * 31
    signature = bytes.fromhex(identity) + bytes(32)
    Ed25519PublicKey.from_public_bytes(bytes.fromhex(identity)).verify(signature, b"whatever")
