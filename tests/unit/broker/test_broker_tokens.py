"""private_key_jwt: what is taken, and everything that is not."""

import httpx
import pytest
from broker_scene import FORM, ask_token, call, must, refused
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


@pytest.fixture
def caller(scene):
    return scene.member(0, "analyst")


def test_a_good_assertion_gives_a_short_lived_bearer_token(broker, caller):
    answer = must(ask_token(broker.url, caller.assertion()))
    body = answer.json()
    assert body["token_type"] == "Bearer" and body["expires_in"] == 900
    assert answer.headers["cache-control"] == "no-store"
    must(call(broker.url, "GET", "/v1/institutions", headers={"Authorization": f"Bearer {body['access_token']}"}))


def test_the_token_is_stored_as_a_digest_only(broker, caller):
    caller.token  # noqa: B018 - asks for it
    for file in broker.data.glob("broker.sqlite3*"):
        assert caller.token.encode() not in file.read_bytes()


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
def test_the_older_name_of_the_algorithm_is_taken(broker, caller):
    must(ask_token(broker.url, caller.assertion(alg="EdDSA")))


def test_the_audience_may_be_a_list_of_one(broker, caller):
    must(ask_token(broker.url, caller.assertion(aud=[broker.url])))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"aud": "http://127.0.0.1:1"}, "ASSERTION_AUDIENCE"),
        ({"aud": None}, "ASSERTION_AUDIENCE"),
        ({"sub": "somebody else"}, "ASSERTION"),
        ({"iss": "nobody"}, "ASSERTION"),
        ({"iss": None}, "ASSERTION"),
        ({"iss": 7}, "ASSERTION"),
        ({"jti": None}, "ASSERTION"),
        ({"jti": "short"}, "ASSERTION"),
        ({"jti": "long" * 100}, "ASSERTION"),
        ({"iat": None}, "ASSERTION"),
        ({"exp": None}, "ASSERTION"),
        ({"exp": "soon"}, "ASSERTION"),
        ({"exp": True}, "ASSERTION"),
    ],
)
def test_wrong_claims_are_refused(broker, caller, changes, code):
    refused(ask_token(broker.url, caller.assertion(**changes)), 401, code)


@pytest.mark.parametrize(
    ("issued", "lives", "code"),
    [
        (-200, 100, "ASSERTION_EXPIRED"),
        (0, 121, "ASSERTION"),
        (0, 3600, "ASSERTION"),
        (100, 60, "ASSERTION_EARLY"),
        (30, -10, "ASSERTION"),
    ],
)
def test_assertions_live_two_minutes_at_most(broker, caller, issued, lives, code):
    start = int(broker.clock().timestamp()) + issued
    refused(ask_token(broker.url, caller.assertion(iat=start, exp=start + lives)), 401, code)


def test_an_assertion_counts_once(broker, caller):
    assertion = caller.assertion()
    must(ask_token(broker.url, assertion))
    refused(ask_token(broker.url, assertion), 401, "ASSERTION_REPLAYED")
    refused(ask_token(broker.url, caller.assertion(jti="a" * 20) and assertion), 401, "ASSERTION_REPLAYED")


def test_a_jti_counts_once_even_in_another_assertion(broker, caller):
    must(ask_token(broker.url, caller.assertion(jti="the same jti")))
    refused(ask_token(broker.url, caller.assertion(jti="the same jti", exp=None) or ""), 401, "ASSERTION")
    refused(ask_token(broker.url, caller.assertion(jti="the same jti")), 401, "ASSERTION_REPLAYED")


def test_another_key_is_refused(broker, scene, caller):
    refused(ask_token(broker.url, caller.assertion(key=Ed25519PrivateKey.generate())), 401, "ASSERTION_SIGNATURE")
    approval_key = scene.parties[0].people["approver"].approval
    refused(ask_token(broker.url, caller.assertion(key=approval_key)), 401, "ASSERTION_SIGNATURE")


def test_an_unsigned_or_hmac_assertion_is_refused(broker, caller):
    import base64
    import hashlib
    import hmac
    import json

    def encode(value):
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    payload = caller.assertion().split(".")[1]
    none = f"{encode(json.dumps({'alg': 'none'}).encode())}.{payload}."
    refused(ask_token(broker.url, none), 401, "ASSERTION_SIGNATURE")
    head = encode(json.dumps({"alg": "HS256"}).encode())
    public = caller.party.people["analyst"].api.public_key().public_bytes_raw()
    mac = hmac.new(public, f"{head}.{payload}".encode(), hashlib.sha256).digest()
    refused(ask_token(broker.url, f"{head}.{payload}.{encode(mac)}"), 401, "ASSERTION_SIGNATURE")


def test_strangers_are_refused(broker, scene, caller):
    refused(ask_token(broker.url, caller.assertion(iss=f"{'0' * 64}/analyst")), 401, "CLIENT_UNKNOWN")
    root = scene.parties[0].key
    refused(ask_token(broker.url, caller.assertion(iss=f"{root}/nobody")), 401, "CLIENT_UNKNOWN")


@pytest.mark.parametrize("assertion", ["", "x", "a.b.c", "e30.e30.e30", "é"])
def test_what_is_no_jwt_is_refused(broker, assertion):
    answer = ask_token(broker.url, assertion)
    assert answer.status_code in {400, 401}
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xff",
        b"grant_type=password",
        b"grant_type=client_credentials",
        b"grant_type=client_credentials&client_assertion_type=other&client_assertion=x",
        b"&".join(b"a=%d" % n for n in range(50)),
        b"grant_type=client_credentials&grant_type=client_credentials",
    ],
)
def test_what_is_no_form_is_refused(broker, body):
    refused(call(broker.url, "POST", "/v1/token", body, FORM), 400, "FORM")


def test_two_assertions_at_once_are_refused(broker, caller):
    from urllib.parse import urlencode

    body = urlencode(
        [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", caller.assertion()),
            ("client_assertion", caller.assertion()),
        ]
    ).encode()
    refused(call(broker.url, "POST", "/v1/token", body, FORM), 400, "FORM")


def test_a_token_expires(broker, caller):
    token = caller.token
    from datetime import timedelta

    broker.clock.offset = timedelta(seconds=901)
    try:
        refused(caller.get("/v1/institutions"), 401, "TOKEN")
    finally:
        broker.clock.offset = timedelta(0)
    assert caller.token == token
    must(caller.get("/v1/institutions"))


def test_a_member_who_left_is_out_at_once(broker, scene):
    approver = scene.member(0, "approver")
    must(approver.get("/v1/institutions"))
    party = scene.parties[0]
    kept = tuple(member for member in party.institution.document.members if member.id != "approver")
    scene.parties[0] = party.reissue(serial=2, members=kept)
    must(scene.join(scene.parties[0]))
    refused(approver.get("/v1/institutions"), 401, "TOKEN")
    refused(ask_token(broker.url, approver.assertion()), 401, "CLIENT_UNKNOWN")


@pytest.mark.parametrize("header", [None, "", "Bearer", "Basic abc", "Bearer wrong"])
def test_requests_without_a_good_token_are_refused(broker, header):
    headers = {} if header is None else {"Authorization": header}
    answer = httpx.get(f"{broker.url}/v1/datasets", headers=headers)
    refused(answer, 401, "TOKEN" if header == "Bearer wrong" else "TOKEN_MISSING")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_host_token_opens_no_partner_route_and_the_reverse(broker, scene):
    host = {"Authorization": f"Bearer {broker.host_token}"}
    refused(call(broker.url, "GET", "/v1/datasets", headers=host), 401, "TOKEN")
    partner = scene.member(0, "analyst")
    refused(partner.post("/v1/host/claim", {"profiles": ["clinical"]}), 401, "HOST_TOKEN")
