"""The JSON Schemas that are checked in are those that the code generates, and they say what matters."""

import importlib
import json
import pkgutil
from pathlib import Path

import factories
import pytest

import protocol
from protocol.dsse import SignedDocument
from protocol.schemas import SIGNED_DOCUMENTS, schema_files
from protocol.types import decode_base64

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "schemas"


def test_checked_in_schemas_are_current():
    found = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    assert found == schema_files(), "run python -m protocol.schemas --write"


def test_every_signed_document_has_a_schema():
    for module in pkgutil.walk_packages(protocol.__path__, "protocol."):
        importlib.import_module(module.name)
    kinds = {kind for kind in SignedDocument.__subclasses__() if kind.__module__.startswith("protocol.")}
    assert kinds == set(SIGNED_DOCUMENTS)
    types = [kind.payload_type for kind in SIGNED_DOCUMENTS]
    assert len(set(types)) == len(types)


def objects(node):
    if isinstance(node, dict):
        if node.get("type") == "object" and "properties" in node:
            yield node
        for value in node.values():
            yield from objects(value)
    elif isinstance(node, list):
        for value in node:
            yield from objects(value)


@pytest.mark.parametrize("name", schema_files())
def test_schemas_are_closed_and_without_floats(name):
    schema = json.loads(schema_files()[name])
    found = list(objects(schema))
    assert found
    assert all(node["additionalProperties"] is False for node in found)
    assert '"type": "number"' not in schema_files()[name]


def test_signed_documents_have_exactly_the_fields_of_their_schemas():
    study = factories.make_study(1)
    for signed in (
        study.parties[0].institution,
        study.datasets[0].manifest,
        study.recipe,
        study.contract,
        study.approvals[0],
    ):
        payload = json.loads(decode_base64(signed.envelope.payload))
        kind = type(signed.document)
        schema = next(
            json.loads(text) for text in schema_files().values() if json.loads(text)["title"] == kind.__name__
        )
        assert set(payload) == set(schema["properties"])
        assert signed.envelope.payloadType in schema["$comment"]
