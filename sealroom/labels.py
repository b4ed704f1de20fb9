"""The contract's labels as people read them: a word for the code of a unit, which is what is signed."""

import re

__all__ = ["spoken"]

WORDS = {"a": "year", "mo": "month", "wk": "week", "d": "day", "h": "hour", "1": "unit"}
"""Common codes of UCUM; others are shown as they are."""
_UNIT = re.compile(r"(?<= \(per )[^()]+(?=\)$)")


def spoken(labels: tuple[str, ...]) -> tuple[str, ...]:
    """Return labels with a word for the unit at their end.

    >>> spoken(("age (per a)", "weight (per kg)"))
    ('age (per year)', 'weight (per kg)')
    """
    return tuple(_UNIT.sub(lambda unit: WORDS.get(unit[0], unit[0]), label) for label in labels)
