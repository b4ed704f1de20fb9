import stat
import threading

import custody
import pytest

from custodian.keys import CustodianSecrets, _write_once, load_or_create, read_passphrase
from protocol.errors import AccessDenied, StorageError
from protocol.keyfile import open_secret, seal_secret


@pytest.fixture
def settings(tmp_path):
    folder = tmp_path / "new" / "custodian"
    folder.parent.mkdir()
    return custody.make_settings(folder, ())


def test_first_start_makes_one_sealed_file_that_only_its_owner_reads(settings):
    made = load_or_create(settings)
    assert stat.S_IMODE(settings.key_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(settings.folder.stat().st_mode) == 0o700
    assert [path.name for path in settings.folder.iterdir()] == ["custodian.key"]
    data = settings.key_file.read_bytes()
    secrets = (made.signing.private_bytes_raw(), made.encryption.private_bytes())
    for secret in (*secrets, custody.PASSPHRASE.encode()):
        assert secret not in data
        assert secret.hex().encode() not in data
    assert open_secret(data, custody.PASSPHRASE) == made.to_bytes()


def test_later_starts_open_the_same_keys(settings):
    made = load_or_create(settings)
    again = load_or_create(settings)
    assert again.public == made.public
    assert again.to_bytes() == made.to_bytes()


def test_processes_that_start_at_once_end_with_the_same_keys(settings):
    barrier, found = threading.Barrier(4), []

    def start():
        barrier.wait()
        found.append(load_or_create(settings).public)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    assert [path.name for path in settings.folder.iterdir()] == ["custodian.key"]


def test_wrong_passphrase_opens_nothing_and_replaces_nothing(settings):
    load_or_create(settings)
    before = settings.key_file.read_bytes()
    settings.passphrase_file.write_text("another passphrase")
    with pytest.raises(AccessDenied) as caught:
        load_or_create(settings)
    assert caught.value.code == "PASSPHRASE"
    assert settings.key_file.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe"])
def test_passphrase_file_without_a_passphrase(settings, content):
    settings.passphrase_file.write_bytes(content)
    with pytest.raises(StorageError) as caught:
        load_or_create(settings)
    assert caught.value.code == "PASSPHRASE_FILE"
    assert not settings.key_file.exists()


def test_absent_passphrase_file(settings):
    settings.passphrase_file.unlink()
    with pytest.raises(StorageError) as caught:
        load_or_create(settings)
    assert caught.value.code == "PASSPHRASE_FILE"


def test_passphrase_keeps_its_inner_and_outer_spaces(tmp_path):
    path = tmp_path / "passphrase"
    path.write_text("  two words \r\n")
    assert read_passphrase(path) == "  two words "


def test_key_file_that_others_may_read_is_refused(settings):
    load_or_create(settings)
    settings.key_file.chmod(0o640)
    with pytest.raises(StorageError) as caught:
        load_or_create(settings)
    assert caught.value.code == "KEY_FILE_MODE"
    assert "640" in caught.value.detail


@pytest.mark.parametrize("change", ["shorter", "longer", "other head"])
def test_key_file_of_something_else_is_refused(settings, change):
    whole = load_or_create(settings).to_bytes()
    spoiled = {"shorter": whole[:-1], "longer": whole + b"\x00", "other head": b"S" + whole[1:]}[change]
    settings.key_file.write_bytes(seal_secret(spoiled, custody.PASSPHRASE))
    with pytest.raises(StorageError) as caught:
        load_or_create(settings)
    assert caught.value.code == "KEY_FILE"


def test_nothing_secret_is_shown():
    made = CustodianSecrets.generate()
    shown = repr(made) + str(made) + repr(made.public)
    for secret in (made.signing.private_bytes_raw(), made.encryption.private_bytes()[:64], made.to_bytes()):
        assert secret.hex() not in shown
        assert repr(secret) not in shown
    assert made.public.signing[:16] in repr(made)


def test_a_key_file_that_is_there_is_never_replaced(settings):
    load_or_create(settings)
    before = settings.key_file.read_bytes()
    _write_once(settings.key_file, b"the keys of the process that came second")
    assert settings.key_file.read_bytes() == before
    assert [path.name for path in settings.folder.iterdir()] == ["custodian.key"]
