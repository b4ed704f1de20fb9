"""The partner's commands against a real broker process."""

import json
import secrets
from pathlib import Path

import pytest
from broker_scene import ProcessBroker
from partner_desk import ROWS, Desk

from protocol import hpke
from protocol.commitment import commit_key
from protocol.container import SealingWriter, generate_data_key
from protocol.documents.dataset import PART_SIZE, DatasetManifest
from protocol.dsse import sign
from protocol.errors import AccessDenied, AnalysisError, StorageError, TransportError
from protocol.types import decode_base64
from sealroom import Client
from sealroom.datasets.package import Package
from sealroom.datasets.upload import upload_package
from sealroom.home import Home
from sealroom.keystore import Keystore, Passphrase
from sealroom.party import acting

MEASUREMENT = "ab" * 32
RECIPE = """
title = "Weight and survival"
analysis = "clinical.survival"
slots = ["a", "b"]
outputs = ["cox", "cox-stratified"]
[parameters]
time = "time"
event = "status"
event_level = "2"
covariates = ["weight"]
"""
GLM = """
title = "Weight and age"
analysis = "clinical.glm"
slots = ["a", "b"]
outputs = ["linear"]
[parameters]
outcome = "weight"
covariates = ["status"]
"""
SLOTS = ("--dataset", "a=lung-a", "--dataset", "b=b/lung-b")


def patients(prefix: str) -> list[list[str]]:
    return [ROWS[0], *([f"{prefix}{n}", str(100 + n), str(1 + n % 2), f"{50 + n}.5"] for n in range(40))]


class Room:
    """A broker and two institutions that joined it, pinned each other and uploaded a dataset each."""

    def __init__(self, folder: Path, broker: ProcessBroker) -> None:
        self.broker = broker
        self.a, self.b = (self._desk(folder / short, short) for short in ("a", "b"))
        for desk, other, short in ((self.a, self.b, "a"), (self.b, self.a, "b")):
            desk.run("trust", "add-institution", other.home / "institution.json", "--compared")
            desk.run("trust", "add-measurement", "clinical", MEASUREMENT, "--compared")
            desk.run("trust", "add-custodian", self._custodian(folder), "--compared")
            terms = desk.terms(simulation="true", max_runs="2")
            desk.run(
                *("dataset", "seal", desk.write_csv(patients(short)), desk.schema(), "--policy", terms),
                *("--out", desk.folder / "sealed", "--name", f"lung-{short}"),
            )
            desk.run("dataset", "upload", desk.folder / "sealed" / f"lung-{short}")

    def _desk(self, folder: Path, short: str) -> Desk:
        folder.mkdir()
        desk = Desk(folder)
        desk.join(short=short)
        invite = desk.write("invite", self.broker.invite + "\n")
        desk.run("institution", "join", "--broker", self.broker.url, "--invite-file", invite)
        return desk

    def _custodian(self, folder: Path) -> Path:
        import httpx

        path = folder / "custodian.json"
        path.write_bytes(httpx.get(self.broker.url + "/v1/custodian", trust_env=False).content)
        return path

    def propose(self, *more: object, code: int = 0, recipe: str = RECIPE):
        return self.a.run(
            *("contract", "propose", self.a.write("recipe.toml", recipe), *SLOTS, "--purpose", "To learn"),
            *("--out", self.a.folder / "contract.json", "--json", *more),
            code=code,
        )

    def client(self, desk: Desk, **more) -> Client:
        return Client(desk.home, passphrase_file=desk.folder / "passphrase", **more)


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    folder = tmp_path_factory.mktemp("room")
    # A root of a simulated platform is pinned by neither: no key is released in these tests.
    with ProcessBroker(folder) as broker:
        yield Room(folder, broker)


def test_datasets_of_pinned_owners_are_listed_and_others_are_not(room, tmp_path):
    found = room.a.run("dataset", "list", "--json").json
    listed = {(entry["owner"], entry["short"], entry["state"], entry["rows"]) for entry in found}
    assert {entry for entry in listed if entry[1] != "large"} == {
        ("a", "lung-a", "complete", 40),
        ("b", "lung-b", "complete", 40),
    }
    root = room.b.run("institution", "show", "--fingerprint").out.strip()
    room.a.run("trust", "remove", root)
    try:
        assert {entry["owner"] for entry in room.a.run("dataset", "list", "--json").json} == {"a"}
        answer = room.a.run("recipe", "check", room.a.write("r.toml", RECIPE), *SLOTS, "--json", code=4)
        assert answer.json["code"] == "DATASET_UNKNOWN"
    finally:
        room.a.run("trust", "add-institution", room.b.home / "institution.json", "--compared")


def test_an_upload_may_be_repeated(room):
    assert (
        room.a.run("dataset", "upload", room.a.folder / "sealed" / "lung-a.sealed", "--json").json["state"]
        == "complete"
    )


def test_a_new_member_is_brought_to_the_broker(room):
    before = room.b.run("institution", "show", "--json").json["serial"]
    answer = room.b.run("member", "add", "bob", "--name", "Bob", "--role", "analyst", "--json")
    assert f"Serial {before + 1}" in answer.err
    with room.client(room.a) as client:
        root = room.b.run("institution", "show", "--fingerprint").out.strip()
        assert client.institutions()[root].document.member("bob").name == "Bob"


def test_an_uninvited_institution_does_not_join(room, tmp_path):
    desk = Desk(tmp_path)
    desk.join(short="stranger")
    assert desk.run("institution", "join", "--json", code=10).json["code"] == "NO_BROKER"
    answer = desk.run("institution", "join", "--broker", room.broker.url, "--json", code=4)
    assert answer.json["code"] == "INVITE_MISSING"
    guess = desk.write("invite", "guessed-guessed-guessed-guessed-guessed\n")
    desk.run("institution", "join", "--broker", room.broker.url, "--invite-file", guess, code=6)
    assert not (desk.home / "config.toml").exists()
    answer = desk.run("institution", "join", "--broker", "http://broker.example", "--json", code=10)
    assert answer.json["code"] == "ADDRESS"


@pytest.mark.parametrize(
    ("old", "new", "slots", "code", "status"),
    [
        ('"weight"', '"height"', SLOTS, None, 7),
        ('event_level = "2"', "", SLOTS, "PARAMETER_MISSING", 7),
        ('event_level = "2"', 'event_level = "2"\nextra = 1', SLOTS, "PARAMETER_UNKNOWN", 7),
        ('"clinical.survival"', '"clinical.magic"', SLOTS, "ANALYSIS_UNKNOWN", 7),
        ('["cox", "cox-stratified"]', '["cox", "everything"]', SLOTS, "OUTPUT_UNKNOWN", 7),
        ('["a", "b"]', '["a", "b", "c"]', SLOTS, "SLOTS", 7),
        ("slots", "slits", SLOTS, "DOCUMENT", 4),
        ("", "", ("--dataset", "a=lung-a", "--dataset", "b=nowhere"), "DATASET_UNKNOWN", 4),
        ("", "", ("--dataset", "a=lung-a", "--dataset", "a=lung-b"), "OPTION", 4),
        ("", "", ("--dataset", "a"), "OPTION", 4),
        ("", "", ("--dataset", "a=lung-a", "--dataset", "b=a/lung-a"), "SLOTS", 7),
        ("", "", (*SLOTS, "--max-runs", "3", "--simulation"), "TERMS_RUNS", 6),
        (RECIPE, GLM, SLOTS, "TERMS_ANALYSIS", 6),
        ('["weight"]', "[]", SLOTS, "DOCUMENT", 4),
    ],
)
def test_what_signed_schemas_can_tell_is_told_before_anybody_signs(room, old, new, slots, code, status):
    recipe = room.a.write("bad.toml", RECIPE.replace(old, new))
    answer = room.a.run("recipe", "check", recipe, *slots, "--json", code=status)
    if code is not None:
        assert answer.json["code"] == code


def test_a_recipe_that_fits_tells_its_labels(room):
    planned = room.a.run("recipe", "check", room.a.write("good.toml", RECIPE), *SLOTS, "--json").json
    assert [output["output"] for output in planned["outputs"]] == ["cox", "cox-stratified"]
    assert any("weight" in label for label in planned["outputs"][0]["labels"])
    assert "fits" in room.a.run("recipe", "check", room.a.folder / "good.toml", *SLOTS).err


def test_a_contract_is_read_approved_and_run_and_revoked(room):
    name = room.propose("--simulation").json["contract"]
    contract = room.a.folder / "contract.json"

    words = room.b.run("contract", "show", contract).out
    assert words.startswith("SIMULATED")
    for said in ("To learn", "The a (a)", "smallest number of subjects released is 10", "no release ledger", "1 run"):
        assert said in words
    assert "UNANCHORED: you did not pin the root of a simulated platform" in words
    shown = room.b.run("contract", "show", name[:12], "--json").json
    assert shown["name"] == name
    assert shown["contract"]["preset"] == "sacro"
    assert {"a/ada", "b/ada"} <= set(shown["outputs"][0]["recipients"])
    assert shown["approved_by"] == []

    answer = room.a.run("run", "start", "--contract", contract, "--json", code=6)
    assert answer.json["code"] == "NOT_APPROVED"
    # Nobody approves what rests on something that is not pinned.
    assert room.a.run("contract", "approve", contract, "--yes", "--json", code=6).json["code"] == "UNANCHORED"
    listed = {entry["name"]: entry for entry in room.a.run("contract", "list", "--json").json}
    assert listed[name]["approvals"] == 0


def test_approvals_runs_and_revocation(room):
    name = room.propose().json["contract"]  # a contract for real hardware: nothing simulated has to be pinned
    assert room.a.run("contract", "approve", name, "--json", code=6).json["code"] == "NOT_CONFIRMED"
    assert room.a.run("contract", "approve", name, "--yes", "--json").json["state"] == "proposed"
    assert room.a.run("run", "start", "--contract", name, "--json", code=6).json["code"] == "NOT_APPROVED"
    answer = room.b.run("contract", "approve", name[:10], "--yes", "--json")
    assert answer.json == {"name": name, "state": "approved", "approvals": 2, "revocations": 0}
    assert "Who learns what" in answer.err
    assert sorted(room.b.run("contract", "show", name, "--json").json["approved_by"]) == ["a/ada", "b/ada"]

    run = room.a.run("run", "start", "--contract", name).out.strip()
    assert room.a.run("run", "status", run, "--json").json["state"] == "waiting"
    assert room.a.run("run", "wait", run, "--timeout", "0.2", "--json", code=10).json["code"] == "RUN_WAITING"
    assert run in room.b.run("run", "list").out
    assert room.a.run("result", "fetch", run, "--out", room.a.folder, code=9)

    assert room.b.run("contract", "revoke", name, "--reason", "x", code=6)
    answer = room.b.run("contract", "revoke", name, "--reason", "A subject withdrew", "--yes", "--json")
    assert answer.json["state"] == "revoked"
    assert room.a.run("run", "wait", run, "--json", code=6).json["code"] == "REVOKED"
    assert room.a.run("run", "start", "--contract", name, "--json", code=6).json["code"] == "REVOKED"
    assert room.b.run("contract", "approve", name, "--yes", code=6)


def test_recipients_are_chosen_for_each_output(room):
    room.propose("--recipient", "cox=b/ada")
    found = room.a.run("contract", "show", room.a.folder / "contract.json", "--json").json
    recipients = {output["output"]: output["recipients"] for output in found["outputs"]}
    assert recipients["cox"] == ["b/ada"]
    assert {"a/ada", "b/ada"} <= set(recipients["cox-stratified"])


@pytest.mark.parametrize(
    ("more", "code", "status"),
    [
        (("--recipient", "cox=b/nobody"), "RECIPIENT", 6),
        (("--recipient", "cox=elsewhere/ada"), "RECIPIENT", 6),
        (("--recipient", "other=b/ada"), "OUTPUTS", 4),
        (("--max-runs", "3"), "TERMS_RUNS", 6),
        (("--measurement", "cd" * 32), "MEASUREMENT", 6),
    ],
)
def test_a_contract_beyond_terms_or_pins_is_not_signed(room, more, code, status):
    before = len(room.a.run("contract", "list", "--json").json)
    assert room.propose(*more, code=status).json["code"] == code
    assert len(room.a.run("contract", "list", "--json").json) == before


def test_a_contract_never_outlives_the_terms(room):
    room.propose("--expires", "3000")
    found = room.a.run("contract", "show", room.a.folder / "contract.json", "--json").json
    ends = [entry["expires"] for entry in room.a.run("dataset", "list", "--json").json]
    assert found["contract"]["expires"] == min(ends)


def test_the_sdk_lists_tables(room):
    room.propose()
    with room.client(room.a) as client:
        datasets = client.datasets()
        assert len(datasets) >= 2
        assert "<table>" in datasets._repr_html_()
        assert set(datasets.frame()["rows"]) == {40}
        assert client.dataset("lung-b").document.short == "lung-b"
        assert client.dataset(client.dataset("a/lung-a").name[:8]).document.short == "lung-a"
        assert [entry.fields()["analysis"] for entry in client.recipes()] == ["clinical.survival"] * len(
            client.recipes()
        )
        assert len(client.contracts()) >= 1
        assert client.contracts().frame()["proposer"].unique().tolist() == ["a"]
        assert {entry.state for entry in client.runs()} <= {"waiting", "refused"}
        assert client.contracts()[0].contract.name[:16] in repr(client.contracts())
        assert repr(client.runs()[:0]) == "(nothing)"
        assert client.runs()[:0]._repr_html_() == "<p>(nothing)</p>"
    for noun in ("contract", "dataset"):
        assert len(room.a.run(noun, "list").out.splitlines()) > 1


def test_a_member_without_the_role_is_told_so_before_anything_is_sent(room):
    answer = room.b.run("run", "start", "--contract", "0" * 12, "--as", "nobody", "--json", code=6)
    assert answer.json["code"] == "MEMBER_UNKNOWN"
    room.b.run("member", "add", "carl", "--name", "Carl", "--role", "steward")
    answer = room.b.run("contract", "approve", "0" * 12, "--as", "carl", "--yes", "--json", code=6)
    assert answer.json["code"] == "ROLE"


def test_a_dataset_that_names_another_custodian_is_not_uploaded(room, tmp_path):
    from factories import CustodianPair

    from protocol.canonical import canonical_bytes

    pair = CustodianPair().keys
    path = room.a.folder / "other-custodian.json"
    path.write_bytes(canonical_bytes(pair.model_dump(mode="json")))
    room.a.run("trust", "add-custodian", path, "--compared")
    try:
        sealing = ("dataset", "seal", room.a.write_csv(patients("x")), room.a.schema(), "--policy", room.a.terms())
        out = ("--out", tmp_path, "--name", "elsewhere")
        assert room.a.run(*sealing, *out, "--json", code=6).json["code"] == "CUSTODIAN"  # which of the two?
        room.a.run(*sealing, *out, "--custodian", pair.signing)
        answer = room.a.run("dataset", "upload", tmp_path / "elsewhere", "--json", code=6)
        assert answer.json["code"] == "CUSTODIAN_UNKNOWN"
    finally:
        room.a.run("trust", "remove", pair.signing)


def large_package(desk: Desk, folder: Path, room_package: Package) -> Package:
    """A package of three parts, signed like any other; what is inside does not matter to an upload."""
    home = Home(desk.home)
    party = acting(home, Keystore(home.keys, Passphrase(desk.folder / "passphrase")), "steward", None)
    package, data_key = Package(folder, "large"), generate_data_key()
    with package.sealed.open("wb") as sink:
        writer = SealingWriter(sink, data_key)
        for _ in range(40):
            writer.write(bytes(2**20))
        sealed = writer.finish()
    old = room_package.load(party.institution).document
    fields = old.model_dump(mode="json") | {
        "short": "large",
        "lineage": {"id": secrets.token_hex(32), "version": 1},
        "files": [sealed.sealed_file("table").model_dump(mode="json")],
        "commitment": commit_key(data_key).model_dump(mode="json"),
    }
    manifest = sign(DatasetManifest.model_validate_json(json.dumps(fields)), party.signing_key("steward"))
    package.manifest.write_bytes(manifest.envelope.to_bytes())
    info = hpke.capsule_info(manifest.name, party.root, old.custodian.signing)
    package.capsule.write_bytes(hpke.seal(data_key, decode_base64(old.custodian.encryption), info=info))
    return package


def test_an_upload_goes_on_where_the_broker_was_killed(room, tmp_path):
    package = large_package(room.a, tmp_path, Package(room.a.folder / "sealed", "lung-a"))
    told = []

    def state(client):
        name = package.load(client.party.institution).name
        return next(entry.state for entry in client.datasets() if entry.manifest.name == name)

    def start(total, there, *, kill):
        told.append((total, there))

        def advance(amount):
            told.append(amount)
            if kill:
                room.broker.kill()

        return advance

    with room.client(room.a, role="steward") as client:
        institution = client.party.institution
        with pytest.raises(TransportError) as caught:
            upload_package(client.broker, package, institution, lambda *a: start(*a, kill=True))
        assert caught.value.code == "UNREACHABLE"
    room.broker.start()
    size = package.sealed.stat().st_size
    assert told == [(size, 0), PART_SIZE]
    with room.client(room.a, role="steward") as client:
        assert state(client) != "complete"
        told.clear()
        upload_package(client.broker, package, client.party.institution, lambda *a: start(*a, kill=False))
        assert state(client) == "complete"
    assert told[0] == (size, PART_SIZE)
    assert sum(told[1:]) == size - PART_SIZE


def test_a_sealed_file_that_was_altered_is_not_sent(room, tmp_path):
    package = large_package(room.a, tmp_path, Package(room.a.folder / "sealed", "lung-a"))
    with package.sealed.open("r+b") as file:
        file.seek(PART_SIZE + 5)
        byte = file.read(1)
        file.seek(PART_SIZE + 5)
        file.write(bytes([byte[0] ^ 1]))
    told = []
    with room.client(room.a, role="steward") as client:
        with pytest.raises(StorageError) as caught:
            upload_package(client.broker, package, client.party.institution, lambda *_: told.append)
        assert caught.value.code == "PART_DIGEST"
        assert told == [PART_SIZE]
    with package.sealed.open("r+b") as file:
        file.truncate(100)
    answer = room.a.run("dataset", "upload", package.manifest, "--json", code=9)
    assert answer.json["code"] == "FILE_SIZE"


@pytest.fixture
def own_room(tmp_path):
    with ProcessBroker(tmp_path) as broker:
        yield Room(tmp_path, broker)


def test_a_partner_whose_member_left_spoils_no_list_and_stops_no_revocation(own_room, monkeypatch):
    names = [own_room.propose("--title", f"Contract {n}").json["contract"] for n in range(3)]
    file = own_room.a.folder / "contract.json"  # the last one
    own_room.a.run(
        "member", "add", "eve", "--name", "Eve", *(f"--role={r}" for r in ("steward", "approver", "analyst"))
    )
    own_room.a.run("member", "remove", "ada")
    left = "unverified: MEMBER_UNKNOWN"

    datasets = {entry["owner"]: entry for entry in own_room.b.run("dataset", "list", "--json").json}
    assert datasets["b"]["state"] == "complete"
    assert datasets["a"] == {"name": datasets["a"]["name"], "owner": "a", "state": left}
    contracts = own_room.b.run("contract", "list", "--json").json
    assert {entry["name"]: entry["state"] for entry in contracts} == dict.fromkeys(names, left)
    assert left in own_room.b.run("contract", "list").out
    with own_room.client(own_room.b) as client:
        assert [entry.code for entry in client.recipes().unverified] == ["MEMBER_UNKNOWN"] * 3
        assert left in client.contracts()._repr_html_()
        assert left in set(client.datasets().frame()["state"])
        assert client.dataset("lung-b").name == client.dataset(datasets["b"]["name"]).name
        with pytest.raises(AccessDenied):
            client.dataset(datasets["a"]["name"])
    assert own_room.b.run("contract", "show", names[0], "--json", code=6).json["code"] == "MEMBER_UNKNOWN"

    # Another contract goes on: it is found by the start of its name, read and approved.
    own = RECIPE.replace('["a", "b"]', '["b"]').replace('["cox", "cox-stratified"]', '["cox"]')
    proposing = ("contract", "propose", own_room.b.write("own.toml", own), "--dataset", "b=lung-b", "--purpose", "x")
    mine = own_room.b.run(*proposing, "--out", own_room.b.folder / "own.json", "--json").json["contract"]
    assert own_room.b.run("contract", "show", mine[:12], "--json").json["name"] == mine
    assert own_room.b.run("contract", "approve", mine[:12], "--yes", "--json").json["state"] == "approved"

    def changed(*_):
        raise AnalysisError("PLAN_DIFFERS", "The enclave program changed.")

    monkeypatch.setattr("sealroom.studies.plan_signed", changed)
    for named, name in ((names[0], names[0]), (names[1][:10], names[1]), (file, names[2])):
        assert (
            own_room.b.run("contract", "revoke", named, "--reason", "x", "--json", code=6).json["code"]
            == "NOT_CONFIRMED"
        )
        answer = own_room.b.run("contract", "revoke", named, "--reason", "x", "--yes", "--json").json
        assert answer == {"name": name, "state": "revoked", "approvals": 0, "revocations": 1}
    for named, code in (("0" * 64, 9), ("0" * 10, 4)):
        own_room.b.run("contract", "revoke", named, "--reason", "x", "--yes", code=code)
