"""Which columns are computed from a molecule: reserved headings, and what the column under each must be."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from protocol.documents.dataset import Column, ColumnKind
from protocol.errors import DocumentError
from sealroom.datasets.schema import OwnerSchema

__all__ = [
    "COMPOUND",
    "FEATURES",
    "NOT_DRAFTED",
    "RESERVED",
    "STRUCTURE",
    "TITLE",
    "Feature",
    "Plan",
    "is_sdf",
    "plan_for",
]

RESERVED: Final = "molecule:"
COMPOUND: Final = RESERVED + "compound"
"""Heading of a subject column: the compound itself is the subject, under its InChIKey."""
TITLE: Final = RESERVED + "title"
"""Heading of a column that holds the titles of an SD file's records."""
STRUCTURE: Final = RESERVED + "structure"
"""What an SD file's connection tables are read under; no column may have this heading."""


@dataclass(frozen=True, slots=True)
class Feature:
    """What a column computed from a molecule must be. ``scale`` is the number of decimals that are written."""

    kind: ColumnKind
    description: str
    unit: str | None = None
    scale: int = 0
    width: int = 0

    def suits(self, column: Column) -> bool:
        """Say whether a column holds these values whole."""
        if self.kind != column.kind:
            return False
        return column.width == self.width and column.unit == self.unit and column.scale >= self.scale

    @property
    def lines(self) -> list[str]:
        """What the schema must say, as it is written there; ``scale`` may be more."""
        said = {"unit": f'"{self.unit}"' if self.unit else None, "scale": self.scale, "width": self.width}
        return [f'kind = "{self.kind}"', *(f"{field} = {value}" for field, value in said.items() if value)]


FEATURES: Final[Mapping[str, Feature]] = MappingProxyType(
    {
        "compound": Feature("subject", "The compound; its InChIKey leaves the institution as a keyed pseudonym only"),
        "inchikey": Feature("digest", "SHA-256 of the InChIKey, its first 16 bytes"),
        "scaffold": Feature(
            "digest",
            "SHA-256 of the Bemis-Murcko scaffold (all acyclic compounds have the empty one), its first 16 bytes",
        ),
        "ecfp4": Feature("bits", "ECFP4 fingerprint: Morgan, radius 2", width=2048),
        "maccs": Feature("bits", "MACCS keys; bit 0 is never set", width=168),
        "mw": Feature("decimal", "Molecular weight", "g/mol", scale=3),
        "logp": Feature("decimal", "Octanol-water partition coefficient by Crippen's method, log10", "1", scale=4),
        "tpsa": Feature("decimal", "Topological polar surface area", "Ao2", scale=2),
        "hbd": Feature("integer", "Hydrogen bond donors", "1"),
        "hba": Feature("integer", "Hydrogen bond acceptors", "1"),
        "rotatable": Feature("integer", "Rotatable bonds", "1"),
        "rings": Feature("integer", "Rings, smallest set", "1"),
        "aromatic-rings": Feature("integer", "Aromatic rings, smallest set", "1"),
        "heavy-atoms": Feature("integer", "Atoms other than hydrogen", "1"),
        "fsp3": Feature("decimal", "Share of carbon atoms that are sp3 hybridised", "1", scale=4),
    }
)
"""By the name behind ``molecule:``. Units are UCUM's."""
NOT_DRAFTED: Final = ("maccs",)
"""Features that a drafted schema only names."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How the columns of a table come about.

    ``sought`` are the headings to read from the file, last the one with the molecules; ``columns`` says of each column
    of the schema either its place in ``sought`` or the name of its feature.
    """

    sought: tuple[str, ...]
    columns: tuple[int | str, ...]

    @property
    def features(self) -> tuple[str, ...]:
        """The features that are computed, each once."""
        return tuple(dict.fromkeys(column for column in self.columns if isinstance(column, str)))


def is_sdf(name: str) -> bool:
    """Say whether a file is an SD file, by its name."""
    return name.lower().endswith((".sdf", ".sd"))


def plan_for(schema: OwnerSchema, name: str) -> Plan | None:
    """Return what is to be computed, or None for a file without molecules.

    Raises
    ------
    DocumentError
        ``MOLECULE_COLUMN`` where a heading is reserved and names no feature, or the column does not suit its feature;
        ``MOLECULE_SOURCE`` where the file has no molecules to compute columns from.
    """
    structure = schema.molecules if schema.molecules is not None else STRUCTURE if is_sdf(name) else None
    reserved = [heading for heading in schema.headings.values() if heading.startswith(RESERVED)]
    if structure is None:
        if reserved:
            raise DocumentError(
                "MOLECULE_SOURCE",
                f"Column {reserved[0]} is computed from molecules, and {name} is no SD file. Say in which column "
                'SMILES stand: --molecules COLUMN, or molecules = "COLUMN" at the head of the schema.',
            )
        return None
    sought: list[str] = []
    columns = tuple(_places(schema, sought, sdf=is_sdf(name)))
    return Plan((*sought, structure), columns)


def _places(schema: OwnerSchema, sought: list[str], *, sdf: bool) -> Iterator[int | str]:
    for column in schema.table.columns:
        heading = schema.headings[column.name]
        if not heading.startswith(RESERVED) or (heading == TITLE and sdf):
            sought.append(heading)
            yield len(sought) - 1
            continue
        name = heading.removeprefix(RESERVED)
        feature = FEATURES.get(name)
        if feature is None:
            known = ", ".join(FEATURES)
            raise DocumentError(
                "MOLECULE_COLUMN",
                f"Column {column.name}: nothing is computed as {heading}. Behind {RESERVED} may stand {known}"
                + (", title." if sdf else "; title is for SD files."),
            )
        if not feature.suits(column):
            raise DocumentError(
                "MOLECULE_COLUMN",
                f"Column {column.name} holds {heading}, so its schema must say {', '.join(feature.lines)}.",
            )
        yield name
