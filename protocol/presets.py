"""The presets of the output gate, and which of several is the strictest."""

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
    zeros_suppressed: bool
    source: str


PRESETS: dict[Preset, GatePreset] = {
    preset.name: preset
    for preset in (
        GatePreset("sacro", 10, 5, zeros_suppressed=False, source="SACRO / ABS: below 10"),
        GatePreset("uk-llc", 10, 5, zeros_suppressed=True, source="UK LLC: below 10, zeros too"),
        GatePreset("cms", 11, 5, zeros_suppressed=False, source="CMS: 1-10"),
        GatePreset("all-of-us", 21, 5, zeros_suppressed=False, source="All of Us: 1-20"),
        GatePreset("opensafely", 8, 5, zeros_suppressed=False, source="OpenSAFELY / NHS: 1-7, then round to 5"),
        GatePreset("uk-biobank", 5, 5, zeros_suppressed=False, source="UK Biobank: minimum 5"),
    )
}


def strictest(names: Iterable[Preset]) -> Preset:
    """Return the preset with the largest k; among equals the one that suppresses zeros."""
    return max((PRESETS[name] for name in names), key=lambda preset: (preset.k, preset.zeros_suppressed)).name
