"""Defined behaviour of clinical.glm where data is not as one hopes, and what its recipes may say."""

import math

import lung
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from enclave.analyses.base import Inputs
from enclave.analyses.clinical.glm import Glm
from enclave.analyses.clinical.glm import firth as firth_module
from enclave.analyses.clinical.glm import logistic as logistic_module
from enclave.analyses.clinical.glm.firth import Logistic, fit_penalised
from enclave.analyses.clinical.glm.logistic import fit_logistic
from enclave.analyses.design import Coded
from enclave.analyses.pooling import Pooled
from enclave.analyses.results import RawRegression, Unavailable
from protocol.documents import Column, TableSchema
from protocol.documents.dataset import DatasetSchema
from protocol.errors import AnalysisError

GLM = Glm()
ALL = ("linear", "linear-by-site", "logistic", "logistic-by-site")
SCHEMA = TableSchema(
    columns=(
        Column(name="subject", description="Subject", kind="subject"),
        lung.number("score", missing_allowed=True),
        lung.category("ill", ("n", "no"), ("y", "yes")),
        lung.number("age", "a", missing_allowed=True),
        lung.category("arm", ("p", "placebo"), ("l", "low"), ("h", "high")),
        lung.category("one", ("x", "only")),
        lung.number("height", "cm", "decimal", scale=1),
    )
)


def simulated(n=120, seed=3):
    generator = np.random.default_rng(seed)
    age = generator.integers(30, 80, n).astype(float)
    return pd.DataFrame(
        {
            "score": np.round(20 + age / 5 + generator.normal(size=n) * 4),
            "ill": np.where(generator.random(n) < 1 / (1 + np.exp((55 - age) / 10)), "y", "n"),
            "age": age,
            "arm": np.array(["p", "l", "h"])[generator.integers(0, 3, n)],
            "one": "x",
            "height": generator.integers(1500, 1900, n) / 10,
            "partner": np.array(list("abc"))[np.arange(n) % 3],
        }
    )


def plan(outputs=ALL, tables="abc", schema=SCHEMA, **changes):
    parameters = {"outcome": "score", "covariates": ("age", "arm"), "outcome_level": 30} | changes
    given = {name: value for name, value in parameters.items() if value is not None}
    return GLM.plan(given, outputs, dict.fromkeys(tables, DatasetSchema(table=schema)))


def run(frame, outputs=ALL, **changes):
    cohorts = tuple(lung.cohort(part, slot, SCHEMA) for slot, part in frame.groupby("partner"))
    slots = [cohort.slot for cohort in cohorts]
    return GLM.run(plan(outputs, slots, **changes), Inputs(cohorts, iter(()), bytes(32)))


def linear(frame, output="linear", **changes):
    return run(frame, (output,), outcome_level=None, **changes)[output]


def logistic(frame, output="logistic", **changes):
    return run(frame, (output,), **{"outcome": "ill", "outcome_level": "y", **changes})[output]


def values(raw):
    return np.array([(term.coefficient, term.standard_error, term.p) for term in raw.terms])


def test_all_outputs_of_one_outcome():
    frame = simulated()
    frame["score"] = np.where(frame.score > 30, 30, frame.score)
    found = run(frame)
    assert [type(raw) for raw in found.values()] == [RawRegression] * 4
    assert [raw.effect for raw in found.values()] == ["difference", "difference", "odds ratio", "odds ratio"]
    assert found["linear"].labels == ("age (per a)", "arm: low against placebo", "arm: high against placebo")
    strata = [raw.design.strata for raw in found.values()]
    assert strata[0] is None
    assert strata[2] is None
    assert (strata[1] == strata[3]).all()
    assert np.unique(strata[1]).tolist() == [0, 1, 2]
    assert (found["linear"].design.outcome == pd.concat([part for _, part in frame.groupby("partner")]).score).all()
    assert found["linear"].design.event is None
    assert found["logistic"].design.outcome is None
    assert found["logistic"].design.event.sum() == (frame.score == 30).sum()


@pytest.mark.parametrize("fit", [linear, logistic])
def test_missing_values_leave_complete_cases(fit):
    frame = simulated()
    frame.loc[:9, "age"] = np.nan
    assert values(fit(frame)) == pytest.approx(values(fit(frame.iloc[10:])), rel=1e-9)
    frame["age"] = np.nan
    assert fit(frame) == Unavailable("NO_SUBJECTS")


def test_a_missing_outcome_leaves_complete_cases():
    frame = simulated()
    frame.loc[:9, "score"] = np.nan
    assert values(linear(frame)) == pytest.approx(values(linear(frame.iloc[10:])), rel=1e-9)


def test_linear_is_least_squares_with_the_intercepts_that_are_asked_for():
    frame = pd.concat([part for _, part in simulated().groupby("partner")])
    sites = pd.get_dummies(frame.partner).to_numpy(float)
    covariates = np.column_stack([frame.age, frame.arm == "l", frame.arm == "h"])
    for output, intercepts in (("linear", np.ones((120, 1))), ("linear-by-site", sites)):
        design = np.hstack([intercepts, covariates])
        estimate, (left,), _rank, _ = np.linalg.lstsq(design, frame.score.to_numpy(), rcond=None)
        variance = left / (120 - design.shape[1]) * np.diag(np.linalg.inv(design.T @ design))
        found = values(linear(frame, output))
        assert found[:, 0] == pytest.approx(estimate[-3:], rel=1e-9)
        assert found[:, 1] == pytest.approx(np.sqrt(variance)[-3:], rel=1e-9)


@pytest.mark.parametrize("fit", [linear, logistic])
@pytest.mark.parametrize("output", ["", "-by-site"])
def test_redundant_and_constant_covariates(fit, output):
    name = fit.__name__ + output
    frame = simulated()
    assert fit(frame.assign(height=frame.age * 2 + 30), name, covariates=("age", "height")) == Unavailable("COLLINEAR")
    assert fit(frame.assign(height=170.0), name, covariates=("age", "height")) == Unavailable("COLLINEAR")
    assert fit(frame.assign(arm="p"), name) == Unavailable("COLLINEAR")
    # The same at each partner: plain it varies, within partners it does not.
    by_partner = fit(
        frame.assign(height=frame.partner.map({"a": 150.0, "b": 160.0, "c": 170.0})), name, covariates=("age", "height")
    )
    assert (by_partner == Unavailable("COLLINEAR")) == bool(output)


@pytest.mark.parametrize("output", ["", "-by-site"])
def test_constant_outcomes(output):
    frame = simulated()
    assert linear(frame.assign(score=30.0), "linear" + output) == Unavailable("OUTCOME_CONSTANT")
    for level in "yn":
        assert logistic(frame.assign(ill=level), "logistic" + output) == Unavailable("OUTCOME_CONSTANT")
    apart = linear(frame.assign(score=frame.partner.map({"a": 1.0, "b": 2.0, "c": 3.0})), "linear" + output)
    assert (apart == Unavailable("OUTCOME_CONSTANT")) == bool(output)
    ill = logistic(frame.assign(ill=np.where(frame.partner == "a", "y", "n")), "logistic" + output)
    assert (ill == Unavailable("OUTCOME_CONSTANT")) == bool(output)


def test_an_outcome_that_follows_from_the_covariates():
    frame = simulated()
    assert linear(frame.assign(score=frame.age * 3 - 7)) == Unavailable("EXACT_FIT")


def test_more_parameters_than_subjects():
    frame = simulated(5).assign(arm=["p", "l", "h", "p", "l"], age=[40.0, 50.0, 70.0, 30.0, 35.0])
    assert isinstance(linear(frame), RawRegression)  # 5 subjects, 4 parameters
    assert linear(frame, "linear-by-site") == Unavailable("FEW_SUBJECTS")  # 6 parameters
    assert linear(frame.iloc[:4]) == Unavailable("FEW_SUBJECTS")


def test_a_subject_twice():
    cohorts = (
        lung.cohort(simulated(), slot, SCHEMA, owner="one", subjects=list(map(str, range(120)))) for slot in "ab"
    )
    found = GLM.run(plan(tables="ab"), Inputs(tuple(cohorts), iter(()), bytes(32)))
    assert set(found.values()) == {Unavailable("SUBJECT_TWICE")}


def test_odds_ratio_of_one_dummy_is_that_of_the_table():
    cells = {("p", "y"): 10, ("p", "n"): 30, ("l", "y"): 25, ("l", "n"): 15}
    rows = [(arm, ill) for (arm, ill), count in cells.items() for _ in range(count)]
    frame = simulated(80).assign(arm=[arm for arm, _ in rows], ill=[ill for _, ill in rows])
    schema_of_two = [
        lung.category("arm", ("p", "placebo"), ("l", "low")) if column.name == "arm" else column
        for column in SCHEMA.columns
    ]
    schema = TableSchema(columns=tuple(schema_of_two))
    cohorts = tuple(lung.cohort(part, slot, schema) for slot, part in frame.groupby("partner"))
    planned = plan(("logistic",), schema=schema, outcome="ill", outcome_level="y", covariates=("arm",))
    (term,) = GLM.run(planned, Inputs(cohorts, iter(()), bytes(32)))["logistic"].terms
    error = math.sqrt(sum(1 / count for count in cells.values()))  # Woolf's
    assert term.coefficient == pytest.approx(math.log(25 * 30 / (10 * 15)), rel=1e-12)
    assert term.standard_error == pytest.approx(error, rel=1e-9)
    assert term.p == pytest.approx(math.erfc(abs(term.coefficient) / error / math.sqrt(2)), rel=1e-9)


def test_separation_is_penalised_and_said():
    frame = simulated()
    frame["ill"] = np.where(frame.age > 55, "y", "n")
    for output in ("logistic", "logistic-by-site"):
        found = logistic(frame, output)
        assert found.penalised
        assert np.isfinite(values(found)).all()
        assert found.log_likelihood[1] > found.log_likelihood[0]
        assert found.terms[0].p < 1e-6
    assert not logistic(simulated()).penalised


def test_a_penalised_fit_does_not_depend_on_units_or_on_the_order_of_rows():
    frame = simulated()
    frame["ill"] = np.where(frame.age > 55, "y", "n")
    found = logistic(frame, covariates=("age", "height"))
    shuffled = logistic(frame.sample(frac=1, random_state=1), covariates=("age", "height"))
    assert values(shuffled) == pytest.approx(values(found), rel=1e-6)
    stretched = logistic(frame.assign(age=frame.age * 12 + 5), covariates=("age", "height"))
    assert stretched.terms[0].coefficient * 12 == pytest.approx(found.terms[0].coefficient, rel=1e-6)
    assert [term.p for term in stretched.terms] == pytest.approx([term.p for term in found.terms], rel=1e-6)


def test_a_penalised_fit_that_floats_do_not_carry(monkeypatch):
    event = np.array([False, False, True, True])
    model = Logistic(event, np.column_stack([np.ones(4), np.arange(4.0)]), 1)
    monkeypatch.setattr(firth_module, "_ITERATIONS", 1)
    with pytest.raises(AnalysisError) as caught:
        fit_penalised(model)
    assert caught.value.code == "NOT_ESTIMABLE"
    twice = Logistic(event, np.column_stack([np.ones(4), np.ones(4), np.arange(4.0)]), 2)
    with pytest.raises(AnalysisError) as caught:
        fit_penalised(twice)
    assert caught.value.code == "NOT_ESTIMABLE"


def test_an_information_that_floats_make_singular_is_taken_for_separation(monkeypatch):
    def singular(*_args, **_more):
        raise np.linalg.LinAlgError

    monkeypatch.setattr(logistic_module, "climb", singular)
    assert logistic(simulated()).penalised


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"outputs": ("logistic",), "outcome_level": None}, "PARAMETER_MISSING"),
        ({"outcome": None}, "PARAMETER_MISSING"),
        ({"covariates": None}, "PARAMETER_MISSING"),
        ({"covariates": ("score",)}, "COLUMN_TWICE"),
        ({"covariates": ("weight",)}, "COLUMN_UNKNOWN"),
        ({"covariates": ("one",)}, "TERMS"),
        ({"outputs": ("linear",), "outcome": "ill"}, "COLUMN_KIND"),
        ({"outputs": ("logistic",), "outcome": "height"}, "COLUMN_KIND"),
        ({"outcome": "height"}, "COLUMN_KIND"),
        ({"outputs": ("logistic",), "outcome": "ill", "outcome_level": "maybe"}, "LEVEL_UNKNOWN"),
        ({"outputs": ("logistic",), "outcome_level": "30"}, "LEVEL_UNKNOWN"),
        ({"outputs": ("probit",)}, "OUTPUT_UNKNOWN"),
    ],
)
def test_what_schemas_decide(changes, wanted):
    with pytest.raises(AnalysisError) as caught:
        plan(**changes)
    assert caught.value.code == wanted


def test_linear_needs_no_level():
    assert [output.output for output in plan(("linear",), outcome="height", outcome_level=None).outputs] == ["linear"]


def what_should_happen(matrix, event, strata):
    """Drop strata where the outcome is constant; then rank and linear programming decide."""
    kept = np.array([0 < event[strata == stratum].mean() < 1 for stratum in strata])
    if not kept.any():
        return "OUTCOME_CONSTANT"
    matrix, event, strata = matrix[kept], event[kept], strata[kept]
    design = np.hstack([strata[:, None] == np.unique(strata), matrix])
    if np.linalg.matrix_rank(design) < design.shape[1]:
        return "COLLINEAR"
    signed = np.where(event, 1, -1)[:, None] * design
    found = linprog(-signed.sum(axis=0), A_ub=-signed, b_ub=np.zeros(len(signed)), bounds=(-1, 1))
    return bool(-found.fun > 1e-9)


@st.composite
def studies(draw):
    n, p = draw(st.integers(1, 16)), draw(st.integers(1, 2))
    rows = draw(st.lists(st.tuples(*[st.integers(0, 3)] * p), min_size=n, max_size=n))
    event = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    strata = draw(st.lists(st.integers(0, 1), min_size=n, max_size=n))
    return np.array(rows, dtype=float), np.array(event), np.array(strata)


@pytest.mark.parametrize("by_site", [False, True])
@settings(max_examples=150, deadline=None)
@given(study=studies())
def test_a_fit_is_penalised_exactly_where_no_estimate_exists(by_site, study):
    matrix, event, strata = study
    pooled = Pooled(pd.DataFrame(index=range(len(event))), strata, ("a", "b"))
    coded = Coded(matrix, np.empty((len(event), 0), dtype=bool))
    labels = tuple(f"x{number}" for number in range(matrix.shape[1]))
    try:
        found = fit_logistic(pooled, coded, event, labels, by_site=by_site)
    except AnalysisError as error:
        found = error.code
    wanted = what_should_happen(matrix, event, strata if by_site else np.zeros_like(strata))
    if isinstance(wanted, str):
        assert found == wanted
    else:
        assert found.penalised == wanted
        assert all(math.isfinite(term.coefficient) and 0 <= term.p <= 1 for term in found.terms)
        assert found.log_likelihood[1] >= found.log_likelihood[0] - 1e-9
