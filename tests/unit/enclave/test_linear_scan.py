"""The linear kernel against statsmodels' OLS, variant by variant on its own complete cases."""

import math

import numpy as np
import pytest
import statsmodels.api as sm
from genotype_study import blocks, draw, pack

from enclave.analyses.association import BlockStatistics, find_strongest
from enclave.analyses.genomics.linear.scan import fit_null, scan_block
from enclave.analyses.packed_calls import MISSING, RowLayout
from protocol.errors import AnalysisError

CLOSE = 1e-9
SAMPLES = (61, 50, 42)
COHORTS = np.repeat([0, 1, 2], SAMPLES)


def rows_of(dosages, samples=SAMPLES):
    layout = RowLayout(samples)
    parts = np.split(dosages, np.cumsum(samples)[:-1], axis=1)
    return layout, layout.join([pack(part) for part in parts])


def scan(dosages, trait, covariates, chosen=None, cohorts=None, samples=SAMPLES):
    layout, rows = rows_of(dosages, samples)
    chosen = np.ones(len(trait), dtype=bool) if chosen is None else chosen
    mine = None if cohorts is None else cohorts[chosen]
    return scan_block(rows, fit_null(layout, chosen, trait[chosen], covariates[chosen], mine))


def ordinary(dosage, trait, covariates, chosen, cohorts):
    """One variant by statsmodels: n, frequency, effect, standard error, t, p.

    Covariates are scaled, which changes none of these: in the world's own units the reference would lose seven digits.
    """
    if covariates.size:
        covariates = (covariates - covariates.mean(axis=0)) / covariates.std(axis=0)
    used = chosen & (dosage != MISSING)
    intercepts = np.ones((len(trait), 1)) if cohorts is None else (cohorts[:, None] == np.unique(cohorts)).astype(float)
    design = np.column_stack([dosage.astype(float), intercepts, covariates])[used]
    design = design[:, [column.any() for column in design.T]]  # the intercept of a cohort without calls
    found = sm.OLS(trait[used], design).fit()
    return used.sum(), dosage[used].mean() / 2, found.params[0], found.bse[0], found.tvalues[0], found.pvalues[0]


def assert_ordinary(found, dosages, trait, covariates, chosen, cohorts=None):
    wanted = np.array([ordinary(dosage, trait, covariates, chosen, cohorts) for dosage in dosages]).T
    assert (found.subjects == wanted[0]).all()
    columns = (found.frequency, found.effect, found.standard_error, found.statistic, found.p)
    for mine, theirs in zip(columns, wanted[1:], strict=True):
        assert mine == pytest.approx(theirs, rel=CLOSE, abs=1e-13)


@pytest.fixture(scope="module")
def world():
    generator = np.random.default_rng(12)
    n = sum(SAMPLES)
    dosages = draw(n, 200, seed=2, missing=0.05)
    covariates = generator.normal(size=(n, 3)) * [1, 1000, 1e-3] + [0, 5000, 1]
    trait = generator.normal(size=n) + 0.4 * np.where(dosages[3] == MISSING, 1, dosages[3]) + 2 * COHORTS
    chosen = generator.random(n) < 0.9
    return dosages, trait, covariates, chosen


@pytest.mark.parametrize("cohorts", [None, COHORTS], ids=["one intercept", "by cohort"])
@pytest.mark.parametrize("missing", ["none", "few", "most of a cohort"])
def test_every_variant_is_as_ordinary_least_squares_on_its_own_complete_cases(world, cohorts, missing):
    dosages, trait, covariates, chosen = world
    if missing == "none":
        dosages = np.where(dosages == MISSING, 1, dosages).astype(np.uint8)
    if missing == "most of a cohort":
        dosages = dosages.copy()
        dosages[::2, 3 : SAMPLES[0]] = MISSING
        dosages[1::2, : SAMPLES[0]] = MISSING  # and all of it
    found = scan(dosages, trait, covariates, chosen, cohorts)
    assert_ordinary(found, dosages, trait, covariates, chosen, cohorts)


def test_without_covariates(world):
    dosages, trait, _covariates, chosen = world
    none = np.empty((len(trait), 0))
    assert_ordinary(scan(dosages, trait, none, chosen), dosages, trait, none, chosen)


def test_an_effect_far_beyond_noise(world):
    dosages, trait, covariates, chosen = world
    strong = trait + 100 * dosages[0].astype(float)
    found = scan(dosages[:1], strong, covariates, chosen)
    assert_ordinary(found, dosages[:1], strong, covariates, chosen)
    assert 0 < found.p[0] < 1e-80


def test_a_redundant_covariate_takes_no_degree_of_freedom(world):
    dosages, trait, covariates, chosen = world
    twice = np.column_stack([covariates, covariates[:, 0] - 3 * covariates[:, 2]])
    once, again = scan(dosages, trait, covariates, chosen), scan(dosages, trait, twice, chosen)
    assert again.p == pytest.approx(once.p, rel=1e-7)
    assert again.standard_error == pytest.approx(once.standard_error, rel=1e-9)


def test_the_block_does_not_matter(world):
    dosages, trait, covariates, chosen = world
    layout, rows = rows_of(dosages)
    model = fit_null(layout, chosen, trait[chosen], covariates[chosen])
    whole = scan_block(rows, model)
    parts = [scan_block(rows[start : start + 7], model) for start in range(0, len(rows), 7)]
    assert whole.effect == pytest.approx(np.concatenate([part.effect for part in parts]), rel=1e-12)


def test_no_estimate_where_there_is_none(world):
    _dosages, trait, covariates, _chosen = world
    n = len(trait)
    sex = np.arange(n) % 2
    variants = {
        "one allele": np.zeros(n),
        "the other": np.full(n, 2),
        "all heterozygous": np.ones(n),
        "nobody called": np.full(n, MISSING),
        "one called": np.where(np.arange(n) == 5, 1, MISSING),
        "as many as parameters": np.where(np.arange(n) < 6, np.arange(n) % 3, MISSING),
        "a covariate": sex,
        "a covariate of those called": np.where(np.arange(n) < 50, sex, MISSING),
        "fine": np.arange(n) % 3,
    }
    dosages = np.array(list(variants.values())).astype(np.uint8)
    found = scan(dosages, trait, np.column_stack([covariates, sex]))
    for column in (found.effect, found.standard_error, found.statistic, found.p):
        assert dict(zip(variants, ~np.isnan(column), strict=True)) == dict.fromkeys(variants, False) | {"fine": True}
    assert found.subjects.tolist() == [n, n, n, 0, 1, 6, n, 50, n]
    assert found.frequency == pytest.approx([0, 1, 0.5, math.nan, 0.5, 0.5, sex.mean() / 2, 0.25, 1 / 2], nan_ok=True)


def test_no_estimate_where_the_fit_leaves_nothing():
    dosages = np.array([[0, 1, 2, 0, 1, 2, 1, 0]], dtype=np.uint8)
    found = scan(dosages, 3.0 * dosages[0] + 1, np.empty((8, 0)), samples=(8,))
    assert math.isnan(found.p[0])
    assert math.isnan(found.effect[0])


def test_six_subjects_and_five_parameters_have_one_degree_of_freedom():
    generator = np.random.default_rng(3)
    dosages, covariates, trait = (
        np.array([[0, 1, 2, 0, 1, 1]], dtype=np.uint8),
        generator.normal(size=(6, 3)),
        np.arange(6.0),
    )
    chosen = np.ones(6, dtype=bool)
    assert_ordinary(scan(dosages, trait, covariates, samples=(6,)), dosages, trait, covariates, chosen)
    with pytest.raises(AnalysisError) as caught:
        scan(dosages[:, :5], trait[:5], covariates[:5], samples=(5,))
    assert caught.value.code == "FEW_SUBJECTS"


@pytest.mark.parametrize("trait", [np.full(20, 0.1), np.arange(20) * 0.3 + 7], ids=["constant", "a covariate"])
def test_a_trait_without_residual(trait):
    with pytest.raises(AnalysisError) as caught:
        scan(np.zeros((1, 20), dtype=np.uint8), trait, np.arange(20.0)[:, None], samples=(20,))
    assert caught.value.code == "TRAIT_CONSTANT"


# The strongest of a stream


def kernel_of(p, frequency=None):
    """A kernel that finds these p values, one variant after another."""
    state = {"at": 0}

    def kernel(rows):
        start = state["at"]
        state["at"] += len(rows)
        mine = np.array(p[start : state["at"]])
        share = np.full(len(mine), 0.3) if frequency is None else np.array(frequency[start : state["at"]])
        return BlockStatistics(np.full(len(mine), 9), share, mine * 10, mine + 1, -mine, mine)

    return kernel


def strongest(p, most, size, frequency=None):
    layout = RowLayout((4,))
    calls = [(np.arange(len(p)) % 250).astype(np.uint8)[:, None]]
    found = find_strongest(blocks(calls, size), layout, kernel_of(p, frequency), most)
    for candidate in found:
        hit = candidate.hit
        assert (hit.effect, hit.standard_error, hit.p) == (p[hit.variant] * 10, p[hit.variant] + 1, p[hit.variant])
        assert candidate.row.tolist() == [hit.variant % 250] + [0] * 7
    return [candidate.hit.variant for candidate in found]


@pytest.mark.parametrize("size", [1, 3, 100, 1000])
@pytest.mark.parametrize("most", [1, 10, 200, 700])
def test_the_strongest_are_those_of_a_full_sort(size, most):
    p = np.random.default_rng(1).integers(0, 50, 600) / 50  # many ties, p of 0 and 1 among them
    wanted = sorted(np.argsort(p, kind="stable")[:most].tolist())
    assert strongest(p.tolist(), most, size) == wanted


def test_rare_variants_and_those_without_an_estimate_are_no_candidates():
    p = [0.01, 0.02, math.nan, 0.03, 0.04, 0.05]
    frequency = [0.0499, 0.05, 0.3, 0.951, 0.95, math.nan]
    assert strongest(p, 6, 2, frequency) == [1, 4]
