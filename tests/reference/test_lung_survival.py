import json
from pathlib import Path

import lung
import pandas as pd
import pytest

from enclave.disclosure import release_all

ANSWERS = json.loads((Path(__file__).parent / "lung_three_partners.reference.json").read_text("utf-8"))
CLOSE = 1e-6


@pytest.fixture(scope="module")
def results():
    return lung.run()


@pytest.fixture(scope="module")
def released():
    planned = lung.plan()
    outputs = release_all(lung.run(), lung.contract(planned))
    return {item.output: item.value for item in outputs}


@pytest.mark.parametrize(("output", "answer"), [("cox", "cox_pooled"), ("cox-stratified", "cox_strata_partner")])
def test_cox_agrees_with_r(results, output, answer):
    wanted, found = ANSWERS[answer], results[output]
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


def test_what_leaves(released):
    for name, value in released.items():
        print(name, value)
