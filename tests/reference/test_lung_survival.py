import csv
import hashlib
import json
from pathlib import Path

import lung
import pytest

from enclave.disclosure import release_all
from protocol.documents.outputs import SurvivalGroup, SurvivalPoint

ANSWERS = json.loads((Path(__file__).parent / "lung_three_partners.reference.json").read_text("utf-8"))
CLOSE = 1e-6


@pytest.fixture(scope="module")
def results():
    return lung.run()


@pytest.fixture(scope="module")
def released(results):
    outputs = release_all(results, lung.contract(lung.plan()))
    return {item.output: item.value for item in outputs}


def test_the_cut_is_that_of_the_answers():
    assert [len(cohort.frame) for cohort in lung.cohorts()] == ANSWERS["rows"] == [73, 87, 68]


def test_committed_answers_are_those_of_the_reference_folder(reference):
    assert json.loads((reference / "data/clinical/lung_three_partners.reference.json").read_text("utf-8")) == ANSWERS


def test_package_data_holds_the_trial_that_r_has(reference):
    def read(path):
        return [
            {name: float(value) if value else None for name, value in row.items()}
            for row in csv.DictReader(path.read_text("utf-8").splitlines())
        ]

    ours, theirs = read(lung.DATA), read(reference / "data/clinical/lung.csv")
    for row in ours:
        row["status"] += 1  # R says 1 censored, 2 dead
    assert len(ours) == 228
    assert ours == theirs


def test_package_data_is_the_file_whose_provenance_is_told():
    digest = hashlib.sha256(lung.DATA.read_bytes()).hexdigest()
    assert f"`{digest}`" in (lung.DATA.parent / "PROVENANCE.md").read_text("utf-8")


@pytest.mark.parametrize(("output", "answer"), [("cox", "cox_pooled"), ("cox-stratified", "cox_strata_partner")])
def test_cox_agrees_with_r(results, output, answer):
    wanted, found = ANSWERS[answer], results[output]
    assert found.labels == ("age (per a)", "sex: female against male", "ph.ecog (per 1)")
    assert [term.coefficient for term in found.terms] == pytest.approx(wanted["coef"], rel=CLOSE)
    assert [term.standard_error for term in found.terms] == pytest.approx(wanted["se"], rel=CLOSE)
    assert found.log_likelihood == pytest.approx(wanted["loglik"], rel=CLOSE)
    assert len(found.design.event) == wanted["n"] == 227
    assert found.design.event.sum() == wanted["events"]


@pytest.mark.parametrize(
    ("output", "answer"), [("log-rank", "logrank_sex"), ("log-rank-stratified", "logrank_sex_strata_partner")]
)
def test_log_rank_agrees_with_r(results, output, answer):
    assert results[output].statistic == pytest.approx(ANSWERS[answer]["chisq"], rel=CLOSE)
    assert results[output].df == ANSWERS[answer]["df"]


@pytest.mark.parametrize(("group", "suffix"), [(0, "sex1"), (1, "sex2")])
def test_kaplan_meier_agrees_with_r(results, group, suffix):
    points, wanted = results["kaplan-meier"].curves[group].points, ANSWERS["km_by_sex"]
    assert [point.survival for point in points] == pytest.approx(wanted[f"surv_{suffix}"], rel=CLOSE)
    assert [point.at_risk.total for point in points] == wanted[f"at_risk_{suffix}"]


def test_released_cox_is_rs_rounded_to_four_digits(released):
    terms = released["cox"].terms
    assert [term.coefficient for term in terms] == ["0.01107", "-0.5526", "0.4637"]
    assert [term.standard_error for term in terms] == ["0.009267", "0.1677", "0.1136"]
    assert [term.p for term in terms] == ["0.23", "<0.001", "<0.001"]  # R: 0.2324, 0.00098605, 4.4e-05
    # Of 228 and 164; R fits 227, for one has no ECOG score, and so few are counted as if they had one.
    assert (released["cox"].subjects, released["cox"].events) == (230, 165)
    assert [float(f"{value:.4g}") for value in ANSWERS["cox_pooled"]["coef"]] == [float(t.coefficient) for t in terms]


def test_released_stratified_cox_is_rs_rounded_to_four_digits(released):
    terms = released["cox-stratified"].terms
    assert [term.coefficient for term in terms] == ["0.01095", "-0.5394", "0.5466"]
    assert [term.standard_error for term in terms] == ["0.009464", "0.1696", "0.1216"]


def test_released_log_rank_is_rs_rounded(released):
    plain, stratified = released["log-rank"], released["log-rank-stratified"]
    assert (plain.statistic, plain.df, plain.p) == ("10.33", 1, "0.0013")
    assert (stratified.statistic, stratified.df, stratified.p) == ("9.760", 1, "0.0018")


def test_released_curves_are_rs_rounded_merged_and_cut(released):
    male, female = released["kaplan-meier"].groups
    # labels: 0 and 1 the sexes, 2 to 6 the days 90, 180, 365, 540, 730
    assert male == SurvivalGroup(
        label=0,
        points=(
            SurvivalPoint(label=2, survival="0.85", at_risk=117),
            SurvivalPoint(label=3, survival="0.64", at_risk=87),
            SurvivalPoint(label=4, survival="0.34", at_risk=33),
        ),
    )
    # Fourteen women died in the first 180 days, only eight of them outside partner a: that interval is merged with the
    # next. Beyond 540 days fewer than ten remain without one partner's own.
    assert female == SurvivalGroup(label=1, points=(SurvivalPoint(label=4, survival="0.53", at_risk=27),))


def test_released_counts(released):
    # 112, 26, 53 and 37 of 228
    assert [cell.count for cell in released["subjects"].cells] == [110, 25, 55, 35]
    assert released["subjects"].total == 225
