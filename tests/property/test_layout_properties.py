"""Tables of any schema come back; random damage gives a ``DocumentError`` or values that the schema allows."""

import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.canonical import MAX_INTEGER, canonical_bytes
from protocol.documents import Column, Level, TableSchema
from protocol.errors import DocumentError
from protocol.layout import MISSING_CATEGORY, MISSING_NUMBER, TableReader, table_size, write_table

LIMIT = 1000


@st.composite
def schemas(draw):
    columns = [Column(name="subject", description="x", kind="subject")]
    for number in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(["integer", "decimal", "category", "bits", "digest"]))
        fields = {"name": f"c{number}", "description": "x", "kind": kind}
        if kind == "bits":
            fields["width"] = 8 * draw(st.integers(1, 20))
            columns.append(Column(**fields))
            continue
        if kind == "digest":
            columns.append(Column(**fields))
            continue
        fields["missing_allowed"] = draw(st.booleans())
        if kind == "category":
            fields["levels"] = tuple(Level(code=str(code), label=str(code)) for code in range(draw(st.integers(1, 4))))
        else:
            fields["unit"] = "1"
            if draw(st.booleans()):
                fields |= {"minimum": "-1000.5", "maximum": "1000.5"}
            if kind == "decimal":
                fields["scale"] = draw(st.integers(0, 9))
        columns.append(Column(**fields))
    return TableSchema(columns=tuple(draw(st.permutations(columns))))


def values_of(column, rows, draw):
    if column.kind == "subject":
        ids = draw(st.lists(st.binary(min_size=16, max_size=16), min_size=rows, max_size=rows, unique=True))
        return np.frombuffer(b"".join(ids), "u1").reshape(rows, 16)
    if column.kind in {"bits", "digest"}:
        width = column.width // 8 or 16
        rows_of_bytes = draw(st.lists(st.binary(min_size=width, max_size=width), min_size=rows, max_size=rows))
        return np.frombuffer(b"".join(rows_of_bytes), "u1").reshape(rows, width)
    if column.kind == "category":
        low, high, missing, dtype = 0, len(column.levels) - 1, MISSING_CATEGORY, "i4"
    else:
        edge = MAX_INTEGER if column.minimum is None else min(MAX_INTEGER, 10005 * 10**column.scale // 10)
        low, high, missing, dtype = -edge, edge, MISSING_NUMBER, "i8"
    one = st.integers(low, high) | st.just(missing) if column.missing_allowed else st.integers(low, high)
    return np.array(draw(st.lists(one, min_size=rows, max_size=rows)), dtype=dtype)


@st.composite
def tables(draw):
    schema, rows = draw(schemas()), draw(st.integers(1, 6))
    columns = {column.name: values_of(column, rows, draw) for column in schema.columns}
    sink = io.BytesIO()
    write_table(schema, columns, sink)
    return schema, columns, sink.getvalue()


def allowed(schema, table):
    """Whether every value is one that the schema allows; written without the code that is tested."""
    assert len({bytes(row) for row in table.columns["subject"]} if "subject" in table.columns else ()) == table.rows
    for column in schema.columns:
        if column.kind in {"subject", "bits", "digest"}:  # any bytes will do
            assert table.columns[column.name].shape == (table.rows, column.width // 8 or 16)
            continue
        for value in table.columns[column.name].tolist():
            missing = MISSING_CATEGORY if column.kind == "category" else MISSING_NUMBER
            if value == missing:
                assert column.missing_allowed
            elif column.kind == "category":
                assert 0 <= value < len(column.levels)
            else:
                assert abs(value) < 2**53
                assert column.minimum is None or abs(value) <= 1000.5 * 10**column.scale


@given(tables())
def test_round_trip(example):
    schema, columns, data = example
    table = TableReader.read(data, schema, row_limit=LIMIT)
    assert len(data) == table_size(schema, table.rows)
    assert list(table.columns) == [column.name for column in schema.columns]
    for name, values in columns.items():
        np.testing.assert_array_equal(table.columns[name], values)
    allowed(schema, table)
    again = io.BytesIO()
    write_table(schema, table.columns, again)
    assert again.getvalue() == data


@settings(max_examples=300)
@given(tables(), st.data())
def test_a_flipped_bit_is_refused_or_stays_within_the_schema(example, data):
    schema, _, good = example
    altered = bytearray(good)
    bit = data.draw(st.integers(0, 8 * len(good) - 1))
    altered[bit // 8] ^= 1 << bit % 8
    start = -(-(16 + int.from_bytes(good[12:16], "little")) // 8) * 8
    try:
        table = TableReader.read(altered, schema, row_limit=LIMIT)
    except DocumentError:
        return
    assert bit // 8 >= start, "a flipped bit of the header went unnoticed"
    allowed(schema, table)


@settings(max_examples=200)
@given(tables(), st.data())
def test_cuts_and_insertions_are_refused(example, data):
    schema, _, good = example
    at = data.draw(st.integers(0, len(good)))
    new = data.draw(st.binary(max_size=40))
    removed = data.draw(st.integers(0, 40))
    altered = good[:at] + new + good[at + removed :]
    if len(altered) != len(good):
        with pytest.raises(DocumentError):
            TableReader.read(altered, schema, row_limit=LIMIT)


NUMBERS = st.integers(-(2**70), 2**70) | st.sampled_from([0, 1, 2**31, 2**53 - 1, 2**53, 2**63, 2**64])
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=5) | st.just("subject"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["rows", "columns", "name", "kind", "offset", "size"]), inner, max_size=6)
    ),
)


@settings(max_examples=200)
@given(tables(), NUMBERS, JSON)
def test_any_header_but_the_one_is_refused(example, rows, junk):
    schema, _, good = example
    size = int.from_bytes(good[12:16], "little")
    header = json.loads(good[16 : 16 + size])
    body = good[-(-(16 + size) // 8) * 8 :]
    for value in (header | {"rows": rows}, header | {"columns": junk}, junk):
        if value == header:
            continue
        try:
            text = canonical_bytes(value)
        except DocumentError:  # an integer beyond 2^53: as a liar would write it
            text = json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
        start = good[:12] + len(text).to_bytes(4, "little") + text
        data = start.ljust(-(-len(start) // 8) * 8, b"\x00") + body
        with pytest.raises(DocumentError):
            TableReader.read(data, schema, row_limit=2**63)


@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_are_refused(data, with_magic):
    schema = TableSchema(
        columns=(
            Column(name="id", description="x", kind="subject"),
            Column(name="n", description="x", kind="integer", unit="1"),
        )
    )
    with pytest.raises(DocumentError):
        TableReader.read((b"sealtabl\x01\x00\x00\x00" if with_magic else b"") + data, schema, row_limit=2**60)


@given(tables(), st.data())
def test_columns_that_overlap_or_lie_elsewhere_are_refused(example, data):
    schema, _, good = example
    size = int.from_bytes(good[12:16], "little")
    header = json.loads(good[16 : 16 + size])
    place = data.draw(st.sampled_from(header["columns"]))
    field = data.draw(st.sampled_from(["offset", "size"]))
    wrong = data.draw(st.sampled_from([other[field] for other in header["columns"]]) | st.integers(0, 2**53 - 1))
    if wrong == place[field]:
        return
    place[field] = wrong
    text = canonical_bytes(header)
    start = good[:12] + len(text).to_bytes(4, "little") + text
    body = good[-(-(16 + size) // 8) * 8 :]
    with pytest.raises(DocumentError, match="TABLE_COLUMN"):
        TableReader.read(start.ljust(-(-len(start) // 8) * 8, b"\x00") + body, schema, row_limit=LIMIT)
