import math
from dataclasses import replace

import lung
import numpy as np
import pytest

from enclave.analyses.results import Design, RawRegression, RawTerm, Support
from enclave.disclosure.regression import maximum_leverage, release_regression
from enclave.disclosure.support import coalitions
from protocol.documents.outputs import Regression
from protocol.errors import DisclosureRefused
from protocol.presets import PRESETS

KEYS = tuple(lung.OWNERS[slot] for slot in "abc")
SACRO = PRESETS["sacro"]


def design(n=300, columns=None, event=None, owners=None, references=None, strata=None):
    generator = np.random.default_rng(5)
    matrix = generator.normal(size=(n, 2)) if columns is None else np.column_stack(columns).astype(float)
    return Design(
        owners=np.arange(n) % 3 if owners is None else owners,
        owner_keys=KEYS,
        matrix=matrix,
        references=np.empty((n, 0), dtype=bool) if references is None else references,
        event=np.arange(n) % 2 == 0 if event is None else event,
        strata=strata,
    )


def raw(made, terms=None, left_out=None):
    count = made.matrix.shape[1]
    terms = terms or tuple(RawTerm(f"term {number}", 0.0110667645600735, 0.25, 0.4) for number in range(count))
    return RawRegression(terms, (-10.0, -5.0), made, left_out or Support({}))


def release(made, recipients="abc", terms=None, preset=SACRO, left_out=None):
    against = coalitions([lung.OWNERS[slot] for slot in recipients], tuple(made.owner_keys))
    return release_regression(raw(made, terms, left_out), preset, against)


def refused(made, **more):
    with pytest.raises(DisclosureRefused) as caught:
        release(made, **more)
    return caught.value.code


def first(count, n=300):
    """A column with a one for the first ``count`` rows."""
    return np.arange(n) < count


def noise(n=300, seed=1):
    return np.random.default_rng(seed).normal(size=n)


def test_a_sound_model_leaves_rounded():
    released = release(design())
    assert (released.subjects, released.events) == (300, 150)
    assert [(term.label, term.coefficient, term.standard_error, term.p) for term in released.terms] == [
        (0, "0.01107", "0.2500", "0.40"),
        (1, "0.01107", "0.2500", "0.40"),
    ]


def test_a_coefficient_that_is_only_rounding_is_nothing():
    terms = tuple(RawTerm(f"term {n}", value, 0.25, 1.0) for n, value in enumerate((2.4e-10, -2.6e-10)))
    assert [term.coefficient for term in release(design(), terms=terms).terms] == ["0", "-0.0000000002600"]


def test_subjects_that_were_left_out_show_where_an_owner_has_k_of_them():
    a, b, c = KEYS
    assert release(design(), left_out=Support({a: 9, b: 9, c: 0})).subjects == 320  # 318 rows, to the nearest five
    assert release(design(), left_out=Support({a: 10, b: 30, c: 10})).subjects == 300
    assert release(design(), left_out=Support({a: 10, b: 9, c: 10})).subjects == 310


def test_too_few_subjects_without_the_recipients_own():
    assert refused(design(owners=np.where(np.arange(300) < 291, 0, 1)), recipients="a") == "SUBJECTS"  # nine of b's
    assert (
        refused(design(n=27, owners=np.arange(27) % 3, columns=[noise(27)]), preset=PRESETS["all-of-us"]) == "SUBJECTS"
    )


@pytest.mark.parametrize("events", [13, 287])
def test_outcome_minority(events):
    # 13 in three owners: nine or eight are left without one owner's
    assert refused(design(event=first(events))) == "OUTCOME"


def test_outcome_minority_that_suffices():
    assert refused(design(event=first(15))) == "COLUMN_OUTCOME"  # no column can have ten events on either side
    assert release(design(event=np.arange(300) % 5 == 0)).events == 60


def test_residual_degrees_of_freedom():
    n = 24
    columns = [noise(n, seed) for seed in range(7)]
    assert refused(design(n, columns, event=np.arange(n) % 4 < 2), preset=PRESETS["uk-biobank"]) == "RESIDUAL_DF"


def test_a_parameter_for_every_ten_subjects():
    n = 150  # a hundred are left without one owner's
    turn = 2 * np.pi * np.arange(n) / n  # waves of whole periods: every subject has the same leverage
    waves = [wave(turn * times) for times in range(1, 7) for wave in (np.cos, np.sin)]
    event, preset = np.arange(n) % 4 < 2, PRESETS["uk-biobank"]
    assert len(release(design(n, waves[:10], event=event), preset=preset).terms) == 10
    assert refused(design(n, waves[:11], event=event), preset=preset) == "PARAMETERS"


@pytest.mark.parametrize("ones", [1, 2, 13, 287, 299])
def test_a_dummy_of_few(ones):
    assert refused(design(columns=[first(ones), noise()])) == "COLUMN_MINORITY"


@pytest.mark.parametrize("ones", [15, 29, 271, 285])
def test_a_dummy_with_few_events_or_few_without(ones):
    # Of 29 without one owner's 19 or 20 are left, of them nine with or nine without the event.
    assert refused(design(columns=[first(ones), noise()])) == "COLUMN_OUTCOME"


@pytest.mark.parametrize("ones", [30, 270])
def test_a_dummy_of_enough(ones):
    # Without one owner's ten with and ten without: the leverage among the events is a tenth, to within rounding.
    assert len(release(design(columns=[first(ones), np.cos(np.arange(300))])).terms) == 2


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("level", [0.0, 1.0])
def test_both_values_of_a_dummy_need_both_outcomes(level, turned):
    column = np.arange(300) // 3 % 2
    of_level = np.flatnonzero(column == level)
    event = np.arange(300) // 6 % 2 == 0
    event[of_level] = np.arange(len(of_level)) < 14
    assert refused(design(columns=[column, noise()], event=event != turned)) == "COLUMN_OUTCOME"


@pytest.mark.parametrize("shift", [1e-9, -1e-9])
def test_a_third_value_is_no_disguise_for_a_dummy_with_few_events(shift):
    column = np.repeat([0.0, 1.0, 1.0 + shift], [140, 139, 21])
    event = np.where(column == 0.0, first(13), np.arange(300) % 4 < 2)
    assert refused(design(columns=[column, noise()], event=event)) == "COLUMN_OUTCOME"


def test_a_score_needs_both_outcomes_away_from_its_commonest_value():
    score = np.where(first(240), 0, 1 + np.arange(300) % 3)
    event = np.where(first(240), np.arange(300) % 4 < 2, first(293))
    assert refused(design(columns=[score, noise()], event=event)) == "COLUMN_OUTCOME"
    assert len(release(design(columns=[score, noise()], event=np.arange(300) % 4 < 2)).terms) == 2


def test_columns_are_counted_within_strata():
    # Owner c has all the ones, b three of them: compared within owners, three subjects differ from anybody.
    owners = np.arange(300) % 3
    event = np.arange(300) % 4 < 2
    column = (owners == 2) | ((owners == 1) & (np.arange(300) < 9))
    pooled = design(columns=[column, noise()], event=event)
    assert refused(replace(pooled, strata=owners)) == "COLUMN_MINORITY"
    assert 100 < np.count_nonzero(column) < 110
    mixed = design(columns=[np.arange(300) // 3 % 2, noise()], event=event, strata=owners)
    assert len(release(mixed).terms) == 2


def test_of_two_sides_the_smaller_one_of_each_stratum_counts():
    # In one stratum only ones have the event, in the other only zeros: each value has fifty, but nothing to compare.
    strata, column = np.arange(300) // 150, np.arange(300) // 3 % 2
    event = column == strata
    found = design(columns=[column, noise()], event=event, strata=strata)
    assert refused(found) == "COLUMN_OUTCOME"


def test_columns_that_differ_for_few():
    one = np.arange(300) // 3 % 2
    event = np.arange(300) % 4 < 2
    for differ in (1, 3, 9):
        other = np.where((np.arange(300) % 3 == 1) & (np.cumsum(np.arange(300) % 3 == 1) <= differ), 1 - one, one)
        assert np.count_nonzero(one != other) == differ
        assert refused(design(columns=[one, other], event=event)) == "LEVERAGE"
    apart = np.arange(300) // 6 % 2
    assert len(release(design(columns=[one, apart], event=event)).terms) == 2


def test_columns_that_differ_for_enough_of_whom_few_have_the_event():
    one = np.arange(300) // 3 % 2
    differs = np.arange(300) // 6 % 4 == 0
    event = np.where(differs, np.arange(300) < 4, np.arange(300) % 4 < 2)
    made = design(columns=[one, np.where(differs, 1 - one, one)], event=event)
    assert np.count_nonzero(differs) > 70
    assert maximum_leverage(made.matrix) < 0.05
    assert refused(made) == "LEVERAGE"


def test_leverage_among_events_is_within_strata():
    # In the third stratum the columns differ for everybody, which is no difference within it; else for few with the event.
    rows, strata = np.arange(450), np.arange(450) // 150
    one = np.where(strata < 2, rows // 3 % 2, 0)
    differs = (strata < 2) & (rows // 6 % 4 == 0)
    other = np.where(strata == 2, 1, np.where(differs, 1 - one, one))
    made = design(450, [one, other], event=np.where(differs, rows < 4, rows % 4 < 2), strata=strata)
    assert maximum_leverage(made.matrix[made.event]) < 0.1
    assert maximum_leverage(made.matrix, strata) < 0.1
    assert refused(made) == "LEVERAGE"


def test_the_bound_of_leverage_follows_the_preset():
    made = design(columns=[noise()])
    worst = max(maximum_leverage(made.matrix[made.owners != owner]) for owner in range(3))
    assert 1 / 21 < worst < 1 / 11
    assert isinstance(release(made, preset=PRESETS["cms"]), Regression)
    assert refused(made, preset=PRESETS["all-of-us"]) == "LEVERAGE"


def test_a_dummy_of_the_recipients_own_rows_only():
    owners = np.where(np.arange(300) < 100, 0, 1 + np.arange(300) % 2)
    made = design(columns=[first(50), noise()], owners=owners)
    for recipients in ("a", "b", "h"):  # h owns nothing: a may see what h gets
        assert refused(made, recipients=recipients) == "COLUMN_MINORITY"


def test_a_near_dummy_with_three_values():
    column = np.zeros(300)
    column[:5], column[5:9] = 3.0, 4.0
    assert refused(design(columns=[column, noise()])) == "COLUMN_MINORITY"


def test_a_small_reference_level():
    references = first(2)[:, None]
    others = (np.arange(300) % 2 == 0) & ~first(2)
    event = np.arange(300) % 4 < 2
    assert refused(design(columns=[others, noise()], references=references, event=event)) == "COLUMN_MINORITY"


def test_leverage_of_one_subject():
    column = noise() * 1e-6
    column[[0, 3]] = 1000.0, -1000.0
    assert refused(design(columns=[column, noise(seed=2)]), recipients="b") == "LEVERAGE"


def test_leverage_is_judged_without_the_recipients_own_rows():
    # Rows of a own jitter hide, in the whole design, that one of b's rows stands out.
    owners = np.where(np.arange(300) < 100, 0, 1)
    column = np.where(owners == 0, np.sign(noise()) * 1000, noise(seed=3) * 1e-3)
    column[[150, 151]] = 1000.0, -1000.0
    made = design(columns=[column], owners=owners, event=np.arange(300) % 4 < 2)
    assert maximum_leverage(made.matrix) < 0.05
    assert refused(made, recipients="a") == "LEVERAGE"


def test_leverage_within_strata():
    # Constant within two strata but for one row of the third: pooled it looks harmless.
    strata = np.arange(300) % 3
    column = strata * 100.0
    column[::3] += noise(100) * 1e-6
    column[1::3] += noise(100) * 1e-6
    column[2::3] += noise(100) * 1e-6
    column[2] += 50
    made = design(columns=[column], owners=strata, strata=strata)
    assert maximum_leverage(made.matrix) < 0.05
    assert refused(made, recipients="a") == "LEVERAGE"


def test_terms_and_columns_must_match():
    assert refused(design(), terms=(RawTerm("one", 1.0, 1.0, 0.3),)) == "SHAPE"


def test_somebody_must_be_named():
    assert refused(design(), recipients="") == "RECIPIENTS"


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("name", ["coefficient", "standard_error", "p"])
def test_no_coefficient_without_a_number(bad, name):
    good = RawTerm("one", 1.0, 1.0, 0.3)
    assert refused(design(columns=[noise()]), terms=(replace(good, **{name: bad}),)) == "NOT_FINITE"


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_no_design_with_a_value_that_is_no_number(bad):
    column = noise()
    column[7] = bad
    assert refused(design(columns=[column, noise(seed=2)])) == "NOT_FINITE"


def test_maximum_leverage_is_that_of_the_hat_matrix():
    made = design(n=40)
    full = np.column_stack([np.ones(40), made.matrix])
    hat = full @ np.linalg.inv(full.T @ full) @ full.T
    assert maximum_leverage(made.matrix) == pytest.approx(np.diag(hat).max(), rel=1e-12)


def test_maximum_leverage_with_a_redundant_column():
    made = design(n=40)
    twice = np.column_stack([made.matrix, made.matrix[:, 0] * 2])
    assert maximum_leverage(twice) == pytest.approx(maximum_leverage(made.matrix), rel=1e-9)


def test_maximum_leverage_within_strata_is_that_of_a_hat_matrix_without_their_means():
    made, strata = design(n=40, columns=[noise(40), noise(40, 2)]), np.arange(40) % 3 * 2
    own = (strata[:, None] == np.unique(strata)).astype(float)
    within = made.matrix - own @ np.linalg.pinv(own) @ made.matrix
    hat = within @ np.linalg.pinv(within)
    assert maximum_leverage(made.matrix, strata) == pytest.approx(np.diag(hat).max() + 1 / 40, rel=1e-12)


def test_maximum_leverage_of_a_constant_column():
    assert maximum_leverage(np.ones((10, 1))) == pytest.approx(0.1)
