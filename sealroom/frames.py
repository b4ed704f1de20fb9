"""Released outputs as pandas DataFrames, with the contract's words in place of label numbers.

========== ====================================================================================================
Type       Columns
========== ====================================================================================================
counts     label, count (pandas ``Int64``, missing where suppressed)
regression term, coefficient, standard_error, hazard_ratio* or odds_ratio*, lower_95*, upper_95*, p (text: a number or
           ``<0.001``); of a difference the bounds only
test       test, statistic, df, p
survival   group, time, survival, at_risk
means      cell, subjects, mean, sd (missing where suppressed)
metrics    figure, value, lower_95, upper_95 (missing where suppressed)
hits       variant (its place in the catalogue, from 0), effect, log10p (minus the logarithm of p); where the
           catalogue was given also chromosome, position (missing where unknown), identifier, counted_allele,
           other_allele
refused    refusal
========== ====================================================================================================

Columns with * are computed here from the released, rounded coefficient and standard error: exp(b), exp(b - 1.96 se),
exp(b + 1.96 se).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import singledispatch
from statistics import NormalDist
from typing import Any

import pandas as pd

from protocol.catalogue import Variant
from protocol.documents.outputs import (
    CountTable,
    Effect,
    Hits,
    Means,
    Metrics,
    Refusal,
    Regression,
    ReleasedOutput,
    SurvivalCurve,
    Term,
    TestStatistic,
)
from protocol.documents.study import ContractOutput
from sealroom.labels import spoken

__all__ = ["Interval", "difference_text", "frame_of", "interval_of", "ratio_text", "text_frame_of"]

Z_95 = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class Interval:
    """A ratio (hazard or odds), or a difference, with its 95 % Wald interval."""

    ratio: float
    lower: float
    upper: float


def interval_of(term: Term, effect: Effect) -> Interval:
    """Return b, b - 1.96 s, b + 1.96 s of a released coefficient b with standard error s; of ratios, exponentiated.

    Values beyond floating point are infinity, not an error.
    """
    coefficient, error = float(term.coefficient), float(term.standard_error)
    scale = float if effect == "difference" else _exp
    return Interval(scale(coefficient), scale(coefficient - Z_95 * error), scale(coefficient + Z_95 * error))


def frame_of(
    released: ReleasedOutput, agreed: ContractOutput, variants: Mapping[int, Variant] | None = None
) -> pd.DataFrame:
    """Return an output as a table; ``agreed`` is the contract's entry, whose labels it is read with.

    ``variants`` of the catalogue, by place, are put to the hits that name them.
    """
    columns = _columns(released.value, agreed.labels)
    if variants and isinstance(released.value, Hits):
        columns |= _variant_columns(released.value, variants)
    return pd.DataFrame(columns)


def _variant_columns(value: Hits, variants: Mapping[int, Variant]) -> dict[str, Any]:
    found = [variants[hit.variant] for hit in value.entries]
    return {
        "chromosome": [variant.chromosome for variant in found],
        "position": pd.array([variant.position or None for variant in found], dtype="Int64"),
        "identifier": [variant.identifier for variant in found],
        "counted_allele": [variant.first for variant in found],
        "other_allele": [variant.second for variant in found],
    }


@singledispatch
def _columns(value: object, labels: tuple[str, ...]) -> dict[str, Any]:
    raise TypeError(type(value), labels)


@_columns.register
def _(value: Refusal, labels: tuple[str, ...]) -> dict[str, Any]:
    del labels
    return {"refusal": [value.refusal]}


@_columns.register
def _(value: CountTable, labels: tuple[str, ...]) -> dict[str, Any]:
    return {
        "label": [labels[cell.label] for cell in value.cells],
        "count": pd.array([cell.count for cell in value.cells], dtype="Int64"),
    }


@_columns.register
def _(value: TestStatistic, labels: tuple[str, ...]) -> dict[str, Any]:
    return {"test": [labels[value.label]], "statistic": [float(value.statistic)], "df": [value.df], "p": [value.p]}


@_columns.register
def _(value: Means, labels: tuple[str, ...]) -> dict[str, Any]:
    return {
        "cell": [labels[cell.label] for cell in value.cells],
        "subjects": pd.array([cell.subjects for cell in value.cells], dtype="Int64"),
        "mean": [_number(cell.mean) for cell in value.cells],
        "sd": [_number(cell.sd) for cell in value.cells],
    }


@_columns.register
def _(value: Metrics, labels: tuple[str, ...]) -> dict[str, Any]:
    return {
        "figure": [labels[entry.label] for entry in value.entries],
        "value": [_number(entry.value) for entry in value.entries],
        "lower_95": [_number(entry.lower) for entry in value.entries],
        "upper_95": [_number(entry.upper) for entry in value.entries],
    }


@_columns.register
def _(value: Hits, labels: tuple[str, ...]) -> dict[str, Any]:
    del labels
    return {
        "variant": [hit.variant for hit in value.entries],
        "effect": [float(hit.effect) for hit in value.entries],
        "log10p": [hit.log10p for hit in value.entries],
    }


def text_frame_of(
    released: ReleasedOutput, agreed: ContractOutput, variants: Mapping[int, Variant] | None = None
) -> pd.DataFrame:
    """Return an output as a table to be read: decimals as they were released, ratios to three significant digits."""
    shown = agreed.model_copy(update={"labels": spoken(agreed.labels, agreed.type)})
    frame, value = frame_of(released, shown, variants), released.value
    match value:
        case Regression():
            written = difference_text if value.effect == "difference" else ratio_text
            ratios = {
                name: frame[name].map(written)
                for name in ("hazard_ratio", "odds_ratio", "lower_95", "upper_95")
                if name in frame
            }
            frame = frame.assign(
                coefficient=[term.coefficient for term in value.terms],
                standard_error=[term.standard_error for term in value.terms],
                **ratios,
            )
        case TestStatistic():
            frame = frame.assign(statistic=value.statistic)
        case SurvivalCurve():
            frame = frame.assign(survival=[point.survival for group in value.groups for point in group.points])
        case Means():
            frame = frame.assign(
                mean=[cell.mean or "" for cell in value.cells], sd=[cell.sd or "" for cell in value.cells]
            )
        case Metrics():
            frame = frame.assign(
                value=[entry.value or "" for entry in value.entries],
                lower_95=[entry.lower or "" for entry in value.entries],
                upper_95=[entry.upper or "" for entry in value.entries],
            )
        case Hits():
            frame = frame.assign(effect=[hit.effect for hit in value.entries])
        case CountTable() | Refusal():
            pass
    return frame


def ratio_text(value: float) -> str:
    """Write a ratio to three significant digits, without exponents where that is readable."""
    if not math.isfinite(value):
        return "∞"
    if value == 0 or not 0.001 <= value < 1000:  # noqa: PLR2004 - beyond this, decimals are harder to read than powers
        return f"{value:.2e}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(value)))}f}"


def difference_text(value: float) -> str:
    """Write a difference to three significant digits, without exponents where that is readable.

    >>> [difference_text(value) for value in (-0.012345, 1234.5, 0.0, -2e9)]
    ['-0.0123', '1230', '0', '-2.00e+09']
    """
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else f"{'-' if value < 0 else ''}∞"
    if 1000 <= abs(value) < 1e6:  # noqa: PLR2004 - whole numbers up to here are read without an exponent
        return f"{float(f'{value:.3g}'):.0f}"
    return f"{'-' if value < 0 else ''}{ratio_text(abs(value))}"


@_columns.register
def _(value: Regression, labels: tuple[str, ...]) -> dict[str, Any]:
    intervals = [interval_of(term, value.effect) for term in value.terms]
    ratios = {value.effect.replace(" ", "_"): [interval.ratio for interval in intervals]}
    return {
        "term": [labels[term.label] for term in value.terms],
        "coefficient": [float(term.coefficient) for term in value.terms],
        "standard_error": [float(term.standard_error) for term in value.terms],
        **({} if value.effect == "difference" else ratios),
        "lower_95": [interval.lower for interval in intervals],
        "upper_95": [interval.upper for interval in intervals],
        "p": [term.p for term in value.terms],
    }


@_columns.register
def _(value: SurvivalCurve, labels: tuple[str, ...]) -> dict[str, Any]:
    rows = [(group.label, point) for group in value.groups for point in group.points]
    return {
        "group": [labels[group] for group, _ in rows],
        "time": [labels[point.label] for _, point in rows],
        "survival": [float(point.survival) for _, point in rows],
        "at_risk": [point.at_risk for _, point in rows],
    }


def _number(text: str | None) -> float:
    return math.nan if text is None else float(text)


def _exp(exponent: float) -> float:
    try:
        return math.exp(exponent)
    except OverflowError:
        return math.inf
