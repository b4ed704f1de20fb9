"""Where k disjoint groups overlap, fewer than k subjects do not decide whether a logistic model separates."""

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import linprog

from enclave.disclosure.separation import overlapping_groups

WANTED = 4
SEEDS = st.integers(0, 2**32 - 1)


def study(seed):
    """Subjects with small whole numbers, so that ties and separation are common, in one or two strata."""
    generator = np.random.default_rng(seed)
    rows, columns = generator.integers(12, 60), generator.integers(1, 4)
    matrix = generator.integers(0, generator.integers(2, 5), (rows, columns)).astype(float)
    slope = generator.normal(0, generator.choice([0, 1, 5]), columns)
    event = generator.random(rows) < 1 / (1 + np.exp(-(matrix - matrix.mean(axis=0)) @ slope))
    return generator, matrix, event, np.arange(rows) % generator.integers(1, 3)


@given(SEEDS)
def test_no_outcomes_of_fewer_and_no_rows_of_others_separate(seed):
    generator, matrix, event, strata = study(seed)
    assume(overlapping_groups(matrix, event, strata, WANTED) == WANTED)
    # The outcomes of fewer are turned, those that the columns predict worst for one.
    towards = generator.normal(size=matrix.shape[1])
    doubtful = np.argsort(np.where(event, 1, -1) * ((matrix - matrix.mean(axis=0)) @ towards))
    for changed in (doubtful[: WANTED - 1], generator.choice(len(event), WANTED - 1, replace=False)):
        flipped, rest = event.copy(), np.setdiff1d(np.arange(len(event)), changed)
        flipped[changed] = ~flipped[changed]
        assert not separates(matrix, flipped, strata)
        assert not separates(matrix[rest], event[rest], strata[rest])
        # A coalition's rows: any covariates, any outcomes, in these strata or in one of their own.
        others = generator.integers(1, 30)
        more = generator.integers(-3, 6, (others, matrix.shape[1]))
        own = np.full(others, generator.integers(0, 3))
        assert not separates(
            np.vstack([matrix, more]), np.append(flipped, generator.random(others) < 0.9), np.append(strata, own)
        )


@given(SEEDS)
def test_separated_rows_hold_no_group(seed):
    _, matrix, event, strata = study(seed)
    assume(separates(matrix, event, strata))
    assert overlapping_groups(matrix, event, strata, 1) == 0


def separates(matrix, event, strata):
    """Whether a direction exists in which nobody is moved against the outcome and somebody towards it.

    As the fit sees it, strata of one outcome are left out, for their intercepts alone separate them.
    """
    rows, events = np.bincount(strata), np.bincount(strata, weights=event)
    kept = ((events > 0) & (events < rows))[strata]
    if not kept.any():
        return False
    intercepts = strata[kept, None] == np.unique(strata[kept])
    signed = np.where(event[kept], 1.0, -1.0)[:, None] * np.hstack([intercepts, matrix[kept]])
    found = linprog(-signed.sum(axis=0), A_ub=-signed, b_ub=np.zeros(len(signed)), bounds=(-1, 1))
    return -found.fun > 1e-6
