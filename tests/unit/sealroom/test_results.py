"""Results through the SDK: fetched over a socket, verified, opened, as tables."""

import json
from datetime import UTC, datetime, timedelta

import factories
import factories_bundle
import pytest
from scripted_server import Scripted

from protocol.errors import DocumentError
from sealroom import Client, Result
from sealroom.home import Home
from sealroom.keystore import Keystore, Passphrase
from sealroom.trust import save_trust

PASSPHRASE = "a passphrase of the tests"
OUTPUTS = {name: factories_bundle.LUNG[name] for name in ("cox", "kaplan-meier", "log-rank")}


@pytest.fixture(scope="module")
def made():
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    return factories_bundle.make_bundle(outputs=OUTPUTS, at=at)


@pytest.fixture(scope="module")
def broker(made):
    """A broker that has one result, which it gives for whatever run it is asked."""

    def answer(method, path, headers, body):
        return 200, json.dumps({"access_token": "t", "expires_in": 60}).encode() if method == "POST" else made.data

    with Scripted(answer) as server:
        yield server.url


@pytest.fixture(scope="module")
def client(made, broker, tmp_path_factory):
    folder = tmp_path_factory.mktemp("party")
    party = made.study.parties[1]
    home = Home(folder / "home")
    (folder / "passphrase").write_text(PASSPHRASE + "\n")
    keys = Keystore(home.keys, Passphrase(folder / "passphrase"))
    home.save_institution(party.institution)
    home.save_broker(broker)
    keys.keep_recipient("analyst.recipient", party.people["analyst"].recipient)
    keys.keep_signing("analyst.api", party.people["analyst"].api)
    others = tuple(pin for pin in made.trust.institutions if pin.root != party.key)
    save_trust(factories.changed(made.trust, {"institutions": others}), home.trust_file)
    with Client(home, passphrase_file=folder / "passphrase", role="analyst") as client:
        yield client


def test_a_result_is_a_table_for_each_output(client, made):
    result = client.result(made.receipt.predicate.run)
    assert isinstance(result, Result)
    assert result.simulated
    assert list(result.outputs) == ["cox", "kaplan-meier", "log-rank"]
    assert result.cox.equals(result["cox"])
    assert result.cox["coefficient"][0] == 0.01107
    assert set(result.kaplan_meier.columns) == {"group", "time", "survival", "at_risk"}
    shown = result._repr_html_()
    assert shown.startswith("<p><b>VERIFIED, SIMULATED")
    assert "<h4>log-rank</h4>" in shown
    with pytest.raises(AttributeError):
        result.median  # noqa: B018 - asking is the test
    with pytest.raises(KeyError):
        result["median"]


def test_another_runs_result_is_not_taken_for_this_ones(client):
    with pytest.raises(DocumentError) as caught:
        client.result("0" * 32)
    assert caught.value.code == "OTHER_RUN"


def test_a_result_is_nothing_where_a_pin_is_missing(client, made):
    trust = client.trust
    client._trust = trust.model_copy(update={"measurements": ()})
    try:
        with pytest.raises(Exception, match="Not pinned: measurement") as caught:
            client.result(made.receipt.predicate.run)
        assert caught.value.exit_code == 3
    finally:
        client._trust = trust
