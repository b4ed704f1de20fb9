"""Changes of an appraisal policy as lines; what accepts more stands first, and loud."""

from collections.abc import Iterator, Sequence

from attestation.policy_words import PolicyChange

__all__ = ["change_lines"]

_SAID = {
    "looser": "LOOSER",
    "both": "LOOSER and stricter",
    "stricter": "stricter",
    "neither": "no difference",
}


def change_lines(changes: Sequence[PolicyChange]) -> Iterator[str]:
    """Yield one line for each change, those that accept more before the others."""
    for change in sorted(changes, key=lambda item: not item.accepts_more):
        yield f"{_SAID[change.effect]}: {change.key}: {change.sentence}"
