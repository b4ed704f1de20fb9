import base64
import csv

import numpy as np
import pytest
from factories import CustodianPair
from partner_desk import ROWS, Desk

import sealroom.datasets.rows as rows_module
from protocol import hpke
from protocol.canonical import canonical_bytes
from protocol.commitment import require_commitment
from protocol.container import PartOpener
from protocol.documents.dataset import DatasetManifest
from protocol.dsse import Envelope
from protocol.errors import DocumentError
from protocol.governance import verify_institution, verify_manifest
from protocol.layout import TableReader, write_table
from sealroom.datasets.package import Package
from sealroom.home import Home


@pytest.fixture
def custodian():
    return CustodianPair()


@pytest.fixture
def desk(tmp_path, custodian):
    desk = Desk(tmp_path)
    desk.join(roles=("steward",))
    path = tmp_path / "custodian.json"
    path.write_bytes(canonical_bytes(custodian.keys.model_dump(mode="json")))
    desk.run("trust", "add-custodian", path, "--compared")
    return desk


def seal(desk, *more, data=None, out="sealed", code=0):
    return desk.run(
        "dataset",
        "seal",
        data or desk.write_csv(),
        desk.schema(),
        *("--policy", desk.terms(), "--out", desk.folder / out, "--name", "lung-a", "--json", *more),
        code=code,
    )


def open_sealed(desk, custodian, out="sealed"):
    """Do what custodian and enclave do: the manifest, the data key out of the capsule, the table."""
    institution = verify_institution(Envelope.from_bytes((desk.home / "institution.json").read_bytes()))
    package = Package(desk.folder / out, "lung-a")
    envelope = Envelope.from_bytes(package.manifest.read_bytes())
    manifest = verify_manifest(envelope, {institution.document.root: institution})
    info = hpke.capsule_info(manifest.name, institution.document.root, custodian.keys.signing)
    key = custodian.encryption.open(package.capsule.read_bytes(), info=info)
    require_commitment(key, manifest.document.commitment)
    (file,) = manifest.document.files
    opener, sealed = PartOpener(key, file), package.sealed.read_bytes()
    plain, at = b"", 0
    for index in range(len(file.parts)):
        plain += opener.open_part(index, sealed[at : at + file.part_size(index)])
        at += file.part_size(index)
    return manifest, key, plain, TableReader.read(plain, manifest.document.table, row_limit=10_000)


def test_what_was_sealed_opens_as_what_was_in_the_file(desk, custodian):
    shown = seal(desk, "--title", "Lung trial").json
    manifest, _, _, table = open_sealed(desk, custodian)
    assert (shown["name"], shown["rows"], shown["version"]) == (manifest.name, 4, 1)
    assert manifest.document.title == "Lung trial"
    assert manifest.document.steward == "ada"
    assert table.columns["time"].tolist() == [306, 455, 1010, 210]
    assert table.columns["status"].tolist() == [1, 0, 0, 1]
    np.testing.assert_array_equal(table.numbers("weight"), [70.5, np.nan, np.nan, 61.25])


@pytest.mark.parametrize("cells", [4, 12, 100_000])
def test_sealing_block_by_block_gives_the_bytes_of_the_layout(desk, custodian, monkeypatch, cells):
    monkeypatch.setattr(rows_module, "CELLS", cells)
    rows = [ROWS[0], *([f"q{n}", str(n * 3), str(1 + n % 2), f"{50 + n}.25" if n % 5 else "NA"] for n in range(37))]
    seal(desk, data=desk.write_csv(rows))
    manifest, _, plain, table = open_sealed(desk, custodian)
    assert manifest.document.rows == 37
    whole = bytearray()

    class Sink:
        def write(self, data):
            whole.extend(data)

    write_table(manifest.document.table, table.columns, Sink())
    assert plain == bytes(whole)


def test_a_custodian_is_named_by_fingerprint_or_signing_key_where_several_are_pinned(desk, tmp_path):
    (first,) = Home(desk.home).trust().custodians
    desk.run("trust", "remove", first.fingerprint)
    assert "No custodian is pinned" in seal(desk, out="out-0", code=6).json["detail"]
    for number in (1, 2):
        path = tmp_path / f"custodian-{number}.json"
        path.write_bytes(canonical_bytes(CustodianPair().keys.model_dump(mode="json")))
        desk.run("trust", "add-custodian", path, "--compared")
    second, third = Home(desk.home).trust().custodians
    detail = seal(desk, out="out-1", code=6).json["detail"]
    assert "2 custodians are pinned" in detail
    assert second.fingerprint in detail
    seal(desk, "--custodian", second.fingerprint, out="out-2")
    seal(desk, "--custodian", third.signing, out="out-3")
    assert "is not pinned" in seal(desk, "--custodian", "ab" * 32, out="out-4", code=6).json["detail"]


def test_a_dataset_of_several_parts_keeps_all_its_rows(desk, custodian):
    count = 10_000
    rows = [ROWS[0], *([f"q{n}", str(n % 5000), "1", "60"] for n in range(count))]
    seal(desk, data=desk.write_csv(rows))
    table = open_sealed(desk, custodian)[3]
    assert table.columns["time"].tolist() == [n % 5000 for n in range(count)]
    assert len(np.unique(table.columns["subject"], axis=0)) == count


def test_versions_share_a_lineage_and_the_pseudonyms_of_subjects(desk, custodian):
    seal(desk)
    assert seal(desk, out="sealed-2").json["version"] == 2
    first, _, _, before = open_sealed(desk, custodian)
    second, _, _, after = open_sealed(desk, custodian, "sealed-2")
    assert first.document.lineage.id == second.document.lineage.id
    assert second.document.lineage.version == 2
    assert first.document.commitment != second.document.commitment
    np.testing.assert_array_equal(before.columns["subject"], after.columns["subject"])


def test_another_lineage_gives_the_same_subjects_other_pseudonyms(desk, custodian, tmp_path):
    seal(desk)
    other = Desk(tmp_path / "other")
    other.folder.mkdir()
    other.join(roles=("steward",))
    other.run("trust", "add-custodian", tmp_path / "custodian.json", "--compared")
    seal(other)
    here, there = (open_sealed(d, custodian)[3].columns["subject"] for d in (desk, other))
    assert not (here == there).all(axis=1).any()


def test_no_file_that_sealing_leaves_holds_a_cell_or_a_key(desk, custodian):
    rows = [list(row) for row in ROWS]
    rows[1][0] = "canary-subject-4711"
    data = desk.write_csv(rows)
    before = {path for path in desk.folder.rglob("*") if path.is_file()}
    seal(desk, data=data)
    _, key, plain, _ = open_sealed(desk, custodian)
    new = {path for path in desk.folder.rglob("*") if path.is_file()} - before
    assert {path.name for path in new if path.parent.name == "sealed"} == {
        "lung-a.manifest.json",
        "lung-a.sealed",
        "lung-a.capsule",
    }
    secrets = [b"canary-subject-4711", key, plain[-32:]]
    for path in new:
        content = path.read_bytes()
        for secret in secrets:
            for form in (secret, secret.hex().encode(), base64.b64encode(secret)):
                assert form not in content, path


def test_what_is_put_aside_on_the_disk_is_encrypted_and_nameless(tmp_path):
    from protocol.documents.dataset import TableSchema
    from sealroom.datasets.spool import Spool
    from sealroom.typed import typed

    table = typed(
        TableSchema,
        {
            "columns": [
                {"name": "subject", "description": "s", "kind": "subject"},
                {"name": "n", "description": "n", "kind": "integer", "unit": "1"},
            ]
        },
        where="test",
    )
    subjects = np.frombuffer(b"SUBJECT-CANARY-1" * 3, dtype=np.uint8).reshape(3, 16)
    with Spool(table, tmp_path) as spool:
        spool.append([subjects, np.array([7, 8, 9], dtype="<i8")])
        spool.append([subjects[:1], np.array([10], dtype="<i8")])
        assert list(tmp_path.iterdir()) == []
        spool._file.seek(0)
        assert b"CANARY" not in spool._file.read()
        assert np.concatenate(list(spool.column(1))).tolist() == [7, 8, 9, 10]
        assert [block.shape for block in spool.column(0)] == [(3, 16), (1, 16)]
        assert spool.rows == 4


@pytest.mark.parametrize("out", ["sealed", "sealed/deep/er"])
def test_data_that_does_not_match_leaves_nothing_behind(desk, out):
    rows = [list(row) for row in ROWS]
    rows[1][2] = "7"
    before = set(desk.folder.iterdir())
    answer = seal(desk, data=desk.write_csv(rows), out=out, code=4)
    assert answer.json["code"] == "VALUE_CODE"
    assert {path.name for path in set(desk.folder.iterdir()) - before} <= {"data.csv", "schema.toml", "terms.toml"}
    assert not (desk.home / "lineages").exists()


def test_a_folder_that_was_there_or_is_not_empty_stays_where_data_are_refused(desk, monkeypatch):
    rows = [list(row) for row in ROWS]
    rows[1][2] = "7"
    (desk.folder / "mine").mkdir()
    seal(desk, data=desk.write_csv(rows), out="mine", code=4)
    assert list((desk.folder / "mine").iterdir()) == []
    seal(desk, data=desk.write_csv(rows), out="mine/new", code=4)
    assert list((desk.folder / "mine").iterdir()) == []

    def another_writes(spool, *_, **__):
        (desk.folder / "shared" / "theirs").write_bytes(b"x")
        raise DocumentError("VALUE_CODE", "refused meanwhile")

    monkeypatch.setattr("sealroom.datasets.seal.read_into", another_writes)
    seal(desk, out="shared", code=4)
    assert [path.name for path in (desk.folder / "shared").iterdir()] == ["theirs"]


def test_a_dataset_is_not_sealed_over_another(desk):
    seal(desk)
    before = (desk.folder / "sealed" / "lung-a.sealed").read_bytes()
    assert seal(desk, code=9).json["code"] == "FILE_EXISTS"
    assert (desk.folder / "sealed" / "lung-a.sealed").read_bytes() == before


def test_a_custodian_has_to_be_pinned(tmp_path):
    desk = Desk(tmp_path)
    desk.join(roles=("steward",))
    assert seal(desk, code=6).json["code"] == "CUSTODIAN"


def test_custodian_keys_that_are_not_the_pinned_ones_are_refused(desk, custodian):
    kept = desk.home / "custodians" / f"{custodian.keys.signing}.json"
    other = CustodianPair().keys.model_copy(update={"signing": custodian.keys.signing})
    kept.write_bytes(canonical_bytes(other.model_dump(mode="json")))
    assert seal(desk, code=6).json["code"] == "CUSTODIAN"


def test_a_steward_seals_and_nobody_else(desk):
    desk.run("member", "add", "bob", "--name", "Bob", "--role", "analyst")
    assert seal(desk, "--as", "bob", code=6).json["code"] == "ROLE"
    assert seal(desk, "--as", "nobody", code=6).json["code"] == "MEMBER_UNKNOWN"
    desk.run("member", "add", "eve", "--name", "Eve", "--role", "steward")
    assert seal(desk, code=6).json["code"] == "MEMBER_CHOICE"
    assert seal(desk, "--as", "eve").json["rows"] == 4


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"analyses": "[]"}, "analyses"),
        ({"preset": '"none"'}, "preset"),
        ({"expires_days": "0"}, "expires_days"),
        ({"expires_days": "true"}, "expires_days"),
        ({"expires": '"2030-01-01T00:00:00Z"'}, "expires"),
        ({"quorum": "0"}, "quorum"),
        ({"waivers": "[]"}, "waivers"),
    ],
)
def test_terms_that_are_none_are_refused(desk, changes, word):
    answer = desk.run(
        "dataset",
        "seal",
        *(desk.write_csv(), desk.schema(), "--policy", desk.terms(**changes)),
        *("--out", desk.folder / "x", "--name", "n"),
        code=4,
    )
    assert word in answer.err


def test_nothing_is_permitted_by_default_and_the_example_says_the_defaults(desk, tmp_path):
    import tomllib

    from sealroom.datasets.terms import DEFAULTS, load_terms

    path = desk.write("none.toml", "expires_days = 3\n")
    with pytest.raises(DocumentError, match="analyses"):
        load_terms(path)
    example = tomllib.loads(desk.run("dataset", "policy-example").out)
    assert {name: example[name] for name in DEFAULTS} == DEFAULTS
    assert load_terms(desk.write("e.toml", desk.run("dataset", "policy-example").out)).simulation is False


def test_a_stock_crypt4gh_file_is_taken_in(desk, custodian, tmp_path):
    from crypt4gh import lib
    from crypt4gh.keys import c4gh, get_private_key, get_public_key

    secret, public = tmp_path / "own.sec", tmp_path / "own.pub"
    c4gh.generate(secret, public, passphrase=b"stock passphrase", comment=None)
    plain_secret, plain_public = tmp_path / "plain.sec", tmp_path / "plain.pub"
    c4gh.generate(plain_secret, plain_public, passphrase=None, comment=None)
    data = desk.write_csv()
    for number, (own, passphrase) in enumerate([(secret, b"stock passphrase"), (plain_secret, None)]):
        sealed = tmp_path / f"data-{number}.csv.c4gh"
        key = get_private_key(own, lambda given=passphrase: given.decode() if given else None)
        recipient = get_public_key(plain_public if passphrase is None else public)
        with data.open("rb") as source, sealed.open("wb") as sink:
            lib.encrypt([(0, key, recipient)], source, sink)
        (tmp_path / "stock").write_text("stock passphrase\n")
        options = ("--crypt4gh-key", own, "--crypt4gh-passphrase-file", tmp_path / "stock")
        seal(desk, *options, data=sealed, out=f"out-{number}")
        assert open_sealed(desk, custodian, f"out-{number}")[3].columns["time"].tolist() == [306, 455, 1010, 210]
    (tmp_path / "latin.csv").write_bytes(data.read_bytes().replace(b"p2", b"p\xe9"))
    with (tmp_path / "latin.csv").open("rb") as source, (tmp_path / "latin.csv.c4gh").open("wb") as sink:
        lib.encrypt([(0, key, recipient)], source, sink)
    refused = seal(desk, "--crypt4gh-key", plain_secret, data=tmp_path / "latin.csv.c4gh", out="x", code=4).json
    assert [(found["code"], found["row"]) for found in refused["findings"]] == [("CSV_ENCODING", 2)]
    (tmp_path / "stock").write_text("another\n")
    options = ("--crypt4gh-key", secret, "--crypt4gh-passphrase-file", tmp_path / "stock")
    assert seal(desk, *options, data=tmp_path / "data-0.csv.c4gh", out="x", code=6).json["code"] == "PASSPHRASE"
    assert seal(desk, "--crypt4gh-key", data, data=sealed, out="x", code=4).json["code"] == "CRYPT4GH_KEY"
    assert seal(desk, "--crypt4gh-key", plain_secret, data=data, out="x", code=4).json["code"] == "HEADER"


def test_a_drafted_schema_checks_and_hides_extremes(desk):
    rows = [
        ["Patient ID", "Age (years)", "score", "arm", "note"],
        *([f"p{n}", str(20 + n), f"{n}.5", "AB"[n % 2], "" if n % 3 else "NA"] for n in range(40)),
    ]
    data = desk.write_csv(rows, "draft.csv")
    text = desk.run("dataset", "draft", data).out
    schema = desk.write("drafted.toml", text)
    checked = desk.run("dataset", "check", data, schema, "--json").json
    assert (checked["rows"], checked["columns"]) == (40, 5)
    assert '"59"' not in text
    assert 'header = "Age (years)"' in text
    out = desk.folder / "written.toml"
    assert desk.run("dataset", "draft", data, "--out", out, "--json").json["file"] == str(out)
    assert out.read_text().rstrip("\n") == text.rstrip("\n")
    assert desk.run("dataset", "draft", data, "--out", out, code=9)
    assert (
        desk.run("dataset", "draft", desk.write_csv(rows[:1], "e.csv"), "--json", code=4).json["code"] == "FILE_EMPTY"
    )


def test_manifests_are_documents_like_any_other(desk):
    seal(desk)
    envelope = Envelope.from_bytes((desk.folder / "sealed" / "lung-a.manifest.json").read_bytes())
    assert envelope.payloadType == DatasetManifest.payload_type
    with (desk.folder / "data.csv").open() as source:
        assert len(list(csv.reader(source))) == 5
