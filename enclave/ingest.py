"""From the canonical layout to data frames: what an analysis sees of one dataset."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from protocol.documents.dataset import DatasetSchema
from protocol.layout import Table
from protocol.types import Key, Name

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SUBJECT", "Cohort", "GenotypeBlock", "read_cohort"]

SUBJECT = "subject"
"""The name of every frame's index: the subject's pseudonym, 16 bytes."""


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """One dataset in its slot.

    Parameters
    ----------
    slot
        The recipe's name for it.
    owner
        Root key of the institution that owns it.
    schema
        The signed schema that it was read under.
    frame
        One row per row of the table. Index: the subject's 16 bytes. Numbers are float64 in the column's unit, NaN
        where missing; categories are pandas categoricals over the schema's level codes, in the schema's order; digests
        are 16 bytes each.
    bits
        uint8 of shape (rows, width / 8) for each column of bits, lowest bit first (``numpy.unpackbits`` with
        ``bitorder="little"``).
    """

    slot: Name
    owner: Key
    schema: DatasetSchema
    frame: "pd.DataFrame"
    bits: Mapping[str, NDArray[np.uint8]]


@dataclass(frozen=True, slots=True, eq=False)
class GenotypeBlock:
    """Some variants of all cohorts: ``start`` is the place of the first in the catalogue.

    ``calls`` holds for each cohort, in the order of the slots, uint8 of shape (variants, ceil(samples / 4)) as a .bed
    file has them: two bits a sample, lowest first; 0 two copies of the first allele, 1 missing, 2 one copy, 3 none.
    Sample i is row i of the cohort's frame. The arrays are valid until the next block is asked for.
    """

    start: int
    calls: tuple[NDArray[np.uint8], ...]


def read_cohort(slot: Name, owner: Key, table: Table, schema: DatasetSchema) -> Cohort:
    """Turn a table, whose every value its reader has checked, into a cohort."""
    import pandas as pd

    columns: dict[str, pd.Series[Any]] = {}
    for column in table.schema.columns:
        if column.kind == "category":
            levels = pd.Index([level.code for level in column.levels], dtype=object)
            codes: NDArray[np.int32] = table.columns[column.name]
            columns[column.name] = pd.Series(pd.Categorical.from_codes(codes, categories=levels))
        elif column.kind == "digest":
            columns[column.name] = pd.Series(_rows_of_bytes(table.columns[column.name]), dtype=object)
        elif column.kind in {"integer", "decimal"}:
            columns[column.name] = pd.Series(table.numbers(column.name))
    subjects = pd.Index(_rows_of_bytes(table.columns[table.schema.subject.name]), name=SUBJECT, dtype=object)
    bits = {column.name: table.columns[column.name] for column in table.schema.columns if column.kind == "bits"}
    return Cohort(slot, owner, schema, pd.DataFrame(columns, index=range(table.rows)).set_index(subjects), bits)


def _rows_of_bytes(values: NDArray[np.uint8]) -> list[bytes]:
    data, width = values.tobytes(), values.shape[1]
    return [data[start : start + width] for start in range(0, len(data), width)]
