"""Means and standard deviations: what is told must rest on many subjects, whichever owner subtracts its own.

Mean, deviation and number together tell the sum of the values and the sum of their squares, and an owner takes its own
share away from both. So each cell is judged on the values themselves, without those of each coalition of owners:

- at least k subjects. How many there are in all groups is public, so one small group hides every cell of its variable
  (``RawMean.part``): else it would be what the others leave over;
- at least k away from the commonest value, so a deviation of 0 does not leave; away from the two and from the three
  commonest, k or nobody. So of up to four values at least k at each: number, mean and deviation are three equations,
  which tell the counts at three values, and nearly those at more where few have the rest;
- no subject has more than half of the sum of absolute values, no two have more than 67 % of it: (1,50) and (2,67)
  dominance. The p % rule with p = 15 follows: all but the two largest have a third of the sum, so at least a third of
  the largest, which is more than 15 % of it;
- the sum of squared deviations rests on at least k subjects (``concentration``): n / kurtosis, the inverse of the sum
  of squared shares, is k, and without whichever j < k of them 1 / (j + 1) of it is left. Dominance can be undone by an
  offset in a recipe's mapping, this cannot. It also finds fewer than k large values among small ones, which dominance
  lets through; from k = 5 on a spread that rests on k is never dominated, which the unit tests search for.

A cell that fails is suppressed. Else mean and deviation leave with 3 significant digits, the mean with no digit beyond
the last one of the deviation: an offset could bring it close to zero, where 3 digits are as exact as one likes.

A recipe may declare a number missing, and then the subjects with a value would tell to within rounding whether
anybody has that number. So where values may be missing, ``subjects`` is told only if at least k have none.
"""

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from enclave.analyses.arrays import Floats, Integers
from enclave.analyses.results import RawMean, RawMeans, Support
from enclave.disclosure.concentration import beside_commonest, has_few_rare, rests_on_many
from enclave.disclosure.rounding import decimals, significant, to_base
from enclave.disclosure.support import Coalitions, safe_count
from protocol.documents.outputs import Mean, Means
from protocol.errors import DisclosureRefused
from protocol.presets import GatePreset
from protocol.types import Key

__all__ = ["DIGITS", "LARGEST_SHARE", "LARGEST_TWO", "is_dominated", "release_means"]

DIGITS = 3
LARGEST_SHARE = 0.50
LARGEST_TWO = 0.67
_MOST_DECIMALS = 18


def release_means(raw: RawMeans, preset: GatePreset, against: Coalitions) -> Means:
    """Return the means as they may leave.

    Raises
    ------
    DisclosureRefused
        ``NOT_FINITE`` where a value is missing or infinite, ``MAGNITUDE`` where a mean or deviation is 1e18 or more.
    """
    if not all(np.isfinite(cell.values).all() for cell in raw.cells):
        raise DisclosureRefused("NOT_FINITE", "A value behind a mean is missing or infinite.")
    supports = [_support(cell.owners, raw.owner_keys) for cell in raw.cells]
    hidden = {
        cell.part for cell, support in zip(raw.cells, supports, strict=True) if safe_count(support, against) < preset.k
    }
    return Means(
        cells=tuple(
            _told(label, cell, _subjects(cell, raw.owner_keys, preset, against))
            if cell.part not in hidden and _is_safe(cell, raw.owner_keys, preset.k, against)
            else _suppressed(label)
            for label, cell in enumerate(raw.cells)
        )
    )


def is_dominated(values: Floats) -> bool:
    """Whether one subject has more than 50 %, or two have more than 67 %, of the sum of absolute values.

    >>> is_dominated(np.array([49.0, 17.0, -17.0, 17.0])), is_dominated(np.array([40.0, -30.0, 15.0, 15.0]))
    (False, True)

    Parameters
    ----------
    values
        Float, shape (n,), n >= 2.

    References
    ----------
    Hundepool et al. (2012), Statistical Disclosure Control, chapter 4; on absolute values, as the ABS applies it.
    """
    amounts = np.abs(values)
    second, first = np.partition(amounts, -2)[-2:]
    total = amounts.sum()
    return bool(first > LARGEST_SHARE * total or first + second > LARGEST_TWO * total)


def _support(owners: Integers, keys: Sequence[Key]) -> Support:
    counts = np.bincount(owners, minlength=len(keys))
    return Support({key: int(count) for key, count in zip(keys, counts, strict=True)})


def _is_safe(cell: RawMean, keys: Sequence[Key], k: int, against: Coalitions) -> bool:
    for coalition in sorted(against, key=sorted):
        gone = [index for index, key in enumerate(keys) if key in coalition]
        if not _rests_on_many(cell.values[~np.isin(cell.owners, gone)], k):
            return False
    return True


def _rests_on_many(values: Floats, k: int) -> bool:
    _, counts = np.unique(values, return_counts=True)
    away = beside_commonest(counts)
    if away[0] < k or has_few_rare(away, k):
        return False
    return not is_dominated(values) and rests_on_many([values], k)


def _subjects(cell: RawMean, keys: Sequence[Key], preset: GatePreset, against: Coalitions) -> int | None:
    if cell.absent is not None and safe_count(_support(cell.absent, keys), against) < preset.k:
        return None
    return to_base(len(cell.values), preset.base)


def _told(label: int, cell: RawMean, subjects: int | None) -> Mean:
    mean, deviation = float(np.mean(cell.values)), significant(float(np.std(cell.values, ddof=1)), DIGITS)
    if not Decimal(deviation):  # below 1e-18: nothing of it can be told
        return _suppressed(label)
    if abs(mean) >= float(deviation):
        shown = significant(mean, DIGITS)
    else:
        shown = decimals(mean, min(DIGITS - 1 - Decimal(deviation).adjusted(), _MOST_DECIMALS))
    return Mean(label=label, subjects=subjects, mean=shown, sd=deviation)


def _suppressed(label: int) -> Mean:
    return Mean(label=label, subjects=None, mean=None, sd=None)
