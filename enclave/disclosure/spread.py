"""What a column of a regression tells apart: how many subjects, and how much of the outcome lies on either side.

A column is given by its distinct values, rising, and each row's place among them. Rows are compared within strata, so
that a stratum in which the column is constant adds nothing; of two sides the smaller one of each stratum counts.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from enclave.analyses.arrays import Bools, Floats, Integers
from enclave.disclosure.concentration import COMMONEST, beside_commonest, has_few_rare, rests_on_many
from protocol.errors import DisclosureRefused

__all__ = ["away_from_mode", "code_values", "require_events", "require_many", "require_varied"]

_TWO_VALUES = 2


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

    On either side of the column's mean at least k outcomes are away from the side's commonest one; away from its two
    and its three commonest, k or none; and their spread rests on k subjects.

    Raises
    ------
    DisclosureRefused
        ``COLUMN_MINORITY``, ``COLUMN_OUTCOME``, ``DOMINANCE``.
    """
    values = levels[codes]
    minority, varied = 0, 0
    beside = np.zeros((2, COMMONEST), dtype=np.intp)  # on each side, in all strata
    outcomes: tuple[list[Floats], list[Floats]] = ([], [])
    for inside in _each(strata):
        rows = np.bincount(codes[inside])
        minority += int(rows.sum() - rows.max())
        above = values[inside] > values[inside].mean()
        sides = [inside[above], inside[~above]]
        away = np.array([beside_commonest(np.bincount(outcome_codes[side])) for side in sides])
        varied += int(away[:, 0].min())
        beside += away
        for side, found in zip(sides, outcomes, strict=True):
            found.append(outcome[side])
    _require_minority(minority, k)
    if varied < k or any(has_few_rare(away, k) for away in beside):
        raise DisclosureRefused("COLUMN_OUTCOME", "A column singles out too few with differing outcomes.")
    for found in outcomes:
        require_many(found, k)


def require_many(parts: Sequence[Floats], k: int) -> None:
    """Require that the spread of some numbers, each part around its mean, rests on at least k subjects.

    Raises
    ------
    DisclosureRefused
        ``DOMINANCE``, also where there is no spread.
    """
    if not rests_on_many(parts, k):
        raise DisclosureRefused("DOMINANCE", "Too few subjects make up the spread of the outcome.")


def _require_minority(minority: int, k: int) -> None:
    if minority < k:
        raise DisclosureRefused("COLUMN_MINORITY", "A column singles out too few subjects.")


def _each(strata: Integers) -> Iterator[Integers]:
    """Yield the rows of each stratum."""
    for stratum in np.flatnonzero(np.bincount(strata)):
        yield np.flatnonzero(strata == stratum)
