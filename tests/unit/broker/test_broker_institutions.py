"""Joining a broker, and changing what is known of an institution."""

import factories
import pytest
from broker_scene import call, envelope_of, must, refused
from factories import DAY


def put(broker, party, envelope=None, **headers):
    return call(broker.url, "PUT", f"/v1/institutions/{party.key}", envelope or party.institution.envelope, headers)


@pytest.fixture
def newcomer(broker):
    import secrets

    return factories.make_institution(f"new-{secrets.token_hex(4)}", at=broker.clock())


def invited(broker):
    return {"Sealroom-Invite": broker.invite}


def test_the_first_time_takes_the_invitation(broker, newcomer):
    refused(put(broker, newcomer), 400, "INVITE_MISSING")
    refused(put(broker, newcomer, **{"Sealroom-Invite": "guess"}), 403, "INVITE")
    assert envelope_of(must(put(broker, newcomer, **invited(broker)))) == newcomer.institution.envelope


def test_the_invitation_is_a_file_for_its_owner_only(broker):
    file = broker.data / "invite"
    assert file.stat().st_mode & 0o777 == 0o600 and len(broker.invite) >= 40


def test_the_same_document_again_changes_nothing(broker, scene):
    must(put(broker, scene.parties[0]))
    must(put(broker, scene.parties[0]))


def test_serials_grow(broker, scene):
    party = scene.parties[0]
    third = party.reissue(serial=3, name="Renamed")
    must(put(broker, third))
    found = scene.member(0, "analyst").get(f"/v1/institutions/{party.key}")
    assert envelope_of(must(found)) == third.institution.envelope
    refused(put(broker, party), 409, "SERIAL")
    refused(put(broker, party.reissue(serial=3, name="Another third")), 409, "SERIAL")
    must(put(broker, party.reissue(serial=4)))


def test_the_root_is_the_one_of_the_address(broker, scene, newcomer):
    other = newcomer.institution.envelope
    refused(put(broker, scene.parties[0], other, **invited(broker)), 422, "NAME")


def test_nobody_else_signs_for_a_root(broker, scene, newcomer):
    forged = factories.resign(scene.parties[0].institution.document, newcomer.root, serial=9)
    refused(put(broker, scene.parties[0], forged.envelope), 422, "SIGNATURE")


def test_a_short_name_is_taken_once(broker, scene, newcomer):
    same = newcomer.reissue(short=scene.parties[0].institution.document.short)
    refused(put(broker, same, **invited(broker)), 409, "SHORT_TAKEN")


@pytest.mark.parametrize(
    ("issued", "expires", "code"), [(-400, -1, "EXPIRED"), (2, 300, "NOT_YET_VALID")], ids=["expired", "future"]
)
def test_documents_out_of_their_time_are_refused(broker, newcomer, issued, expires, code):
    now = broker.clock()
    times = {"issued": now + issued * DAY, "expires": now + expires * DAY}
    party = newcomer.reissue(**{name: factories.format_time(time) for name, time in times.items()})
    refused(put(broker, party, **invited(broker)), 403, code)


def test_an_expired_institution_is_out_until_it_renews(broker, scene):
    from datetime import timedelta

    analyst = scene.member(0, "analyst")
    broker.clock.offset = timedelta(days=400)
    try:
        analyst._token = ""
        refused(analyst.get("/v1/datasets"), 403, "EXPIRED")
        renewed = scene.parties[0].reissue(serial=2, expires=factories.format_time(broker.clock() + DAY))
        must(put(broker, renewed))
        must(analyst.get("/v1/datasets"))
    finally:
        broker.clock.offset = timedelta(0)


def test_every_member_lists_institutions_and_a_stranger_none(broker, scene):
    listed = must(scene.member(1, "steward").get("/v1/institutions")).json()
    assert all(party.institution.envelope.model_dump(mode="json") in listed for party in scene.parties)
    refused(call(broker.url, "GET", "/v1/institutions"), 401, "TOKEN_MISSING")
    refused(scene.member(0, "steward").get(f"/v1/institutions/{'ab' * 32}"), 404, "INSTITUTION_UNKNOWN")


def test_another_kind_of_document_is_refused(broker, ready):
    envelope = ready.contract.envelope
    refused(put(broker, ready.parties[0], envelope), 422, "PAYLOAD_TYPE")


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b"\xff", b"[" * 5000, b'{"a":1.5}'])
def test_what_is_no_envelope_is_refused(broker, scene, body):
    answer = call(broker.url, "PUT", f"/v1/institutions/{scene.parties[0].key}", body)
    assert answer.status_code == 422 and answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] in {"JSON", "DOCUMENT", "CANONICAL", "SIZE"}


def test_an_outsider_without_the_invitation_is_refused_before_the_body_is_read(broker):
    """Only headers are sent: were the body read first, no answer would come."""
    import socket

    host, port = broker.url.removeprefix("http://").split(":")
    head = (
        f"PUT /v1/institutions/{'ab' * 32} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1000000\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(head.encode())
        found = b""
        while b"\r\n\r\n" not in found or not found.endswith(b"}"):  # headers and body may come apart
            more = connection.recv(65_536)
            if not more:
                break
            found += more
    assert b"400" in found.split(b"\r\n")[0] and b"INVITE_MISSING" in found


def test_institutions_are_listed_page_by_page(broker, scene):
    member = scene.member(0, "steward")
    every = must(member.get("/v1/institutions?limit=100")).json()
    first = must(member.get("/v1/institutions?limit=1")).json()
    second = must(member.get(f"/v1/institutions?limit=1&after={first[0]['signatures'][0]['keyid']}")).json()
    assert [*first, *second] == every[:2]
