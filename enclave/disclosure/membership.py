"""Membership attacks on released hits: how often an attacker would tell that somebody was in the study.

Each subject stands for two people: himself, who took part, and somebody like him who did not, for whom the effects and
frequencies are those that would have been found without his row. So the attacks need no reference panel, and people of
one ancestry, with their true effects and correlated variants, are compared with their like. The attacker is given more
than anybody has: a target's genotypes, trait and covariates, the true effects and frequencies in the population, and
for the second attack the frequencies of the study, which are not released. His score is the likelihood ratio of the
target's being in or out, summed over variants as if these were independent:

- effects: what is released, rounded, against the true effects (Im et al., with the truth known);
- frequencies: those of the study against those of the population (Sankararaman et al.; Homer's test is weaker).

What was found without a subject differs from the truth by chance: by what a trait of pure noise gives, regressed on the
same rows without that subject, which keeps the variants' correlation (for frequencies its mean, weighted alike). The
noise is seeded with the data: the same data give the same power.

Approximations: missing calls count as the mean; that a variant is in the list at all is not used by the attacker; nor
is the correlation of variants, which is why the gate also holds the bound on their number that no attack of this kind
passes by more than chance: power = Phi(sqrt(m / n) - 1.645), whatever the correlation.

References
----------
Sankararaman et al. (2009), Nat Genet 41:965. Im et al. (2012), Am J Hum Genet 90:591. Homer et al. (2008), PLoS Genet
4:e1000167.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

from enclave.analyses.arrays import Bools, Floats
from enclave.analyses.projection import take_out

__all__ = ["FALSE_POSITIVES", "attack_power", "residual_dosage"]

FALSE_POSITIVES = 0.05
_TRIALS = 20_000
"""At least so many people who did not take part stand behind a power."""
_MISSING = 255


def attack_power(dosages: NDArray[np.uint8], trait: Floats, basis: Floats, digits: int) -> Floats:
    """Return the power of the better attack on the first variant, the first two, and so on.

    Parameters
    ----------
    dosages
        uint8, shape (n, m): copies of the first allele, 255 where missing; each variant with both alleles.
    trait
        Float, shape (n,): residual on ``basis``.
    basis
        Float, shape (n, q): orthonormal basis of intercepts and covariates.
    digits
        Significant digits of released effects.

    Returns
    -------
    numpy.ndarray
        Float, shape (m,): the share of subjects that an attack with 5 % false positives tells to be in the study.
    """
    subjects, variants = dosages.shape
    draws = -(-_TRIALS // subjects)
    digest = hashlib.sha256(np.ascontiguousarray(dosages).tobytes() + trait.tobytes()).digest()
    noise = np.random.default_rng(int.from_bytes(digest)).standard_normal((draws, subjects))
    leverage = np.einsum("ij,ij->i", basis, basis)
    scores = np.zeros((2, 2, draws, subjects))  # attack; out, in
    power = np.empty(variants)
    for place, column in enumerate(dosages.T):
        dosage, called = column.astype(np.float64), column != _MISSING
        scores[0] += _effect_scores(residual_dosage(dosage, called, basis), trait, leverage, noise, digits)
        scores[1] += _frequency_scores(dosage, called, noise)
        power[place] = max(_share_found(*attack) for attack in scores)
    return power


def residual_dosage(dosage: Floats, called: Bools, basis: Floats) -> Floats:
    """Take intercepts and covariates out of a variant's dosages; missing calls stand at the mean, and end as 0."""
    centred = np.where(called, dosage - dosage[called].mean(), 0.0)
    return np.where(called, take_out(centred, basis), 0.0)


def _effect_scores(residual: Floats, trait: Floats, leverage: Floats, noise: Floats, digits: int) -> Floats:
    """Return the log likelihood ratio of each subject for one effect: without him, and with him."""
    spread = residual @ residual
    effect = residual @ trait / spread
    left = trait - residual * effect
    variance = left @ left / len(trait)
    # What each subject changes in the effect: Cook and Weisberg's deletion formula.
    change = residual * left / spread / (1 - leverage - residual**2 / spread)
    without = effect - change
    rounding = np.stack([_rounded(without, digits) - without, _rounded(effect, digits) - without])
    error = _noise_without_each(noise, residual) * (np.sqrt(variance) / spread)
    scores: Floats = change * (spread / variance) * (rounding[:, None, :] + error - change / 2)
    return scores


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


def _rounded(values: Floats, digits: int) -> Floats:
    """Round to significant digits, as ``rounding.significant`` does to within the last bit."""
    size = np.abs(values)
    places = digits - 1 - np.floor(np.log10(np.where(size > 0, size, 1.0)))
    rounded: Floats = np.round(values * 10.0**places) / 10.0**places
    return rounded
