"""Design matrices: numbers as they are, categories as treatment contrasts against their first level."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from enclave.analyses.arrays import Bools, Floats, Integers
from protocol.documents.dataset import Column

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Coded", "code_columns", "standardise", "term_labels"]

_CONSTANT = 1e-12
"""A spread below this share of the largest value is rounding."""


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """``matrix``: float, shape (n, p). ``references``: bool, shape (n, r), rows at a category's first level."""

    matrix: Floats
    references: Bools


def term_labels(columns: Sequence[Column]) -> tuple[str, ...]:
    """Name the terms that ``code_columns`` makes, in its order."""
    labels: list[str] = []
    for column in columns:
        if column.kind == "category":
            first, *others = column.levels
            labels += [f"{column.name}: {level.label} against {first.label}" for level in others]
        else:
            labels.append(f"{column.name} (per {column.unit})")
    return tuple(labels)


def code_columns(frame: "pd.DataFrame", columns: Sequence[Column]) -> Coded:
    """Code columns without missing values; which levels there are follows from the schema, not from the data."""
    from sklearn.preprocessing import OneHotEncoder

    blocks, references = [np.empty((len(frame), 0))], [np.empty((len(frame), 0), dtype=bool)]
    for column in columns:
        if column.kind == "category":
            codes = [level.code for level in column.levels]
            encoder = OneHotEncoder(categories=[codes], sparse_output=False, handle_unknown="error")
            every = encoder.fit_transform(frame[[column.name]].astype(object))
            blocks.append(every[:, 1:])
            references.append(every[:, :1] == 1)
        else:
            blocks.append(frame[[column.name]].to_numpy(dtype=float))
    return Coded(np.hstack(blocks), np.hstack(references))


def standardise(matrix: Floats, strata: Integers | None = None) -> tuple[Floats, Floats]:
    """Centre columns (within strata where given), divide by their root mean square; return these divisors too.

    A column that is constant but for rounding becomes 0, with divisor 1.
    """
    centred: Floats = matrix - matrix.mean(axis=0)
    if strata is not None:
        for stratum in np.unique(strata):
            inside = strata == stratum
            centred[inside] -= centred[inside].mean(axis=0)
    scale = np.sqrt((centred**2).mean(axis=0))
    constant = scale <= _CONSTANT * np.abs(matrix).max(axis=0)
    scale = np.where(constant, 1.0, scale)
    return np.where(constant, 0.0, centred / scale), scale
