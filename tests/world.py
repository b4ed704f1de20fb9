"""A whole room in real processes: platform, broker, host, enclaves, and three institutions at their desks.

::

    world.study                                     # proposed, approved, run, fetched: by public commands
    contract = world.contract(max_runs=1)           # another contract over the same datasets, approved
    run = world.start(contract)
    world.wait(run).state                           # "finished"
    world.broker.kill(); world.broker.start()       # kill -9, and again on the same port

Three taps stand between the processes: ``partners`` between the commands and the broker, ``relayed`` between the host
and the broker, ``quoted`` between the host (with its enclaves) and the platform. The platform measures a copy of the
project's files, so that an editor at work changes no measurement.
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Self

import httpx
from factories import changed
from partner_desk import Desk
from planting import DATA, Canaries, Planting
from servers import Service, gone, wait_until
from stored import Stored
from tap import Held, Tap

from protocol.documents.receipt import StudyPack
from protocol.documents.study import Approval, Contract, Revocation
from protocol.dsse import Verified, load_document, sign
from protocol.types import format_time
from sealroom import Client
from sealroom.demo.lung import SURVIVAL, cut_lung
from sealroom.keystore import Keystore, Passphrase
from sealroom.listing import RunEntry

PROJECT = Path(__file__).resolve().parents[1]
MEASURED = ("protocol", "enclave", "attestation", "manifests")
LEASE_SECONDS = 3.0
SHOWN = ("cmdline", "environ")
"""What a process shows of itself to its own user."""
ROLES = {"stew": "steward", "ann": "approver", "abe": "approver", "lea": "analyst"}
PARTIES = SURVIVAL.parties
SLOTS = [part for party in PARTIES for part in ("--dataset", f"{party}=lung-{party}")]


@dataclass
class Study:
    """What the first study left."""

    contract: str
    run: str
    pack: StudyPack
    bundle: Path
    host_files: dict[str, bytes]


class World(Planting, Stored):
    """Everything; use as a context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.operator = folder / "operator"
        self.operator.mkdir()
        self.broker_data = self.operator / "broker"
        self.files = folder / "measured"
        self.appraisal = PROJECT / "manifests" / "appraisal.simulated.toml"
        self.canaries = Canaries()
        self.partners, self.relayed, self.quoted = Tap(), Tap(), Tap()
        self.platform = self._service("platform", self._platform_command)
        self.broker = self._service("broker", self._broker_command)
        self.host = self._service("host", self._host_command)
        self._ports = {"broker": 0, "platform": 0}
        self._clients: dict[tuple[str, str], Client] = {}
        self._stack = ExitStack()
        self.desks = {party: Desk(folder / party) for party in PARTIES}
        self.key = cache(self._key)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for tap in (self.partners, self.relayed, self.quoted):
                stack.enter_context(tap)
            stack.callback(self._end_services)
            stack.callback(self._close_clients)
            self._copy_measured()
            self.ensure()
            self._hand_over()
            self._join()
            self.study = self._first_study()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    # Processes

    def ensure(self) -> None:
        """Start what does not run, in order."""
        for service, tap in ((self.platform, self.quoted), (self.broker, None)):
            if not service.alive:
                ready = service.start()
                self._ports[service.name] = int(ready["url"].rsplit(":", 1)[1])
                for proxy in (self.partners, self.relayed) if tap is None else (tap,):
                    proxy.target = ready["url"]
            if service is self.platform:
                root = self.operator / "platform-root.pem"
                root.write_bytes(_get(self.platform_url + "/v1/root"))
        if not self.host.alive:
            self.host.start()

    @property
    def servers(self) -> tuple[Service, ...]:
        return (self.platform, self.broker, self.host)

    @property
    def platform_url(self) -> str:
        return f"http://127.0.0.1:{self._ports['platform']}"

    @property
    def host_data(self) -> Path:
        return self.operator / "host"

    def measure(self, profile: str = "clinical") -> str:
        """Have the running platform measure the copied files, as for a new enclave."""
        answer = httpx.post(self.platform_url + "/v1/enclaves", json={"profile": profile}, timeout=30)
        return str(answer.raise_for_status().json()["measurement"])

    def enclave(self) -> int:
        """Return the process id of the one enclave that runs."""
        (pid,) = self.host.children
        assert b"enclave" in Path(f"/proc/{pid}/cmdline").read_bytes()
        return pid

    # Partners

    def run(self, party: str, *words: object, code: int = 0) -> Any:
        """Run a public command of a party with ``--json`` and return what it answered."""
        answer = self.desks[party].run(*words, "--json", code=code)
        return answer.json

    def process(self, party: str, *words: object) -> subprocess.Popen[str]:
        """Start a public command of a party as a process of its own."""
        desk = self.desks[party]
        known = os.environ | {
            "SEALROOM_HOME": str(desk.home),
            "SEALROOM_PASSPHRASE_FILE": str(desk.folder / "passphrase"),
        }
        command = [sys.executable, "-m", "sealroom", *map(str, words)]
        return subprocess.Popen(command, env=known, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def client(self, party: str, member: str = "lea") -> Client:
        """Return the SDK's client of a member; it stays open."""
        if (party, member) not in self._clients:
            desk = self.desks[party]
            self._clients[party, member] = Client(desk.home, passphrase_file=desk.folder / "passphrase", member=member)
        return self._clients[party, member]

    def contract(self, *, approve: bool = True, datasets: Mapping[str, str] | None = None, **changes: Any) -> str:
        """Sign and submit another contract like the first study's, with changes; returns its name."""
        pack, first = self.study.pack, Contract.model_validate_json(_payload(self.study.pack.contract))
        now = format_time(datetime.now(UTC))
        bindings = [
            binding if binding.slot not in (datasets or {}) else changed(binding, {"dataset": datasets[binding.slot]})
            for binding in first.datasets
        ]
        fields = {"salt": secrets.token_hex(32), "created": now, "datasets": tuple(bindings)} | changes
        contract = sign(changed(first, fields), self.key("a", "lea", "contract"))
        self.client("a").submit(changed(pack, {"contract": contract.envelope}))
        if approve:
            for party in PARTIES:
                self.vote(self.approval(contract.name, party))
        return contract.name

    def approval(
        self, contract: str, party: str, member: str = "ann", *, key: str = "ann.approval"
    ) -> Verified[Approval]:
        """Sign a yes, with the key of a member of the same party."""
        return sign(Approval(**self._vote_fields(contract, party, member)), self._signing(party, key))

    def revocation(self, contract: str, party: str, member: str = "ann") -> Verified[Revocation]:
        """Sign the withdrawal of a party's consent."""
        fields = self._vote_fields(contract, party, member) | {"reason": "A subject withdrew"}
        return sign(Revocation(**fields), self.key(party, member, "approval"))

    def vote(self, vote: Verified[Any]) -> dict[str, Any]:
        """Bring a vote to the broker in its signer's name."""
        party = next(p for p in PARTIES if self.root(p) == vote.document.institution)
        kind = "approvals" if isinstance(vote.document, Approval) else "revocations"
        return self.client(party, vote.document.member).vote(kind, vote)

    def start(self, contract: str) -> str:
        """Start a run and return its id."""
        return self.client("a").start_run(contract).run

    def wait(self, run: str, seconds: float = 60) -> RunEntry:
        """Wait until a run has ended, whichever way."""
        return wait_until(lambda: entry if (entry := self.client("a").run(run)).ended else None, seconds)

    def root(self, party: str) -> str:
        return self.desks[party].home.joinpath("root").read_text()

    # What is stored

    def one_result(self, run: str) -> Any:
        """Assert that a run ended with exactly one result, charged once, and that the result verifies."""
        entry = self.wait(run)
        assert (entry.state, entry.code) == ("finished", None), entry
        held = self.custody(run)
        assert len(held["runs"]) == 1
        assert len(self.results(run)) == 1
        result = self.client("a").result(run)
        assert result.verified.run == run
        return result

    def no_result(self, run: str, code: str, *, released: bool = False) -> None:
        """Assert that a run ended without any result for a reason."""
        entry = self.wait(run)
        assert (entry.state, entry.code) == ("refused", code), entry
        held = self.custody(run)
        assert bool(held["releases"]) == bool(held["runs"]) == released
        assert not held["commits"] and not self.results(run)

    # Making it

    def _service(self, name: str, command: Callable[[], list[str]]) -> Service:
        return Service(name, command, self.operator / f"{name}.log")

    def _platform_command(self) -> list[str]:
        state, port = self.operator / "platform", self._ports["platform"]
        return ["simulator", "serve", "--state", str(state), "--files", str(self.files), "--port", str(port)]

    def _broker_command(self) -> list[str]:
        secret = self.operator / "custodian-passphrase"
        if not secret.exists():
            secret.write_text(secrets.token_urlsafe(24) + "\n")
            secret.chmod(0o600)
        words = ["broker", "serve", "--data", str(self.broker_data), "--port", str(self._ports["broker"])]
        words += ["--public-url", self.partners.url, "--lease-seconds", str(LEASE_SECONDS)]
        words += ["--appraisal-policy", str(self.appraisal)]
        words += ["--hardware-root", str(self.operator / "platform-root.pem"), "--passphrase-file", str(secret)]
        return words

    def _host_command(self) -> list[str]:
        config = self.operator / "host.toml"
        fields = {
            "broker": self.relayed.url,
            "host_token_file": str(self.broker_data / "host-token"),
            "platform": self.quoted.url,
            "data": str(self.host_data),
            "heartbeat_seconds": 0.5,
            "poll_seconds": 0.1,
            "retry_seconds": 20,
        }
        config.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in fields.items()))
        return ["host", "run", "--config", str(config)]

    def _copy_measured(self) -> None:
        for name in MEASURED:
            shutil.copytree(PROJECT / name, self.files / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(PROJECT / "requirements.lock", self.files)

    def _hand_over(self) -> None:
        shutil.copy(PROJECT / "manifests" / "appraisal.simulated.toml", self.operator / "appraisal.toml")
        (self.operator / "custodian.json").write_bytes(_get(self.partners.url + "/v1/custodian"))
        self.measurement = self.measure()

    def _join(self) -> None:
        inputs = self.folder / "inputs"
        cut_lung(inputs)
        for party, desk in self.desks.items():
            desk.folder.mkdir()
            (desk.folder / "passphrase").write_text(f"the passphrase of {party}, {secrets.token_urlsafe(18)}\n")
            self.run(party, "institution", "init", "--short", party, "--name", PARTIES[party])
            for member, role in ROLES.items():
                self.run(party, "member", "add", member, "--name", member.title(), "--role", role)
            self.run(
                *(party, "institution", "join", "--broker", self.partners.url),
                *("--invite-file", self.broker_data / "invite"),
            )
            root = desk.run("institution", "show", "--fingerprint").out.strip()
            (desk.home / "root").write_text(root)
        for party, desk in self.desks.items():
            for partner in PARTIES:
                if partner != party:
                    self.run(
                        party, "trust", "add-institution", self.desks[partner].home / "institution.json", "--compared"
                    )
            self.run(party, "trust", "add-hardware-root", self.operator / "platform-root.pem", "--compared")
            self.run(party, "trust", "add-custodian", self.operator / "custodian.json", "--compared")
            self.run(party, "trust", "set-policy", self.operator / "appraisal.toml")
            self.run(party, "trust", "add-measurement", "clinical", self.measurement, "--compared")
            self.seal(party, f"lung-{party}", self.plant(inputs / party / "lung.csv", desk, first=party == "a"))
            self.run(party, "dataset", "upload", desk.folder / "sealed" / f"lung-{party}")

    def _first_study(self) -> Study:
        recipe = self.desks["a"].write("recipe.toml", DATA.joinpath("recipe.toml").read_text("utf-8"))
        out = self.desks["a"].folder / "contract.json"
        contract = self.run(
            *("a", "contract", "propose", recipe, *SLOTS, "--simulation", "--purpose", "To test", "--out", out)
        )["contract"]
        for party in PARTIES:
            self.run(party, "contract", "approve", contract[:12], "--yes", "--as", "ann")
        with self.relayed.hold("POST", "/commit$") as held:
            run = self.run("a", "run", "start", "--contract", out)["run"]
            held.wait()
            # The enclave holds plain data now: whatever the host has on its disk, it has at this moment.
            at_work = {str(path): path.read_bytes() for path in self.host_data.rglob("*") if path.is_file()}
            for pid in (self.enclave(), *(server.pid for server in self.servers)):
                at_work |= {f"/proc/{pid}/{name}": Path(f"/proc/{pid}/{name}").read_bytes() for name in SHOWN}
        self.run("a", "run", "wait", run, "--timeout", "60")
        bundle = self.run("a", "result", "fetch", run, "--out", self.desks["a"].folder / "results")["file"]
        return Study(contract, run, load_document(StudyPack, out.read_bytes(), limit=2**24), Path(bundle), at_work)

    def _key(self, party: str, member: str, use: str) -> Any:
        return self.keystore(party).signing(f"{member}.{use}")

    def _signing(self, party: str, name: str) -> Any:
        member, use = name.split(".")
        return self.key(party, member, use)

    def keystore(self, party: str) -> Keystore:
        desk = self.desks[party]
        return Keystore(desk.home / "keys", Passphrase(desk.folder / "passphrase"))

    def _vote_fields(self, contract: str, party: str, member: str) -> dict[str, str]:
        now = format_time(datetime.now(UTC))
        return {"contract": contract, "institution": self.root(party), "member": member, "time": now}

    def _close_clients(self) -> None:
        for client in self._clients.values():
            client.close()

    def _end_services(self) -> None:
        for service in (self.host, self.broker, self.platform):
            if service.process is not None:
                service.stop()


def _get(url: str) -> bytes:
    return httpx.get(url, timeout=30, trust_env=False).raise_for_status().content


def _payload(envelope: Any) -> bytes:
    import base64

    return base64.b64decode(envelope.payload)


__all__ = ["PARTIES", "Held", "World", "gone", "wait_until"]
