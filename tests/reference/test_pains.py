"""EGFR inhibitors: how many match PAINS and other unwanted substructures, by TeachOpenCADD's talktorial 3."""

import csv
import json

import pytest
from rdkit import Chem

from sealroom.datasets.cells import Wrong
from sealroom.datasets.molecules.alerts import Pains
from sealroom.datasets.molecules.structure import Standardiser


@pytest.mark.slow
def test_the_filter_finds_as_many_as_published(reference):
    folder = reference / "data/drug"
    published = json.loads((folder / "drug_dev.reference.json").read_text())["egfr_teachopencadd"]
    lines = (folder / "egfr_T003_unwanted_substructures.csv").read_text("utf-8").splitlines()[1:]
    patterns = [Chem.MolFromSmarts(line.split()[1]) for line in lines]
    standardiser, pains = Standardiser(), Pains()
    found_pains, kept, matches = 0, 0, []
    for row in csv.DictReader((folder / "egfr_T002_lipinski.csv").read_text("utf-8").splitlines()):
        found = standardiser.smiles(row["smiles"])
        assert not isinstance(found, Wrong)
        if pains.match(found.molecule):
            found_pains += 1
        else:
            kept += 1
            matches.append(sum(found.molecule.HasSubstructMatch(pattern) for pattern in patterns))
    assert (found_pains, kept) == (published["pains"], published["no_pains"])
    assert (sum(matches), matches.count(0)) == (published["unwanted_matches"], published["clean"])
