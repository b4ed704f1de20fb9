import subprocess
import sys
from pathlib import Path

import compounds
import lung
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import r2_score, root_mean_squared_error

from enclave.analyses.base import Inputs
from enclave.analyses.discovery.qsar import Qsar
from enclave.analyses.discovery.qsar import compounds as joining
from enclave.analyses.discovery.qsar.models import MODELS
from enclave.disclosure import release_all
from protocol.documents.dataset import DatasetSchema
from protocol.documents.outputs import Metrics, Refusal
from protocol.errors import AnalysisError

RIDGE = ("ridge",)


@pytest.fixture(scope="module")
def frame():
    return compounds.cut(compounds.simulated())


@pytest.fixture(scope="module")
def found(frame):
    return compounds.run(compounds.cohorts(frame))


def ridge(frame, wanted=None, **more):
    return compounds.run(compounds.cohorts(frame), wanted, models=RIDGE, **more)


def pooled_data(frame, models=RIDGE):
    cohorts = compounds.cohorts(frame)
    plan = compounds.plan([cohort.slot for cohort in cohorts], models=models)
    return Qsar().pool(plan, Inputs(tuple(cohorts), iter(()), compounds.SEED))


def figures(raw):
    return {entry.label: (entry.value, entry.lower, entry.upper) for entry in raw.entries}


def code(**changes):
    with pytest.raises(AnalysisError) as caught:
        compounds.plan(**changes)
    assert len(caught.value.detail) > 20
    return caught.value.code


def test_labels_are_those_that_the_report_draws_from():
    planned = {output.output: output for output in compounds.plan().outputs}
    assert list(planned) == ["pooled", "uplift-a", "uplift-b", "uplift-c"]
    assert planned["pooled"].labels == (
        "ridge: RMSE", "ridge: R2", "random forest: RMSE", "random forest: R2",
        "gradient boosting: RMSE", "gradient boosting: R2",
    )  # fmt: skip
    for slot in "abc":
        assert planned[f"uplift-{slot}"].labels == tuple(
            f"{model}{words}: {measure}"
            for model in ("ridge", "random forest", "gradient boosting")
            for measure in ("RMSE", "R2")
            for words in (" on own data", " on pooled data", ", pooled minus own")
        )
    assert {output.type for output in planned.values()} == {"metrics"}


def test_models_keep_the_recipes_order():
    assert compounds.plan(models=("random forest", "ridge"), wanted=("pooled",)).outputs[0].labels[0] == (
        "random forest: RMSE"
    )


def test_an_uplift_goes_to_its_partner_alone():
    plan = compounds.plan()
    assert [output.about for output in plan.outputs] == [(), ("a",), ("b",), ("c",)]
    plan.require(compounds.contract(plan))
    with pytest.raises(AnalysisError) as caught:
        plan.require(lung.contract(plan))
    assert caught.value.code == "RECIPIENTS"
    swapped = compounds.contract(plan)
    a, b = swapped.outputs[1:3]
    swapped.outputs = (
        swapped.outputs[0],
        a.model_copy(update={"recipients": b.recipients}),
        b.model_copy(update={"recipients": a.recipients}),
        swapped.outputs[3],
    )
    with pytest.raises(AnalysisError) as caught:
        plan.require(swapped)
    assert caught.value.code == "RECIPIENTS"


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"slots": "a", "wanted": ("pooled",)}, "SLOTS"),
        ({"wanted": ("uplift-d",)}, "OUTPUT_UNKNOWN"),
        ({"wanted": ("uplift",)}, "OUTPUT_UNKNOWN"),
        ({"models": ("k-NN",)}, "PARAMETER_CHOICE"),
        ({"models": None}, "PARAMETER_MISSING"),
        ({"descriptors": None}, "PARAMETER_MISSING"),
        ({"activity": "ecfp4"}, "COLUMN_TWICE"),
        ({"activity": "inchikey", "compound": "activity"}, "COLUMN_KIND"),
        ({"fingerprint": "mw", "descriptors": ("logp",)}, "COLUMN_KIND"),
        ({"scaffold": "mw", "descriptors": ("logp",)}, "COLUMN_KIND"),
        ({"descriptors": ("activity",)}, "COLUMN_TWICE"),
        ({"descriptors": ("weight",)}, "COLUMN_UNKNOWN"),
    ],
)
def test_what_schemas_decide(changes, wanted):
    assert code(**changes) == wanted


def test_fingerprints_of_two_widths_are_refused():
    tables = {"a": compounds.schema(), "b": compounds.schema(width=1024)}
    with pytest.raises(AnalysisError) as caught:
        Qsar().plan(
            compounds.PARAMETERS, ("pooled",), {slot: DatasetSchema(table=table) for slot, table in tables.items()}
        )
    assert caught.value.code == "WIDTH"
    assert "2048 bits in slot a, 1024 bits in slot b" in caught.value.detail


def test_pooled_figures_are_those_of_scikit_learn(frame, found):
    data = pooled_data(frame, MODELS)
    measured = data.compounds.activity[data.split.test]
    told = figures(found["pooled"])
    for model in MODELS:
        value, lower, upper = told[f"{model}: RMSE"]
        assert value == pytest.approx(root_mean_squared_error(measured, data.pooled[model]), rel=1e-9)
        assert lower < value < upper
        assert told[f"{model}: R2"][0] == pytest.approx(r2_score(measured, data.pooled[model]), rel=1e-9)


def test_an_uplift_is_the_difference_on_the_partners_own_compounds(frame, found):
    data = pooled_data(frame, MODELS)
    for place, slot in enumerate("abc"):
        told = figures(found[f"uplift-{slot}"])
        mine = data.compounds.slots[data.split.test] == place
        for model in MODELS:
            measured = data.compounds.activity[data.split.test][mine]
            wanted = root_mean_squared_error(measured, data.pooled[model][mine])
            assert told[f"{model} on pooled data: RMSE"][0] == pytest.approx(wanted, rel=1e-9)
            for measure in ("RMSE", "R2"):
                own, pooled = (told[f"{model} on {data} data: {measure}"][0] for data in ("own", "pooled"))
                value, lower, upper = told[f"{model}, pooled minus own: {measure}"]
                assert value == pytest.approx(pooled - own, abs=1e-12)
                assert lower <= value <= upper


def test_three_times_the_compounds_help(found):
    for slot in "abc":
        told = figures(found[f"uplift-{slot}"])
        assert told["random forest, pooled minus own: RMSE"][2] < 0  # the whole interval
        assert told["gradient boosting, pooled minus own: RMSE"][0] < 0
        assert told["random forest, pooled minus own: R2"][1] > 0


def test_a_model_of_own_data_sees_nobody_elses_activities(frame):
    others = frame.copy()
    others.loc[others.partner != "a", "activity"] = np.random.default_rng(1).normal(size=(others.partner != "a").sum())
    before, after = (ridge(each, ("uplift-a",))["uplift-a"] for each in (frame, others))
    assert figures(before)["ridge on own data: RMSE"] == figures(after)["ridge on own data: RMSE"]
    assert figures(before)["ridge on pooled data: RMSE"] != figures(after)["ridge on pooled data: RMSE"]


def test_whom_the_figures_rest_on(frame, found):
    data = pooled_data(frame)
    tested = frame[is_tested(data, frame)]
    wanted = {lung.OWNERS[slot]: int((tested.partner == slot).sum()) for slot in "abc"}
    assert found["pooled"].subjects.counts == wanted
    assert found["pooled"].clusters.counts == {
        lung.OWNERS[slot]: part.scaffold.nunique() for slot, part in tested.groupby("partner")
    }
    trained = frame[~np.array(is_tested(data, frame))]
    uplift = found["uplift-b"]
    assert (
        uplift.trained.counts
        == found["pooled"].trained.counts
        == {lung.OWNERS[slot]: int((trained.partner == slot).sum()) for slot in "abc"}
    )
    assert uplift.subjects.total == uplift.subjects.counts[lung.OWNERS["b"]] == wanted[lung.OWNERS["b"]]
    assert uplift.clusters.total == uplift.clusters.counts[lung.OWNERS["b"]] > 3
    assert all(entry.support == uplift.subjects for entry in uplift.entries)
    assert uplift.events is None


def is_tested(data, frame):
    chosen = {data.compounds.scaffold_digests[place] for place in data.compounds.scaffolds[data.split.test]}
    return [compounds.digest(scaffold) in chosen for scaffold in frame.scaffold]


@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_of_rows_decides_nothing(frame, found, seed):
    shuffled = []
    for slot, part in frame.groupby("partner"):
        subjects = [f"{slot}-{place}" for place in range(len(part))]
        order = np.random.default_rng(seed).permutation(len(part))
        shuffled.append(compounds.cohort(part.iloc[order], slot, subjects=[subjects[place] for place in order]))
    again = compounds.run(shuffled)
    assert {name: figures(raw) for name, raw in again.items()} == {name: figures(raw) for name, raw in found.items()}


def test_the_seed_decides_who_is_tested(frame):
    first, second = (ridge(frame, ("pooled",), seed=bytes([number]) * 32)["pooled"] for number in (1, 2))
    assert figures(first) != figures(second)


def test_what_leaves(found):
    plan = compounds.plan()
    released = {item.output: item.value for item in release_all(found, compounds.contract(plan))}
    assert {type(value) for value in released.values()} == {Metrics}
    for name, value in released.items():
        assert value.subjects % 5 == 0
        assert [entry.label for entry in value.entries] == list(range(len(found[name].entries)))
        for entry, raw in zip(value.entries, found[name].entries, strict=True):
            assert float(entry.lower) <= float(entry.value) <= float(entry.upper)
            assert float(entry.value) == pytest.approx(raw.value, rel=6e-3)


def test_an_uplift_never_leaves_to_anybody_else(found):
    contract = lung.contract(compounds.plan())
    released = {item.output: item.value for item in release_all(found, contract)}
    assert isinstance(released["pooled"], Metrics)
    assert {released[f"uplift-{slot}"] for slot in "abc"} == {Refusal(refusal="POLICY")}


def test_the_seed_is_in_no_text(frame):
    data = pooled_data(frame)
    assert data.seed == compounds.SEED
    assert repr(compounds.SEED) not in repr(data)


def values(numbers):
    return numbers.values  # noqa: PD011 - no frame


def totals(numbers):
    return values(numbers).sum(axis=1)


def test_what_figures_are_made_of(frame, found):
    data = pooled_data(frame, MODELS)
    tested = data.split.test
    errors = data.compounds.activity[tested] - data.pooled["ridge"]
    rmse, r2 = found["pooled"].entries[:2]
    assert totals(rmse.squares) == pytest.approx([(errors**2).sum()])
    deviations = data.compounds.activity[tested] - data.compounds.activity[tested].mean()
    assert totals(r2.squares) == pytest.approx([(deviations**2).sum(), (errors**2).sum()])
    for numbers, support in zip(found["pooled"].outcomes, (rmse.support, found["pooled"].trained), strict=True):
        assert np.bincount(numbers.owners).tolist() == [support.counts[key] for key in numbers.owner_keys]
    uplift = {entry.label: values(entry.squares) for entry in found["uplift-a"].entries}
    own, pooled, both = (
        uplift[f"ridge{word}: R2"] for word in (" on own data", " on pooled data", ", pooled minus own")
    )
    assert np.array_equal(both, [*own, pooled[1]])
    assert np.array_equal(uplift["ridge, pooled minus own: RMSE"], both[1:])


def test_a_compound_in_two_slots_of_an_owner_is_one_number(frame):
    owners = {"a": "a", "b": "a", "c": "c"}
    cohorts = [compounds.cohort(part, slot, owner=lung.OWNERS[owners[slot]]) for slot, part in frame.groupby("partner")]
    raw = compounds.run(cohorts, ("pooled",), models=RIDGE)["pooled"]
    tested = frame[is_tested(pooled_data(frame), frame)]
    mine = tested[tested.partner != "c"].groupby("inchikey").activity.mean()
    for numbers in (raw.outcomes[0], raw.entries[0].squares):
        assert np.count_nonzero(numbers.owners == 0) == len(mine) == raw.subjects.counts[lung.OWNERS["a"]]
    assert np.sort(values(raw.outcomes[0])[0, raw.outcomes[0].owners == 0]) == pytest.approx(np.sort(mine), abs=1e-6)


# What cannot be computed


def test_a_partner_with_few_compounds_gets_no_uplift_and_the_others_do(frame):
    few = pd.concat([frame[frame.partner != "c"], frame[frame.partner == "c"].head(40)])
    results = ridge(few)
    assert results["uplift-c"].code == "FEW_COMPOUNDS"
    assert {results[name].type for name in ("pooled", "uplift-a", "uplift-b")} == {"metrics"}


def test_a_partner_with_few_tested_compounds_gets_no_uplift(frame):
    one_series = frame.copy()
    biggest = frame.scaffold.value_counts().index[0]
    one_series.loc[one_series.partner == "c", "scaffold"] = biggest  # more than a fifth of all: it always trains
    results = ridge(one_series)
    assert results["uplift-c"].code == "FEW_COMPOUNDS"
    assert results["uplift-a"].type == "metrics"


def test_a_single_series_is_no_test_of_new_scaffolds(frame):
    series = frame.assign(scaffold=[f"series {place % 4}" for place in range(len(frame))])
    assert {raw.code for raw in ridge(series).values()} == {"FEW_COMPOUNDS"}


def test_without_one_owners_compounds_enough_must_train(frame):
    others = pd.concat([frame[frame.partner == "a"], frame[frame.partner == "b"].head(40)])
    assert {raw.code for raw in ridge(others).values()} == {"FEW_COMPOUNDS"}


def test_two_slots_of_one_owner_are_one_contributor(frame):
    cohorts = [
        compounds.cohort(part, slot, owner=lung.OWNERS["a"]) for slot, part in frame.groupby("partner") if slot != "c"
    ]
    assert {raw.code for raw in compounds.run(cohorts, models=RIDGE).values()} == {"FEW_COMPOUNDS"}


def test_an_owners_second_slot_does_not_count_a_compound_twice(frame):
    owners = {"a": "a", "b": "a", "c": "c"}
    cohorts = [compounds.cohort(part, slot, owner=lung.OWNERS[owners[slot]]) for slot, part in frame.groupby("partner")]
    results = compounds.run(cohorts, models=RIDGE)
    tested = frame[is_tested(pooled_data(frame), frame)]
    both = tested[tested.partner != "c"]
    assert both.inchikey.nunique() < len(both)
    assert results["pooled"].subjects.counts[lung.OWNERS["a"]] == both.inchikey.nunique()
    assert results["uplift-b"].subjects.total == (tested.partner == "b").sum()


def test_a_constant_activity(frame):
    assert {raw.code for raw in ridge(frame.assign(activity=1.5)).values()} == {"ACTIVITY_CONSTANT"}


def test_a_partner_whose_activity_is_constant(frame):
    frame = frame.copy()
    frame.loc[frame.partner == "b", "activity"] = 1.5
    results = ridge(frame)
    assert results["uplift-b"].code == "ACTIVITY_CONSTANT"
    assert {results[name].type for name in ("pooled", "uplift-a", "uplift-c")} == {"metrics"}


@pytest.mark.parametrize("column", ["activity", "logp"])
def test_rows_with_a_missing_value_are_left_out(frame, column):
    gone = np.arange(len(frame)) % 7 == 0
    holes = frame.copy()
    holes.loc[gone, column] = np.nan
    data = pooled_data(holes)
    assert len(data.compounds.activity) == (~gone).sum()
    assert figures(ridge(holes)["pooled"]) == figures(ridge_without(frame, gone)["pooled"])


def ridge_without(frame, gone):
    parts = frame.assign(gone=gone).groupby("partner")
    cohorts = []
    for slot, part in parts:
        subjects = [f"{slot}-{place}" for place in np.flatnonzero(~part.gone.to_numpy())]
        cohorts.append(compounds.cohort(part[~part.gone], slot, subjects=subjects))
    return compounds.run(cohorts, models=RIDGE)


def test_nothing_measured(frame):
    assert {raw.code for raw in ridge(frame.assign(activity=np.nan)).values()} == {"FEW_COMPOUNDS"}


def test_fingerprints_without_a_bit(frame):
    nothing = np.zeros(compounds.WIDTH // 8, dtype=np.uint8)
    assert {raw.code for raw in ridge(frame.assign(ecfp4=[nothing] * len(frame))).values()} == {"FEW_COMPOUNDS"}
    some = frame.copy()
    some["ecfp4"] = [nothing if place % 5 == 0 else bits for place, bits in enumerate(frame.ecfp4)]
    assert len(pooled_data(some).compounds.activity) == sum(place % 5 != 0 for place in range(len(frame)))


def test_a_compound_in_two_rows_was_measured_twice(frame):
    twice = frame[frame.partner == "b"].head(30)
    again = pd.concat([frame, twice.assign(activity=twice.activity + 1)], ignore_index=True)
    before, after = pooled_data(frame).compounds, pooled_data(again).compounds
    assert np.array_equal(before.compounds, after.compounds)
    changed = after.activity - before.activity
    assert changed[after.slots == 1].sum() == pytest.approx(30 * 0.5)
    assert np.count_nonzero(changed) == 30
    assert set(changed[after.slots == 1].round(9)) == {0.0, 0.5}


def test_what_else_two_rows_say_is_taken_from_the_first_subject(frame):
    part = frame[frame.partner == "a"].head(1)
    rows = pd.concat([part.assign(logp=1.0), part.assign(logp=2.0)])
    rest = compounds.cohort(frame[frame.partner == "b"], "b")
    for subjects in (["x", "y"], ["y", "x"]):
        pair = compounds.cohort(rows, "a", subjects=subjects)
        roles = joining.Roles(
            *(pair.schema.table.column(name) for name in ("activity", "ecfp4")),
            (pair.schema.table.column("logp"),),
            *(pair.schema.table.column(name) for name in ("scaffold", "inchikey")),
        )
        first = min(subjects, key=compounds.digest)
        found = joining.join_compounds([pair, rest], roles)
        assert found.descriptors[0, 0] == rows.logp.iloc[subjects.index(first)]


def test_more_compounds_than_memory_is_meant_for(frame, monkeypatch):
    monkeypatch.setattr(joining, "MOST_COMPOUNDS", len(frame))
    assert ridge(frame, ("pooled",))["pooled"].type == "metrics"
    monkeypatch.setattr(joining, "MOST_COMPOUNDS", len(frame) - 1)
    assert ridge(frame, ("pooled",))["pooled"].code == "COMPOUNDS_MANY"


def test_nothing_is_printed(frame, capfd):
    ridge(frame.assign(activity=1.0))
    ridge(frame)
    assert capfd.readouterr() == ("", "")


LIBRARIES = """
import sys
sys.path.insert(0, sys.argv[1])
from enclave.profiles import load_profile
load_profile("discovery").load_libraries()
import compounds
from enclave.disclosure import release_all
cohorts, planned = compounds.cohorts(), compounds.plan()
before = set(sys.modules)
found = compounds.run(cohorts)
release_all(found, compounds.contract(planned))
release_all({"overlap": compounds.overlap(cohorts)}, compounds.contract(compounds.overlap_plan()))
print({raw.type for raw in found.values()}, sorted(set(sys.modules) - before), "rdkit" in sys.modules)
"""


def test_the_profiles_analyses_import_no_library_after_keys_are_open_and_never_rdkit():
    tests = str(Path(compounds.__file__).parent)
    done = subprocess.run([sys.executable, "-c", LIBRARIES, tests], capture_output=True, check=True, timeout=120)
    assert done.stdout == b"{'metrics'} [] False\n"
