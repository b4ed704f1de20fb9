"""Drafts of hostile files: refused with a code or bounded, in a process whose memory is limited."""

import subprocess
import sys

import annotated_types
import pytest

from protocol.documents.dataset import TableSchema
from protocol.errors import DocumentError
from sealroom.datasets import csv_rows, sample
from sealroom.datasets.draft import draft_schema

CHILD = """
import resource, sys
from pathlib import Path
from protocol.errors import DocumentError
import sealroom.datasets.sample
from sealroom.datasets.draft import draft_schema
pages = int(Path("/proc/self/statm").read_text().split()[0])
most = pages * resource.getpagesize() + int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_AS, (most, most))
try:
    print(draft_schema(Path(sys.argv[1])).count("[[columns]]"))
except DocumentError as error:
    print(error.code)
"""
MEMORY = 600 * 2**20
"""Bytes beyond those of the libraries: what 16 million characters in short cells, and a million cells, may take."""
RECORD = "\n\n\nM  END\n"


def drafted(path, memory=MEMORY):
    done = subprocess.run(
        [sys.executable, "-c", CHILD, path, str(memory)], capture_output=True, text=True, check=False, timeout=300
    )
    return done.stdout.strip() or done.stderr


def many_names(sink):
    """Records with few properties each, all of other names: filled up to a rectangle, 2 billion cells."""
    for record in range(10_000):
        sink.write(RECORD + "".join(f"> <p{record}-{n}>\n1\n\n" for n in range(20)) + "$$$$\n")


def late_names(sink):
    """Many short records, then one with as many properties as there may be."""
    for record in range(9_000):
        sink.write(f"{RECORD}> <a>\n{record}\n\n$$$$\n")
    sink.write(RECORD + "".join(f"> <p{n}>\n1\n\n" for n in range(1_990)) + "$$$$\n")


def commas(sink):
    for _ in range(50):
        sink.write("," * 1_000_000 + "\n")


def empty_cells(sink):
    """As many columns as there may be, and ten thousand rows without a character in them."""
    sink.write(",".join(f"c{n}" for n in range(2_000)) + "\n")
    for _ in range(10_000):
        sink.write("," * 1_999 + "\n")


def ragged(sink):
    """Two headings; rows of a million cells, of which none is as long as the headings."""
    sink.write("a,b\n")
    for _ in range(50):
        sink.write("," * 1_000_000 + "\n")


def endless_row(sink):
    sink.write("a,b\np1,")
    for _ in range(10_000):
        sink.write('"ab\n",' * 1_000)


def short_cells(sink):
    """One row of two-letter cells, just short enough to be read, and one that fits."""
    sink.write("a,b\n" + "ab," * (csv_rows.CHARACTERS // 3) + "\n1,2\n")


@pytest.mark.parametrize(
    ("make", "name", "answer"),
    [
        (many_names, "x.sdf", "TABLE_TOO_WIDE"),
        (late_names, "x.sdf", None),
        (commas, "x.csv", "TABLE_TOO_WIDE"),
        (empty_cells, "x.csv", "2000"),
        (ragged, "x.csv", "FILE_EMPTY"),
        (endless_row, "x.csv", "ROW_TOO_LONG"),
        (short_cells, "x.csv", "2"),
    ],
)
def test_a_draft_of_a_hostile_file_ends_in_bounded_memory(tmp_path, make, name, answer):
    with (tmp_path / name).open("w") as sink:
        make(sink)
    found = drafted(tmp_path / name)
    if answer is None:
        assert found.isdecimal(), found
    else:
        assert found == answer


def test_the_limit_of_memory_holds(tmp_path):
    """Without this, the test above could not fail."""
    (tmp_path / "x.csv").write_text("a,b\n" + "ab," * (csv_rows.CHARACTERS // 3) + "\n1,2\n")
    assert "MemoryError" in drafted(tmp_path / "x.csv", 50 * 2**20)


def test_a_draft_has_room_for_as_many_columns_as_a_schema_has(tmp_path):
    (limits,) = (
        entry for entry in TableSchema.model_fields["columns"].metadata if isinstance(entry, annotated_types.MaxLen)
    )
    assert limits.max_length == sample.MAX_COLUMNS
    for columns, separator in ((sample.MAX_COLUMNS, ","), (sample.MAX_COLUMNS + 1, ",")):
        names = [f"c{n}" for n in range(columns)]
        (tmp_path / "x.csv").write_text(separator.join(names) + "\n" + separator.join(names) + "\n")
        properties = "".join(f"> <{name}>\n1\n\n" for name in names)
        (tmp_path / "x.sdf").write_text(f"{RECORD}{properties}$$$$\n")
        for path in (tmp_path / "x.csv", tmp_path / "x.sdf"):
            if columns <= sample.MAX_COLUMNS:
                assert draft_schema(path).count("[[columns]]") >= columns
            else:
                with pytest.raises(DocumentError, match=f"TABLE_TOO_WIDE.*found {columns} columns, wanted at most"):
                    draft_schema(path)


@pytest.mark.parametrize("cells", [4, 5, 6, 100])
def test_rows_times_columns_are_bounded(tmp_path, monkeypatch, cells):
    monkeypatch.setattr(sample, "CELLS", cells)
    (tmp_path / "x.csv").write_text("a,b\n" + "1,2\n" * 9)
    assert len(sample.csv_sample(tmp_path / "x.csv")[1]) == min(9, cells // 2)
    record = f"{RECORD}> <a>\n1\n\n> <b>\n2\n\n$$$$\n"
    (tmp_path / "x.sdf").write_text(record * 9)
    assert len(sample.sdf_sample(tmp_path / "x.sdf")[1]) == min(9, cells // 2)


def test_characters_are_bounded_and_an_empty_cell_counts_as_one(tmp_path, monkeypatch):
    monkeypatch.setattr(sample, "CHARACTERS", 20)
    (tmp_path / "x.csv").write_text("a,b\n" + ",,,,\n" * 4 + "1,2\n")
    assert sample.csv_sample(tmp_path / "x.csv")[1].to_numpy().tolist() == [["1", "2"]]
    (tmp_path / "x.csv").write_text("a,b\n" + ",,,,\n" * 5 + "1,2\n")
    with pytest.raises(DocumentError, match="FILE_EMPTY"):
        sample.csv_sample(tmp_path / "x.csv")
    (tmp_path / "x.sdf").write_text(f"{RECORD}> <a>\n1234\n\n$$$$\n" * 9)
    assert len(sample.sdf_sample(tmp_path / "x.sdf")[1]) == 5


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        (b"a,b\n1,2\n3,\xff\n", "CSV_ENCODING", 3),
        (b'a,b\n1,2\n3,"4\n', "CSV_SYNTAX", 3),
        (b'a,b\n"' + b"x" * 131_073, "CELL_TOO_LONG", 2),
        (b"a,\xe9\n", "CSV_ENCODING", 1),
    ],
)
def test_what_cannot_be_drafted_from_is_told_with_its_line(tmp_path, content, code, line):
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(DocumentError, match=f"line {line}: found .*, wanted .*") as caught:
        draft_schema(tmp_path / "x.csv")
    assert caught.value.code == code
