"""The rooms of the project: imports, module size, where the card's libraries are used, the top level."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PACKAGES = ("protocol", "attestation", "custodian", "enclave", "broker", "sealroom")
TOP_LEVEL = {
    ".ci", ".gitignore", "CHANGELOG.md", "LICENSE", "Makefile", "README.md", "SECURITY.md", "THREAT_MODEL.md",
    "attestation", "benchmarks", "broker", "custodian", "docs", "enclave", "examples", "manifests", "protocol",
    "pyproject.toml", "requirements-dev.lock", "requirements.lock", "sealroom", "tests",
}  # fmt: skip
CARD = {
    "cryptography": {"protocol", "attestation"},
    "fastapi": {"broker", "custodian"},
    "httpx": {"sealroom", "enclave", "broker"},
    "pandas": {"sealroom", "enclave"},
    "sklearn": {"enclave"},
}


def modules(package: str):
    return sorted((PROJECT / package).rglob("*.py"))


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def test_top_level_holds_what_the_design_names():
    tracked = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    assert {line.split("/")[0] for line in tracked.splitlines()} == TOP_LEVEL


@pytest.mark.parametrize(("library", "rooms"), CARD.items())
def test_each_library_of_the_card_is_used_where_the_design_says(library, rooms):
    users = {package for package in PACKAGES if any(library in imported(path) for path in modules(package))}
    assert rooms <= users


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_is_longer_than_four_hundred_lines(package):
    long = {str(path): n for path in modules(package) if (n := len(path.read_text().splitlines())) > 400}
    assert not long


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_has_a_name_that_says_nothing(package):
    assert not [p for p in modules(package) if p.stem in {"utils", "common", "helpers", "misc"}]


def test_protocol_knows_no_network_no_clock_and_no_pandas():
    forbidden = {"pandas", "httpx", "requests", "socket", "time", "sqlalchemy", "fastapi", "urllib"}
    for path in modules("protocol"):
        assert not imported(path) & forbidden, path
        assert not re.search(r"\b(datetime|date)\.(now|today|utcnow)\(", path.read_text()), path


def test_analyses_import_nothing_that_does_io():
    forbidden = {"httpx", "os", "pathlib", "socket", "subprocess", "io", "shutil", "tempfile"}
    for path in modules("enclave/analyses"):
        assert not imported(path) & forbidden, path


PROFILES = ("clinical", "discovery", "genomics")


def analysis_of(path: Path) -> str:
    """The analysis that a module belongs to; what several share stands beside the profiles' folders."""
    profile, *rest = path.relative_to(PROJECT / "enclave/analyses").with_suffix("").parts
    return f"{profile}.{rest[0]}" if profile in PROFILES and rest[0] != "__init__" else ""


def test_analyses_do_not_import_each_other():
    for path in modules("enclave/analyses"):
        named = set(re.findall(rf"enclave\.analyses\.((?:{'|'.join(PROFILES)})\.\w+)", path.read_text()))
        assert named <= {analysis_of(path)}, path


def test_readme_names_no_command_that_does_not_exist():
    readme = (PROJECT / "README.md").read_text()
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), flags=re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)", readme))
    assert named
    assert named <= targets


def test_every_glossary_word_stands_once_and_in_order():
    rows = re.findall(r"^\| ([A-Z][^|]*?) \|", (PROJECT / "docs/glossary.md").read_text(), flags=re.MULTILINE)[1:]
    assert len(rows) > 40
    assert rows == sorted(set(rows), key=str.lower)
