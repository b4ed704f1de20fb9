import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from attestation.policy import manifests_folder
from attestation.profiles import lock
from attestation.profiles.trusted_files import (
    LOCK_NAME,
    compute_lock,
    files_below,
    load_profile,
    parse_lock,
    profile_folder,
    render_lock,
    simulated_files,
)
from attestation.simulator import measure
from protocol.errors import AttestationError

PROJECT = Path(__file__).resolve().parents[3]
PROFILE = """version = 1
name = "small"
folders = ["enclave", "protocol"]
files = ["manifests/small/profile.toml", "requirements.lock"]
simulated = ["enclave/stand_in.py"]
[gramine]
enclave_size = "1G"
max_threads = 4
"""
TREE = {
    "enclave/__init__.py": "",
    "enclave/main.py": "import json\nimport protocol.words\nfrom attestation.attesters.one import make\nimport numpy as np\n",
    "enclave/data/table.json": "{}",
    "enclave/stand_in.py": "import protocol.words\n",
    "protocol/__init__.py": "",
    "protocol/words.py": "def late():\n    from helpers import deep\n    return deep\n",
    "attestation/__init__.py": "",
    "attestation/attesters/__init__.py": "",
    "attestation/attesters/one.py": "from attestation import shape\n",
    "attestation/shape.py": "",
    "attestation/verifier.py": "",
    "helpers/__init__.py": "",
    "helpers/deep.py": "",
    "broker/__init__.py": "",
    "requirements.lock": "numpy==1\n",
    "manifests/small/profile.toml": PROFILE,
}
SIMULATED = {"enclave/stand_in.py"}
TRUSTED = set(TREE) - {"attestation/verifier.py", "broker/__init__.py"} - SIMULATED


@pytest.fixture
def tree(tmp_path):
    for path, text in TREE.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    cache = tmp_path / "enclave/__pycache__"
    cache.mkdir()
    (cache / "main.cpython-311.pyc").write_bytes(b"\0")
    assert lock.main(["--write", "--root", str(tmp_path)]) == 0
    return tmp_path


def refuse(code, call, words=""):
    with pytest.raises(AttestationError) as caught:
        call()
    assert caught.value.code == code
    assert words in caught.value.detail


def test_the_lock_holds_the_folders_and_what_they_import(tree):
    found = parse_lock((tree / "manifests/small" / LOCK_NAME).read_text())
    assert set(found) == TRUSTED
    for path, digest in found.items():
        assert digest == hashlib.sha256((tree / path).read_bytes()).hexdigest()


def test_a_lock_is_as_sha256sum_writes_it(tree):
    text = (tree / "manifests/small" / LOCK_NAME).read_text()
    assert f"{hashlib.sha256(b'').hexdigest()}  enclave/__init__.py\n" in text
    assert text.splitlines() == sorted(text.splitlines(), key=lambda line: line[66:])


def test_the_command_compares_and_writes(tree, capsys):
    assert lock.main(["--root", str(tree)]) == 0
    (tree / "enclave/main.py").write_text("import broker\n")
    assert lock.main(["--root", str(tree)]) == 1
    said = capsys.readouterr().err
    for path in ("enclave/main.py", "broker/__init__.py", "attestation/shape.py"):
        assert path in said
    assert "requirements.lock" not in said
    assert lock.main(["--root", str(tree), "--write"]) == 0
    assert lock.main(["--root", str(tree)]) == 0
    (tree / "manifests/small" / LOCK_NAME).unlink()
    assert lock.main(["--root", str(tree)]) == 1


def test_the_measurement_does_not_depend_on_the_folder(tree, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "tree"
    shutil.copytree(tree, elsewhere)
    shutil.rmtree(elsewhere / "enclave/__pycache__")
    assert measure("small", elsewhere) == measure("small", tree)


@pytest.mark.parametrize("path", sorted(TRUSTED | SIMULATED))
def test_one_byte_of_any_trusted_file_changes_the_measurement(tree, path):
    before = measure("small", tree)
    with (tree / path).open("ab") as file:
        file.write(b"#")
    assert measure("small", tree) != before


@pytest.mark.parametrize("path", ["enclave/extra.py", "enclave/analyses/more.py", "protocol/data.bin"])
def test_one_more_file_changes_the_measurement(tree, path):
    before = measure("small", tree)
    (tree / path).parent.mkdir(exist_ok=True)
    (tree / path).write_text("")
    assert measure("small", tree) != before


def test_what_is_not_trusted_does_not_change_the_measurement(tree):
    before = measure("small", tree)
    (tree / "broker/__init__.py").write_text("changed = True\n")
    (tree / "enclave/__pycache__/other.pyc").write_bytes(b"\1")
    assert measure("small", tree) == before


@pytest.mark.parametrize("path", sorted((TRUSTED | SIMULATED) - {"manifests/small/profile.toml"}))
def test_a_missing_file_is_an_error(tree, path):
    (tree / path).unlink()
    refuse("TRUSTED_FILE", lambda: measure("small", tree), path)


def test_the_profile_is_part_of_the_measurement(tree):
    before = measure("small", tree)
    (tree / "manifests/other").mkdir()
    for name in ("profile.toml", LOCK_NAME):
        text = (tree / "manifests/small" / name).read_text()
        (tree / "manifests/other" / name).write_text(text.replace('name = "small"', 'name = "other"'))
    assert measure("other", tree) != before


@pytest.mark.parametrize("profile", ["none", "..", "../manifests/small", "Small", "", "small/", "small\n", "a" * 64])
def test_unknown_profiles(tree, profile):
    refuse("PROFILE", lambda: measure(profile, tree))
    refuse("PROFILE", lambda: profile_folder(tree, profile))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "version = 1",
        "not toml",
        PROFILE.replace("small", "other"),
        PROFILE.replace('["enclave", "protocol"]', "[]"),
        PROFILE.replace('"enclave"', '"../enclave"'),
        PROFILE.replace('"enclave"', '"/enclave"'),
        "more = 1\n" + PROFILE,
        "day = 2026-01-01\n" + PROFILE,
        PROFILE.replace('"1G"', '"3G"'),
        PROFILE.replace('"1G"', '"1"'),
        PROFILE.replace("max_threads = 4", "max_threads = 3"),
    ],
)
def test_profiles_that_are_none(tree, text):
    (tree / "manifests/small/profile.toml").write_text(text)
    refuse("PROFILE", lambda: measure("small", tree))


DIGEST = "0" * 64


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        f"{DIGEST}  a",
        f"{DIGEST} a\n",
        f"{DIGEST}  a b\n",
        f"{DIGEST}  ../a\n",
        f"{DIGEST}  /a\n",
        f"{DIGEST}  a//b\n",
        f"{DIGEST}  a/.b\n",
        f"{'A' * 64}  a\n",
        f"{DIGEST}  b\n{DIGEST}  a\n",
        f"{DIGEST}  a\n{DIGEST}  a\n",
        f"{DIGEST}  a\r\n",
        f"{DIGEST}  a\n\n",
    ],
)
def test_locks_that_are_none(tree, text):
    refuse("TRUSTED_FILES", lambda: parse_lock(text))
    (tree / "manifests/small" / LOCK_NAME).write_bytes(text.encode())
    refuse("TRUSTED_FILES", lambda: measure("small", tree))


def test_a_lock_that_cannot_be_read(tree):
    lock_file = tree / "manifests/small" / LOCK_NAME
    lock_file.write_bytes(b"\xff\xfe")
    refuse("TRUSTED_FILES", lambda: measure("small", tree), "readable")
    lock_file.unlink()
    refuse("TRUSTED_FILES", lambda: measure("small", tree), "readable")


def test_locks_are_read_back():
    made = {"b/c.py": DIGEST, "a": "1" * 64}
    assert parse_lock(render_lock(made)) == made


def test_relative_imports_are_refused(tree):
    (tree / "enclave/main.py").write_text("from . import data\n")
    refuse("TRUSTED_FILES", lambda: compute_lock(tree, load_profile(tree, "small")), "enclave/main.py")


def test_no_trusted_file_imports_what_only_simulated_builds_hold(tree):
    (tree / "enclave/main.py").write_text("from enclave import stand_in\n")
    refuse("TRUSTED_FILES", lambda: compute_lock(tree, load_profile(tree, "small")), "enclave/stand_in.py, which only")


def test_a_simulated_file_imports_nothing_that_is_not_measured(tree):
    (tree / "enclave/stand_in.py").write_text("import attestation.verifier\n")
    refuse("TRUSTED_FILES", lambda: compute_lock(tree, load_profile(tree, "small")), "attestation/verifier.py; name it")


def test_simulated_files_are_digested_apart(tree):
    digest = hashlib.sha256((tree / "enclave/stand_in.py").read_bytes()).hexdigest()
    assert simulated_files(tree, load_profile(tree, "small")) == {"enclave/stand_in.py": digest}


# The real profile


def test_the_clinical_lock_is_up_to_date():
    """Regenerate with: make generated, or python -m attestation.profiles.lock --write."""
    command = [sys.executable, "-W", "error", "-m", "attestation.profiles.lock"]
    ran = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


PROFILES = ("clinical", "discovery", "genomics")


def of_one_profile(profile):
    return (f"enclave/analyses/{profile}/", f"enclave/profiles/{profile}.py")


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profiles_lock_holds_the_enclave_without_what_others_alone_run_and_no_simulator(profile):
    found = parse_lock((manifests_folder() / profile / LOCK_NAME).read_text("utf-8"))
    others = tuple(path for other in PROFILES if other != profile for path in of_one_profile(other))
    ours = {path for folder in ("enclave", "protocol") for path in files_below(PROJECT, folder)}
    assert {path for path in found if path.startswith(("enclave/", "protocol/"))} == {
        path for path in ours if not path.startswith(others)
    }
    assert {path for path in found if not path.startswith(("enclave/", "protocol/"))} == {
        "attestation/__init__.py",
        "attestation/attesters/__init__.py",
        "attestation/attesters/gramine.py",
        f"manifests/{profile}/profile.toml",
        "requirements.lock",
    }
    assert measure(profile, PROJECT) == measure(profile, PROJECT)


def test_profiles_have_different_measurements():
    assert len({measure(profile, PROJECT) for profile in PROFILES}) == 3


def test_what_only_another_profile_runs_does_not_change_the_measurement(tree):
    (tree / "enclave/other").mkdir()
    (tree / "enclave/other/analysis.py").write_text("")
    profile = tree / "manifests/small/profile.toml"
    profile.write_text('without = ["enclave/other"]\n' + profile.read_text())
    before = measure("small", tree)
    (tree / "enclave/other/analysis.py").write_text("#")
    assert measure("small", tree) == before
    (tree / "enclave/other.py").write_text("")
    assert measure("small", tree) != before
