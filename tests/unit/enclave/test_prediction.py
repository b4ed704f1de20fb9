"""Defined behaviour of clinical.prediction: what the plan checks, who trains, who is tested, what seeds do."""

from dataclasses import replace

import lung
import numpy as np
import pandas as pd
import pytest
import risks

from enclave.analyses.base import Inputs
from enclave.analyses.clinical.prediction import Prediction
from enclave.analyses.clinical.prediction.analysis import draw_third
from enclave.analyses.clinical.prediction.models import predict_log_odds
from enclave.analyses.results import RawMetrics, Unavailable
from protocol.documents.outputs import Metrics, Refusal
from protocol.errors import AnalysisError

ONE = {"models": ("logistic regression",)}


def code(**changes):
    with pytest.raises(AnalysisError) as caught:
        risks.plan(**changes)
    return caught.value.code


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"outcome": None}, "PARAMETER_MISSING"),
        ({"models": None}, "PARAMETER_MISSING"),
        ({"train": None}, "PARAMETER_MISSING"),
        ({"models": ("support vectors",)}, "PARAMETER_CHOICE"),
        ({"models": ("logistic regression",) * 2}, "PARAMETER_TWICE"),
        ({"models": "logistic regression"}, "PARAMETER_KIND"),
        ({"outcome": "absent"}, "COLUMN_UNKNOWN"),
        ({"outcome": "second", "covariates": ("first",)}, "COLUMN_KIND"),
        ({"outcome_level": "2"}, "LEVEL_UNKNOWN"),
        ({"covariates": ("first", "outcome")}, "COLUMN_TWICE"),
        ({"covariates": ("subject",)}, "COLUMN_KIND"),
        ({"train": ("a", "b")}, "SLOTS"),  # b validates
        ({"train": ("a", "d")}, "SLOTS"),  # there is no d
        ({"validate": ("b",)}, "SLOTS"),  # nobody asks for c
    ],
)
def test_what_schemas_decide(changes, wanted):
    assert code(**changes) == wanted


@pytest.mark.parametrize(
    ("outputs", "slots", "changes"),
    [
        (("pooled",), "abc", {}),
        (("validation", "pooled"), "abc", {}),
        (("validation",), "abcd", {"train": ("a", "b"), "validate": ("c", "d")}),  # two of four may collude
    ],
)
def test_trees_where_who_trains_may_have_a_hand_in_the_test_set(outputs, slots, changes):
    assert code(outputs=outputs, slots=slots, models=risks.BOTH, **changes) == "TREES"
    assert risks.plan(outputs, slots, models=risks.BOTH[:1], **changes)


def test_trees_where_one_slot_trains():
    assert risks.plan(("validation",), "abcd", models=risks.BOTH, validate=("b", "c", "d"))


def test_nobody_both_trains_and_validates():
    planned = risks.plan(("validation",), **ONE)
    agreed = lung.contract(planned, recipients="a")
    planned.require(agreed)
    agreed.datasets[1].owner = lung.OWNERS["a"]
    with pytest.raises(AnalysisError) as caught:
        planned.require(agreed)
    assert caught.value.code == "SLOTS_APART"
    risks.plan(("pooled",)).require(lung.contract(risks.plan(("pooled",))))


def test_the_pooled_output_needs_no_slots():
    planned = risks.plan(("pooled",), train=None, validate=None)
    assert planned.outputs[0].about == ()
    assert len(planned.outputs[0].labels) == 23


def test_the_labels_are_those_that_the_report_draws():
    labels = risks.plan(("validation",), **ONE).outputs[0].labels
    assert labels[:5] == (
        "logistic regression: AUROC",
        "logistic regression: Brier score",
        "logistic regression: calibration intercept",
        "logistic regression: calibration slope",
        "logistic regression: sensitivity at specificity 0.9",
    )
    assert labels[12:15] == (
        "logistic regression: sensitivity at specificity 0.1",
        "logistic regression: observed at predicted 0.0 to 0.2",
        "logistic regression: observed at predicted 0.2 to 0.4",
    )
    assert labels[-1] == "logistic regression: mean predicted at predicted 0.8 to 1.0"
    assert len(labels) == 23


def test_one_owners_validation_is_for_it_alone():
    planned = risks.plan(("validation",), train=("a", "b"), validate=("c",))
    assert planned.outputs[0].about == ("c",)
    planned.require(lung.contract(planned, recipients="c"))
    for recipients in ("a", "ac", "abc"):
        with pytest.raises(AnalysisError) as caught:
            planned.require(lung.contract(planned, recipients=recipients))
        assert caught.value.code == "RECIPIENTS"
    several = risks.plan(("validation",))
    assert several.outputs[0].about == ("b", "c")
    several.require(lung.contract(several, recipients="a"))


def test_who_trains_and_who_is_tested():
    raw = risks.run()["validation"]
    assert [raw.subjects.counts[lung.OWNERS[slot]] for slot in "abc"] == [0, 200, 200]
    assert [raw.trained.counts[lung.OWNERS[slot]] for slot in "abc"] == [200, 0, 0]
    pooled = risks.run()["pooled"]
    for slot, cohort in zip("abc", risks.cohorts(), strict=True):
        events = int((cohort.frame.outcome == "1").sum())
        drawn = pooled.events.counts[lung.OWNERS[slot]]
        assert drawn == round(events / 3)
        assert pooled.subjects.counts[lung.OWNERS[slot]] == drawn + round((200 - events) / 3)
        assert pooled.trained.counts[lung.OWNERS[slot]] == 200 - pooled.subjects.counts[lung.OWNERS[slot]]


def test_the_test_set_changes_no_prediction():
    """Nothing of the test set, its scale for one, is in what is fitted."""
    train, test = risks.rows(200, 1), risks.rows(100, 2)
    columns = ["first", "second"]
    event = (train.outcome == "1").to_numpy()
    for model in risks.BOTH:
        first = predict_log_odds(model, train[columns].to_numpy(), event, test[columns].to_numpy()[:1], seed=1)
        wild = np.vstack([test[columns].to_numpy()[:1], np.full((50, 2), 1e6)])
        assert predict_log_odds(model, train[columns].to_numpy(), event, wild, seed=1)[0] == first[0]


def test_complete_cases_only():
    holed = risks.rows(200, 1)
    holed.loc[:9, "first"] = np.nan
    data = [risks.cohort(holed, "a"), *risks.cohorts()[1:]]
    assert risks.run(data)["validation"].trained.total == 190
    assert risks.run(data)["validation"].left_out.total == 0
    tested = risks.run(data, train=("b", "c"), validate=("a",))["validation"]
    assert tested.left_out.counts == {lung.OWNERS["a"]: 10, lung.OWNERS["b"]: 0, lung.OWNERS["c"]: 0}
    assert risks.run(data)["pooled"].left_out is None
    assert risks.run(data, covariates=("second", "group"))["validation"].trained.total == 200


def shuffled(data):
    order = np.random.default_rng(3).permutation(len(data.frame))
    return replace(data, frame=data.frame.iloc[order])


def test_the_order_of_rows_changes_no_bit():
    data = risks.cohorts()
    assert risks.run(data) == risks.run([shuffled(cohort) for cohort in data])


def test_the_seed_and_nothing_else_decides_the_draw():
    np.random.seed(1)  # noqa: NPY002 - the global state must not matter
    first = risks.run()
    np.random.seed(2)  # noqa: NPY002 - as above
    assert risks.run() == first
    other = risks.run(seed=b"\x01" * 32)
    assert other["validation"] == first["validation"]
    assert other["pooled"].entries[0].value != first["pooled"].entries[0].value


def test_strata_of_one_and_two():
    drawn = [int(draw_third(np.zeros(n, dtype=int), seed).sum()) for n in range(7) for seed in (1,)]
    assert drawn == [0, 0, 1, 1, 1, 2, 2]
    strata = np.repeat([3, 5], [30, 60])
    first, second = draw_third(strata, 1), draw_third(strata, 2)
    assert [first[strata == 3].sum(), first[strata == 5].sum()] == [10, 20]
    assert (first != second).any()


def test_an_outcome_that_is_a_whole_number():
    schema = risks.TableSchema(
        columns=tuple(lung.number("outcome") if column.name == "outcome" else column for column in risks.SCHEMA.columns)
    )
    coded = [
        lung.cohort(risks.rows(200, seed).assign(outcome=lambda f: f.outcome.astype(float)), slot, schema)
        for seed, slot in enumerate("abc")
    ]
    plan = Prediction().plan(
        {**risks.PARAMETERS, "outcome_level": 1}, ("validation",), {item.slot: item.schema for item in coded}
    )
    found = Prediction().run(plan, Inputs(tuple(coded), iter(()), bytes(32)))
    assert found["validation"] == risks.run(outputs=("validation",))["validation"]


def codes(data, **changes):
    return {name: raw.code for name, raw in risks.run(data, **changes).items() if isinstance(raw, Unavailable)}


def test_where_nothing_can_be_trained_or_tested():
    a, b, c = (risks.rows(60, seed) for seed in range(3))
    sure = [risks.cohort(frame, slot) for frame, slot in ((a.assign(outcome="1"), "a"), (b, "b"), (c, "c"))]
    assert codes(sure) == {"validation": "ONE_OUTCOME"}
    none = [risks.cohort(a, "a"), *(risks.cohort(f.assign(outcome="0"), s) for f, s in ((b, "b"), (c, "c")))]
    assert codes(none)["validation"] == "FEW_OUTCOMES"
    holed = [risks.cohort(a.assign(first=np.nan), "a"), risks.cohort(b, "b"), risks.cohort(c, "c")]
    assert codes(holed) == {"validation": "NO_SUBJECTS"}
    empty = [risks.cohort(frame.assign(first=np.nan), slot) for frame, slot in ((a, "a"), (b, "b"), (c, "c"))]
    assert codes(empty) == {"validation": "NO_SUBJECTS", "pooled": "NO_SUBJECTS"}
    names = [f"a-{number}" for number in range(60)]
    twice = [risks.cohort(a, "a"), risks.cohort(b, "b", owner=lung.OWNERS["a"], subjects=names), sure[2]]
    assert codes(twice) == {"validation": "SUBJECT_TWICE", "pooled": "SUBJECT_TWICE"}


def test_trees_that_cannot_split_give_no_figure():
    small = [risks.cohort(risks.rows(39, 1), "a"), *risks.cohorts()[1:]]  # two leaves of 20 need 40
    assert codes(small, outputs=("validation",), models=("gradient boosting",)) == {"validation": "NOT_ESTIMABLE"}
    assert codes(small, outputs=("validation",), **ONE) == {}


def test_no_leaf_of_fewer_than_twenty():
    from enclave.analyses.clinical.prediction import models

    frame = risks.rows(400, 4)
    event = (frame.outcome == "1").to_numpy()
    fitted = models._MAKERS["gradient boosting"](1).fit(frame[["first", "second"]].to_numpy(), event)
    leaves = [node["count"] for (tree,) in fitted._predictors for node in tree.nodes if node["is_leaf"]]
    assert min(leaves) >= 20
    assert len(leaves) > 200


def test_separated_training_subjects_still_have_a_model():
    frame = risks.rows(100, 1)
    frame["outcome"] = np.where(frame["first"] > 0, "1", "0")
    found = risks.run([risks.cohort(frame, "a"), *risks.cohorts()[1:]], outputs=("validation",), **ONE)
    assert isinstance(found["validation"], RawMetrics)


def test_what_leaves_of_a_sound_study():
    raw = risks.run(risks.cohorts(600), outputs=("validation",))["validation"]
    released = risks.judge(raw)
    assert isinstance(released, Metrics)
    assert sum(entry.value is not None for entry in released.entries) > 30
    alone = risks.run(risks.cohorts(600), outputs=("validation",), train=("a", "b"), validate=("c",))["validation"]
    changes = {"train": ("a", "b"), "validate": ("c",)}
    assert isinstance(risks.judge(alone, recipients="c", **changes), Metrics)
    assert risks.judge(alone, recipients="ac", **changes) == Refusal(refusal="POLICY")


def test_subjects_are_sorted_by_pseudonym():
    data = risks.cohorts()
    frame = Prediction().pool(risks.plan(), Inputs(tuple(data), iter(()), bytes(32))).pooled.frame
    wanted = pd.concat([cohort.frame.sort_index() for cohort in data])
    assert frame["first"].tolist() == wanted["first"].tolist()
