"""Datasets of two files, table and genotypes, at the broker and its custodian."""

import base64
import hashlib
import io
import json
import secrets

import factories
import pytest
from broker_scene import Scene, must, refused, split

from protocol.container import SealingWriter
from protocol.documents.dataset import (
    MAX_PARTS,
    PART_SIZE,
    SEGMENT,
    SEGMENTS_PER_PART,
    DatasetManifest,
    GenotypeSchema,
    SealedFile,
    sealed_size,
)
from protocol.dsse import MAX_DOCUMENT


def schema(variants):
    return GenotypeSchema(variants=variants, catalogue="ab" * 32, assembly="GRCh38")


@pytest.fixture
def two(broker):
    """A scene, a dataset of two files, and the sealed bytes of the second."""
    scene = Scene(broker, owners=1)
    table = scene.make_dataset(0)
    size = 3 + 4000 * 5  # 20 rows
    sink = io.BytesIO()
    writer = SealingWriter(sink, table.data_key)
    writer.write(secrets.token_bytes(size))
    changes = {
        "genotypes": schema(4000),
        "files": (*table.manifest.document.files, writer.finish().sealed_file("genotypes")),
    }
    signed = factories.resign(table.manifest.document, scene.parties[0].people["steward"].manifest, **changes)
    return scene, factories.Dataset(signed, table.data_key, table.plain, table.sealed), sink.getvalue()


def put(scene, dataset, file, index, data):
    digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
    path = f"/v1/datasets/{dataset.manifest.name}/files/{file}/parts/{index}"
    return scene.member(0, "steward").put(path, data, Content_Digest=f"sha-256=:{digest}:")


def test_a_dataset_is_complete_when_both_files_are_there(two):
    scene, dataset, genotypes = two
    steward, base = scene.member(0, "steward"), f"/v1/datasets/{dataset.manifest.name}"
    must(scene.open_upload(0, dataset))
    must(put(scene, dataset, "table", 0, dataset.sealed))
    answer = steward.post(f"{base}/complete")
    refused(answer, 409, "PARTS_MISSING")
    assert "File genotypes lacks 1 of 1 parts" in answer.json()["detail"]
    refused(put(scene, dataset, "genotypes", 0, dataset.sealed), 422, "PART_DIGEST")  # the table's bytes
    refused(put(scene, dataset, "genotypes", 1, genotypes), 404, "PART_UNKNOWN")
    refused(put(scene, dataset, "phenotypes", 0, genotypes), 404, "FILE_UNKNOWN")
    must(put(scene, dataset, "genotypes", 0, genotypes))
    assert must(steward.get(f"{base}/files/genotypes/parts")).json() == {"have": [0], "wanted": 1}
    must(
        steward.put(
            f"/v1/custodian/capsules/{dataset.manifest.name}", factories.make_deposit(scene.parties[0], dataset)
        )
    )
    assert must(steward.post(f"{base}/complete")).json()["state"] == "complete"


def test_a_host_is_given_parts_of_each_file(two):
    scene, dataset, genotypes = two
    must(scene.open_upload(0, dataset))
    must(put(scene, dataset, "table", 0, dataset.sealed))
    must(put(scene, dataset, "genotypes", 0, genotypes))
    steward = scene.member(0, "steward")
    must(steward.post(f"/v1/datasets/{dataset.manifest.name}/complete"))
    must(
        steward.put(
            f"/v1/custodian/capsules/{dataset.manifest.name}", factories.make_deposit(scene.parties[0], dataset)
        )
    )
    scene.datasets.append(dataset)
    scene.propose()
    scene.approve()
    scene.start()
    lease = scene.host.claim()
    for file, sealed in (("table", dataset.sealed), ("genotypes", genotypes)):
        answer = scene.host.run(lease, "GET", f"/datasets/{dataset.manifest.name}/{file}/0")
        assert must(answer).content == split(sealed)[0]


def test_files_that_do_not_follow_from_the_schema_are_no_manifest(two):
    _, dataset, _ = two
    fields = dataset.manifest.document.model_dump(mode="json")
    for changes in (
        {"genotypes": None},
        {"genotypes": fields["genotypes"] | {"variants": 3999}},
        {"files": fields["files"][:1]},
        {"files": fields["files"][::-1]},
        {"files": [fields["files"][1], fields["files"][1]]},
        {"rows": 24},
    ):
        with pytest.raises(ValueError, match=r"files are the table|size of the genotypes"):
            DatasetManifest.model_validate_json(json.dumps(fields | changes))


def test_genotypes_of_as_many_parts_as_may_be_are_taken(broker):
    scene = Scene(broker, owners=1)
    table = scene.make_dataset(0)
    plain = MAX_PARTS * SEGMENTS_PER_PART * SEGMENT
    rows, variants = 4 * (2**20), (plain - 3) // 2**20
    plains = {"table": plain // 10, "genotypes": 3 + variants * 2**20}
    files = []
    for name, size in plains.items():
        sealed = sealed_size(size)
        digests = tuple(secrets.token_hex(32) for _ in range(-(-sealed // PART_SIZE)))
        files.append(SealedFile(name=name, plain_size=size, sealed_size=sealed, parts=digests))
    changes = {"files": tuple(files), "genotypes": schema(variants), "rows": rows}
    signed = factories.resign(table.manifest.document, scene.parties[0].people["steward"].manifest, **changes)
    assert sum(len(file.parts) for file in files) == MAX_PARTS + MAX_PARTS // 10
    assert len(signed.envelope.to_bytes()) < MAX_DOCUMENT
    dataset = factories.Dataset(signed, table.data_key, table.plain, table.sealed)
    must(scene.open_upload(0, dataset))
    deposit = factories.make_deposit(scene.parties[0], dataset)
    must(scene.member(0, "steward").put(f"/v1/custodian/capsules/{signed.name}", deposit))
