"""Sealing as a steward of this home: with its keys, its lineages, its pinned custodian."""

from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from protocol.documents.dataset import GENOTYPES, DatasetManifest
from protocol.dsse import Verified
from protocol.errors import DocumentError, StorageError
from sealroom.datasets.check import Checked
from sealroom.datasets.genotypes.cohort import GenotypeFiles
from sealroom.datasets.lineages import next_version, remember
from sealroom.datasets.manifest import SealOrder
from sealroom.datasets.package import Package
from sealroom.datasets.schema import load_schema
from sealroom.datasets.seal import seal_dataset
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
    molecules: str | None = None,
    genotypes: GenotypeFiles | None = None,
    assembly: str | None = None,
) -> tuple[Verified[DatasetManifest], Checked]:
    """Seal a CSV text, with genotypes where these are named, as the next version of the dataset ``short``.

    Raises
    ------
    DocumentError
        ``NAME``; ``ASSEMBLY`` unless it is said for genotypes, and for these only.
    """
    require_name(short, "The dataset's short name")
    if short.endswith(f".{GENOTYPES}"):
        raise DocumentError("NAME", f"The name {short} could be taken for the genotypes of another dataset.")
    if (genotypes is None) != (assembly is None):
        raise DocumentError("ASSEMBLY", "Say for genotypes which --assembly their positions are of, such as GRCh38.")
    party = acting(home, keys, "steward", steward)
    package = Package(out, short)
    if package.manifest.exists():
        raise StorageError("FILE_EXISTS", f"{package.manifest} is there already; seal into another folder.")
    owner_schema, owner_terms = load_schema(schema, molecules), load_terms(terms)
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
        genotypes=genotypes,
        assembly=assembly or "",
    )
    sealed = seal_dataset(text, file_name, order, package, progress)
    remember(home, short, lineage)
    return sealed
