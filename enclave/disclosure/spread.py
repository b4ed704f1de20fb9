"""What a column of a regression tells apart: how many subjects, and how much of the outcome lies on either side.

A column is given by its distinct values, rising, and each row's place among them. Rows are compared within strata, so
that a stratum in which the column is constant adds nothing; of two sides the smaller one of each stratum counts.
"""

from collections.abc import Iterator

import numpy as np

from enclave.analyses.arrays import Bools, Floats, Integers
from protocol.errors import DisclosureRefused

__all__ = ["away_from_mode", "code_values", "require_events", "require_no_dominance", "require_varied"]

_TWO_VALUES = 2
_ONE_SHARE, _TWO_SHARE = 0.5, 0.67
"""Of a sum of squares, at most, of one and of two subjects."""


def code_values(values: Floats | Bools) -> tuple[Floats, Integers]:
    """Return distinct values, rising, and each row's place among them; by hashing, which sorts no rows."""
    import pandas as pd

    codes, levels = pd.factorize(values.astype(float), sort=True)
    return levels, codes


def away_from_mode(codes: Integers, strata: Integers) -> Bools:
    """Return which rows are away from the commonest value of their stratum."""
    found = np.zeros(len(codes), dtype=bool)
    for inside in _each(strata):
        found[inside] = codes[inside] != np.bincount(codes[inside]).argmax()
    return found


def require_events(levels: Floats, codes: Integers, event: Bools, strata: Integers, k: int, *, symmetric: bool) -> None:
    """Require of a column k rows that it tells from others of their stratum, with the event and without.

    ``symmetric``: the model is the same with events and the rest exchanged, so these are judged alike.

    Raises
    ------
    DisclosureRefused
        ``COLUMN_MINORITY``, ``COLUMN_OUTCOME``.
    """
    minority, outcomes = 0, np.zeros(2, dtype=int)  # outcomes: without the event, with it
    for inside in _each(strata):
        had = np.bincount(2 * codes[inside] + event[inside], minlength=2 * len(levels)).reshape(-1, 2)
        rows = had.sum(axis=1)
        away, above = np.arange(len(levels)) != rows.argmax(), levels > levels @ rows / rows.sum()
        smaller = np.minimum(had[above].sum(axis=0), had[~above].sum(axis=0))
        minority += int(rows[away].sum())
        # Of a score with few patients at one end, too few of these may lack the event in honest data, so those without
        # are counted away from the mode. Those with the event away from it are at least as many as on the smaller side.
        sides = symmetric or np.count_nonzero(rows) <= _TWO_VALUES
        outcomes += smaller if sides else (had[away, 0].sum(), smaller[1])
    _require_minority(minority, k)
    if min(outcomes) < k:
        raise DisclosureRefused("COLUMN_OUTCOME", "A column singles out too few with, or without, the event.")


def require_varied(
    levels: Floats, codes: Integers, outcome: Floats, outcome_codes: Integers, strata: Integers, k: int
) -> None:
    """Require of a column, for an outcome that is a number, k rows that it tells from others of their stratum.

    On either side of the column's mean at least k outcomes are away from the side's commonest one, and no subject
    dominates their spread.

    Raises
    ------
    DisclosureRefused
        ``COLUMN_MINORITY``, ``COLUMN_OUTCOME``, ``DOMINANCE``.
    """
    values = levels[codes]
    minority, varied = 0, 0
    squares: tuple[list[Floats], list[Floats]] = ([], [])
    for inside in _each(strata):
        rows = np.bincount(codes[inside])
        minority += int(rows.sum() - rows.max())
        above = values[inside] > values[inside].mean()
        sides = [inside[above], inside[~above]]
        varied += min(len(side) - np.bincount(outcome_codes[side]).max(initial=0) for side in sides)
        for side, found in zip(sides, squares, strict=True):
            if len(side):
                found.append((outcome[side] - outcome[side].mean()) ** 2)
    _require_minority(minority, k)
    if varied < k:
        raise DisclosureRefused("COLUMN_OUTCOME", "A column singles out too few with differing outcomes.")
    for found in squares:
        require_no_dominance(np.concatenate(found))


def require_no_dominance(squares: Floats) -> None:
    """Require that no subject makes up half of a sum of squares, and no two make up two thirds.

    Raises
    ------
    DisclosureRefused
        ``DOMINANCE``, also where all are zero.
    """
    largest = np.sort(squares)[-2:]
    total = squares.sum()
    if total <= 0 or largest[-1] > _ONE_SHARE * total or largest.sum() > _TWO_SHARE * total:
        raise DisclosureRefused("DOMINANCE", "One or two subjects dominate the outcome.")


def _require_minority(minority: int, k: int) -> None:
    if minority < k:
        raise DisclosureRefused("COLUMN_MINORITY", "A column singles out too few subjects.")


def _each(strata: Integers) -> Iterator[Integers]:
    """Yield the rows of each stratum."""
    for stratum in np.flatnonzero(np.bincount(strata)):
        yield np.flatnonzero(strata == stratum)
