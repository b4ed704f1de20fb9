import asyncio

import factories
import httpx
import pytest
from factories import changed
from fastapi import FastAPI, Header, Request
from fastapi.responses import JSONResponse

from custodian.api import MAX_DEPOSIT, make_router
from protocol.canonical import canonical_bytes
from protocol.documents import CustodianKeys
from protocol.dsse import load_document
from protocol.errors import AccessDenied, SealroomError
from protocol.types import encode_base64

STEWARD = {"Authorization": "Bearer steward"}


@pytest.fixture
def scene(make_scene):
    return make_scene(owners=1, deposit=False)


def ask(scene, method, path, body=None, headers=STEWARD):
    def require_steward(authorization: str = Header("")):
        if authorization != "Bearer steward":
            raise AccessDenied("TOKEN", "Sign in as a steward.")

    app = FastAPI()
    app.include_router(make_router(scene.custodian, require_steward))

    @app.exception_handler(SealroomError)
    def problem(request: Request, error: SealroomError):
        return JSONResponse(error.problem(), error.http_status, media_type="application/problem+json")

    async def go():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://custodian.test") as client:
            return await client.request(method, path, content=body, headers=headers)

    return asyncio.run(go())


def test_anybody_may_read_the_public_keys(scene):
    answer = ask(scene, "GET", "/v1/custodian", headers={})
    assert answer.status_code == 200
    assert load_document(CustodianKeys, answer.content, limit=10_000) == scene.custodian.keys()


def test_a_steward_deposits_a_capsule(scene):
    deposit = scene.study.deposit(0)
    body = canonical_bytes(deposit.model_dump(mode="json"))
    name = scene.study.datasets[0].manifest.name
    for _ in range(2):
        answer = ask(scene, "PUT", f"/v1/custodian/capsules/{name}", body)
        assert (answer.status_code, answer.json()) == (200, {"manifest": name})
    assert scene.query("SELECT manifest FROM capsules") == [(name,)]


@pytest.mark.parametrize("case", ["TOKEN", "NAME", "JSON", "KEY_COMMITMENT", "SIZE"])
def test_what_is_refused_is_a_problem_with_its_code(scene, case):
    deposit, dataset = scene.study.deposit(0), scene.study.datasets[0]
    name = dataset.manifest.name
    if case == "KEY_COMMITMENT":
        other = factories.seal_capsule(dataset.manifest, b"another data key, 32 bytes long.")
        deposit = changed(deposit, {"capsule": encode_base64(other)})
    body = canonical_bytes(deposit.model_dump(mode="json"))
    body = {"JSON": b"{", "SIZE": bytes(MAX_DEPOSIT + 1)}.get(case, body)
    with_name = "ab" * 32 if case == "NAME" else name
    answer = ask(scene, "PUT", f"/v1/custodian/capsules/{with_name}", body, {} if case == "TOKEN" else STEWARD)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == case
    assert scene.query("SELECT * FROM capsules") == []
