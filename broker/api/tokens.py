"""Bearer tokens for client assertions: private_key_jwt as in RFC 7523, signed with the member's API key."""

import base64
import json
import re
import secrets
from typing import Annotated, Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from joserfc.jws import extract_compact
from starlette.requests import Request
from starlette.responses import Response

from broker.api.messages import TokenAnswer, canonical_response, token_body
from broker.context import Broker, broker_of
from broker.errors import BadRequest, NotAuthenticated
from broker.storage.access import TokenHolder, keep_token, use_assertion
from broker.storage.institutions import find_institution
from protocol.types import Key

__all__ = ["ASSERTION_TYPE", "MAX_ASSERTION_SECONDS", "router"]

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MAX_ASSERTION_SECONDS = 120
_SKEW_SECONDS = 60
_MIN_JTI, _MAX_JTI = 8, 200
_HOLDER = re.compile(r"(?P<root>[0-9a-f]{64})/(?P<member>[a-z0-9._-]{1,64})")
_ALGORITHMS = ("Ed25519", "EdDSA")  # one signature, under its names in RFC 9864 and in RFC 8037

router = APIRouter(prefix="/v1/token", tags=["tokens"])
_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "required": ["grant_type", "client_assertion_type", "client_assertion"],
                    "properties": {
                        "grant_type": {"const": "client_credentials"},
                        "client_assertion_type": {"const": ASSERTION_TYPE},
                        "client_assertion": {"type": "string"},
                    },
                }
            }
        },
    }
}


@router.post("", response_model=TokenAnswer, openapi_extra=_FORM)
def post(request: Request, body: Annotated[bytes, Depends(token_body)]) -> Response:
    """Exchange a client assertion for a bearer token."""
    broker = broker_of(request)
    now = broker.now().timestamp()
    assertion = _read_form(body)
    holder = _claimed_holder(assertion)
    with broker.database.reading() as connection:
        institution = find_institution(connection, holder.root)
    member = institution.document.member(holder.member) if institution else None
    if member is None:
        raise NotAuthenticated("CLIENT_UNKNOWN", f"{holder.member} of {holder.root[:16]} is no member here.")
    claims = _verified_claims(assertion, member.keys.api)
    jti, expires = _judge(claims, holder, broker, now)
    with broker.database.writing() as connection:
        use_assertion(connection, holder, jti, expires + _SKEW_SECONDS, now)
        token = secrets.token_urlsafe(32)
        keep_token(connection, token, holder, now + broker.settings.token_seconds, now)
    answer = TokenAnswer(access_token=token, token_type="Bearer", expires_in=broker.settings.token_seconds)  # noqa: S106 - the type's name
    response = canonical_response(answer)
    response.headers["Cache-Control"] = "no-store"
    return response


def _read_form(body: bytes) -> str:
    try:
        form = parse_qs(body.decode("ascii"), strict_parsing=True, max_num_fields=10)
    except ValueError as error:
        raise BadRequest("FORM", "The body is not a form (application/x-www-form-urlencoded).") from error
    wanted = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE}
    for name, value in wanted.items():
        if form.get(name) != [value]:
            raise BadRequest("FORM", f"The form's {name} must be {value}.")
    assertion = form.get("client_assertion", [])
    if len(assertion) != 1:
        raise BadRequest("FORM", "The form must hold one client_assertion.")
    return assertion[0]


def _claimed_holder(assertion: str) -> TokenHolder:
    """Return whom an assertion claims to be from, to find the key to verify it with; nothing else is read."""
    try:
        claims = json.loads(extract_compact(assertion.encode()).payload)
    except (JoseError, ValueError, RecursionError) as error:
        raise NotAuthenticated("ASSERTION", "The client assertion is not a JWT.") from error
    issuer = claims.get("iss") if isinstance(claims, dict) else None
    match = _HOLDER.fullmatch(issuer) if isinstance(issuer, str) else None
    if match is None:
        raise NotAuthenticated("ASSERTION", "The client assertion's iss must be ROOT/MEMBER.")
    return TokenHolder(match["root"], match["member"])


def _verified_claims(assertion: str, api_key: Key) -> dict[str, Any]:
    x = base64.urlsafe_b64encode(bytes.fromhex(api_key)).rstrip(b"=").decode()
    key = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": x})
    try:
        return jwt.decode(assertion, key, algorithms=list(_ALGORITHMS)).claims
    except (JoseError, ValueError) as error:
        raise NotAuthenticated(
            "ASSERTION_SIGNATURE", "The client assertion is not signed with the member's API key (Ed25519)."
        ) from error


def _judge(claims: dict[str, Any], holder: TokenHolder, broker: Broker, now: float) -> tuple[str, float]:
    """Check the claims of a verified assertion and return its ``jti`` and ``exp``."""
    me = f"{holder.root}/{holder.member}"
    if claims.get("iss") != me or claims.get("sub") != me:
        raise NotAuthenticated("ASSERTION", "The client assertion's iss and sub must both be ROOT/MEMBER.")
    if claims.get("aud") not in (broker.public_url, [broker.public_url]):
        raise NotAuthenticated("ASSERTION_AUDIENCE", f"The client assertion's aud must be {broker.public_url}.")
    issued, expires, jti = _whole(claims, "iat"), _whole(claims, "exp"), claims.get("jti")
    if issued > now + _SKEW_SECONDS:
        raise NotAuthenticated("ASSERTION_EARLY", "The client assertion is dated in the future. Set the clock.")
    if expires <= now:
        raise NotAuthenticated("ASSERTION_EXPIRED", "The client assertion expired. Set the clock and sign a new one.")
    if not 0 < expires - issued <= MAX_ASSERTION_SECONDS:
        raise NotAuthenticated("ASSERTION", f"A client assertion may live {MAX_ASSERTION_SECONDS} seconds at most.")
    if not isinstance(jti, str) or not _MIN_JTI <= len(jti) <= _MAX_JTI:
        raise NotAuthenticated("ASSERTION", "The client assertion's jti must be 8 to 200 random characters.")
    return jti, float(expires)


def _whole(claims: dict[str, Any], name: str) -> int:
    value = claims.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise NotAuthenticated("ASSERTION", f"The client assertion must carry {name} in whole seconds.")
    return value
