import base64

import pytest
from partner_desk import PASSPHRASE, Desk

from protocol.errors import AccessDenied, StorageError
from sealroom.files import read_bounded, write_private
from sealroom.keystore import Keystore, Passphrase


def store(tmp_path, text=PASSPHRASE):
    (tmp_path / "passphrase").write_text(text + "\n")
    return Keystore(tmp_path / "keys", Passphrase(tmp_path / "passphrase"))


def test_institution_and_members_have_one_sealed_key_for_each_use(tmp_path):
    desk = Desk(tmp_path)
    desk.join()
    names = {path.name for path in (desk.home / "keys").iterdir()}
    assert names == {
        "root.key",
        "ada.api.key",
        "ada.manifest.key",
        "ada.approval.key",
        "ada.contract.key",
        "ada.recipient.key",
    }
    keys = Keystore(desk.home / "keys", Passphrase(tmp_path / "passphrase"))
    member = desk.run("institution", "show", "--json").json
    assert member["serial"] == 2
    secrets = {name: keys.secret(name.removesuffix(".key")) for name in names}
    assert len(set(secrets.values())) == len(secrets)
    for path in desk.home.rglob("*"):
        if path.is_file():
            assert path.stat().st_mode & 0o077 == 0, path
            content = path.read_bytes()
            for secret in secrets.values():
                for form in (secret, secret.hex().encode(), base64.b64encode(secret)):
                    assert form not in content


def test_the_signed_institution_names_the_public_keys_of_what_is_kept(tmp_path):
    from protocol.dsse import Envelope, public_key
    from protocol.governance import verify_institution
    from protocol.types import decode_base64

    desk = Desk(tmp_path)
    desk.join()
    institution = verify_institution(Envelope.from_bytes((desk.home / "institution.json").read_bytes()))
    keys = Keystore(desk.home / "keys", Passphrase(tmp_path / "passphrase"))
    ada = institution.document.member("ada")
    assert institution.document.root == public_key(keys.signing("root"))
    for use in ("api", "manifest", "approval", "contract"):
        assert getattr(ada.keys, use) == public_key(keys.signing(f"ada.{use}"))
    assert decode_base64(ada.keys.recipient) == keys.recipient("ada.recipient").public_bytes()


def test_a_wrong_passphrase_opens_nothing_and_changes_nothing(tmp_path):
    desk = Desk(tmp_path)
    desk.join()
    before = (desk.home / "institution.json").read_bytes()
    (tmp_path / "passphrase").write_text("another twelve letters\n")
    answer = desk.run("member", "add", "bob", "--name", "Bob", "--role", "steward", "--json", code=6)
    assert answer.json["code"] == "PASSPHRASE"
    assert (desk.home / "institution.json").read_bytes() == before
    assert not list((desk.home / "keys").glob("bob*"))


@pytest.mark.parametrize("text", ["", "short"])
def test_a_short_passphrase_is_refused(tmp_path, text):
    desk = Desk(tmp_path)
    (tmp_path / "passphrase").write_text(text)
    answer = desk.run("institution", "init", "--short", "a", "--name", "A", code=6)
    assert "PASSPHRASE" in answer.err
    assert not desk.home.exists()


def test_a_short_passphrase_for_a_key_that_is_there_is_wrong_not_short(tmp_path):
    store(tmp_path).keep_secret("x", b"1" * 32)
    with pytest.raises(AccessDenied, match="the passphrase is wrong") as caught:
        store(tmp_path, "short").secret("x")
    assert caught.value.code == "PASSPHRASE"
    keys = store(tmp_path, "short")
    with pytest.raises(AccessDenied, match="wanted 12"):
        keys.keep_secret("y", b"1" * 32)
    assert not keys.has("y")


def test_without_file_and_terminal_there_is_no_passphrase(tmp_path):
    with pytest.raises(AccessDenied) as caught:
        Passphrase(None).get()
    assert caught.value.code == "PASSPHRASE"


def test_a_key_is_never_replaced_and_an_absent_one_is_said(tmp_path):
    keys = store(tmp_path)
    keys.keep_secret("x", b"1" * 32)
    with pytest.raises(StorageError) as caught:
        keys.keep_secret("x", b"2" * 32)
    assert caught.value.code == "FILE_EXISTS"
    assert keys.secret("x") == b"1" * 32
    with pytest.raises(StorageError) as caught:
        keys.secret("y")
    assert caught.value.code == "KEY_MISSING"


def test_a_home_holds_one_institution(tmp_path):
    desk = Desk(tmp_path)
    desk.join()
    answer = desk.run("institution", "init", "--short", "b", "--name", "B", "--json", code=9)
    assert answer.json["code"] == "INSTITUTION_EXISTS"


def test_members_come_and_go_and_the_serial_grows(tmp_path):
    desk = Desk(tmp_path)
    desk.join()
    desk.run("member", "add", "bob", "--name", "Bob", "--role", "approver")
    assert desk.run("member", "add", "bob", "--name", "Bob", "--role", "approver", code=9)
    shown = desk.run("member", "remove", "ada", "--json").json
    assert [member["id"] for member in shown["members"]] == ["bob"]
    assert shown["serial"] == 4
    assert (desk.home / "keys" / "ada.recipient.key").exists()
    assert desk.run("member", "remove", "ada", code=9)
    assert "bob" in desk.run("member", "list").out


def test_a_malformed_institution_or_member_leaves_no_key(tmp_path):
    desk = Desk(tmp_path)
    answer = desk.run("institution", "init", "--short", "Hospital A", "--name", "A", code=4)
    assert "short" in answer.err
    assert not desk.home.exists()
    desk.join()
    desk.run("member", "add", "bob smith", "--name", "Bob", "--role", "approver", code=4)
    assert not list((desk.home / "keys").glob("bob*"))


def test_the_fingerprint_is_grouped_for_people_and_plain_for_programs(tmp_path):
    desk = Desk(tmp_path)
    desk.join()
    root = desk.run("institution", "show", "--fingerprint").out.strip()
    assert len(root) == 64
    shown = desk.run("institution", "show").out
    assert " ".join(root[index : index + 4] for index in range(0, 16, 4)) in shown


def test_what_a_lost_passphrase_means_is_said_when_keys_are_made(tmp_path):
    answer = Desk(tmp_path).run("institution", "init", "--short", "a", "--name", "A", "--json")
    assert "recover a lost passphrase" in answer.err
    assert answer.json["short"] == "a"


def test_files_are_replaced_in_one_step_and_read_with_a_bound(tmp_path):
    path = tmp_path / "deep" / "file"
    write_private(path, b"old")
    write_private(path, b"new!")
    assert read_bounded(path, 4) == b"new!"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]
    with pytest.raises(StorageError, match="more than 3"):
        read_bounded(path, 3)
    with pytest.raises(StorageError, match="no file"):
        read_bounded(tmp_path / "absent", 3)
