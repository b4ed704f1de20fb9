"""The contract's labels as people read them: a word for the code of a unit, which is what is signed."""

import re

from protocol.documents.study import OutputType

__all__ = ["WORDS", "shortened", "spoken"]

WORDS = {"a": "year", "mo": "month", "wk": "week", "d": "day", "h": "hour", "1": "unit", "/min": "1/min"}
"""Common codes of UCUM; others are shown as they are."""
_PER_UNIT = re.compile(r"(?<= \(per )[^()]+(?=\)$)")
_IN_UNIT = re.compile(r"(?<= \()(?:a|mo|wk|d|h)(?=\)$)")


MOST_LABELS = 12


def shortened(labels: tuple[str, ...], kind: OutputType) -> str:
    """Name the first labels of an output, and how many more there are."""
    rest = f" and {len(labels) - MOST_LABELS} more" if len(labels) > MOST_LABELS else ""
    return "; ".join(spoken(labels[:MOST_LABELS], kind)) + rest


def spoken(labels: tuple[str, ...], kind: OutputType) -> tuple[str, ...]:
    """Return labels with a word for the unit at their end: of a coefficient, or of a mean.

    >>> spoken(("age (per a)", "weight (per kg)"), "regression")
    ('age (per year)', 'weight (per kg)')
    >>> spoken(("sex: male, age (a)", "sex: male, chol (mg/dL)"), "means")
    ('sex: male, age (years)', 'sex: male, chol (mg/dL)')
    """
    if kind == "means":
        return tuple(_IN_UNIT.sub(lambda unit: f"{WORDS[unit[0]]}s", label) for label in labels)
    return tuple(_PER_UNIT.sub(lambda unit: WORDS.get(unit[0], unit[0]), label) for label in labels)
