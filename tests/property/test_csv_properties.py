"""CSV: any bytes are read as Python's csv module reads the decoded text, or refused with a code and the place."""

import csv
import io
import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocol.documents.dataset import Column, Level, TableSchema
from sealroom.datasets.check import read_into
from sealroom.datasets.csv_rows import as_text
from sealroom.datasets.findings import CheckError, Findings
from sealroom.datasets.rows import CsvSource
from sealroom.datasets.schema import OwnerSchema
from sealroom.datasets.spool import Spool

HEADINGS = ["subject", "time", "sex"]
SCHEMA = OwnerSchema(
    TableSchema(
        columns=(
            Column(name="subject", description="Subject", kind="subject"),
            Column(name="time", description="Time", kind="integer", unit="d", missing_allowed=True),
            Column(name="sex", description="Sex", kind="category", levels=(Level(code="f", label="female"),)),
        )
    ),
    {heading: heading for heading in HEADINGS},
)
FORM_CODES = {"FILE_EMPTY", "CSV_ENCODING", "CSV_SYNTAX", "CELL_TOO_LONG", "ROW_LENGTH"}
COLUMN_CODES = {"SCHEMA_COLUMN_TWICE", "SCHEMA_COLUMN_UNKNOWN", "SCHEMA_COLUMN_ABSENT"}
CELL_CODES = {
    *("VALUE_MISSING", "VALUE_CONTROL", "VALUE_NUMBER", "VALUE_UNIT", "VALUE_DECIMALS", "VALUE_RANGE", "VALUE_CODE"),
    "SUBJECT_TWICE",
}
LONGEST = 1000
"""Characters of a cell in these tests; files with longer ones are slow to make."""
PIECES = (
    *(b'"', b'""', b",", b"\n", b"\r", b"\r\n", b"\0", b";", b"\t", b" ", b"=1+1", b"1", b"p1", b"\x1b[2J", b"\x85"),
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"\xff", b"\xe9", b"\xc3\xa9", b"\xed\xa0\x80", b"\xe2\x80\xa8", b"\xf0\x9f"),
    *(b"x" * LONGEST, b"x" * (LONGEST + 1), b"subject,time,sex\n", b"p1,1,f\n"),
)


@pytest.fixture(autouse=True, scope="module")
def _shorter_cells():
    before = csv.field_size_limit(LONGEST)
    yield
    csv.field_size_limit(before)


CELLS = st.one_of(
    st.sampled_from(["1", "f", "", "-3", " 7 ", "a,b", 'say "f"', "two\nlines", "é", "x" * 200, "\x00", "٣"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)


@st.composite
def honest(draw):
    """Return rows of cells, and a file of them under the headings."""
    rows = draw(st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=12))
    out = io.StringIO()
    broken = any("\r" in cell or "\n" in cell for row in rows for cell in row)  # which Python may leave unquoted
    quoting = csv.QUOTE_ALL if broken else draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    ending = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    csv.writer(out, quoting=quoting, lineterminator=ending).writerows([HEADINGS, *rows])
    return rows, out.getvalue().encode(draw(st.sampled_from(["utf-8", "utf-8-sig"])))


@st.composite
def mutated(draw):
    """Return an honest file of which some stretches were replaced, repeated or cut off, or which is encoded otherwise."""
    _, data = draw(honest())
    if draw(st.integers(0, 9)) == 0:
        return data.decode("utf-8-sig").encode(draw(st.sampled_from(["utf-16", "utf-16-le", "utf-32", "utf-7"])))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 40)))
        match draw(st.sampled_from(["replace", "replace", "repeat", "cut"])):
            case "replace":
                data = data[:start] + draw(st.sampled_from(PIECES)) + data[end:]
            case "repeat":
                data = data[:end] + data[start:end] * draw(st.integers(1, 5)) + data[end:]
            case "cut":
                data = data[:start]
    return data


def lines_before(text):
    return len(re.findall(r"\r\n|\r|\n", text))


def independent(data):
    """Return the rows that the csv module finds, and the code that ends them with its row and line, or None.

    Rows are numbered as people do: the headings are none, and neither are empty lines.
    """
    if data in {b"\xef", b"\xef\xbb"}:  # Python's codec takes the beginning of a mark, and nothing else, for nothing
        return [], None
    try:
        text, bad_line = data.decode("utf-8-sig"), None
    except UnicodeDecodeError as error:
        # The codec tells the place in what follows the mark.
        start = error.start + 3 * data.startswith(b"\xef\xbb\xbf")
        text = data[:start].decode("utf-8-sig")
        bad_line = lines_before(text) + 1
        text = "".join(re.findall(r"[^\r\n]*(?:\r\n|\r|\n)", text))  # whole lines
    reader, rows, line = csv.reader(io.StringIO(text, newline=""), strict=True), [], 1
    ended = None
    while ended is None:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            if bad_line is not None and str(error) == "unexpected end of data":
                break  # the row goes on where bytes cannot be decoded
            ended = ("CELL_TOO_LONG" if "limit" in str(error) else "CSV_SYNTAX", line)
        else:
            rows += [row] if row else []
    if ended is None and bad_line is not None:
        ended = ("CSV_ENCODING", bad_line)
    return rows, ended and (ended[0], len(rows) or None, ended[1])


def check_source(data):
    findings = Findings()
    source = CsvSource(as_text(io.BytesIO(data)), "x.csv", SCHEMA, findings)
    blocks = list(source.blocks())
    read = [cells for block in blocks for cells in block.cells]
    numbers = [number for block in blocks for number in block.rows]
    told = [(finding.code, finding.row, finding.line) for finding in findings.shown]
    rows, ended = independent(data)
    headings = [heading.strip() for heading in rows[0]] if rows else []
    if not rows:
        assert told == [ended or ("FILE_EMPTY", None, None)]
        assert not read
    elif sorted(headings) != sorted(HEADINGS):
        assert not read
        assert {code for code, _, _ in told} <= COLUMN_CODES
        assert findings.count >= len(set(headings) ^ set(HEADINGS))
        assert all(finding.column is not None for finding in findings.shown)
    else:
        order = [headings.index(heading) for heading in HEADINGS]
        right = {number: row for number, row in enumerate(rows[1:], 1) if len(row) == len(HEADINGS)}
        assert numbers == list(right)
        assert read == [[row[place] for place in order] for row in right.values()]
        assert source.rows == len(rows) - 1
        ragged = [number for number in range(1, len(rows)) if number not in right]
        assert [row for code, row, _ in told if code == "ROW_LENGTH"] == ragged[:20]
        if len(ragged) < 20:
            ends = [place for place in told if place[0] != "ROW_LENGTH"]
            empty = len(rows) == 1 and ended is None
            assert ends == ([("FILE_EMPTY", None, None)] if empty else [ended] * (ended is not None))


@settings(max_examples=1000)
@given(st.binary(max_size=300))
@example(b"")
@example(b"\xef\xbb\xbf")
@example(b"\xef\xbb")
@example(b"\xef\xbb\xbf\xff")
def test_any_bytes_are_read_as_the_csv_module_reads_them_or_refused_with_their_place(data):
    check_source(data)


@settings(max_examples=1500)
@given(st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join))
def test_any_pieces_of_csv_are_read_as_the_csv_module_reads_them_or_refused_with_their_place(data):
    check_source(data)
    check_source(b"subject,time,sex\n" + data)


@settings(max_examples=1500)
@given(mutated())
def test_a_damaged_csv_is_read_as_the_csv_module_reads_it_or_refused_with_its_place(data):
    check_source(data)


@settings(max_examples=300)
@given(honest())
def test_an_honest_csv_is_read_cell_by_cell(file):
    rows, data = file
    findings = Findings()
    source = CsvSource(as_text(io.BytesIO(data)), "x.csv", SCHEMA, findings)
    assert [cells for block in source.blocks() for cells in block.cells] == rows
    assert [finding.code for finding in findings.shown] == ([] if rows else ["FILE_EMPTY"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("spools")


@settings(max_examples=800)
@given(mutated())
def test_a_damaged_csv_is_sealed_whole_or_refused_with_file_row_and_column(folder: Path, data):
    with Spool(SCHEMA.table, folder) as spool:
        try:
            checked = read_into(spool, as_text(io.BytesIO(data)), "x.csv", SCHEMA, bytes(32), lambda _: None)
        except CheckError as error:
            check_places(error)
            return
    rows, ended = independent(data)
    assert ended is None
    assert checked.rows == spool.rows == len(rows) - 1
    place = [heading.strip() for heading in rows[0]].index("subject")
    assert len({row[place].strip() for row in rows[1:]}) == checked.rows


def check_places(error):
    assert error.code in FORM_CODES | COLUMN_CODES | CELL_CODES
    for finding in error.findings:
        assert finding.file == "x.csv"
        assert finding.found
        assert finding.wanted
        assert finding.words(with_value=True).isprintable()
        if finding.code in COLUMN_CODES:
            assert (finding.column is not None, finding.row) == (True, None)
        elif finding.code in CELL_CODES:
            assert finding.column in HEADINGS
            assert finding.row >= 1
        elif finding.code == "ROW_LENGTH":
            assert finding.row >= 1
            assert finding.line > finding.row
        else:
            assert finding.code == "FILE_EMPTY" or finding.line >= 1
