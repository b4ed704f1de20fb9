import lung

from enclave.analyses.results import RawCell, RawCounts, Support
from enclave.disclosure.counts import has_suppressed_cells, release_counts
from enclave.disclosure.linkage import refuse_linked
from enclave.disclosure.support import coalitions
from protocol.documents.outputs import Refusal, Regression, Term
from protocol.presets import PRESETS

A, B, C = (lung.OWNERS[slot] for slot in "abc")
AGAINST = coalitions([A, B, C], (A, B, C))


def table(*cells, preset="sacro"):
    raw = RawCounts(
        tuple(RawCell(f"cell {number}", support, structural) for number, (support, structural) in enumerate(cells))
    )
    return release_counts(raw, PRESETS[preset], AGAINST)


def cell(a, b, c, structural=False):
    return Support({A: a, B: b, C: c}), structural


def test_a_cell_leaves_rounded_if_ten_are_left_without_the_largest():
    released = table(cell(5, 5, 50), cell(4, 5, 50))
    assert [item.count for item in released.cells] == [60, None]
    assert released.total == 60


def test_the_total_is_of_released_cells_only():
    released = table(cell(11, 11, 11), cell(9, 0, 0), cell(12, 10, 10))
    assert [item.count for item in released.cells] == [35, None, 30]
    assert released.total == 65
    assert [item.label for item in released.cells] == [0, 1, 2]


def test_zero_is_suppressed_like_any_small_cell():
    assert table(cell(0, 0, 0)).cells[0].count is None


def test_a_structural_zero_is_told():
    assert table(cell(0, 0, 0, structural=True)).cells[0].count == 0


def test_a_structural_zero_is_suppressed_where_zeros_are():
    assert table(cell(0, 0, 0, structural=True), preset="uk-llc").cells[0].count is None


def test_what_is_called_structural_and_is_not_zero_gets_no_favour():
    assert table(cell(1, 0, 0, structural=True)).cells[0].count is None


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


def test_a_whole_table_may_stand_beside_a_regression():
    outputs = {"cox": regression(), "subjects": table(cell(11, 11, 11))}
    assert refuse_linked(outputs) == outputs


def test_a_table_with_a_suppressed_cell_may_stand_alone():
    outputs = {"subjects": table(cell(11, 11, 11), cell(1, 1, 1)), "cox": Refusal(refusal="POLICY")}
    assert refuse_linked(outputs) == outputs
