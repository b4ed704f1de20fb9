"""The figures of a model, against independent formulas, published answers and cases by hand."""

import json
import math

import numpy as np
import pytest
from scipy.stats import mannwhitneyu
from sklearn.metrics import brier_score_loss, roc_auc_score, roc_curve

from enclave.analyses.clinical.prediction.calibration import bin_risks, brier, calibration_line, mean_risk
from enclave.analyses.clinical.prediction.discrimination import above_threshold, auroc
from enclave.analyses.clinical.prediction.intervals import Z, wilson
from enclave.analyses.clinical.prediction.performance import rate_models
from enclave.analyses.results import Support
from protocol.errors import AnalysisError


def scores(n=150, seed=1, ties=False):
    generator = np.random.default_rng(seed)
    event = generator.random(n) < 0.4
    score = generator.normal(size=n) + event
    return (np.round(score) if ties else score), event


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_the_area_is_mann_whitneys(seed, ties):
    score, event = scores(seed=seed, ties=ties)
    pairs = event.sum() * (~event).sum()
    area = auroc(score, event).value
    assert area == pytest.approx(mannwhitneyu(score[event], score[~event]).statistic / pairs, rel=1e-12)
    assert area == pytest.approx(roc_auc_score(event, score), rel=1e-12)


@pytest.mark.parametrize("ties", [False, True])
def test_the_variance_is_delongs_by_its_definition(ties):
    score, event = scores(60, ties=ties)
    wins = np.sign(score[event][:, None] - score[~event][None, :]) / 2 + 0.5
    variance = wins.mean(axis=1).var(ddof=1) / event.sum() + wins.mean(axis=0).var(ddof=1) / (~event).sum()
    found = auroc(score, event)
    assert (found.upper - found.value) / Z == pytest.approx(math.sqrt(variance), rel=1e-9)
    assert found.upper - found.value == pytest.approx(found.value - found.lower)


def rated(lacking, having):
    """Ratings 1 to 5: how many without the event, and with it, got each."""
    event = np.repeat([False, True], [sum(lacking), sum(having)])
    return np.repeat(np.tile(np.arange(1.0, 6.0), 2), [*lacking, *having]), event


def test_hanley_and_mcneils_images():
    """Hanley and McNeil (1982), Radiology 143:29, table 1; Stata's manual, [R] roctab: .8932, .0307, .83295 to .95339."""
    area = auroc(*rated((33, 6, 6, 11, 2), (3, 2, 2, 11, 33)))
    assert (round(area.value, 4), round((area.upper - area.value) / Z, 4)) == (0.8932, 0.0307)
    assert (round(area.lower, 5), round(area.upper, 5)) == (0.83295, 0.95339)


def test_prognosis_after_subarachnoid_haemorrhage():
    """R package pROC 1.19.0.1, its tests for aSAH's WFNS grade: area 0.8236789, DeLong's variance 0.00146991470882363."""
    area = auroc(*rated((37, 20, 3, 8, 4), (2, 12, 1, 8, 18)))
    assert area.value == pytest.approx(0.82367886178861793, rel=1e-12)
    assert ((area.upper - area.value) / Z) ** 2 == pytest.approx(0.00146991470882363, rel=1e-10)


def test_scores_that_separate_have_a_point_for_an_interval():
    assert auroc(np.arange(4.0), np.array([False, False, True, True])) == (1.0, 1.0, 1.0)
    assert auroc(np.zeros(4), np.array([False, False, True, True])).value == 0.5


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("tenths", range(1, 10))
def test_sensitivity_at_a_specificity(tenths, ties):
    """The highest of scikit-learn's ROC curve among thresholds with at least this specificity."""
    score, event = scores(seed=3, ties=ties)
    false, true, _ = roc_curve(event, score, drop_intermediate=False)
    wanted = true[1 - false >= tenths / 10 - 1e-12].max()
    above = above_threshold(score, event, tenths)
    assert above[event].mean() == pytest.approx(wanted)
    assert 1 - above[~event].mean() >= tenths / 10 - 1e-12


def test_specificities_are_counted_in_whole_subjects():
    lack = np.arange(10.0)
    score, event = np.append(lack, [6.5, 7.5]), np.arange(12) > 9
    assert above_threshold(score, event, 7)[event].tolist() == [True, True]  # seven of ten are below 6.5
    assert above_threshold(score, event, 8)[event].tolist() == [False, True]


def test_brier_is_scikit_learns_and_its_interval_a_means():
    generator = np.random.default_rng(2)
    risk = generator.random(200)
    event = generator.random(200) < risk
    found = brier(risk, event)
    assert found.value == pytest.approx(brier_score_loss(event, risk), rel=1e-12)
    squares = np.where(event, 1 - risk, risk) ** 2
    assert found.upper - found.value == pytest.approx(Z * squares.std(ddof=1) / math.sqrt(200))
    assert brier(np.array([0.0, 1.0]), np.array([False, True])) == (0, 0, 0)


@pytest.mark.parametrize(("events", "subjects"), [(0, 10), (10, 10), (3, 31), (81, 263)])
def test_wilsons_interval_solves_its_equation(events, subjects):
    share, *bounds = wilson(events, subjects)
    assert share == events / subjects
    for bound in bounds:
        if 0 < bound < 1:
            assert (share - bound) ** 2 == pytest.approx(Z**2 * bound * (1 - bound) / subjects)
    assert 0 <= bounds[0] <= share <= bounds[1] <= 1


def test_wilsons_published_example():
    """Newcombe (1998), Stat Med 17:857, table I, method 3: 81/263 gives 0.2553 to 0.3662, 15/148 gives 0.0624 to 0.1605."""
    assert [round(bound, 4) for bound in wilson(81, 263)[1:]] == [0.2553, 0.3662]
    assert [round(bound, 4) for bound in wilson(15, 148)[1:]] == [0.0624, 0.1605]


def test_of_nobody_there_is_no_figure():
    assert all(math.isnan(figure) for figure in (*wilson(0, 0), *mean_risk(np.array([])), *mean_risk(np.array([0.3]))))


def test_every_risk_is_in_one_bin():
    risk = np.array([0.0, 0.1, 0.2, 0.3999, 0.4, 0.6, 0.8, 1.0])
    bins = bin_risks(risk)
    assert np.sum(bins, axis=0).tolist() == [1] * 8
    assert [int(inside.sum()) for inside in bins] == [2, 2, 1, 1, 2]


def test_calibration_by_hand():
    """A quarter of one half and three quarters of the other have the event; twice these log odds were predicted."""
    odds = np.repeat([-2, 2], 40) * math.log(3)
    event = np.tile(np.repeat([True, False, True, False], [10, 30, 30, 10]), 1)
    intercept, slope = calibration_line(odds, event)
    assert intercept.value == pytest.approx(0, abs=1e-9)
    assert slope.value == pytest.approx(0.5)
    # The information of two groups of 40 with p = 1/4: 7.5 each; the log odds are 2 ln 3 from their mean.
    assert (slope.upper - slope.value) / Z == pytest.approx(1 / (2 * math.log(3) * math.sqrt(15)))
    higher, same = calibration_line(odds + 1, event)
    assert higher.value < -0.5
    assert same.value == pytest.approx(0.5)


@pytest.mark.parametrize("odds", [np.zeros(8), np.arange(8.0), -np.arange(8.0), np.array([0.0, 0, 0, 1, 1, 2, 2, 2])])
def test_no_slope_where_predictions_are_equal_or_separate(odds):
    with pytest.raises(AnalysisError) as caught:
        calibration_line(odds, np.arange(8) > 3)
    assert caught.value.code == "NOT_ESTIMABLE"


def count(mask):
    return Support({"a": int(mask.sum())})


def test_each_figure_rests_on_its_own_subjects():
    generator = np.random.default_rng(5)
    odds = generator.normal(size=300) * 2
    event = generator.random(300) < 1 / (1 + np.exp(-odds))
    raw = rate_models([("model", odds)], event, count)
    found = {entry.label.removeprefix("model: "): entry for entry in raw.entries}
    assert (raw.subjects.total, raw.events.total) == (300, event.sum())
    assert (found["AUROC"].support, found["AUROC"].events) == (count(event | True), count(event))
    previous = 0
    for tenths in range(9, 0, -1):
        entry = found[f"sensitivity at specificity {tenths / 10}"]
        assert entry.support.total == event.sum()
        assert entry.value == entry.events.total / entry.support.total
        assert entry.events.total >= previous
        assert (entry.step, entry.part) == ("model", "")
        previous = entry.events.total
    risk = 1 / (1 + np.exp(-odds))
    for kind, part in (("observed", "model: observed"), ("mean predicted", "model: predicted")):
        cells = [found[f"{kind} at predicted {low / 10} to {low / 10 + 0.2:.1f}"] for low in (0, 2, 4, 6, 8)]
        assert sum(cell.support.total for cell in cells) == 300
        assert sum(cell.events.total for cell in cells) == event.sum()
        assert {(cell.part, cell.step) for cell in cells} == {(part, "")}
    inside = (risk >= 0.4) & (risk < 0.6)
    assert found["observed at predicted 0.4 to 0.6"].value == pytest.approx(event[inside].mean())
    assert found["mean predicted at predicted 0.4 to 0.6"].value == pytest.approx(risk[inside].mean())


@pytest.mark.parametrize("events", [0, 1, 9, 10])
def test_too_few_of_an_outcome_for_an_interval(events):
    with pytest.raises(AnalysisError) as caught:
        rate_models([("model", np.arange(10.0))], np.arange(10) < events, count)
    assert caught.value.code == "FEW_OUTCOMES"


def test_rs_own_predictions_are_calibrated(reference):
    """Where a model was fitted by maximum likelihood its intercept is 0 and its slope 1: R's coefficients, R's rows."""
    import heart

    answer = json.loads((reference / "data/clinical/heart_disease.reference.json").read_text("utf-8"))
    coefficients = answer["logistic_pooled"]["coef"]
    odds, event = [], []
    for frame in heart.sites(reference).values():
        whole = frame.dropna(subset=list(heart.TEN))
        line = coefficients["(Intercept)"] * np.ones(len(whole))
        for name, value in coefficients.items():
            if name.startswith("factor("):
                column, level = name.removeprefix("factor(").split(")")
                line += value * (whole[column] == level)
            elif name != "(Intercept)":
                line += value * whole[name].astype(float)
        odds.append(line.to_numpy())
        event.append((whole.disease == "1").to_numpy())
    intercept, slope = calibration_line(np.concatenate(odds), np.concatenate(event))
    assert len(np.concatenate(event)) == 740
    assert (intercept.value, slope.value) == (pytest.approx(0, abs=1e-6), pytest.approx(1, abs=1e-6))
