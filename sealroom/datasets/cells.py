"""From the text of a cell to what the canonical layout holds, a whole number or bytes: exact, no floats on the way."""

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from protocol.canonical import MAX_INTEGER
from protocol.documents.dataset import Column
from protocol.layout.form import width_of

__all__ = ["MISSING", "Wrong", "bytes_of", "subject_text", "whole_number_of"]

MISSING: Final = None
SHOWN_CODES: Final = 10
_NUMBER = re.compile(r"[+-]?\d{1,18}(?:\.(\d{1,18}))?", re.ASCII)
_NUMBER_AND_MORE = re.compile(r"[+-]?\d+(?:[.,]\d+)?\s*[^\s\d.,eE+-].*", re.ASCII)
_HEX = re.compile(r"[0-9A-Fa-f]+", re.ASCII)
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Control and format characters (bidirectional marks, zero width), surrogates, separators of lines and paragraphs."""
_COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Wrong:
    """Why a cell cannot be taken."""

    code: str
    found: str
    wanted: str


def whole_number_of(column: Column, text: str) -> int | Wrong | None:
    """Return the number that stands for a cell: the value times 10^scale, the index of the level, None for missing."""
    text = text.strip()
    if not text or text in column.missing_codes:
        if column.missing_allowed:
            return MISSING
        return Wrong("VALUE_MISSING", "a missing value", "a value; the schema allows none to be missing")
    if column.kind == "category":
        for index, level in enumerate(column.levels):
            if level.code == text:
                return index
        return Wrong("VALUE_CODE", "a code that the schema does not list", f"one of {_codes(column)}")
    return _number(column, text)


def bytes_of(column: Column, text: str) -> bytes | Wrong:
    """Return the bytes that stand for a cell of bits or of a digest: two hex digits a byte.

    Bits are spelt as in chemfp's FPS format: the first byte first, and the first bit is the lowest of its byte.
    """
    text = text.strip()
    digits = 2 * width_of(column)
    if not text:
        return Wrong("VALUE_MISSING", "a missing value", f"{digits} hex digits; a {column.kind} may not be missing")
    if not _HEX.fullmatch(text):
        return Wrong("VALUE_HEX", "something that is no hex text", f"{digits} digits, 0-9 and a-f")
    if len(text) != digits:
        return Wrong("VALUE_LENGTH", f"{len(text)} hex digits", f"{digits}")
    return bytes.fromhex(text)


def subject_text(text: str) -> str | Wrong:
    """Trim and normalise a subject's id, the same way for every version of a dataset.

    An id with characters that are not seen is refused: it looks like another one and is not, so that a subject would
    stand there twice, or be missed in a partner's data.
    """
    text = unicodedata.normalize("NFC", text.strip())
    if not text:
        return Wrong("VALUE_MISSING", "a subject without an id", "an id")
    if not text.isascii() or not text.isprintable():
        for character in text:
            if unicodedata.category(character) in _UNSEEN:
                found = f"an id with the character U+{ord(character):04X}, which is not seen"
                return Wrong("VALUE_CONTROL", found, "an id without; remove it")
    return text


def _number(column: Column, text: str) -> int | Wrong:
    kind = "a whole number" if column.kind == "integer" else f"a number with at most {column.scale} decimals"
    match = _NUMBER.fullmatch(text)
    if match is None:
        return _no_number(column, text, kind)
    decimals = match.group(1) or ""
    if len(decimals.rstrip("0")) > column.scale or (column.kind == "integer" and "." in text):
        return Wrong("VALUE_DECIMALS", f"{len(decimals)} decimals", kind)
    value = Decimal(text)
    low, high = column.minimum, column.maximum
    if (low is not None and value < Decimal(low)) or (high is not None and value > Decimal(high)):
        span = f"{low if low is not None else 'any'} to {high if high is not None else 'any'} {column.unit}"
        return Wrong("VALUE_RANGE", "a number outside the schema's limits", span)
    number = int(value.scaleb(column.scale))
    if abs(number) > MAX_INTEGER:
        return Wrong("VALUE_RANGE", "a number beyond 2^53, decimals included", "a smaller one")
    return number


def _no_number(column: Column, text: str, kind: str) -> Wrong:
    if _NUMBER_AND_MORE.fullmatch(text):
        return Wrong("VALUE_UNIT", "a number with text behind it", f"{kind} in {column.unit}, without its unit")
    if _COMMA.fullmatch(text):
        return Wrong("VALUE_NUMBER", "a number with a comma", f"{kind}, with a point")
    return Wrong("VALUE_NUMBER", "something that is no plain number", kind)


def _codes(column: Column) -> str:
    codes = [level.code for level in column.levels]
    more = len(codes) - SHOWN_CODES
    return ", ".join(codes[:SHOWN_CODES]) + (f" and {more} more" if more > 0 else "")
