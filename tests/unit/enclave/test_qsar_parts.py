"""The parts of ``discovery.qsar``: its split, its models, its figures."""

import compounds
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import r2_score, root_mean_squared_error

from enclave.analyses.base import Inputs
from enclave.analyses.discovery.qsar import Qsar
from enclave.analyses.discovery.qsar import models as training
from enclave.analyses.discovery.qsar.accuracy import DRAWS, measure_accuracy
from enclave.analyses.discovery.qsar.models import MIN_LEAF, MODELS, PENALTY, Sample, predict_activity
from enclave.analyses.discovery.qsar.split import TEST_SHARE, split_by_scaffold
from protocol.errors import AnalysisError


def joined(frame, seed=compounds.SEED):
    cohorts = compounds.cohorts(frame)
    plan = compounds.plan([cohort.slot for cohort in cohorts], models=("ridge",))
    return Qsar().pool(plan, Inputs(tuple(cohorts), iter(()), seed)).compounds


@pytest.fixture(scope="module")
def frame():
    return compounds.cut(compounds.simulated())


@pytest.fixture(scope="module")
def found(frame):
    return joined(frame)


# The split


@pytest.mark.parametrize("seed", range(20))
def test_no_scaffold_compound_or_fingerprint_is_on_both_sides(found, seed):
    split = split_by_scaffold(found, bytes([seed]) * 32)
    assert not (split.test & split.train).any()
    for things in (found.scaffolds, found.compounds, found.structures):
        assert not set(things[split.test]) & set(things[split.train])
    assert (split.test | split.train).all()  # owners compute scaffolds alike, so there are no stray copies


@pytest.mark.parametrize("seed", range(20))
def test_a_fifth_of_the_compounds_is_tested(found, seed):
    distinct = set(found.compounds.tolist())
    split = split_by_scaffold(found, bytes([seed]) * 32)
    tested = len(set(found.compounds[split.test].tolist()))
    smallest = np.bincount(found.scaffolds).min()
    assert float(TEST_SHARE) * len(distinct) - smallest <= tested <= float(TEST_SHARE) * len(distinct)


def test_who_is_tested_follows_from_the_secret_seed(found):
    first, again, other = (split_by_scaffold(found, bytes([seed]) * 32).test for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_every_scaffold_is_tested_now_and_then(found):
    tested = np.vstack([split_by_scaffold(found, seed.to_bytes(32)).test for seed in range(60)])
    assert tested.any(axis=0).all()
    assert 0.1 < tested.mean() < 0.25


@pytest.mark.parametrize("large", [0.08, 0.12, 0.18, 0.4])
def test_no_scaffold_is_more_than_half_of_the_test_set(large):
    """As the empty one could be, which all acyclic compounds have."""
    once = compounds.simulated()
    once.loc[: large * len(once), "scaffold"] = ""
    found = joined(compounds.cut(once, share=0))
    acyclic = found.scaffold_digests.index(compounds.digest(""))
    shares, sizes = [], []
    for seed in range(40):
        tested = found.scaffolds[split_by_scaffold(found, bytes([seed]) * 32).test]
        shares.append((tested == acyclic).mean())
        sizes.append(len(tested) / len(found.scaffolds))
    assert max(shares) < 0.51
    assert (max(shares) > 0) == (large < float(TEST_SHARE) / 2)
    assert 0.18 < min(sizes) <= max(sizes) <= float(TEST_SHARE)


@pytest.mark.parametrize("known_by", ["inchikey", "ecfp4"])
def test_a_copy_under_another_scaffold_does_not_train(frame, known_by):
    """An owner gives a compound of another one a scaffold of its own making, and perhaps an InChIKey too."""
    honest = joined(frame)
    tested = honest.compounds[split_by_scaffold(honest, compounds.SEED).test]
    names = dict(enumerate(sorted(frame.inchikey.unique(), key=compounds.digest)))
    victim = frame[frame.inchikey == names[tested[0]]].iloc[[0]]
    copy = victim.assign(scaffold="made up", partner="c")
    if known_by == "ecfp4":
        copy["inchikey"] = "made up"
    else:
        copy["ecfp4"] = [np.roll(victim.ecfp4.iloc[0], 3)]
    forged = frame[~((frame.inchikey == victim.inchikey.iloc[0]) & (frame.partner == "c"))]
    found = joined(pd.concat([forged, copy], ignore_index=True))
    for seed in range(40):
        split = split_by_scaffold(found, bytes([seed]) * 32)
        for things in (found.compounds, found.structures):
            assert not set(things[split.test]) & set(things[split.train])
    strays = [
        (~split.test & ~split.train).sum() for split in (split_by_scaffold(found, bytes([n]) * 32) for n in range(40))
    ]
    assert max(strays) > 0


# The models


def sample(n=200, bits=16, seed=4, rate=0.3):
    generator = np.random.default_rng(seed)
    packed = np.packbits(generator.random((n, bits)) < rate, axis=1, bitorder="little")
    descriptors = generator.normal(5, 3, size=(n, 3))
    unpacked = np.unpackbits(packed, axis=1, bitorder="little")
    activity = unpacked[:, :4] @ [1.0, -1.0, 0.5, 2.0] + descriptors[:, 0] + generator.normal(size=n)
    return Sample(packed, descriptors, activity)


def test_ridge_is_its_closed_form():
    train, test = sample(), sample(seed=5)
    mean, deviation = train.descriptors.mean(axis=0), train.descriptors.std(axis=0)

    def matrix(some):
        return np.hstack([np.unpackbits(some.bits, axis=1, bitorder="little"), (some.descriptors - mean) / deviation])

    features = matrix(train)
    centre = features.mean(axis=0)
    gram = (features - centre).T @ (features - centre) + PENALTY * np.eye(features.shape[1])
    slope = np.linalg.solve(gram, (features - centre).T @ (train.activity - train.activity.mean()))
    wanted = train.activity.mean() + (matrix(test) - centre) @ slope
    assert predict_activity(["ridge"], train, test, bytes(32))["ridge"] == pytest.approx(wanted, rel=1e-10)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("ones", "used"), [(MIN_LEAF - 1, False), (MIN_LEAF, True)])
@pytest.mark.parametrize("flipped", [False, True])
def test_a_bit_of_few_compounds_is_not_used(model, ones, used, flipped):
    train, test = sample(), sample(seed=5)
    train.bits[:, 1], test.bits[:, 1] = 0, 0
    train.bits[:ones, 1] = 1
    train.activity[:ones] += 20
    if flipped:
        train.bits[:, 1] ^= 1
    with_bit = Sample(test.bits.copy(), test.descriptors, test.activity)
    with_bit.bits[:, 1] = 1
    first, second = (predict_activity([model], train, each, bytes(32))[model] for each in (test, with_bit))
    assert np.array_equal(first, second) != used


def test_leaves_hold_ten_compounds():
    train = sample()
    features = training._Features.of(train).encode(train)
    forest = training._estimator("random forest", bytes(32)).fit(features, train.activity)
    assert forest.n_jobs == 1
    assert len(forest.estimators_) == training.TREES
    for tree in forest.estimators_:
        leaves = tree.tree_.children_left < 0
        assert tree.tree_.n_node_samples[leaves].min() >= MIN_LEAF  # distinct ones of the tree's resample
    boosting = training._estimator("gradient boosting", bytes(32)).fit(features, train.activity)
    for (predictor,) in boosting._predictors:
        leaves = predictor.nodes["is_leaf"]
        assert predictor.nodes["count"][leaves].min() >= MIN_LEAF


@pytest.mark.parametrize("model", MODELS)
def test_models_learn_and_repeat_themselves(model):
    train, test = sample(600), sample(600, seed=5)
    first, again = (predict_activity([model], train, test, bytes(32))[model] for _ in range(2))
    assert np.array_equal(first, again)
    assert r2_score(test.activity, first) > 0.7
    other = predict_activity([model], train, test, bytes([1]) * 32)[model]
    assert np.array_equal(first, other) == (model != "random forest")


def test_a_constant_descriptor_does_nothing():
    train, test = sample(), sample(seed=5)
    more = [
        Sample(some.bits, np.column_stack([some.descriptors, np.full(len(some.bits), 3e8)]), some.activity)
        for some in (train, test)
    ]
    plain, padded = predict_activity(["ridge"], train, test, bytes(32)), predict_activity(["ridge"], *more, bytes(32))
    assert padded["ridge"] == pytest.approx(plain["ridge"], rel=1e-9)


def test_rows_beyond_a_block_are_encoded_like_the_rest(monkeypatch):
    train, test = sample(), sample(seed=5)
    whole = predict_activity(["ridge"], train, test, bytes(32))["ridge"]
    monkeypatch.setattr(training, "_BLOCK", 37)
    assert np.array_equal(predict_activity(["ridge"], train, test, bytes(32))["ridge"], whole)


# The figures


def test_figures_are_those_of_scikit_learn():
    generator = np.random.default_rng(8)
    activity = generator.normal(1e6, 2, 150)
    first, second = activity + generator.normal(0.3, 1, 150), activity + generator.normal(0, 2, 150)
    accuracy = measure_accuracy(activity, [first, second], np.arange(150), bytes(32), "test")
    for weights, predicted in (((1, 0), first), ((0, 1), second)):
        rmse, r2 = accuracy.figures(weights)
        assert rmse.value == pytest.approx(root_mean_squared_error(activity, predicted), rel=1e-9)
        assert r2.value == pytest.approx(r2_score(activity, predicted), rel=1e-9)
    rmse, r2 = accuracy.figures((-1, 1))
    assert rmse.value == pytest.approx(
        root_mean_squared_error(activity, second) - root_mean_squared_error(activity, first), rel=1e-9
    )
    assert r2.value == pytest.approx(r2_score(activity, second) - r2_score(activity, first), rel=1e-9)


def test_intervals_are_those_of_an_independent_bootstrap():
    generator = np.random.default_rng(9)
    activity = generator.normal(size=200)
    first, second = activity + generator.normal(0, 1, 200), activity + generator.normal(0, 0.9, 200)
    accuracy = measure_accuracy(activity, [first, second], np.arange(200), bytes(32), "test")
    rmses, r2s = [], []
    for _ in range(2000):
        at = generator.integers(200, size=200)
        rmses.append([root_mean_squared_error(activity[at], each[at]) for each in (first, second)])
        r2s.append([r2_score(activity[at], each[at]) for each in (first, second)])
    for weights in ((1, 0), (0, 1), (-1, 1)):
        for figure, values in zip(accuracy.figures(weights), (np.array(rmses), np.array(r2s)), strict=True):
            lower, upper = np.quantile(values @ weights, (0.025, 0.975))
            width = upper - lower
            assert figure.lower == pytest.approx(lower, abs=0.1 * width)
            assert figure.upper == pytest.approx(upper, abs=0.1 * width)


def test_the_bootstrap_is_paired():
    generator = np.random.default_rng(9)
    activity = generator.normal(size=200)
    first = activity + generator.normal(0, 1, 200)
    accuracy = measure_accuracy(activity, [first, first + 1e-3], np.arange(200), bytes(32), "test")
    difference, _ = accuracy.figures((-1, 1))
    alone, _ = accuracy.figures((1, 0))
    assert difference.upper - difference.lower < 0.01 * (alone.upper - alone.lower)


def test_measurements_of_one_compound_are_drawn_together():
    generator = np.random.default_rng(3)
    activity = generator.normal(size=100)
    predicted = activity + generator.normal(size=100)
    once = measure_accuracy(activity, [predicted], np.arange(100), bytes(32), "test")
    thrice = measure_accuracy(
        *(np.tile(activity, 3), [np.tile(predicted, 3)], np.tile(np.arange(100), 3)), bytes(32), "test"
    )
    assert thrice.rmse == pytest.approx(once.rmse, rel=1e-9)
    assert thrice.r2 == pytest.approx(once.r2, rel=1e-9)


def test_draws_follow_from_seed_and_purpose():
    activity = np.random.default_rng(3).normal(size=50)

    def intervals(seed, purpose):
        return measure_accuracy(activity, [activity * 0.5], np.arange(50), seed, purpose).figures((1,))

    assert intervals(bytes(32), "pooled") == intervals(bytes(32), "pooled")
    assert intervals(bytes(32), "pooled") != intervals(bytes(32), "uplift-a")
    assert intervals(bytes(32), "pooled") != intervals(bytes([1]) * 32, "pooled")
    assert len(measure_accuracy(activity, [activity], np.arange(50), bytes(32), "x").rmse) == 1 + DRAWS


def test_a_test_set_without_variance_has_no_r2():
    with pytest.raises(AnalysisError) as caught:
        measure_accuracy(np.full(20, 1.1), [np.arange(20.0)], np.arange(20), bytes(32), "test")
    assert caught.value.code == "ACTIVITY_CONSTANT"


def test_resamples_of_one_value_are_left_out_of_the_interval_of_r2():
    activity = np.array([0.1] * 5 + [7.3])
    accuracy = measure_accuracy(activity, [activity + 0.1], np.arange(6), bytes(32), "test")
    assert 0.2 < np.isnan(accuracy.r2).mean() < 0.5  # (5/6)^6 is a third
    _, r2 = accuracy.figures((1,))
    assert np.isfinite([r2.lower, r2.upper]).all()
