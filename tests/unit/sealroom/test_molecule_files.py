import io
import sys
import tracemalloc

import molecules
import numpy as np
import pytest

import sealroom.datasets.rows as rows_module
from protocol.documents.dataset import Column
from protocol.errors import DocumentError
from protocol.layout import subject_pseudonym
from sealroom.datasets.check import check_file
from sealroom.datasets.findings import CheckError, Findings
from sealroom.datasets.molecules import source
from sealroom.datasets.molecules.sdf import MAX_RECORD, read_records
from sealroom.datasets.molecules.structure import MAX_ATOMS, MAX_RINGS, MAX_SMILES, Standardiser
from sealroom.datasets.schema import load_schema
from sealroom.datasets.sources import converter_of, rows_of

SOL = Column(name="sol", description="Solubility", kind="decimal", unit="1", scale=2, missing_allowed=True)


@pytest.fixture(autouse=True)
def _no_process(monkeypatch):
    monkeypatch.setattr(source, "MoleculeReader", molecules.ReaderHere)


def findings(text, name, schema):
    with pytest.raises(CheckError) as caught:
        molecules.arrays(text, name, schema)
    return [(f.code, f.row, f.line, f.column) for f in caught.value.findings]


def table(smiles="CCO"):
    return molecules.sdf((smiles, {})).removesuffix("$$$$\n")


def test_a_csv_file_becomes_columns():
    schema = molecules.schema("inchikey", "ecfp4", "logp", molecules="smiles", left_out=["name"], more=(SOL,))
    text = "sol,name,smiles\n-1.5,ethanol,CCO\n,benzene,c1ccccc1\n"
    columns, notes = molecules.arrays(text, "x.csv", schema)
    assert columns["sol"].tolist() == [-150, -(2**63)]
    assert columns["ecfp4"].shape == (2, 256)
    assert columns["inchikey"].tobytes().hex() == "".join(
        molecules.cells(s, "inchikey")[0] for s in ("CCO", "C1=CC=CC=C1")
    )
    assert columns["logp"].tolist() == [-14, 16866]
    assert bytes(columns["compound"][0]) == subject_pseudonym(molecules.SECRET, "LFQSCWFLJHTTHZ-UHFFFAOYSA-N")
    assert notes == []


@pytest.mark.parametrize("v3000", [False, True])
def test_an_sd_file_becomes_columns(v3000):
    schema = molecules.schema("inchikey", molecules=None, left_out=["NAME"], more=(SOL,))
    text = molecules.sdf(("CCO", {"NAME": "ethanol\nspirit", "sol": "1.1"}), ("c1ccccc1", {}), v3000=v3000)
    columns, _ = molecules.arrays(text, "X.SDF", schema)
    assert columns["sol"].tolist() == [110, -(2**63)]
    assert columns["inchikey"].tobytes().hex() == "".join(
        molecules.cells(s, "inchikey")[0] for s in ("CCO", "c1ccccc1")
    )


def test_smiles_may_stand_in_a_property_and_the_title_may_be_the_subject():
    schema = molecules.schema("inchikey", subject="molecule:title", molecules="SMI")
    text = molecules.sdf(("C", {"SMI": "CCO"})).replace("\n", "compound 7\n", 1)
    columns, _ = molecules.arrays(text, "x.sdf", schema)
    assert columns["inchikey"].tobytes().hex() == molecules.cells("CCO", "inchikey")[0]
    assert bytes(columns["compound"][0]) == subject_pseudonym(molecules.SECRET, "compound 7")


def test_the_column_of_smiles_may_be_the_subject_itself():
    schema = molecules.schema("inchikey", subject="smiles", molecules="smiles")
    columns, _ = molecules.arrays("smiles\nOCC\n", "x.csv", schema)
    assert bytes(columns["compound"][0]) == subject_pseudonym(molecules.SECRET, "OCC")


def test_windows_lines_and_blanks_at_the_end_are_read():
    text = molecules.sdf(("CCO", {"sol": "1"}), ("CC", {"sol": "2"})).replace("\n", "  \r\n") + "\r\n \r\n"
    columns, _ = molecules.arrays(text, "x.sdf", molecules.schema(more=(SOL,)))
    assert columns["sol"].tolist() == [100, 200]


@pytest.mark.parametrize(
    ("smiles", "code"),
    [
        ("", "VALUE_MISSING"),
        ("C1CC", "MOLECULE_SYNTAX"),
        ("C(C)(C)(C)(C)C", "MOLECULE_SYNTAX"),
        ("c1cccn1C", None),
        ("c1cccc1", "MOLECULE_SYNTAX"),
        ("CCO ethanol", "MOLECULE_SYNTAX"),
        ("CCO |$_AP1$|", "MOLECULE_SYNTAX"),
        ("C\u2013C", "MOLECULE_SYNTAX"),
        ("C\x00C", "MOLECULE_SYNTAX"),
        ("CC>>CO", "MOLECULE_SYNTAX"),
        ("*CC", "MOLECULE_QUERY"),
        ("[#6]C", None),
        ("C~C", "MOLECULE_QUERY"),
        ("CCC(C):O", "MOLECULE_IDENTITY"),
        ("C" * (MAX_ATOMS + 1), "MOLECULE_SIZE"),
        ("C" * (MAX_SMILES + 1), "MOLECULE_SIZE"),
    ],
)
def test_broken_smiles_are_findings_with_their_place(smiles, code):
    text = f'id,smiles\n1,CCO\n2,"{smiles}"\n3,CC\n'
    schema = molecules.schema("mw", subject="id", molecules="smiles")
    if code is None:
        assert len(molecules.arrays(text, "x.csv", schema)[0]["mw"]) == 3
    else:
        assert findings(text, "x.csv", schema) == [(code, 2, 3, "smiles")]


def test_a_compound_twice_is_found_however_it_is_written(tmp_path):
    (tmp_path / "x.csv").write_text("smiles\nCC(=O)O\nCC\n[Na+].[O-]C(C)=O\n")
    with pytest.raises(CheckError, match="found the subject of row 1 again") as caught:
        check_file(tmp_path / "x.csv", molecules.schema("mw", molecules="smiles"), lambda _: None)
    assert [(f.code, f.row) for f in caught.value.findings] == [("SUBJECT_TWICE", 3)]


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (table() + "\n> <sol>\n1\n\n> <sol>\n2\n\n$$$$\n", "SDF_PROPERTY_TWICE"),
        (table() + "sol 1\n$$$$\n", "SDF_SYNTAX"),
        (table().replace("M  END", "M  EN") + "$$$$\n", "SDF_SYNTAX"),
        ("$$$$\n", "SDF_SYNTAX"),
        (table() + "> <sol>\n1\n", "SDF_TRUNCATED"),
        ("   ", None),
        (table() + "> <sol>\n" + "1\n" * (MAX_RECORD // 2) + "\n$$$$\n", "SDF_RECORD_SIZE"),
        (table() + "> <sol>\n" + "1" * MAX_RECORD + "\n\n$$$$\n", "SDF_RECORD_SIZE"),
        ("x" * (3 * MAX_RECORD), "SDF_TRUNCATED"),
        (table() + "> <colour>\nred\n\n$$$$\n", "SCHEMA_COLUMN_UNKNOWN"),
    ],
)
def test_broken_records_are_findings_with_their_place(record, code):
    schema = molecules.schema("mw", more=(SOL,))
    text = molecules.sdf(("CC", {"sol": "3"})) + record
    line = molecules.sdf(("CC", {"sol": "3"})).count("\n") + 1
    if code is None:
        assert len(molecules.arrays(text, "x.sdf", schema)[0]["mw"]) == 1
    else:
        column = "colour" if code == "SCHEMA_COLUMN_UNKNOWN" else None
        assert findings(text, "x.sdf", schema) == [(code, 2, line, column)]


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("V2000", "V4000", "MOLECULE_SYNTAX"),
        (" C  ", " Xx ", "MOLECULE_SYNTAX"),
        (" C  ", " Q  ", "MOLECULE_QUERY"),
        (" C  ", " R# ", "MOLECULE_QUERY"),
        ("  1  2  1", "  1  2  8", "MOLECULE_QUERY"),
        ("  1  2  1", "  1  2  0", "MOLECULE_QUERY"),
        ("  1  2  1", "  1  2 10", "MOLECULE_QUERY"),
        ("  1  2  1", "  1  9  1", "MOLECULE_SYNTAX"),
        ("  3  2  0", "999999  0", "MOLECULE_SYNTAX"),
        ("RDKit", "RD\x00it", "MOLECULE_SYNTAX"),
    ],
)
def test_broken_connection_tables_are_findings(old, new, code):
    text = molecules.sdf(("CCO", {}))
    assert old in text
    schema = molecules.schema("mw")
    assert findings(text.replace(old, new, 1), "x.sdf", schema) == [(code, 1, 1, "molecule:structure")]


def test_a_connection_table_beyond_the_limit_is_refused():
    found = Standardiser().connection_table("x" * (MAX_RECORD + 1))
    assert found.code == "MOLECULE_SIZE"


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("COUNTS 3 2", "COUNTS 10000000000 2", "MOLECULE_SIZE"),
        ("COUNTS 3 2", "COUN-\nM  V30 TS 00030000 2", "MOLECULE_SIZE"),
        ("COUNTS 3 2", "counts 3 +99999", "MOLECULE_SIZE"),
        ("COUNTS 3 2", "COUNTS 9999 2", "MOLECULE_SYNTAX"),
        ("BEGIN ATOM", "BEGIN ATM", "MOLECULE_SYNTAX"),
    ],
)
def test_counts_that_a_table_does_not_keep_are_findings(old, new, code):
    text = molecules.sdf(("CCO", {}), v3000=True)
    assert old in text
    assert findings(text.replace(old, new, 1), "x.sdf", molecules.schema("mw")) == [(code, 1, 1, "molecule:structure")]


GROUP = "M  V30 BEGIN SGROUP\nM  V30 1 {} 1 ATOMS=(2 1 2)\nM  V30 END SGROUP\nM  V30 END CTAB"
COUNTED = ("COUNTS 3 2 0", "COUNTS 3 2 1")


@pytest.mark.parametrize(
    "kind", ["SRU", "MON", "MER", "COP", "CRO", "MOD", "GRA", "COM", "MIX", "FOR", "ANY", "GEN", "SUP", "MUL", "DAT"]
)
def test_polymers_are_no_molecules(kind):
    text = molecules.sdf(("CCO", {}), v3000=True).replace(*COUNTED).replace("M  V30 END CTAB", GROUP.format(kind))
    if kind in {"SUP", "MUL", "DAT"}:
        assert len(molecules.arrays(text, "x.sdf", molecules.schema("mw"))[0]["mw"]) == 1
    else:
        assert findings(text, "x.sdf", molecules.schema("mw")) == [("MOLECULE_QUERY", 1, 1, "molecule:structure")]


@pytest.mark.parametrize(
    "line",
    [
        "M  STY  1   1 SRU\nM  SAL   1  2   1   2\nM  SBL   1  1   1\nM  SMT   1 n",
        "M  LIN  1   1   4   2   1   2   3",
        "M  APO  1   1   1",
        "M  APO  1   1   3",
    ],
)
def test_old_tables_that_stand_for_many_molecules_are_refused(line):
    text = molecules.sdf(("CCO", {})).replace("M  END", f"{line}\nM  END")
    found = findings(text, "x.sdf", molecules.schema("mw"))
    assert found == [("MOLECULE_QUERY", 1, 1, "molecule:structure")]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("M  V30 END CTAB", "M  V30 LINKNODE 1 3 2 2 1 2 3\nM  V30 END CTAB"),
        ("1 1 1 2\n", "1 1 1 2 ENDPTS=(2 1 3) ATTACH=ANY\n"),
        ("1 1 1 2\n", "1 1 1 2 ENDPTS=(2 1 3) ATTACH=ALL\n"),
        ("1 1 1 2\n", "1 1 1 2 ATTACH=ANY\n"),
        (" 0\nM  V30 2 ", " 0 ATTCHPT=1\nM  V30 2 "),
    ],
)
def test_tables_that_stand_for_many_molecules_are_refused(old, new):
    text = molecules.sdf(("CCO", {}), v3000=True)
    assert text.count(old) == 1
    found = findings(text.replace(old, new), "x.sdf", molecules.schema("mw"))
    assert found == [("MOLECULE_QUERY", 1, 1, "molecule:structure")]


@pytest.mark.parametrize(
    ("mass", "taken"),
    [("13", True), ("14", True), ("0", True), ("-99", False), ("999", False), ("5", False), ("", True), ("x", False)],
)
def test_isotopes_that_no_element_has_are_refused_in_old_tables(mass, taken):
    text = molecules.sdf(("CCO", {})).replace("M  END", f"M  ISO  2   3  18   1 {mass:>3}\nM  END")
    if taken:
        assert len(molecules.arrays(text, "x.sdf", molecules.schema("mw"))[0]["mw"]) == 1
    else:
        assert findings(text, "x.sdf", molecules.schema("mw")) == [("MOLECULE_ISOTOPE", 1, 1, "molecule:structure")]


@pytest.mark.parametrize("mass", ["99999999999", "-5", "999", "1", "1-\nM  V30 4000", "13.5"])
def test_isotopes_that_no_element_has_are_refused_in_new_tables(mass):
    schema, text = molecules.schema("mw"), molecules.sdf(("CCO", {}), v3000=True)
    old = " 0\nM  V30 2 "
    assert text.count(old) == 1
    assert len(molecules.arrays(text.replace(old, f" 0 MASS=13{old[2:]}"), "x.sdf", schema)[0]["mw"]) == 1
    found = findings(text.replace(old, f" 0 mass={mass}{old[2:]}"), "x.sdf", schema)
    assert found == [("MOLECULE_ISOTOPE", 1, 1, "molecule:structure")]


@pytest.mark.parametrize(
    ("smiles", "taken"), [("[13CH4]", True), ("[2H]C", True), ("[99CH4]", False), ("[1CH4]", False)]
)
def test_isotopes_that_no_element_has_are_refused_in_smiles(smiles, taken):
    found = Standardiser().smiles(smiles)
    assert getattr(found, "code", None) == (None if taken else "MOLECULE_ISOTOPE")


def test_a_table_without_atoms_and_a_cage_of_too_many_rings_are_refused():
    from rdkit import Chem

    standardiser = Standardiser()
    empty = standardiser.connection_table(Chem.MolToMolBlock(Chem.Mol()))
    assert (empty.code, empty.found) == ("MOLECULE_SYNTAX", "no atoms")
    ladder = Chem.RWMol()
    for _ in range(240):
        ladder.AddAtom(Chem.Atom(6))
    for first, second in [*((n, n + 1) for n in range(239)), *((n, n + 3) for n in range(0, 237, 2))]:
        ladder.AddBond(first, second, Chem.BondType.SINGLE)
    caged = standardiser.smiles(Chem.MolToSmiles(ladder))
    assert (caged.code, caged.found) == ("MOLECULE_SIZE", f"more than {MAX_RINGS} rings")


def test_a_finding_shows_no_connection_table():
    with pytest.raises(CheckError) as caught:
        molecules.arrays(molecules.sdf(("CCO", {})).replace(" C  ", " Q  "), "x.sdf", molecules.schema("mw"))
    assert caught.value.findings[0].value is None


def test_an_empty_sd_file_and_one_that_is_no_utf8_are_findings(tmp_path):
    schema = molecules.schema("mw")
    assert findings("\n\n", "x.sdf", schema) == [("FILE_EMPTY", None, None, None)]
    record = molecules.sdf(("CCO", {})).encode()
    for before, after in ((0, 3000), (2999, 1), (3000, 0)):  # far within the file; first; last
        (tmp_path / "x.sdf").write_bytes(record * before + b"\n\xff\n$$$$\n" + record * after)
        with pytest.raises(CheckError) as caught:
            check_file(tmp_path / "x.sdf", schema, lambda _: None)
        first = caught.value.findings[0]
        assert (first.code, first.row, first.line) == ("SDF_ENCODING", before + 1, before * record.count(b"\n") + 2)


def test_unknown_properties_are_told_once_and_no_more_than_can_be_shown():
    schema = molecules.schema("mw")
    text = molecules.sdf(*[("CC", {"a": "1", "b": "2"})] * 3)
    assert findings(text, "x.sdf", schema) == [
        ("SCHEMA_COLUMN_UNKNOWN", 1, 1, "a"),
        ("SCHEMA_COLUMN_UNKNOWN", 1, 1, "b"),
    ]
    many = molecules.sdf(("CC", {f"p{place}": "1" for place in range(50)}))
    assert len(findings(many, "x.sdf", schema)) == 20


def test_mixtures_and_interfering_compounds_are_notes():
    schema = molecules.schema("mw", subject="id", molecules="smiles")
    text = "id,smiles\n1,CCN.Cl\n2,CC\n3,O=C1C(=Cc2ccccc2)SC(=S)N1\n4,c1ccccc1\n"
    _, quiet = molecules.arrays(text, "x.csv", schema)
    assert quiet == ["1 rows hold several molecules; the largest organic one of each was taken."]
    _, notes = molecules.arrays(text, "x.csv", schema, alerts=True)
    assert notes[1].startswith("1 of 4 compounds match the PAINS filter")


class Endless(io.StringIO):
    """A line of 40 MB before the text, made as it is asked for."""

    left = 40_000_000

    def readline(self, size=-1):
        assert size > 0
        if not self.left:
            return super().readline(size)
        piece = min(size, self.left)
        self.left -= piece
        return "y" * piece


def test_memory_does_not_grow_with_what_is_wrong_or_long():
    text = Endless("\n$$$$\n" + molecules.sdf(("CC", {})), newline="")
    tracemalloc.start()
    codes = [record.wrong and record.wrong.code for record in read_records(text)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert codes == ["SDF_RECORD_SIZE", None]
    assert peak < 10 * MAX_RECORD


def test_a_csv_line_that_is_too_long_is_not_read(monkeypatch):
    monkeypatch.setattr("sealroom.datasets.csv_rows.CHARACTERS", 1000)
    text = "id,sol\n1,2\n2," + " " * 1000 + "3\n"
    assert findings(text, "x.csv", molecules.schema(subject="id", more=(SOL,))) == [("ROW_TOO_LONG", 2, 3, None)]


def test_blocks_are_bounded_by_characters(monkeypatch):
    monkeypatch.setattr(rows_module, "CHARACTERS", 600)
    schema = molecules.schema("mw", subject="molecule:title", left_out=["NAME"])
    text = molecules.sdf(*[("CCO", {})] * 7)
    blocks = rows_of(io.StringIO(text, newline=""), "x.sdf", schema, Findings()).blocks()
    assert [block.rows for block in blocks] == [[1, 2], [3, 4], [5, 6], [7]]


def test_rows_are_not_counted_wrongly_after_one_that_cannot_be_read(tmp_path):
    (tmp_path / "x.csv").write_text("smiles\nC1\nCC\nCC\n")
    with pytest.raises(CheckError) as caught:
        check_file(tmp_path / "x.csv", molecules.schema("mw", molecules="smiles"), lambda _: None)
    assert [(f.code, f.row) for f in caught.value.findings] == [("MOLECULE_SYNTAX", 1)]


def test_a_check_says_how_many_match_the_filter(tmp_path):
    (tmp_path / "x.csv").write_text("smiles\nCC\nO=C1C(=Cc2ccccc2)SC(=S)N1\n")
    checked = check_file(tmp_path / "x.csv", molecules.schema("mw", molecules="smiles"), lambda _: None)
    assert [note[:7] for note in checked.warnings] == ["1 of 2 "]


def test_what_read_a_file_is_said():
    assert converter_of("x.csv", molecules.schema(subject="id", more=(SOL,))) == "csv"
    assert converter_of("x.csv", molecules.schema("mw", molecules="smiles")).startswith("csv, RDKit ")
    assert converter_of("x.sdf", molecules.schema("mw")).startswith("sdf, RDKit ")


def test_without_rdkit_one_is_told_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("sealroom.datasets.molecules.structure")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rdkit", None)
    with pytest.raises(DocumentError, match=r"pip install sealroom\[chemistry\]") as caught:
        molecules.arrays("smiles\nCC\n", "x.csv", molecules.schema("mw", molecules="smiles"))
    assert caught.value.code == "CHEMISTRY_ABSENT"
    with pytest.raises(DocumentError, match="CHEMISTRY_ABSENT"):
        converter_of("x.sdf", molecules.schema("mw"))


HEX = (
    "id,fp,key\n",
    Column(name="fp", description="f", kind="bits", width=16),
    Column(name="key", description="k", kind="digest"),
)


def test_whoever_makes_fingerprints_alone_seals_them_as_hex():
    schema = molecules.schema(subject="id", more=HEX[1:])
    columns, _ = molecules.arrays(f"{HEX[0]}1,01fF,{'ab' * 16}\n2, 0080 ,{'00' * 16}\n", "x.csv", schema)
    assert columns["fp"].tolist() == [[1, 255], [0, 128]]
    assert np.unpackbits(columns["fp"], axis=1, bitorder="little")[:, 0].tolist() == [1, 0]
    assert columns["key"].shape == (2, 16)


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("", "VALUE_MISSING"),
        ("01f", "VALUE_LENGTH"),
        ("01ff00", "VALUE_LENGTH"),
        ("01 f", "VALUE_HEX"),
        ("0x1f", "VALUE_HEX"),
        ("01fg", "VALUE_HEX"),
        ("٠١٢٣", "VALUE_HEX"),
    ],
)
def test_what_is_no_hex_of_the_right_length_is_a_finding(cell, code):
    schema = molecules.schema(subject="id", more=HEX[1:])
    assert findings(f"{HEX[0]}1,{cell},{'ab' * 16}\n", "x.csv", schema) == [(code, 1, 2, "fp")]


@pytest.mark.parametrize("line", ['left_out = "name"', "left_out = [1]", "molecules = 3", 'molecules = ""'])
def test_headings_at_the_head_of_a_schema_are_texts(tmp_path, line):
    columns = (
        '[[columns]]\nname = "x"\ndescription = "x"\nkind = "subject"\n'
        '[[columns]]\nname = "y"\ndescription = "y"\nkind = "digest"\n'
    )
    (tmp_path / "s.toml").write_text(f"{line}\n{columns}")
    with pytest.raises(DocumentError) as caught:
        load_schema(tmp_path / "s.toml")
    assert caught.value.code == "SCHEMA_HEADER"


def test_what_stands_at_the_head_of_a_schema_is_not_signed(tmp_path):
    columns = (
        '[[columns]]\nname = "x"\ndescription = "x"\nkind = "subject"\n'
        '[[columns]]\nname = "y"\ndescription = "y"\nkind = "digest"\n'
    )
    (tmp_path / "s.toml").write_text(f'left_out = ["", "secret-name"]\nmolecules = "smiles"\n{columns}')
    schema = load_schema(tmp_path / "s.toml")
    assert (schema.left_out, schema.molecules) == ({"", "secret-name"}, "smiles")
    assert "secret-name" not in schema.table.model_dump_json()
    assert load_schema(tmp_path / "s.toml", "other").molecules == "other"
