"""A Cox estimate exists exactly where linear programming finds no direction in which the likelihood only grows."""

import hashlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from enclave.analyses.clinical.survival.cox import fit_cox
from enclave.analyses.design import Coded
from enclave.analyses.pooling import Pooled
from protocol.errors import AnalysisError

OWNERS = tuple(hashlib.sha256(name).hexdigest() for name in (b"a", b"b"))


def contrasts(matrix, time, event, strata):
    """Covariates of each event minus those of each subject at risk with it."""
    rows = [
        matrix[i] - matrix[j]
        for i in np.flatnonzero(event)
        for j in np.flatnonzero((time >= time[i]) & (strata == strata[i]))
        if i != j
    ]
    return np.array(rows).reshape(-1, matrix.shape[1])


def what_should_happen(matrix, time, event, strata):
    if not event.any():
        return "NO_EVENTS"
    differences = contrasts(matrix, time, event, strata)
    if np.linalg.matrix_rank(differences) < matrix.shape[1]:
        return "COLLINEAR"
    found = linprog(-differences.sum(axis=0), A_ub=-differences, b_ub=np.zeros(len(differences)), bounds=(-1, 1))
    return "SEPARATION" if -found.fun > 1e-9 else None


@st.composite
def trials(draw):
    n, p = draw(st.integers(1, 14)), draw(st.integers(1, 2))
    rows = draw(st.lists(st.tuples(*[st.integers(0, 3)] * p), min_size=n, max_size=n))
    time = draw(st.lists(st.integers(0, 6), min_size=n, max_size=n))
    event = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    strata = draw(st.lists(st.integers(0, 1), min_size=n, max_size=n))
    return np.array(rows, dtype=float), np.array(time, dtype=float), np.array(event), np.array(strata)


def outcome(matrix, time, event, strata, stratified):
    pooled = Pooled(pd.DataFrame(index=range(len(time))), strata, OWNERS)
    coded = Coded(matrix, np.empty((len(time), 0), dtype=bool))
    labels = tuple(f"x{number}" for number in range(matrix.shape[1]))
    try:
        return fit_cox(pooled, coded, time, event, labels, stratified=stratified)
    except AnalysisError as error:
        return error.code


@pytest.mark.parametrize("stratified", [False, True])
@settings(max_examples=60, deadline=None)
@given(trial=trials())
def test_fits_exist_where_they_should(stratified, trial):
    matrix, time, event, strata = trial
    used = strata if stratified else np.zeros_like(strata)
    wanted = what_should_happen(matrix, time, event, used)
    found = outcome(matrix, time, event, strata, stratified)
    if wanted is None:
        assert not isinstance(found, str)
        assert all(np.isfinite(term.coefficient) and term.standard_error > 0 for term in found.terms)
        assert found.log_likelihood[1] >= found.log_likelihood[0] - 1e-12
    else:
        assert found == wanted
