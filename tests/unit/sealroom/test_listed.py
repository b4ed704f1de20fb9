"""Lists from a broker that may order, repeat or swap what it lists."""

import json

import pytest
from factories import make_study
from scripted_server import Scripted

from protocol.documents import DatasetManifest
from protocol.errors import DocumentError, TransportError
from protocol.governance import verify_manifest
from sealroom.listed import fetch_named, is_name, pages, verified_listing
from sealroom.listing import DatasetEntry
from sealroom.transport import Transport


@pytest.fixture(scope="module")
def study():
    return make_study(owners=3)


def listing(broker, known):
    return verified_listing(
        pages(broker, "/v1/datasets"),
        known,
        verify_manifest,
        lambda manifest, owner, item: DatasetEntry(manifest, owner, item["state"]),
        kind=DatasetManifest,
        by="owner",
        head=DatasetEntry.head,
        columns=DatasetEntry.COLUMNS,
    )


def wire(items):
    return [
        {"envelope": item.envelope.model_dump(mode="json"), "name": item.name, "state": "complete"} for item in items
    ]


def serve(entries, size):
    """Answer like a broker whose pages hold ``size`` entries."""

    def answer(_method, path, *_):
        after = path.partition("?after=")[2]
        behind = [entry for entry in entries if entry["name"] > after]
        return 200, json.dumps(behind[:size]).encode()

    return Scripted(answer)


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_pages_are_followed_to_the_end(study, size):
    manifests = sorted((dataset.manifest for dataset in study.datasets), key=lambda manifest: manifest.name)
    with serve(wire(manifests), size) as server, Transport(server.url) as broker:
        found = listing(broker, {party.key: party.institution for party in study.parties})
    assert [entry.manifest.name for entry in found] == [manifest.name for manifest in manifests]
    assert found.unverified == ()


def test_a_document_that_does_not_verify_is_marked_and_says_nothing_else(study):
    victim = study.parties[1]
    left = victim.reissue(
        serial=2, members=tuple(member for member in victim.institution.document.members if member.id != "steward")
    )
    known = {party.key: (left if party is victim else party).institution for party in study.parties}
    manifests = sorted((dataset.manifest for dataset in study.datasets), key=lambda manifest: manifest.name)
    with serve(wire(manifests), 2) as server, Transport(server.url) as broker:
        found = listing(broker, known)
    name = study.datasets[1].manifest.name
    assert len(found) == 2 and len(found.lines) == 3
    assert [entry.fields() for entry in found.unverified] == [
        {"name": name, "owner": "south", "state": "unverified: MEMBER_UNKNOWN"}
    ]
    assert found.rows()[-1] == ("", "south", "", "unverified: MEMBER_UNKNOWN", "", "", name, "")
    assert name in repr(found) and name in found._repr_html_()


def test_what_is_no_document_of_a_known_institution_is_left_out(study):
    other = wire([study.recipe])
    manifests = wire([study.datasets[0].manifest])
    entries = sorted(other + manifests, key=lambda entry: entry["name"])
    with serve(entries, 5) as server, Transport(server.url) as broker:
        assert len(listing(broker, {study.parties[0].key: study.parties[0].institution})) == 1
        assert len(listing(broker, {}).lines) == 0


def test_a_list_that_goes_round_in_circles_is_an_error(study):
    body = json.dumps(wire([study.datasets[0].manifest])).encode()
    with (
        Scripted(lambda *_: (200, body)) as server,
        Transport(server.url) as broker,
        pytest.raises(TransportError) as caught,
    ):
        list(pages(broker, "/v1/datasets"))
    assert caught.value.code == "ANSWER_SHAPE"


@pytest.mark.parametrize("body", [b"{}", b"null", b"[3]", b'[{"envelope":3}]'])
def test_an_answer_that_is_no_list_is_an_error(body):
    with (
        Scripted(lambda *_: (200, body)) as server,
        Transport(server.url) as broker,
        pytest.raises(TransportError) as caught,
    ):
        list(pages(broker, "/v1/datasets"))
    assert caught.value.code == "ANSWER_SHAPE"


def test_what_is_asked_for_by_name_is_that(study):
    asked, other = (dataset.manifest for dataset in study.datasets[:2])
    body = json.dumps(wire([asked])[0]).encode()
    with Scripted(lambda *_: (200, body)) as server, Transport(server.url) as broker:
        assert fetch_named(broker, "/v1/datasets", asked.name) == asked.envelope
        with pytest.raises(DocumentError) as caught:
            fetch_named(broker, "/v1/datasets", other.name)
    assert caught.value.code == "NAME"
    with Scripted(lambda *_: (200, b"[]")) as server, Transport(server.url) as broker, pytest.raises(TransportError):
        fetch_named(broker, "/v1/datasets", asked.name)


def test_a_name_is_whole_or_it_is_none(study):
    assert is_name(study.contract.name)
    assert not any(map(is_name, (study.contract.name[:-1], study.contract.name.upper() + "g", "lung-a", "")))
