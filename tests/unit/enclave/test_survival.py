"""Defined behaviour of clinical.survival where data is not as one hopes."""

from dataclasses import replace

import lung
import numpy as np
import pytest

from enclave.analyses.results import RawCounts, RawRegression, RawSurvival, RawTest, Unavailable

COX = ("cox", "cox-stratified")
TESTS = ("log-rank", "log-rank-stratified")
GENERATOR = np.random.default_rng(20)


def simulated(n=120, partners="abc", seed=3):
    generator = np.random.default_rng(seed)
    frame = lung.rows().sample(n, replace=True, random_state=seed).reset_index(drop=True)
    frame["partner"] = [partners[number % len(partners)] for number in range(n)]
    frame["age"] = generator.integers(30, 90, n)
    frame["ph.ecog"] = generator.integers(0, 4, n).astype(float)
    return frame


def run(frame, **more):
    return lung.run(lung.cohorts(frame), **more)


def codes(frame, **more):
    return {name: raw.code for name, raw in run(frame, **more).items() if isinstance(raw, Unavailable)}


def coefficients(raw):
    return [term.coefficient for term in raw.terms]


def test_everything_is_computed_from_sound_data():
    kinds = [type(raw) for raw in run(simulated()).values()]
    assert kinds == [RawRegression, RawRegression, RawSurvival, RawTest, RawTest, RawCounts]


def test_a_missing_covariate_leaves_the_cox_model_only():
    frame = simulated()
    frame.loc[:9, "ph.ecog"] = np.nan
    results = run(frame)
    assert len(results["cox"].design.event) == 110
    assert sum(cell.support.total for cell in results["subjects"].cells) == 120
    whole = run(frame.iloc[10:])
    assert coefficients(results["cox"]) == pytest.approx(coefficients(whole["cox"]), rel=1e-9)


def test_missing_time_event_or_group_leave_what_needs_them():
    schema = lung.TableSchema(
        columns=tuple(
            column.model_copy(update={"missing_allowed": column.kind != "subject"}) for column in lung.SCHEMA.columns
        )
    )
    frame = simulated().astype({"time": float, "status": object, "sex": object})
    frame.loc[0, "time"] = np.nan
    frame.loc[1, "status"] = None
    frame.loc[2, "sex"] = None
    results = lung.run(lung.cohorts(frame, schema), schema)
    assert len(results["cox"].design.event) == 117
    assert sum(cell.support.total for cell in results["subjects"].cells) == 117
    alone = lung.run(lung.cohorts(frame, schema), schema, outputs=("cox",), covariates=("age",), group=None, grid=None)
    assert len(alone["cox"].design.event) == 118


def test_only_the_order_of_times_counts_so_day_zero_is_a_day():
    frame = simulated()
    frame["time"] = frame.time.rank(method="dense").astype(int) - 1
    later = frame.assign(time=frame.time * 3 + 7)
    assert frame.time.min() == 0
    here, there = run(frame), run(later)
    for name in COX:
        assert coefficients(here[name]) == pytest.approx(coefficients(there[name]), rel=1e-12)
    for name in TESTS:
        assert here[name].statistic == pytest.approx(there[name].statistic, rel=1e-12)


def test_the_order_of_rows_and_slots_does_not_count():
    frame = simulated()
    here, there = run(frame), lung.run(lung.cohorts(frame.sample(frac=1, random_state=1))[::-1])
    for name in COX:
        assert coefficients(here[name]) == pytest.approx(coefficients(there[name]), rel=1e-9)
    for name in TESTS:
        assert here[name].statistic == pytest.approx(there[name].statistic, rel=1e-9)
    assert [cell.support.total for cell in here["subjects"].cells] == [
        cell.support.total for cell in there["subjects"].cells
    ]


def test_all_times_tied():
    frame = simulated().assign(time=100)
    assert codes(frame) == {}


def test_efrons_ties_by_hand():
    # Two events and one censored at day 5, x = 1, 0, 0. L(b) = e^b / ((e^b + 2) ((e^b + 2) - (e^b + 1) / 2)).
    # d log L / db = 0 gives e^(2b) = 6, so b = ln(6) / 2.
    frame = lung.rows().head(3).assign(time=5, partner="a")
    frame["status"], frame["age"] = ["1", "1", "0"], [1, 0, 0]
    found = run(frame, outputs=("cox",), covariates=("age",), group=None, grid=None)["cox"]
    assert coefficients(found)[0] == pytest.approx(np.log(6) / 2, rel=1e-9)
    assert found.log_likelihood[0] == pytest.approx(-np.log(3 * 2))


@pytest.mark.parametrize("time", [-1, 40_001])
def test_a_time_that_cannot_be_refuses_all(time):
    frame = simulated()
    frame.loc[5, "time"] = time
    assert codes(frame) == dict.fromkeys(lung.OUTPUTS, "TIME_RANGE")


def test_the_longest_time_is_allowed():
    frame = simulated()
    frame.loc[5, "time"] = 40_000
    assert codes(frame) == {}


def test_a_constant_covariate():
    assert codes(simulated().assign(age=50)) == dict.fromkeys(COX, "COLLINEAR")


def test_a_covariate_that_is_constant_within_each_partner():
    frame = simulated()
    frame["age"] = frame.partner.map({"a": 50, "b": 60, "c": 75})
    assert codes(frame) == {"cox-stratified": "COLLINEAR"}


def test_covariates_that_follow_from_each_other():
    frame = simulated()
    frame["age"] = (frame["ph.ecog"] * 2 + (frame.sex == "2") + 3).astype(int)
    assert codes(frame) == dict.fromkeys(COX, "COLLINEAR")


def test_a_level_that_nobody_has():
    assert codes(simulated().assign(sex="1")) == {
        **dict.fromkeys(COX, "COLLINEAR"),
        **dict.fromkeys(TESTS, "FEW_GROUPS"),
    }


def test_a_reference_level_that_nobody_has():
    schema = lung.TableSchema(
        columns=tuple(
            lung.category("sex", ("0", "none"), ("1", "male"), ("2", "female")) if column.name == "sex" else column
            for column in lung.SCHEMA.columns
        )
    )
    found = lung.run(lung.cohorts(simulated(), schema), schema)
    assert found["cox"] == Unavailable("COLLINEAR")
    assert found["log-rank"].df == 1
    assert found["log-rank"].groups[0].subjects.total == 0


@pytest.mark.parametrize("scale", [1, 10**13])
def test_units_do_not_matter(scale):
    frame = simulated()
    usual = run(frame)["cox"].terms[0]
    scaled = run(frame.assign(age=frame.age * scale))["cox"].terms[0]
    assert scaled.coefficient * scale == pytest.approx(usual.coefficient, rel=1e-9)
    assert scaled.standard_error * scale == pytest.approx(usual.standard_error, rel=1e-9)
    assert scaled.p == pytest.approx(usual.p, rel=1e-9)


def test_a_very_skewed_covariate_still_converges():
    frame = simulated(200, seed=9)
    size = np.exp(np.random.default_rng(2).normal(0, 2.5, 200))
    frame["age"] = np.round(size * 1000).astype(int)
    frame["time"] = np.round(2000 * np.random.default_rng(4).exponential(1 / (1 + size))).astype(int)
    frame["status"] = "1"
    found = run(frame, outputs=("cox",), covariates=("age",), group=None, grid=None)["cox"]
    assert isinstance(found, RawRegression)
    assert found.log_likelihood[1] > found.log_likelihood[0] + 10


def test_separation_by_a_group_without_events():
    frame = simulated()
    frame.loc[frame.sex == "2", "status"] = "0"
    assert codes(frame) == dict.fromkeys(COX, "SEPARATION")


def test_separation_by_a_number():
    frame = simulated().assign(status="1")
    frame["time"] = np.arange(1, 121)
    frame["age"] = 200 - frame.time
    assert codes(frame, outputs=COX) == dict.fromkeys(COX, "SEPARATION")


def test_separation_so_far_out_that_the_curvature_vanishes():
    frame = simulated(20).assign(status="0", time=np.arange(1, 21), age=np.arange(20))
    frame.loc[10, "status"], frame.loc[10, "age"] = "1", 10**9
    found = codes(frame, outputs=("cox",), covariates=("age",), group=None, grid=None)
    assert found == {"cox": "SEPARATION"}


def test_a_covariate_that_varies_only_where_nobody_has_the_event():
    frame = simulated()
    frame.loc[frame.partner == "c", "status"] = "0"
    frame.loc[frame.partner != "c", "age"] = 50
    assert codes(frame, outputs=("cox-stratified",)) == {"cox-stratified": "COLLINEAR"}


def test_no_events():
    found = codes(simulated().assign(status="0"))
    assert found == dict.fromkeys(COX + TESTS, "NO_EVENTS")


def test_only_events():
    assert codes(simulated().assign(status="1")) == {}


def test_no_subject_without_missing_values():
    assert codes(simulated().assign(**{"ph.ecog": np.nan})) == dict.fromkeys(COX, "NO_SUBJECTS")


def test_an_empty_cohort_adds_nothing():
    frame = simulated()
    a, b, c = lung.cohorts(frame)
    results = lung.run([a, replace(b, frame=b.frame.iloc[:0]), c])
    assert len(results["cox"].design.event) == 80
    assert results["subjects"].cells[0].support.counts[lung.OWNERS["b"]] == 0


def test_only_empty_cohorts():
    empty = [replace(item, frame=item.frame.iloc[:0]) for item in lung.cohorts(simulated())]
    assert set(lung.run(empty).values()) == {Unavailable("NO_SUBJECTS")}


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_handful_of_rows(rows):
    results = run(simulated().head(rows))
    for name in COX:
        assert results[name].code in {"COLLINEAR", "NO_EVENTS", "SEPARATION"}
    assert sum(cell.support.total for cell in results["subjects"].cells) == rows


def test_one_partner_has_one_row():
    frame = simulated()
    frame["partner"] = ["b"] + ["a"] * 119
    assert codes(frame) == {}


def test_groups_that_are_never_at_risk_together():
    frame = simulated().assign(status="1")
    frame["sex"] = np.where(np.arange(120) < 60, "1", "2")
    frame["partner"] = np.where(np.arange(120) < 60, "a", "b")
    assert codes(frame, outputs=TESTS) == {"log-rank-stratified": "NOT_ESTIMABLE"}


def test_an_owners_subject_twice_refuses_all():
    frame = simulated()
    parts = [
        lung.cohort(frame.head(60), "a"),
        lung.cohort(frame.tail(60), "b", owner=lung.OWNERS["a"], subjects=[f"a-{n}" for n in range(60)]),
    ]
    results = lung.run(parts)
    assert set(results.values()) == {Unavailable("SUBJECT_TWICE")}


def test_two_owners_may_use_the_same_pseudonym():
    frame = simulated()
    names = [f"x-{number}" for number in range(60)]
    parts = [lung.cohort(frame.head(60), "a", subjects=names), lung.cohort(frame.tail(60), "b", subjects=names)]
    assert not any(isinstance(raw, Unavailable) for raw in lung.run(parts).values())


def test_two_slots_of_one_owner_are_one_partner():
    frame = simulated()
    a = lung.OWNERS["a"]
    parts = [
        lung.cohort(frame.iloc[:40], "a"),
        lung.cohort(frame.iloc[40:80], "b", owner=a),
        lung.cohort(frame.iloc[80:], "c"),
    ]
    found = lung.run(parts)
    assert found["subjects"].cells[0].support.counts.keys() == {a, lung.OWNERS["c"]}
    assert set(found["cox-stratified"].design.strata) == {0, 1}


def test_an_event_given_as_a_whole_number():
    schema = lung.TableSchema(
        columns=tuple(lung.number("status") if column.name == "status" else column for column in lung.SCHEMA.columns)
    )
    frame = simulated()
    usual = run(frame)["cox"]
    frame["status"] = frame.status.astype(int)
    found = lung.run(lung.cohorts(frame, schema), schema, event_level=1)["cox"]
    assert found.terms == usual.terms


def test_a_curve_beyond_the_last_time_and_before_the_first_event():
    frame = simulated().assign(time=np.arange(100, 220))
    points = run(frame, grid=(50, 300))["kaplan-meier"].curves[0].points
    assert points[0].survival == 1.0
    assert points[0].left.total == 0
    assert points[1].at_risk.total == 0


def test_a_curve_without_events_is_flat():
    points = run(simulated().assign(status="0"))["kaplan-meier"].curves[0].points
    assert {point.survival for point in points} == {1.0}


def test_counts_stand_behind_their_owners():
    frame = simulated()
    results = run(frame)
    for position, (sex, status) in enumerate((("1", "1"), ("1", "0"), ("2", "1"), ("2", "0"))):
        mine = frame[(frame.sex == sex) & (frame.status == status)]
        counts = results["subjects"].cells[position].support.counts
        assert counts == {lung.OWNERS[slot]: int((mine.partner == slot).sum()) for slot in "abc"}
    group = results["log-rank"].groups[1]
    assert group.subjects.total == (frame.sex == "2").sum()
    assert group.events.total == ((frame.sex == "2") & (frame.status == "1")).sum()
    point = results["kaplan-meier"].curves[0].points[2]
    assert point.at_risk.total == ((frame.sex == "1") & (frame.time >= 365)).sum()
    assert point.left.total == ((frame.sex == "1") & (frame.time <= 365)).sum()


def test_nothing_is_printed_and_no_warning_escapes(capfd):
    frame = simulated().assign(status="0")
    frame.loc[0, "status"] = "1"
    run(frame)
    run(frame.head(1))
    assert capfd.readouterr() == ("", "")
