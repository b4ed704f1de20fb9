"""The process that reads .pgen files: how it may end, and what it may take."""

import signal
import subprocess
import sys

import pytest

from sealroom.datasets.findings import CheckError
from sealroom.datasets.genotypes import reader_process
from sealroom.datasets.genotypes.reader_process import reading

CHILD = """
import os, sys, time
sys.stdout.buffer.write(b"abc"); sys.stdout.buffer.flush()
{}
"""


@pytest.fixture
def child(tmp_path, monkeypatch):
    """Return a function that reads nine bytes from a child which writes three and then does something else."""

    def run(what):
        (tmp_path / "child_module.py").write_text(CHILD.format(what))
        popen = subprocess.Popen

        def start(command, **options):
            assert command[1:4] == ["-I", "-m", "child_module"]
            return popen([sys.executable, str(tmp_path / "child_module.py")], **options)

        monkeypatch.setattr(reader_process.subprocess, "Popen", start)
        with reading("child_module", (), "x.pgen") as take:
            assert take(3) == b"abc"
            take(6)

    return run


@pytest.mark.parametrize(
    ("what", "code", "words"),
    [
        ("os.kill(os.getpid(), 11)", "READER_DIED", f"signal {int(signal.SIGSEGV)}"),
        ("os.abort()", "READER_DIED", f"signal {int(signal.SIGABRT)}"),
        ("os._exit(0)", "READER_DIED", "exit status 0"),
        ("os._exit(7)", "READER_DIED", "exit status 7"),
        ("sys.stderr.write('noise\\nno \\x1b[31mvariant\\n'); sys.exit(3)", "READER_REFUSED", "(no [31mvariant)"),
        ("sys.exit(3)", "READER_REFUSED", "()"),
    ],
)
def test_the_death_of_a_reader_is_an_error_with_a_code(child, what, code, words):
    with pytest.raises(CheckError) as caught:
        child(what)
    assert caught.value.code == code
    assert words in caught.value.detail


def test_a_reader_that_says_nothing_is_ended(child, monkeypatch):
    monkeypatch.setattr(reader_process, "_SILENCE", 0.2)
    with pytest.raises(CheckError) as caught:
        child("time.sleep(600)")
    assert caught.value.code == "READER_SILENT"


def test_a_readers_memory_is_bounded_and_it_leaves_no_core_dump():
    code = (
        "from sealroom.datasets.genotypes.reader_process import MEMORY, limit_memory\n"
        "import resource\nlimit_memory()\n"
        "assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)\n"
        "try:\n bytearray(MEMORY)\nexcept MemoryError:\n print('bounded')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "bounded\n"
