"""A partner who tries to read patients' outcomes out of how a model did.

Each attack first shows that it works on full-precision results, so that refusing it is worth something.
"""

import itertools
from dataclasses import replace

import compounds
import lung
import numpy as np
import pytest
import risks

from enclave.analyses.base import Inputs
from enclave.analyses.clinical.prediction.intervals import wilson
from enclave.analyses.clinical.prediction.performance import rate_models
from enclave.analyses.discovery.qsar import Qsar
from enclave.analyses.results import Design, RawMetrics, Support, Unavailable
from enclave.disclosure import release_all
from protocol.documents.outputs import Metrics, Refusal

LOGISTIC = ("logistic regression",)
REFUSED = Refusal(refusal="POLICY")
A, B, C = (lung.OWNERS[slot] for slot in "abc")


def validate(*tested, trained=None):
    """Train on a's 300 subjects and test on frames of b and c; a's model is known to a."""
    trained = risks.cohort(risks.rows(300, 50), "a") if trained is None else trained
    data = [trained, *(risks.cohort(frame, slot) for frame, slot in zip(tested, "bc", strict=True))]
    return risks.run(data, outputs=("validation",), models=LOGISTIC)["validation"]


def judge(raw, **more):
    return risks.judge(raw, models=LOGISTIC, **more)


def shown(released):
    labels = risks.plan(("validation",), models=LOGISTIC).outputs[0].labels
    return {labels[entry.label].split(": ")[1] for entry in released.entries if entry.value is not None}


def flipped(frame, row):
    other = frame.copy()
    other.loc[row, "outcome"] = "1" if frame.outcome[row] == "0" else "0"
    return other


def of_one_owner(odds, event, owner=A):
    """What the analysis makes of a score that is given, for a test set of one owner and a training set of another."""
    rated = rate_models([("logistic regression", odds)], event, lambda mask: Support({owner: int(mask.sum())}))
    sound = validate(risks.rows(200, 60), risks.rows(200, 61))
    none = np.empty((len(odds), 0), dtype=bool)
    scored = Design(np.zeros(len(odds), dtype=int), (owner,), odds[:, None], none, event)
    return replace(rated, trained=sound.trained, training=sound.training, scored=scored)


@pytest.mark.parametrize("victims", [1, 3, 9])
def test_own_row_padding_of_the_test_set(victims):
    """b fills the test set with its own rows: whatever is not b's own doing is the few victims' outcomes."""
    padding, few = risks.rows(200, 60), risks.rows(victims, 61)
    raw = validate(padding, few)
    # b knows all but the victims' outcomes, tries every one of them, and finds the figures again.
    found = []
    for outcomes in itertools.product("01", repeat=min(victims, 3)):
        guess = few.copy()
        guess.loc[: len(outcomes) - 1, "outcome"] = list(outcomes)
        if [entry.value for entry in validate(padding, guess).entries[:4]] == [e.value for e in raw.entries[:4]]:
            found.append(outcomes)
    assert found == [tuple(few.outcome[: min(victims, 3)])]
    for recipients in ("a", "b", "bc", "abc"):
        assert judge(raw, recipients=recipients) == REFUSED


def test_padding_of_a_bin_or_of_a_point():
    """b's rows carry a bin over k, and Wilson's interval gives the counts back: less b's own they are c's."""
    raw = validate(risks.rows(400, 60), risks.rows(160, 61))
    released = judge(raw)
    assert isinstance(released, Metrics)
    for entry, told in zip(raw.entries, released.entries, strict=True):
        rest = entry.support.counts[C], entry.events.counts[C]
        if entry.label.split(": ")[1].startswith(("observed", "sensitivity")) and min(rest[1], rest[0] - rest[1]) < 10:
            assert told.value is None
    assert "AUROC" in shown(released)


def test_a_share_and_its_interval_give_back_the_counts():
    """Three digits of an observed share and its bounds fit one pair of counts: they are a cell."""
    subjects, events = 31, 3
    told = [f"{figure:.3f}" for figure in wilson(events, subjects)]
    fitting = [
        (among, having)
        for among in range(1, 120)
        for having in range(among + 1)
        if [f"{figure:.3f}" for figure in wilson(having, among)] == told
    ]
    assert fitting == [(subjects, events)]
    risk = np.repeat([0.1, 0.5, 0.9], [31, 60, 60])
    event = np.concatenate([np.arange(31) < 3, np.arange(60) < 30, np.arange(60) < 45])
    raw = of_one_owner(np.log(risk / (1 - risk)), event)
    released = risks.judge(raw, models=LOGISTIC, recipients="a", owners="a")
    assert not {"observed at predicted 0.0 to 0.2", "mean predicted at predicted 0.0 to 0.2"} & shown(released)


def test_bins_do_not_add_up_to_a_hidden_one():
    """What is shown of four bins, taken from the whole, would be the fifth: three patients with the event."""
    risk = np.repeat([0.1, 0.3, 0.5, 0.7, 0.9], [60, 40, 30, 40, 3])
    event = np.concatenate([np.arange(n) < m for n, m in ((60, 15), (40, 14), (30, 15), (40, 26), (3, 3))])
    raw = of_one_owner(np.log(risk / (1 - risk)), event)
    bins = [entry for entry in raw.entries if entry.part.endswith("observed")]
    assert raw.subjects.total - sum(entry.support.total for entry in bins[:4]) == 3
    released = risks.judge(raw, models=LOGISTIC, recipients="a", owners="a")
    seen = [e for e, told in zip(raw.entries, released.entries, strict=True) if told.value and e.part == bins[0].part]
    assert len(seen) == 3
    hidden = raw.subjects.total - sum(entry.support.total for entry in seen)
    with_event = raw.events.total - sum(entry.events.total for entry in seen)
    assert min(with_event, hidden - with_event) >= 10


def test_two_points_of_a_curve_do_not_enclose_few_events():
    raw = validate(risks.rows(300, 60), risks.rows(300, 61))
    points = [entry for entry in raw.entries if entry.step]
    close = [
        (one, two)
        for one, two in itertools.pairwise(points)
        if two.events.minus(one.events).without(frozenset({B})) < 10 or two.events.minus(one.events).without({C}) < 10
    ]
    assert close
    released = {entry.label: entry.value for entry in judge(raw).entries}
    told = [entry for place, entry in enumerate(raw.entries) if entry.step and released[place]]
    assert 1 < len(told) < len(points)
    for one, two in itertools.pairwise([None, *told]):
        step = two.events if one is None else two.events.minus(one.events)
        assert min(step.without(frozenset({owner})) for owner in (A, B, C)) >= 10


@pytest.mark.parametrize(("events", "allowed"), [(9, False), (10, True), (290, True), (291, False)])
def test_one_event_more_or_less(events, allowed):
    """c's 300 with this many events, beside b's 300: without b's the events, or those without, are c's alone."""
    frame = risks.rows(300, 61)
    order = frame["first"].rank(ascending=False)
    tested = frame.assign(outcome=np.where(order <= events, "1", "0"))
    mixed = tested.copy()
    mixed.loc[[0, 1], "first"] = [5.0, -5.0]  # so that no threshold separates the outcomes
    mixed["outcome"] = np.where(mixed["first"].rank(ascending=False).between(2, events + 1), "1", "0")
    raw = validate(risks.rows(300, 60), mixed)
    assert raw.events.counts[C] == events
    assert judge(raw) == REFUSED  # above or below the mean of the score too few of c's are in the smaller group
    counted = replace(raw, scored=validate(risks.rows(300, 60), risks.rows(300, 61)).scored)  # the counts alone decide
    assert isinstance(judge(counted), Metrics) == allowed


def test_a_test_set_of_one_subject():
    nobody = risks.rows(30, 62).assign(first=np.nan)
    single = risks.rows(30, 61)
    single.loc[1:, "first"] = np.nan
    raw = validate(nobody, single)
    assert raw == Unavailable("FEW_OUTCOMES")
    assert judge(raw) == REFUSED
    support = Support({B: 0, C: 1})
    made = validate(risks.rows(300, 60), risks.rows(300, 61))
    forged = replace(made, subjects=support, events=Support({B: 0, C: 1}))  # as if the analysis had let it through
    for recipients in ("a", "b", "c", "abc"):
        assert judge(forged, recipients=recipients) == REFUSED


def test_a_test_set_that_is_one_owners_in_fact_though_two_were_named():
    """b's rows are all incomplete, so the figures are c's alone: what the plan could not know, the gate does."""
    raw = validate(risks.rows(200, 60).assign(first=np.nan), risks.rows(300, 61))
    assert isinstance(raw, RawMetrics)
    for recipients in ("a", "b", "bc", "abc"):
        assert judge(raw, recipients=recipients) == REFUSED
    assert isinstance(judge(raw, recipients="c"), Metrics)


def test_scores_that_separate_the_outcomes():
    """An AUROC of 1 says of everybody whose score is known whether he has the event."""
    perfect = risks.rows(300, 61)
    perfect["outcome"] = np.where(perfect["first"] + perfect["second"] > 0, "1", "0")
    event = (perfect.outcome == "1").to_numpy()
    odds = (perfect["first"] + perfect["second"]).to_numpy()
    raw = of_one_owner(odds, flipped_at_the_edge(odds, event), C)
    assert 0.9995 < raw.entries[0].value < 1
    assert risks.judge(raw, models=LOGISTIC, recipients="c", owners="c") == REFUSED


def flipped_at_the_edge(odds, event):
    """Let the two subjects nearest to the edge change places, so that a slope exists."""
    changed = event.copy()
    changed[[np.argmin(np.where(event, odds, np.inf)), np.argmax(np.where(event, -np.inf, odds))]] ^= True
    return changed


@pytest.mark.parametrize(("others", "allowed"), [(1, False), (9, False), (10, False), (200, True)])
def test_few_training_subjects_of_others(others, allowed):
    """a pads the training set with 300 of its own, b's few alone are unknown: what b's figures depend on beside them."""
    data = [
        risks.cohort(risks.rows(300, 50), "a"),
        risks.cohort(risks.rows(others, 51), "b"),
        risks.cohort(risks.rows(300, 52), "c"),
    ]
    changes = {"train": ("a", "b"), "validate": ("c",), "models": LOGISTIC}
    raw = risks.run(data, outputs=("validation",), **changes)["validation"]
    other = [data[0], risks.cohort(flipped(risks.rows(others, 51), 0), "b"), data[2]]
    assert risks.run(other, outputs=("validation",), **changes)["validation"].entries != raw.entries
    assert isinstance(risks.judge(raw, recipients="c", **changes), Metrics) == allowed


MOST_MOVED = {"logistic regression": 0.2, "gradient boosting": 0.5}
"""Of half an interval. Measured over 25 subjects of 300: 0.03, 0.04, 0.09 and 0.13 for the four main figures of logistic
regression, 0.15, 0.14, 0.24 and 0.34 for those of gradient boosting. Of 100: up to 0.63 and 1.05; of 1000: 0.03, 0.26."""


@pytest.mark.parametrize("model", risks.BOTH)
def test_one_training_subject_less_moves_no_figure_far(model):
    """How far one subject's presence shows in figures over the same test set, against what chance does to these.

    It always shows in some digit: whoever gets both releases, and knows all else, tells them apart. No rounding that
    leaves three digits prevents this. Two releases over sets that differ by fewer than k are for the release ledger to
    refuse (THREAT_MODEL.md).
    """
    frame, tested = (
        risks.rows(300, 7),
        [risks.cohort(risks.rows(300, seed), slot) for seed, slot in ((8, "b"), (9, "c"))],
    )

    def entries(rows):
        data = [risks.cohort(rows, "a"), *tested]
        return risks.run(data, outputs=("validation",), models=(model,))["validation"]

    whole = entries(frame)
    told = risks.judge(whole, models=(model,))
    moved, same = [], 0
    for row in range(10):
        without = entries(frame.drop(row))
        same += risks.judge(without, models=(model,)) == told
        moved += [
            abs(one.value - two.value) / ((two.upper - two.lower) / 2)
            for one, two in zip(without.entries[:4], whole.entries[:4], strict=True)
        ]
    print(f"{model}: at most {max(moved):.3f} of half an interval; {same} of 10 releases are the same bytes")
    assert same == 0  # should this ever fail, the note above is too dark
    assert max(moved) < MOST_MOVED[model]


def test_the_draw_of_the_pooled_test_set_hides_who_is_in_it():
    """The seed is secret and changes with the data: one subject less, and others are tested."""
    frames = {slot: risks.rows(200, seed) for seed, slot in enumerate("abc")}
    tested = [
        risks.run(
            [risks.cohort(frame, slot) for slot, frame in frames.items()],
            seed=bytes([number]) * 32,
            outputs=("pooled",),
            models=LOGISTIC,
        )["pooled"]
        for number in range(5)
    ]
    assert len({raw.entries[0].value for raw in tested}) == 5
    assert len({tuple(raw.subjects.counts.values()) for raw in tested}) == 1


def far(frame, tested, activity):
    """One compound of c alone has this activity, among those that are tested or those that train."""
    data = Qsar().pool(
        compounds.plan(models=("ridge",)), Inputs(tuple(compounds.cohorts(frame)), iter(()), compounds.SEED)
    )
    scaffolds = {data.compounds.scaffold_digests[place] for place in data.compounds.scaffolds[data.split.test]}
    is_tested = frame.scaffold.map(compounds.digest).isin(scaffolds)
    alone = ~frame.inchikey.duplicated(keep=False)
    row = frame.index[(frame.partner == "c") & alone & (is_tested == tested)][0]
    changed = frame.copy()
    changed.loc[row, "activity"] = activity
    return compounds.run(compounds.cohorts(changed), ("pooled", "uplift-a"), models=("ridge",))


def leaves(results):
    contract = compounds.contract(compounds.plan(models=("ridge",), wanted=("pooled", "uplift-a")))
    return [item.value for item in release_all(results, contract)]


@pytest.mark.parametrize("tested", [True, False])
def test_a_far_activity_is_not_told_by_an_error(tested):
    """An IC50 among logarithms. Tested, it is the sum of squared errors; trained on, it shifts ridge regression."""
    frame = compounds.cut(compounds.simulated())
    assert {
        type(value)
        for value in leaves(compounds.run(compounds.cohorts(frame), ("pooled", "uplift-a"), models=("ridge",)))
    } == {Metrics}
    worlds = {activity: far(frame, tested, activity) for activity in (200.0, 5000.0, 7000.0)}
    values = {activity: results["pooled"].entries[0].value for activity, results in worlds.items()}
    # What one of them does to the error gives another one back, whatever else is unknown.
    assert values[7000.0] / values[5000.0] * 5000.0 == pytest.approx(7000.0, rel=0.01)
    for results in worlds.values():
        pooled, uplift = leaves(results)
        assert pooled == REFUSED
        assert (uplift == REFUSED) != tested  # a tested compound of c is no matter of a's own figure


def test_own_far_activities_do_not_hide_one_of_anothers():
    """a's, all far off, move the mean of all: about it no deviation stands out."""
    frame = compounds.cut(compounds.simulated())
    frame.loc[frame.partner == "a", "activity"] += 1000.0
    assert leaves(far(frame, tested=True, activity=500.0))[0] == REFUSED
    assert leaves(far(frame, tested=False, activity=500.0)) == [REFUSED, REFUSED]
