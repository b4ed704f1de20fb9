"""What the enclave says to its host, and what it lets the host say: bounded bytes over loopback HTTP.

Nothing that arrives here is believed. Documents are parsed strictly and verified by the session; sealed parts are
checked against the signed manifest before they are decrypted.
"""

import json
import re
from typing import TypeVar

import httpx

from protocol.canonical import canonical_bytes
from protocol.documents.attested import Collateral
from protocol.documents.exchange import Assignment, Failure, Launch, NonceReply, ReleaseReply, ReleaseRequest
from protocol.documents.receipt import StudyPack
from protocol.dsse import MAX_DOCUMENT, Envelope, load_document
from protocol.errors import SealroomError, TransportError, from_problem
from protocol.types import Digest, Document, Key

__all__ = ["Relay", "read_launch"]

MAX_LAUNCH = 4096
MAX_ANSWER = 64 * 2**20
"""Bytes of the largest answers: a study, key releases."""
MAX_COLLATERAL = 4 * 2**20
MAX_SMALL = 64 * 2**10
"""Bytes of any other answer, and of a problem."""
D = TypeVar("D", bound=Document)


def read_launch(line: bytes) -> Launch:
    """Read the one line on standard input that tells where relay and platform are."""
    return load_document(Launch, line.rstrip(b"\n"), limit=MAX_LAUNCH)


class Relay:
    """The host's relay, seen from inside."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    @classmethod
    def connect(cls, launch: Launch) -> "Relay":
        """Make a client for the relay that the launch line names; proxies and redirects are not followed."""
        return cls(
            httpx.Client(
                base_url=launch.relay,
                headers={"Authorization": f"Bearer {launch.token}"},
                timeout=httpx.Timeout(60.0),
                trust_env=False,
                follow_redirects=False,
            )
        )

    def assignment(self) -> Assignment:
        """Ask which run this is."""
        answer = self._exchange("GET", "/assignment", limit=MAX_SMALL)
        return load_document(Assignment, answer, limit=MAX_SMALL)

    def study(self) -> StudyPack:
        """Fetch the documents of the run's contract."""
        return load_document(StudyPack, self._exchange("GET", "/study", limit=MAX_ANSWER), limit=MAX_ANSWER)

    def collateral(self, quote: bytes) -> Collateral:
        """Fetch endorsements for a quote."""
        answer = self._exchange("POST", "/collateral", quote, limit=MAX_COLLATERAL)
        return load_document(Collateral, answer, limit=MAX_COLLATERAL)

    def nonce(self, custodian: Key) -> Digest:
        """Ask one custodian for a nonce."""
        answer = self._exchange("POST", f"/custody/{custodian}/nonce", limit=MAX_SMALL)
        return load_document(NonceReply, answer, limit=MAX_SMALL).nonce

    def release(self, custodian: Key, request: ReleaseRequest) -> ReleaseReply:
        """Ask one custodian for the keys of its datasets."""
        answer = self._exchange("POST", f"/custody/{custodian}/release", _bytes(request), limit=MAX_ANSWER)
        return load_document(ReleaseReply, answer, limit=MAX_ANSWER)

    def commit(self, custodian: Key, request: Envelope) -> Envelope:
        """Ask one custodian to countersign a release of outputs."""
        path = f"/custody/{custodian}/commit"
        return Envelope.from_bytes(self._exchange("POST", path, request.to_bytes(), limit=MAX_DOCUMENT))

    def part(self, dataset: Digest, file: str, index: int, size: int) -> bytes:
        """Fetch one sealed part of at most ``size`` bytes."""
        return self._exchange("GET", f"/datasets/{dataset}/{file}/{index}", limit=size)

    def deliver(self, bundle: bytes) -> None:
        """Hand over the result bundle."""
        self._exchange("PUT", "/result", bundle, limit=MAX_SMALL)

    def fail(self, error: SealroomError) -> None:
        """Say why the session stopped, for reasons that the host can see itself."""
        # Codes and details may have come through the host: what is repeated is cut to what a Failure can hold.
        code = error.code if re.fullmatch(r"[A-Z][A-Z0-9_]{0,63}", error.code) else "ANSWER_SHAPE"
        detail = re.sub(r"[^ -~]", "?", error.detail)[:1000] or code
        self._exchange("POST", "/failure", _bytes(Failure(code=code, detail=detail)), limit=MAX_SMALL)

    def _exchange(self, method: str, path: str, body: bytes | None = None, *, limit: int) -> bytes:
        try:
            with self._client.stream(method, path, content=body) as response:
                most = limit if response.is_success else MAX_SMALL
                answer = bytearray()
                for chunk in response.iter_raw():
                    answer += chunk
                    if len(answer) > most:
                        raise TransportError("ANSWER_SIZE", f"The answer to {path} is larger than {most} bytes.")
        except httpx.HTTPError as error:
            raise TransportError("RELAY", f"The host's relay did not answer {method} {path}.") from error
        if response.is_success:
            return bytes(answer)
        raise _problem(bytes(answer))


def _problem(answer: bytes) -> SealroomError:
    try:
        return from_problem(json.loads(answer))
    except (ValueError, RecursionError):
        return from_problem(None)


def _bytes(document: Document) -> bytes:
    return canonical_bytes(document.model_dump(mode="json"))
