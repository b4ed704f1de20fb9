import lung
import pytest

from enclave.analyses.results import RawCell, RawCounts, Support
from enclave.disclosure.counts import has_suppressed_cells, release_counts
from enclave.disclosure.linkage import refuse_linked
from enclave.disclosure.support import coalitions
from protocol.documents.outputs import (
    Refusal,
    Regression,
    SurvivalCurve,
    SurvivalGroup,
    SurvivalPoint,
    Term,
    TestStatistic,
)
from protocol.presets import PRESETS

A, B, C = (lung.OWNERS[slot] for slot in "abc")
AGAINST = coalitions([A, B, C], (A, B, C))


def table(*cells, preset="sacro"):
    raw = RawCounts(tuple(RawCell(f"cell {number}", support) for number, support in enumerate(cells)))
    return release_counts(raw, PRESETS[preset], AGAINST)


def cell(a, b, c):
    return Support({A: a, B: b, C: c})


def test_a_cell_leaves_rounded_if_ten_are_left_without_the_largest():
    released = table(cell(5, 5, 50), cell(4, 5, 50))
    assert [item.count for item in released.cells] == [60, None]
    assert released.total == 60


def test_the_total_is_of_released_cells_only():
    released = table(cell(11, 11, 11), cell(9, 0, 0), cell(12, 10, 10))
    assert [item.count for item in released.cells] == [35, None, 30]
    assert released.total == 65
    assert [item.label for item in released.cells] == [0, 1, 2]


@pytest.mark.parametrize("preset", PRESETS)
def test_zero_is_suppressed_under_every_preset(preset):
    assert table(cell(0, 0, 0), preset=preset).cells[0].count is None


def test_presets_differ():
    released = {name: table(cell(5, 5, 5), preset=name).cells[0].count for name in PRESETS}
    assert released == {
        "sacro": 15,
        "uk-llc": 15,
        "cms": None,
        "all-of-us": None,
        "opensafely": 15,
        "uk-biobank": 15,
    }


def regression():
    return Regression(
        subjects=100, events=50, terms=(Term(label=0, coefficient="1.000", standard_error="1.000", p="0.32"),)
    )


def test_a_table_with_a_suppressed_cell_is_refused_beside_a_regression():
    counts = table(cell(11, 11, 11), cell(1, 1, 1))
    assert has_suppressed_cells(counts)
    linked = refuse_linked({"cox": regression(), "subjects": counts})
    assert linked == {"cox": regression(), "subjects": Refusal(refusal="POLICY")}


def curve(points):
    return SurvivalCurve(groups=(SurvivalGroup(label=0, points=()), SurvivalGroup(label=1, points=points)))


POINT = SurvivalPoint(label=2, survival="0.85", at_risk=117)


@pytest.mark.parametrize(
    "beside",
    [curve((POINT,)), table(cell(11, 11, 11)), table(cell(1, 1, 1), cell(20, 20, 20))],
    ids=["curve", "table", "table with a suppressed cell"],
)
def test_a_table_with_a_suppressed_cell_is_refused_beside_whatever_tells_a_count(beside):
    linked = refuse_linked({"other": beside, "subjects": table(cell(11, 11, 11), cell(1, 1, 1))})
    assert linked["subjects"] == Refusal(refusal="POLICY")


def test_a_table_with_a_suppressed_cell_may_stand_beside_what_tells_no_count():
    outputs = {
        "subjects": table(cell(11, 11, 11), cell(1, 1, 1)),
        "kaplan-meier": curve(()),
        "log-rank": TestStatistic(label=0, statistic="10.33", df=1, p="0.0013"),
    }
    assert refuse_linked(outputs) == outputs


def test_a_whole_table_may_stand_beside_a_regression():
    outputs = {"cox": regression(), "subjects": table(cell(11, 11, 11))}
    assert refuse_linked(outputs) == outputs


def test_a_table_with_a_suppressed_cell_may_stand_alone():
    outputs = {"subjects": table(cell(11, 11, 11), cell(1, 1, 1)), "cox": Refusal(refusal="POLICY")}
    assert refuse_linked(outputs) == outputs
