"""Molecules: whatever stands in the file, an answer or a finding; the same compound however it is spelt and wherever."""

import csv
import faulthandler
import io

import molecules
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from rdkit import Chem

from sealroom.datasets.cells import Wrong
from sealroom.datasets.findings import CheckError
from sealroom.datasets.molecules import source
from sealroom.datasets.molecules.descriptors import cell_of
from sealroom.datasets.molecules.sdf import MAX_RECORD, read_records
from sealroom.datasets.molecules.structure import MAX_ATOMS, MAX_SMILES, Standardiser

STANDARDISER = Standardiser()
DRUGS = (
    "CC(=O)Oc1ccccc1C(=O)O",
    "CN1CCC[C@H]1c1cccnc1",
    "Cn1c(=O)c2c(ncn2C)n(C)c1=O",
    "C[N+](C)(C)CC(=O)[O-]",
    "CC(C)Cc1ccc(cc1)[C@@H](C)C(=O)[O-].[Na+]",
    "NCCc1c[nH]c2ccc(O)cc12.Cl",
    "C/C=C\\C(=O)NC1CC1",
    "O=[N+]([O-])c1ccc(cc1)S(=O)(=O)N",
    "CCCCCC",
    "OC[C@H]1O[C@@H](O)[C@H](O)[C@@H](O)[C@@H]1O",
    "[2H]C([2H])([2H])Oc1ccccc1",
    "C1CC2CCC1C2",
)
SALTS = (".[Na+].[Cl-]", ".Cl", ".O", ".OS(=O)(=O)O", ".[K+].[Br-].O")
TOKENS = [
    *"CNOSPFcnos()=#123/\\.",
    "%10",
    "Cl",
    "Br",
    "[nH]",
    "[C@H]",
    "[N+]",
    "[O-]",
    "[2H]",
    "[Fe]",
    "[CH2]",
    "->",
    "*",
    "~",
]
CODES = {
    "VALUE_MISSING",
    "MOLECULE_SYNTAX",
    "MOLECULE_SIZE",
    "MOLECULE_QUERY",
    "MOLECULE_IDENTITY",
    "MOLECULE_ISOTOPE",
}
SDF_CODES = CODES | {
    "FILE_EMPTY",
    "SDF_SYNTAX",
    "SDF_TRUNCATED",
    "SDF_PROPERTY_TWICE",
    "SDF_RECORD_SIZE",
    "SCHEMA_COLUMN_UNKNOWN",
    "SUBJECT_TWICE",
    "VALUE_CODE",
}
TABLES = tuple(
    molecules.sdf(*((smiles, {"NAME": "x", "SOL": "-1.5"}) for smiles in DRUGS[place : place + 2]), v3000=v3000)
    for place in (0, 4, 8)
    for v3000 in (False, True)
)


@pytest.fixture(autouse=True, scope="module")
def _bounded_time():
    """RDKit runs in this process here: it ends, with a traceback, if a structure holds it up."""
    faulthandler.dump_traceback_later(600, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture(autouse=True, scope="module")
def _no_process():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "MoleculeReader", molecules.ReaderHere)
        yield


def features(found):
    assert not isinstance(found, Wrong), found
    return {name: cell_of(name, found) for name in molecules.COMPUTED}


def answer(found):
    """An answer can be described, and read again; anything else is a finding."""
    if isinstance(found, Wrong):
        assert found.code in CODES
        return
    assert features(STANDARDISER.smiles(found.smiles)) == features(found)


@settings(max_examples=300)
@given(st.text(max_size=200))
def test_any_text_as_smiles_gets_an_answer(text):
    answer(STANDARDISER.smiles(text))


@settings(max_examples=600)
@given(st.lists(st.sampled_from(TOKENS), max_size=60).map("".join))
def test_any_tokens_of_smiles_get_an_answer(text):
    answer(STANDARDISER.smiles(text))


@settings(max_examples=300)
@given(st.sampled_from(DRUGS), st.data())
def test_a_damaged_smiles_gets_an_answer(smiles, data):
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(smiles))] * 2)))
    answer(
        STANDARDISER.smiles(
            smiles[:start] + data.draw(st.sampled_from(TOKENS)) * data.draw(st.integers(0, 20)) + smiles[end:]
        )
    )


@settings(max_examples=300)
@given(st.sampled_from(TABLES), st.data())
def test_a_damaged_sd_file_is_read_or_refused_with_its_place(text, data):
    """Cut off, a stretch replaced, lines swapped or repeated, NUL and control characters among the replacements."""
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(text))] * 2)))
    end = min(end, start + data.draw(st.integers(0, 40)))
    match data.draw(st.sampled_from(("cut", "replace", "repeat"))):
        case "cut":
            text = text[:start]
        case "replace":
            text = text[:start] + data.draw(st.text(max_size=12)) + text[end:]
        case "repeat":
            text = text[:end] + text[start:end] * data.draw(st.integers(1, 30)) + text[end:]
    check(text)


@settings(max_examples=200)
@given(st.text(max_size=400))
def test_any_text_as_sd_file_gets_an_answer(text):
    assume(text.isascii() or text.encode("utf-8", "ignore").decode() == text)  # a file has no lone surrogates
    check(text)


def check(text):
    schema = molecules.schema("inchikey", "ecfp4", left_out=("NAME", "SOL"))
    try:
        columns, _ = molecules.arrays(text, "x.sdf", schema)
    except CheckError as error:
        assert {finding.code for finding in error.findings} <= SDF_CODES
        for finding in error.findings:
            assert finding.file == "x.sdf"
            assert (finding.row is None) == (finding.code == "FILE_EMPTY")
    else:
        assert len(columns["ecfp4"])


@settings(max_examples=60)
@given(st.integers(0, 3), st.integers(0, 10**20), st.integers(0, 10**20), st.sampled_from(("\n", "-\nM  V30 ")))
def test_counts_of_a_v3000_table_make_no_room(zeros, atoms, bonds, between):
    counts = f"M  V30 COU{between.strip(chr(10))}NTS {'0' * zeros}{atoms} {bonds} 0 0 0"
    table = (
        f"\n  x\n\n  0  0  0     0  0            999 V3000\nM  V30 BEGIN CTAB\n{counts}\nM  V30 BEGIN ATOM\nM  END\n"
    )
    found = STANDARDISER.connection_table(table)
    assert isinstance(found, Wrong)
    assert found.code in CODES


@settings(max_examples=20)
@given(
    st.sampled_from(("0", "+0", "00", " ", "\n", "-\nM  V30 0")),
    st.sampled_from(("", "M  V30 COUNTS ", "M  V30 COUNTS 0", "M  V30 ")),
    st.sampled_from(("x", "", " 1x")),
)
def test_counts_of_tens_of_thousands_of_zeros_end(piece, head, tail):
    """A search that went back over them would take minutes: its time is the square of their number."""
    table = f"\n\n\n{head}{piece * (190_000 // len(piece))}{tail}\nM  END\n"
    found = STANDARDISER.connection_table(table)
    assert isinstance(found, Wrong)
    assert found.code in CODES


@settings(max_examples=30)
@given(st.sampled_from(("C(", "[C@](", "C1(", "C=1(", "N(C)(")), st.integers(1, 3 * MAX_SMILES), st.booleans())
def test_branches_nest_as_deep_as_they_like(opening, depth, closed):
    answer(STANDARDISER.smiles(opening * depth + "C" + ")" * depth * closed))


@pytest.mark.parametrize(
    "smiles",
    [
        "C" * (MAX_ATOMS + 1),
        "C" * MAX_SMILES,
        "C" * (MAX_SMILES + 1),
        "C(" * 3300 + "C" + ")" * 3300,
        "C" + "(C)" * 3000,
        "c1" + "c" * 1200 + "1",
        ".".join(["[Na+].[Cl-]"] * 600),
    ],
)
def test_what_is_too_large_is_refused_before_it_is_looked_at(smiles):
    found = STANDARDISER.smiles(smiles)
    assert isinstance(found, Wrong)
    assert found.code == "MOLECULE_SIZE"


@pytest.mark.parametrize("smiles", ["C" * MAX_ATOMS, "C(C)" * 300, "[C@@H](F)C" * 200, "C([N+](=O)[O-])" * 200])
def test_what_is_just_small_enough_is_described(smiles):
    assert features(STANDARDISER.smiles(smiles))["heavy-atoms"] != "0"


@settings(max_examples=150)
@given(st.sampled_from(DRUGS), st.integers(1, 2**31 - 1), st.booleans(), st.booleans(), st.booleans())
def test_a_compound_is_the_same_however_it_is_spelt(smiles, seed, kekule, hydrogens, mapped):
    molecule = Chem.MolFromSmiles(smiles)
    if hydrogens:
        molecule = Chem.AddHs(molecule)
    if kekule:
        Chem.Kekulize(molecule, clearAromaticFlags=True)
    if mapped:
        for atom in molecule.GetAtoms():
            atom.SetAtomMapNum(atom.GetIdx() + 1)
    order = np.random.default_rng(seed).permutation(molecule.GetNumAtoms()).tolist()
    spelt = Chem.MolToSmiles(Chem.RenumberAtoms(molecule, order), canonical=False, kekuleSmiles=kekule)
    assert features(STANDARDISER.smiles(spelt)) == features(STANDARDISER.smiles(smiles))
    random = Chem.MolToSmiles(Chem.MolFromSmiles(smiles), doRandom=True)
    assert features(STANDARDISER.smiles(f"  {random} ")) == features(STANDARDISER.smiles(smiles))


@settings(max_examples=60)
@given(st.sampled_from(DRUGS), st.sampled_from(SALTS), st.booleans())
def test_a_compound_is_the_same_with_and_without_its_counter_ions(smiles, salt, first):
    mixed = salt[1:] + "." + smiles if first else smiles + salt
    found = STANDARDISER.smiles(mixed)
    assert features(found) == features(STANDARDISER.smiles(smiles))
    assert found.was_mixture


@settings(max_examples=40)
@given(st.sampled_from(DRUGS), st.booleans(), st.booleans())
def test_a_compound_is_the_same_as_smiles_and_as_connection_table(smiles, v3000, hydrogens):
    from rdkit.Chem import rdDepictor

    molecule = Chem.MolFromSmiles(smiles)
    molecule = Chem.AddHs(molecule) if hydrogens else molecule
    rdDepictor.Compute2DCoords(molecule)  # stereochemistry is drawn
    table = Chem.MolToMolBlock(molecule, forceV3000=v3000)
    assert features(STANDARDISER.connection_table(table)) == features(STANDARDISER.smiles(smiles))


@settings(max_examples=25)
@given(st.permutations(range(len(DRUGS))), st.integers(1, 5))
def test_a_row_is_the_same_in_any_order_and_in_blocks_of_any_size(order, rows):
    import sealroom.datasets.rows as rows_module

    names = ("inchikey", "scaffold", "ecfp4", "mw", "logp")
    schema = molecules.schema(*names, subject="name", molecules="smiles")
    first, _ = molecules.arrays(as_csv(range(len(DRUGS))), "x.csv", schema)
    before = rows_module.MAX_BLOCK_ROWS
    rows_module.MAX_BLOCK_ROWS = rows
    try:
        second, _ = molecules.arrays(as_csv(order), "x.csv", schema)
    finally:
        rows_module.MAX_BLOCK_ROWS = before
    for name in (*names, "compound"):
        assert (second[name] == first[name][list(order)]).all()


def as_csv(order):
    out = io.StringIO()
    csv.writer(out).writerows([["name", "smiles"], *([str(place), DRUGS[place]] for place in order)])
    return out.getvalue()


@settings(max_examples=200)
@given(
    st.lists(st.sampled_from(["$$$$", "M  END", "> <A>", "> <B>", "", "1", "x" * 70_000, "\x00", "$$$$x"]), max_size=40)
)
def test_records_are_cut_out_within_the_limit_and_numbered(lines):
    text = "\n".join(lines) + "\n"
    records = list(read_records(io.StringIO(text, newline="")))
    assert [record.number for record in records] == list(range(1, len(records) + 1))
    ends = lines.count("$$$$")
    assert ends <= len(records) <= ends + 1
    for record in records:
        size = len(record.table) + sum(map(len, record.properties.values()))
        assert size <= MAX_RECORD
        assert record.line == 1 or lines[record.line - 2] == "$$$$"
