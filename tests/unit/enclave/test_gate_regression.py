import math
from dataclasses import replace

import lung
import numpy as np
import pytest

from enclave.analyses.results import Design, RawRegression, RawTerm
from enclave.disclosure.regression import maximum_leverage, release_regression
from enclave.disclosure.support import coalitions
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


def raw(made, terms=None):
    count = made.matrix.shape[1]
    terms = terms or tuple(RawTerm(f"term {number}", 0.0110667645600735, 0.25, 0.4) for number in range(count))
    return RawRegression(terms, (-10.0, -5.0), made)


def release(made, recipients="abc", terms=None, preset=SACRO):
    owners = tuple(made.owner_keys)
    return release_regression(raw(made, terms), preset, coalitions([lung.OWNERS[slot] for slot in recipients], owners))


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
    assert release(design(event=first(15))).events == 15


def test_residual_degrees_of_freedom():
    n = 24
    columns = [noise(n, seed) for seed in range(7)]
    assert refused(design(n, columns, event=np.arange(n) % 4 < 2), preset=PRESETS["uk-biobank"]) == "RESIDUAL_DF"


def test_a_parameter_for_every_ten_subjects():
    n = 150  # a hundred are left without one owner's
    event = np.arange(n) % 4 < 2
    assert len(release(design(n, [noise(n, seed) for seed in range(10)], event=event)).terms) == 10
    assert refused(design(n, [noise(n, seed) for seed in range(11)], event=event)) == "PARAMETERS"


@pytest.mark.parametrize("ones", [1, 2, 14, 286, 299])
def test_a_dummy_of_few(ones):
    assert refused(design(columns=[first(ones), noise()])) == "COLUMN_MINORITY"


def test_a_dummy_of_enough():
    assert len(release(design(columns=[first(15), noise()])).terms) == 2


def test_a_dummy_of_the_recipients_own_rows_only():
    owners = np.where(np.arange(300) < 100, 0, 1 + np.arange(300) % 2)
    made = design(columns=[first(50), noise()], owners=owners)
    assert refused(made, recipients="a") == "COLUMN_MINORITY"
    assert len(release(made, recipients="b").terms) == 2


def test_a_near_dummy_with_three_values():
    column = np.zeros(300)
    column[:5], column[5:9] = 3.0, 4.0
    assert refused(design(columns=[column, noise()])) == "COLUMN_MINORITY"


def test_a_small_reference_level():
    references = first(2)[:, None]
    others = (np.arange(300) % 2 == 0) & ~first(2)
    assert refused(design(columns=[others, noise()], references=references)) == "COLUMN_MINORITY"


def test_leverage_of_one_subject():
    column = noise() * 1e-6
    column[0] = 1000.0
    assert refused(design(columns=[column, noise(seed=2)]), recipients="b") == "LEVERAGE"


def test_leverage_is_judged_without_the_recipients_own_rows():
    # Rows of a own jitter hide, in the whole design, that one of b's rows stands out.
    owners = np.where(np.arange(300) < 100, 0, 1)
    column = np.where(owners == 0, noise() * 1000, noise(seed=3) * 1e-3)
    column[150] = 1000.0
    made = design(columns=[column], owners=owners)
    assert maximum_leverage(made.matrix) < 0.5
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
    assert maximum_leverage(made.matrix) < 0.5
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


def test_maximum_leverage_is_that_of_the_hat_matrix():
    made = design(n=40)
    full = np.column_stack([np.ones(40), made.matrix])
    hat = full @ np.linalg.inv(full.T @ full) @ full.T
    assert maximum_leverage(made.matrix) == pytest.approx(np.diag(hat).max(), rel=1e-12)


def test_maximum_leverage_with_a_redundant_column():
    made = design(n=40)
    twice = np.column_stack([made.matrix, made.matrix[:, 0] * 2])
    assert maximum_leverage(twice) == pytest.approx(maximum_leverage(made.matrix), rel=1e-9)


def test_maximum_leverage_of_a_constant_column():
    assert maximum_leverage(np.ones((10, 1))) == pytest.approx(0.1)
