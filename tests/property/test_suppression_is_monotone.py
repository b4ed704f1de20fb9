"""The gate's rules have a direction: more subjects never hide, more recipients or a stricter preset never show."""

import re
from dataclasses import replace
from decimal import Decimal

import lung
import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from enclave.analyses.results import (
    Design,
    RawCell,
    RawCounts,
    RawCurve,
    RawGroup,
    RawMean,
    RawMeans,
    RawPoint,
    RawRegression,
    RawSurvival,
    RawTerm,
    RawTest,
    Support,
)
from enclave.disclosure.counts import release_counts
from enclave.disclosure.means import is_dominated, release_means
from enclave.disclosure.regression import release_regression
from enclave.disclosure.rounding import midpoint, p_value, significant, to_base
from enclave.disclosure.statistic import release_statistic
from enclave.disclosure.support import coalitions, safe_count
from enclave.disclosure.survival import release_survival
from protocol.errors import DisclosureRefused
from protocol.presets import PRESETS

OWNERS = tuple(lung.OWNERS[slot] for slot in "abcde")
OUTSIDER = lung.OWNERS["h"]
STRICTER = list(PRESETS.values())
presets = st.sampled_from(STRICTER)
recipients = st.lists(st.sampled_from(OWNERS), min_size=1, max_size=5, unique=True)
owners = st.integers(1, 5).map(lambda count: OWNERS[:count])


def supports(most=40):
    return st.lists(st.integers(0, most), min_size=5, max_size=5)


def support(counts, contributors):
    return Support(dict(zip(contributors, counts, strict=False)))


def passes(judge):
    try:
        judge()
    except DisclosureRefused:
        return False
    return True


@given(supports(), supports(), owners, recipients)
def test_more_subjects_are_never_less_safe(counts, more, contributors, receivers):
    against = coalitions(receivers, contributors)
    fewer = safe_count(support(counts, contributors), against)
    grown = support([one + other for one, other in zip(counts, more, strict=True)], contributors)
    assert fewer <= safe_count(grown, against) <= grown.total


@given(supports(), owners, recipients, st.sampled_from(OWNERS))
def test_one_recipient_more_is_never_safer(counts, contributors, receivers, another):
    cell = support(counts, contributors)
    assert safe_count(cell, coalitions([*receivers, another], contributors)) <= safe_count(
        cell, coalitions(receivers, contributors)
    )


@given(supports(), recipients)
def test_with_five_owners_a_safe_count_is_total_less_the_two_largest_whoever_receives(counts, receivers):
    cell = support(counts, OWNERS)
    expected = sum(sorted(counts)[:-2])
    assert safe_count(cell, coalitions(receivers, OWNERS)) == expected
    assert safe_count(cell, coalitions([OUTSIDER], OWNERS)) == expected


@given(supports(), st.integers(2, 3))
def test_up_to_three_owners_a_safe_count_is_total_less_the_largest_whoever_receives(counts, contributors):
    against = coalitions([OUTSIDER], OWNERS[:contributors])
    assert safe_count(support(counts, OWNERS[:contributors]), against) == sum(sorted(counts[:contributors])[:-1])


@given(supports(), owners, st.sampled_from((*OWNERS, OUTSIDER)), st.integers(0, 1000))
def test_own_subjects_never_lift_a_count_above_what_others_have(counts, contributors, receiver, padding):
    """Whoever pads, and whoever receives: what reaches k did so without the padding owner's rows."""
    assume(len(contributors) > 1 or receiver in contributors)
    against = coalitions([receiver], contributors)
    cell = support(counts, contributors)
    for padder in contributors:
        padded = Support({**cell.counts, padder: cell.counts[padder] + padding})
        assert safe_count(padded, against) <= cell.without(frozenset({padder}))


@given(st.lists(supports(), min_size=1, max_size=6), owners, recipients, presets, presets)
def test_a_stricter_preset_never_shows_more_cells(cells, contributors, receivers, one, other):
    loose, strict = sorted((one, other), key=STRICTER.index)
    raw = RawCounts(tuple(RawCell(str(number), support(cell, contributors)) for number, cell in enumerate(cells)))
    against = coalitions(receivers, contributors)
    looser, stricter = release_counts(raw, loose, against), release_counts(raw, strict, against)
    for cell, hidden in zip(looser.cells, stricter.cells, strict=True):
        assert hidden.count is None or hidden.count == cell.count
    assert stricter.total <= looser.total


@given(st.lists(st.tuples(supports(), supports()), min_size=2, max_size=4), owners, recipients, presets, presets)
def test_a_stricter_preset_never_shows_a_statistic_more(groups, contributors, receivers, one, other):
    loose, strict = sorted((one, other), key=STRICTER.index)
    raw = RawTest(
        "test",
        3.0,
        1,
        0.08,
        tuple(
            RawGroup(
                support([a + b for a, b in zip(events, rest, strict=True)], contributors), support(events, contributors)
            )
            for events, rest in groups
        ),
    )
    against = coalitions(receivers, contributors)
    if passes(lambda: release_statistic(raw, strict, against)):
        assert passes(lambda: release_statistic(raw, loose, against))


@st.composite
def curves(draw):
    """Follow-up times of subjects with their owner; the curve that follows."""
    contributors = draw(owners)
    people = draw(st.lists(st.tuples(st.integers(0, 60), st.sampled_from(contributors), st.booleans()), max_size=250))
    grid = sorted(draw(st.sets(st.integers(1, 60), min_size=1, max_size=8)))

    def counted(keep):
        found = dict.fromkeys(contributors, 0)
        for time, owner, died in people:
            found[owner] += keep(time, died)
        return Support(found)

    points = tuple(
        RawPoint(
            str(day),
            0.5,
            counted(lambda time, _, day=day: time >= day),
            counted(lambda time, _, day=day: time <= day),
            counted(lambda time, died, day=day: died and time <= day),
        )
        for day in grid
    )
    return (
        contributors,
        people,
        grid,
        RawSurvival((RawCurve("all", counted(lambda *_: True), points),), tuple(map(str, grid))),
    )


@settings(max_examples=200, deadline=None)
@given(curves(), recipients, presets)
def test_between_released_times_k_subjects_leave_whoever_subtracts(made, receivers, preset):
    contributors, people, grid, raw = made
    against = coalitions(receivers, contributors)
    released = [grid[point.label - 1] for point in release_survival(raw, preset, against).groups[0].points]
    for coalition in against:
        others = [time for time, owner, _ in people if owner not in coalition]
        events = [time for time, owner, died in people if died and owner not in coalition]
        for before, day in zip([-1, *released], released, strict=False):
            assert sum(before < time <= day for time in others) >= preset.k
            assert sum(before <= time < day for time in others) >= preset.k
            assert sum(before < time <= day for time in events) >= preset.k
        assert all(sum(time > day for time in others) >= preset.k for day in released)


@given(curves(), recipients, presets, presets)
def test_a_stricter_preset_never_shows_more_points(made, receivers, one, other):
    loose, strict = sorted((one, other), key=STRICTER.index)
    contributors, _people, _grid, raw = made
    against = coalitions(receivers, contributors)
    looser, stricter = (release_survival(raw, preset, against).groups[0].points for preset in (loose, strict))
    assert len(stricter) <= len(looser)


@st.composite
def tables_of_means(draw):
    """Groups of a variable: values of few or of many kinds, some with outliers."""
    contributors = draw(owners)
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    cells = []
    for number in range(draw(st.integers(1, 3))):
        n = draw(st.integers(0, 400))
        values = generator.integers(0, draw(st.integers(1, 5)), n).astype(float)
        if draw(st.booleans()):
            values += generator.standard_t(draw(st.integers(1, 6)), n)
        cells.append(RawMean(f"group {number}", values, generator.integers(0, len(contributors), n)))
    return RawMeans(tuple(cells), contributors)


def shown(table):
    return [cell.mean is not None for cell in table.cells]


@settings(max_examples=150, deadline=None)
@given(tables_of_means(), recipients, presets, presets)
def test_a_stricter_preset_never_shows_more_means(raw, receivers, one, other):
    loose, strict = sorted((one, other), key=STRICTER.index)
    against = coalitions(receivers, raw.owner_keys)
    looser, stricter = release_means(raw, loose, against), release_means(raw, strict, against)
    for cell, hidden in zip(looser.cells, stricter.cells, strict=True):
        assert hidden.mean is None or (hidden.mean, hidden.sd) == (cell.mean, cell.sd)


@settings(max_examples=150, deadline=None)
@given(tables_of_means(), recipients, st.sampled_from(OWNERS), presets)
def test_one_recipient_more_never_shows_more_means(raw, receivers, another, preset):
    fewer = release_means(raw, preset, coalitions(receivers, raw.owner_keys))
    more = release_means(raw, preset, coalitions([*receivers, another], raw.owner_keys))
    assert all(before or not after for before, after in zip(shown(fewer), shown(more), strict=True))


@settings(max_examples=150, deadline=None)
@given(tables_of_means(), presets, st.integers(1, 200), st.integers(0, 2**32 - 1))
def test_own_values_never_help_anybody_to_a_mean(raw, preset, padding, seed):
    """Without the padding owner's values the judgement is the one before, and no recipient sees more than it allows."""
    assume(len(raw.owner_keys) > 1)
    generator = np.random.default_rng(seed)
    more = generator.choice([0.0, 1.0, 1e6], padding) + generator.normal(size=padding) * generator.integers(0, 2)
    padded = RawMeans(
        tuple(
            RawMean(
                cell.label,
                np.concatenate([cell.values, more]),
                np.concatenate([cell.owners, np.zeros(padding, dtype=np.intp)]),
            )
            for cell in raw.cells
        ),
        raw.owner_keys,
    )
    padder = frozenset({frozenset({raw.owner_keys[0]})})
    before = shown(release_means(raw, preset, padder))
    assert shown(release_means(padded, preset, padder)) == before
    for receiver in (raw.owner_keys[0], OUTSIDER):
        against = coalitions([receiver], raw.owner_keys)
        after = shown(release_means(padded, preset, against))
        kept = frozenset(coalition for coalition in against if raw.owner_keys[0] in coalition)
        allowed = shown(release_means(raw, preset, kept))
        assert all(may or not does for may, does in zip(allowed, after, strict=True))


@given(st.lists(st.floats(-1e9, 1e9), min_size=3, max_size=40), st.floats(0, 1))
def test_dominance_holds_wherever_the_p_percent_rule_fails(values, share):
    """One value is made so large that all but the two largest have less than 15 % of it."""
    amounts = np.sort(np.abs(values))
    assume(amounts[:-1].sum() > 1e-6)
    largest = (1 + share) * amounts[:-2].sum() / 0.15 + amounts[-2] + 1e-6
    assert amounts[:-2].sum() < 0.15 * largest
    assert is_dominated(np.array([*amounts[:-1], -largest]))


@st.composite
def designs(draw):
    n = draw(st.integers(12, 400))
    seed = draw(st.integers(0, 2**32 - 1))
    generator = np.random.default_rng(seed)
    contributors = draw(owners)
    columns = [generator.random(n) < draw(st.floats(0.02, 0.98)) for _ in range(draw(st.integers(1, 3)))]
    if draw(st.booleans()):
        columns.append(generator.standard_t(draw(st.integers(1, 5)), n))
    return Design(
        owners=generator.integers(0, len(contributors), n),
        owner_keys=contributors,
        matrix=np.column_stack(columns).astype(float),
        references=generator.random((n, 1)) < draw(st.floats(0.05, 0.95)),
        event=generator.random(n) < draw(st.floats(0.05, 0.95)),
        strata=draw(st.sampled_from([None, generator.integers(0, 3, n)])),
    )


models = st.sampled_from(["hazard ratio", "odds ratio", "penalised odds ratio", "difference"])


def regression(design, model):
    """A model on a design; of a number that is 0 but where the design has an event."""
    terms = tuple(RawTerm(str(number), 0.5, 0.25, 0.05) for number in range(design.matrix.shape[1]))
    effect = model.removeprefix("penalised ")
    if effect == "difference":
        design = replace(design, event=None, outcome=design.event * (1.0 + np.arange(len(design.event)) % 7))
    return RawRegression(terms, (-2.0, -1.0), design, Support({}), effect=effect, penalised=effect != model)


@settings(max_examples=120, deadline=None)
@given(designs(), models, recipients, presets, presets)
def test_a_stricter_preset_never_shows_a_model_more(design, model, receivers, one, other):
    loose, strict = sorted((one, other), key=STRICTER.index)
    against = coalitions(receivers, design.owner_keys)
    if passes(lambda: release_regression(regression(design, model), strict, against)):
        assert passes(lambda: release_regression(regression(design, model), loose, against))


@settings(max_examples=120, deadline=None)
@given(designs(), models, presets, st.integers(1, 200), st.integers(0, 2**32 - 1))
def test_own_rows_never_help_anybody_to_a_model(design, model, preset, padding, seed):
    """A model that leaves after padding was sound without any of the padding owner's rows, whoever receives it."""
    assume(len(design.owner_keys) > 1)
    generator = np.random.default_rng(seed)
    padder = frozenset({frozenset({design.owner_keys[0]})})
    padded = Design(
        owners=np.concatenate([design.owners, np.zeros(padding, dtype=np.intp)]),
        owner_keys=design.owner_keys,
        matrix=np.vstack([design.matrix, generator.normal(size=(padding, design.matrix.shape[1]))]),
        references=np.vstack([design.references, generator.random((padding, 1)) < 0.5]),
        event=np.concatenate([design.event, generator.random(padding) < 0.5]),
        strata=None if design.strata is None else np.concatenate([design.strata, generator.integers(0, 3, padding)]),
    )
    before = passes(lambda: release_regression(regression(design, model), preset, padder))
    assert passes(lambda: release_regression(regression(padded, model), preset, padder)) == before
    for recipient in (design.owner_keys[0], OUTSIDER):
        against = coalitions([recipient], design.owner_keys)
        if passes(lambda against=against: release_regression(regression(padded, model), preset, against)):
            collusion = against if len(design.owner_keys) > 3 else padder
            kept = frozenset(coalition for coalition in collusion if design.owner_keys[0] in coalition)
            assert passes(lambda kept=kept: release_regression(regression(design, model), preset, kept))


numbers = st.floats(-1e17, 1e17, allow_nan=False)
DECIMAL = re.compile(r"-?(?:0|[1-9]\d{0,17})(?:\.\d{1,18})?")


@given(numbers, st.integers(1, 6))
def test_rounding_is_near_and_fits_the_wire(value, digits):
    text = significant(value, digits)
    assert DECIMAL.fullmatch(text)
    assert not re.fullmatch(r"-0(\.0*)?", text)
    exact, rounded = Decimal(repr(value)), Decimal(text)
    tolerance = max(abs(exact) * Decimal(10) ** (1 - digits), Decimal(10) ** -18) / 2
    assert abs(rounded - exact) <= tolerance
    assert significant(float(text), digits) == text


@given(numbers, numbers)
def test_rounding_keeps_order(one, other):
    low, high = sorted((one, other))
    assert Decimal(significant(low, 4)) <= Decimal(significant(high, 4))


@given(st.floats(0, 1))
def test_p_values_fit_the_wire(value):
    text = p_value(value)
    assert text == "<0.001" if value < 0.001 else DECIMAL.fullmatch(text)


@given(st.integers(0, 10**9))
def test_count_rounding_is_near(count):
    assert to_base(count, 5) % 5 == 0
    assert abs(to_base(count, 5) - count) <= 2
    assert midpoint(count) % 6 in {0, 3}
    assert abs(midpoint(count) - count) <= 3
    assert (midpoint(count) == 0) == (count == 0)
