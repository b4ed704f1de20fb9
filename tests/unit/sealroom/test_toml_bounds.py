"""TOML files of owners: what would cost the parser its stack or its memory is refused before it is parsed."""

import subprocess
import sys
import tomllib

import pytest

from protocol.errors import DocumentError, StorageError
from protocol.flat_toml import MAX_TOML_DEPTH
from sealroom.typed import MAX_TOML, read_toml

CONFINED = """
import resource, sys
from pathlib import Path
from protocol.errors import DocumentError
from sealroom.typed import read_toml

used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 60 * 10**6, -1))
try:
    read_toml(Path(sys.argv[1]))
except DocumentError as error:
    print(error.code)
except MemoryError:
    print("MemoryError")
"""
MANY = 20_000
DOTTED = ".".join(["a"] * MANY)


@pytest.fixture
def read(tmp_path):
    """Return a function that reads a text as a TOML file."""

    def take(text):
        (tmp_path / "x.toml").write_text(text)
        return read_toml(tmp_path / "x.toml")

    return take


@pytest.mark.parametrize(
    "text",
    [
        "[" * MANY,
        "a = " + "[" * MANY,
        "a = " + "{a = " * MANY,
        "a = " + "[{a = " * MANY,
        DOTTED + " = 1",
        f"[{DOTTED}]",
        f"[[{DOTTED}]]",
        f"a = {{ {DOTTED} = 1 }}",
        DOTTED.replace(".", " \t. ") + " = 1",
        DOTTED.replace("a", '"a"') + " = 1",
        DOTTED.replace("a", "'a.b'") + " = 1",
        "a = " + "[\n" * MANY,
        "a = [" + "'[', " * 9 + "[" * MANY,
    ],
)
def test_deep_files_are_refused_with_their_line(read, text):
    with pytest.raises(DocumentError, match=r"x\.toml: line 4: found 16 or more brackets") as caught:
        read("# [[[\nb = '''\n'''\n" + text.replace("[\n", "[") + "\n")
    assert caught.value.code == "TOML_DEPTH"


@pytest.mark.parametrize(
    "hidden",
    [
        'x = """"""',
        'x = """a""""',
        'x = """a"""""',
        'x = """a\\""""',
        'x = """a\\\\"""',
        "x = ''''a''''",
        "x = '''''a'''''",
        "x = '\\'",
        'x = "\\\\"',
        'x = "\\""',
        'x = ""',
        "x = '#'",
        "x = 1 # ' \" ''' \"\"\"",
        '"x#" = 1',
        'x = \'"""\'',
        "x = \"'''\"",
    ],
)
def test_nothing_deep_hides_behind_texts_and_comments(read, hidden):
    """The line itself is good TOML, so the scan and the parser must agree on where its texts end."""
    assert tomllib.loads(hidden)
    for deep in ("y = " + "[" * MANY, DOTTED + " = 1"):
        with pytest.raises(DocumentError) as caught:
            read(f"{hidden}\n{deep}\n")
        assert caught.value.code == "TOML_DEPTH"
    assert read(f"{hidden}\ny = 1\n")["y"] == 1


@pytest.mark.parametrize("quote", ['"', "'"])
@pytest.mark.parametrize("last", [3, 4, 5])
def test_nothing_deep_hides_on_the_line_where_a_text_ends(read, quote, last):
    text = f"x = [{quote * 3}a{quote * last}, "
    assert read(f"{text} 1]") == {"x": ["a" + quote * (last - 3), 1]}
    with pytest.raises(DocumentError) as caught:
        read(text + "[" * MANY)
    assert caught.value.code == "TOML_DEPTH"


@pytest.mark.parametrize(
    "text",
    [
        f'x = "{"[" * MANY}"',
        f"x = '{DOTTED}'",
        f'x = """\n{"[" * MANY}\n{DOTTED}\n"""',
        f"x = '''\n{'{' * MANY}\n{DOTTED}'''''",
        f"x = 1 # {DOTTED} {'[' * MANY}",
        "x = [" + "1.5, " * MANY + "2.5]",
        "x = [" + "[1], " * MANY + "[2]]",
        "[[x]]\n" * MANY,
        ".".join(["a"] * MAX_TOML_DEPTH) + " = 1",
        "x = " + "[" * MAX_TOML_DEPTH + "]" * MAX_TOML_DEPTH,
        "x = '''" + "\\" * MANY + "'''",
    ],
)
def test_long_flat_files_are_read(read, text):
    assert read(text) == tomllib.loads(text)


@pytest.mark.parametrize(
    "text", ['x = "', "x = '", 'x = """', "x = '''", 'x = "\\', '"', "x = [", "]", "x = 1]", "x = 1e"]
)
def test_what_is_no_toml_is_said(read, text):
    with pytest.raises(DocumentError) as caught:
        read(text)
    assert caught.value.code == "TOML"


def test_what_is_not_utf_8_is_said(tmp_path):
    (tmp_path / "x.toml").write_bytes(b"x = '\xff'")
    with pytest.raises(DocumentError) as caught:
        read_toml(tmp_path / "x.toml")
    assert caught.value.code == "TOML"


def test_a_long_key_costs_no_memory(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text(DOTTED + " = 1")
    found = subprocess.run([sys.executable, "-c", CONFINED, path], capture_output=True, text=True, check=True)
    assert found.stdout == "TOML_DEPTH\n"


def test_a_file_of_more_than_a_mebibyte_is_refused(read):
    assert read("#" * MAX_TOML) == {}
    with pytest.raises(StorageError) as caught:
        read("#" * (MAX_TOML + 1))
    assert caught.value.code == "FILE_SIZE"
