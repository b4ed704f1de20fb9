"""The OpenAPI description of the broker, checked in as docs/openapi.json: ``python -m broker.openapi --write``."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from broker.api.host import ClaimRequest
from broker.api.problems import Problem
from broker.api.runs import RunRequest
from broker.app import create_app
from broker.settings import Settings
from protocol.documents.exchange import CapsuleDeposit, Failure, ReleaseRequest
from protocol.documents.receipt import ResultBundle
from protocol.dsse import Envelope

__all__ = ["describe", "main"]

_BODIES: tuple[type[BaseModel], ...] = (
    CapsuleDeposit,
    ClaimRequest,
    Envelope,
    Failure,
    Problem,
    ReleaseRequest,
    ResultBundle,
    RunRequest,
)
FILE = Path(__file__).resolve().parents[1] / "docs" / "openapi.json"


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the description, with the schemas of bodies that routes read themselves."""
    document = get_openapi(title=app.title, version=app.version, routes=app.routes)
    _, bodies = models_json_schema(
        [(kind, "validation") for kind in _BODIES], ref_template="#/components/schemas/{model}"
    )
    document["components"]["schemas"] = bodies["$defs"] | document["components"]["schemas"]
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)  # FastAPI's own shape, which this broker never answers with
    return document


def main(arguments: list[str]) -> int:
    """Print the description, or with ``--write`` put it where the documentation keeps it."""
    with tempfile.TemporaryDirectory() as folder:
        text = json.dumps(describe(create_app(Settings(data=Path(folder)))), indent=1, sort_keys=True) + "\n"
    if arguments == ["--write"]:
        FILE.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
