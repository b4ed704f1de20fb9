"""Manifests and uploads of sealed parts."""

import base64
import hashlib
import threading

import factories
import pytest
from broker_scene import Scene, call, must, refused, split
from factories import DAY

from protocol.documents import Lineage
from protocol.types import format_time


@pytest.fixture
def dataset(scene):
    dataset = scene.make_dataset(0)
    must(scene.open_upload(0, dataset))
    return dataset


@pytest.fixture
def large(broker):
    """A dataset of three parts and its scene: two of 16 MiB, one short."""
    scene = Scene(broker, owners=1, parts=3)
    dataset = scene.make_dataset(0)
    must(scene.open_upload(0, dataset))
    return scene, dataset


def have(scene, dataset):
    answer = scene.member(0, "steward").get(f"/v1/datasets/{dataset.manifest.name}/files/table/parts")
    return must(answer).json()


def state(scene, dataset):
    return must(scene.member(0, "analyst").get(f"/v1/datasets/{dataset.manifest.name}")).json()["state"]


def test_parts_come_in_any_order_and_twice(large):
    scene, dataset = large
    steward = scene.member(0, "steward")
    parts = split(dataset.sealed)
    assert len(parts) == 3 and have(scene, dataset) == {"have": [], "wanted": 3}
    complete = f"/v1/datasets/{dataset.manifest.name}/complete"
    first = must(steward.put_part(dataset.manifest, 2, parts[2])).content
    answer = steward.post(complete)
    refused(answer, 409, "PARTS_MISSING")
    assert "lacks 2 of 3 parts: 0, 1." in answer.json()["detail"]
    must(steward.put_part(dataset.manifest, 0, parts[0]))
    assert have(scene, dataset) == {"have": [0, 2], "wanted": 3}
    assert steward.put_part(dataset.manifest, 2, parts[2]).content == first
    must(steward.put_part(dataset.manifest, 1, parts[1]))
    assert must(steward.post(complete)).json()["state"] == "complete"
    assert must(steward.post(complete)).json()["state"] == "complete"
    assert state(scene, dataset) == "complete"
    assert steward.put_part(dataset.manifest, 2, parts[2]).content == first


def test_the_same_part_from_many_at_once_is_stored_once(broker, scene, dataset):
    steward = scene.member(0, "steward")
    steward.token  # noqa: B018 - one token for all
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(steward.put_part(dataset.manifest, 0, dataset.sealed)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [200] * 8
    files = [file for file in (broker.data / "objects" / "sealed" / dataset.manifest.name).rglob("*") if file.is_file()]
    assert len(files) == 1 and files[0].read_bytes() == dataset.sealed


def test_wrong_bytes_are_refused_and_leave_nothing(broker, scene, dataset):
    steward, good = scene.member(0, "steward"), dataset.sealed
    digest = hashlib.sha256(good).digest()
    flipped = bytes([good[0] ^ 1]) + good[1:]
    refused(steward.put_part(dataset.manifest, 0, flipped), 422, "PART_DIGEST")
    refused(steward.put_part(dataset.manifest, 0, flipped, digest), 422, "PART_DIGEST")
    refused(steward.put_part(dataset.manifest, 0, good[:-1], digest), 422, "PART_SIZE")
    refused(steward.put_part(dataset.manifest, 0, good + b"x", digest), 422, "PART_SIZE")
    refused(steward.put_part(dataset.manifest, 0, b"", digest), 422, "PART_SIZE")
    refused(steward.put_part(dataset.manifest, 0, good, b"\0" * 32), 422, "PART_DIGEST")
    refused(steward.put_part(dataset.manifest, 1, good), 404, "PART_UNKNOWN")
    refused(steward.put_part(dataset.manifest, -1, good), 404, "PART_UNKNOWN")
    assert have(scene, dataset)["have"] == []
    folder = broker.data / "objects" / "sealed" / dataset.manifest.name
    assert not [file for file in folder.rglob("*") if file.is_file()]
    must(steward.put_part(dataset.manifest, 0, good))
    refused(steward.put_part(dataset.manifest, 0, flipped, digest), 422, "PART_DIGEST")


@pytest.mark.parametrize(
    "header", ["", "sha-256=abc", "md5=:abcd:", "sha-256=:!!!!:", "sha-256=:" + "A" * 40 + ":", "sha-256=::"]
)
def test_a_digest_header_of_another_form_is_refused(scene, dataset, header):
    path = f"/v1/datasets/{dataset.manifest.name}/files/table/parts/0"
    refused(scene.member(0, "steward").put(path, dataset.sealed, Content_Digest=header), 400, "CONTENT_DIGEST")


def test_a_digest_header_may_list_other_algorithms(scene, dataset):
    digest = base64.b64encode(hashlib.sha256(dataset.sealed).digest()).decode()
    path = f"/v1/datasets/{dataset.manifest.name}/files/table/parts/0"
    header = f"unixsum=30637, sha-256=:{digest}:"
    must(scene.member(0, "steward").put(path, dataset.sealed, Content_Digest=header))


def test_a_part_without_digest_or_of_a_strange_address_is_refused(scene, dataset):
    steward = scene.member(0, "steward")
    base = f"/v1/datasets/{dataset.manifest.name}/files"
    refused(steward.put(f"{base}/table/parts/0", dataset.sealed), 400, "REQUEST")
    digest = {"Content_Digest": f"sha-256=:{base64.b64encode(hashlib.sha256(dataset.sealed).digest()).decode()}:"}
    refused(steward.put(f"{base}/table/parts/x", dataset.sealed, **digest), 400, "REQUEST")
    refused(steward.put(f"{base}/other/parts/0", dataset.sealed, **digest), 404, "FILE_UNKNOWN")
    refused(steward.put(f"{base}/..%2f..%2fetc/parts/0", dataset.sealed, **digest), 404, "ROUTE_UNKNOWN")
    refused(
        steward.put(f"/v1/datasets/{'0' * 64}/files/table/parts/0", dataset.sealed, **digest), 404, "DATASET_UNKNOWN"
    )


def test_only_a_steward_of_the_owner_uploads(scene, dataset):
    for party, member, code in ((0, "analyst", "ROLE"), (0, "approver", "ROLE"), (1, "steward", "SIGNER")):
        caller = scene.member(party, member)
        refused(caller.put_part(dataset.manifest, 0, dataset.sealed), 403, code)
        refused(caller.post(f"/v1/datasets/{dataset.manifest.name}/complete"), 403, code)
        refused(caller.get(f"/v1/datasets/{dataset.manifest.name}/files/table/parts"), 403, code)


def test_every_member_reads_manifests(scene, dataset):
    found = must(scene.member(1, "approver").get(f"/v1/datasets/{dataset.manifest.name}")).json()
    assert found["name"] == dataset.manifest.name and found["state"] == "uploading"
    assert found["envelope"] == dataset.manifest.envelope.model_dump(mode="json")
    assert found in must(scene.member(1, "approver").get("/v1/datasets")).json()
    refused(scene.member(1, "approver").get(f"/v1/datasets/{'0' * 64}"), 404, "DATASET_UNKNOWN")
    refused(scene.member(1, "approver").get("/v1/datasets/short"), 400, "REQUEST")


def test_a_manifest_comes_from_a_steward_of_its_owner(scene):
    dataset = scene.make_dataset(0)
    path = f"/v1/datasets/{dataset.manifest.name}"
    refused(scene.member(0, "analyst").put(path, dataset.manifest.envelope), 403, "ROLE")
    refused(scene.member(1, "steward").put(path, dataset.manifest.envelope), 403, "INSTITUTION_UNKNOWN")
    key = scene.parties[0].people["analyst"].contract
    forged = factories.resign(dataset.manifest.document, key)
    refused(scene.member(0, "steward").put(f"/v1/datasets/{forged.name}", forged.envelope), 422, "SIGNATURE")
    refused(scene.member(0, "steward").put(f"/v1/datasets/{'0' * 64}", dataset.manifest.envelope), 422, "NAME")


def test_a_manifest_names_this_brokers_custodian(scene):
    dataset = scene.make_dataset(0, custodian=factories.CustodianPair().keys)
    refused(scene.open_upload(0, dataset), 403, "CUSTODIAN_UNKNOWN")


def test_a_manifest_out_of_its_time_is_refused(scene):
    refused(scene.open_upload(0, scene.make_dataset(0, created=format_time(scene.at + DAY))), 403, "NOT_YET_VALID")
    scene.policy["expires"] = format_time(scene.at - DAY)
    refused(scene.open_upload(0, scene.make_dataset(0)), 403, "EXPIRED")


def test_versions_of_a_lineage_grow_and_keep_their_owner(scene):
    lineage = "ab" * 32
    second = scene.make_dataset(0, lineage=Lineage(id=lineage, version=2))
    must(scene.open_upload(0, second))
    must(scene.open_upload(0, second))
    for version in (1, 2):
        older = scene.make_dataset(0, lineage=Lineage(id=lineage, version=version))
        refused(scene.open_upload(0, older), 409, "LINEAGE")
    theirs = scene.make_dataset(1, lineage=Lineage(id=lineage, version=3))
    refused(scene.open_upload(1, theirs), 409, "LINEAGE")
    must(scene.open_upload(0, scene.make_dataset(0, lineage=Lineage(id=lineage, version=3))))


def test_a_part_that_a_crash_left_damaged_is_replaced(broker, scene, dataset):
    from broker.storage.datasets import part_key

    steward = scene.member(0, "steward")
    file = broker.data / "objects" / part_key(dataset.manifest.name, "table", 0)
    file.parent.mkdir(parents=True)
    file.write_bytes(b"\0" * len(dataset.sealed))  # what a power cut makes of bytes that were not flushed
    refused(steward.put_part(dataset.manifest, 0, dataset.sealed), 409, "OBJECT_DAMAGED")
    must(steward.put_part(dataset.manifest, 0, dataset.sealed))
    assert file.read_bytes() == dataset.sealed


def test_a_part_that_went_missing_is_missed_and_may_come_again(broker, scene, dataset):
    from broker.storage.datasets import part_key

    steward = scene.member(0, "steward")
    must(steward.put_part(dataset.manifest, 0, dataset.sealed))
    (broker.data / "objects" / part_key(dataset.manifest.name, "table", 0)).unlink()
    refused(steward.post(f"/v1/datasets/{dataset.manifest.name}/complete"), 409, "PARTS_MISSING")
    must(steward.put_part(dataset.manifest, 0, dataset.sealed))
    must(steward.post(f"/v1/datasets/{dataset.manifest.name}/complete"))


def test_capsules_are_deposited_by_stewards(broker, scene, dataset):
    deposit = factories.make_deposit(scene.parties[0], dataset)
    path = f"/v1/custodian/capsules/{dataset.manifest.name}"
    refused(call(broker.url, "PUT", path, deposit), 401, "TOKEN_MISSING")
    refused(scene.member(0, "analyst").put(path, deposit), 403, "ROLE")
    assert must(scene.member(0, "steward").put(path, deposit)).json() == {"manifest": dataset.manifest.name}
    refused(scene.member(0, "steward").put(path, b"{}"), 422, "DOCUMENT")
