import tracemalloc

import pytest

from protocol.canonical import MAX_DEPTH, MAX_INTEGER, MAX_NODES, canonical_bytes, parse_canonical
from protocol.errors import DocumentError


def nested(depth):
    value = 0
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (None, b"null"),
        (True, b"true"),
        (-5, b"-5"),
        ("\u00e9\n", '"\u00e9\\n"'.encode()),
        ([], b"[]"),
        ({"b": 1, "a": [None, {}]}, b'{"a":[null,{}],"b":1}'),
        (
            {"\U0001f600": 1, "\ufb33": 2},
            '{"\U0001f600":1,"\ufb33":2}'.encode(),
        ),  # sorted by UTF-16 units, not by code points
        (MAX_INTEGER, b"9007199254740991"),
    ],
)
def test_one_value_one_serialisation(value, data):
    assert canonical_bytes(value) == data
    assert parse_canonical(data, limit=len(data)) == value


def test_tuples_are_lists():
    assert canonical_bytes({"a": (1, 2)}) == b'{"a":[1,2]}'


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        float("nan"),
        MAX_INTEGER + 1,
        -MAX_INTEGER - 1,
        b"bytes",
        {1: 2},
        {None: 1},
        {"a": {1, 2}},
        "\ud800",
        {"\ud800": 1},
    ],
)
def test_what_has_no_canonical_form(value):
    with pytest.raises(DocumentError, match=r"^CANONICAL: "):
        canonical_bytes([value])


def test_nesting_is_bounded():
    assert canonical_bytes(nested(MAX_DEPTH)).startswith(b"[[")
    with pytest.raises(DocumentError, match=r"^CANONICAL: The value is nested deeper than 32"):
        canonical_bytes(nested(MAX_DEPTH + 1))
    with pytest.raises(DocumentError, match=r"^CANONICAL: The value is nested deeper"):
        canonical_bytes({"a": {"b": nested(MAX_DEPTH)}})


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b'{"a":1,"a":1}', "JSON"),
        (b'{"x":{"a":1,"a":2}}', "JSON"),
        (b"1.0", "JSON"),
        (b"1e3", "JSON"),
        (b"NaN", "JSON"),
        (b"-Infinity", "JSON"),
        (b"\xff", "JSON"),
        (b"\xef\xbb\xbf1", "JSON"),
        (b"", "JSON"),
        (b"1 2", "JSON"),
        (b"[" * 100_000, "JSON"),
        (b"1" * 5000, "JSON"),
        (b"-0", "CANONICAL"),
        (b" 1", "CANONICAL"),
        (b"1\n", "CANONICAL"),
        (b'{"b":1,"a":1}', "CANONICAL"),
        (b'"\\u00e9"', "CANONICAL"),
        (b'"\\/"', "CANONICAL"),
        (b'"\\ud800"', "CANONICAL"),
        (b"9007199254740993", "CANONICAL"),
    ],
)
def test_other_bytes_are_refused(data, code):
    with pytest.raises(DocumentError, match=f"^{code}: "):
        parse_canonical(data, limit=200_000)


def test_the_limit_comes_first():
    with pytest.raises(DocumentError, match=r"^SIZE: Found 5 bytes where at most 4 are allowed"):
        parse_canonical(b"\xff\xff\xff\xff\xff", limit=4)


def test_objects_and_items_are_counted_before_anything_is_built():
    data = b"[" + b",".join([b"{}"] * 8) + b"]"
    assert parse_canonical(data, limit=100, nodes=16) == [{}] * 8
    with pytest.raises(DocumentError, match="SIZE: Found 16 objects, lists and items where at most 15"):
        parse_canonical(data, limit=100, nodes=15)
    with pytest.raises(DocumentError, match="SIZE: Found 100001 objects"):
        parse_canonical(b"[" + b"," * MAX_NODES, limit=2**20)


def test_hostile_bytes_cost_little_memory():
    hostile = b'{"a":[' + b",".join([b"{}"] * 2**20) + b"]}"
    tracemalloc.start()
    try:
        with pytest.raises(DocumentError, match="SIZE"):
            parse_canonical(hostile, limit=2**23)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
