"""Sealing as a steward of this home: with its keys, its lineages, its pinned custodian."""

from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from protocol.documents.dataset import DatasetManifest
from protocol.dsse import Verified
from protocol.errors import StorageError
from sealroom.datasets.check import Checked
from sealroom.datasets.lineages import next_version, remember
from sealroom.datasets.package import Package
from sealroom.datasets.schema import load_schema
from sealroom.datasets.seal import SealOrder, seal_dataset
from sealroom.datasets.terms import load_terms
from sealroom.home import Home
from sealroom.keystore import Keystore
from sealroom.party import acting
from sealroom.typed import require_name

__all__ = ["seal_for"]

Advance = Callable[[int], None]


def seal_for(
    home: Home,
    keys: Keystore,
    text: TextIO,
    file_name: str,
    *,
    schema: Path,
    terms: Path,
    out: Path,
    short: str,
    title: str,
    custodian: str | None,
    steward: str | None,
    progress: Advance,
) -> tuple[Verified[DatasetManifest], Checked]:
    """Seal a CSV text as the next version of the dataset ``short``."""
    require_name(short, "The dataset's short name")
    party = acting(home, keys, "steward", steward)
    package = Package(out, short)
    if package.manifest.exists():
        raise StorageError("FILE_EXISTS", f"{package.manifest} is there already; seal into another folder.")
    owner_schema, owner_terms = load_schema(schema), load_terms(terms)
    keeper = home.custodian(custodian)
    lineage, secret = next_version(home, keys, short)
    order = SealOrder(
        short=short,
        title=title,
        schema=owner_schema,
        terms=owner_terms,
        owner=party.root,
        steward=party.member.id,
        steward_key=party.signing_key("steward"),
        custodian=keeper,
        lineage=lineage,
        secret=secret,
    )
    sealed = seal_dataset(text, file_name, order, package, progress)
    remember(home, short, lineage)
    return sealed
