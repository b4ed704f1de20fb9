"""Membership attacks on a list of hits: their power is what theory and exact answers say."""

import math

import numpy as np
import pytest
from genotype_study import draw_dosages

from enclave.analyses.projection import orthonormal_basis
from enclave.disclosure.membership import attack, basis_of_rows


def power_of(dosages, trait, *, significant=True):
    basis = orthonormal_basis(np.empty((len(trait), 0)))
    sure = np.full(dosages.shape[1], significant)
    return attack(dosages, trait, basis, sure, 2)


def theory(variants, n):
    from scipy.special import ndtr

    return ndtr(math.sqrt(variants / n) - 1.6449)


@pytest.mark.parametrize(("n", "variants"), [(200, 26), (400, 400), (1000, 130)])
def test_power_is_about_what_theory_says_of_independent_variants(n, variants):
    generator = np.random.default_rng(n)
    dosages = draw_dosages(generator.uniform(0.1, 0.9, variants), n, n)
    found = power_of(dosages, generator.normal(size=n)).share
    assert found.shape == (variants,)
    assert found[-1] == pytest.approx(theory(variants, n), abs=0.02)
    assert found[0] < theory(4, n)


def test_power_of_effects_that_may_be_none_goes_with_their_size():
    """Of a thousand variants without an effect the 100 strongest: the members made them strong, and are told by it."""
    generator = np.random.default_rng(5)
    n, dosages = 1000, draw_dosages(generator.uniform(0.1, 0.9, 1000), 1000, 5)
    trait = generator.normal(size=n)
    z = (dosages - dosages.mean(axis=0)).T @ (trait - trait.mean()) / dosages.std(axis=0) / np.sqrt(n) / trait.std()
    strongest = np.argsort(-np.abs(z))[:100]
    doubted = power_of(dosages[:, strongest], trait, significant=False)
    believed = power_of(dosages[:, strongest], trait)
    size = float(np.sum(z[strongest] ** 2))
    assert size > 350
    assert doubted.share[-1] == pytest.approx(theory(size, n), abs=0.02)
    assert believed.share[-1] == pytest.approx(theory(100, n), abs=0.015)
    assert (doubted.single > believed.single).all()


def test_the_better_of_two_attacks_counts():
    """Effects tell the few subjects with a trait away from its mean, frequencies tell of all."""
    generator = np.random.default_rng(8)
    n, dosages = 400, draw_dosages(generator.uniform(0.1, 0.9, 400), 400, 8)
    few = np.where(np.arange(n) < 20, generator.choice([-1.0, 1.0], n), 1e-3 * generator.normal(size=n))
    assert power_of(dosages, few).share[-1] == pytest.approx(theory(400, n), abs=0.03)


def test_power_with_missing_calls_and_inbred_lines():
    generator = np.random.default_rng(3)
    dosages = 2 * generator.binomial(1, 0.4, (300, 60)).astype(np.uint8)
    dosages[generator.random(dosages.shape) < 0.1] = 255
    found = power_of(dosages, generator.normal(size=300)).share
    assert found[-1] == pytest.approx(theory(60, 300), abs=0.03)


def test_copies_of_one_variant_tell_no_more_than_it():
    generator = np.random.default_rng(6)
    one, trait = draw_dosages([0.3], 300, 6), generator.normal(size=300)
    found = power_of(np.repeat(one, 40, axis=1), trait).share
    assert found == pytest.approx(found[0], abs=0.003)
    assert power_of(draw_dosages(np.full(40, 0.3), 300, 6), trait).share[-1] > found[-1] + 0.02


def test_the_subject_with_the_furthest_value_is_told_by_its_size():
    """The formula for one target, which the share of all subjects hides."""
    n, far = 400, 12.0
    generator = np.random.default_rng(4)
    dosages, trait = draw_dosages(generator.uniform(0.2, 0.8, 30), n, 7), generator.normal(size=n)
    trait[0] = far
    found = power_of(dosages, trait)
    centred = dosages[0] - dosages.mean(axis=0)
    distance = np.cumsum(centred**2 / dosages.var(axis=0)) * far**2 / n / trait.var()
    from scipy.special import ndtr

    assert found.single == pytest.approx(ndtr(np.sqrt(distance) - 1.6449), abs=0.05)
    assert found.single[-1] > 0.5 > 0.10 > found.share[-1]


def test_a_subject_without_a_call_is_as_if_not_there():
    """Variants called in the same two hundred of 450 tell of these what they tell where the others are not there at all."""
    generator = np.random.default_rng(12)
    dosages, trait = draw_dosages(np.full(26, 0.4), 450, 12), generator.normal(size=450)
    called = np.arange(450) < 200
    trait[~called] += 50 * generator.normal(size=250)
    gaps = np.where(called[:, None], dosages, 255).astype(np.uint8)
    alone, among = power_of(dosages[called], trait[called]), power_of(gaps, trait)
    assert among.single == pytest.approx(alone.single, rel=1e-9)
    assert 0 < among.share[-1] < alone.share[-1]


def test_the_basis_of_some_rows():
    """A direction that they have none of, or only once more, is gone; the rest spans what a basis of their own does."""
    generator = np.random.default_rng(13)
    strata, covariates = np.arange(60) // 20, generator.normal(size=(60, 2))
    covariates[strata < 2, 1] = covariates[strata < 2, 0]
    basis, rows = orthonormal_basis(covariates, strata), (strata < 2) & (np.arange(60) % 5 != 0)
    found, wanted = basis_of_rows(basis, rows), orthonormal_basis(covariates[rows], strata[rows])
    assert found.shape == wanted.shape == (32, 3)
    assert found @ found.T == pytest.approx(wanted @ wanted.T, abs=1e-12)
    assert basis_of_rows(basis, np.ones(60, dtype=bool)) is basis
