"""Every threat has an id, says what stops it, and names tests that exist."""

import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
MODEL = (PROJECT / "THREAT_MODEL.md").read_text()


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
            source = PROJECT / path
            assert source.is_file(), f"{identifier}: {path}"
            assert re.search(rf"def {test}\b", source.read_text()), f"{identifier}: {path}::{test}"
