"""What a broker lists, verified and typed; each list shows as a table in a notebook."""

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, Self, TypeVar, overload

from protocol.documents.dataset import DatasetManifest
from protocol.documents.study import Contract, Recipe
from protocol.dsse import Envelope, Verified
from protocol.errors import TransportError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ContractEntry", "DatasetEntry", "Entry", "Listing", "RecipeEntry", "RunEntry"]


class Entry(Protocol):
    """One line of a list."""

    head: ClassVar[tuple[str, ...]]

    def fields(self) -> dict[str, Any]:
        """Return what ``--json`` shows."""

    def row(self) -> tuple[str, ...]:
        """Return the cells of a table, under ``head``."""


E = TypeVar("E", bound=Entry)


class Listing(Sequence[E], Generic[E]):
    """A list of entries, read-only."""

    def __init__(self, entries: Sequence[E]) -> None:
        self._entries = tuple(entries)

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

    def __repr__(self) -> str:
        return "\n".join("  ".join(entry.row()) for entry in self._entries) or "(nothing)"

    def _repr_html_(self) -> str:
        """Return the table that a notebook shows; partners' texts are escaped."""
        if not self._entries:
            return "<p>(nothing)</p>"
        head = "".join(f"<th>{html.escape(name)}</th>" for name in self._entries[0].head)
        rows = ("".join(f"<td>{html.escape(cell)}</td>" for cell in entry.row()) for entry in self._entries)
        return f"<table><tr>{head}</tr>" + "".join(f"<tr>{row}</tr>" for row in rows) + "</table>"

    def frame(self) -> "pd.DataFrame":
        """Return the entries as a pandas DataFrame."""
        import pandas as pd

        return pd.DataFrame([entry.fields() for entry in self._entries])


@dataclass(frozen=True, slots=True)
class DatasetEntry:
    """A dataset manifest, verified under its owner's pin."""

    head: ClassVar[tuple[str, ...]] = ("dataset", "owner", "version", "state", "rows", "name", "title")
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
            "name": self.manifest.name,
            "title": document.title,
            "columns": [column.name for column in document.table.columns],
            "expires": document.policy.expires,
        }

    def row(self) -> tuple[str, ...]:
        """Return the cells of a table."""
        fields = self.fields()
        return tuple(str(fields[key]) for key in ("short", "owner", "version", "state", "rows", "name", "title"))


@dataclass(frozen=True, slots=True)
class RecipeEntry:
    """A recipe that an analyst signed."""

    head: ClassVar[tuple[str, ...]] = ("recipe", "author", "analysis", "slots", "title")
    recipe: Verified[Recipe]
    author: str

    def fields(self) -> dict[str, Any]:
        """Return what ``--json`` shows."""
        document = self.recipe.document
        return {
            "name": self.recipe.name,
            "author": self.author,
            "analysis": document.analysis,
            "slots": list(document.slots),
            "outputs": list(document.outputs),
            "title": document.title,
        }

    def row(self) -> tuple[str, ...]:
        """Return the cells of a table."""
        document = self.recipe.document
        return (self.recipe.name, self.author, document.analysis, " ".join(document.slots), document.title)


@dataclass(frozen=True, slots=True)
class ContractEntry:
    """A contract, verified under its proposer's pin, and its state at the broker with the votes it shows."""

    head: ClassVar[tuple[str, ...]] = ("contract", "proposer", "state", "expires", "title")
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
