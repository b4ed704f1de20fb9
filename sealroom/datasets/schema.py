"""The schema of a dataset as its owner writes it: TOML, one ``[[columns]]`` a column.

A column may carry ``header``, the heading in the file where that is not its name. Before the columns may stand
``left_out``, headings of the file that are not read, and ``molecules``, the heading of a column of SMILES. These three
stay at the owner's; everything else is signed and shown to partners.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from protocol.documents.dataset import TableSchema
from protocol.errors import DocumentError
from sealroom.typed import read_toml, typed

__all__ = ["OwnerSchema", "load_schema"]


@dataclass(frozen=True, slots=True)
class OwnerSchema:
    """The schema to sign, and how the owner's file is read.

    ``headings`` has the heading under which each column stands there, ``left_out`` headings that are not read,
    ``molecules`` the heading under which SMILES stand, where there is one.
    """

    table: TableSchema
    headings: Mapping[str, str]
    left_out: frozenset[str] = frozenset()
    molecules: str | None = None


def load_schema(path: Path, molecules: str | None = None) -> OwnerSchema:
    """Read a schema; ``molecules`` goes before what it says itself.

    Raises
    ------
    DocumentError
        ``TOML``, or ``DOCUMENT`` with the first field that is wrong; ``SCHEMA_HEADER`` where a heading is no text or a
        column's stands there twice.
    """
    content = read_toml(path)
    left_out = content.pop("left_out", [])
    if not isinstance(left_out, list) or not all(isinstance(heading, str) for heading in left_out):
        raise DocumentError("SCHEMA_HEADER", f"{path}: left_out is a list of headings.")
    molecules = molecules or content.get("molecules")
    content.pop("molecules", None)
    if molecules is not None and not (isinstance(molecules, str) and molecules):
        raise DocumentError("SCHEMA_HEADER", f"{path}: molecules is the heading of a column.")
    columns = content.get("columns")
    headings: dict[str, str] = {}
    if isinstance(columns, list):
        for column in columns:
            if isinstance(column, dict) and isinstance(name := column.get("name"), str):
                heading = column.pop("header", name)
                if not isinstance(heading, str) or heading in headings.values():
                    raise DocumentError("SCHEMA_HEADER", f"{path}: column {name}: each header is a text of its own.")
                headings[name] = heading
    table = typed(TableSchema, content, where=str(path))
    return OwnerSchema(table, headings, frozenset(left_out), molecules)
