"""Settings of broker and host: flags before environment before file; secrets' files; state tables."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from broker_scene import PROJECT

from broker import states
from broker.__main__ import main
from broker.failures import AFTER_KEYS, TRANSIENT, ending_of
from broker.host.settings import HostSettings
from broker.secretfile import load_or_make_secret
from broker.settings import Settings
from protocol.documents.exchange import Failure
from protocol.errors import DocumentError, StorageError


def test_flags_come_before_environment_before_file(tmp_path):
    file = tmp_path / "broker.toml"
    file.write_text('data = "d"\nport = 1\nhost = "::1"\nhardware_roots = ["r.pem"]\n[limits]\nleases = 2\n')
    environment = {"SEALROOM_BROKER_PORT": "2", "SEALROOM_BROKER_LEASE_SECONDS": "7.5", "PORT": "9"}
    settings = Settings.load({"port": 3, "host": None}, environment, file)
    assert (settings.port, settings.host, settings.lease_seconds) == (3, "::1", 7.5)
    assert settings.data == tmp_path / "d" and settings.hardware_roots == (tmp_path / "r.pem",)
    assert settings.limits.leases == 2
    assert Settings.load({}, environment, file).port == 2
    roots = {"SEALROOM_BROKER_HARDWARE_ROOTS": "/a.pem:/b.pem", "SEALROOM_BROKER_DATA": "/d"}
    assert [str(root) for root in Settings.load({}, roots).hardware_roots] == ["/a.pem", "/b.pem"]


@pytest.mark.parametrize(
    ("flags", "setting"),
    [({}, "data"), ({"data": "d", "port": 70_000}, "port"), ({"data": "d", "other": 1}, "other")],
)
def test_wrong_settings_say_which(flags, setting):
    with pytest.raises(DocumentError, match=f"setting {setting} is wrong"):
        Settings.load(flags)


@pytest.mark.parametrize("kind", [Settings, HostSettings])
def test_a_file_that_is_no_toml_is_refused(tmp_path, kind):
    file = tmp_path / "x.toml"
    for content in (b"=", b"\xff"):
        file.write_bytes(content)
        with pytest.raises(DocumentError, match="SETTINGS"):
            kind.load({}, {}, file)
    with pytest.raises(DocumentError, match="SETTINGS"):
        kind.load({}, {}, tmp_path / "absent.toml")


def test_plain_http_stays_on_this_machine():
    for host in ("127.0.0.1", "::1", "localhost"):
        assert Settings(data="d", host=host).host == host
    assert Settings(data="d", host="::1", port=5).address == "http://[::1]:5"
    with pytest.raises(DocumentError, match="setting host is wrong"):
        Settings.load({"data": "d", "host": "0.0.0.0"})
    with pytest.raises(DocumentError, match="setting host is wrong"):
        Settings.load({"data": "d", "host": "broker.example", "public_url": "http://broker.example"})
    assert Settings(data="d", host="0.0.0.0", public_url="https://broker.example").public_url
    host = {"host_token_file": "t", "data": "d", "platform": "http://127.0.0.1:2"}
    for good in ("http://127.0.0.1:8", "http://[::1]:8", "http://localhost", "https://broker.example"):
        HostSettings.load({"broker": good, **host})
    for bad in ("http://broker.example", "http://127.0.0.1.example", "ftp://x", "http://127.0.0.1:8/x"):
        with pytest.raises(DocumentError, match="setting broker is wrong"):
            HostSettings.load({"broker": bad, **host})


def test_settings_do_not_change():
    with pytest.raises(ValueError, match="frozen"):
        Settings(data="d").port = 1


def test_host_settings(tmp_path):
    file = tmp_path / "host.toml"
    file.write_text(
        'broker = "http://127.0.0.1:1"\nhost_token_file = "t"\ndata = "d"\nplatform = "http://127.0.0.1:2"\n'
    )
    environment = {"SEALROOM_HOST_PROFILES": "clinical genomics", "SEALROOM_HOST_POLL_SECONDS": "2"}
    settings = HostSettings.load({"poll_seconds": 3}, environment, file)
    assert settings.profiles == ("clinical", "genomics") and settings.poll_seconds == 3
    assert settings.data == tmp_path / "d"
    with pytest.raises(StorageError, match="HOST_TOKEN_FILE"):
        settings.host_token()
    (tmp_path / "t").write_text("\n")
    with pytest.raises(StorageError, match="HOST_TOKEN_FILE"):
        settings.host_token()
    (tmp_path / "t").write_text("token\n")
    assert settings.host_token() == "token"
    for platform in ("http://10.0.0.1:2", "https://127.0.0.1:2", "http://127.0.0.1:2/x"):
        with pytest.raises(DocumentError, match="platform"):
            HostSettings.load({"platform": platform}, {}, file)


def test_secrets_are_made_once_and_kept_to_their_owner(tmp_path):
    file = tmp_path / "secret"
    secret = load_or_make_secret(file)
    assert len(secret) == 43 and file.stat().st_mode & 0o777 == 0o600
    assert load_or_make_secret(file) == secret
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]
    file.chmod(0o640)
    with pytest.raises(StorageError, match="read by others"):
        load_or_make_secret(file)
    file.chmod(0o600)
    file.write_text("")
    with pytest.raises(StorageError, match="is empty"):
        load_or_make_secret(file)


def test_the_invitation_is_printed_and_made_before_the_first_start(tmp_path, capsys):
    assert main(["invite", "--data", str(tmp_path / "d")]) == 0
    printed = capsys.readouterr().out.strip()
    assert printed == (tmp_path / "d" / "invite").read_text().strip()
    assert main(["invite"]) == DocumentError.exit_code
    assert "SETTINGS" in capsys.readouterr().err


def test_final_states_lead_nowhere_and_all_targets_exist():
    for table in (states.CONTRACT, states.DATASET, states.RUN):
        assert set().union(*table.values()) <= set(table)
    for table, final in (
        (states.RUN, {"finished", "refused", "failed"}),
        (states.CONTRACT, {"revoked"}),
        (states.DATASET, {"complete"}),
    ):
        assert {state for state, targets in table.items() if not targets} == final


def test_transitions_off_the_table_are_refused():
    states.require_transition(states.RUN, "run", "leased", "finished")
    with pytest.raises(StorageError, match="The run is finished; from there it cannot become waiting"):
        states.require_transition(states.RUN, "run", "finished", "waiting")


def test_the_documented_diagrams_are_the_tables():
    text = (PROJECT / "docs" / "states.md").read_text(encoding="utf-8")
    for table in (states.CONTRACT, states.DATASET, states.RUN):
        assert f"```mermaid\n{states.diagram(table)}\n```" in text
    assert states.redraw(text) == text
    assert states.redraw(text.replace("    waiting --> leased\n", "")) == text


def test_concurrent_starts_agree_on_one_secret(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        secrets = set(pool.map(lambda _: load_or_make_secret(tmp_path / "secret"), range(16)))
    assert len(secrets) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_what_becomes_of_a_failure():
    words = "Anything that an enclave says."
    ending = ending_of(Failure(code="EVIDENCE", detail=words), keys_released=False)
    assert ending is not None and ending.detail == words
    assert ending_of(Failure(code="EVIDENCE", detail=words), keys_released=True) is None
    for code in TRANSIENT:
        assert ending_of(Failure(code=code, detail=words), keys_released=False) is None
    for code, ours in AFTER_KEYS.items():
        ending = ending_of(Failure(code=code, detail=words), keys_released=True)
        assert ending is not None and (ending.code, ending.detail) == (code, ours)
