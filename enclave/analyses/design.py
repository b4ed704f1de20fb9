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

__all__ = ["Coded", "code_columns", "require_independent", "standardise", "term_labels"]

_CONSTANT = 1e-12
"""A spread below this share of the largest value is rounding."""
_LEAST_VARIANCE = 1e-10
"""Of a standardised covariate, or of a combination of them; below it there is only rounding."""


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
    """Code columns without missing values; which levels there are follows from the schema, not from the data.

    Raises
    ------
    AnalysisError
        ``CODE_UNKNOWN`` where a category holds a code that its schema does not have, or none: as a row of zeros the
        subject would be counted at the first level.
    """
    import pandas as pd

    blocks, references = [np.empty((len(frame), 0))], [np.empty((len(frame), 0), dtype=bool)]
    for column in columns:
        if column.kind == "category":
            levels = pd.Index([level.code for level in column.levels], dtype=object)
            codes = levels.get_indexer(pd.Index(frame[column.name], dtype=object))
            if (codes < 0).any():
                raise AnalysisError("CODE_UNKNOWN", "A category holds a code that its schema does not have, or none.")
            every = codes[:, None] == np.arange(len(column.levels))
            blocks.append(every[:, 1:].astype(float))
            references.append(every[:, :1])
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


def require_independent(information: Floats, weight: float) -> None:
    """Raise ``AnalysisError`` with ``COLLINEAR`` unless standardised columns are linearly independent.

    Parameters
    ----------
    information
        Float, shape (p, p): sums of ``weight`` variances of the columns among subjects that are compared.
    weight
        Subjects, or events.
    """
    if np.linalg.eigvalsh(information).min() < _LEAST_VARIANCE * weight:
        raise AnalysisError(
            "COLLINEAR", "A covariate is constant, or follows from the others, among subjects that are compared."
        )
