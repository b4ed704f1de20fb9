"""The canonical table layout: what is written is read again, and nothing else is."""

import io
import tracemalloc

import factories
import numpy as np
import pytest

from protocol.canonical import canonical_bytes, parse_canonical
from protocol.container import PartOpener, SealingWriter, generate_data_key
from protocol.documents import Column, Level, TableSchema
from protocol.documents.dataset import PART_SIZE
from protocol.errors import DocumentError
from protocol.layout import (
    MISSING_CATEGORY,
    MISSING_NUMBER,
    SUBJECT_SIZE,
    Table,
    TableReader,
    subject_pseudonym,
    table_size,
    write_table,
)
from protocol.layout.form import MAX_HEADER, MAX_ROWS, PREFIX_SIZE

LEVELS = (Level(code="1", label="male"), Level(code="2", label="female"), Level(code="3", label="other"))
SCHEMA = TableSchema(
    columns=(
        Column(name="sex", description="Sex", kind="category", levels=LEVELS),
        Column(name="id", description="Id", kind="subject"),
        Column(
            name="age", description="Age", kind="integer", unit="a", minimum="18", maximum="110", missing_allowed=True
        ),
        Column(
            name="weight", description="Weight", kind="decimal", unit="kg", scale=2, minimum="-0.005", maximum="3.999"
        ),
        Column(name="stage", description="Stage", kind="category", levels=LEVELS, missing_allowed=True),
    )
)
ROWS = 5


def columns(rows=ROWS, **changes):
    secret = b"lineage secret of thirty-two b.."
    good = {
        "sex": np.arange(rows, dtype="i4") % 3,
        "id": np.frombuffer(b"".join(subject_pseudonym(secret, f"P{row}") for row in range(rows)), "u1").reshape(
            rows, 16
        ),
        "age": np.where(np.arange(rows) % 4 == 1, MISSING_NUMBER, 20 + np.arange(rows) % 80),
        "weight": np.arange(rows, dtype="i8") % 400,
        "stage": (np.arange(rows, dtype="i4") % 4) - 1,
    }
    return good | changes


def written(schema=SCHEMA, **changes):
    sink = io.BytesIO()
    write_table(schema, columns(**changes), sink)
    return sink.getvalue()


DATA = written()
HEADER_SIZE = int.from_bytes(DATA[12:16], "little")
START = -(-(PREFIX_SIZE + HEADER_SIZE) // 8) * 8


def read(data, *, row_limit=ROWS, schema=SCHEMA):
    return TableReader.read(data, schema, row_limit=row_limit)


def refused(code, data, **options):
    with pytest.raises(DocumentError, match=f"^{code}") as caught:
        read(data, **options)
    assert type(caught.value) is DocumentError


def with_header(change, *, text=None):
    """The table with another header; what follows is kept."""
    if text is None:
        header = parse_canonical(DATA[PREFIX_SIZE : PREFIX_SIZE + HEADER_SIZE], limit=MAX_HEADER)
        change(header)
        text = canonical_bytes(header)
    start = DATA[:12] + len(text).to_bytes(4, "little") + text
    return start.ljust(-(-len(start) // 8) * 8, b"\x00") + DATA[START:]


def with_bytes(at, new):
    return DATA[:at] + new + DATA[at + len(new) :]


def place(name):
    header = parse_canonical(DATA[PREFIX_SIZE : PREFIX_SIZE + HEADER_SIZE], limit=MAX_HEADER)
    found = next(column for column in header["columns"] if column["name"] == name)
    return START + found["offset"], found["size"]


def test_a_table_comes_back():
    table = read(DATA)
    assert isinstance(table, Table)
    assert table.rows == ROWS
    assert list(table.columns) == ["sex", "id", "age", "weight", "stage"]
    for name, values in columns().items():
        np.testing.assert_array_equal(table.columns[name], values)
    assert [table.columns[name].dtype for name in table.columns] == ["i4", "u1", "i8", "i8", "i4"]
    assert table.columns["id"].shape == (ROWS, SUBJECT_SIZE)
    assert not any(values.flags.writeable for values in table.columns.values())


def test_reading_does_not_copy_and_takes_any_buffer():
    data = bytearray(DATA)
    table = read(memoryview(data))
    assert not any(values.flags.writeable for values in table.columns.values())
    at, _ = place("age")
    data[at] = 99
    assert table.columns["age"][0] == 99


def test_the_bytes_are_these():
    # Written out once by hand from the table in the docstring of protocol.layout.
    header = parse_canonical(DATA[16 : 16 + HEADER_SIZE], limit=MAX_HEADER)
    assert DATA[:8] == b"sealtabl"
    assert DATA[8:12] == b"\x01\x00\x00\x00"
    assert header == {
        "rows": 5,
        "columns": [
            {"name": "sex", "kind": "category", "offset": 0, "size": 20},
            {"name": "id", "kind": "subject", "offset": 24, "size": 80},
            {"name": "age", "kind": "integer", "offset": 104, "size": 40},
            {"name": "weight", "kind": "decimal", "offset": 144, "size": 40},
            {"name": "stage", "kind": "category", "offset": 184, "size": 20},
        ],
    }
    assert DATA[START : START + 24] == bytes([0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0])
    assert DATA[START + 104 : START + 120] == bytes([20, 0, 0, 0, 0, 0, 0, 0]) + bytes([0, 0, 0, 0, 0, 0, 0, 0x80])
    assert DATA[START + 184 : START + 188] == b"\xff\xff\xff\xff"
    assert len(DATA) == START + 208 == table_size(SCHEMA, ROWS)


def test_numbers_are_floats_with_nan_for_missing():
    table = read(DATA)
    np.testing.assert_array_equal(table.numbers("age"), [20, np.nan, 22, 23, 24])
    assert table.numbers("weight").tolist() == [0.0, 0.01, 0.02, 0.03, 0.04]  # each the float nearest to the decimal
    with pytest.raises(DocumentError, match=r"^COLUMN_KIND: Column sex is a category"):
        table.numbers("sex")
    with pytest.raises(DocumentError, match=r"^COLUMN_UNKNOWN: The table has no column height"):
        table.numbers("height")


def test_any_byte_order_and_stride_is_written_alike():
    wide = np.zeros((ROWS, 2), dtype="i8")
    wide[:, 1] = columns()["weight"]
    changes = {"sex": columns()["sex"].astype(">i4"), "age": columns()["age"].astype(">i8"), "weight": wide[:, 1]}
    assert written(**changes) == DATA
    assert written(id=np.asfortranarray(columns()["id"])) == DATA


def test_a_table_goes_through_the_container():
    rows, data_key = 200_000, generate_data_key()
    body = io.BytesIO()
    writer = SealingWriter(body, data_key)
    write_table(SCHEMA, columns(rows), writer)
    sealed_file = writer.finish().sealed_file("table")
    assert sealed_file.plain_size == table_size(SCHEMA, rows)
    plain = bytearray(sealed_file.plain_size)
    opener, at, sealed = PartOpener(data_key, sealed_file), 0, body.getvalue()
    for index in range(len(sealed_file.parts)):
        part = sealed[index * PART_SIZE : (index + 1) * PART_SIZE]
        at += opener.open_part_into(index, part, memoryview(plain)[at:])
    table = read(plain, row_limit=rows)
    np.testing.assert_array_equal(table.columns["id"], columns(rows)["id"])


# the header


@pytest.mark.parametrize(
    ("code", "data"),
    [
        ("TABLE_MAGIC", b""),
        ("TABLE_MAGIC", DATA[:15]),
        ("TABLE_MAGIC", with_bytes(0, b"SEALTABL")),
        ("TABLE_VERSION", with_bytes(8, b"\x02")),
        ("TABLE_VERSION", with_bytes(11, b"\x01")),
        ("TABLE_HEADER", with_bytes(12, b"\xff\xff\xff\xff")),
        ("TABLE_HEADER", with_bytes(12, (len(DATA) - 15).to_bytes(4, "little"))),
        ("TABLE_HEADER", DATA[:12] + (MAX_HEADER + 1).to_bytes(4, "little") + bytes(2 * MAX_HEADER)),
        ("TABLE_HEADER", DATA[: START - 8]),
        ("TABLE_PADDING", DATA[:12] + b"\x02\x00\x00\x00{}" + b"\x01" + bytes(5) + DATA[START:]),
        ("JSON", with_bytes(16, b"[")),
        ("JSON", with_header(None, text=b"")),
        ("JSON", with_header(None, text=b'{"columns":[],"columns":[],"rows":5}')),
        ("CANONICAL", with_header(None, text=DATA[16 : 16 + HEADER_SIZE] + b" ")),
        ("DOCUMENT", with_header(None, text=b"[]")),
    ],
)
def test_what_is_no_table_is_refused(code, data):
    refused(code, data)


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("DOCUMENT", lambda header: header.update(extra=1)),
        ("DOCUMENT", lambda header: header.pop("rows")),
        ("DOCUMENT", lambda header: header.update(rows=0)),
        ("DOCUMENT", lambda header: header.update(rows=-1)),
        ("DOCUMENT", lambda header: header.update(rows="5")),
        ("DOCUMENT", lambda header: header.update(rows=True)),
        ("DOCUMENT", lambda header: header["columns"][0].update(kind="object")),
        ("DOCUMENT", lambda header: header["columns"][0].update(name="../sex")),
        ("DOCUMENT", lambda header: header["columns"][0].update(offset=-8)),
        ("ROW_LIMIT: The table has 6 rows; at most 5 are allowed", lambda header: header.update(rows=6)),
        ("ROW_LIMIT", lambda header: header.update(rows=2**53 - 1)),
        ("TABLE_COLUMN: Column 1 ", lambda header: header.update(rows=4)),
        ("TABLE_COLUMN: The table has 4 columns, the signed schema 5", lambda header: header["columns"].pop()),
        ("TABLE_COLUMN: The table has 6", lambda header: header["columns"].append(header["columns"][0])),
        ("TABLE_COLUMN: Column 1 .sex.", lambda header: header["columns"].reverse()),
        ("TABLE_COLUMN: Column 3 .age.", lambda header: header["columns"][2].update(name="aged")),
        ("TABLE_COLUMN: Column 4 .weight.", lambda header: header["columns"][3].update(kind="integer")),
        ("TABLE_COLUMN: Column 2 .id.", lambda header: header["columns"][1].update(offset=20)),  # overlaps padding
        ("TABLE_COLUMN: Column 2 .id.", lambda header: header["columns"][1].update(offset=0)),  # overlaps a column
        ("TABLE_COLUMN: Column 2 .id.", lambda header: header["columns"][1].update(offset=32)),  # leaves a gap
        ("TABLE_COLUMN: Column 5 .stage.", lambda header: header["columns"][4].update(offset=2**52)),
        ("TABLE_COLUMN: Column 5 .stage.", lambda header: header["columns"][4].update(size=24)),
    ],
)
def test_a_header_must_follow_from_the_signed_schema(code, change):
    refused(code, with_header(change))


def test_the_schema_decides_not_the_table():
    other = TableSchema(columns=tuple(column for column in SCHEMA.columns if column.name != "stage"))
    refused("TABLE_COLUMN", DATA, schema=other)
    renamed = tuple(factories.changed(c, {"name": "gender"}) if c.name == "sex" else c for c in SCHEMA.columns)
    refused("TABLE_COLUMN: Column 1 .gender. .*found sex", DATA, schema=TableSchema(columns=renamed))


@pytest.mark.parametrize("rows", [2**53 - 1, MAX_ROWS + 1])
def test_no_limit_makes_absurd_tables_readable(rows):
    refused("ROW_LIMIT", with_header(lambda header: header.update(rows=rows)), row_limit=2**60)
    with pytest.raises(DocumentError, match=r"^ROW_LIMIT: "):
        table_size(SCHEMA, rows)


def test_the_largest_table_has_a_header():
    names = [f"{number:064d}" for number in range(1999)]
    wide = (SCHEMA.subject, *(Column(name=name, description="x", kind="bits", width=4096) for name in names))
    size = table_size(TableSchema(columns=wide), MAX_ROWS)
    assert 2**51 < size < 2**53


def test_what_a_header_declares_costs_no_memory():
    schema = TableSchema(columns=(SCHEMA.subject, factories.changed(SCHEMA.columns[3], {"name": "w"})))
    rows = MAX_ROWS
    header = {
        "rows": rows,
        "columns": [
            {"name": "id", "kind": "subject", "offset": 0, "size": 16 * rows},
            {"name": "w", "kind": "decimal", "offset": 16 * rows, "size": 8 * rows},
        ],
    }
    data = with_header(None, text=canonical_bytes(header))
    tracemalloc.start()
    try:
        refused("TABLE_SIZE", data, schema=schema, row_limit=rows)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("data", [DATA[:-1], DATA[:-24], DATA[:START], DATA + b"\x00", DATA + DATA])
def test_the_length_is_exact(data):
    refused("TABLE_SIZE", data)


@pytest.mark.parametrize("name", ["sex", "stage"])
def test_padding_holds_nothing(name):
    at, size = place(name)
    for beyond in range(4):
        refused(f"TABLE_PADDING: The bytes after column {name}", with_bytes(at + size + beyond, b"\x01"))


# values, written and read


BAD_VALUES = [
    ("CATEGORY_CODE: Column sex, row 3: the value is outside 0 to 2", "sex", 2, 3),
    ("CATEGORY_CODE: Column sex, row 1", "sex", 0, 2**31 - 1),
    ("CATEGORY_CODE: Column sex, row 1", "sex", 0, -2),
    ("VALUE_MISSING: Column sex, row 5", "sex", 4, MISSING_CATEGORY),
    ("CATEGORY_CODE: Column stage, row 2", "stage", 1, -2),
    ("VALUE_RANGE: Column age, row 4: the value is outside 18 to 110", "age", 3, 17),
    ("VALUE_RANGE: Column age, row 1", "age", 0, 111),
    ("VALUE_RANGE: Column age, row 1", "age", 0, MISSING_NUMBER + 1),
    ("VALUE_RANGE: Column age, row 1", "age", 0, 2**63 - 1),
    ("VALUE_MISSING: Column weight, row 2", "weight", 1, MISSING_NUMBER),
    ("VALUE_RANGE: Column weight, row 2: the value is outside -0.005 to 3.999", "weight", 1, -1),  # -0.01
    ("VALUE_RANGE: Column weight, row 2", "weight", 1, 400),  # 4.00
]


@pytest.mark.parametrize(("message", "name", "row", "value"), BAD_VALUES)
def test_bad_values_are_neither_read_nor_written(message, name, row, value):
    at, size = place(name)
    width = size // ROWS
    data = with_bytes(at + row * width, int(value).to_bytes(width, "little", signed=True))
    refused(message, data)
    values = columns()[name].copy()
    values[row] = value
    sink = io.BytesIO()
    with pytest.raises(DocumentError, match=f"^{message}") as caught:
        write_table(SCHEMA, columns(**{name: values}), sink)
    assert sink.getvalue() == b""
    assert str(value) not in caught.value.detail or abs(value) < 10


@pytest.mark.parametrize(
    ("value", "good"), [(2**53 - 1, True), (2**53, False), (-(2**53) + 1, True), (-(2**53), False)]
)
@pytest.mark.parametrize("kind", ["integer", "decimal"])
def test_numbers_without_bounds_stay_below_two_to_53(kind, value, good):
    free = Column(name="n", description="x", kind=kind, unit="1")
    schema = TableSchema(columns=(SCHEMA.subject, free))
    values = {"id": columns()["id"][:2], "n": np.array([0, value])}
    sink = io.BytesIO()
    if good:
        write_table(schema, values, sink)
        assert read(sink.getvalue(), schema=schema).columns["n"][1] == value
    else:
        with pytest.raises(DocumentError, match=r"^VALUE_RANGE: Column n, row 2: .* -2\^53 to 2\^53"):
            write_table(schema, values, sink)


@pytest.mark.parametrize(
    ("low", "high"),
    [("9" * 18, None), (None, "-" + "9" * 18), ("0.0000000001", "0.0000000002")],
    ids=["above all", "below all", "between two steps"],
)
def test_bounds_that_nothing_satisfies(low, high):
    column = Column(name="n", description="x", kind="decimal", unit="1", scale=9, minimum=low, maximum=high)
    schema = TableSchema(columns=(SCHEMA.subject, column))
    with pytest.raises(DocumentError, match=r"^VALUE_RANGE: Column n, row 1"):
        write_table(schema, {"id": columns()["id"][:1], "n": np.array([0])}, io.BytesIO())


@pytest.mark.parametrize(("first", "second"), [(0, 1), (4, 1), (2, 3)])
def test_one_row_a_subject(first, second):
    at, _ = place("id")
    row = DATA[at + 16 * first : at + 16 * first + 16]
    low, high = sorted((first + 1, second + 1))
    message = f"SUBJECT_TWICE: Column id: rows {low} and {high} are the same subject"
    refused(message, with_bytes(at + 16 * second, row))
    ids = columns()["id"].copy()
    ids[second] = ids[first]
    with pytest.raises(DocumentError, match=f"^{message}"):
        write_table(SCHEMA, columns(id=ids), io.BytesIO())


def test_subjects_that_share_half_are_two():
    ids = np.zeros((4, 16), dtype="u1")
    ids[1, 0] = ids[2, 15] = ids[3, 0] = ids[3, 15] = 1
    assert read(written(rows=4, id=ids)).rows == 4


# what cannot be written


def test_columns_are_those_of_the_schema():
    with pytest.raises(DocumentError, match=r"^COLUMN_UNKNOWN: There is a column height"):
        written(height=np.zeros(ROWS))
    some = columns()
    del some["age"]
    with pytest.raises(DocumentError, match=r"^COLUMN_ABSENT: The column age"):
        write_table(SCHEMA, some, io.BytesIO())


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("age", np.full(ROWS, 50.0)),
        ("age", np.full(ROWS, 50, dtype="i4")),
        ("age", np.full(ROWS, 50, dtype="u8")),
        ("age", np.full(ROWS - 1, 50)),
        ("age", np.full((ROWS, 1), 50)),
        ("age", np.array(["50"] * ROWS, dtype=object)),
        ("sex", np.zeros(ROWS, dtype="i8")),
        ("id", np.arange(ROWS * 8, dtype="u1").reshape(ROWS, 8)),
        ("id", np.arange(ROWS * 16, dtype="i1").reshape(ROWS, 16)),
    ],
)
def test_types_and_shapes_are_exact(name, values):
    with pytest.raises(DocumentError, match=f"^COLUMN_TYPE: Column {name} is "):
        written(**{name: values})


def test_a_table_without_rows_is_refused():
    with pytest.raises(DocumentError, match=r"^TABLE_EMPTY: "):
        written(rows=0)
    with pytest.raises(DocumentError, match=r"^TABLE_EMPTY: "):
        table_size(SCHEMA, 0)


def test_one_row_is_a_table():
    assert read(written(rows=1)).rows == 1


# pseudonyms


def test_pseudonyms_are_keyed_and_stable():
    secret = bytes(range(32))
    # printf 'sealroom subject pseudonym v1\\0P1' | openssl dgst -sha256 -mac HMAC -macopt hexkey:000102...1f
    assert subject_pseudonym(secret, "P1").hex() == "ec6401b998b7158fee0a4083fe59c2e5"
    others = {subject_pseudonym(secret, "P2"), subject_pseudonym(secret, "P1 "), subject_pseudonym(bytes(32), "P1")}
    assert len(others | {subject_pseudonym(secret, "P1")}) == 4
    assert len(subject_pseudonym(secret, "Ä" * 5000)) == SUBJECT_SIZE


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_lineage_secrets_have_one_size(size):
    with pytest.raises(DocumentError, match=r"^KEY_SIZE: "):
        subject_pseudonym(bytes(size), "P1")


@pytest.mark.parametrize("text", ["", "\ud800"])
def test_ids_are_text(text):
    with pytest.raises(DocumentError, match=r"^SUBJECT_TEXT: "):
        subject_pseudonym(bytes(32), text)
