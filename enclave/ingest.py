"""From the canonical layout to data frames: what an analysis sees of one dataset."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from protocol.documents.dataset import TableSchema
from protocol.layout import SUBJECT_SIZE, Table
from protocol.types import Key, Name

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SUBJECT", "Cohort", "read_cohort"]

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
        where missing; categories are pandas categoricals over the schema's level codes, in the schema's order.
    """

    slot: Name
    owner: Key
    schema: TableSchema
    frame: "pd.DataFrame"


def read_cohort(slot: Name, owner: Key, table: Table) -> Cohort:
    """Turn a table, whose every value its reader has checked, into a cohort."""
    import pandas as pd

    columns: dict[str, pd.Series[Any]] = {}
    for column in table.schema.columns:
        if column.kind == "category":
            levels = pd.Index([level.code for level in column.levels], dtype=object)
            codes: NDArray[np.int32] = table.columns[column.name]
            columns[column.name] = pd.Series(pd.Categorical.from_codes(codes, categories=levels))
        elif column.kind != "subject":
            columns[column.name] = pd.Series(table.numbers(column.name))
    frame = pd.DataFrame(columns, index=range(table.rows)).set_index(_subjects(table))
    return Cohort(slot, owner, table.schema, frame)


def _subjects(table: Table) -> "pd.Index[bytes]":
    import pandas as pd

    data = table.columns[table.schema.subject.name].tobytes()
    pseudonyms = [data[start : start + SUBJECT_SIZE] for start in range(0, len(data), SUBJECT_SIZE)]
    return pd.Index(pseudonyms, name=SUBJECT, dtype=object)
