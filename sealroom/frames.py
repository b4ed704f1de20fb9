"""Released outputs as pandas DataFrames, with the contract's words in place of label numbers.

========== ====================================================================================================
Type       Columns
========== ====================================================================================================
counts     label, count (pandas ``Int64``, missing where suppressed)
regression term, coefficient, standard_error, hazard_ratio*, lower_95*, upper_95*, p (text: a number or ``<0.001``)
test       test, statistic, df, p
survival   group, time, survival, at_risk
refused    refusal
========== ====================================================================================================

Columns with * are computed here from the released, rounded coefficient and standard error: exp(b), exp(b - 1.96 se),
exp(b + 1.96 se).
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import pandas as pd

from protocol.documents.outputs import (
    CountTable,
    Refusal,
    Regression,
    ReleasedOutput,
    SurvivalCurve,
    Term,
    TestStatistic,
)
from protocol.documents.study import ContractOutput
from sealroom.labels import spoken

__all__ = ["Interval", "frame_of", "interval_of", "ratio_text", "text_frame_of"]

Z_95 = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class Interval:
    """A ratio (hazard or odds) with its 95 % Wald interval."""

    ratio: float
    lower: float
    upper: float


def interval_of(term: Term) -> Interval:
    """Exponentiate a released coefficient b with standard error s: exp(b), exp(b - 1.96 s), exp(b + 1.96 s).

    Values beyond floating point are infinity, not an error.
    """
    coefficient, error = float(term.coefficient), float(term.standard_error)
    return Interval(_exp(coefficient), _exp(coefficient - Z_95 * error), _exp(coefficient + Z_95 * error))


def frame_of(released: ReleasedOutput, agreed: ContractOutput) -> pd.DataFrame:
    """Return an output as a table; ``agreed`` is the contract's entry, whose labels it is read with."""
    labels, value = agreed.labels, released.value
    match value:
        case CountTable():
            return pd.DataFrame(
                {
                    "label": [labels[cell.label] for cell in value.cells],
                    "count": pd.array([cell.count for cell in value.cells], dtype="Int64"),
                }
            )
        case Regression():
            return _regression(value, labels)
        case TestStatistic():
            return pd.DataFrame(
                {
                    "test": [labels[value.label]],
                    "statistic": [float(value.statistic)],
                    "df": [value.df],
                    "p": [value.p],
                }
            )
        case SurvivalCurve():
            return _survival(value, labels)
        case Refusal():
            return pd.DataFrame({"refusal": [value.refusal]})


def text_frame_of(released: ReleasedOutput, agreed: ContractOutput) -> pd.DataFrame:
    """Return an output as a table to be read: decimals as they were released, ratios to three significant digits."""
    frame, value = frame_of(released, agreed.model_copy(update={"labels": spoken(agreed.labels)})), released.value
    match value:
        case Regression():
            ratios = {name: frame[name].map(ratio_text) for name in ("hazard_ratio", "lower_95", "upper_95")}
            frame = frame.assign(
                coefficient=[term.coefficient for term in value.terms],
                standard_error=[term.standard_error for term in value.terms],
                **ratios,
            )
        case TestStatistic():
            frame = frame.assign(statistic=value.statistic)
        case SurvivalCurve():
            frame = frame.assign(survival=[point.survival for group in value.groups for point in group.points])
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


def _regression(value: Regression, labels: tuple[str, ...]) -> pd.DataFrame:
    intervals = [interval_of(term) for term in value.terms]
    return pd.DataFrame(
        {
            "term": [labels[term.label] for term in value.terms],
            "coefficient": [float(term.coefficient) for term in value.terms],
            "standard_error": [float(term.standard_error) for term in value.terms],
            "hazard_ratio": [interval.ratio for interval in intervals],
            "lower_95": [interval.lower for interval in intervals],
            "upper_95": [interval.upper for interval in intervals],
            "p": [term.p for term in value.terms],
        }
    )


def _survival(value: SurvivalCurve, labels: tuple[str, ...]) -> pd.DataFrame:
    rows = [(group.label, point) for group in value.groups for point in group.points]
    return pd.DataFrame(
        {
            "group": [labels[group] for group, _ in rows],
            "time": [labels[point.label] for _, point in rows],
            "survival": [float(point.survival) for _, point in rows],
            "at_risk": [point.at_risk for _, point in rows],
        }
    )


def _exp(exponent: float) -> float:
    try:
        return math.exp(exponent)
    except OverflowError:
        return math.inf
