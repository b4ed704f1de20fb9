"""Institutions from a broker that may lie about them."""

import json

import factories
import pytest
from factories import make_study
from partner_desk import Desk
from scripted_server import Scripted

from protocol.documents import Institution
from protocol.dsse import Unverified
from protocol.errors import AccessDenied, DocumentError, StorageError, TransportError
from sealroom.home import Home
from sealroom.registry import known_institutions
from sealroom.serials import require_not_older
from sealroom.transport import Transport
from sealroom.trust import InstitutionPin, Trust


@pytest.fixture(scope="module")
def partner():
    return make_study(owners=1).parties[0]


@pytest.fixture
def home(tmp_path):
    desk = Desk(tmp_path)
    desk.join()
    return Home(desk.home)


def pinning(*parties):
    return Trust(institutions=tuple(InstitutionPin(short=p.institution.document.short, root=p.key) for p in parties))


def root_of(envelope):
    return Unverified.parse(envelope, Institution).claimed.root


def ask(home, trust, *envelopes):
    """Ask a broker that answers for each envelope's claimed root; it knows no other."""
    shown = {f"/v1/institutions/{root_of(e)}": (200, json.dumps(e.model_dump(mode="json")).encode()) for e in envelopes}
    unknown = json.dumps(StorageError("INSTITUTION_UNKNOWN", "Not here.").problem()).encode()
    with Scripted(lambda _method, path, *_: shown.get(path, (404, unknown))) as server, Transport(server.url) as broker:
        return known_institutions(broker, home, trust)


def test_pinned_institutions_are_taken_and_others_left_out(home, partner):
    stranger = make_study(owners=1).parties[0]
    envelopes = (partner.institution.envelope, stranger.institution.envelope)
    assert set(ask(home, pinning(partner), *envelopes)) == {home.institution().document.root, partner.key}
    assert set(ask(home, Trust(), *envelopes)) == {home.institution().document.root}


def test_the_own_institution_is_the_one_at_home(home, partner):
    from protocol.dsse import sign

    own = home.institution()
    forged = sign(factories.changed(partner.institution.document, {"root": own.document.root}), partner.root).envelope
    found = ask(home, Trust(), forged)
    assert found[own.document.root].envelope == own.envelope


def test_an_invented_member_of_a_pinned_institution_is_refused(home, partner):
    from protocol.dsse import sign

    other = make_study(owners=1).parties[0]
    forged = sign(factories.changed(partner.institution.document, {"members": ()}), other.root).envelope
    with pytest.raises(DocumentError) as caught:
        ask(home, pinning(partner), forged)
    assert caught.value.code == "SIGNATURE"


def test_an_older_serial_does_not_come_back(home, partner):
    newer = partner.reissue(serial=partner.institution.document.serial + 1)
    trust = pinning(partner)
    ask(home, trust, partner.institution.envelope)
    assert ask(home, trust, newer.institution.envelope)[partner.key].name == newer.institution.name
    with pytest.raises(AccessDenied) as caught:
        ask(home, trust, partner.institution.envelope)
    assert caught.value.code == "SERIAL"
    assert ask(home, trust, newer.institution.envelope)


def test_damaged_serials_are_said(home, partner):
    (home.folder / "serials.json").write_text("{")
    with pytest.raises(StorageError) as caught:
        require_not_older(home, [partner.institution])
    assert caught.value.code == "SERIALS"
    (home.folder / "serials.json").write_text('{"serials": {"x": 1}}')
    with pytest.raises(DocumentError):
        require_not_older(home, [partner.institution])


def test_another_institution_than_was_asked_for_is_refused(home, partner):
    other = make_study(owners=1).parties[0]
    body = json.dumps(other.institution.envelope.model_dump(mode="json")).encode()
    with (
        Scripted(lambda *_: (200, body)) as server,
        Transport(server.url) as broker,
        pytest.raises(DocumentError) as caught,
    ):
        known_institutions(broker, home, pinning(partner))
    assert caught.value.code == "SIGNATURE"


def test_a_pinned_institution_that_has_not_joined_is_left_out_and_other_errors_are_told(home, partner):
    assert set(ask(home, pinning(partner))) == {home.institution().document.root}
    broken = json.dumps(StorageError("DATABASE", "The disk is full.").problem()).encode()
    with (
        Scripted(lambda *_: (409, broken)) as server,
        Transport(server.url) as broker,
        pytest.raises(StorageError) as caught,
    ):
        known_institutions(broker, home, pinning(partner))
    assert caught.value.code == "DATABASE"


@pytest.mark.parametrize("body", [b"{}", b'{"payload":3}', b"[3]", b"null"])
def test_an_answer_that_is_no_institution_is_an_error(home, partner, body):
    with Scripted(lambda *_: (200, body)) as server, Transport(server.url) as broker:
        with pytest.raises(TransportError) as caught:
            known_institutions(broker, home, pinning(partner))
        assert caught.value.code == "ANSWER_SHAPE"
