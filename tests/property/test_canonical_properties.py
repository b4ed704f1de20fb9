import json

from hypothesis import given
from hypothesis import strategies as st

from protocol.canonical import MAX_INTEGER, canonical_bytes, parse_canonical
from protocol.errors import DocumentError
from protocol.types import decode_base64, encode_base64

LIMIT = 10**6
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
LEAVES = st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | TEXT
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4))


@given(VALUES)
def test_round_trip(value):
    data = canonical_bytes(value)
    assert parse_canonical(data, limit=LIMIT) == value
    assert json.loads(data) == value


@given(VALUES, st.integers(0, 3), st.booleans())
def test_no_other_spelling_of_a_value_is_read(value, indent, ascii_only):
    data = canonical_bytes(value)
    other = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    if other != data:
        try:
            parse_canonical(other, limit=LIMIT)
        except DocumentError as error:
            assert error.code == "CANONICAL"
        else:
            raise AssertionError("two spellings of one value were read")


@given(VALUES, st.data())
def test_a_flipped_bit_is_refused_or_says_something_else(value, data):
    text = bytearray(canonical_bytes(value))
    text[data.draw(st.integers(0, len(text) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        other = parse_canonical(bytes(text), limit=LIMIT)
    except DocumentError:
        return
    assert canonical_bytes(other) == bytes(text) != canonical_bytes(value)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data):
    try:
        value = parse_canonical(data, limit=LIMIT)
    except DocumentError:
        return
    assert canonical_bytes(value) == data


@given(st.binary(max_size=100), st.text(max_size=100))
def test_base64_has_one_spelling(data, text):
    assert decode_base64(encode_base64(data)) == data
    try:
        decoded = decode_base64(text)
    except ValueError:
        return
    assert encode_base64(decoded) == text
