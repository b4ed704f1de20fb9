"""What a broker lists, verified and typed; each list shows as a table in a notebook.

A document whose signer has left verifies no more. It spoils no list: it stands in ``Listing.unverified`` and shows with
its name and the state ``unverified: CODE``, and nothing that it says is repeated.
"""

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, Self, TypeVar, overload

from protocol.documents.dataset import DatasetManifest
from protocol.documents.study import Contract, Recipe
from protocol.dsse import Envelope, Verified
from protocol.errors import TransportError
from protocol.types import Digest

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ContractEntry", "DatasetEntry", "Entry", "Listing", "RecipeEntry", "RunEntry", "UnverifiedEntry"]


class Entry(Protocol):
    """One line of a list."""

    @property
    def head(self) -> tuple[str, ...]:
        """Return the names of the columns."""

    def fields(self) -> dict[str, Any]:
        """Return what ``--json`` shows."""

    def row(self) -> tuple[str, ...]:
        """Return the cells of a table, under ``head``."""


E = TypeVar("E", bound=Entry)


@dataclass(frozen=True, slots=True)
class UnverifiedEntry:
    """A document of a pinned institution that does not verify today.

    ``name`` is the digest of its content, ``by`` the institution that it claims to come from, ``code`` what is wrong.
    ``columns`` says under which head of the table name and institution stand.
    """

    head: tuple[str, ...]
    columns: tuple[str, str]
    name: Digest
    by: str
    code: str

    def fields(self) -> dict[str, Any]:
        """Return what ``--json`` shows."""
        return {"name": self.name, self.columns[1]: self.by, "state": f"unverified: {self.code}"}

    def row(self) -> tuple[str, ...]:
        """Return the cells of a table."""
        cells = self.fields() | {self.columns[0]: self.name}
        return tuple(str(cells.get(name, "")) for name in self.head)


class Listing(Sequence[E], Generic[E]):
    """A list of entries, read-only. ``unverified`` entries are shown, and are no items of it."""

    def __init__(self, entries: Sequence[E], unverified: Sequence[UnverifiedEntry] = ()) -> None:
        self._entries = tuple(entries)
        self.unverified = tuple(unverified)

    @overload
    def __getitem__(self, index: int) -> E: ...

    @overload
    def __getitem__(self, index: slice) -> "Listing[E]": ...

    def __getitem__(self, index: int | slice) -> "E | Listing[E]":
        return Listing(self._entries[index]) if isinstance(index, slice) else self._entries[index]

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[E]:
        return iter(self._entries)

    @property
    def lines(self) -> "tuple[E | UnverifiedEntry, ...]":
        """All that is shown: the entries, then what does not verify."""
        return (*self._entries, *self.unverified)

    def rows(self) -> list[tuple[str, ...]]:
        """Return the cells of the table."""
        return [line.row() for line in self.lines]

    def fields(self) -> list[dict[str, Any]]:
        """Return what ``--json`` shows."""
        return [line.fields() for line in self.lines]

    def __repr__(self) -> str:
        return "\n".join("  ".join(row) for row in self.rows()) or "(nothing)"

    def _repr_html_(self) -> str:
        """Return the table that a notebook shows; partners' texts are escaped."""
        if not self.lines:
            return "<p>(nothing)</p>"
        head = "".join(f"<th>{html.escape(name)}</th>" for name in self.lines[0].head)
        rows = ("".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in self.rows())
        return f"<table><tr>{head}</tr>" + "".join(f"<tr>{row}</tr>" for row in rows) + "</table>"

    def frame(self) -> "pd.DataFrame":
        """Return the entries as a pandas DataFrame."""
        import pandas as pd

        return pd.DataFrame(self.fields())


@dataclass(frozen=True, slots=True)
class DatasetEntry:
    """A dataset manifest, verified under its owner's pin."""

    head: ClassVar[tuple[str, ...]] = ("dataset", "owner", "version", "state", "rows", "variants", "name", "title")
    COLUMNS: ClassVar[tuple[str, str]] = ("name", "owner")
    manifest: Verified[DatasetManifest]
    owner: str
    state: str

    def fields(self) -> dict[str, Any]:
        """Return what ``--json`` shows."""
        document = self.manifest.document
        return {
            "short": document.short,
            "owner": self.owner,
            "version": document.lineage.version,
            "state": self.state,
            "rows": document.rows,
            "genotypes": None if document.genotypes is None else document.genotypes.model_dump(mode="json"),
            "name": self.manifest.name,
            "title": document.title,
            "columns": [column.name for column in document.table.columns],
            "expires": document.policy.expires,
        }

    def row(self) -> tuple[str, ...]:
        """Return the cells of a table."""
        document = self.manifest.document
        variants = "" if document.genotypes is None else str(document.genotypes.variants)
        version, rows = str(document.lineage.version), str(document.rows)
        return (document.short, self.owner, version, self.state, rows, variants, self.manifest.name, document.title)


@dataclass(frozen=True, slots=True)
class RecipeEntry:
    """A recipe that an analyst signed."""

    head: ClassVar[tuple[str, ...]] = ("recipe", "author", "state", "analysis", "slots", "title")
    COLUMNS: ClassVar[tuple[str, str]] = ("recipe", "author")
    recipe: Verified[Recipe]
    author: str

    def fields(self) -> dict[str, Any]:
        """Return what ``--json`` shows."""
        document = self.recipe.document
        return {
            "name": self.recipe.name,
            "author": self.author,
            "state": "verified",
            "analysis": document.analysis,
            "slots": list(document.slots),
            "outputs": list(document.outputs),
            "title": document.title,
        }

    def row(self) -> tuple[str, ...]:
        """Return the cells of a table."""
        document = self.recipe.document
        shown = (document.analysis, " ".join(document.slots), document.title)
        return (self.recipe.name, self.author, "verified", *shown)


@dataclass(frozen=True, slots=True)
class ContractEntry:
    """A contract, verified under its proposer's pin, and its state at the broker with the votes it shows."""

    head: ClassVar[tuple[str, ...]] = ("contract", "proposer", "state", "expires", "title")
    COLUMNS: ClassVar[tuple[str, str]] = ("contract", "proposer")
    contract: Verified[Contract]
    proposer: str
    state: str
    approvals: tuple[Envelope, ...] = ()
    revocations: tuple[Envelope, ...] = ()

    def fields(self) -> dict[str, Any]:
        """Return what ``--json`` shows."""
        document = self.contract.document
        return {
            "name": self.contract.name,
            "proposer": self.proposer,
            "state": self.state,
            "title": document.title,
            "purpose": document.purpose,
            "created": document.created,
            "expires": document.expires,
            "max_runs": document.max_runs,
            "simulation": document.simulation,
            "approvals": len(self.approvals),
            "revocations": len(self.revocations),
        }

    def row(self) -> tuple[str, ...]:
        """Return the cells of a table."""
        document = self.contract.document
        return (self.contract.name, self.proposer, self.state, document.expires, document.title)


@dataclass(frozen=True, slots=True)
class RunEntry:
    """A run as the broker tells of it."""

    head: ClassVar[tuple[str, ...]] = ("run", "state", "created", "contract", "reason")
    run: str
    contract: str
    state: str
    created: str
    code: str | None
    detail: str | None

    ENDED: ClassVar[frozenset[str]] = frozenset({"finished", "refused", "failed"})

    @property
    def ended(self) -> bool:
        """Whether the run will change no more."""
        return self.state in self.ENDED

    @classmethod
    def from_answer(cls, item: Mapping[str, Any]) -> Self:
        """Read a broker's answer."""
        texts = [item.get(field) for field in ("run", "contract", "state", "created")]
        reasons = [item.get(field) for field in ("code", "detail")]
        if not all(isinstance(text, str) for text in texts) or not all(
            text is None or isinstance(text, str) for text in reasons
        ):
            raise TransportError("ANSWER_SHAPE", "The broker answered with something that is not a run.")
        return cls(*texts, *reasons)  # type: ignore[arg-type] # looked at one line above

    def fields(self) -> dict[str, Any]:
        """Return what ``--json`` shows."""
        return {
            "run": self.run,
            "contract": self.contract,
            "state": self.state,
            "created": self.created,
            "code": self.code,
            "detail": self.detail,
        }

    def row(self) -> tuple[str, ...]:
        """Return the cells of a table."""
        reason = f"{self.code}: {self.detail}" if self.code else ""
        return (self.run, self.state, self.created, self.contract[:16], reason)
