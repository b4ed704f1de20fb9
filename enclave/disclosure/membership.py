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

A variant's effect and frequency are of the subjects whose call is not missing, as in the scan: a call that is missing
tells nothing of its subject, and the fewer there are left the more of them.

Approximation: a trait goes with the genotypes of others as if they were not in the study's list. The attacker does not
use the correlation of variants, which is why the gate also holds the bound on their number that follows from
power = Phi(sqrt(m / n) - 1.645).

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
from enclave.analyses.projection import REDUNDANT, take_out

__all__ = ["FALSE_POSITIVES", "Power", "attack", "basis_of_rows"]

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
        Float, shape (n,).
    basis
        Float, shape (n, q): orthonormal basis of intercepts and covariates. What these explain of the trait is taken
        out of it for each variant, over the subjects with a call.
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
    scores = np.zeros((2, 2, draws, subjects))  # attack; out, in
    distance = np.zeros(subjects)
    share, furthest = np.empty(variants), np.empty(variants)
    for place, column in enumerate(dosages.T):
        called = column != _MISSING
        rows, copies = basis_of_rows(basis, called), column[called].astype(np.float64)
        residual, left = take_out(copies - copies.mean(), rows), take_out(trait[called] - trait[called].mean(), rows)
        # Each draw is a permutation of all subjects: without those who have no call, it is one of the rest.
        strangers = (np.cumsum(called) - 1)[others[called[others]]].reshape(draws, len(copies))
        noises = noise[:, called]
        found, further = _effect_scores(
            residual, left, _leverage(rows), strangers, noises if significant[place] else None, digits
        )
        scores[0][..., called] += found
        scores[1][..., called] += _frequency_scores(copies, noises)
        distance[called] += further
        share[place] = max(_share_found(*both) for both in scores)
        furthest[place] = distance.max()
    return Power(share, ndtr(np.sqrt(furthest) + ndtri(FALSE_POSITIVES)))


def basis_of_rows(basis: Floats, rows: Bools) -> Floats:
    """Return an orthonormal basis of what some rows have of a basis' columns, as the scan takes it.

    Parameters
    ----------
    basis
        Float, shape (n, q), orthonormal.
    rows
        Bool, shape (n,): m of them.

    Returns
    -------
    numpy.ndarray
        Float, shape (m, rank): a direction that only other rows had, such as their cohort's intercept, is gone.
    """
    if rows.all():
        return basis
    part = basis[rows]
    shares, directions = np.linalg.eigh(part.T @ part)
    there = shares > REDUNDANT
    found: Floats = part @ (directions[:, there] / np.sqrt(shares[there]))
    return found


def _leverage(basis: Floats) -> Floats:
    found: Floats = np.einsum("ij,ij->i", basis, basis)
    return found


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


def _frequency_scores(copies: Floats, noise: Floats) -> Floats:
    """Return the log likelihood ratio of each subject's genotype: in the study's frequencies without him, and with."""
    count, total = len(copies), copies.sum()
    study = total / (2 * count)
    without = (total - copies) / (2 * (count - 1))
    error = _noise_without_each(noise, copies - 2 * study) / (2 * count)
    truth = (without - error).clip(1 / (4 * count), 1 - 1 / (4 * count))
    own = np.stack([without, np.full_like(without, study)])[:, None, :]
    scores: Floats = copies * np.log(own / truth) + (2 - copies) * np.log((1 - own) / (1 - truth))
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
