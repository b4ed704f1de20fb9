"""The gate's rules for linear and logistic models, at their edges."""

from dataclasses import replace

import lung
import numpy as np
import pytest

from enclave.analyses.results import Design, RawRegression, RawTerm, Support
from enclave.disclosure.regression import release_regression
from enclave.disclosure.separation import overlapping_groups
from enclave.disclosure.support import coalitions
from protocol.errors import DisclosureRefused
from protocol.presets import PRESETS

N = 300
KEYS = tuple(lung.OWNERS[slot] for slot in "abc")
OWNER = np.arange(N) % 3
PAIRS = np.arange(N) // 3 % 2
"""A column of two values, evenly mixed with the owners."""


def noise(n=N, seed=1):
    return np.random.default_rng(seed).normal(size=n)


def design(columns, outcome=None, event=None, strata=None, references=None, owners=OWNER):
    return Design(
        owners=owners,
        owner_keys=KEYS,
        matrix=np.column_stack(columns).astype(float),
        references=np.empty((len(owners), 0), dtype=bool) if references is None else references,
        event=event,
        strata=strata,
        outcome=None if outcome is None else np.asarray(outcome, dtype=float),
    )


def raw(made, **more):
    terms = tuple(RawTerm(f"term {number}", 0.0110667, 0.25, 0.4) for number in range(made.matrix.shape[1]))
    effect = "difference" if made.event is None else "odds ratio"
    return RawRegression(terms, (-10.0, -5.0), made, Support({}), **({"effect": effect} | more))


def release(made, preset="sacro", **more):
    return release_regression(raw(made, **more), PRESETS[preset], coalitions(KEYS, KEYS))


def refused(made, **more):
    with pytest.raises(DisclosureRefused) as caught:
        release(made, **more)
    return caught.value.code


def test_a_sound_linear_model_has_no_events():
    released = release(design([noise(), PAIRS], noise(seed=2)))
    assert (released.effect, released.subjects, released.events) == ("difference", 300, None)
    assert [term.coefficient for term in released.terms] == ["0.01107", "0.01107"]


def test_a_sound_logistic_model():
    released = release(design([noise(), PAIRS], event=np.arange(N) % 4 < 2))
    assert (released.effect, released.events) == ("odds ratio", 150)


def test_effect_and_outcome_must_match():
    number, event = design([noise()], noise(seed=2)), design([noise()], event=np.arange(N) % 4 < 2)
    assert refused(number, effect="odds ratio") == "SHAPE"
    assert refused(number, effect="hazard ratio") == "SHAPE"
    assert refused(event, effect="difference") == "SHAPE"
    assert refused(replace(number, event=event.event)) == "SHAPE"
    assert refused(replace(number, event=event.event), effect="difference") == "SHAPE"
    assert refused(replace(number, outcome=None), effect="difference") == "SHAPE"


@pytest.mark.parametrize(("telling", "wanted"), [(13, "OUTCOME"), (15, "COLUMN_OUTCOME")])
def test_an_outcome_that_is_nearly_always_the_same(telling, wanted):
    # 13 in three owners: eight or nine are left without one owner's.
    outcome = np.where(np.arange(N) < telling, noise(seed=2), 5.0)
    assert refused(design([noise(seed=3)], outcome)) == wanted


@pytest.mark.parametrize("ones", [1, 13, 287, 299])
def test_a_dummy_of_few_and_a_small_reference_level(ones):
    first = np.arange(N) < ones
    assert refused(design([first, noise()], noise(seed=2))) == "COLUMN_MINORITY"
    assert refused(design([PAIRS, noise()], noise(seed=2), references=first[:, None])) == "COLUMN_MINORITY"


def test_both_sides_of_a_column_need_differing_outcomes():
    # At either value of the column all but 14 have the same outcome: without one owner's nine or ten differ.
    for level in (0, 1):
        at = np.flatnonzero(level == PAIRS)
        outcome = noise(seed=2)
        outcome[at] = 7.0
        outcome[at[:14]] = np.arange(14.0)
        assert refused(design([PAIRS, noise()], outcome)) == "COLUMN_OUTCOME"
        outcome[at[:75]] = noise(75, 4) + 7
        assert release(design([PAIRS, np.cos(np.arange(N))], outcome)).subjects == 300


def test_one_outlier_dominates_the_outcome():
    outcome = noise(seed=2)
    outcome[17] = 40.0
    assert refused(design([PAIRS, np.cos(np.arange(N))], outcome)) == "DOMINANCE"
    outcome[17] = 4.0
    assert release(design([PAIRS, np.cos(np.arange(N))], outcome)).subjects == 300


def test_one_outlier_dominates_one_side_of_a_column():
    side = np.arange(N) < 45
    outcome = noise(seed=2) + 10 * np.sin(np.arange(N)) * ~side
    outcome[17] = 20.0
    assert outcome[17] ** 2 < 0.1 * np.sum((outcome - outcome.mean()) ** 2)
    assert refused(design([side, np.cos(np.arange(N))], outcome)) == "DOMINANCE"


@pytest.mark.parametrize("level", [0, 1])
def test_a_few_far_outcomes_on_one_side_of_a_column(level):
    """Of each owner's fifty on a side 5 or so: without one owner's they are nine, or ten, who are enough."""
    at = np.flatnonzero(level == PAIRS)
    for few, code in ((13, "DOMINANCE"), (15, None)):
        outcome = noise(seed=2) * 0.01
        outcome[at[:few]] += 100
        outcome[np.flatnonzero(level != PAIRS)[:40]] += 100
        made = design([PAIRS], outcome)
        assert (refused(made) if code else release(made).effect) == (code or "difference")


def test_far_outcomes_are_found_within_strata():
    """Seven of each of two strata, or twice as many; the strata's own levels are no spread."""
    strata = np.arange(N) // 150
    for few, code in ((7, "DOMINANCE"), (14, None)):
        outcome = noise(seed=2) * 0.01 + strata * 1000
        for stratum in (0, 1):
            outcome[np.flatnonzero((PAIRS == 1) & (strata == stratum))[:few]] += 100
            outcome[np.flatnonzero((PAIRS == 0) & (strata == stratum))[:20]] += 100
        made = design([PAIRS], outcome, strata=strata)
        assert (refused(made) if code else release(made).effect) == (code or "difference")


@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize(("few", "code"), [(0, None), (1, "COLUMN_OUTCOME"), (13, "COLUMN_OUTCOME"), (15, None)])
def test_a_value_that_few_have_on_one_side_of_a_column(level, few, code):
    """Three values of the outcome, and one more on one side of the column."""
    rows, at = np.arange(N), np.flatnonzero(level == PAIRS)
    outcome = rows // 6 % 3
    outcome[at[:few]] = 3
    made = design([PAIRS], outcome)
    assert (refused(made) if code else release(made).effect) == (code or "difference")


def test_residuals_that_are_rounding_are_none():
    column = np.cos(np.arange(N))
    assert refused(design([column, PAIRS], column * 3 + PAIRS)) == "DOMINANCE"
    assert release(design([column, PAIRS], column * 3 + PAIRS + noise(seed=2) * 1e-3)).subjects == 300


def test_residuals_all_of_one_subject():
    """The outcome follows from the columns, but for one subject: what is left over is that one's."""
    column = np.cos(np.arange(N))
    outcome = column * 3 + PAIRS
    outcome[16] += 0.5
    assert refused(design([column, PAIRS], outcome)) == "DOMINANCE"


def test_columns_of_two_values_that_differ_for_enough_of_whom_few_have_a_telling_outcome():
    rows = np.arange(450)
    one, owners = rows // 3 % 2, rows % 3
    differs = rows // 6 % 4 == 0
    other = np.where(differs, 1 - one, one)
    zero = np.where(differs, rows < 4, np.arange(450) % 4 < 2)
    for outcome in (zero * (3 + noise(450, 2) / 10), np.where(zero, 1.0, 0.0), np.where(zero, 0.0, 1.0)):
        assert refused(design([one, other], outcome, owners=owners)) == "LEVERAGE"
    # The commoner outcome of all is the rarer one where the columns differ.
    outcome = np.where(differs, rows >= 4, rows % 4 < 1)
    assert outcome.mean() < 0.5
    assert refused(design([one, other], outcome, owners=owners)) == "LEVERAGE"
    varied = zero * 3.0 + noise(450, 2)
    assert release(design([one, other], varied, owners=owners)).subjects == 450


def test_a_logistic_model_is_judged_alike_with_events_and_the_rest_exchanged():
    rows = np.arange(450)
    one, owners = rows // 3 % 2, rows % 3
    differs = rows // 6 % 4 == 0
    event = np.where(differs, rows < 4, rows % 4 < 2)
    for outcome in (event, ~event):
        assert refused(design([one, np.where(differs, 1 - one, one)], event=outcome, owners=owners)) == "LEVERAGE"


@pytest.mark.parametrize("turned", [False, True])
def test_a_score_needs_both_outcomes_on_either_side_in_a_logistic_model(turned):
    # Nearly everybody above the mean has the event; away from the commonest value many have not.
    score = np.array([0, 1, 2, 8])[np.arange(N) // 3 % 4]
    event = np.where(score == 8, np.arange(N) > 12, np.arange(N) % 4 < 2)
    made = design([score, np.cos(np.arange(N))], event=event != turned)
    assert refused(made) == "COLUMN_OUTCOME"
    if not turned:
        assert release(made, effect="hazard ratio").subjects == 300


def test_strata_that_tell_nothing_are_left_out():
    # Of owner c all have the event. Within owners the column varies enough at c, and at a and b for three only.
    event = np.where(OWNER == 2, True, np.arange(N) % 4 < 2)
    column = np.where(OWNER == 2, PAIRS, np.arange(N) < 4)
    made = design([column, np.cos(np.arange(N))], event=event, strata=OWNER)
    assert refused(made) == "COLUMN_MINORITY"
    assert refused(replace(made, event=event & (OWNER != 2)), effect="hazard ratio") == "COLUMN_MINORITY"
    nobody = replace(made, event=OWNER == 0)
    assert refused(nobody) == "SUBJECTS"


def test_a_linear_model_by_site_is_judged_within_sites():
    column = (OWNER == 2) | ((OWNER == 1) & (np.arange(N) < 9))
    outcome = noise(seed=2)
    assert refused(design([column, np.cos(np.arange(N))], outcome, strata=OWNER)) == "COLUMN_MINORITY"
    constant = np.where(OWNER == 0, noise(seed=2), OWNER * 10.0)
    assert refused(design([PAIRS], constant, strata=OWNER)) == "OUTCOME"
    assert release(design([PAIRS, np.cos(np.arange(N))], outcome + OWNER * 50, strata=OWNER)).subjects == 300


def test_a_stratum_with_one_side_of_a_column_only_is_no_fault():
    owners = np.arange(N) % 2
    strata = np.where(np.arange(N) < 10, 2, owners)
    column = np.where(strata == 2, 1, PAIRS)
    assert release(design([column, np.cos(np.arange(N))], noise(seed=2), strata=strata, owners=owners)).subjects == 300


def test_intercepts_count_as_parameters():
    turn = 2 * np.pi * np.arange(150) / 150
    waves = [wave(turn * times) for times in range(1, 6) for wave in (np.cos, np.sin)]  # ten columns
    event, owners = np.arange(150) % 4 < 2, np.arange(150) % 3  # a hundred are left without one owner's
    made = design(waves[:9], event=event, owners=owners)
    assert len(release(made, preset="uk-biobank").terms) == 9
    assert refused(replace(made, strata=owners), preset="uk-biobank") == "PARAMETERS"  # two strata are left
    assert refused(design(waves, event=event, owners=owners), preset="uk-biobank") == "PARAMETERS"
    few = design([noise(18), noise(18, 2)], noise(18, 3), owners=np.arange(18) % 3)
    assert refused(few, preset="uk-biobank") == "RESIDUAL_DF"  # 12 subjects, 3 parameters


def slope(highest):
    """A score of three values and a dummy: with a sum of 2 half have the event, above all (2 and 1), below nobody."""
    counts = {(0, 0): 60, (1, 0): 60, (0, 1): 60, (2, 0): 150, (1, 1): 60, (2, 1): highest}
    score, dummy = np.repeat(list(counts), list(counts.values()), axis=0).T
    event = np.where(score + dummy == 2, np.arange(len(score)) // 3 % 2 == 0, score + dummy > 2)
    return design([score, dummy], event=event, owners=np.arange(len(score)) % 3)


@pytest.mark.parametrize(("against", "passes"), [(0, False), (1, False), (14, False), (15, True)])
def test_enough_subjects_keep_a_fit_from_separating(against, passes):
    """Of those with the highest sum some have no event: without any one owner's that must be ten."""
    made = slope(60)
    made.event[len(made.event) - against :] = False
    for turned in (made, replace(made, event=~made.event)):
        if passes:
            assert release(turned).effect == "odds ratio"
            assert refused(turned, penalised=True) == "SEPARATION"
        else:
            assert refused(turned) == refused(turned, penalised=True) == "SEPARATION"


def square(each):
    """Two dummies; nobody at (0, 0) has the event, all at (1, 1) have, and at the corners between half of them."""
    one, other = np.repeat([0, 0, 1, 1], each), np.repeat([0, 1, 0, 1], each)
    half = np.arange(4 * each) // 3 % 2 == 0
    return one, other, np.where(one == other, one == 1, half)


@pytest.mark.parametrize("corner", [0, 1])
def test_a_small_corner_of_two_dummies_has_leverage(corner):
    one, other, event = square(90)
    kept = (one != corner) | (other != corner) | (np.cumsum((one == corner) & (other == corner)) <= 13)
    assert refused(design([one[kept], other[kept]], event=event[kept], owners=np.arange(kept.sum()) % 3)) == "LEVERAGE"


def test_two_dummies_that_separate_their_corners():
    one, other, event = square(90)
    assert refused(design([one, other], event=event, owners=np.arange(360) % 3)) == "SEPARATION"


def test_groups_that_overlap():
    pooled = np.zeros(40, dtype=int)
    column, event = np.repeat([[0.0], [1.0]], 20, axis=0), np.arange(40) % 2 == 0
    assert overlapping_groups(column, event, pooled, 20) == 10
    assert overlapping_groups(column, event, pooled, 3) == 3
    # Of x = 1 three lack the event: each group needs one of them.
    few = np.where(column[:, 0] == 1, np.arange(40) >= 23, event)
    assert overlapping_groups(column, few, pooled, 20) == 3
    assert overlapping_groups(column, ~few, pooled, 20) == 3
    assert overlapping_groups(column, column[:, 0] == 1, pooled, 1) == 0
    # Nobody speaks for or against a constant column.
    assert overlapping_groups(np.hstack([column, np.ones((40, 1))]), event, pooled, 1) == 0


def test_groups_are_looked_for_within_strata():
    strata = np.repeat([0, 1], 20)
    event = np.arange(40) % 2 == 0
    column = (np.arange(40) // 2 % 2).astype(float)[:, None]
    assert overlapping_groups(column, event, strata, 20) >= 5
    # One stratum separates: the groups are all of the other one, whose intercept is all that they need span.
    apart = np.where(strata == 1, column[:, 0] == 1, event)
    assert overlapping_groups(column, apart, strata, 20) == 5
    # Where strata are compared, the column separates nothing; within each it does.
    assert overlapping_groups(column + 5 * strata[:, None], (column[:, 0] == 1), strata, 1) == 0


def test_groups_among_many_rows():
    """Most groups are found among some of the rows; where these do not do, among all."""
    rows = np.arange(3000)
    column, pooled = (rows % 2).astype(float)[:, None], np.zeros(3000, dtype=int)
    assert overlapping_groups(column, rows % 4 < 2, pooled, 30) == 30
    rare = np.isin(rows, [1, 2, 5, 10])  # two with the event at either value
    assert overlapping_groups(column, rare, pooled, 30) == 2
