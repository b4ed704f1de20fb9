"""How a model did: the layouts of a prediction and of own against pooled data, and a plain table for all else.

What a figure is, its label says: ``MODEL: AUROC``. A layout is taken where every label has one of its forms.
"""

import re
from collections.abc import Callable, Mapping

from protocol.documents.outputs import Metrics
from sealroom.report.performance import performance_notes, tested_on
from sealroom.report.prediction import PREDICTION, prediction_section
from sealroom.report.section import Context, Section, Table, with_interval
from sealroom.report.uplift import POOLED, UPLIFT, pooled_section, uplift_section

__all__ = ["metrics_section"]

LAYOUTS: Mapping[re.Pattern[str], Callable[[Metrics, Context], Section]] = {
    PREDICTION: prediction_section,
    UPLIFT: uplift_section,
    POOLED: pooled_section,
}


def metrics_section(value: Metrics, context: Context) -> Section:
    """Lay figures out by what their labels say."""
    labels = [context.labels[entry.label] for entry in value.entries]
    for form, layout in LAYOUTS.items():
        if all(form.fullmatch(label) for label in labels):
            return layout(value, context)
    rows = tuple((label, with_interval(entry)) for label, entry in zip(labels, value.entries, strict=True))
    table = Table(("Figure", "Value (95 % interval)"), rows, frozenset({1}))
    return Section(
        context.name, "Model performance", tested_on(value, context), (table,), notes=performance_notes(value, context)
    )
