"""The schema of a dataset as its owner writes it: TOML, one ``[[columns]]`` a column.

A column may carry ``header``, the heading in the CSV file where that is not its name. Headings stay at the owner's;
everything else is signed and shown to partners.
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
    """The schema to sign, and the heading under which each column stands in the owner's file."""

    table: TableSchema
    headings: Mapping[str, str]


def load_schema(path: Path) -> OwnerSchema:
    """Read a schema.

    Raises
    ------
    DocumentError
        ``TOML``, or ``DOCUMENT`` with the first field that is wrong; ``SCHEMA_HEADER`` where a heading is no text or
        stands there twice.
    """
    content = read_toml(path)
    columns = content.get("columns")
    headings: dict[str, str] = {}
    if isinstance(columns, list):
        for column in columns:
            if isinstance(column, dict) and isinstance(name := column.get("name"), str):
                heading = column.pop("header", name)
                if not isinstance(heading, str) or heading in headings.values():
                    raise DocumentError("SCHEMA_HEADER", f"{path}: column {name}: each header is a text of its own.")
                headings[name] = heading
    return OwnerSchema(typed(TableSchema, content, where=str(path)), headings)
