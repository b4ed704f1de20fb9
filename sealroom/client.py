"""The SDK: what a partner asks a broker, and checks, from Python.

::

    from sealroom import Client
    with Client("hospital-a", passphrase_file="pass.txt") as client:
        client.datasets(), client.contracts(), client.runs()     # tables in a notebook
        result = client.result(run)                               # fetched, verified against the pins, opened
        result.outputs                                            # name -> pandas DataFrame
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from protocol.documents.dataset import DatasetManifest
from protocol.documents.institution import Institution, Role
from protocol.documents.receipt import StudyPack
from protocol.documents.study import Approval, Contract, Recipe, Revocation
from protocol.dsse import Unverified, Verified
from protocol.errors import AccessDenied, DocumentError, TransportError
from protocol.governance import verify_contract, verify_manifest, verify_recipe
from protocol.types import Digest, Key
from sealroom.choose import choose_contract, choose_dataset, choose_name, file_named
from sealroom.files import read_bounded
from sealroom.home import Home, default_home
from sealroom.keystore import Keystore, Passphrase
from sealroom.listed import fetch_named, is_name, pages, verified_listing
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
        found = verified_listing(
            pages(self.broker, "/v1/datasets"),
            self.institutions(),
            verify_manifest,
            lambda manifest, owner, item: DatasetEntry(manifest, owner, _text(item, "state")),
            kind=DatasetManifest,
            by="owner",
            head=DatasetEntry.head,
            columns=DatasetEntry.COLUMNS,
        )
        ordered = sorted(found, key=lambda e: (e.owner, e.manifest.document.short, e.manifest.document.lineage.version))
        return Listing(ordered, found.unverified)

    def datasets_for(self, pairs: Sequence[str]) -> dict[str, Verified[DatasetManifest]]:
        """Return the dataset for each slot, from ``SLOT=DATASET``."""
        from sealroom.proposals import parse_pairs

        found: dict[str, Verified[DatasetManifest]] = {}
        for slot, named in parse_pairs(pairs, "--dataset").items():
            if len(named) != 1:
                raise DocumentError("OPTION", f"The slot {slot} is given {len(named)} datasets; it takes one.")
            found[slot] = self.dataset(named[0])
        return found

    def dataset(self, named: str) -> Verified[DatasetManifest]:
        """Return one dataset by its name, the start of it, its short name, or OWNER/SHORT; the newest version."""
        if is_name(named):
            return verify_manifest(fetch_named(self.broker, "/v1/datasets", named), self.institutions())
        return choose_dataset(self.datasets(), named).manifest

    def recipes(self) -> Listing[RecipeEntry]:
        """Return the recipes of this institution and of pinned ones."""
        return verified_listing(
            pages(self.broker, "/v1/recipes"),
            self.institutions(),
            verify_recipe,
            lambda recipe, author, _item: RecipeEntry(recipe, author),
            kind=Recipe,
            by="author",
            head=RecipeEntry.head,
            columns=RecipeEntry.COLUMNS,
        )

    def contracts(self) -> Listing[ContractEntry]:
        """Return the contracts that pinned institutions proposed."""

        def entry(contract: Verified[Contract], proposer: str, item: Mapping[str, Any]) -> ContractEntry:
            votes = [tuple(map(envelope_of, item.get(kind) or ())) for kind in ("approvals", "revocations")]
            return ContractEntry(contract, proposer, _text(item, "state"), *votes)

        return verified_listing(
            pages(self.broker, "/v1/contracts"),
            self.institutions(),
            verify_contract,
            entry,
            kind=Contract,
            by="proposer",
            head=ContractEntry.head,
            columns=ContractEntry.COLUMNS,
        )

    def contract(self, named: str) -> Unverified[Contract]:
        """Return a contract from a file, or by its name or the start of it, with nobody's signature verified.

        Enough to revoke it, and for nothing else: its name is the digest of its content, and no other party's document,
        nor the enclave program that is installed here, can keep it from being read.
        """
        if (file := file_named(named)) is not None:
            envelope = self._pack(file).contract
        elif is_name(named):
            envelope = fetch_named(self.broker, "/v1/contracts", named)
        else:
            listed = {envelope.name: envelope for envelope, _item in pages(self.broker, "/v1/contracts")}
            envelope = listed[choose_name(listed, named)]
        return Unverified.parse(envelope, Contract)

    def contract_name(self, named: str) -> Digest:
        """Return the name of the contract in a file, or of the one named by its name or the start of it."""
        if (file := file_named(named)) is not None:
            return self._pack(file).contract.name
        if is_name(named):
            return named
        return choose_contract(self.contracts(), named).contract.name

    def study(self, named: str, *, current: bool = False) -> Judged:
        """Return a study from a file or by its contract's name, verified, planned anew and compared with the pins."""
        file = file_named(named)
        if file is not None and not current:
            pack = self._pack(file)
        else:
            name = self.contract_name(named)
            pack = read_pack(self.broker.get(f"/v1/contracts/{name}/study", limit=MAX_STUDY))
            if pack.contract.name != name:
                found = pack.contract.name
                raise DocumentError("NAME", f"The broker answered with {found[:16]}, asked was {name[:16]}.")
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
