import lung
import pytest

from enclave.analyses.results import RawCurve, RawGroup, RawPoint, RawSurvival, RawTest, Support
from enclave.disclosure.statistic import release_statistic
from enclave.disclosure.support import coalitions
from enclave.disclosure.survival import release_survival
from protocol.errors import DisclosureRefused
from protocol.presets import PRESETS

A, B, C = (lung.OWNERS[slot] for slot in "abc")
SACRO = PRESETS["sacro"]
ANALYST = "ee" * 32
AGAINST = coalitions([ANALYST], (A,))  # one owner, a recipient without data: counts are judged as they are


def only(count):
    return Support({A: count, B: 0, C: 0})


def curve(*points, subjects=100):
    """Points of (survival, time >= t, time <= t, events of these); all had the event where no number says so."""
    return RawCurve(
        "group: one",
        only(subjects),
        tuple(
            RawPoint(f"{number} days", survival, only(at_risk), only(left), only(events[0] if events else left))
            for number, (survival, at_risk, left, *events) in enumerate(points)
        ),
    )


def times(*points, against=AGAINST, preset=SACRO):
    raw = RawSurvival((curve(*points),), tuple(f"{number} days" for number in range(len(points))))
    (group,) = release_survival(raw, preset, against).groups
    return [(point.label - 1, point.survival, point.at_risk) for point in group.points]


def test_points_leave_rounded():
    assert times((0.847826, 88, 12), (0.5, 60, 40)) == [(0, "0.85", 87), (1, "0.50", 57)]


def test_an_interval_in_which_too_few_leave_is_merged_with_the_next():
    # 9 by the first time; 13 by the second, so 13 since the last released time; then 8; then 17
    found = times((0.95, 92, 9), (0.9, 88, 13), (0.8, 80, 21), (0.7, 71, 30))
    assert [time for time, _, _ in found] == [1, 3]


def test_those_who_leave_at_a_time_count_on_both_sides():
    # Ten have time <= t, but only nine time < t: the number at risk would be a count of nine.
    assert times((0.9, 91, 10)) == []
    assert [time for time, _, _ in times((0.9, 90, 10))] == [0]


@pytest.mark.parametrize(
    "second",
    [
        (0.6, 72, 35),  # between the times 8 with time < t and 15 with time <= t
        (0.6, 65, 28),  # 15 and 8
    ],
)
def test_an_interval_counts_on_both_sides(second):
    assert [time for time, _, _ in times((0.8, 80, 20), second, (0.4, 50, 60))] == [0, 2]


@pytest.mark.parametrize(("left", "wanted"), [(90, [0, 1]), (91, [0])])
def test_the_curve_stops_where_too_few_remain(left, wanted):
    # At risk at the second time are many, but they leave on that very day.
    found = times((0.8, 80, 20), (0.2, 40, left), (0.1, 30, 95))
    assert [time for time, _, _ in found] == wanted


@pytest.mark.parametrize(("events", "wanted"), [(0, [1]), (9, [1]), (10, [0, 1])])
def test_a_point_needs_events_before_it(events, wanted):
    assert [time for time, _, _ in times((0.9, 70, 30, events), (0.5, 50, 50, 40))] == wanted


@pytest.mark.parametrize(("events", "wanted"), [(10, [0, 2]), (19, [0, 2]), (20, [0, 1, 2])])
def test_a_point_needs_events_since_the_one_before(events, wanted):
    # The difference of two points is a count as well.
    found = times((0.9, 85, 15, 10), (0.8, 65, 35, events), (0.5, 45, 55, 40))
    assert [time for time, _, _ in found] == wanted


def test_a_larger_k_tells_less():
    points = ((0.9, 89, 11), (0.8, 78, 22), (0.6, 60, 40))
    assert len(times(*points)) == 3
    assert len(times(*points, preset=PRESETS["all-of-us"])) == 1


@pytest.mark.parametrize("recipient", [A, B, ANALYST])
def test_every_owners_own_are_subtracted(recipient):
    assert times((0.8, 80, 20), against=coalitions([recipient], (A, B, C))) == []


def test_groups_come_first_in_the_labels():
    points = ((0.8, 80, 20), (0.5, 60, 40))
    raw = RawSurvival((curve(*points), curve(*points)), ("0 days", "1 days"))
    released = release_survival(raw, SACRO, AGAINST)
    assert [group.label for group in released.groups] == [0, 1]
    assert [[point.label for point in group.points] for group in released.groups] == [[2, 3], [2, 3]]


def test_an_empty_group_has_no_points():
    raw = RawSurvival((curve((1.0, 0, 0), subjects=0),), ("0 days",))
    assert release_survival(raw, SACRO, AGAINST).groups[0].points == ()


def statistic(*groups, value=10.3267419548856, p=0.00131):
    raw = RawTest("test", value, 1, p, tuple(RawGroup(only(subjects), only(events)) for subjects, events in groups))
    return release_statistic(raw, SACRO, AGAINST)


def test_a_statistic_leaves_rounded():
    released = statistic((138, 112), (90, 53))
    assert (released.label, released.statistic, released.df, released.p) == (0, "10.33", 1, "0.0013")


@pytest.mark.parametrize("small", [(9, 9), (50, 9), (50, 41), (50, 50)])
def test_few_with_or_without_the_event_refuse_the_statistic(small):
    with pytest.raises(DisclosureRefused) as caught:
        statistic((100, 50), small)
    assert caught.value.code == "GROUP"


@pytest.mark.parametrize("groups", [(), ((100, 50),)])
def test_a_statistic_compares_groups(groups):
    with pytest.raises(DisclosureRefused) as caught:
        statistic(*groups)
    assert caught.value.code == "SHAPE"


def test_no_statistic_without_a_number():
    with pytest.raises(DisclosureRefused):
        statistic((100, 50), (100, 50), value=float("nan"))
