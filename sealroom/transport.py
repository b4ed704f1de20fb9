"""HTTP to a broker: bounded answers, problem objects as errors, tokens from a member's own key."""

import re
import secrets
import time
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Self

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from protocol.dsse import MAX_DOCUMENT
from protocol.errors import SealroomError, TransportError, from_problem

__all__ = ["MAX_LIST", "Caller", "Transport"]

MAX_LIST = 64 * 2**20
"""No list from a broker is longer, in bytes."""
ASSERTION_SECONDS = 60
EARLY_SECONDS = 30
"""A token is renewed this long before it runs out."""
TRIES = 4
Body = bytes | Iterable[bytes]
_ADDRESS = re.compile(r"(?:https://[^/?#@\s]+|http://(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?)/?")


class Caller:
    """A member and the key that proves it to the broker (private_key_jwt, RFC 7523)."""

    def __init__(self, root: str, member: str, key: Ed25519PrivateKey) -> None:
        self.subject = f"{root}/{member}"
        self._key = key

    def assertion(self, audience: str) -> str:
        """Return a signed statement, valid for a minute and once, for one broker."""
        from joserfc import jwt
        from joserfc.jwk import OKPKey

        now = int(time.time())
        claims = {
            "iss": self.subject,
            "sub": self.subject,
            "aud": audience,
            "iat": now,
            "exp": now + ASSERTION_SECONDS,
            "jti": secrets.token_urlsafe(24),
        }
        pem = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return jwt.encode({"alg": "Ed25519"}, claims, OKPKey.import_key(pem), algorithms=["Ed25519"])


class Transport:
    """Requests to one broker. Errors of the broker are raised as the errors they were there."""

    def __init__(self, address: str, caller: Caller | None = None) -> None:
        if _ADDRESS.fullmatch(address) is None:
            raise TransportError(
                "ADDRESS", "A broker's address begins with https://; http:// is for this machine only."
            )
        self._address = address.rstrip("/")
        self._caller = caller
        self._token = ""
        self._token_until = 0.0
        self._http = httpx.Client(base_url=self._address, timeout=httpx.Timeout(60.0, connect=10.0), trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str, *, limit: int = MAX_DOCUMENT) -> bytes:
        """Return the body of at most ``limit`` bytes."""
        return self._send("GET", path, b"", {}, limit)

    def get_json(self, path: str, *, limit: int = MAX_LIST) -> Any:  # noqa: ANN401 - any JSON value
        """Return the body as JSON."""
        return _json(self.get(path, limit=limit))

    def put(self, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
        """Put a body; safe to repeat."""
        return self._send("PUT", path, body, headers or {}, MAX_DOCUMENT)

    def put_stream(self, path: str, body: Iterable[bytes], size: int, headers: Mapping[str, str]) -> bytes:
        """Put a body of ``size`` bytes that can be iterated anew for each try."""
        return self._send("PUT", path, body, {"Content-Length": str(size)} | dict(headers), MAX_DOCUMENT)

    def post(self, path: str, body: bytes) -> Any:  # noqa: ANN401 - any JSON value
        """Post a body and return the answer as JSON."""
        return _json(self._send("POST", path, body, {}, MAX_DOCUMENT))

    def _send(self, method: str, path: str, body: Body, headers: Mapping[str, str], limit: int) -> bytes:
        sent = {"Content-Type": "application/json"} | dict(headers)
        if self._caller is not None:
            sent["Authorization"] = f"Bearer {self._bearer()}"
        tries = 1 if method == "POST" else TRIES  # what is safe to repeat is repeated when the connection breaks
        for attempt in range(1, tries + 1):
            try:
                return self._once(method, path, body, sent, limit)
            except TransportError as error:
                if error.code != "UNREACHABLE" or attempt == tries:
                    raise
                time.sleep(0.25 * 2**attempt)
        raise AssertionError("the last try returned or raised")

    def _once(self, method: str, path: str, body: Body, headers: Mapping[str, str], limit: int) -> bytes:
        try:
            with self._http.stream(method, path, content=body, headers=dict(headers)) as answer:
                found = bytearray()
                for chunk in answer.iter_bytes():
                    found += chunk
                    if len(found) > limit:
                        raise TransportError("ANSWER_SIZE", f"The broker's answer is longer than {limit} bytes.")
        except httpx.HTTPError as error:
            kind = type(error).__name__
            raise TransportError(
                "UNREACHABLE", f"The broker at {self._address} does not answer ({kind}). Is it running? Try again."
            ) from error
        if answer.is_success:
            return bytes(found)
        raise _error(bytes(found), answer.status_code)

    def _bearer(self) -> str:
        assert self._caller is not None  # noqa: S101 - for the type checker: the callers looked
        if time.monotonic() >= self._token_until:
            form = {
                "grant_type": "client_credentials",
                "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                "client_assertion": self._caller.assertion(self._address),
            }
            body = str(httpx.QueryParams(form)).encode("ascii")
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = _json(self._once("POST", "/v1/token", body, kind, MAX_DOCUMENT))
            if not isinstance(answer, dict) or not isinstance(answer.get("access_token"), str):
                raise TransportError("ANSWER_SHAPE", "The broker answered without a token.")
            lasts = answer.get("expires_in")
            self._token = answer["access_token"]
            self._token_until = time.monotonic() + max(0, (lasts if isinstance(lasts, int) else 0) - EARLY_SECONDS)
        return self._token


def _json(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    import json

    if not body:
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise TransportError("ANSWER_SHAPE", "The broker answered with something that is not JSON.") from error


def _error(body: bytes, status: int) -> SealroomError:
    try:
        error = from_problem(_json(body))
    except TransportError as unreadable:
        error = unreadable
    if isinstance(error, TransportError) and error.code == "ANSWER_SHAPE":
        return TransportError("ANSWER_SHAPE", f"The broker answered with status {status} and no problem object.")
    return error
