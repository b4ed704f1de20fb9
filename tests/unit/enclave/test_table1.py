import statistics
from fractions import Fraction

import heart
import lung
import numpy as np
import pandas as pd
import pytest

from enclave.analyses.base import Inputs
from enclave.analyses.clinical.table1 import Table1
from enclave.analyses.results import Unavailable
from enclave.disclosure import release_all
from protocol.documents import TableSchema
from protocol.documents.dataset import DatasetSchema
from protocol.errors import AnalysisError

TABLE1 = Table1()
BOTH = ("counts", "means")
SMOKES = lung.category("smokes", ("n", "never"), ("d", "daily"), ("w", "weekly"), missing_allowed=True)
ARM = lung.category("arm", ("0", "placebo"), ("1", "drug"), missing_allowed=True)
WEIGHT = lung.number("weight", "kg", "decimal", scale=1, missing_allowed=True)
AGE = lung.number("age", "a")
SCHEMA = TableSchema(columns=(heart.SCHEMA.subject, ARM, SMOKES, WEIGHT, AGE))
PARAMETERS = {"group": "arm", "categories": ("smokes",), "numbers": ("weight", "age")}
ROWS = pd.DataFrame(
    {
        "arm": ["0", "1", "1", None, "0", "1"],
        "smokes": ["n", "d", None, "d", "n", "d"],
        "weight": [70.1, 80.2, 90.4, 65.0, None, 85.5],
        "age": [40, 50, 61, 70, 48, 90],
        "partner": list("aabbab"),
    }
)


def plan(outputs=BOTH, schema=SCHEMA, slots="ab", **changes):
    parameters = {name: value for name, value in {**PARAMETERS, **changes}.items() if value is not None}
    return TABLE1.plan(parameters, outputs, dict.fromkeys(slots, DatasetSchema(table=schema)))


def run(frame=ROWS, schema=SCHEMA, **changes):
    cohorts = lung.cohorts(frame, schema)
    planned = plan(schema=schema, slots=[cohort.slot for cohort in cohorts], **changes)
    return TABLE1.run(planned, Inputs(tuple(cohorts), iter(()), bytes(32)))


def refused(outputs=BOTH, **changes):
    with pytest.raises(AnalysisError) as caught:
        plan(outputs, **changes)
    return caught.value.code


def counts(raw):
    return {cell.label: cell.support.total for cell in raw.cells}


def test_the_plan_names_every_cell_and_no_total():
    labels = {output.output: (output.type, output.labels) for output in plan().outputs}
    assert labels == {
        "counts": (
            "counts",
            (
                "arm: placebo, smokes: never",
                "arm: placebo, smokes: daily",
                "arm: placebo, smokes: weekly",
                "arm: drug, smokes: never",
                "arm: drug, smokes: daily",
                "arm: drug, smokes: weekly",
            ),
        ),
        "means": (
            "means",
            ("arm: placebo, weight (kg)", "arm: drug, weight (kg)", "arm: placebo, age (a)", "arm: drug, age (a)"),
        ),
    }


def test_without_a_group_all_are_one():
    labels = {output.output: output.labels for output in plan(group=None).outputs}
    assert labels["counts"] == ("all, smokes: never", "all, smokes: daily", "all, smokes: weekly")
    assert labels["means"] == ("all, weight (kg)", "all, age (a)")
    raw = run(group=None)
    assert counts(raw["counts"]) == {"all, smokes: never": 2, "all, smokes: daily": 3, "all, smokes: weekly": 0}
    assert sorted(raw["means"].cells[0].values) == [65.0, 70.1, 80.2, 85.5, 90.4]


def test_each_variable_is_counted_on_its_own_complete_cases():
    raw = run()
    assert counts(raw["counts"]) == {
        "arm: placebo, smokes: never": 2,
        "arm: placebo, smokes: daily": 0,
        "arm: placebo, smokes: weekly": 0,
        "arm: drug, smokes: never": 0,
        "arm: drug, smokes: daily": 2,  # of three, one has no answer; the daily smoker without an arm is in no group
        "arm: drug, smokes: weekly": 0,
    }
    drug = raw["counts"].cells[4].support.counts
    assert drug == {lung.OWNERS["a"]: 1, lung.OWNERS["b"]: 1}
    weights, ages = raw["means"].cells[:2], raw["means"].cells[2:]
    assert [sorted(cell.values) for cell in weights] == [[70.1], [80.2, 85.5, 90.4]]
    assert [sorted(cell.values) for cell in ages] == [[40, 48], [50, 61, 90]]
    assert [len(cell.absent) for cell in weights] == [1, 0]
    assert [cell.absent for cell in ages] == [None, None]


def test_the_gate_is_told_which_cells_add_up():
    raw = run(categories=("smokes",), numbers=("age", "weight"))
    assert {cell.part for cell in raw["counts"].cells} == {"smokes"}
    assert [cell.part for cell in raw["means"].cells] == ["age", "age", "weight", "weight"]


def test_a_number_that_may_be_missing_in_one_slot_is_told_as_such():
    sure = SCHEMA.model_copy(
        update={
            "columns": tuple(
                column.model_copy(update={"missing_allowed": False}) if column.name == "weight" else column
                for column in SCHEMA.columns
            )
        }
    )
    for schemas, told in (((sure, sure), True), ((sure, SCHEMA), False), ((SCHEMA, sure), False)):
        frames = [ROWS[ROWS.partner == slot].dropna(subset=["weight"]) for slot in "ab"]
        cohorts = [lung.cohort(*item) for item in zip(frames, "ab", schemas, strict=True)]
        planned = TABLE1.plan(PARAMETERS, ("means",), {cohort.slot: cohort.schema for cohort in cohorts})
        raw = TABLE1.run(planned, Inputs(tuple(cohorts), iter(()), bytes(32)))
        assert (raw["means"].cells[0].absent is None) == told


def test_a_subject_twice_is_found():
    cohorts = tuple(
        lung.cohort(ROWS[start : start + 1], slot, SCHEMA, owner=lung.OWNERS["a"], subjects=["one"])
        for start, slot in enumerate("ab")
    )
    raw = TABLE1.run(plan(), Inputs(cohorts, iter(()), bytes(32)))
    assert raw == {"counts": Unavailable("SUBJECT_TWICE"), "means": Unavailable("SUBJECT_TWICE")}


def test_subjects_of_one_identifier_with_two_owners_are_two():
    cohorts = tuple(lung.cohort(ROWS[:2], slot, SCHEMA, subjects=["one", "two"]) for slot in "ab")
    raw = TABLE1.run(plan(group=None), Inputs(cohorts, iter(()), bytes(32)))
    assert counts(raw["counts"])["all, smokes: never"] == 2


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"categories": None}, "PARAMETER_MISSING"),
        ({"numbers": None}, "PARAMETER_MISSING"),
        ({"categories": ("age",)}, "COLUMN_KIND"),
        ({"categories": ("subject",)}, "COLUMN_KIND"),
        ({"numbers": ("smokes",)}, "COLUMN_KIND"),
        ({"group": "age"}, "COLUMN_KIND"),
        ({"group": "site"}, "COLUMN_UNKNOWN"),
        ({"categories": ("smokes", "site")}, "COLUMN_UNKNOWN"),
        ({"categories": ("smokes", "arm")}, "COLUMN_TWICE"),
        ({"numbers": ("age", "age")}, "PARAMETER_TWICE"),
    ],
)
def test_what_schemas_decide(changes, wanted):
    assert refused(**changes) == wanted


@pytest.mark.parametrize("role", ["arm", "smokes"])
def test_a_category_of_one_level_tells_nothing(role):
    columns = tuple(lung.category(role, ("1", "one")) if column.name == role else column for column in SCHEMA.columns)
    assert refused(schema=TableSchema(columns=columns)) == "GROUPS"


def test_an_output_needs_only_its_own_columns():
    assert [output.output for output in plan(("means",), categories=None).outputs] == ["means"]
    assert [output.output for output in plan(("counts",), numbers=None).outputs] == ["counts"]


def whole(reference, **parameters):
    """Raw results over all four hospitals, cholesterol of 0 missing; and what leaves."""
    inputs = heart.inputs(reference, mapped=True)
    planned = TABLE1.plan(parameters, BOTH, inputs.datasets)
    raw = TABLE1.run(planned, inputs)
    contract = lung.contract(planned)
    contract.owners = tuple(heart.OWNERS.values())
    return raw, {item.output: item.value for item in release_all(raw, contract)}


def test_means_are_those_of_exact_arithmetic(reference):
    _, released = whole(reference, categories=("sex",), numbers=("age", "thalach"))
    frames = heart.sites(reference)
    for cell, name in zip(released["means"].cells, ("age", "thalach"), strict=True):
        values = [Fraction(value) for frame in frames.values() for value in frame[name].dropna()]
        mean = float(sum(values) / len(values))
        assert abs(float(cell.mean) - mean) <= 0.5 * 10 ** (len(str(int(mean))) - 3)
        assert float(cell.sd) == pytest.approx(statistics.stdev(map(float, values)), rel=5e-3)
    age, thalach = released["means"].cells
    assert age.subjects == 920
    assert thalach.subjects is None  # 55 lack it, but 54 of them are of two hospitals


def test_counts_of_four_hospitals_leave_where_every_cell_is_large(reference):
    raw, released = whole(reference, group="disease", categories=("sex", "exang"), numbers=("age",))
    smallest = {}
    for cell in raw["counts"].cells:
        left = sum(sorted(cell.support.counts.values())[:2])  # without the two largest contributors
        smallest[cell.part] = min(left, smallest.get(cell.part, left))
    assert smallest == {"sex": 3, "exang": 13}
    for cell, told in zip(raw["counts"].cells, released["counts"].cells, strict=True):
        wanted = round(cell.support.total / 5) * 5 if smallest[cell.part] >= 10 else None
        assert told.count == wanted


def test_many_rows_with_missing_values_match_plain_counting():
    generator = np.random.default_rng(3)
    n = 2000
    frame = pd.DataFrame(
        {
            "arm": generator.choice(["0", "1", None], n, p=[0.45, 0.45, 0.1]),
            "smokes": generator.choice(["n", "d", "w", None], n),
            "weight": np.where(generator.random(n) < 0.2, np.nan, generator.integers(400, 1200, n) / 10),
            "age": generator.integers(20, 90, n),
            "partner": generator.choice(["a", "b", "c"], n),
        }
    )
    raw = run(frame)
    wanted = frame.groupby(["arm", "smokes"]).size()
    found = [cell.support.total for cell in raw["counts"].cells]
    assert found == [wanted[arm, level] for arm in "01" for level in "ndw"]
    means = frame.groupby("arm").weight.agg(["count", "mean", "std"])
    for cell, arm in zip(raw["means"].cells[:2], "01", strict=True):
        assert len(cell.owners) == means["count"][arm]
        assert np.mean(cell.values) == pytest.approx(means["mean"][arm])
        assert len(cell.absent) == frame[(frame.arm == arm) & frame.weight.isna()].shape[0]
