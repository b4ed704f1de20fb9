"""What is said of every table of a model's performance."""

from protocol.documents.outputs import Metrics
from sealroom.report.section import Context

__all__ = ["performance_notes", "tested_on"]


def tested_on(value: Metrics, context: Context) -> str:
    """Say on how many the model was tested."""
    events = "" if value.events is None else f", about {value.events:,} of them with the event"
    return f"Tested on about {value.subjects:,} {context.units}{events}."


def performance_notes(value: Metrics, context: Context) -> tuple[str, ...]:
    """Say how figures are rounded, and that some were kept back."""
    notes = [f"Figures and intervals have 3 significant digits; {context.units} are rounded to {context.preset.base}."]
    if any(entry.value is None for entry in value.entries):
        notes.append(
            "Suppressed: too few stand behind the figure, or behind what it would leave over. Plots leave it out."
        )
    return tuple(notes)
