"""Design matrices: numbers as they are, categories as treatment contrasts against their first level."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from enclave.analyses.arrays import Bools, Floats, Integers
from protocol.documents.dataset import Column
from protocol.errors import AnalysisError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Coded", "code_columns", "require_estimable", "standardise", "term_labels"]

_RANK_TOLERANCE = 1e-9
"""Of the largest singular value of the standardised design; R's ``coxph`` and ``lm`` use 1e-9 and 1e-7."""


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


def require_estimable(matrix: Floats, strata: Integers | None = None) -> None:
    """Raise ``AnalysisError`` with ``COLLINEAR`` where a column is constant or follows from the others."""
    centred = standardise(matrix, strata)[0]
    singular = np.linalg.svd(centred, compute_uv=False)
    if np.count_nonzero(singular > _RANK_TOLERANCE * singular.max(initial=0.0)) < centred.shape[1]:
        raise AnalysisError(
            "COLLINEAR", "A covariate is constant or follows from the others among the subjects without missing values."
        )


def standardise(matrix: Floats, strata: Integers | None = None) -> tuple[Floats, Floats]:
    """Centre columns (within strata where given), divide by their root mean square; return these divisors too."""
    centred = matrix - (matrix.mean(axis=0) if len(matrix) else 0.0)
    if strata is not None:
        for stratum in np.unique(strata):
            inside = strata == stratum
            centred[inside] -= centred[inside].mean(axis=0)
    scale = np.sqrt((centred**2).mean(axis=0)) if len(matrix) else np.ones(matrix.shape[1])
    negligible = scale <= _RANK_TOLERANCE * np.maximum(np.abs(matrix).max(axis=0, initial=0.0), 1e-300)
    scale = np.where(negligible, 1.0, scale)
    return np.where(negligible, 0.0, centred / scale), scale
