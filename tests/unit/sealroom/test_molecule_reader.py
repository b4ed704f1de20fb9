"""The process that describes molecules: what is too slow, too large or deadly is a finding with its place."""

import io
import subprocess
import sys

import molecules
import pytest

from protocol.errors import DocumentError
from sealroom.datasets.cells import Wrong
from sealroom.datasets.findings import CheckError, Findings
from sealroom.datasets.molecules import reader_process, source
from sealroom.datasets.molecules.reader import describer
from sealroom.datasets.molecules.reader_process import Described, MoleculeReader
from sealroom.datasets.sources import rows_of

SULFOXIDES = "CS(=O)" * 200 + "C"
"""Minutes of RDKit's Normalizer."""
CHILD = """
import os, sys, time
from sealroom.datasets.molecules import reader
from sealroom.datasets.molecules.structure import Standardiser
read = Standardiser.smiles
def smiles(self, text):
    if text == "N":
        {}
    return read(self, text)
Standardiser.smiles = smiles
reader.main(*sys.argv[1:])
"""


def csv(*smiles):
    return "id,smiles\n" + "".join(f"{row},{text}\n" for row, text in enumerate(smiles, 1))


def findings(text):
    schema = molecules.schema("mw", subject="id", molecules="smiles")
    with pytest.raises(CheckError) as caught:
        molecules.arrays(text, "x.csv", schema)
    return caught.value.findings


@pytest.fixture
def child(tmp_path, monkeypatch):
    """Return a function that says what the process does at ammonia, with all else as it is; it returns its starts."""
    popen, starts = subprocess.Popen, []

    def install(what, code=CHILD):
        (tmp_path / "child.py").write_text(code.format(what))

        def start(command, **options):
            assert command[1:4] == ["-I", "-m", "sealroom.datasets.molecules.reader"]
            starts.append(popen([sys.executable, str(tmp_path / "child.py"), *command[4:]], **options))
            return starts[-1]

        monkeypatch.setattr(reader_process.subprocess, "Popen", start)
        return starts

    return install


def test_a_molecule_that_takes_too_long_is_a_finding_and_the_next_is_read(monkeypatch):
    monkeypatch.setattr(reader_process, "SECONDS", 1)
    first, second = findings(csv("CC", SULFOXIDES, "CCC", "C1", SULFOXIDES + "C")), ("MOLECULE_TIME", "x.csv", "smiles")
    assert [(f.code, f.file, f.column, f.row, f.line) for f in first] == [
        (*second, 2, 3),
        ("MOLECULE_SYNTAX", "x.csv", "smiles", 4, 5),
        (*second, 5, 6),
    ]
    assert "wanted one with fewer groups" in first[0].words(with_value=False)


def test_time_is_that_of_one_molecule_not_of_all(child, monkeypatch):
    monkeypatch.setattr(reader_process, "SECONDS", 1)
    starts = child("end = time.process_time() + 0.2\n        while time.process_time() < end: pass")
    with MoleculeReader("smiles", ("mw",), alerts=False) as reader:
        assert all(isinstance(reader.describe("N"), Described) for _ in range(12))
    assert len(starts) == 1


@pytest.mark.parametrize(
    ("what", "code", "words"),
    [
        ("os.abort()", "MOLECULE_CRASH", "signal 6"),
        ("os.kill(os.getpid(), 11)", "MOLECULE_CRASH", "signal 11"),
        ("os._exit(0)", "MOLECULE_CRASH", "exit status 0"),
        ("raise KeyError", "MOLECULE_CRASH", "exit status 1"),
        ("raise MemoryError", "MOLECULE_MEMORY", "4 GiB"),
        ("bytearray(reader.MEMORY)", "MOLECULE_MEMORY", "4 GiB"),
    ],
)
def test_what_ends_the_process_is_a_finding_and_the_next_molecule_is_read(child, what, code, words):
    starts = child(what)
    found = findings(csv("CC", "N", "C1", "CCC"))
    assert [(f.code, f.row, f.line) for f in found] == [(code, 2, 3), ("MOLECULE_SYNTAX", 3, 4)]
    assert words in found[0].found
    assert len(starts) == 2
    assert all(start.poll() is not None for start in starts)


def test_a_process_that_says_nothing_is_ended(child, monkeypatch):
    starts = child("time.sleep(600)")
    with MoleculeReader("smiles", ("mw",), alerts=False) as reader:
        reader.describe("C")
        monkeypatch.setattr(reader_process, "_SILENCE", 0.2)
        assert reader.describe("N").code == "MOLECULE_TIME"
    assert starts[0].poll() is not None


def test_a_process_that_was_ended_between_two_molecules_is_told(child):
    starts = child("pass")
    with MoleculeReader("smiles", ("mw",), alerts=False) as reader:
        reader.describe("C")
        starts[0].kill()
        starts[0].wait()
        assert reader.describe("C").code == "MOLECULE_CRASH"
        assert isinstance(reader.describe("C"), Described)


def test_what_a_library_prints_is_no_answer(child):
    child("os.write(1, b'{{}}\\n'); print('noise')")
    assert len(molecules.arrays(csv("N"), "x.csv", molecules.schema("mw", subject="id", molecules="smiles"))[0]) == 2


def test_a_file_of_molecules_that_end_the_process_is_given_up(child, monkeypatch):
    monkeypatch.setattr(source, "MAX_ENDINGS", 2)
    starts = child("os.abort()")
    assert [f.row for f in findings(csv("N", "C1", "N", "N", "N"))] == [1, 2, 3]
    assert len(starts) == 2


def test_without_a_reader_one_is_told_so(child):
    child("", "import sys; sys.exit(5)")
    with pytest.raises(DocumentError, match="status 5") as caught:
        molecules.arrays(csv("C"), "x.csv", molecules.schema("mw", subject="id", molecules="smiles"))
    assert caught.value.code == "CHEMISTRY_BROKEN"


def test_no_process_stays_when_reading_stops_half_way(child):
    starts = child("pass")
    schema = molecules.schema("mw", subject="id", molecules="smiles")
    blocks = rows_of(io.StringIO(csv("C"), newline=""), "x.csv", schema, Findings()).blocks()
    next(blocks)
    assert starts[0].poll() is None
    blocks.close()
    assert starts[0].poll() is not None


@pytest.mark.parametrize("text", ["CCO", "C1", "[Na+].[Cl-]", "O=C1C(=Cc2ccccc2)SC(=S)N1", "\ud800\n\x00", ""])
def test_the_process_says_what_is_computed_here(text):
    with MoleculeReader("smiles", molecules.COMPUTED, alerts=True) as reader:
        answer = reader.describe(text)
    assert answer == describer("smiles", molecules.COMPUTED, alerts=True)(text)
    assert isinstance(answer, Wrong) == (text in {"C1", "\ud800\n\x00", ""})
