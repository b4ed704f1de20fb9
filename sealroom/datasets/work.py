"""Sealing and uploading as a steward of this home: its keys, its lineages, its pinned custodian."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
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
from sealroom.datasets.upload import upload_package
from sealroom.home import Home
from sealroom.keystore import Keystore
from sealroom.party import acting
from sealroom.typed import require_name

__all__ = ["seal_for", "upload_for"]

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


def upload_for(
    home: Home,
    keys: Keystore,
    path: Path,
    steward: str | None,
    bar: Callable[[str, int], AbstractContextManager[Advance]],
) -> tuple[str, str]:
    """Upload a package as a steward; returns the manifest's name and the short name."""
    package = Package.at(path)
    party = acting(home, keys, "steward", steward)
    with ExitStack() as stack:
        broker = stack.enter_context(party.connect())

        def start(total: int, there: int) -> Advance:
            """Open the bar where the upload stands."""
            advance = stack.enter_context(bar(f"Uploading {package.short}", total))
            advance(there)
            return advance

        manifest = upload_package(broker, package, party.institution, start)
    return manifest.name, manifest.document.short
