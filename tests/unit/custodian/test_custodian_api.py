import asyncio

import custody
import factories
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from factories import changed
from fastapi import FastAPI, Header, Request
from fastapi.responses import JSONResponse

from attestation.policy import Endorser
from custodian.api import MAX_DEPOSIT, make_router
from protocol.canonical import canonical_bytes
from protocol.documents import CustodianKeys
from protocol.dsse import MAX_DOCUMENT, load_document, public_key
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


PUBLISHER = Ed25519PrivateKey.generate()


@pytest.fixture
def relying(make_scene):
    """A custodian whose policy names one key as publisher and as endorser."""
    endorsers = (Endorser(institution="north", key=public_key(PUBLISHER)),)
    policy = custody.policy_with(withdrawal_publishers=(public_key(PUBLISHER),), endorsers=endorsers)
    return make_scene(owners=1, deposit=False, settings={"appraisal": policy})


def test_a_steward_brings_withdrawals_and_sees_what_is_held(relying):
    publisher, path = public_key(PUBLISHER), "/v1/custodian/withdrawals"
    made = factories.withdraw(PUBLISHER, 3)
    (before,) = ask(relying, "GET", path).json()["lists"]
    assert (before["publisher"], before["number"]) == (publisher, None)
    assert ask(relying, "GET", f"{path}/{publisher}").json()["code"] == "WITHDRAWALS_UNKNOWN"
    for _ in range(2):
        answer = ask(relying, "PUT", path, made.envelope.to_bytes())
        assert (answer.status_code, answer.json()["number"]) == (200, 3)
    assert ask(relying, "GET", path).json()["lists"] == [answer.json()]
    assert ask(relying, "GET", f"{path}/{publisher}").content == made.envelope.to_bytes()
    older = ask(relying, "PUT", path, factories.withdraw(PUBLISHER, 2).envelope.to_bytes())
    assert (older.status_code, older.json()["code"]) == (403, "WITHDRAWALS_OLD")


def test_a_steward_brings_endorsements_and_sees_those_that_count(relying):
    made = factories.endorse(PUBLISHER)
    path = f"/v1/custodian/endorsements/{factories.MEASUREMENT}"
    assert ask(relying, "GET", path).json() == {"endorsements": []}
    answer = ask(relying, "PUT", "/v1/custodian/endorsements", made.envelope.to_bytes())
    assert (answer.status_code, answer.content) == (200, made.envelope.to_bytes())
    assert ask(relying, "GET", path).json()["endorsements"] == [answer.json()]


@pytest.mark.parametrize("path", ["withdrawals", "endorsements"])
def test_reference_values_are_bounded_and_for_stewards(relying, path):
    path = f"/v1/custodian/{path}"
    assert ask(relying, "PUT", path, b"{").json()["code"] == "JSON"
    assert ask(relying, "PUT", path, bytes(MAX_DOCUMENT + 1)).json()["code"] == "SIZE"
    for method, place in (("PUT", path), ("GET", f"{path}/{'ab' * 32}")):
        assert ask(relying, method, place, b"{}", {}).json()["code"] == "TOKEN"
    assert ask(relying, "GET", "/v1/custodian/withdrawals", None, {}).json()["code"] == "TOKEN"
    assert relying.query("SELECT * FROM withdrawals") == relying.query("SELECT * FROM endorsements") == []
