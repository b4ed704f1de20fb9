import lung
import numpy as np
import pandas as pd
import pytest

from enclave.analyses.base import Inputs
from enclave.analyses.clinical.feasibility import Feasibility
from enclave.analyses.results import Unavailable
from enclave.disclosure import release_all
from protocol.documents import Column, TableSchema
from protocol.documents.dataset import DatasetSchema
from protocol.errors import AnalysisError

FEASIBILITY = Feasibility()
AGE = lung.number("age", "a", minimum="18", maximum="95")
SEX = lung.category("sex", ("m", "male"), ("f", "female"), missing_allowed=True)
CREATININE = lung.number("creatinine", "mg/dL", "decimal", scale=2, missing_allowed=True)
SUBJECT = Column(name="subject", description="Subject", kind="subject")
PRINT = Column(name="print", description="Fingerprint", kind="bits", width=8)
SCHEMA = TableSchema(columns=(SUBJECT, AGE, SEX, CREATININE))
ROWS = pd.DataFrame(
    {
        "age": [18, 40, 41, 60, 70, 95],
        "sex": ["m", "f", "m", None, "f", "m"],
        "creatinine": [0.3, 0.29, None, 1.1, 0.31, 0.3],
        "partner": list("aabbab"),
    }
)


def plan(*conditions, schemas=None):
    """A filter given as triples of column, test and value."""
    columns, tests, values = zip(*conditions, strict=True)
    schemas = schemas or dict.fromkeys("ab", SCHEMA)
    return FEASIBILITY.plan(
        {"where_columns": columns, "where_tests": tests, "where_values": values},
        ("matching",),
        {slot: DatasetSchema(table=schema) for slot, schema in schemas.items()},
    )


def count(*conditions, frame=ROWS):
    cohorts = tuple(lung.cohorts(frame, SCHEMA))
    planned = plan(*conditions, schemas={cohort.slot: SCHEMA for cohort in cohorts})
    (raw,) = FEASIBILITY.run(planned, Inputs(cohorts, iter(()), bytes(32))).values()
    return raw


def matching(*conditions):
    return [cell.support.total for cell in count(*conditions).cells]


def refused(*conditions, schemas=None):
    with pytest.raises(AnalysisError) as caught:
        plan(*conditions, schemas=schemas)
    assert len(caught.value.detail) > 20
    return caught.value.code


def test_the_plan_has_two_cells():
    (output,) = plan(("sex", "is", "f")).outputs
    assert (output.output, output.type, output.labels) == (
        "matching",
        "counts",
        ("matching", "not matching or missing"),
    )


@pytest.mark.parametrize(
    ("conditions", "wanted"),
    [
        ([("age", "at least", "41")], 4),
        ([("age", "at most", "41")], 3),
        ([("age", "is", "41")], 1),
        ([("sex", "is", "m")], 3),
        ([("sex", "is", "f")], 2),
        ([("creatinine", "at least", "0.3")], 4),
        ([("creatinine", "at most", "0.30")], 3),
        ([("creatinine", "is", "0.3")], 2),
        ([("creatinine", "at least", "-1")], 5),  # a missing value meets nothing
        ([("age", "at least", "40"), ("age", "at most", "70")], 4),
        ([("age", "at least", "60"), ("age", "at most", "60")], 1),
        ([("age", "at least", "41"), ("sex", "is", "m"), ("creatinine", "is", "0.3")], 1),
        ([("age", "at least", "19"), ("age", "at most", "94"), ("sex", "is", "f")], 2),
    ],
)
def test_who_matches(conditions, wanted):
    assert matching(*conditions) == [wanted, 6 - wanted]


def test_subjects_are_counted_by_owner():
    cell, others = count(("age", "at least", "41")).cells
    assert cell.support.counts == {lung.OWNERS["a"]: 1, lung.OWNERS["b"]: 3}
    assert others.support.counts == {lung.OWNERS["a"]: 2, lung.OWNERS["b"]: 0}


def test_a_fixed_point_number_is_compared_as_such():
    """0.1 + 0.2 is more than 0.3 for a machine; numbers of two decimals are compared with half a hundredth to spare."""
    frame = pd.DataFrame({"age": 50, "sex": "m", "creatinine": np.arange(1, 400) / 100, "partner": "a"})
    for hundredths in range(1, 400):
        value = f"{hundredths // 100}.{hundredths % 100:02d}"
        totals = [cell.support.total for cell in count(("creatinine", "at least", value), frame=frame).cells]
        assert totals == [400 - hundredths, hundredths - 1]
        if hundredths % 50 == 0:
            assert count(("creatinine", "is", value), frame=frame).cells[0].support.total == 1
            assert count(("creatinine", "at most", value), frame=frame).cells[0].support.total == hundredths


@pytest.mark.parametrize(
    ("conditions", "wanted"),
    [
        ([("weight", "is", "1")], "COLUMN_UNKNOWN"),
        ([("subject", "is", "a-1")], "COLUMN_KIND"),
        ([("sex", "is", "male")], "LEVEL_UNKNOWN"),
        ([("sex", "is", "1")], "LEVEL_UNKNOWN"),
        ([("sex", "at least", "m")], "FILTER_TEST"),
        ([("age", "above", "40")], "FILTER_TEST"),
        ([("age", "is not", "40")], "FILTER_TEST"),
        ([("age", "at least", "forty")], "FILTER_VALUE"),
        ([("age", "at least", "40.5")], "FILTER_VALUE"),
        ([("age", "at least", "4e1")], "FILTER_VALUE"),
        ([("age", "at least", "+40")], "FILTER_VALUE"),
        ([("age", "at least", "NaN")], "FILTER_VALUE"),
        ([("age", "at least", "40 or 1")], "FILTER_VALUE"),
        ([("age", "at least", "4\u0660")], "FILTER_VALUE"),
        ([("creatinine", "is", "0.301")], "FILTER_VALUE"),
        ([("age", "at least", "18")], "FILTER_VALUE"),
        ([("age", "at least", "96")], "FILTER_VALUE"),
        ([("age", "at most", "17")], "FILTER_VALUE"),
        ([("age", "at most", "95")], "FILTER_VALUE"),
        ([("age", "is", "17")], "FILTER_VALUE"),
        ([("age", "is", "96")], "FILTER_VALUE"),
        ([("age", "at least", "20"), ("age", "at least", "30")], "FILTER_TWICE"),
        ([("age", "is", "20"), ("age", "at least", "19")], "FILTER_TWICE"),
        ([("age", "at least", "60"), ("age", "at most", "50")], "FILTER_TWICE"),
        ([("age", "at least", "20"), ("age", "at most", "50"), ("age", "at most", "60")], "FILTER_TWICE"),
        ([("sex", "is", "m"), ("sex", "is", "f")], "FILTER_TWICE"),
        ([("age", "at least", "20"), ("age", "at most", "50"), ("sex", "is", "m"), ("creatinine", "is", "1")],
         "FILTER_LENGTH"),
    ],
)  # fmt: skip
def test_what_schemas_decide(conditions, wanted):
    assert refused(*conditions) == wanted


@pytest.mark.parametrize("value", ["19", "95"])
def test_the_ends_of_a_range_decide_nothing_alone(value):
    assert plan(("age", "at least", value)).outputs
    assert plan(("age", "at most", str(int(value) - 1))).outputs
    assert plan(("age", "is", value)).outputs


def test_lists_must_have_one_length():
    for tests, values in ((("is",), ("m", "40")), (("is", "is"), ("m",))):
        with pytest.raises(AnalysisError, match=r"FILTER_LENGTH.*2, "):
            FEASIBILITY.plan(
                {"where_columns": ("sex", "age"), "where_tests": tests, "where_values": values},
                ("matching",),
                {"a": DatasetSchema(table=SCHEMA)},
            )


@pytest.mark.parametrize("name", ["where_columns", "where_tests", "where_values"])
def test_every_list_is_needed(name):
    parameters = {"where_columns": ("sex",), "where_tests": ("is",), "where_values": ("m",)}
    del parameters[name]
    with pytest.raises(AnalysisError, match="PARAMETER_MISSING"):
        FEASIBILITY.plan(parameters, ("matching",), {"a": DatasetSchema(table=SCHEMA)})


def test_neither_bits_nor_a_level_that_all_have_can_be_asked_for():
    single = lung.category("sex", ("m", "male"))
    assert refused(("print", "is", "00"), schemas={"a": TableSchema(columns=(SUBJECT, PRINT))}) == "COLUMN_KIND"
    assert refused(("sex", "is", "m"), schemas={"a": TableSchema(columns=(SUBJECT, single))}) == "FILTER_VALUE"


def test_a_condition_must_be_open_in_every_slot():
    adults, children = (
        TableSchema(columns=(SUBJECT, lung.number("age", "a", minimum=low, maximum=high)))
        for low, high in (("18", "95"), ("0", "17"))
    )
    with pytest.raises(AnalysisError, match=r"FILTER_VALUE.*slot children.*leave the slot out"):
        plan(("age", "at least", "40"), schemas={"adults": adults, "children": children})
    constant = TableSchema(columns=(SUBJECT, lung.number("age", "a", minimum="40", maximum="40")))
    assert refused(("age", "is", "40"), schemas={"a": constant}) == "FILTER_VALUE"


def test_a_value_may_have_the_decimals_of_the_finest_slot():
    coarse, fine = (
        TableSchema(columns=(SUBJECT, lung.number("creatinine", "mg/dL", "decimal", scale=scale))) for scale in (1, 3)
    )
    assert plan(("creatinine", "at least", "0.305"), schemas={"a": coarse, "b": fine}).outputs
    assert refused(("creatinine", "at least", "0.305"), schemas={"a": coarse}) == "FILTER_VALUE"


def test_a_subject_twice_is_found():
    cohorts = tuple(lung.cohort(ROWS[:1], slot, SCHEMA, owner=lung.OWNERS["a"], subjects=["one"]) for slot in "ab")
    found = FEASIBILITY.run(plan(("sex", "is", "m")), Inputs(cohorts, iter(()), bytes(32)))
    assert found == {"matching": Unavailable("SUBJECT_TWICE")}


# What leaves


def people(**partners):
    """Partners' subjects: how many men and how many women each has."""
    frames = [
        pd.DataFrame({"age": 50, "sex": ["m"] * men + ["f"] * women, "creatinine": 1.0, "partner": partner})
        for partner, (men, women) in partners.items()
    ]
    return pd.concat(frames, ignore_index=True)


def told(frame, recipients=None):
    slots = "".join(sorted(set(frame.partner)))
    planned = plan(("sex", "is", "m"), schemas=dict.fromkeys(slots, SCHEMA))
    raw = {"matching": count(("sex", "is", "m"), frame=frame)}
    contract = lung.contract(planned, owners=slots, recipients=recipients or slots)
    (released,) = release_all(raw, contract)
    return [cell.count for cell in released.value.cells]


def test_both_sides_are_told_rounded():
    assert told(people(a=(40, 31), b=(52, 22))) == [90, 55]


@pytest.mark.parametrize("few", [0, 1, 9])
@pytest.mark.parametrize("side", [0, 1])
def test_few_on_either_side_hide_both(few, side):
    """Rows are public: ninety of a hundred that match tell ten that do not."""
    counts = [60, 60]
    counts[side] = few
    assert told(people(a=(30, 30), b=tuple(counts))) == [None, None]


def test_an_owner_who_subtracts_its_own_still_has_ten_of_others_on_either_side():
    for b, c, shown in (
        ((10, 10), (0, 0), True),
        ((9, 30), (0, 0), False),
        ((5, 6), (5, 4), True),
        ((5, 6), (5, 3), False),
    ):
        frame = people(a=(500, 500), b=b, **({"c": c} if sum(c) else {}))
        assert (told(frame, recipients="a") != [None, None]) == shown


def test_own_rows_of_one_kind_do_not_open_the_other():
    for own in ((1000, 0), (0, 1000), (1003, 7)):
        assert told(people(a=own, b=(60, 9)), recipients="h") == [None, None]
        assert told(people(a=own, b=(9, 60)), recipients="a") == [None, None]


def test_own_rows_move_the_rounded_count_by_no_more_than_rounding():
    """Whatever an owner adds of its own, the others' count that it works out stays within two of the true one."""
    for own in range(10, 40):
        shown, _ = told(people(a=(own, 50), b=(23, 30)), recipients="a")
        assert abs(shown - own - 23) <= 2


def test_with_four_owners_any_two_may_subtract_together():
    assert told(people(a=(50, 50), b=(50, 50), c=(5, 5), d=(5, 5))) == [110, 110]
    assert told(people(a=(50, 50), b=(50, 50), c=(5, 5), d=(4, 5))) == [None, None]


def test_a_filter_that_all_or_none_match_is_not_told():
    assert told(people(a=(50, 0), b=(50, 0))) == told(people(a=(0, 50), b=(0, 50))) == [None, None]
