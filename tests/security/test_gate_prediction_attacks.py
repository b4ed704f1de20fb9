"""A partner who makes models, or the rows that they are tried on, to read one patient's outcome out of how they do.

Each attack first shows that it works on full-precision results, so that refusing it is worth something.
"""

from dataclasses import replace

import lung
import numpy as np
import pandas as pd
import pytest
import risks

from enclave.disclosure import release
from protocol.documents.outputs import Metrics, Refusal
from protocol.errors import AnalysisError

TREES, LOGISTIC = ("gradient boosting",), ("logistic regression",)
REFUSED = Refusal(refusal="POLICY")
TARGET = 7


def validate(frames, slots="abc", **changes):
    data = [risks.cohort(frame, slot) for frame, slot in zip(frames, slots, strict=True)]
    return risks.run(data, outputs=("validation",), **changes)["validation"]


def judge(raw, recipients, owners="abc", **changes):
    entry = lung.contract_output(risks.plan(("validation",), slots=owners, **changes).outputs[0], recipients)
    return release(raw, entry, preset="sacro", owners=[lung.OWNERS[slot] for slot in owners])


def with_outcome(frame, outcome, row=TARGET):
    other = frame.copy()
    other.loc[row, "outcome"] = outcome
    return other


def box_around(value):
    """Rows that teach trees one thing: whoever has just this value has a risk of his own."""
    steps = pd.DataFrame({"first": [round(value + step * 1e-6, 6) for step in (-1, 0, 1)], "outcome": ["0", "1", "0"]})
    return pd.concat([steps] * 300, ignore_index=True).assign(second=0.0, group="0")


def test_a_box_around_one_tested_patient():
    """a trains alone, on rows that it made up: b's patient, and two of a friend's, have another risk than all others."""
    tested, others = risks.rows(150, 100), risks.rows(150, 300)
    others.loc[:1, "first"] = tested["first"][TARGET]
    others.loc[:1, "outcome"] = ["0", "1"]
    crafted, chosen = box_around(tested["first"][TARGET]), {"models": TREES, "covariates": ("first",)}
    raws = [validate([crafted, with_outcome(tested, outcome), others], **chosen) for outcome in "01"]
    well, ill = (raw.entries[0].value for raw in raws)
    assert ill - well > 0.005  # half of one in 150 and more
    for recipients in ("a", "b", "abc"):
        assert [judge(raw, recipients, **chosen) for raw in raws] == [REFUSED, REFUSED]


def test_nobody_trains_and_brings_the_rows_that_are_tested():
    """A second data set of a's would make all but one of the tested outcomes a's own."""
    plan = risks.plan(("validation",), slots="abc", models=TREES)
    contract = lung.contract(plan)
    owned = [replace_owner(binding, "a") if binding.slot == "c" else binding for binding in contract.datasets]
    plan.require(contract)
    contract.datasets = owned
    with pytest.raises(AnalysisError, match="SLOTS_APART"):
        plan.require(contract)


def replace_owner(binding, slot):
    return type(binding)(slot=binding.slot, owner=lung.OWNERS[slot])


def test_a_code_that_three_of_the_tested_have():
    """The model knows the code alone: the AUROC counts the events of the three who have it."""
    generator = np.random.default_rng(5)
    trained, tested, few = risks.rows(300, 50), risks.rows(60, 60), risks.rows(60, 61)
    trained["group"] = np.where(np.arange(300) < 150, "1", "0")
    trained["outcome"] = np.where(generator.random(300) < np.where(trained.group == "1", 0.8, 0.2), "1", "0")
    tested["group"], few["group"] = "0", "0"
    few.loc[:2, "group"] = "1"
    chosen, found = {"models": LOGISTIC, "covariates": ("group",)}, []
    for count in (1, 2):
        few.loc[:2, "outcome"] = ["1"] * count + ["0"] * (3 - count)
        found.append(validate([trained, tested, few], **chosen))
    one, two = (raw.entries[0].value for raw in found)
    assert f"{one:.3g}" != f"{two:.3g}"
    for recipients in ("a", "ab", "abc"):
        assert [judge(raw, recipients, **chosen) for raw in found] == [REFUSED, REFUSED]


def test_rows_that_ask_for_the_coefficient_of_one_trained_patient():
    """b trains, and one of its patients alone has a code; a tests alone, on rows that it made up."""
    trained, asked = risks.rows(200, 50), risks.rows(200, 7)
    trained["group"] = "0"
    trained.loc[11, "group"] = "1"
    odd, tenth = np.arange(200) % 2 == 1, np.arange(200) % 20 < 2
    asked[["first", "second"]] = 0.0
    asked["group"] = np.where(odd, "1", "0")
    asked["outcome"] = np.where(odd ^ tenth, "1", "0")
    chosen = {"models": LOGISTIC, "train": ("b",), "validate": ("a",)}
    raws = [validate([asked, with_outcome(trained, outcome, 11)], "ab", **chosen) for outcome in "01"]
    well, ill = (raw.entries[0].value for raw in raws)
    assert (round(well, 2), round(ill, 2)) == (0.1, 0.9)
    assert [judge(raw, "a", "ab", **chosen) for raw in raws] == [REFUSED, REFUSED]


def test_trees_whose_leaves_one_fills_up():
    """19 rows of a and one patient of b share a leaf, and a row of a's friend c reads it: no two may have both."""
    chosen = {"models": TREES, "train": ("a", "b"), "validate": ("c",)}
    tested = risks.rows(300, 3)
    trained, padding = risks.rows(300, 2), risks.rows(300, 1)
    trained.loc[TARGET, "first"] = 9.0
    padding.loc[:18, "first"] = 9.0
    padding.loc[:18, "outcome"] = "0"
    tested.loc[0, "first"] = 9.0
    raws = [validate([padding, with_outcome(trained, outcome), tested], **chosen) for outcome in "01"]
    first, second = (raw.scored.matrix for raw in raws)
    assert first[0, 0] != second[0, 0]
    assert raws[0].trees
    entry = lung.contract_output(risks.plan(("validation",), **chosen).outputs[0], "c")
    owners = [lung.OWNERS[slot] for slot in "abcd"]
    assert [release(raw, entry, preset="sacro", owners=owners) for raw in raws] == [REFUSED, REFUSED]
    for outputs, slots in ((("pooled",), "abc"), (("validation",), "abcd")):
        with pytest.raises(AnalysisError) as caught:
            risks.plan(outputs, slots, **chosen | {"validate": tuple(slots[2:])})
        assert caught.value.code == "TREES"


def test_points_of_a_curve_beside_groups_of_risk():
    """Both cut one score and both tell counts: what lies between a point and a group's edge is no small count."""
    seen, small = 0, 0
    for seed in range(24):
        frames = [risks.rows(300, 50 + seed, strength=3.0)]
        frames += [risks.rows(300, number + seed, strength=0.7) for number in (160, 461)]
        raw = validate(frames, models=LOGISTIC)
        released = judge(raw, "abc", models=LOGISTIC)
        assert isinstance(released, Metrics)
        told = {entry.label for entry in released.entries if entry.value is not None}
        entries = {entry.label.split(": ")[1]: (place, entry) for place, entry in enumerate(raw.entries)}
        place, top = entries["observed at predicted 0.8 to 1.0"]
        for label, (point, entry) in entries.items():
            if not label.startswith("sensitivity") or place not in told:
                continue
            between = abs(entry.events.total - top.events.total)
            small += 0 < between < 10
            seen += point in told
            assert not (0 < between < 10 and point in told)
    assert small
    assert seen


@pytest.mark.parametrize("part", ["training", "scored", "trained"])
def test_figures_without_what_they_are_judged_by_do_not_leave(part):
    raw = risks.run(risks.cohorts(600), models=LOGISTIC)["validation"]
    assert isinstance(judge(raw, "abc", models=LOGISTIC), Metrics)
    assert isinstance(judge(replace(raw, **{part: None}), "abc", models=LOGISTIC), Refusal)


def test_one_far_score():
    """The calibration slope is of the log odds: one that lies far off would be all that it tells."""
    raw = risks.run(risks.cohorts(600), models=LOGISTIC, outputs=("validation",))["validation"]
    assert isinstance(judge(raw, "abc", models=LOGISTIC), Metrics)
    matrix = raw.scored.matrix.copy()
    matrix[TARGET] = 60.0
    far = replace(raw, scored=replace(raw.scored, matrix=matrix))
    assert judge(far, "abc", models=LOGISTIC) == REFUSED
