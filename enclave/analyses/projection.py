"""Taking intercepts and covariates out of a column: the projection that a scan and the gate's look at it share."""

from typing import Final

import numpy as np

from enclave.analyses.arrays import Floats, Integers

__all__ = ["REDUNDANT", "orthonormal_basis", "take_out"]

REDUNDANT: Final = 1e-10
"""A direction with a smaller share than this is none: only rounding is left of it."""


def orthonormal_basis(covariates: Floats, cohorts: Integers | None = None) -> Floats:
    """Return an orthonormal basis of intercepts and covariates.

    Parameters
    ----------
    covariates
        Float, shape (n, c), n >= 1, without intercepts. A redundant one adds nothing.
    cohorts
        Int, shape (n,): one intercept for each of its values; one in all where it is None.

    Returns
    -------
    numpy.ndarray
        Float, shape (n, rank).
    """
    codes = np.zeros(len(covariates), dtype=np.intp) if cohorts is None else cohorts
    centred = covariates - covariates.mean(axis=0)
    largest = np.abs(centred).max(axis=0)
    scaled = centred / np.where(largest > 0, largest, 1.0)
    design = np.hstack([codes[:, None] == np.unique(codes), scaled]).astype(np.float64)
    left, singular, _right = np.linalg.svd(design, full_matrices=False)
    basis: Floats = left[:, singular > REDUNDANT * singular[0]]
    return basis


def take_out(column: Floats, basis: Floats) -> Floats:
    """Return a column's residual on a basis; done twice, since the second time takes out what rounding left."""
    residual = column - basis @ (basis.T @ column)
    return residual - basis @ (basis.T @ residual)
