"""R's answers for four hospitals, in one schema and mapped from schemas of their own."""

import json
from dataclasses import replace

import heart
import pandas as pd
import pytest

from enclave.analyses.clinical.glm import Glm
from enclave.analyses.results import RawRegression
from enclave.disclosure.regression import release_regression
from enclave.disclosure.support import coalitions
from protocol.errors import DisclosureRefused
from protocol.presets import PRESETS

CLOSE = 1e-6
FIVE = ("age", "sex", "thalach", "exang", "oldpeak")
GLM = Glm()


@pytest.fixture(scope="module")
def answers(reference):
    return json.loads((reference / "data/clinical/heart_disease.reference.json").read_text("utf-8"))


def test_cohorts_hold_what_r_counted(answers, reference):
    missing = {row["_row"]: row for row in answers["missing_by_site"]}
    for cohort in heart.cohorts(reference):
        assert len(cohort.frame) == answers["rows_raw"][cohort.slot]
        complete = cohort.frame.dropna(subset=list(heart.TEN))
        assert len(complete) == answers["rows_complete_10vars"][cohort.slot]
        for name, wanted in missing.items():
            assert cohort.frame[name].isna().sum() == wanted[cohort.slot]
        diseased = {row["y"]: row["Freq"] for row in answers["disease_by_site"] if row["site"] == cohort.slot}
        assert complete.disease.value_counts().to_dict() == diseased
        for name, wanted in answers["describe"][cohort.slot].items():
            assert complete[name].mean() == pytest.approx(wanted["mean"], rel=1e-12)
            assert complete[name].std() == pytest.approx(wanted["sd"], rel=1e-12)


def test_mapped_cohorts_are_those_of_one_schema(reference):
    plain = heart.cohorts(reference, zero_missing=True)
    for wanted, found in zip(plain, heart.cohorts(reference, mapped=True), strict=True):
        assert (found.slot, found.owner) == (wanted.slot, wanted.owner)
        # The grade became disease, and is gone.
        kept = [column for column in heart.SCHEMA.columns[1:] if column.name != "num"]
        columns = [column.name for column in kept]
        assert sorted(found.frame) == sorted(columns)
        for column in kept:
            if column.kind == "category":
                assert found.schema.table.column(column.name).levels == column.levels
        pd.testing.assert_frame_equal(found.frame[columns], wanted.frame[columns], rtol=1e-9, check_column_type=False)
        assert found.schema.table.column("chol").unit == "mg/dL"


def analyse(inputs, outputs, covariates, outcome="disease", level="1"):
    parameters = {"outcome": outcome, "covariates": covariates} | ({"outcome_level": level} if level else {})
    return GLM.run(GLM.plan(parameters, outputs, inputs.datasets), inputs)


def assert_r(found, wanted):
    """Coefficients, standard errors and p values of all terms but intercept and sites; log likelihood and rows."""
    assert isinstance(found, RawRegression)
    assert not found.penalised
    names = [name for name in wanted["coef"] if name != "(Intercept)" and not name.startswith("site")]
    for name, field in (("coef", "coefficient"), ("se", "standard_error"), ("p", "p")):
        values = [getattr(term, field) for term in found.terms]
        close = 1e-5 if field == "p" else CLOSE  # R's estimates are to 1e-8; a tail turns that into more
        assert values == pytest.approx([wanted[name][term] for term in names], rel=close)
    assert found.log_likelihood[1] == pytest.approx(wanted["loglik"], rel=CLOSE)
    assert len(found.design.matrix) == wanted["n"]


def test_logistic_pooled_and_by_site(answers, reference):
    found = analyse(heart.inputs(reference), ("logistic", "logistic-by-site"), heart.TEN)
    assert_r(found["logistic"], answers["logistic_pooled"])
    assert_r(found["logistic-by-site"], answers["logistic_site_adjusted"])
    assert -2 * found["logistic"].log_likelihood[0] == pytest.approx(answers["logistic_pooled"]["null_deviance"])
    assert found["logistic"].effect == "odds ratio"
    assert found["logistic"].labels[2] == "cp: atypical angina against typical angina"


def complete_in_ten(inputs, reference):
    """The rows that R used for every model: complete in ten columns, cholesterol of 0 being a number."""
    kept = {cohort.slot: cohort.frame.dropna(subset=list(heart.TEN)).index for cohort in heart.cohorts(reference)}
    return replace(
        inputs,
        cohorts=tuple(replace(cohort, frame=cohort.frame.loc[kept[cohort.slot]]) for cohort in inputs.cohorts),
    )


def test_logistic_of_five_covariates_together_and_at_single_hospitals(answers, reference):
    inputs = complete_in_ten(heart.inputs(reference), reference)
    assert_r(analyse(inputs, ("logistic",), FIVE)["logistic"], answers["logistic_5var_pooled"])
    for cohort in inputs.cohorts[:2]:
        alone = analyse(replace(inputs, cohorts=(cohort,)), ("logistic", "logistic-by-site"), FIVE)
        for model in alone.values():
            assert_r(model, answers["logistic_by_site"][cohort.slot])


def test_linear_by_site(answers, reference):
    inputs = complete_in_ten(heart.inputs(reference), reference)
    found = analyse(inputs, ("linear-by-site",), ("age", "sex"), "chol", None)["linear-by-site"]
    assert_r(found, answers["linear_chol"])
    assert found.effect == "difference"


def test_sites_with_schemas_of_their_own_give_the_same_answers(answers, reference):
    plain, mapped = heart.inputs(reference, zero_missing=True), heart.inputs(reference, mapped=True)
    for outcome, level, outputs in (
        ("disease", "1", ("logistic", "logistic-by-site")),
        ("thalach", None, ("linear", "linear-by-site")),
    ):
        covariates = [name for name in heart.TEN if name != outcome]
        one, other = (analyse(inputs, outputs, tuple(covariates), outcome, level) for inputs in (plain, mapped))
        for output in outputs:
            assert len(one[output].design.matrix) == 661
            for term, same in zip(one[output].terms, other[output].terms, strict=True):
                assert term.label == same.label
                assert (same.coefficient, same.p) == pytest.approx((term.coefficient, term.p), rel=CLOSE)
    # And R's, of a model without cholesterol.
    again = analyse(complete_in_ten(mapped, reference), ("logistic",), FIVE)
    assert_r(again["logistic"], answers["logistic_5var_pooled"])


def test_what_the_gate_lets_through(reference):
    """Three hospitals' model of five covariates leaves. Ten are too many; a fourth has one patient without disease."""
    four = heart.inputs(reference)
    three = replace(four, cohorts=tuple(cohort for cohort in four.cohorts if cohort.slot != "switzerland"))
    raw = analyse(three, ("logistic-by-site",), FIVE)["logistic-by-site"]
    released = judge(raw, three)
    assert (released.effect, released.subjects, released.events) == ("odds ratio", 740, 360)
    assert [float(term.coefficient) for term in released.terms] == pytest.approx(
        [float(f"{term.coefficient:.3e}") for term in raw.terms], rel=1e-12
    )
    assert (
        judge(analyse(three, ("linear-by-site",), ("age", "sex"), "chol", None)["linear-by-site"], three).events is None
    )
    for inputs, covariates in ((four, FIVE), (three, heart.TEN)):
        with pytest.raises(DisclosureRefused):
            judge(analyse(inputs, ("logistic-by-site",), covariates)["logistic-by-site"], inputs)


def judge(raw, inputs):
    owners = [cohort.owner for cohort in inputs.cohorts]
    return release_regression(raw, PRESETS["sacro"], coalitions(owners, owners))
