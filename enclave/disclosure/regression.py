"""Regressions: a coefficient must rest on many subjects and many events, whichever owner subtracts its own.

The rules are judged on the design without the rows of each coalition of owners:

- subjects, and of the outcome events and subjects without the event, or numbers away from the commonest: at least k;
- residual degrees of freedom at least 10; parameters, intercepts included, at most a tenth of the subjects;
- every column, and the reference level of every category: away from the commonest value at least k subjects, at least
  k of them with the event and k without; on either side of the mean at least k with the event; of a column of two
  values, at least k without the event at each. The square of a dummy's standard error is about 1/e1 + 1/e0: it tells
  the events at either value. More values are no disguise for a dummy. Without the check of the reference level all
  contrasts could be against two people;
- a logistic model is the same with events and the rest exchanged, so its rules are too;
- an outcome that is a number: on either side of each column's mean at least k away from that side's commonest one, and
  k or nobody away from its two and its three commonest; there, and of the residuals, the spread rests on k, as for
  means: else a coefficient tells on which side few far values are, and how many;
- where the model compares rows within strata only, so do these counts: a stratum in which the column is constant adds
  nothing, and of two sides the smaller one of each stratum counts; strata that tell nothing, having no events (or
  nothing but events, in a logistic model), are left out of all;
- maximum leverage at most 1/k (and 0.5): a contrast that k equal subjects share gives each of them 1/k, so no column,
  and no combination of columns, singles out fewer. The same among the events for all columns of two values together;
- columns of a logistic model that separate its outcomes say of everybody on one side that all have, or lack, the event;
  so no separated model leaves, and fewer than k subjects do not decide that it is none: k disjoint groups of them must
  each keep the columns from it.
"""

from collections.abc import Sequence

import numpy as np

from enclave.analyses.arrays import Bools, Floats, Integers
from enclave.analyses.results import Design, RawRegression, RawTerm
from enclave.disclosure.rounding import p_value, significant, to_base
from enclave.disclosure.separation import overlapping_groups
from enclave.disclosure.spread import (
    away_from_mode,
    code_values,
    require_events,
    require_many,
    require_varied,
)
from enclave.disclosure.support import Coalitions, with_few_left_out
from protocol.documents.outputs import Effect, Regression, Term
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
    "require_design",
]

DIGITS = 4
MIN_RESIDUAL_DF = 10
SUBJECTS_PER_PARAMETER = 10
MAX_LEVERAGE = 0.5
_RANK_TOLERANCE = 1e-9
_ROUNDING = 1e-9
"""By how much rounding may lift the leverage of k equal subjects above 1/k."""
_NOTHING = 1e-9
"""Of a standard error: a coefficient below it is rounding."""
_EXACT = 1e-10
"""Share of the outcome's variance below which residuals are rounding."""
_TWO_VALUES = 2
_Columns = Sequence[tuple[Floats, Integers]]


def release_regression(raw: RawRegression, preset: GatePreset, against: Coalitions) -> Regression:
    """Return the model as it may leave.

    Raises
    ------
    DisclosureRefused
        ``SUBJECTS``, ``OUTCOME``, ``RESIDUAL_DF``, ``PARAMETERS``, ``COLUMN_MINORITY``, ``COLUMN_OUTCOME``,
        ``DOMINANCE``, ``LEVERAGE``, ``SEPARATION``, ``NOT_FINITE``, ``MAGNITUDE``; ``RECIPIENTS`` where nobody is
        named; ``SHAPE`` where terms and columns, or effect and outcome, do not match.
    """
    design = raw.design
    if not against:
        raise DisclosureRefused("RECIPIENTS", "The output has no recipient to judge it for.")
    if len(raw.terms) != design.matrix.shape[1]:
        raise DisclosureRefused("SHAPE", "The terms are not the columns of the design.")
    if raw.penalised:
        raise DisclosureRefused("SEPARATION", "The model was penalised because its columns determine the outcome.")
    require_design(design, raw.effect, against, preset.k)
    return Regression(
        effect=raw.effect,
        subjects=to_base(with_few_left_out(len(design.matrix), raw.left_out, preset.k), preset.base),
        events=None if design.event is None else to_base(int(np.count_nonzero(design.event)), preset.base),
        terms=tuple(_term(label, term) for label, term in enumerate(raw.terms)),
    )


def require_design(design: Design, effect: Effect, against: Coalitions, k: int, *, ridge: bool = False) -> None:
    """Require of a design what a model's release does, without each coalition's rows.

    ``ridge``: the model has an estimate whatever the outcomes, so that there is one tells nothing: nobody need keep the
    columns from separating them.

    Raises
    ------
    DisclosureRefused
        As ``release_regression``.
    """
    observed = design.outcome if effect == "difference" else design.event
    if observed is None or (design.outcome is not None) == (design.event is not None):
        raise DisclosureRefused("SHAPE", "The outcome is not of the kind that the effect is about.")
    if not np.isfinite(design.matrix).all():
        raise DisclosureRefused("NOT_FINITE", "A value of the design is not finite.")
    coded = [code_values(column) for column in (*design.matrix.T, *design.references.T)]
    outcome = code_values(observed)[1] if design.event is None else design.event.astype(np.intp)
    for coalition in sorted(against, key=sorted):
        rest = _judge(design, effect, coded, outcome, coalition, k)
        if effect == "odds ratio" and not ridge:
            _require_overlap(design, outcome == 1, rest, k)


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
    basis = _basis(_centre(matrix, strata))
    return float(np.einsum("ij,ij->i", basis, basis).max()) + 1.0 / len(matrix)


def _centre(matrix: Floats, strata: Integers | None) -> Floats:
    centred: Floats = matrix - matrix.mean(axis=0)
    if strata is not None:
        rows = np.maximum(np.bincount(strata), 1)
        for place, column in enumerate(centred.T):
            centred[:, place] -= (np.bincount(strata, weights=column) / rows)[strata]
    return centred


def _basis(centred: Floats) -> Floats:
    """Return an orthonormal basis of the space of some columns."""
    scale = np.abs(centred).max(axis=0)
    scaled = centred / np.where(scale > 0, scale, 1.0)
    # The singular vectors of the triangular factor, a matrix of p by p, are those of the design: no SVD of n rows.
    _left, singular, right = np.linalg.svd(np.linalg.qr(scaled, mode="r"), full_matrices=False)
    kept = singular > _RANK_TOLERANCE * singular.max(initial=0.0)
    basis: Floats = scaled @ (right[kept].T / singular[kept])
    return basis


def _judge(
    design: Design, effect: Effect, columns: _Columns, outcome: Integers, coalition: frozenset[Key], k: int
) -> Bools:
    """Judge a design without a coalition's rows, return which are left that tell anything.

    ``outcome``: 1 for an event, or the place of a number among all.
    """
    gone = [index for index, key in enumerate(design.owner_keys) if key in coalition]
    rest = _informative(design, effect, ~np.isin(design.owners, gone))
    matrix, had = design.matrix[rest], outcome[rest]
    if len(matrix) < k:
        raise DisclosureRefused("SUBJECTS", "Too few subjects.")
    strata = np.zeros(len(matrix), dtype=int) if design.strata is None else design.strata[rest]
    halves = _halves(had, strata, effect, k)
    intercepts = 0 if effect == "hazard ratio" else len(np.unique(strata))
    _require_freedom(len(matrix), matrix.shape[1] + intercepts)
    two_valued: list[Floats] = []
    for levels, codes in columns:
        left = codes[rest]
        if design.outcome is None:
            require_events(levels, left, had == 1, strata, k, symmetric=effect == "odds ratio")
        else:
            require_varied(levels, left, design.outcome[rest], had, strata, k)
        if np.count_nonzero(np.bincount(left)) == _TWO_VALUES:
            two_valued.append(levels[left])
    highest = [maximum_leverage(matrix, strata)]
    if two_valued:
        dummies = np.column_stack(two_valued)
        highest += [maximum_leverage(dummies[half], strata[half]) for half in halves]
    if max(highest) > min(MAX_LEVERAGE, 1 / k) + _ROUNDING:
        raise DisclosureRefused("LEVERAGE", "Too few subjects, or events, have too much influence on the model.")
    if design.outcome is not None:
        require_many([_residuals(matrix, design.outcome[rest], strata)], k)
    return rest


def _require_overlap(design: Design, event: Bools, rest: Bools, k: int) -> None:
    strata = np.zeros(len(rest), dtype=int) if design.strata is None else design.strata
    if overlapping_groups(design.matrix[rest], event[rest], strata[rest], k) < k:
        raise DisclosureRefused("SEPARATION", "Too few subjects keep the columns from determining the outcome.")


def _informative(design: Design, effect: Effect, rest: Bools) -> Bools:
    """Return those rows of the rest whose stratum tells anything."""
    strata, event = design.strata, design.event
    if strata is None or event is None:
        return rest
    events = np.bincount(strata[rest & event], minlength=strata.max() + 1)
    others = np.bincount(strata[rest & ~event], minlength=strata.max() + 1)
    tells = events > 0 if effect == "hazard ratio" else (events > 0) & (others > 0)
    found: Bools = rest & tells[strata]
    return found


def _halves(outcome: Integers, strata: Integers, effect: Effect, k: int) -> list[Bools]:
    """Require k subjects with a telling outcome; return these, and the rest where that tells as much."""
    if effect == "difference":
        telling = away_from_mode(outcome, strata)
        few, both = np.count_nonzero(telling), len(np.unique(outcome)) == _TWO_VALUES
    else:
        telling = outcome == 1
        few, both = min(np.count_nonzero(telling), np.count_nonzero(~telling)), effect == "odds ratio"
    if few < k:
        raise DisclosureRefused("OUTCOME", "Too few subjects with, or without, the event, or with differing outcomes.")
    return [telling, ~telling] if both else [telling]


def _require_freedom(subjects: int, parameters: int) -> None:
    if subjects - parameters < MIN_RESIDUAL_DF:
        raise DisclosureRefused("RESIDUAL_DF", "Too few residual degrees of freedom.")
    if parameters * SUBJECTS_PER_PARAMETER > subjects:
        raise DisclosureRefused("PARAMETERS", "Too many parameters for the subjects.")


def _residuals(matrix: Floats, outcome: Floats, strata: Integers) -> Floats:
    """Return what the columns leave over of the outcome; zeros where that is rounding."""
    basis, centred = _basis(_centre(matrix, strata)), _centre(outcome[:, None], strata)[:, 0]
    residuals: Floats = centred - basis @ (basis.T @ centred)
    return residuals if residuals @ residuals > _EXACT * (centred @ centred) else np.zeros_like(residuals)


def _term(label: int, term: RawTerm) -> Term:
    # A coefficient of 0 is computed as whatever rounding leaves, which differs between processors.
    nothing = abs(term.coefficient) < _NOTHING * term.standard_error
    return Term(
        label=label,
        coefficient=significant(0.0 if nothing else term.coefficient, DIGITS),
        standard_error=significant(term.standard_error, DIGITS),
        p=p_value(term.p),
    )
