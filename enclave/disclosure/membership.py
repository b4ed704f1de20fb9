"""Membership attacks on released hits: how often an attacker would tell that somebody was in the study.

The attacker is given more than anybody has: a target's genotypes, trait and covariates, the true effects and
frequencies in the population, and for the second attack the frequencies of the study, which are not released. His score
is the likelihood ratio of the target's being in or out, summed over variants as if these were independent:

- effects: what is released, rounded, against the true effects (Im et al., with the truth known);
- frequencies: those of the study against those of the population (Sankararaman et al.; Homer's test is weaker).

No reference panel is needed. Each subject stands for two people. He himself took part. Somebody like him did not: for
effects he has the same genotypes, less what goes with the trait in this study alone, and the residual trait of another
subject; for frequencies he is compared with those that would have been found without his row. So people of one
ancestry, with correlated variants, are compared with their like.

The truth of an effect that is significant among all that were scanned, and of every frequency, lies around what was
found: as far away as a trait of pure noise brings it, regressed on the same rows without the subject (for a frequency:
averaged), which keeps the variants' correlation. A weaker effect may well be one that is none, and is in the list
because the members happened to make it large. That tells much more of them, in proportion to the squared t; so
there the truth is taken to be no effect at all. The noise is seeded with the data: the same data give the same power.

Power is the share of all subjects that are told at 5 % false positives. It hides a few with a far value of the trait,
who move the effects more than others: so the subject whom the effects tell best is looked at too, by the formula for
one target, Phi(d - 1.645), where d squared sums over variants the square of how far he moves the effect, in standard
errors, times that of how far it is from the truth.

Approximations: missing calls count as the mean; a trait goes with the genotypes of others as if they were not in the
study's list. The attacker does not use the correlation of variants, which is why the gate also holds the bound on their
number that follows from power = Phi(sqrt(m / n) - 1.645).

References
----------
Sankararaman et al. (2009), Nat Genet 41:965. Im et al. (2012), Am J Hum Genet 90:591. Homer et al. (2008), PLoS Genet
4:e1000167.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from enclave.analyses.arrays import Bools, Floats, Integers
from enclave.analyses.projection import take_out

__all__ = ["FALSE_POSITIVES", "Power", "attack", "residual_dosage"]

FALSE_POSITIVES = 0.05
_TRIALS = 20_000
"""At least so many people who did not take part stand behind a power."""
_MISSING = 255


@dataclass(frozen=True, slots=True, eq=False)
class Power:
    """What the attacks reach on the first variant, the first two, and so on: float, shape (m,), each 0 to 1.

    ``share``: of the subjects, those told to be in the study by the better attack. ``single``: for one subject, the one
    whom the effects tell best.
    """

    share: Floats
    single: Floats


def attack(dosages: NDArray[np.uint8], trait: Floats, basis: Floats, significant: Bools, digits: int) -> Power:
    """Run the attacks at 5 % false positives.

    Parameters
    ----------
    dosages
        uint8, shape (n, m): copies of the first allele, 255 where missing; each variant with both alleles.
    trait
        Float, shape (n,): residual on ``basis``.
    basis
        Float, shape (n, q): orthonormal basis of intercepts and covariates.
    significant
        Bool, shape (m,): effects that are not taken to be none.
    digits
        Significant digits of released effects.
    """
    from scipy.special import ndtr, ndtri

    subjects, variants = dosages.shape
    draws = -(-_TRIALS // subjects)
    digest = hashlib.sha256(np.ascontiguousarray(dosages).tobytes() + trait.tobytes()).digest()
    generator = np.random.default_rng(int.from_bytes(digest))
    noise = generator.standard_normal((draws, subjects))
    others = generator.permuted(np.tile(np.arange(subjects), (draws, 1)), axis=1)
    leverage = np.einsum("ij,ij->i", basis, basis)
    scores = np.zeros((2, 2, draws, subjects))  # attack; out, in
    distance = np.zeros(subjects)
    share, furthest = np.empty(variants), np.empty(variants)
    for place, column in enumerate(dosages.T):
        dosage, called = column.astype(np.float64), column != _MISSING
        residual = residual_dosage(dosage, called, basis)
        noises = noise if significant[place] else None
        found, further = _effect_scores(residual, trait, leverage, others, noises, digits)
        scores[0] += found
        scores[1] += _frequency_scores(dosage, called, noise)
        distance += further
        share[place] = max(_share_found(*both) for both in scores)
        furthest[place] = distance.max()
    return Power(share, ndtr(np.sqrt(furthest) + ndtri(FALSE_POSITIVES)))


def residual_dosage(dosage: Floats, called: Bools, basis: Floats) -> Floats:
    """Take intercepts and covariates out of a variant's dosages; missing calls stand at the mean, and end as 0."""
    centred = np.where(called, dosage - dosage[called].mean(), 0.0)
    return np.where(called, take_out(centred, basis), 0.0)


def _effect_scores(
    residual: Floats, trait: Floats, leverage: Floats, others: Integers, noise: Floats | None, digits: int
) -> tuple[Floats, Floats]:
    """Return the scores for one effect, out and in: float, shape (2, draws, n); and what it adds to d squared.

    The truth is found with ``noise``, or none without it.
    """
    spread = float(residual @ residual)
    effect = float(residual @ trait / spread)
    left = trait - residual * effect
    variance = float(left @ left) / len(trait)
    released = _rounded(effect, digits)
    # What each subject changes in the effect: Cook and Weisberg's deletion formula.
    deletion = 1 / spread / (1 - leverage - residual**2 / spread)
    if noise is not None:
        own, strange = deletion * residual * left, deletion * residual * left[others]
        outside = released - effect + _noise_without_each(noise, residual) * (np.sqrt(variance) / spread)
        errors, size = (outside, outside + own), 1.0
    else:
        outside = np.array(released)
        unrelated = residual - trait * (effect * spread / (trait @ trait))
        own, strange = deletion * residual * trait, deletion * unrelated * trait[others]
        errors, size = (outside, outside), released**2 * spread / variance
    weight = spread / variance
    scores = [weight * moved * (error - moved / 2) for moved, error in zip((strange, own), errors, strict=True)]
    return np.stack(np.broadcast_arrays(*scores)), weight * own**2 * size


def _frequency_scores(dosage: Floats, called: Bools, noise: Floats) -> Floats:
    """Return the log likelihood ratio of each subject's genotype: in the study's frequencies without him, and with."""
    count = np.count_nonzero(called)
    copies = dosage[called].sum()
    study = copies / (2 * count)
    without = np.where(called, (copies - dosage) / (2 * (count - 1)), study)
    error = _noise_without_each(noise, np.where(called, dosage - 2 * study, 0.0)) / (2 * count)
    truth = (without - error).clip(1 / (4 * count), 1 - 1 / (4 * count))
    own = np.stack([without, np.full_like(without, study)])[:, None, :]
    ratio = dosage * np.log(own / truth) + (2 - dosage) * np.log((1 - own) / (1 - truth))
    scores: Floats = np.where(called, ratio, 0.0)
    return scores


def _noise_without_each(noise: Floats, column: Floats) -> Floats:
    """Return each draw's product with a column, less each subject's own part: float, shape (draws, n)."""
    product: Floats = (noise @ column)[:, None] - noise * column
    return product


def _share_found(out: Floats, inside: Floats) -> float:
    """Return the share of ``inside`` above the score that at most 5 % of ``out`` exceed."""
    last = int(np.ceil(out.size * (1 - FALSE_POSITIVES))) - 1
    threshold = np.partition(out, last, axis=None)[last]
    return float(np.mean(inside > threshold))


def _rounded(value: float, digits: int) -> float:
    """Round to significant digits, as what is released."""
    return float(f"{value:.{digits - 1}e}")
