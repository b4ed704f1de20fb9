import base64
import json

import molecules
import pytest
from factories import CustodianPair
from partner_desk import Desk

from protocol.canonical import canonical_bytes
from protocol.errors import DocumentError, StorageError
from sealroom.datasets.check import check_file
from sealroom.datasets.draft import draft_schema
from sealroom.datasets.molecules.structure import software
from sealroom.datasets.schema import load_schema

CHAINS = ["C" * length for length in range(1, 16)]


def drafted(tmp_path, path, smiles=None):
    schema = tmp_path / "drafted.toml"
    schema.write_text(draft_schema(path, smiles))
    return load_schema(schema)


@pytest.fixture
def compounds(tmp_path):
    path = tmp_path / "compounds.csv"
    lines = [f"{place},alkane {place},{smiles},{place}.5,{place}" for place, smiles in enumerate(CHAINS)]
    path.write_text("\n".join(["compound_id,name,smiles,measured,mw", *lines]) + "\n")
    return path


def test_a_draft_for_smiles_fits_its_file_as_it_is(tmp_path, compounds):
    schema = drafted(tmp_path, compounds, "smiles")
    assert schema.molecules == "smiles"
    assert schema.left_out == {"compound_id", "name"}
    assert schema.headings["compound"] == "molecule:compound"
    assert schema.headings["given-mw"] == "mw"
    assert schema.table.column("ecfp4").width == 2048
    assert schema.table.column("maccs") is None
    assert check_file(compounds, schema, lambda _: None).rows == len(CHAINS)


def test_a_draft_for_an_sd_file_fits_its_file_as_it_is(tmp_path):
    path = tmp_path / "compounds.sdf"
    records = [(smiles, {"NAME": f"alkane {place}"}) for place, smiles in enumerate(CHAINS)]
    path.write_text(molecules.sdf(*records, ("O", {"late": "1.25"})))
    schema = drafted(tmp_path, path)
    assert schema.molecules is None
    assert schema.left_out == {"NAME"}
    assert schema.table.column("late").missing_allowed
    assert check_file(path, schema, lambda _: None).rows == len(CHAINS) + 1


def test_what_cannot_be_drafted_is_said(tmp_path, compounds):
    with pytest.raises(DocumentError, match="SCHEMA_COLUMN_ABSENT"):
        draft_schema(compounds, "structure")
    with pytest.raises(StorageError, match="FILE_MISSING"):
        draft_schema(tmp_path / "none.sdf")
    for content, code in ((b"", "FILE_EMPTY"), (b"\xff\xfe\n$$$$\n", "SDF_ENCODING"), (b"\n$$$$\n", "SDF_SYNTAX")):
        (tmp_path / "x.sdf").write_bytes(content)
        with pytest.raises(DocumentError) as caught:
            draft_schema(tmp_path / "x.sdf")
        assert caught.value.code == code


def test_only_the_first_rows_are_looked_at(tmp_path, monkeypatch):
    import sealroom.datasets.sample as sample_module

    monkeypatch.setattr(sample_module, "LOOKED_AT", 3)
    (tmp_path / "x.csv").write_text("a,b\n1,x\n2,x\n3,x\n4,later\n")
    assert "later" not in draft_schema(tmp_path / "x.csv")
    (tmp_path / "x.sdf").write_text(molecules.sdf(*[("C", {"b": "x"})] * 3, ("C", {"b": "later"})))
    assert "later" not in draft_schema(tmp_path / "x.sdf")
    monkeypatch.setattr(sample_module, "CHARACTERS", 3)
    assert '"3"' not in draft_schema(tmp_path / "x.csv")


def test_hex_text_is_taken_for_bits_and_digests(tmp_path):
    rows = [f"{place},{place:032x},{place:064x},{place:033x},{'f' * place}" for place in range(20)]
    (tmp_path / "x.csv").write_text("\n".join(["id,key,fp,odd,ragged", *rows]) + "\n")
    text = draft_schema(tmp_path / "x.csv")
    (tmp_path / "schema.toml").write_text(text)
    assert 'kind = "digest"' in text
    assert 'kind = "bits"\nwidth = 256' in text
    assert text.count("levels = []") == 2


def test_draft_and_check_take_molecules(tmp_path, compounds):
    desk, schema = Desk(tmp_path), tmp_path / "schema.toml"
    desk.run("dataset", "draft", compounds, "--molecules", "smiles", "--out", schema)
    schema.write_text(schema.read_text().replace('molecules = "smiles"', ""))
    refused = desk.run("dataset", "check", compounds, schema, code=DocumentError.exit_code)
    assert "MOLECULE_SOURCE" in refused.err
    checked = desk.run("dataset", "check", compounds, schema, "--molecules", "smiles", "--json")
    assert checked.json["rows"] == len(CHAINS)


def test_what_is_sealed_names_the_software_and_holds_no_structure(tmp_path):
    desk, custodian = Desk(tmp_path), CustodianPair()
    desk.join(roles=("steward",))
    (tmp_path / "custodian.json").write_bytes(canonical_bytes(custodian.keys.model_dump(mode="json")))
    desk.run("trust", "add-custodian", tmp_path / "custodian.json", "--compared")
    source = tmp_path / "compounds.sdf"
    source.write_text(molecules.sdf(("CC(=O)Oc1ccccc1C(=O)O", {"NAME": "aspirin"}), ("CCO", {"NAME": "ethanol"})))
    schema = tmp_path / "schema.toml"
    desk.run("dataset", "draft", source, "--out", schema)
    schema.write_text("left_out = ['NAME']\n" + schema.read_text().split('[[columns]]\nname = "name"')[0])
    out = tmp_path / "sealed"
    desk.run("dataset", "seal", source, schema, "--policy", desk.terms(), "--out", out, "--name", "drugs")
    manifest = json.loads(base64.b64decode(json.loads((out / "drugs.manifest.json").read_bytes())["payload"]))
    assert manifest["converter"].endswith(f", sdf, {software()}")
    assert manifest["rows"] == 2
    for path in out.iterdir():
        for secret in (b"aspirin", b"ethanol", b"CC(=O)O", b"V2000", b"BSYNRYMUTXBXSQ"):
            assert secret not in path.read_bytes()
            assert secret not in json.dumps(manifest).encode()
