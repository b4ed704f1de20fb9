"""Hits of a genome-wide scan: few, of common variants, not resting on few subjects, of no use to tell who took part.

Everything is judged on the rows that are left without each coalition of owners:

- the model: at least k subjects, 10 residual degrees of freedom, ten subjects for each parameter; maximum leverage of
  intercepts, covariates and trait together at most 1/k (and 0.5). An effect is also the regression of a genotype on the
  trait: a trait that is one subject's indicator, or has one far value, would give that subject's genotypes away, and a
  covariate that singles out few subjects takes them out of the model;
- each variant, on those of the rows that have a call, which alone are in its fit: all of this once more, with a basis
  of their own; the rarer allele's frequency at least 0.05, at least k carriers of either allele, and leverage in the
  model with it at most 1/k, so that no effect rests on the trait of few;
- the list: at most 0.13 n variants (where calls are missing, one that n' subjects have counts as n / n' of them), and
  as many of the strongest as keep the power of the membership attacks (``membership``) below 0.10 at 5 % false
  positives, and below one half for every single subject. The weakest are dropped; where none is left the output is
  refused.

A variant that any coalition rules out is ruled out, and the worst coalition decides how many remain, so a larger k or
more coalitions never release more. Variants come in the catalogue's order. How many subjects the scan is over is told
as if every owner with fewer than k others had none of them: the rows of each table are public.

All this is of one list. A second one of the same subjects would add to the first, so no two leave under one contract;
what contracts release together is not judged yet.
"""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from enclave.analyses.arrays import Floats
from enclave.analyses.projection import orthonormal_basis, take_out
from enclave.analyses.results import MIN_ALLELE_FREQUENCY, RawHit, RawHits
from enclave.disclosure.membership import attack, basis_of_rows
from enclave.disclosure.regression import MAX_LEVERAGE, MIN_RESIDUAL_DF, SUBJECTS_PER_PARAMETER
from enclave.disclosure.rounding import significant, to_base
from enclave.disclosure.support import Coalitions, with_few_left_out
from protocol.documents.outputs import Hit, Hits, Output, Refusal
from protocol.errors import DisclosureRefused
from protocol.presets import GatePreset
from protocol.types import Key, Name

__all__ = ["DIGITS", "HITS_PER_SUBJECT", "MAX_POWER", "MAX_SINGLE_POWER", "refuse_second_list", "release_hits"]

DIGITS = 2
HITS_PER_SUBJECT = 0.13
MAX_POWER = 0.10
MAX_SINGLE_POWER = 0.50
SIGNIFICANT = 0.05
"""Of a p value times the variants scanned (Bonferroni): below it, an effect is not taken to be none."""
_ROUNDING = 1e-9
_CONSTANT = 1e-12
_MISSING = 255


def release_hits(raw: RawHits, preset: GatePreset, against: Coalitions) -> Hits:
    """Return the hits as they may leave.

    Raises
    ------
    DisclosureRefused
        ``SUBJECTS``, ``RESIDUAL_DF``, ``PARAMETERS``, ``LEVERAGE``; ``HITS`` where no variant may leave; ``MAGNITUDE``;
        ``RECIPIENTS`` where nobody is named; ``SHAPE`` where rows or variants do not match.
    """
    if not against:
        raise DisclosureRefused("RECIPIENTS", "The output has no recipient to judge it for.")
    if raw.dosages.shape != (len(raw.trait), len(raw.entries)):
        raise DisclosureRefused("SHAPE", "The dosages are not those of the hits.")
    views = [_view(raw, coalition, preset.k) for coalition in sorted(against, key=sorted)]
    finite = [place for place, entry in enumerate(raw.entries) if _is_estimate(entry)]
    order = sorted(finite, key=lambda place: (raw.entries[place].p, raw.entries[place].variant))
    fit = [place for place in order if all(view.allows(place, preset.k) for view in views)]
    fit = fit[: min(view.count_within_bound(fit) for view in views)]
    significant = np.array([raw.entries[place].p * raw.scanned < SIGNIFICANT for place in fit], dtype=bool)
    powers = [attack(view.dosages[:, fit], view.trait, view.basis, significant, DIGITS) for view in views]
    bounded = [(power.share < MAX_POWER) & (power.single < MAX_SINGLE_POWER) for power in powers]
    harmless = np.flatnonzero(np.all(bounded, axis=0))
    if not harmless.size:
        raise DisclosureRefused("HITS", "No variant may leave.")
    released = sorted((raw.entries[place] for place in fit[: harmless[-1] + 1]), key=lambda entry: entry.variant)
    return Hits(
        label=0,
        subjects=to_base(with_few_left_out(len(raw.trait), raw.left_out, preset.k), preset.base),
        entries=tuple(_hit(entry) for entry in released),
    )


def refuse_second_list(outputs: Mapping[Name, Output]) -> Mapping[Name, Output]:
    """Return the outputs of one contract with all lists of hits refused where there are several."""
    lists = [name for name, value in outputs.items() if isinstance(value, Hits)]
    return {
        name: Refusal(refusal="POLICY") if name in lists and len(lists) > 1 else value
        for name, value in outputs.items()
    }


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """The rows that one coalition cannot subtract; ``basis``: float, shape (n, q), of intercepts and covariates."""

    dosages: NDArray[np.uint8]
    trait: Floats
    basis: Floats

    def allows(self, place: int, k: int) -> bool:
        """Whether these rows alone would let a variant leave."""
        called = self.dosages[:, place] != _MISSING
        copies = self.dosages[called, place]
        if min(np.count_nonzero(copies > 0), np.count_nonzero(copies < 2)) < k:  # noqa: PLR2004 - copies of an allele
            return False
        frequency = copies.mean() / 2
        if min(frequency, 1 - frequency) < MIN_ALLELE_FREQUENCY:
            return False
        basis = basis_of_rows(self.basis, called)
        if not called.all() and _fault(self.trait[called], basis, k):
            return False
        return _is_spread(copies.astype(np.float64), basis, k)

    def count_within_bound(self, places: Sequence[int]) -> int:
        """Return how many of some variants, the first ones, the bound on their number leaves."""
        called = np.count_nonzero(self.dosages[:, places] != _MISSING, axis=0)
        return int(np.count_nonzero(np.cumsum(1 / called) <= HITS_PER_SUBJECT + _ROUNDING))


def _view(raw: RawHits, coalition: frozenset[Key], k: int) -> _View:
    gone = [index for index, key in enumerate(raw.owner_keys) if key in coalition]
    rest = ~np.isin(raw.owners, gone)
    if np.count_nonzero(rest) < k:
        raise DisclosureRefused("SUBJECTS", "Too few subjects.")
    trait, strata = raw.trait[rest], None if raw.strata is None else raw.strata[rest]
    view = _View(raw.dosages[rest], trait, orthonormal_basis(raw.covariates[rest], strata))
    fault = _fault(trait, view.basis, k)
    if fault is not None:
        raise DisclosureRefused(*fault)
    return view


def _fault(trait: Floats, basis: Floats, k: int) -> tuple[str, str] | None:
    """Return the rule that a model without its variant breaks on some rows, or None."""
    subjects, parameters = len(trait), basis.shape[1] + 1
    if subjects - parameters < MIN_RESIDUAL_DF:
        return "RESIDUAL_DF", "Too few residual degrees of freedom."
    if parameters * SUBJECTS_PER_PARAMETER > subjects:
        return "PARAMETERS", "Too many parameters for the subjects."
    if not _is_spread(trait, basis, k):
        return "LEVERAGE", "Too few subjects have too much influence on the scan."
    return None


def _is_spread(column: Floats, basis: Floats, k: int) -> bool:
    """Whether a column varies given intercepts and covariates, and no row has too much leverage with it."""
    deviation = column - column.mean()
    residual = take_out(deviation, basis)
    spread = residual @ residual
    if spread <= _CONSTANT * (deviation @ deviation):
        return False
    leverage = np.einsum("ij,ij->i", basis, basis) + residual**2 / spread
    return bool(leverage.max() <= min(MAX_LEVERAGE, 1 / k) + _ROUNDING)


def _is_estimate(entry: RawHit) -> bool:
    return math.isfinite(entry.effect) and math.isfinite(entry.standard_error) and 0 <= entry.p <= 1


def _hit(entry: RawHit) -> Hit:
    """Round a hit; a p value that floats cannot hold counts as the smallest that they can."""
    power_of_ten = math.floor(-math.log10(max(entry.p, sys.float_info.min)))
    return Hit(variant=entry.variant, effect=significant(entry.effect, DIGITS), log10p=power_of_ten)
