import hashlib

import molecules
import pytest

from protocol.documents.dataset import Column
from protocol.errors import DocumentError
from sealroom.datasets.molecules.columns import FEATURES, NOT_DRAFTED, plan_for
from sealroom.datasets.molecules.descriptors import _CELLS
from sealroom.datasets.molecules.structure import software

SOL = Column(name="sol", description="Solubility", kind="integer", unit="1")


def digest(text):
    return hashlib.sha256(text.encode()).digest()[:16].hex()


def test_each_feature_is_computed_and_each_that_is_computed_is_declared():
    assert list(_CELLS) == list(FEATURES)
    assert set(NOT_DRAFTED) < set(FEATURES)


def test_aspirin_is_described_as_others_describe_it():
    """InChIKey and formula weight are PubChem's (CID 2244), TPSA too; 21 heavy-atom environments set the fingerprint."""
    names = ("compound", "mw", "tpsa", "hbd", "hba", "rotatable", "rings", "aromatic-rings", "heavy-atoms", "fsp3")
    found = molecules.cells("CC(=O)Oc1ccccc1C(=O)O", *names)
    assert found == ("BSYNRYMUTXBXSQ-UHFFFAOYSA-N", "180.159", "63.60", "1", "3", "2", "1", "1", "13", "0.1111")


def test_digests_are_of_inchikey_and_scaffold():
    inchikey, scaffold = molecules.cells("CC(=O)Oc1ccccc1C(=O)O", "inchikey", "scaffold")
    assert inchikey == digest("BSYNRYMUTXBXSQ-UHFFFAOYSA-N")
    assert scaffold == digest("c1ccccc1")


def test_a_scaffold_has_no_stereochemistry_and_no_side_chains():
    first = molecules.cells("C[C@H]1CC[C@@H](O)CC1", "scaffold")
    assert first == molecules.cells("CCC1CCCCC1", "scaffold")
    assert first != molecules.cells("CCC1CCCC1", "scaffold")


ACYCLIC = (
    "CCCCC",
    "C[C@H](O)CC",
    "C/C=C\\C#N",
    "C[N+](C)(C)CC(=O)[O-]",
    "CC(=O)[O-].[Na+]",
    "[2H]C([2H])([2H])O",
    "ClC(Cl)(Cl)Cl",
    "O",
)


@pytest.mark.parametrize("smiles", ACYCLIC)
def test_all_acyclic_compounds_are_of_one_scaffold_the_empty_one(smiles):
    from rdkit.Chem.Scaffolds import MurckoScaffold

    assert molecules.cells(smiles, "scaffold") == (digest(""),)
    assert MurckoScaffold.MurckoScaffoldSmiles(molecules.standard(smiles).smiles) == ""


def test_bits_are_in_the_order_of_the_layout():
    import numpy as np
    from rdkit import Chem
    from rdkit.Chem import MACCSkeys, rdFingerprintGenerator

    smiles = "Cn1c(=O)c2c(ncn2C)n(C)c1=O"
    ecfp4, maccs = molecules.cells(smiles, "ecfp4", "maccs")
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    wanted = generator.GetFingerprintAsNumPy(Chem.MolFromSmiles(smiles))
    assert bytes.fromhex(ecfp4) == np.packbits(wanted, bitorder="little").tobytes()
    keys = np.array(MACCSkeys.GenMACCSKeys(Chem.MolFromSmiles(smiles)))
    assert (np.unpackbits(np.frombuffer(bytes.fromhex(maccs), "u1"), bitorder="little")[:167] == keys).all()


@pytest.mark.parametrize(
    ("written", "standard"),
    [
        ("CC(=O)[O-].[Na+]", "CC(=O)O"),
        ("CC(=O)O[Na]", "CC(=O)O"),
        ("C[NH3+].[Cl-]", "CN"),
        ("CN(=O)=O", "C[N+](=O)[O-]"),
        ("[CH3:7][OH:9]", "CO"),
        ("[H]C([H])([H])O", "CO"),
        ("CS(C)=O", "C[S+](C)[O-]"),
        ("[NH3+]CC(=O)[O-]", "NCC(=O)O"),
        ("C[N+](C)(C)CC(=O)[O-]", "C[N+](C)(C)CC(=O)[O-]"),
        ("CCO.c1ccccc1.[Au]", "c1ccccc1"),
        ("[2H]C([2H])([2H])O", "[2H]C([2H])([2H])O"),
    ],
)
def test_the_standard_form(written, standard):
    assert molecules.standard(written).smiles == standard


def test_a_heavier_inorganic_part_is_not_the_compound():
    assert molecules.standard("CCO.O=S(=O)(O)OS(=O)(=O)O").smiles == "CCO"


def test_the_software_is_named_with_its_version():
    from rdkit import rdBase

    assert f"RDKit {rdBase.rdkitVersion}" in software()
    assert "tautomers as written" in software()


def test_a_file_without_molecules_has_no_plan():
    schema = molecules.schema(subject="id", more=(SOL,))
    assert plan_for(schema, "x.csv") is None
    assert plan_for(schema, "x.sdf").sought == ("id", "sol", "molecule:structure")


def test_computed_columns_take_their_place_among_the_others():
    schema = molecules.schema("mw", subject="id", molecules="smiles", more=(SOL,))
    plan = plan_for(schema, "x.csv")
    assert plan.sought == ("id", "sol", "smiles")
    assert plan.columns == (0, "mw", 1)
    assert plan.features == ("mw",)


def test_columns_to_compute_need_molecules():
    with pytest.raises(DocumentError, match="--molecules COLUMN") as caught:
        plan_for(molecules.schema("mw"), "x.csv")
    assert caught.value.code == "MOLECULE_SOURCE"


@pytest.mark.parametrize(
    "change",
    [{"kind": "integer", "scale": 0}, {"scale": 2}, {"unit": "Da"}],
)
def test_a_column_that_does_not_hold_its_feature_is_refused(change):
    schema = molecules.schema("mw", molecules="smiles")
    columns = (schema.table.columns[0], schema.table.columns[1].model_copy(update=change))
    object.__setattr__(schema, "table", schema.table.model_copy(update={"columns": columns}))
    with pytest.raises(DocumentError, match='kind = "decimal", unit = "g/mol", scale = 3') as caught:
        plan_for(schema, "x.csv")
    assert caught.value.code == "MOLECULE_COLUMN"


def test_a_narrower_fingerprint_and_an_unknown_feature_are_refused():
    schema = molecules.schema("ecfp4", molecules="smiles")
    narrow = schema.table.columns[1].model_copy(update={"width": 1024})
    object.__setattr__(schema, "table", schema.table.model_copy(update={"columns": (schema.table.columns[0], narrow)}))
    with pytest.raises(DocumentError, match="width = 2048"):
        plan_for(schema, "x.csv")
    for name, words in (("x.csv", "title is for SD files"), ("x.sdf", "fsp3, title")):
        with pytest.raises(DocumentError, match=words) as caught:
            plan_for(molecules.schema("mw", subject="molecule:colour", molecules="smiles"), name)
        assert caught.value.code == "MOLECULE_COLUMN"


def test_more_decimals_than_the_feature_has_are_allowed():
    schema = molecules.schema("mw", molecules="smiles")
    wide = schema.table.columns[1].model_copy(update={"scale": 6})
    object.__setattr__(schema, "table", schema.table.model_copy(update={"columns": (schema.table.columns[0], wide)}))
    columns, _ = molecules.arrays("smiles\nCCO\n", "x.csv", schema)
    assert columns["mw"].tolist() == [46_069_000]
