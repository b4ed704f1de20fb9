"""The checked-in description of the broker's API is the API."""

import json
import re
from pathlib import Path

import pytest

from broker.app import create_app
from broker.openapi import describe
from broker.settings import Settings

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    from broker_scene import seed_custodian

    data = tmp_path_factory.mktemp("openapi")
    seed_custodian(data)
    app = create_app(Settings(data=data))
    yield describe(app)
    app.state.broker.custodian.close()
    app.state.broker.database.close()


def test_the_description_is_up_to_date(document):
    written = json.loads((DOCS / "openapi.json").read_text(encoding="utf-8"))
    assert json.loads(json.dumps(document)) == written, "run: python -m broker.openapi --write"


def test_every_reference_leads_somewhere(document):
    names = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert names and names <= set(document["components"]["schemas"])


def test_every_route_of_the_interfaces_page_is_there(document):
    """docs/interfaces.md is what other rooms are written against."""
    text = (DOCS / "interfaces.md").read_text(encoding="utf-8")
    section = text[text.index("## broker") : text.index("## host relay")]
    wanted = {
        (method.lower(), re.sub(r"\{[^}]+\}", "{}", path))
        for cell in re.findall(r"^\| ((?:`[A-Z]+ /[^`]+`(?:, )?)+) \|", section, re.MULTILINE)
        for method, path in re.findall(r"`([A-Z]+) (/[^`]+)`", cell)
    }
    found = {
        (method, re.sub(r"\{[^}]+\}", "{}", path))
        for path, operations in document["paths"].items()
        for method in operations
    }
    assert len(wanted) > 30
    assert wanted == found


def test_every_operation_may_answer_with_a_problem(document):
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert "application/problem+json" in operation["responses"]["default"]["content"], (method, path)
