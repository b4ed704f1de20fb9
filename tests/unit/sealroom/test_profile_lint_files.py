"""`sealroom profile lint` on files: our own manifests, what is none, what the command prints."""

import json
import sys
import tomllib

import pytest
from gramine_manifests import GOOD, HASH, PROJECT

from attestation.profiles.trusted_files import load_profile
from protocol.errors import DocumentError, StorageError
from sealroom.cli import main
from sealroom.profiles.gramine_manifest import render_manifest
from sealroom.profiles.lint import MAX_MANIFEST, RULES, lint_file, lint_manifest
from sealroom.profiles.tree import EXECUTABLE, LIBOS


@pytest.fixture
def written(tmp_path):
    """Return a function that writes a manifest and gives its path."""

    def write(text):
        path = tmp_path / "enclave.manifest"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.mark.parametrize("profile", ["clinical", "discovery", "genomics"])
def test_our_own_manifests_have_no_finding(written, profile):
    template = (PROJECT / "manifests/enclave.manifest.template").read_text("utf-8")
    lock = {f"tree/{path}": HASH for path in (LIBOS, EXECUTABLE, "lib/libc.so.6")}
    path = written(render_manifest(template, load_profile(PROJECT, profile), lock))
    linted = lint_file(path)
    assert linted.findings == ()
    assert f'"{profile}"' in linted.facts["arguments"]


@pytest.mark.parametrize(
    "text", ['loader.entrypoint = "{{ gramine.libos }}"', "{% for x in y %}\n{% endfor %}", "a = 1\n{# note #}"]
)
def test_a_template_must_be_rendered_first(written, text):
    with pytest.raises(DocumentError, match="rendered") as caught:
        lint_file(written(text))
    assert caught.value.code == "MANIFEST_TEMPLATE"


TWO_IN_ONE = GOOD.replace(
    "\n[sys]",
    r'''
loader.env.A = """a\\"""
loader.env.B = """
loader.insecure__use_cmdline_argv = true
# """

[sys]''',
    1,
)


def test_a_text_that_gramine_reads_otherwise_is_refused(written):
    assert lint_manifest(tomllib.loads(TWO_IN_ONE)).refused == ()  # as others read it
    linted = lint_file(written(TWO_IN_ONE))
    assert {finding.rule.name for finding in linted.refused} == {"TRIPLE_QUOTES"}
    first = TWO_IN_ONE[: TWO_IN_ONE.index('"""')].count("\n") + 1
    assert [finding.where for finding in linted.refused] == [f"line {first + at}" for at in (0, 1, 3)]
    assert list(linted.facts) == ["sha256 of this file"]


@pytest.mark.parametrize("text", ["'''", '# """', '"""', "x = ''''''"])
def test_three_quotes_are_refused_before_the_text_is_parsed(written, text):
    (finding,) = lint_file(written(f"{GOOD}{text}")).refused
    assert finding.rule.name == "TRIPLE_QUOTES"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"\xff", "TOML"),
        ("sgx = [", "TOML"),
        ("a = 1\na = 2", "TOML"),
        ("a = " + "[" * 100_000, "TOML_DEPTH"),
        (".".join(["a"] * 1000) + " = 1", "TOML_DEPTH"),
    ],
)
def test_what_is_no_manifest_is_said(written, text, code):
    with pytest.raises(DocumentError) as caught:
        lint_file(written(text))
    assert caught.value.code == code


def test_files_larger_than_any_manifest_are_not_read(written):
    with pytest.raises(StorageError) as caught:
        lint_file(written(b"#" * (MAX_MANIFEST + 1)))
    assert caught.value.code == "FILE_SIZE"


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["profile", "lint", *map(str, arguments)])
    return ended.value.code, *capsys.readouterr()


def test_the_command_accepts_the_good_one(capsys, written):
    status, out, err = run(capsys, written(GOOD))
    assert status in (0, None)
    assert "Nothing to refuse." in err
    assert "/usr/bin/python3.11" in out
    status, out, err = run(capsys, written(GOOD), "--json")
    assert (json.loads(out)["refused"], json.loads(out)["findings"]) == (False, [])


def test_the_command_counts_warnings(capsys, written):
    status, out, err = run(capsys, written(GOOD.replace("edmm_enable = false", "edmm_enable = true")))
    assert status in (0, None)
    assert "WARN EDMM: " in out
    assert "Think about 1 warning.\n" in err


def test_the_command_explains_what_it_refuses(capsys, written):
    many = "".join(f'"file:data/{n}", ' for n in range(30))
    path = written(GOOD.replace("debug = false", f"debug = true\nallowed_files = [{many}]"))
    status, out, err = run(capsys, path)
    assert status == 5
    for text in ("REFUSE SGX_DEBUG: ", RULES["SGX_DEBUG"].why, RULES["SGX_DEBUG"].do, "sgx.debug: found true"):
        assert text in out
    assert out.count("sgx.allowed_files[") == 20
    assert "and 10 more; --json lists all" in out
    assert err.startswith("MANIFEST_REFUSED: Found 31 places")
    status, out, _ = run(capsys, path, "--json")
    answer = json.loads(out)
    assert (status, answer["code"], answer["refused"]) == (5, "MANIFEST_REFUSED", True)
    assert [len(group["places"]) for group in answer["findings"]] == [1, 30]


def test_long_arguments_are_wrapped_not_cut(capsys, written, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    words = [f"{n:050}" for n in range(40)]
    path = written(GOOD.replace('"enclave", "clinical"', '"enclave", ' + ", ".join(f'"{word}"' for word in words)))
    _, out, _ = run(capsys, path)
    assert all(f'"{word}"' in out for word in words)
    assert all(len(line) <= 80 for line in out.splitlines())


def test_keys_of_a_manifest_do_not_steer_the_terminal(capsys, written):
    _, out, _ = run(capsys, written(GOOD + '["\\u001b[2J"]\nx = "\\u001b[1A"\n'))
    assert "\x1b" not in out
