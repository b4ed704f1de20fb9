"""Regressions: a coefficient must rest on many subjects and many events, whichever owner subtracts its own.

The rules are judged on the design without the rows of each coalition of owners:

- subjects, events and subjects without the event: at least k each;
- residual degrees of freedom at least 10; parameters at most a tenth of the subjects;
- every column, and the reference level of every category: away from the commonest value at least k subjects, at least
  k of them with the event and k without; on either side of the mean at least k with the event; of a column of two
  values, at least k without the event at each. The square of a dummy's standard error is about 1/e1 + 1/e0: it tells
  the events at either value. More values are no disguise for a dummy. Without the check of the reference level all
  contrasts could be against two people;
- where the model compares rows within strata only, so do these counts: a stratum in which the column is constant adds
  nothing, and of two sides the smaller one of each stratum counts;
- maximum leverage at most 1/k (and 0.5): a contrast that k equal subjects share gives each of them 1/k, so no column,
  and no combination of columns, singles out fewer. The same among the events for all columns of two values together.
"""

from collections.abc import Sequence

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
_ROUNDING = 1e-9
"""By how much rounding may lift the leverage of k equal subjects above 1/k."""
_TWO_VALUES = 2


def release_regression(raw: RawRegression, preset: GatePreset, against: Coalitions) -> Regression:
    """Return the model as it may leave.

    Raises
    ------
    DisclosureRefused
        ``SUBJECTS``, ``OUTCOME``, ``RESIDUAL_DF``, ``PARAMETERS``, ``COLUMN_MINORITY``, ``COLUMN_OUTCOME``,
        ``LEVERAGE``, ``NOT_FINITE``, ``MAGNITUDE``; ``RECIPIENTS`` where nobody is named; ``SHAPE`` where terms and
        columns do not match.
    """
    if not against:
        raise DisclosureRefused("RECIPIENTS", "The output has no recipient to judge it for.")
    if len(raw.terms) != raw.design.matrix.shape[1]:
        raise DisclosureRefused("SHAPE", "The terms are not the columns of the design.")
    if not np.isfinite(raw.design.matrix).all():
        raise DisclosureRefused("NOT_FINITE", "A value of the design is not finite.")
    coded = [_code(column) for column in (*raw.design.matrix.T, *raw.design.references.T)]
    for coalition in sorted(against, key=sorted):
        _judge(raw.design, coded, coalition, preset.k)
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
        Int, 0 or more, shape (n,), or None.

    Returns
    -------
    float
        1/n to 1. Columns are centred (within strata); the intercepts' own share is counted as 1/n.

    References
    ----------
    Hoaglin and Welsch (1978), Am Stat 32:17.
    """
    centred = matrix - matrix.mean(axis=0)
    if strata is not None:
        rows = np.maximum(np.bincount(strata), 1)
        for place, column in enumerate(centred.T):
            centred[:, place] -= (np.bincount(strata, weights=column) / rows)[strata]
    scale = np.abs(centred).max(axis=0)
    centred /= np.where(scale > 0, scale, 1.0)
    # The singular vectors of the triangular factor, a matrix of p by p, are those of the design: no SVD of n rows.
    _left, singular, right = np.linalg.svd(np.linalg.qr(centred, mode="r"), full_matrices=False)
    kept = singular > _RANK_TOLERANCE * singular.max(initial=0.0)
    basis = centred @ (right[kept].T / singular[kept])
    return float(np.einsum("ij,ij->i", basis, basis).max()) + 1.0 / len(matrix)


def _code(column: Floats | Bools) -> tuple[Floats, Integers]:
    """Return a column's distinct values, rising, and each row's place among them; by hashing, which sorts no rows."""
    import pandas as pd

    codes, levels = pd.factorize(column.astype(float), sort=True)
    return levels, codes


def _judge(design: Design, columns: Sequence[tuple[Floats, Integers]], coalition: frozenset[Key], k: int) -> None:
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
    strata = np.zeros(subjects, dtype=int) if design.strata is None else design.strata[rest]
    two_valued: list[Floats] = []
    for levels, codes in columns:
        left = codes[rest]
        _require_spread(levels, left, event, strata, k)
        if np.count_nonzero(np.bincount(left)) == _TWO_VALUES:
            two_valued.append(levels[left[event]])
    highest = maximum_leverage(matrix, strata)
    if two_valued:
        highest = max(highest, maximum_leverage(np.column_stack(two_valued), strata[event]))
    if highest > min(MAX_LEVERAGE, 1 / k) + _ROUNDING:
        raise DisclosureRefused("LEVERAGE", "Too few subjects, or events, have too much influence on the model.")


def _require_spread(levels: Floats, codes: Integers, event: Bools, strata: Integers, k: int) -> None:
    """Require k rows that the column tells from others of their stratum, with the event and without.

    The column is ``levels[codes]``; levels rise.
    """
    minority, outcomes = 0, np.zeros(2, dtype=int)  # outcomes: without the event, with it
    for stratum in np.flatnonzero(np.bincount(strata)):
        inside = strata == stratum
        had = np.bincount(2 * codes[inside] + event[inside], minlength=2 * len(levels)).reshape(-1, 2)
        rows = had.sum(axis=1)
        away, above = np.arange(len(levels)) != rows.argmax(), levels > levels @ rows / rows.sum()
        smaller = np.minimum(had[above].sum(axis=0), had[~above].sum(axis=0))
        minority += int(rows[away].sum())
        # Of a score with few patients at one end, too few of these may lack the event in honest data, so those without
        # are counted away from the mode. Those with the event away from it are at least as many as on the smaller side.
        two = np.count_nonzero(rows) <= _TWO_VALUES
        outcomes += smaller if two else (had[away, 0].sum(), smaller[1])
    if minority < k:
        raise DisclosureRefused("COLUMN_MINORITY", "A column singles out too few subjects.")
    if min(outcomes) < k:
        raise DisclosureRefused("COLUMN_OUTCOME", "A column singles out too few with, or without, the event.")


def _term(label: int, term: RawTerm) -> Term:
    return Term(
        label=label,
        coefficient=significant(term.coefficient, DIGITS),
        standard_error=significant(term.standard_error, DIGITS),
        p=p_value(term.p),
    )
