"""Rounding: from full precision to what is released, by exact decimal arithmetic on the shortest form of the float."""

import math
from decimal import ROUND_HALF_EVEN, Context, Decimal

from protocol.documents.outputs import PValue
from protocol.errors import DisclosureRefused

__all__ = ["decimals", "midpoint", "p_value", "significant", "to_base"]

_CONTEXT = Context(prec=60, rounding=ROUND_HALF_EVEN)
_MOST_DECIMALS = 18
_LARGEST = Decimal(10) ** 18
_SMALLEST_P = Decimal("0.001")
_P_DIGITS = 2
_MIDPOINT_BASE = 6


def significant(value: float, digits: int) -> str:
    """Round to significant digits.

    >>> significant(0.0110667645600735, 4), significant(9.9996, 4), significant(123456.0, 4)
    ('0.01107', '10.00', '123500')

    Below 1e-18 the released form holds no digit, so fewer digits, down to "0", are kept there.

    Raises
    ------
    DisclosureRefused
        ``NOT_FINITE`` for NaN and infinity, ``MAGNITUDE`` for 1e18 and beyond.
    """
    exact = _exact(value)
    rounded = _quantise(exact, max(exact.adjusted() - digits + 1, -_MOST_DECIMALS))
    if not rounded:
        return "0"
    # Rounding may have carried into a new leading digit: 9.9996 is 10.00 at four digits, not 10.000.
    return _text(_quantise(rounded, max(rounded.adjusted() - digits + 1, -_MOST_DECIMALS)))


def decimals(value: float, places: int) -> str:
    """Round to decimal places: ``decimals(0.847826, 2) == "0.85"``; errors as ``significant``."""
    return _text(_quantise(_exact(value), -places))


def p_value(value: float) -> PValue:
    """Round a p value to two digits, or say "<0.001"; outside 0 to 1 it is refused as ``NOT_FINITE``."""
    exact = _exact(value)
    if not 0 <= exact <= 1:
        raise DisclosureRefused("NOT_FINITE", "A p value lies outside 0 to 1.")
    return "<0.001" if exact < _SMALLEST_P else significant(value, _P_DIGITS)


def to_base(count: int, base: int) -> int:
    """Round a count to the nearest multiple of ``base``; halves go up."""
    return (2 * count + base) // (2 * base) * base


def midpoint(count: int) -> int:
    """Round a count to the middle of its six; 0 stays 0 (OpenSAFELY's midpoint 6).

    >>> [midpoint(count) for count in (0, 1, 6, 7, 12, 117)]
    [0, 3, 3, 9, 9, 117]
    """
    return -(-count // _MIDPOINT_BASE) * _MIDPOINT_BASE - _MIDPOINT_BASE // 2 if count else 0


def _exact(value: float) -> Decimal:
    if not math.isfinite(value):
        raise DisclosureRefused("NOT_FINITE", "A number is not finite.")
    return _bounded(Decimal(repr(float(value))))


def _bounded(number: Decimal) -> Decimal:
    if abs(number) >= _LARGEST:
        raise DisclosureRefused("MAGNITUDE", "A number is too large to be released.")
    return number


def _quantise(exact: Decimal, exponent: int) -> Decimal:
    return exact.quantize(Decimal((0, (1,), exponent)), context=_CONTEXT)


def _text(rounded: Decimal) -> str:
    return f"{_bounded(rounded) or abs(rounded):f}"  # a zero has no sign
