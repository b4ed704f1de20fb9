"""The SDK: what a partner asks a broker, and checks, from Python.

::

    from sealroom import Client
    with Client("/home/ada/hospital-a", passphrase_file="pass.txt") as client:
        client.datasets(), client.contracts(), client.runs()     # tables in a notebook
        result = client.result(run)                               # fetched, verified against the pins, opened
        result.outputs                                            # name -> pandas DataFrame
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from protocol.documents.dataset import DatasetManifest
from protocol.documents.institution import Institution, Role
from protocol.documents.receipt import StudyPack
from protocol.documents.study import Approval, Contract, Recipe, Revocation
from protocol.dsse import Envelope, SignedDocument, Unverified, Verified
from protocol.errors import AccessDenied, DocumentError, TransportError
from protocol.governance import verify_contract, verify_manifest, verify_recipe
from protocol.types import Digest, Key
from sealroom.choose import choose_contract, choose_dataset
from sealroom.files import read_bounded
from sealroom.home import Home, default_home
from sealroom.keystore import Keystore, Passphrase
from sealroom.listing import ContractEntry, DatasetEntry, Listing, RecipeEntry, RunEntry
from sealroom.party import Party, acting
from sealroom.registry import envelope_of, known_institutions
from sealroom.serials import require_not_older
from sealroom.studies import MAX_STUDY, Judged, judge_study, read_pack
from sealroom.transport import Transport
from sealroom.trust import Trust

if TYPE_CHECKING:  # pandas and verification are loaded when a result is asked for
    from sealroom.results import Result

__all__ = ["Client"]

POLL_SECONDS = 0.5
D = TypeVar("D", bound=SignedDocument)


class Client:
    """One member's view of a broker. Everything signed is verified under the pins; what is not pinned is left out.

    Parameters
    ----------
    home
        Folder of the institution [default: the user's own].
    passphrase_file
        File whose first line opens the keys [default: ask on the terminal].
    member
        Who acts [default: the institution's first member].
    role
        The role that the member needs; chooses the only one who has it.
    keys
        An opened keystore, in place of ``passphrase_file``.
    """

    def __init__(
        self,
        home: Home | Path | str | None = None,
        *,
        passphrase_file: Path | str | None = None,
        member: str | None = None,
        role: Role | None = None,
        keys: Keystore | None = None,
    ) -> None:
        self.home = home if isinstance(home, Home) else Home(default_home() if home is None else Path(home))
        file = None if passphrase_file is None else Path(passphrase_file)
        self._party = acting(self.home, keys or Keystore(self.home.keys, Passphrase(file)), role, member)
        self._trust = self.home.trust()
        self._broker: Transport | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection to the broker."""
        if self._broker is not None:
            self._broker.close()

    @property
    def party(self) -> Party:
        """Who acts."""
        return self._party

    @property
    def trust(self) -> Trust:
        """The pins."""
        return self._trust

    @property
    def broker(self) -> Transport:
        """The connection, opened when it is first needed."""
        if self._broker is None:
            self._broker = self._party.connect()
        return self._broker

    def institutions(self) -> Mapping[Key, Verified[Institution]]:
        """Return this institution and the pinned ones that the broker knows."""
        return known_institutions(self.broker, self.home, self._trust)

    def datasets(self) -> Listing[DatasetEntry]:
        """Return the datasets of this institution and of pinned ones, each verified."""
        known, found = self.institutions(), []
        for item in _items(self.broker.get_json("/v1/datasets")):
            envelope = envelope_of(item.get("envelope"))
            if (owner := _claimed(envelope, DatasetManifest).owner) in known:
                manifest = verify_manifest(envelope, known)
                found.append(DatasetEntry(manifest, known[owner].document.short, _text(item, "state")))
        return Listing(found)

    def datasets_for(self, pairs: Sequence[str]) -> dict[str, Verified[DatasetManifest]]:
        """Return the dataset for each slot, from ``SLOT=DATASET``."""
        from sealroom.proposals import parse_pairs

        listing, found = self.datasets(), {}
        for slot, named in parse_pairs(pairs, "--dataset").items():
            if len(named) != 1:
                raise DocumentError("OPTION", f"The slot {slot} is given {len(named)} datasets; it takes one.")
            found[slot] = choose_dataset(listing, named[0]).manifest
        return found

    def dataset(self, named: str) -> Verified[DatasetManifest]:
        """Return one dataset by its name, the start of it, its short name, or OWNER/SHORT; the newest version."""
        return choose_dataset(self.datasets(), named).manifest

    def recipes(self) -> Listing[RecipeEntry]:
        """Return the recipes of this institution and of pinned ones."""
        known, found = self.institutions(), []
        for item in _items(self.broker.get_json("/v1/recipes")):
            envelope = envelope_of(item.get("envelope", item))
            if (author := _claimed(envelope, Recipe).author) in known:
                found.append(RecipeEntry(verify_recipe(envelope, known), known[author].document.short))
        return Listing(found)

    def contracts(self) -> Listing[ContractEntry]:
        """Return the contracts that pinned institutions proposed."""
        known, found = self.institutions(), []
        for item in _items(self.broker.get_json("/v1/contracts")):
            envelope = envelope_of(item.get("envelope"))
            if (proposer := _claimed(envelope, Contract).proposer) in known:
                contract = verify_contract(envelope, known)
                votes = [tuple(map(envelope_of, item.get(kind) or ())) for kind in ("approvals", "revocations")]
                found.append(ContractEntry(contract, known[proposer].document.short, _text(item, "state"), *votes))
        return Listing(found)

    def contract_name(self, named: str) -> Digest:
        """Return the name of the contract in a file, or of the one named by its name or the start of it."""
        if (file := Path(named)).is_file():
            return self._pack(file).contract.name
        return choose_contract(self.contracts(), named).contract.name

    def study(self, named: str, *, current: bool = False) -> Judged:
        """Return a study from a file or by its contract's name, verified, planned anew and compared with the pins."""
        file = Path(named)
        if file.is_file() and not current:
            pack = self._pack(file)
        else:
            data = self.broker.get(f"/v1/contracts/{self.contract_name(named)}/study", limit=MAX_STUDY)
            pack = read_pack(data)
        judged = judge_study(pack, self._trust, own_root=self._party.root, current=current)
        if current:  # what is to be signed rests on members as they are now
            pinned = {pin.root for pin in self._trust.institutions}
            known = [found for root, found in judged.study.institutions.items() if root in pinned]
            require_not_older(self.home, known)
        return judged

    def submit(self, pack: StudyPack) -> None:
        """Bring a proposal's recipe and contract to the broker."""
        self.broker.post("/v1/recipes", pack.recipe.to_bytes())
        self.broker.post("/v1/contracts", pack.contract.to_bytes())

    def vote(
        self, kind: Literal["approvals", "revocations"], vote: Verified[Approval] | Verified[Revocation]
    ) -> dict[str, Any]:
        """Bring an approval or a revocation to the broker; returns the contract's name, state and number of votes."""
        answer = _item(self.broker.post(f"/v1/{kind}", vote.envelope.to_bytes()))
        counts = {name: len(answer.get(name) or ()) for name in ("approvals", "revocations")}
        return {"name": vote.document.contract, "state": _text(answer, "state")} | counts

    def runs(self) -> Listing[RunEntry]:
        """Return the runs that the broker tells of."""
        return Listing([RunEntry.from_answer(item) for item in _items(self.broker.get_json("/v1/runs"))])

    def run(self, run: str) -> RunEntry:
        """Return one run."""
        return RunEntry.from_answer(_item(self.broker.get_json(f"/v1/runs/{run}")))

    def start_run(self, contract: Digest) -> RunEntry:
        """Start a run of a contract; it is charged once."""
        from protocol.canonical import canonical_bytes

        return RunEntry.from_answer(_item(self.broker.post("/v1/runs", canonical_bytes({"contract": contract}))))

    def wait(self, run: str, timeout: float, changed: Callable[[RunEntry], None] | None = None) -> RunEntry:
        """Wait until a run has ended.

        Raises
        ------
        AccessDenied
            With the run's code where it was refused.
        TransportError
            ``RUN_FAILED`` where it failed, ``RUN_WAITING`` where it has not ended in time.
        """
        end, last = time.monotonic() + timeout, ""
        while True:
            entry = self.run(run)
            if entry.state != last and changed is not None:
                changed(entry)
            last = entry.state
            if entry.ended:
                break
            if time.monotonic() >= end:
                raise TransportError("RUN_WAITING", f"The run is {entry.state} after {timeout:g} s. Wait again.")
            time.sleep(min(POLL_SECONDS, max(0.0, end - time.monotonic())))
        if entry.state == "refused":
            raise AccessDenied(entry.code or "RUN_REFUSED", entry.detail or "The run was refused.")
        if entry.state == "failed":
            raise TransportError("RUN_FAILED", f"The run failed: {entry.detail or 'its enclaves ended without a word'}")
        return entry

    def result(self, run: str) -> "Result":
        """Fetch a result, verify it under the pins and open what was sealed to this member."""
        from sealroom.results import open_result

        return open_result(self.broker, run, self._trust, self._party)

    def _pack(self, file: Path) -> StudyPack:
        return read_pack(read_bounded(file, MAX_STUDY))


def _claimed(envelope: Envelope, kind: type[D]) -> D:
    """Read an unverified document, to find whose key to verify it with and for nothing else."""
    return Unverified.parse(envelope, kind).claimed


def _items(answer: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - any JSON value
    if not isinstance(answer, list) or not all(isinstance(item, dict) for item in answer):
        raise TransportError("ANSWER_SHAPE", "The broker answered with something that is not a list of objects.")
    return answer


def _item(answer: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    return _items([answer])[0]


def _text(item: Mapping[str, Any], field: str) -> str:
    value = item.get(field)
    if not isinstance(value, str):
        raise TransportError("ANSWER_SHAPE", f"The broker's answer has no text {field}.")
    return value
