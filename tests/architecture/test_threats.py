"""Every threat has an id, says what stops it, and names tests that exist; so does every rule of the gate's own."""

import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
MODEL = (PROJECT / "THREAT_MODEL.md").read_text()
GATE = (PROJECT / "docs/decisions/0009-gate-stricter-than-its-table.md").read_text()


def rows():
    return re.findall(r"^\| (T-[A-Z]+-\d+) \| (.*?) \| (.*?) \| (.*?) \|$", MODEL, flags=re.MULTILINE)


def test_ids_are_unique_and_there_are_some():
    ids = [row[0] for row in rows()]
    assert len(ids) > 30
    assert len(set(ids)) == len(ids)


def test_each_threat_names_a_test_that_exists_or_says_that_nothing_stops_it():
    for identifier, threat, answer, tests in rows():
        assert threat and answer, identifier
        if tests == "not stopped":
            continue
        named = re.findall(r"`(tests/[^:`]+)::(\w+)`", tests)
        assert named, identifier
        for path, test in named:
            require(path, test)


def require(path, test):
    source = PROJECT / path
    assert source.is_file(), path
    assert re.search(rf"def {test}\b", source.read_text()), f"{path}::{test}"


def test_each_rule_in_which_the_gate_differs_from_its_table_names_a_test_that_exists():
    rules = re.findall(r"^\| (?!Where|-)(.*?) \| .* \| (.*?) \|$", GATE, flags=re.MULTILINE)
    assert len(rules) > 20
    for where, tests in rules:
        named = re.findall(r"`([\w/.]+)::(\w+)`", tests)
        assert named, where
        for name, test in named:
            require(name if "/" in name else f"tests/security/test_gate_{name}_attacks.py", test)


def test_each_suite_of_attacks_on_the_gate_is_named():
    suites = {path.name for path in (PROJECT / "tests/security").glob("test_gate_*_attacks.py")}
    assert suites == set(re.findall(r"tests/security/(test_gate_\w+_attacks\.py)", MODEL))
