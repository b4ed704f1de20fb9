"""Cells to whole numbers: exact, and nothing is taken that is not what it says."""

import unicodedata
from decimal import Decimal

from hypothesis import assume, given
from hypothesis import strategies as st

from protocol.canonical import MAX_INTEGER
from protocol.documents.dataset import Column, Level
from sealroom.datasets.cells import Wrong, subject_text, whole_number_of

SCALES = st.integers(0, 9)


def decimals(scale: int) -> Column:
    return Column(name="x", description="x", kind="decimal", unit="1", scale=scale, missing_allowed=True)


@given(SCALES, st.integers(-MAX_INTEGER, MAX_INTEGER))
def test_every_fixed_point_number_comes_back(scale, number):
    text = f"{Decimal(number).scaleb(-scale):f}"
    assert whole_number_of(decimals(scale), text) == number
    assert whole_number_of(decimals(scale), f" {text} ") == number


@given(SCALES, st.text(max_size=30))
def test_what_is_taken_means_the_same_as_what_was_written(scale, text):
    found = whole_number_of(decimals(scale), text)
    if isinstance(found, int):
        assert Decimal(text.strip()).scaleb(scale) == found
        assert abs(found) <= MAX_INTEGER
    elif found is None:
        assert not text.strip()
    else:
        assert found.code.startswith("VALUE_")


@given(st.integers(10**16, 10**40))
def test_numbers_beyond_the_layout_are_refused(number):
    found = whole_number_of(decimals(0), str(number))
    assert isinstance(found, Wrong)
    assert found.code in {"VALUE_RANGE", "VALUE_NUMBER"}


@given(st.decimals(-1000, 1000, places=3), st.decimals(-1000, 0, places=2), st.decimals(0, 1000, places=2))
def test_limits_hold_exactly(value, low, high):
    column = decimals(3).model_copy(update={"minimum": str(low), "maximum": str(high)})
    found = whole_number_of(column, f"{value:f}")
    assert isinstance(found, int) == (low <= value <= high)


@given(
    st.lists(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1), min_size=1, unique=True),
    st.text(),
)
def test_a_category_is_one_of_its_codes_and_nothing_else(codes, text):
    levels = tuple(Level(code=code, label=code) for code in codes)
    column = Column(name="x", description="x", kind="category", levels=levels)
    for index, code in enumerate(codes):
        assert whole_number_of(column, code) == index
    found = whole_number_of(column, text)
    assert isinstance(found, int) == (text.strip() in codes)


@given(st.text())
def test_a_subject_is_the_same_however_it_is_spelt(text):
    found = subject_text(text)
    if isinstance(found, str):
        assert subject_text(found) == found
        assert subject_text(unicodedata.normalize("NFD", text)) == found
    else:
        assert found.code == ("VALUE_CONTROL" if text.strip() else "VALUE_MISSING")


UNSEEN = st.sampled_from(["Cc", "Cf", "Zl", "Zp"]).flatmap(lambda category: st.characters(categories=[category]))


@given(st.text(min_size=1), st.characters() | UNSEEN, st.text(min_size=1))
def test_a_subject_with_a_character_that_is_not_seen_is_refused(before, character, after):
    assume(before.strip() and after.strip())
    unseen = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    found = subject_text(before.rstrip() + character + after.lstrip())
    if unicodedata.category(character) in unseen:
        assert isinstance(found, Wrong)
        assert (found.code, character in found.found) == ("VALUE_CONTROL", False)
    elif isinstance(found, str):
        assert not {unicodedata.category(kept) for kept in found} & unseen
