"""Brokers on real sockets, partners who call them, and studies whose documents are in place: for tests of the broker.

::

    with LiveBroker(tmp_path) as broker:                 # served by a thread, with a clock that tests set
        scene = Scene(broker, owners=2)                  # institutions joined, nothing else
        scene.upload(); scene.propose(); scene.approve() # step by step; scene.ready() does all of it
        scene.member(0, "analyst").post("/v1/runs", {"contract": scene.contract.name})

    with ProcessBroker(tmp_path) as broker:              # a process of its own; .kill() is kill -9, .start() again
"""

import base64
import hashlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import custody
import factories
import httpx
import uvicorn
from factories import Dataset, Party
from joserfc import jwt
from joserfc.jwk import OKPKey

from broker.app import create_app
from broker.context import Broker
from broker.settings import Settings
from protocol.canonical import canonical_bytes
from protocol.documents import CustodianKeys
from protocol.documents.dataset import PART_SIZE
from protocol.dsse import Envelope
from protocol.types import Document

PROJECT = Path(__file__).resolve().parents[1]
POLICY = PROJECT / "manifests" / "appraisal.simulated.toml"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
# One client, because making one is slow; no connection is kept, because brokers are killed.
_HTTP = httpx.Client(timeout=30, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass
class SetClock:
    """The system's clock, moved by what a test adds."""

    offset: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.offset


def seed_custodian(data: Path) -> None:
    """Put a key file in place whose passphrase costs less to check than a real one's."""
    folder = data / "custodian"
    folder.mkdir(parents=True, mode=0o700)
    (folder / "custodian.key").write_bytes(custody.sealed_keys())
    (folder / "custodian.key").chmod(0o600)
    (data / "custodian-passphrase").write_text(custody.PASSPHRASE + "\n")
    (data / "custodian-passphrase").chmod(0o600)


class LiveBroker:
    """A broker in this process, served on a real socket by a thread."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.data = folder / "broker"
        if not self.data.exists():
            seed_custodian(self.data)
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self.clock = SetClock()
        self.url = f"http://127.0.0.1:{port}"
        self.settings = Settings(**{"data": self.data, "port": port, "appraisal_policy": POLICY} | settings)
        self.app = create_app(self.settings, now=self.clock)
        config = uvicorn.Config(self.app, log_config=None, access_log=False, lifespan="on")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listener]})

    @property
    def inner(self) -> Broker:
        """What the routes work with."""
        return self.app.state.broker

    @property
    def invite(self) -> str:
        return (self.data / "invite").read_text().strip()

    @property
    def host_token(self) -> str:
        return (self.data / "host-token").read_text().strip()

    def __enter__(self) -> Self:
        self._thread.start()
        wait_until(lambda: self._server.started)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._listener.close()


class ProcessBroker:
    """``python -m broker serve`` in a process of its own, always on the same port."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self.folder = folder
        self.data = folder / "broker"
        if not self.data.exists():
            seed_custodian(self.data)
        self._flags = flags
        self._port = 0
        self.url = ""
        self.log = folder / "broker.log"
        self.clock = SetClock()

    @property
    def invite(self) -> str:
        return (self.data / "invite").read_text().strip()

    @property
    def host_token(self) -> str:
        return (self.data / "host-token").read_text().strip()

    def start(self) -> None:
        """Start, and wait for the line that says ready."""
        command = [sys.executable, "-m", "broker", "serve", "--data", str(self.data), "--port", str(self._port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--appraisal-policy", str(POLICY), *self._flags],
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self.folder,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log.read_text()
        self.url = json.loads(line)["url"]
        self._port = int(self.url.rsplit(":", 1)[1])

    def kill(self) -> None:
        """kill -9."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._close()

    def stop(self) -> int:
        """SIGTERM; return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=20)
        self._close()
        return status

    def _close(self) -> None:
        if self.process.stdout:
            self.process.stdout.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()


AnyBroker = LiveBroker | ProcessBroker


class Caller:
    """A member, with a token, at a broker."""

    def __init__(self, broker: AnyBroker, party: Party, member: str) -> None:
        self.broker, self.party, self.member = broker, party, member
        self._token = ""

    @property
    def token(self) -> str:
        if not self._token:
            answer = ask_token(self.broker.url, self.assertion())
            assert answer.status_code == 200, answer.text
            self._token = answer.json()["access_token"]
        return self._token

    def assertion(self, *, key: Any = None, alg: str = "Ed25519", **changes: Any) -> str:
        """Sign a client assertion; a claim that is changed to None is left out."""
        now = int(self.broker.clock().timestamp())
        me = f"{self.party.key}/{self.member}"
        claims = {"iss": me, "sub": me, "aud": self.broker.url, "iat": now, "exp": now + 60}
        claims |= {"jti": secrets.token_hex(16)} | changes
        private = key or self.party.people[self.member].api
        public = private.public_key().public_bytes_raw()
        parts = {"x": public, "d": private.private_bytes_raw()}
        jwk = {name: base64.urlsafe_b64encode(value).rstrip(b"=").decode() for name, value in parts.items()}
        own = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519"} | jwk)
        kept = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode({"alg": alg}, kept, own, algorithms=[alg])

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        sent = {"Authorization": f"Bearer {self.token}"} | {k.replace("_", "-"): v for k, v in headers.items()}
        return call(self.broker.url, method, path, body, sent)

    def get(self, path: str) -> httpx.Response:
        return self.request("GET", path)

    def put(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        return self.request("PUT", path, body, **headers)

    def post(self, path: str, body: Any = None) -> httpx.Response:
        return self.request("POST", path, body)

    def put_part(self, manifest: Any, index: int, data: bytes, digest: bytes | None = None) -> httpx.Response:
        digest = digest or hashlib.sha256(data).digest()
        path = f"/v1/datasets/{manifest.name}/files/{manifest.document.files[0].name}/parts/{index}"
        return self.put(path, data, Content_Digest=f"sha-256=:{base64.b64encode(digest).decode()}:")


class Host:
    """An enclave host, call by call."""

    def __init__(self, broker: AnyBroker) -> None:
        self.broker = broker

    def request(self, method: str, path: str, body: Any = None, fence: int | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.broker.host_token}"}
        if fence is not None:
            headers["Sealroom-Fence"] = str(fence)
        return call(self.broker.url, method, path, body, headers)

    def claim(self, *profiles: str) -> dict[str, Any] | None:
        answer = self.request("POST", "/v1/host/claim", {"profiles": list(profiles or ("clinical",))})
        assert answer.status_code in {200, 204}, answer.text
        return answer.json() if answer.status_code == 200 else None

    def run(self, lease: Mapping[str, Any], method: str, path: str, body: Any = None) -> httpx.Response:
        return self.request(method, f"/v1/host/runs/{lease['run']}{path}", body, lease["fence"])


@dataclass
class Scene:
    """Institutions that joined a broker, and the documents of one study among them."""

    broker: AnyBroker
    owners: int = 2
    parts: int = 1
    policy: dict[str, Any] = field(default_factory=dict)
    terms: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unique = secrets.token_hex(4)
        self.parties = [factories.make_institution(f"p{i}-{unique}", at=self.at) for i in range(self.owners)]
        self.host = Host(self.broker)
        self._callers: dict[tuple[int, str], Caller] = {}
        for party in self.parties:
            answer = self.join(party)
            assert answer.status_code == 200, answer.text
        self.datasets: list[Dataset] = []

    @property
    def at(self) -> datetime:
        return self.broker.clock()

    def join(self, party: Party, **headers: str) -> httpx.Response:
        sent = {"Sealroom-Invite": self.broker.invite} | headers
        envelope = party.institution.envelope
        return call(self.broker.url, "PUT", f"/v1/institutions/{party.key}", envelope, sent)

    def member(self, party: int, member: str) -> Caller:
        key = (party, member)
        if key not in self._callers:
            self._callers[key] = Caller(self.broker, self.parties[party], member)
        return self._callers[key]

    @property
    def custodian(self) -> CustodianKeys:
        return CustodianKeys.model_validate_json(call(self.broker.url, "GET", "/v1/custodian").content)

    def make_dataset(self, party: int, **changes: Any) -> Dataset:
        plain = b"" if self.parts == 1 else os.urandom((self.parts - 1) * 256 * 65_536 + 1000)
        keys = self.custodian
        return factories.make_dataset(
            self.parties[party], keys, plain=plain, at=self.at, policy=self.policy, changes=changes
        )

    def open_upload(self, party: int, dataset: Dataset) -> httpx.Response:
        return self.member(party, "steward").put(f"/v1/datasets/{dataset.manifest.name}", dataset.manifest.envelope)

    def upload(self) -> None:
        """Seal and upload one dataset of each party, with its capsule."""
        for index in range(self.owners):
            dataset = self.make_dataset(index)
            steward = self.member(index, "steward")
            self.datasets.append(dataset)
            must(self.open_upload(index, dataset))
            for number, part in enumerate(split(dataset.sealed)):
                must(steward.put_part(dataset.manifest, number, part))
            must(steward.post(f"/v1/datasets/{dataset.manifest.name}/complete"))
            deposit = factories.make_deposit(self.parties[index], dataset)
            must(steward.put(f"/v1/custodian/capsules/{dataset.manifest.name}", deposit))

    def propose(self) -> None:
        """Propose a recipe and a contract over all the datasets."""
        slots = [f"site-{index}" for index in range(self.owners)]
        self.recipe = factories.make_recipe(self.parties[0], slots, at=self.at)
        self.contract = factories.make_contract(
            self.parties[0], self.recipe, self.datasets, self.parties, at=self.at, changes=self.terms
        )
        analyst = self.member(0, "analyst")
        must(analyst.post("/v1/recipes", self.recipe.envelope))
        must(analyst.post("/v1/contracts", self.contract.envelope))

    def approve(self) -> None:
        """Have one approver of each owner approve."""
        for index, party in enumerate(self.parties):
            vote = factories.approve(self.contract, party, at=self.at)
            must(self.member(index, "approver").post("/v1/approvals", vote.envelope))

    def ready(self) -> Self:
        """Do everything up to the point where a run may start."""
        self.upload()
        self.propose()
        self.approve()
        return self

    def start(self) -> str:
        """Start a run and return its id."""
        answer = self.member(0, "analyst").post("/v1/runs", {"contract": self.contract.name})
        return str(must(answer).json()["run"])

    def state(self, run: str) -> dict[str, Any]:
        return must(self.member(0, "analyst").get(f"/v1/runs/{run}")).json()


def call(
    url: str, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
) -> httpx.Response:
    """Send canonical JSON, a document, or bytes."""
    if isinstance(body, Document):
        body = canonical_bytes(body.model_dump(mode="json"))
    elif isinstance(body, dict):
        body = canonical_bytes(body)
    return _HTTP.request(method, f"{url}{path}", content=body, headers=dict(headers or {}))


def ask_token(url: str, assertion: str, **changes: str) -> httpx.Response:
    form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
    return _HTTP.post(f"{url}/v1/token", data=form | changes)


def must(answer: httpx.Response) -> httpx.Response:
    assert answer.is_success, answer.text
    return answer


def refused(answer: httpx.Response, status: int, code: str) -> None:
    """Assert a problem of this status and code, with all that a problem has."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code), answer.text
    assert problem["status"] == status and problem["type"].endswith(code.lower().replace("_", "-"))
    assert problem["title"] and problem["detail"]


def split(sealed: bytes) -> list[bytes]:
    return [sealed[start : start + PART_SIZE] for start in range(0, len(sealed), PART_SIZE)]


def wait_until(condition: Any, seconds: float = 20.0) -> Any:
    """Wait until a condition holds and return what it gave."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return found


def envelope_of(answer: httpx.Response) -> Envelope:
    return Envelope.from_bytes(answer.content)
