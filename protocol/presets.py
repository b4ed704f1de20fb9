"""The presets of the output gate, and which of several is the strictest.

Presets differ in k alone, so any two compare: the one with the larger k hides whatever the other hides. Their sources
differ in zeros too: UK LLC hides them, others need not. If that were a second way to be strict, a contract over CMS and
UK LLC data would have no preset as strict as both, and the larger k would undo the other's rule on zeros. So under
every preset a zero is a small count, as the strictest source has it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from protocol.documents.dataset import Preset

__all__ = ["PRESETS", "GatePreset", "strictest"]


@dataclass(frozen=True, slots=True)
class GatePreset:
    """``k``: the smallest count of distinct subjects released; ``base``: counts are rounded to multiples of it."""

    name: Preset
    k: int
    base: int
    source: str


PRESETS: dict[Preset, GatePreset] = {
    preset.name: preset
    for preset in (
        GatePreset("uk-biobank", 5, 5, "UK Biobank: minimum 5"),
        GatePreset("opensafely", 8, 5, "OpenSAFELY / NHS: 1-7, then round to 5"),
        GatePreset("sacro", 10, 5, "SACRO / ABS: below 10"),
        GatePreset("uk-llc", 10, 5, "UK LLC: below 10, zeros too"),
        GatePreset("cms", 11, 5, "CMS: 1-10"),
        GatePreset("all-of-us", 21, 5, "All of Us: 1-20"),
    )
}
"""In order of strictness: each is at least as strict as those before it."""


def strictest(names: Iterable[Preset]) -> Preset:
    """Return the preset that is at least as strict as all others: the one that stands last in ``PRESETS``."""
    return max(names, key=list(PRESETS).index)
