import lung
import pytest

from enclave.analyses.results import RawCell, RawCounts, Support
from enclave.disclosure.counts import release_counts
from enclave.disclosure.support import coalitions
from protocol.presets import PRESETS

A, B, C = (lung.OWNERS[slot] for slot in "abc")
AGAINST = coalitions([A, B, C], (A, B, C))


def table(*cells, preset="sacro"):
    raw = RawCounts(tuple(RawCell(f"cell {number}", support) for number, support in enumerate(cells)))
    return release_counts(raw, PRESETS[preset], AGAINST)


def cell(a, b, c):
    return Support({A: a, B: b, C: c})


def test_a_cell_leaves_rounded_if_ten_are_left_without_the_largest():
    assert table(cell(5, 5, 50)).cells[0].count == 60
    assert table(cell(4, 5, 50)).cells[0].count is None


def test_the_total_is_of_rounded_cells():
    released = table(cell(11, 11, 11), cell(10, 10, 11), cell(12, 10, 10))
    assert [item.count for item in released.cells] == [35, 30, 30]
    assert released.total == 95
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


def test_of_a_part_with_a_small_cell_nothing_is_told():
    released = table(cell(11, 11, 11), cell(9, 0, 0), cell(12, 10, 10))
    assert [item.count for item in released.cells] == [None, None, None]
    assert released.total == 0


def test_parts_are_judged_by_themselves():
    cells = [(cell(11, 11, 11), "sex"), (cell(1, 1, 1), "thal"), (cell(12, 12, 12), "sex"), (cell(20, 20, 20), "thal")]
    raw = RawCounts(tuple(RawCell(str(place), support, part) for place, (support, part) in enumerate(cells)))
    released = release_counts(raw, PRESETS["sacro"], AGAINST)
    assert [item.count for item in released.cells] == [35, None, 35, None]
    assert released.total == 70


@pytest.mark.parametrize(("rest", "shown"), [(cell(5, 5, 50), True), (cell(4, 5, 50), False), (cell(0, 0, 0), False)])
def test_the_rest_is_a_cell_that_the_table_tells(rest, shown):
    parts = (RawCell("one", cell(11, 11, 11), "one"), RawCell("two", cell(11, 11, 11), "two"))
    released = release_counts(RawCounts(parts, rest), PRESETS["sacro"], AGAINST)
    assert [item.count for item in released.cells] == ([35, 35] if shown else [None, None])
