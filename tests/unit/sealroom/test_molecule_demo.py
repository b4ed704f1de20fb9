import csv
import hashlib
import itertools
import re
import tomllib

import molecules
import pytest

from sealroom.datasets.check import check_file
from sealroom.datasets.schema import load_schema
from sealroom.demo.solubility import DISCOVERY, cut_solubility, holders
from sealroom.demo.study import data_of


@pytest.fixture(scope="module")
def rows():
    return list(csv.DictReader(data_of("discovery").joinpath("solubility.csv").read_text("utf-8").splitlines()))


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("discovery")
    return folder, DISCOVERY.prepare(folder, None)


def test_the_data_is_what_its_provenance_says(rows):
    provenance = data_of("discovery").joinpath("PROVENANCE.md").read_text("utf-8")
    digest = hashlib.sha256(data_of("discovery").joinpath("solubility.csv").read_bytes()).hexdigest()
    assert digest in provenance
    assert len(rows) == 1274
    assert len({row["smiles"] for row in rows}) == 1274
    scaffolds = [int(row["scaffold"]) for row in rows]
    assert len(set(scaffolds) - {0}) == 291
    assert (scaffolds.count(0), scaffolds.count(8)) == (336, 318)


def test_scaffolds_are_numbered_as_they_are_computed(rows):
    numbers = {hashlib.sha256(b"").digest()[:16].hex(): 0}
    for row in rows:
        (scaffold,) = molecules.cells(row["smiles"], "scaffold")
        assert numbers.setdefault(scaffold, len(numbers)) == int(row["scaffold"])
    assert list(numbers).index(molecules.cells("c1ccccc1", "scaffold")[0]) == 8


def test_three_partners_share_some_compounds_and_some_scaffolds(parts, rows):
    folder, counts = parts
    assert counts == {"a": 551, "b": 517, "c": 544}
    scaffold = {row["smiles"]: row["scaffold"] for row in rows}
    have = {}
    for party in counts:
        mine = list(csv.DictReader((folder / party / "compounds.csv").read_text("utf-8").splitlines()))
        have[party] = {row["smiles"] for row in mine}
        assert len(mine) == len(have[party]) == counts[party]
        assert list(mine[0]) == ["name", "smiles", "solubility"]
    assert set.union(*have.values()) == set(scaffold)
    found = {
        first + second: (len(have[first] & have[second]), len(series(have[first]) & series(have[second])))
        for series in [lambda smiles: {scaffold[text] for text in smiles}]
        for first, second in itertools.combinations(counts, 2)
    }
    assert found == {"ab": (117, 65), "ac": (149, 57), "bc": (156, 61)}


def test_who_holds_a_compound_follows_from_row_and_scaffold():
    assert holders(1, 1) == ("a",)
    assert holders(1, 4) == ("b",)
    assert holders(1, 3) == ("b",)  # every third scaffold's compounds go round
    assert holders(2, 3) == ("c",)
    assert holders(1, 0) == holders(1, 8) == ("b",)  # acyclic compounds and benzene's do, too
    assert holders(2, 0) == holders(2, 8) == ("c",)
    assert holders(5, 7) == ("c", "a")
    assert holders(15, 7) == ("a", "b", "c")


def test_each_file_passes_its_schema(parts):
    folder, counts = parts
    for party, count in counts.items():
        schema = load_schema(folder / party / "schema.toml")
        assert check_file(folder / party / "compounds.csv", schema, lambda _: None).rows == count


def test_recipes_name_columns_of_the_schema_and_analyses_of_the_terms(parts):
    folder, _ = parts
    schema = load_schema(folder / "a" / "schema.toml")
    terms = tomllib.loads((folder / "a" / "policy.toml").read_text("utf-8"))
    asked = [tomllib.loads((folder / f"{question.recipe}.toml").read_text("utf-8")) for question in DISCOVERY.questions]
    assert {recipe["analysis"] for recipe in asked} == set(terms["analyses"])
    for recipe in asked:
        given = {name: value for name, value in recipe["parameters"].items() if name != "models"}
        for name in itertools.chain.from_iterable([v] if isinstance(v, str) else v for v in given.values()):
            assert schema.table.column(name) is not None
    words = [column.description for column in schema.table.columns]
    assert not any(re.search("smiles", text, re.IGNORECASE) for text in words)


def test_cutting_twice_gives_the_same(tmp_path, parts):
    folder, _ = parts
    cut_solubility(tmp_path)
    for party in "abc":
        name = f"{party}/compounds.csv"
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
