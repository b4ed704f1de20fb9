"""A host that lies: a real HTTP server that is relay and platform of one run, with a real custodian behind it.

Everything is honest until a test puts a lie on a route. Times are those of ``factories.NOW``.

::

    host = hostile_host.Host(tmp_path)                       # three partners' lung data, all outputs of the demo
    with host:
        host.run()                                           # one enclave session in this process; True
        host.bundle()                                        # the delivered bundle
    host.lies["study"] = lambda asked, honest: other_bytes   # bytes, a Reply, or Raw bytes for the socket
    host.refuses("NOT_APPROVED", before="nonce")             # runs; asserts code, and that nothing of later steps happened

Routes: assignment study nonce quotes collateral release part commit result failure, in the order of a session.
"""

import contextlib
import functools
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import custody
import factories
import factories_bundle
import pytest
from lung_study import make_lung_study, reapprove

from attestation.attesters.simulated import SimulatedAttester
from attestation.simulator.platform import Platform
from custodian import Custodian
from enclave.profiles import load_profile
from enclave.relay import Relay
from enclave.session import run_session
from protocol import hpke
from protocol.canonical import canonical_bytes
from protocol.documents import (
    CustodianKeys,
    ReleaseCommit,
    ReleasedOutput,
    ResultBundle,
)
from protocol.documents.dataset import PART_SIZE, SealedFile, sealed_size
from protocol.documents.exchange import Assignment, Failure, Launch, ReleaseRequest
from protocol.dsse import Envelope, Unverified, load_document
from protocol.errors import AccessDenied, SealroomError
from protocol.padding import size_class, unpad
from protocol.types import decode_base64, encode_base64
from sealroom.trust import Trust
from sealroom.verification import verify_bundle

__all__ = [
    "PART_SIZE",
    "STEPS",
    "TICKET",
    "TOKEN",
    "Asked",
    "Assignment",
    "Endless",
    "Host",
    "Raw",
    "Reply",
    "SealedFile",
    "host",
    "make_host",
    "make_lung_study",
    "reapprove",
    "sealed_size",
    "to_bytes",
    "trust_of",
    "verify_bundle",
]

TOKEN = "relay-token-of-the-tests-0123456789abcdef"
TICKET = "platform-ticket-of-the-tests-0123456789ab"
STEPS = ("assignment", "study", "nonce", "quotes", "collateral", "release", "part", "commit", "result")
MOST_ENDLESS = 2**30


@dataclass(frozen=True)
class Asked:
    """A request: ``step`` is its route, ``rest`` what follows in its path."""

    step: str
    method: str
    path: str
    body: bytes
    rest: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reply:
    """An answer with a status and headers of its own."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


class Raw(bytes):
    """What goes to the socket instead of any HTTP; nothing at all hangs up."""


@dataclass(frozen=True)
class Endless:
    """An answer that does not end."""

    chunk: bytes = b"\0" * 65_536
    status: int = 200


Answer = bytes | Reply | Raw | Endless
Lie = Callable[[Asked, Callable[[], bytes]], Answer]


@dataclass
class Seen:
    """What a host can see of one exchange."""

    step: str
    method: str
    path: str
    sent: int
    status: int = 0
    answered: int = 0
    at: float = field(default_factory=time.monotonic)


@functools.cache
def _usual_study(custodian: CustodianKeys) -> factories.StudyParts:
    return make_lung_study(custodian)


@functools.cache
def _collateral(leaf: bytes, at: datetime) -> bytes:
    """Issue collateral once, as a platform does: the length of a list's signature varies by chance."""
    platform = Platform(custody.platform_keys())
    assert platform.leaf == leaf
    return to_bytes(platform.collateral(at))


class Host:
    """Relay, platform, broker and custodian of one run."""

    def __init__(self, folder: Path, **study: Any) -> None:
        self.scene = custody.Scene(folder, owners=1, deposit=False)
        self._deposited: set[str] = set()
        self.custodians = {self.scene.key: self.scene.custodian}
        keys = self.scene.custodian.keys()  # the same in all scenes of a process
        self.study = make_lung_study(keys, **study) if study else _usual_study(keys)
        self.run_id, self.fence = custody.RUN, 1
        self.lies: dict[str, Lie] = {}
        self.seen: list[Seen] = []
        self.results: list[bytes] = []
        self.failures: list[Failure] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @property
    def study(self) -> factories.StudyParts:
        """The study that was agreed; setting it deposits its capsules."""
        return self._study

    @study.setter
    def study(self, study: factories.StudyParts) -> None:
        self._study = self.scene.study = study
        for place, dataset in enumerate(study.datasets):
            if dataset.manifest.name not in self._deposited:  # a second capsule would be another one
                self._deposited.add(dataset.manifest.name)
                self._keeper(dataset.manifest.document.custodian.signing).deposit(study.deposit(place))

    def add_custodian(self, folder: Path) -> Custodian:
        """Start a second custodian, which keeps the last partner's dataset of a new study."""
        folder.mkdir(mode=0o700)
        settings = custody.make_settings(folder, self.scene.settings.roots)
        second = Custodian(settings, self.scene.clock)
        self.custodians[second.keys().signing] = second
        first = self.scene.custodian.keys()
        self.study = make_lung_study(first, custodians=(first, first, second.keys()))
        return second

    @property
    def launch(self) -> Launch:
        """What an enclave is told."""
        return Launch(relay=self.url, token=TOKEN, platform=self.url, ticket=TICKET)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        for custodian in {*self.custodians.values(), self.scene.custodian}:
            custodian.close()

    def run(self) -> bool:
        """Run one session in this process."""
        relay = Relay.connect(self.launch)
        with contextlib.closing(relay._client):
            return run_session(relay, SimulatedAttester(self.url, TICKET), load_profile("clinical"))

    def again(self, run: str | None = None) -> None:
        """Lease the same run again, or another one."""
        self.run_id, self.fence = run or self.run_id, self.fence + 1

    def forget(self) -> None:
        """Forget what was seen so far."""
        self.seen, self.results, self.failures = [], [], []

    def refuses(self, *codes: str, before: str) -> Failure:
        """Run; assert that the host was told one of ``codes``, that ``before`` and what follows it were not reached."""
        records = self.scene.records()
        assert self.run() is True
        (failure,) = self.failures
        assert failure.code in codes, failure
        reached = {seen.step for seen in self.seen}
        assert not reached & set(STEPS[STEPS.index(before) :]), reached
        assert self.results == []
        assert self.scene.records()["commits"] == records["commits"]
        if before in STEPS[: STEPS.index("part")]:
            assert self.scene.records() == records, "a key was released"
        return failure

    def asked(self, step: str) -> list[Seen]:
        """Return the exchanges on one route."""
        return [seen for seen in self.seen if seen.step == step]

    def bundle(self, place: int = -1) -> ResultBundle:
        """Return a delivered bundle."""
        return ResultBundle.from_bytes(self.results[place])

    def commit(self, place: int = -1) -> ReleaseCommit:
        """Return the custodian's commit in a delivered bundle."""
        return Unverified.parse(self.bundle(place).commits[0], ReleaseCommit).claimed

    def opened(self, party: int = 0, place: int = -1) -> dict[str, ReleasedOutput]:
        """Open a partner's outputs of a delivered bundle, as its analyst does."""
        bundle = self.bundle(place)
        person = self.study.parties[party].people["analyst"]
        key = hpke.public_digest(person.recipient.public_bytes())
        agreed = {output.output: output for output in self.study.contract.document.outputs}
        found = {}
        for item in bundle.outputs:
            if item.recipient == key:
                info = hpke.output_info(self.study.contract.name, bundle.evidence.claims.run, item.output, key)
                size = size_class(agreed[item.output].type, len(agreed[item.output].labels))
                plain = unpad(person.recipient.open(decode_base64(item.sealed), info=info), size)
                found[item.output] = load_document(ReleasedOutput, plain, limit=size)
        return found

    def _keeper(self, key: str) -> Custodian:
        # A scene that was restarted has a new custodian under the same key.
        return self.scene.custodian if key == self.scene.key else self.custodians[key]

    # What an honest host, broker and platform answer

    def honest(self, asked: Asked) -> bytes:
        """Answer as agreed."""
        with self._lock:
            return bytes(getattr(self, f"_answer_{asked.step}")(asked))

    def _answer_assignment(self, _: Asked) -> bytes:
        contract = self.study.contract
        made = Assignment(run=self.run_id, contract=contract.name, profile=contract.document.profile, fence=self.fence)
        return to_bytes(made)

    def _answer_study(self, _: Asked) -> bytes:
        return to_bytes(self.study.pack)

    def _answer_nonce(self, asked: Asked) -> bytes:
        return to_bytes(self._keeper(asked.rest[0]).nonce(self.run_id, self.study.contract.name))

    def _answer_quotes(self, asked: Asked) -> bytes:
        wanted = json.loads(asked.body)
        if wanted["ticket"] != TICKET:
            raise AccessDenied("TICKET", "The platform knows no enclave with this ticket.")
        quote = self.scene.platform.quote(
            self.study.contract.document.measurement, bytes.fromhex(wanted["report_data"])
        )
        return canonical_bytes({"quote": encode_base64(quote)})

    def _answer_collateral(self, _: Asked) -> bytes:
        return _collateral(self.scene.platform.leaf, self.scene.clock.now)

    def _answer_release(self, asked: Asked) -> bytes:
        request = load_document(ReleaseRequest, asked.body, limit=2**25)
        return to_bytes(self._keeper(asked.rest[0]).release(self.run_id, self.fence, request))

    def _answer_part(self, asked: Asked) -> bytes:
        dataset, _, index = asked.rest
        (found,) = (item for item in self.study.datasets if item.manifest.name == dataset)
        return found.sealed[int(index) * PART_SIZE : (int(index) + 1) * PART_SIZE]

    def _answer_commit(self, asked: Asked) -> bytes:
        envelope = Envelope.from_bytes(asked.body)
        return self._keeper(asked.rest[0]).commit(self.run_id, self.fence, envelope).to_bytes()

    def _answer_result(self, asked: Asked) -> bytes:
        self.results.append(asked.body)
        return b"{}"

    def _answer_failure(self, asked: Asked) -> bytes:
        self.failures.append(load_document(Failure, asked.body, limit=65_536))
        return b"{}"


@pytest.fixture
def make_host(tmp_path: Path) -> Iterator[Callable[..., Host]]:
    """Make hosts that serve until the test ends."""
    with contextlib.ExitStack() as stack:

        def make(**study: Any) -> Host:
            folder = tmp_path / secrets.token_hex(4)
            folder.mkdir()
            return stack.enter_context(Host(folder, **study))

        yield make


@pytest.fixture
def host(make_host: Callable[..., Host]) -> Host:
    """An honest host with the lung trial."""
    return make_host()


def to_bytes(document: Any) -> bytes:
    """Return a document as it travels."""
    return canonical_bytes(document.model_dump(mode="json", by_alias=True))


def trust_of(made: Host) -> Trust:
    """Pin everything that a host's study rests on."""
    return factories_bundle.make_trust(made.study, made.scene.platform)


def _route(method: str, path: str, body: bytes) -> Asked:
    steps = path.strip("/").split("/")
    match (method, *steps):
        case (
            ("GET", "assignment" | "study" as step)
            | ("POST", "collateral" | "failure" as step)
            | ("PUT", "result" as step)
        ):
            return Asked(step, method, path, body)
        case ("POST", "custody", key, "nonce" | "release" | "commit" as step):
            return Asked(step, method, path, body, (key,))
        case ("GET", "datasets", dataset, file, index):
            return Asked("part", method, path, body, (dataset, file, index))
        case ("POST", "v1", "quotes"):
            return Asked("quotes", method, path, body)
    raise AccessDenied("ROUTE_UNKNOWN", f"{method} {path}")


def _handler(host: Host) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _reply(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            seen = None
            try:
                asked = _route(self.command, self.path, body)
                seen = Seen(asked.step, self.command, self.path, len(body))
                host.seen.append(seen)
                if asked.step != "quotes" and self.headers.get("Authorization") != f"Bearer {TOKEN}":
                    raise AccessDenied("RELAY_TOKEN", "This is not the token of this run's relay.")
                lie = host.lies.get(asked.step)
                answer: Answer = lie(asked, lambda: host.honest(asked)) if lie else host.honest(asked)
            except SealroomError as error:
                answer = Reply(error.http_status, canonical_bytes(error.problem()))
            with contextlib.suppress(ConnectionError):
                self._send(answer, seen)

        do_GET = do_PUT = do_POST = _reply  # noqa: N815 - the names that the library looks for

        def _send(self, answer: Answer, seen: Seen | None) -> None:
            if isinstance(answer, Raw):
                self.close_connection = True
                self.wfile.write(answer)
                return
            if isinstance(answer, Endless):
                self._send_endless(answer, seen)
                return
            reply = answer if isinstance(answer, Reply) else Reply(body=answer)
            if seen is not None:
                seen.status, seen.answered = reply.status, len(reply.body)
            self.send_response(reply.status)
            for name, value in reply.headers:
                self.send_header(name, value)
            if reply.status != 204:
                self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def _send_endless(self, answer: Endless, seen: Seen | None) -> None:
            self.close_connection = True
            self.send_response(answer.status)
            self.send_header("Connection", "close")
            self.end_headers()
            assert seen is not None
            while seen.answered < MOST_ENDLESS:
                self.wfile.write(answer.chunk)
                seen.answered += len(answer.chunk)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
