import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.canonical import canonical_bytes
from protocol.documents.outputs import (
    CountCell,
    CountTable,
    Refusal,
    Regression,
    ReleasedOutput,
    SurvivalCurve,
    SurvivalGroup,
    SurvivalPoint,
    Term,
)
from protocol.errors import DocumentError
from protocol.padding import MAX_PADDED, MIN_PADDED, pad, size_class, unpad

LONGEST = "-999999999999999999.999999999999999999"
MOST = 2**53 - 1
NAME = "n" * 64


def encoded(value) -> int:
    return len(canonical_bytes(ReleasedOutput(output=NAME, value=value).model_dump(mode="json"))) + 4


@given(st.binary(max_size=MIN_PADDED - 4))
def test_what_is_padded_comes_back(data):
    assert unpad(pad(data, MIN_PADDED), MIN_PADDED) == data
    assert len(pad(data, MIN_PADDED)) == MIN_PADDED


@pytest.mark.parametrize("labels", [1, 4, 100, 4000])
def test_the_longest_counts_fit(labels):
    cells = tuple(CountCell(label=9_999, count=MOST) for _ in range(labels))
    assert encoded(CountTable(cells=cells, total=MOST)) <= size_class("counts", labels)


@pytest.mark.parametrize("labels", [1, 3, 100, 1000])
def test_the_longest_regression_fits(labels):
    terms = tuple(Term(label=999, coefficient=LONGEST, standard_error=LONGEST, p=LONGEST) for _ in range(labels))
    assert encoded(Regression(subjects=MOST, events=MOST, terms=terms)) <= size_class("regression", labels)


@pytest.mark.parametrize(("groups", "times"), [(1, 1), (2, 5), (1, 60), (50, 50), (50, 200)])
def test_the_longest_survival_curve_fits(groups, times):
    point = SurvivalPoint(label=249, survival="0.99", at_risk=2**31)
    curve = SurvivalCurve(groups=tuple(SurvivalGroup(label=9, points=(point,) * times) for _ in range(groups)))
    assert encoded(curve) <= size_class("survival", groups + times)


def test_classes_grow_with_the_labels_and_a_refusal_fits_the_smallest():
    for kind in ("counts", "regression", "test", "survival"):
        sizes = [size_class(kind, labels) for labels in range(1, 10_001, 7)]
        assert sizes == sorted(sizes)
        assert all(size == MAX_PADDED or size & (size - 1) == 0 for size in sizes)
        assert sizes[0] == MIN_PADDED
        assert sizes[-1] <= MAX_PADDED
    assert size_class("survival", 10_000) == MAX_PADDED
    assert encoded(Refusal(refusal="INTERNAL")) <= MIN_PADDED


def test_too_long_to_pad():
    with pytest.raises(DocumentError, match="SIZE: Found 4093 bytes to pad; at most 4092"):
        pad(b"x" * 4093, MIN_PADDED)


GOOD = pad(b"abc", MIN_PADDED)


@pytest.mark.parametrize(
    ("padded", "size"),
    [
        (b"", MIN_PADDED),
        (b"", 0),
        (GOOD[:-1], MIN_PADDED),
        (GOOD + b"\x00", MIN_PADDED),
        (GOOD, 2 * MIN_PADDED),
        (GOOD[:-1] + b"\x01", MIN_PADDED),
        (GOOD[:8] + b"\x01" + GOOD[9:], MIN_PADDED),
        (b"\xff" + GOOD[1:], MIN_PADDED),
        (b"\x00\x00\x10\x00" + GOOD[4:], MIN_PADDED),
    ],
)
def test_any_other_padding_is_refused(padded, size):
    with pytest.raises(DocumentError, match="PADDING"):
        unpad(padded, size)
