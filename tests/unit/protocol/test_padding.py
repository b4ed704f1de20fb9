import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import DocumentError
from protocol.padding import MAX_PADDED, SIZE_CLASS, pad, unpad


@given(st.binary(max_size=3000))
def test_what_is_padded_comes_back(data):
    assert unpad(pad(data)) == data


@pytest.mark.parametrize(
    ("length", "classes"),
    [(0, 1), (1, 1), (SIZE_CLASS - 4, 1), (SIZE_CLASS - 3, 2), (2 * SIZE_CLASS - 4, 2), (MAX_PADDED - 4, 15)],
)
def test_sizes_are_whole_classes(length, classes):
    padded = pad(b"x" * length)
    assert len(padded) == classes * SIZE_CLASS
    assert unpad(padded) == b"x" * length


def test_short_outputs_all_have_one_size():
    assert {len(pad(b"y" * length)) for length in range(0, SIZE_CLASS - 4, 4999)} == {SIZE_CLASS}


def test_too_long_to_pad():
    with pytest.raises(DocumentError, match="SIZE: Found 983037 bytes"):
        pad(b"x" * (MAX_PADDED - 3))


@pytest.mark.parametrize(
    "padded",
    [
        b"",
        b"\x00" * (SIZE_CLASS - 1),
        b"\x00" * (SIZE_CLASS + 1),
        b"\x00" * (MAX_PADDED + SIZE_CLASS),
        pad(b"abc")[:-1] + b"\x01",
        pad(b"abc")[:8] + b"\x01" + pad(b"abc")[9:],
        b"\xff" + pad(b"abc")[1:],
        b"\x00\x01\x00\x00" + pad(b"abc")[4:],
        pad(b"abc") + b"\x00" * SIZE_CLASS,
    ],
    ids=["empty", "short", "odd", "huge", "last", "next", "length", "beyond", "class"],
)
def test_any_other_padding_is_refused(padded):
    with pytest.raises(DocumentError, match="PADDING"):
        unpad(padded)
