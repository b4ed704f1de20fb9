import csv
import io

import pytest
from partner_desk import ROWS, SCHEMA, Desk

import sealroom.datasets.check as check_module
import sealroom.datasets.rows as rows_module
from protocol.errors import DocumentError
from sealroom.datasets.check import check_file
from sealroom.datasets.findings import CheckError, Finding
from sealroom.datasets.schema import load_schema


def quiet(_: int) -> None:
    pass


def check(tmp_path, content, schema=SCHEMA):
    (tmp_path / "schema.toml").write_text(schema)
    path = tmp_path / "data.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return check_file(path, load_schema(tmp_path / "schema.toml"), quiet)


def text(rows) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def changed(row: int, column: int, value: str) -> str:
    rows = [list(r) for r in ROWS]
    rows[row][column] = value
    return text(rows)


def test_a_file_that_matches_is_said_to(tmp_path):
    checked = check(tmp_path, text(ROWS))
    assert checked.rows == 4
    assert any("status" in warning and "public" in warning for warning in checked.warnings)


@pytest.mark.parametrize(
    ("content", "code", "row", "column"),
    [
        (changed(1, 1, "306 d"), "VALUE_UNIT", 1, "time"),
        (changed(1, 1, "306.5"), "VALUE_DECIMALS", 1, "time"),
        (changed(2, 1, "soon"), "VALUE_NUMBER", 2, "time"),
        (changed(2, 1, "1e3"), "VALUE_NUMBER", 2, "time"),
        (changed(2, 1, "nan"), "VALUE_NUMBER", 2, "time"),
        (changed(2, 1, "٣"), "VALUE_NUMBER", 2, "time"),
        (changed(2, 3, "70,5"), "VALUE_NUMBER", 2, "weight"),
        (changed(2, 3, "70.123"), "VALUE_DECIMALS", 2, "weight"),
        (changed(2, 3, "700"), "VALUE_RANGE", 2, "weight"),
        (changed(2, 3, "19.99"), "VALUE_RANGE", 2, "weight"),
        (changed(3, 1, "5001"), "VALUE_RANGE", 3, "time"),
        (changed(3, 1, "-1"), "VALUE_RANGE", 3, "time"),
        (changed(3, 1, ""), "VALUE_MISSING", 3, "time"),
        (changed(3, 1, "NA"), "VALUE_NUMBER", 3, "time"),
        (changed(4, 2, "3"), "VALUE_CODE", 4, "status"),
        (changed(4, 2, "1.0"), "VALUE_CODE", 4, "status"),
        (changed(4, 0, " "), "VALUE_MISSING", 4, "subject"),
        (changed(4, 0, "p1"), "SUBJECT_TWICE", 4, "subject"),
        (changed(4, 0, " p1 "), "SUBJECT_TWICE", 4, "subject"),
        (text([[*ROWS[0], "extra"], *([*row, "1"] for row in ROWS[1:])]), "SCHEMA_COLUMN_UNKNOWN", None, "extra"),
        (text([row[:3] for row in ROWS]), "SCHEMA_COLUMN_ABSENT", None, "weight"),
        (text([["subject", "time", "status", "time"], *ROWS[1:]]), "SCHEMA_COLUMN_TWICE", None, "time"),
        (text([*ROWS, ["p9", "1", "2"]]), "ROW_LENGTH", 5, None),
        (text([*ROWS, ["p9", "1", "2", "60", "7"]]), "ROW_LENGTH", 5, None),
        ("", "FILE_EMPTY", None, None),
        ("\n\n", "FILE_EMPTY", None, None),
        (text(ROWS[:1]), "FILE_EMPTY", None, None),
        (text(ROWS).encode() + b"p\xff,1,1,60\n", "CSV_ENCODING", 5, None),
        (text(ROWS) + 'p9,"1,2,60\n', "CSV_SYNTAX", 5, None),
        (changed(2, 0, "p\0" + "1"), "VALUE_CONTROL", 2, "subject"),
        (changed(2, 0, "p\x1b[2J"), "VALUE_CONTROL", 2, "subject"),
        (changed(2, 0, "p\u202e1"), "VALUE_CONTROL", 2, "subject"),
        (changed(2, 0, "p\n1"), "VALUE_CONTROL", 2, "subject"),
        (changed(3, 3, " " * 131_073), "CELL_TOO_LONG", 3, None),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path, content, code, row, column):
    with pytest.raises(CheckError) as caught:
        check(tmp_path, content)
    first = caught.value.findings[0]
    assert (first.code, first.column, caught.value.code) == (code, column, code)
    assert first.row == row
    assert row is None or first.line in {row + 1, None}
    assert first.wanted
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("row", [1, 2, 900, 19_999, 20_000])
def test_bytes_that_are_no_utf8_are_told_with_their_own_row(tmp_path, row, start):
    """Decoders read blocks of the file, and honest rows around the bad one are in the same block."""
    lines = [f"q{number},306,2,70.5\n".encode() for number in range(1, 20_001)]
    lines[row - 1] = b"q\xe9,306,2,70.5\n"
    with pytest.raises(CheckError) as caught:
        check(tmp_path, (start + text(ROWS[:1])).encode() + b"".join(lines))
    (first,) = caught.value.findings
    assert (first.code, first.row, first.line) == ("CSV_ENCODING", row, row + 1)


def test_bytes_that_are_no_utf8_are_told_with_their_own_line_within_a_row(tmp_path):
    with pytest.raises(CheckError) as caught:
        check(tmp_path, text(ROWS[:2]).encode() + b'p2,"455\n\n\xff",1,60\n')
    first = caught.value.findings[0]
    assert (first.code, first.row, first.line) == ("CSV_ENCODING", 2, 5)


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        (b"\xff\xfe" + text(ROWS).encode(), "CSV_ENCODING", 1),
        (text(ROWS).encode("utf-16"), "CSV_ENCODING", 1),
        (b"\n\nsubject,\xff\n", "CSV_ENCODING", 3),
        (b"subject,\xed\xa0\x80\n", "CSV_ENCODING", 1),
        (b'\n"subject', "CSV_SYNTAX", 2),
        (b"subject," + b"x" * 131_073, "CELL_TOO_LONG", 1),
        (b"\n" + b"x" * 20_000_000, "ROW_TOO_LONG", 2),
    ],
)
def test_headings_that_cannot_be_read_are_told_with_their_line_and_no_row(tmp_path, content, code, line):
    with pytest.raises(CheckError) as caught:
        check(tmp_path, content)
    (first,) = caught.value.findings
    assert (first.code, first.row, first.line) == (code, None, line)


def test_a_row_on_many_lines_is_refused_where_it_begins_and_a_long_file_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr("sealroom.datasets.csv_rows.CHARACTERS", 1000)
    many = [["subject", "time", "status", "weight"], *([f"q{n}", "306\n", "2", "70.5"] for n in range(200))]
    assert check(tmp_path, text(many)).rows == 200
    with pytest.raises(CheckError) as caught:
        check(tmp_path, text(many) + "\n" + 'p9,"' + '","\n' * 400)
    first = caught.value.findings[0]
    assert (first.code, first.row, first.line) == ("ROW_TOO_LONG", 201, 403)


HOSTILE = "\x1b]0;owned\x07\x1b[2J\nforged.csv: 9 rows match the schema.\r\x85\x9b2J\u2028\u202eevil\u2066"


@pytest.mark.parametrize("as_json", [False, True])
def test_a_heading_moves_no_cursor_and_begins_no_line(tmp_path, as_json):
    desk = Desk(tmp_path)
    rows = [[*ROWS[0], HOSTILE], *([*row, "1"] for row in ROWS[1:])]
    answer = desk.run("dataset", "check", desk.write_csv(rows), desk.schema(), *["--json"] * as_json, code=4)
    shown = answer.out + answer.err
    assert all(character.isprintable() or character == "\n" for character in shown)
    assert not any(line.startswith("forged") for line in shown.splitlines())
    assert "owned" in shown


@pytest.mark.parametrize("name", ["file", "column", "found", "wanted"])
def test_what_a_finding_shows_is_plain_and_not_long(name):
    given = {"code": "X", "file": "f", "found": "a", "wanted": "b"} | {name: HOSTILE + "y" * 100_000}
    finding = Finding(**given, row=1, value="z" * 100_000)
    assert finding.fields()[name].endswith("y...")
    for shown in (finding.words(with_value=True), CheckError((finding,), 1).detail, finding.fields()[name]):
        assert shown.isprintable()
        assert "owned" in shown
        assert len(shown) < 1000
    honest = Finding("X", "größe.csv", "a", "b", column="Größe (µm)")
    assert honest.words(with_value=True) == "X: größe.csv, column Größe (µm): found a, wanted b."


def test_the_line_is_that_of_the_file_where_cells_hold_line_breaks(tmp_path):
    rows = [*ROWS[:2], ["p2", "455\n", "1", "NA"], ["p3", "x", "1", ""]]
    with pytest.raises(CheckError) as caught:
        check(tmp_path, text(rows))
    assert (caught.value.findings[0].row, caught.value.findings[0].line) == (3, 5)


def test_empty_lines_hold_no_subject(tmp_path):
    assert check(tmp_path, text(ROWS).replace("\np3", "\n\np3") + "\n\n").rows == 4


def test_one_row_is_allowed_and_warned_of(tmp_path):
    checked = check(tmp_path, text(ROWS[:2]))
    assert checked.rows == 1
    assert "one row" in checked.warnings[0]


def test_a_byte_order_mark_and_carriage_returns_are_read(tmp_path):
    content = b"\xef\xbb\xbf" + text(ROWS).replace("\n", "\r\n").encode()
    assert check(tmp_path, content).rows == 4


def test_findings_are_counted_and_the_first_twenty_shown(tmp_path):
    rows = [ROWS[0], *([f"q{n}", "x", "9", "60"] for n in range(50))]
    with pytest.raises(CheckError) as caught:
        check(tmp_path, text(rows))
    assert caught.value.count == 100
    assert len(caught.value.findings) == 20
    assert "100 findings" in caught.value.detail


@pytest.mark.parametrize("subjects_at_a_time", [1, 2, 200_000])
def test_blocks_and_shares_change_nothing(tmp_path, monkeypatch, subjects_at_a_time):
    monkeypatch.setattr(rows_module, "CELLS", 8)  # two rows a block
    monkeypatch.setattr(check_module, "SUBJECTS_AT_A_TIME", subjects_at_a_time)
    rows = [ROWS[0], *([f"q{n}", "1", "2", "60"] for n in range(9)), ["q3", "1", "2", "60"], ["q8", "1", "2", "60"]]
    with pytest.raises(CheckError) as caught:
        check(tmp_path, text(rows))
    assert caught.value.count == 2
    assert {(finding.row, finding.found) for finding in caught.value.findings} == {
        (10, "the subject of row 4 again"),
        (11, "the subject of row 9 again"),
    }
    assert check(tmp_path, text(rows[:10])).rows == 9


def test_a_heading_may_differ_from_the_name(tmp_path):
    schema = SCHEMA.replace('name = "weight"', 'name = "weight"\nheader = "Weight (kg)"')
    rows = [[*ROWS[0][:3], "Weight (kg)"], *ROWS[1:]]
    assert check(tmp_path, text(rows), schema).rows == 4
    with pytest.raises(CheckError) as caught:
        check(tmp_path, text(ROWS), schema)
    assert {finding.code for finding in caught.value.findings} == {"SCHEMA_COLUMN_UNKNOWN", "SCHEMA_COLUMN_ABSENT"}


@pytest.mark.parametrize(
    ("schema", "code"),
    [
        ("columns = 3", "DOCUMENT"),
        ("columns = [[", "TOML"),
        (SCHEMA.replace('kind = "subject"', 'kind = "integer"'), "DOCUMENT"),
        (SCHEMA.replace('name = "time"', 'name = "time"\nheader = "status"'), "SCHEMA_HEADER"),
        (SCHEMA.replace('name = "time"', 'name = "time"\nheader = 3'), "SCHEMA_HEADER"),
        (SCHEMA.replace('unit = "d"', "when = 1979-05-27T07:32:00Z"), "DOCUMENT"),
    ],
)
def test_a_schema_that_is_none_is_refused(tmp_path, schema, code):
    with pytest.raises(DocumentError) as caught:
        check(tmp_path, text(ROWS), schema)
    assert caught.value.code == code


def test_the_command_shows_values_on_the_screen_and_nowhere_else(tmp_path):
    desk = Desk(tmp_path)
    rows = [list(row) for row in ROWS]
    rows[2][1] = "canary 4711"
    path = desk.write_csv(rows)
    answer = desk.run("dataset", "check", path, desk.schema(), code=4)
    assert "canary 4711" in answer.err
    assert answer.out == ""
    answer = desk.run("dataset", "check", path, desk.schema(), "--json", code=4)
    assert "canary" not in answer.out + answer.err
    assert answer.json["findings"][0]["row"] == 2
    assert not any(b"canary" in p.read_bytes() for p in tmp_path.rglob("*") if p.is_file() and p != path)


def test_the_command_says_how_many_rows_match(tmp_path):
    desk = Desk(tmp_path)
    assert desk.run("dataset", "check", desk.write_csv(), desk.schema(), "--json").json["rows"] == 4
    assert "4 rows" in desk.run("dataset", "check", desk.write_csv(), desk.schema()).out
    answer = desk.run("dataset", "check", tmp_path / "absent.csv", desk.schema(), "--json", code=9)
    assert answer.json["code"] == "FILE_MISSING"
