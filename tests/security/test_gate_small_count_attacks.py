"""Attacks on the gate by padding through somebody else, and by numbers that are small counts in disguise.

Each attack is first shown to work on what would leave without the rule against it, rounded as the gate rounds.
"""

from dataclasses import replace

import lung
import numpy as np
import pandas as pd
import pytest

from enclave.analyses.results import RawRegression, Unavailable
from enclave.disclosure import release_all
from enclave.disclosure.counts import release_counts
from enclave.disclosure.regression import maximum_leverage, release_regression
from enclave.disclosure.rounding import decimals, significant, to_base
from enclave.disclosure.support import coalitions, safe_count
from protocol.documents.outputs import CountTable, Refusal, Regression, SurvivalCurve
from protocol.presets import PRESETS, strictest

SACRO = PRESETS["sacro"]
OWNERS = tuple(lung.OWNERS[slot] for slot in "abc")
REFUSED = Refusal(refusal="POLICY")
OUTSIDER = frozenset({frozenset({lung.OWNERS["d"]})})
"""The only coalition, if recipients alone counted and the one recipient, d, owned nothing."""


def trial(n=240, seed=7):
    generator = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "time": generator.integers(61, 1000, n),
            "status": np.where(generator.random(n) < 0.6, "1", "0"),
            "age": generator.integers(40, 85, n),
            "sex": np.where(generator.random(n) < 0.5, "1", "2"),
            "ph.ecog": generator.integers(0, 4, n).astype(float),
            "partner": np.array(list("abc"))[np.arange(n) % 3],
        }
    )


def run(frame, *outputs, covariates=("sex",), grid=(365,), recipients="d"):
    """Raw results, and what leaves."""
    group = None if set(outputs) <= {"cox", "cox-stratified"} else "sex"
    changes = {
        "covariates": covariates if any(output.startswith("cox") for output in outputs) else (),
        "group": group,
        "grid": grid if "kaplan-meier" in outputs else None,
    }
    raw = lung.run(lung.cohorts(frame), outputs=outputs, **changes)
    contract = lung.contract(lung.plan(outputs=outputs, **changes), recipients=recipients)
    return raw, {item.output: item.value for item in release_all(raw, contract)}


def released_error(term):
    return float(significant(term.standard_error, 4))


def hides_all(table):
    return all(cell.count is None for cell in table.cells)


def of_partner(frame, partner, count):
    return frame.index[frame.partner == partner][:count]


# Padding by an owner who receives nothing


@pytest.mark.parametrize("few", [0, 3])
def test_an_owner_pads_a_cell_for_a_recipient_who_owns_nothing(few):
    frame = trial().assign(sex="1")
    own = of_partner(frame, "a", 80)
    frame.loc[own, "sex"] = "2"
    frame.loc[own, "status"] = np.where(np.arange(80) < 40, "1", "0")
    frame.loc[of_partner(frame, "b", few), ["sex", "status"]] = ["2", "1"]
    raw, released = run(frame, "subjects")
    # Without the rule the answer, less the 40 that a knows, tells whether b has such patients.
    assert release_counts(raw["subjects"], SACRO, OUTSIDER).cells[2].count == (40 if few == 0 else 45)
    assert released["subjects"].cells[2].count is None


@pytest.mark.parametrize("died", [False, True])
def test_an_owner_pads_a_dummy_for_a_recipient_who_owns_nothing(died):
    def fit(died):
        frame = trial().assign(sex="1")
        frame.loc[of_partner(frame, "a", 80), "sex"] = "2"
        frame.loc[of_partner(frame, "b", 1), ["sex", "time", "status"]] = ["2", 300, "1" if died else "0"]
        return run(frame, "cox")

    raw, released = fit(died)
    # Without the rule the model leaves, and a, who knows its own 80 rows, compares its two guesses with it.
    other, _ = fit(not died)
    shown, guessed = (release_regression(each["cox"], SACRO, OUTSIDER).terms[0] for each in (raw, other))
    assert shown.standard_error != guessed.standard_error
    assert released["cox"] == REFUSED


def test_with_padding_that_hides_the_event_itself_the_answers_are_equal():
    answers = []
    for died in ("0", "1"):
        frame = trial().assign(sex="1")
        frame.loc[of_partner(frame, "a", 80), ["sex", "time", "status"]] = ["2", 60, "0"]
        frame.loc[of_partner(frame, "b", 1), ["sex", "time", "status"]] = ["2", 300, died]
        raw, released = run(frame, "cox")
        answers.append((isinstance(raw["cox"], Unavailable), released["cox"]))
    assert answers == [(True, REFUSED), (False, REFUSED)]  # an estimate exists only if the patient died


# Survival curves are counts


def women_with_few_events(events):
    frame = trial(180, 5)
    women = frame.index[frame.sex == "2"]
    frame.loc[women, "status"] = "0"
    frame.loc[women, "time"] = np.random.default_rng(1).integers(600, 1000, len(women))
    frame.loc[women[: len(women) // 3], "time"] = 120
    frame.loc[women[-events:], ["time", "status"]] = [100, "1"]
    return frame, len(women)


@pytest.mark.parametrize("events", [1, 2, 3])
def test_a_curve_does_not_tell_a_suppressed_cell(events):
    frame, women = women_with_few_events(events)
    raw, released = run(frame, "kaplan-meier", "subjects", grid=(110, 365))
    point = raw["kaplan-meier"].curves[1].points[1]
    against = coalitions([lung.OWNERS["d"]], OWNERS)
    alone = release_counts(raw["subjects"], SACRO, against)
    assert alone.cells[2].count is None
    # Many have left and many remain, and still the curve, times the size of the group, is the suppressed count.
    assert safe_count(point.left, against) >= SACRO.k
    assert safe_count(point.at_risk, against) >= SACRO.k
    first = raw["kaplan-meier"].curves[1].points[0]
    assert round((1 - float(decimals(first.survival, 2))) * women) == events
    assert released["kaplan-meier"].groups[1].points == ()


@pytest.mark.parametrize("events", [1, 2, 3])
def test_the_difference_of_two_points_is_no_small_count(events):
    frame = trial(300, 5)
    women = frame.index[frame.sex == "2"]
    frame.loc[women, ["time", "status"]] = [900, "0"]
    frame.loc[women[:45], ["time", "status"]] = [100, "1"]
    frame.loc[women[45:81], "time"] = 200  # censored
    frame.loc[women[45 : 45 + events], ["time", "status"]] = [150, "1"]
    raw, released = run(frame, "kaplan-meier", grid=(110, 300))
    early, late = raw["kaplan-meier"].curves[1].points
    shown = [float(decimals(point.survival, 2)) for point in (early, late)]
    assert abs((shown[0] - shown[1]) * len(women) - events) < 1.5
    assert [point.label for point in released["kaplan-meier"].groups[1].points] == [2]


@pytest.mark.parametrize("alive", [1, 2, 3])
def test_a_curve_does_not_tell_of_few_survivors(alive):
    frame = trial(240, 5)
    women = frame.index[frame.sex == "2"]
    frame.loc[women, ["time", "status"]] = [200, "1"]
    frame.loc[women[-36:], "time"] = 365
    frame.loc[women[-36:][:alive], "time"] = 400
    raw, released = run(frame, "kaplan-meier", grid=(365,))
    (point,) = raw["kaplan-meier"].curves[1].points
    assert safe_count(point.at_risk, coalitions([lung.OWNERS["d"]], OWNERS)) >= SACRO.k
    assert round(float(decimals(point.survival, 2)) * len(women)) == alive
    assert released["kaplan-meier"].groups[1].points == ()


def test_a_suppressed_cell_does_not_follow_from_a_curve_beside_it():
    frame = trial(300, 5)
    men = frame.index[frame.sex == "1"]
    frame.loc[men, "status"] = "1"
    frame.loc[men[:4], ["time", "status"]] = [1000, "0"]  # four men are censored
    raw, released = run(frame, "kaplan-meier", "subjects", grid=(150, 500))
    dead, censored = raw["subjects"].cells[:2]
    against = coalitions([lung.OWNERS["d"]], OWNERS)
    assert safe_count(censored.support, against) < SACRO.k <= safe_count(dead.support, against)
    (point, *_) = released["kaplan-meier"].groups[0].points
    # Nobody was censored before: those at risk are the survivors, so the curve tells the size of the group, and with the
    # other cell, were it told, the suppressed one.
    size = point.at_risk / float(point.survival)
    assert abs(size - to_base(dead.support.total, SACRO.base) - 4) < SACRO.k / 2
    assert hides_all(released["subjects"])


def test_a_suppressed_cell_does_not_follow_from_the_public_number_of_rows():
    frame = trial(300, 5)
    men = frame.index[frame.sex == "1"]
    frame.loc[men, "status"] = np.where(np.arange(len(men)) < 4, "0", "1")
    raw, released = run(frame, "subjects")
    few = raw["subjects"].cells[1].support
    others = [cell.support.total for place, cell in enumerate(raw["subjects"].cells) if place != 1]
    # Nothing may be missing, so the cells add up to the rows of the manifests: were the other three told, rounded, the
    # small one would follow to within a few.
    assert few.total == 4
    assert abs(len(frame) - sum(to_base(count, SACRO.base) for count in others) - few.total) < SACRO.k / 2
    assert hides_all(released["subjects"])


# Standard errors are counts


@pytest.mark.parametrize("events", [1, 2, 3])
def test_a_standard_error_does_not_tell_a_small_count_of_events(events):
    frame = trial(300, 5).assign(sex="1")
    rare = frame.index[:36]  # twelve of each partner: enough of a minority
    frame.loc[rare, ["sex", "status"]] = ["2", "0"]
    frame.loc[rare[:events], "status"] = "1"
    raw, released = run(frame, "cox", "log-rank", "subjects")
    term, others = raw["cox"].terms[0], np.count_nonzero(raw["cox"].design.event) - events
    assert round(1 / (released_error(term) ** 2 - 1 / others)) == events
    assert np.count_nonzero(raw["cox"].design.matrix[:, 0]) - 12 >= SACRO.k
    assert released["cox"] == released["log-rank"] == REFUSED
    assert released["subjects"].cells[2].count is None


@pytest.mark.parametrize("events", [1, 2, 3])
def test_strata_do_not_hide_that_few_are_compared(events):
    frame = trial(240, 9).assign(sex="1")
    frame.loc[frame.partner == "c", "sex"] = "2"
    few = of_partner(frame, "b", 3)
    frame.loc[few, ["sex", "status"]] = ["2", "0"]
    frame.loc[few[:events], "status"] = "1"
    raw, released = run(frame, "cox-stratified", recipients="a")
    model = raw["cox-stratified"]
    assert round(1 / released_error(model.terms[0]) ** 2) == events
    # Judged as if rows were compared across strata, the design is sound without a's rows.
    pooled = replace(model, design=replace(model.design, strata=None))
    assert isinstance(release_regression(pooled, SACRO, frozenset({frozenset({OWNERS[0]})})), Regression)
    assert released["cox-stratified"] == REFUSED


@pytest.mark.parametrize(("differ", "events"), [(3, 1), (3, 2), (3, 3), (30, 1), (30, 2), (30, 3)])
def test_columns_that_differ_for_few_do_not_single_them_out(differ, events):
    frame = trial(360, 10)
    frame["ph.ecog"] = (frame.sex == "2").astype(float)
    few = frame.index[frame.sex == "1"][:differ]  # a third of them each partner's
    frame.loc[few, ["ph.ecog", "status"]] = [1.0, "0"]
    frame.loc[few[:events], "status"] = "1"
    raw, released = run(frame, "cox", covariates=("sex", "ph.ecog"), recipients="a")
    model = raw["cox"]
    assert isinstance(model, RawRegression)
    assert abs(1 / released_error(model.terms[1]) ** 2 - events) < 0.8
    assert maximum_leverage(model.design.matrix) < (0.5 if differ == 3 else 1 / SACRO.k)  # 0.5 is the table's bound
    assert released["cox"] == REFUSED


# Presets, and the class of a refusal


@pytest.mark.parametrize("names", [("cms", "uk-llc"), ("uk-llc", "cms"), ("uk-llc", "all-of-us"), ("sacro", "uk-llc")])
def test_no_second_owner_undoes_the_rule_on_zeros(names):
    frame = trial()
    frame.loc[frame.sex == "2", "status"] = "0"
    raw, _ = run(frame, "subjects")
    released = release_counts(raw["subjects"], PRESETS[strictest(names)], coalitions(OWNERS, OWNERS))
    assert raw["subjects"].cells[2].support.total == 0
    assert released.cells[2].count is None
    assert PRESETS[strictest(names)].k == max(PRESETS[name].k for name in names)


def test_a_refusal_does_not_tell_whether_a_value_is_out_of_range():
    frame = trial().assign(sex="1")  # no contrast: refused all the same
    beyond = frame.copy()
    beyond.loc[17, "time"] = 50_000
    raw, answer = run(frame, "cox")
    other, same = run(beyond, "cox")
    assert (raw["cox"].code, other["cox"].code) == ("COLLINEAR", "TIME_RANGE")
    assert answer == same == {"cox": REFUSED}


def test_honest_data_pass_every_rule():
    for recipients in ("a", "abc", "d"):
        released = release_all(lung.run(), lung.contract(lung.plan(), recipients=recipients))
        kinds = [type(item.value) for item in released]
        assert Refusal not in kinds
        assert {Regression, SurvivalCurve, CountTable} <= set(kinds)
