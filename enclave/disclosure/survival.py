"""Survival curves: points of the declared grid, merged until enough subjects have left, ended when too few are left.

Between two released times t1 < t2 the recipients see a difference of two survivals and of two numbers at risk. Behind
the one are those with t1 < time <= t2, behind the other those with t1 <= time < t2. Both must be k subjects by safe
count, or the point is left out and the interval merges with the next one. The curve ends at the first time at which
fewer than k subjects are at risk. A point by which all of a group, or nobody, had the event is left out too: it would
tell the same of everybody.
"""

from enclave.analyses.results import RawCurve, RawPoint, RawSurvival, Support
from enclave.disclosure.rounding import decimals, midpoint
from enclave.disclosure.support import Coalitions, safe_count
from protocol.documents.outputs import SurvivalCurve, SurvivalGroup, SurvivalPoint
from protocol.presets import GatePreset

__all__ = ["DECIMALS", "release_survival"]

DECIMALS = 2


def release_survival(raw: RawSurvival, preset: GatePreset, against: Coalitions) -> SurvivalCurve:
    """Return the curves as they may leave; a group of which nothing may leave has no points."""
    first_time = len(raw.curves)
    return SurvivalCurve(
        groups=tuple(
            SurvivalGroup(label=label, points=_points(curve, first_time, preset, against))
            for label, curve in enumerate(raw.curves)
        )
    )


def _points(curve: RawCurve, first_time: int, preset: GatePreset, against: Coalitions) -> tuple[SurvivalPoint, ...]:
    released: list[SurvivalPoint] = []
    gone_before, gone_by = Support({}), Support({})
    for index, point in enumerate(curve.points):
        if safe_count(point.at_risk, against) < preset.k:
            break
        before = curve.subjects.minus(point.at_risk)
        left_interval = min(
            safe_count(before.minus(gone_before), against), safe_count(point.left.minus(gone_by), against)
        )
        if left_interval < preset.k or not 0 < point.survival < 1:
            continue
        gone_before, gone_by = before, point.left
        released.append(_point(first_time + index, point))
    return tuple(released)


def _point(label: int, point: RawPoint) -> SurvivalPoint:
    return SurvivalPoint(
        label=label, survival=decimals(point.survival, DECIMALS), at_risk=midpoint(point.at_risk.total)
    )
