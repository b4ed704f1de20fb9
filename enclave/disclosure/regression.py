"""Regressions: a coefficient must rest on many subjects, whoever of its recipients subtracts their own.

The rules are judged on the design without the rows of each coalition of recipients:

- subjects, events and subjects without the event: at least k each;
- residual degrees of freedom at least 10; parameters at most a tenth of the subjects;
- every column, and the reference level of every category: at least k subjects away from the commonest value. In a
  column of two values that is the smaller side; a column of more values is no dummy in disguise. Without the check of
  the reference level all contrasts could be against two people;
- maximum leverage at most 0.5: no column, and no combination of columns, singles out a subject.
"""

import numpy as np

from enclave.analyses.arrays import Bools, Floats, Integers
from enclave.analyses.results import Design, RawRegression, RawTerm
from enclave.disclosure.rounding import p_value, significant, to_base
from enclave.disclosure.support import Coalitions
from protocol.documents.outputs import Regression, Term
from protocol.errors import DisclosureRefused
from protocol.presets import GatePreset
from protocol.types import Key

__all__ = [
    "DIGITS",
    "MAX_LEVERAGE",
    "MIN_RESIDUAL_DF",
    "SUBJECTS_PER_PARAMETER",
    "maximum_leverage",
    "release_regression",
]

DIGITS = 4
MIN_RESIDUAL_DF = 10
SUBJECTS_PER_PARAMETER = 10
MAX_LEVERAGE = 0.5
_RANK_TOLERANCE = 1e-9


def release_regression(raw: RawRegression, preset: GatePreset, against: Coalitions) -> Regression:
    """Return the model as it may leave.

    Raises
    ------
    DisclosureRefused
        ``SUBJECTS``, ``OUTCOME``, ``RESIDUAL_DF``, ``PARAMETERS``, ``COLUMN_MINORITY``, ``LEVERAGE``, ``NOT_FINITE``,
        ``MAGNITUDE``; ``RECIPIENTS`` where nobody is named; ``SHAPE`` where terms and columns do not match.
    """
    if not against:
        raise DisclosureRefused("RECIPIENTS", "The output has no recipient to judge it for.")
    if len(raw.terms) != raw.design.matrix.shape[1]:
        raise DisclosureRefused("SHAPE", "The terms are not the columns of the design.")
    for coalition in sorted(against, key=sorted):
        _judge(raw.design, coalition, preset.k)
    return Regression(
        subjects=to_base(len(raw.design.event), preset.base),
        events=to_base(int(np.count_nonzero(raw.design.event)), preset.base),
        terms=tuple(_term(label, term) for label, term in enumerate(raw.terms)),
    )


def maximum_leverage(matrix: Floats, strata: Integers | None = None) -> float:
    """Return the largest diagonal element of the hat matrix of a design with an intercept (one for each stratum).

    Parameters
    ----------
    matrix
        Float, shape (n, p), n >= 1, without the intercept.
    strata
        Int, shape (n,), or None.

    Returns
    -------
    float
        1/n to 1. Columns are centred (within strata); the intercepts' own share is counted as 1/n.

    References
    ----------
    Hoaglin and Welsch (1978), Am Stat 32:17. ``acro`` and the ABS ask for the same bound, 0.5.
    """
    centred = matrix - matrix.mean(axis=0)
    if strata is not None:
        for stratum in np.unique(strata):
            centred[strata == stratum] -= centred[strata == stratum].mean(axis=0)
    scale = np.abs(centred).max(axis=0)
    left, singular, _right = np.linalg.svd(centred / np.where(scale > 0, scale, 1.0), full_matrices=False)
    basis = left[:, singular > _RANK_TOLERANCE * singular.max(initial=0.0)]
    return float((basis**2).sum(axis=1).max()) + 1.0 / len(matrix)


def _judge(design: Design, coalition: frozenset[Key], k: int) -> None:
    gone = [index for index, key in enumerate(design.owner_keys) if key in coalition]
    rest = ~np.isin(design.owners, gone)
    matrix, event = design.matrix[rest], design.event[rest]
    subjects, parameters, events = len(event), matrix.shape[1], int(np.count_nonzero(event))
    if subjects < k:
        raise DisclosureRefused("SUBJECTS", "Too few subjects.")
    if min(events, subjects - events) < k:
        raise DisclosureRefused("OUTCOME", "Too few subjects with, or without, the event.")
    if subjects - parameters < MIN_RESIDUAL_DF:
        raise DisclosureRefused("RESIDUAL_DF", "Too few residual degrees of freedom.")
    if parameters * SUBJECTS_PER_PARAMETER > subjects:
        raise DisclosureRefused("PARAMETERS", "Too many parameters for the subjects.")
    for column in (*matrix.T, *design.references[rest].T):
        if _minority(column) < k:
            raise DisclosureRefused("COLUMN_MINORITY", "A column singles out too few subjects.")
    strata = None if design.strata is None else design.strata[rest]
    if maximum_leverage(matrix, strata) > MAX_LEVERAGE:
        raise DisclosureRefused("LEVERAGE", "A subject has too much influence on the model.")


def _minority(column: Floats | Bools) -> int:
    """Subjects away from the commonest value: of two values, those on the smaller side."""
    counts = np.unique(column, return_counts=True)[1]
    return int(counts.sum() - counts.max())


def _term(label: int, term: RawTerm) -> Term:
    return Term(
        label=label,
        coefficient=significant(term.coefficient, DIGITS),
        standard_error=significant(term.standard_error, DIGITS),
        p=p_value(term.p),
    )
