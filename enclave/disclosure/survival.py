"""Survival curves: points of the declared grid, merged until enough happened between them, ended when few are left.

Survival with 2 decimals times a number at risk tells a count of events, exactly in groups up to about a hundred. So the
curve is judged as the count table that it is. Between two released times t1 < t2, and before the first one,

- those with t1 < time <= t2, behind the difference of two survivals,
- those with t1 <= time < t2, behind the difference of two numbers at risk,
- those of them who had the event at t1 < time <= t2, whom the step of the curve counts,

must each be k subjects by safe count, or the point is left out and its interval merges with the next one. The curve
ends at the first time beyond which fewer than k remain: those at risk who leave on that very day hide nobody who is
left. A survival of exactly 0 or 1 cannot leave by these rules.

How many were censored between two points follows to within the rounding of the numbers at risk (THREAT_MODEL.md).
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
    gone_before, gone_by, events_by = Support({}), Support({}), Support({})
    for index, point in enumerate(curve.points):
        if safe_count(curve.subjects.minus(point.left), against) < preset.k:
            break
        before = curve.subjects.minus(point.at_risk)
        steps = (before.minus(gone_before), point.left.minus(gone_by), point.events.minus(events_by))
        if min(safe_count(step, against) for step in steps) < preset.k:
            continue
        gone_before, gone_by, events_by = before, point.left, point.events
        released.append(_point(first_time + index, point))
    return tuple(released)


def _point(label: int, point: RawPoint) -> SurvivalPoint:
    return SurvivalPoint(
        label=label, survival=decimals(point.survival, DECIMALS), at_risk=midpoint(point.at_risk.total)
    )
