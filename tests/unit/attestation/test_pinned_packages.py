from pathlib import Path

import pytest

from attestation.profiles.packages import imported_packages, needed_packages, pinned_packages, read_pins
from protocol.errors import AttestationError

PROJECT = Path(__file__).resolve().parents[3]
LOCK = """\
alpha==1.0 \\
    --hash=sha256:00 \\
    --hash=sha256:11
    # via ours (pyproject.toml)
beta==2.0 ; python_full_version < '3.12' \\
    --hash=sha256:00
    # via
    #   ours (pyproject.toml)
    #   alpha
beta==3.0 ; python_full_version >= '3.12' \\
    --hash=sha256:00
    # via
    #   alpha
    #   delta
gamma==1!4.0+local \\
    --hash=sha256:00
    # via beta
colour==5 ; sys_platform == 'win32' \\
    --hash=sha256:00
    # via alpha
delta==6 \\
    --hash=sha256:00
    # via ours (pyproject.toml)
"""


def refuse(call, words):
    with pytest.raises(AttestationError) as caught:
        call()
    assert caught.value.code == "REQUIREMENTS"
    assert words in caught.value.detail


def test_a_lock_is_read_for_the_enclave_not_for_this_machine():
    pins = read_pins(LOCK)
    assert {name: pin.version for name, pin in pins.items()} == {
        "alpha": "1.0",
        "beta": "2.0",
        "gamma": "1!4.0+local",
        "delta": "6",
    }
    assert pins["beta"].via == {"ours", "alpha"}  # and not delta, which asks for the other version


def test_packages_come_with_what_they_need():
    pins = read_pins(LOCK)
    assert [pin.name for pin in needed_packages(pins, ["alpha"])] == ["alpha", "beta", "gamma"]
    assert [pin.name for pin in needed_packages(pins, ["gamma", "delta"])] == ["delta", "gamma"]
    assert needed_packages(pins, []) == ()


def test_what_is_not_pinned_is_an_error():
    refuse(lambda: needed_packages(read_pins(LOCK), ["alpha", "epsilon"]), "epsilon")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("alpha\n", "'alpha'"),
        ("alpha>=1 \\\n", "alpha>=1"),
        ("-e .\n", "-e ."),
        (LOCK + "alpha==1.0 \\\n", "alpha is in"),
        ("alpha==1 ; python is new\n", "alpha of requirements.lock has a marker"),
        ("    # because beta\n", "because"),
    ],
)
def test_locks_that_are_none(text, words):
    refuse(lambda: read_pins(text), words)


def test_imports_are_found_where_they_stand(tmp_path):
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours/one.py").write_text("import os\nimport alpha.part\nimport ours.two\n")
    (tmp_path / "ours/two.py").write_text("def late():\n    from beta.deep import thing\n    from . import one\n")
    assert imported_packages(tmp_path, ["ours/one.py", "ours/two.py"]) == ["alpha", "beta"]


def test_packages_of_trusted_files_are_named_as_they_are_installed(tmp_path):
    (tmp_path / "requirements.lock").write_text(
        "scikit-learn==1 \\\nnumpy==2 \\\n    # via scikit-learn\ntwo-words==3 \\\n"
    )
    (tmp_path / "one.py").write_text("import sklearn\nimport two_words\n")
    pins = pinned_packages(tmp_path, {"one.py": "", "requirements.lock": ""})
    assert [(pin.name, pin.version) for pin in pins] == [("numpy", "2"), ("scikit-learn", "1"), ("two-words", "3")]
