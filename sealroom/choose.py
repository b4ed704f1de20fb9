"""Finding what a person means by a short name, among things that were verified."""

import os
from collections.abc import Iterable
from pathlib import Path

from protocol.errors import DocumentError, StorageError
from protocol.types import Digest
from sealroom.listing import ContractEntry, DatasetEntry

__all__ = ["choose_contract", "choose_dataset", "choose_name", "file_named"]

SHORTEST = 6
"""Digits of a name that may stand for all of it."""


def choose_dataset(entries: Iterable[DatasetEntry], named: str) -> DatasetEntry:
    """Return the dataset named by its name, the start of it, ``short`` or ``owner/short``.

    Of several versions of one dataset the newest is meant. An older one has to be named by its digits.

    Raises
    ------
    DocumentError
        ``DATASET_UNKNOWN``, or ``DATASET_CHOICE`` where two datasets fit.
    """
    entries = list(entries)
    found = [entry for entry in entries if _digits(entry.manifest.name, named)]
    if not found:
        fits = [e for e in entries if named in {e.manifest.document.short, f"{e.owner}/{e.manifest.document.short}"}]
        newest: dict[tuple[str, str], DatasetEntry] = {}
        for entry in fits:
            key = (entry.manifest.document.owner, entry.manifest.document.lineage.id)
            if key not in newest or _version(entry) > _version(newest[key]):
                newest[key] = entry
        found = list(newest.values())
    if not found:
        raise DocumentError(
            "DATASET_UNKNOWN",
            f"No dataset of a pinned institution is named {named}. `sealroom dataset list` shows them; "
            "`sealroom trust add-institution` pins a partner.",
        )
    if len(found) > 1:
        which = ", ".join(
            f"{entry.owner}/{entry.manifest.document.short} {entry.manifest.name[:16]}" for entry in found
        )
        raise DocumentError("DATASET_CHOICE", f"{named} may mean {which}. Name it by owner/short or by its digits.")
    return found[0]


def file_named(named: str) -> Path | None:
    """Return the file of this name, or None where this is the name of something else.

    Raises
    ------
    StorageError
        ``FILE_MISSING`` where it can only be meant as a file, by its suffix or its folder, and there is none.
    """
    file = Path(named)
    if file.is_file():
        return file
    if file.suffix or os.sep in named:
        raise StorageError("FILE_MISSING", f"There is no file {file}.")
    return None


def choose_contract(entries: Iterable[ContractEntry], named: str) -> ContractEntry:
    """Return the contract named by its name or the start of it; ``DocumentError`` where none or several fit."""
    entries = list(entries)
    chosen = choose_name([entry.contract.name for entry in entries], named)
    return next(entry for entry in entries if entry.contract.name == chosen)


def choose_name(names: Iterable[Digest], named: str) -> Digest:
    """Return the contract's name that begins like this; ``DocumentError`` where none or several do."""
    found = [name for name in names if _digits(name, named)]
    if len(found) != 1:
        code = "CONTRACT_CHOICE" if found else "CONTRACT_UNKNOWN"
        raise DocumentError(code, f"{len(found)} contracts are named {named}. `sealroom contract list` shows them.")
    return found[0]


def _digits(name: str, named: str) -> bool:
    return len(named) >= SHORTEST and name.startswith(named)


def _version(entry: DatasetEntry) -> int:
    return entry.manifest.document.lineage.version
