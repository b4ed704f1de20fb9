import math

import pytest

from enclave.disclosure.rounding import decimals, midpoint, p_value, significant, to_base
from protocol.errors import DisclosureRefused


@pytest.mark.parametrize(
    ("value", "digits", "wanted"),
    [
        (0.0110667645600735, 4, "0.01107"),
        (-0.552612395703631, 4, "-0.5526"),
        (10.3267419548856, 4, "10.33"),
        (9.75954678240596, 4, "9.760"),
        (0.5, 4, "0.5000"),
        (1.0, 4, "1.000"),
        (123456.0, 4, "123500"),
        (99995.0, 4, "100000"),
        (9.9996, 4, "10.00"),
        (0.99996, 4, "1.000"),
        (0.00099995, 4, "0.001000"),
        (2.5, 1, "2"),
        (3.5, 1, "4"),
        (1234.5, 4, "1234"),
        (1235.5, 4, "1236"),
        (0.0, 4, "0"),
        (-0.0, 4, "0"),
        (5e-324, 4, "0"),
        (-1e-30, 4, "0"),
        (1.23456e-15, 4, "0.000000000000001235"),
        (1.23456e-17, 4, "0.000000000000000012"),
        (1.23456e17, 4, "123500000000000000"),
        (7, 2, "7.0"),
    ],
)
def test_significant_digits(value, digits, wanted):
    assert significant(value, digits) == wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (0.847826086956522, "0.85"),
        (0.0781240912670194, "0.08"),
        (0.125, "0.12"),
        (0.135, "0.14"),
        (1.0, "1.00"),
        (0.001, "0.00"),
        (-0.001, "0.00"),
        (-0.0, "0.00"),
    ],
)
def test_decimals(value, wanted):
    assert decimals(value, 2) == wanted


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("rounding", [lambda x: significant(x, 4), lambda x: decimals(x, 2), p_value])
def test_what_is_not_finite_is_refused(value, rounding):
    with pytest.raises(DisclosureRefused) as caught:
        rounding(value)
    assert caught.value.code == "NOT_FINITE"


@pytest.mark.parametrize("value", [1e18, -1e300, 9.9999e17])
def test_what_does_not_fit_is_refused(value):
    with pytest.raises(DisclosureRefused) as caught:
        significant(value, 4)
    assert caught.value.code == "MAGNITUDE"


def test_decimals_of_what_does_not_fit_are_refused():
    with pytest.raises(DisclosureRefused) as caught:
        decimals(1e300, 2)
    assert caught.value.code == "MAGNITUDE"


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (0.232415680999612, "0.23"),
        (0.00131116452035549, "0.0013"),
        (0.000986051372138453, "<0.001"),
        (0.001, "0.0010"),
        (0.000999999, "<0.001"),
        (0.0, "<0.001"),
        (0.996, "1.0"),
        (1.0, "1.0"),
        (0.05, "0.050"),
    ],
)
def test_p_values(value, wanted):
    assert p_value(value) == wanted


@pytest.mark.parametrize("value", [-0.1, 1.0000001])
def test_no_probability_is_refused(value):
    with pytest.raises(DisclosureRefused):
        p_value(value)


def test_counts_to_the_nearest_five():
    assert [to_base(count, 5) for count in (0, 2, 3, 7, 8, 112, 113, 227)] == [0, 0, 5, 5, 10, 110, 115, 225]


def test_counts_to_the_nearest_even_base_go_up():
    assert [to_base(count, 10) for count in (4, 5, 14, 15)] == [0, 10, 10, 20]


def test_midpoint_six():
    assert [midpoint(count) for count in (0, 1, 6, 7, 12, 13, 117, 89, 35)] == [0, 3, 3, 9, 9, 15, 117, 87, 33]
