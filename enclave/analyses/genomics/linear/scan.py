"""The kernel of a linear scan: a trait on each variant's dosage, with intercepts and covariates, by least squares."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from enclave.analyses.arrays import Bools, Floats, Integers
from enclave.analyses.association import BlockStatistics
from enclave.analyses.packed_calls import PackedRows, RowLayout, count_calls, missing_calls, multiply
from enclave.analyses.projection import REDUNDANT, orthonormal_basis, take_out
from protocol.errors import AnalysisError

__all__ = ["NullModel", "fit_null", "scan_block"]

_CONSTANT = 1e-12
"""Of a sum of squares: what rounding leaves of a trait, or of a dosage, that covariates explain in full."""
_COLLINEAR = 1e-9
_SAFE_LEVERAGE = 0.9
"""Where samples with missing calls have less leverage in all, no direction loses more than this share."""


@dataclass(frozen=True, slots=True, eq=False)
class NullModel:
    """The model without a variant, as far as a scan needs it.

    Parameters
    ----------
    columns
        Float, shape (places, rank + 1): by place in a packed row an orthonormal basis of intercepts and covariates, and
        the trait's residual; zero where there is no sample, or one that is left out.
    mask
        uint8, shape (width,): the samples in the model, as ``packed_calls`` takes them.
    """

    columns: Floats
    mask: NDArray[np.uint8]

    @property
    def rank(self) -> int:
        """Parameters that can be estimated, the intercepts included."""
        return int(self.columns.shape[1]) - 1


def fit_null(
    layout: RowLayout, chosen: Bools, trait: Floats, covariates: Floats, cohorts: Integers | None = None
) -> NullModel:
    """Fit the model without a variant.

    Parameters
    ----------
    layout
        Of the packed rows; all cohorts' samples.
    chosen
        Bool, shape (samples,): the n in the model.
    trait
        Float, shape (n,).
    covariates
        Float, shape (n, c), without intercepts. A redundant one adds nothing and takes no degree of freedom.
    cohorts
        Int, shape (n,): gives each cohort an intercept of its own; one intercept without it.

    Raises
    ------
    AnalysisError
        ``FEW_SUBJECTS`` where no degree of freedom is left; ``TRAIT_CONSTANT`` where intercepts and covariates explain
        the trait in full.
    """
    basis = orthonormal_basis(covariates, cohorts)
    if len(trait) - basis.shape[1] < 2:  # noqa: PLR2004 - the variant takes one, the error needs one
        raise AnalysisError("FEW_SUBJECTS", "Fewer subjects have trait and covariates than the model has parameters.")
    deviation = trait - trait.mean()
    residual = take_out(deviation, basis)
    if residual @ residual <= _CONSTANT * (deviation @ deviation):
        raise AnalysisError("TRAIT_CONSTANT", "The trait is constant, or follows from the covariates.")
    columns = np.zeros((layout.width * 4, basis.shape[1] + 1))
    columns[layout.places[chosen]] = np.column_stack([basis, residual])
    return NullModel(columns, layout.mask(chosen))


def scan_block(rows: PackedRows, model: NullModel) -> BlockStatistics:
    """Estimate the effect of one copy of each variant's first allele on the trait, with a t test of none.

    Parameters
    ----------
    rows
        uint8, shape (variants, width): packed calls in the model's layout.
    model
        The model without a variant.

    Returns
    -------
    BlockStatistics
        Effect and standard error in the trait's unit per copy; t with n - rank - 1 degrees of freedom, n being the
        subjects whose call is not missing; two-sided p. NaN where the variant has one dosage only, or follows from the
        covariates, where no degree of freedom is left, or where the fit leaves no residual.

    Notes
    -----
    Each variant's fit is over the subjects whose call is not missing (complete cases), exactly: products with the
    basis Q of intercepts and covariates are of all subjects, then what those with a missing call add to Q'Q, Q'y and
    y'y is taken away, and the smaller system is solved. It is well conditioned where these have a leverage below 0.9 in
    all; elsewhere directions that are gone, such as the intercept of a cohort without any call, are found by the
    eigenvalues and count for no degree of freedom.

    Disclosure
    ----------
    Effects of many variants tell who was in the study, and one of a variant with few carriers tells these subjects'
    trait: what leaves is decided by ``enclave.disclosure.hits``.

    References
    ----------
    Frisch and Waugh (1933), Econometrica 1:387. Chang et al. (2015), GigaScience 4:7: PLINK's ``--glm``.

    Examples
    --------
    Five subjects with 2, 1, 0 and 1 copies and a missing call; the trait is 1 more for each copy.

    >>> layout, every = RowLayout((5,)), np.ones(5, dtype=bool)
    >>> rows = layout.join([np.array([[0b10_11_10_00, 0b01]], dtype=np.uint8)])
    >>> model = fit_null(layout, every, np.array([7.0, 6.0, 5.0, 6.5, 9.0]), np.empty((5, 0)))
    >>> found = scan_block(rows, model)
    >>> found.subjects[0], round(found.frequency[0], 3), round(found.effect[0], 6), round(found.standard_error[0], 6)
    (np.int64(4), np.float64(0.5), np.float64(1.0), np.float64(0.216506))
    """
    from scipy.special import stdtr

    counts, rank = count_calls(rows, model.mask), model.rank
    products = multiply(rows, model.columns)
    inner, cross = products[:, :rank], products[:, rank].copy()
    spread = counts.squares - np.einsum("ij,ij->i", inner, inner)
    total = np.full(len(rows), model.columns[:, rank] @ model.columns[:, rank])
    ranks = np.full(len(rows), rank)
    gaps = np.flatnonzero(counts.missing)
    if gaps.size:
        lost = _lost(rows, model, gaps)
        solved, ranks[gaps] = _solve(lost[:, :rank, :rank], inner[gaps], -lost[:, :rank, rank])
        spread[gaps] = counts.squares[gaps] - np.einsum("ij,ij->i", inner[gaps], solved[..., 0])
        cross[gaps] -= np.einsum("ij,ij->i", inner[gaps], solved[..., 1])
        total[gaps] -= lost[:, rank, rank] - np.einsum("ij,ij->i", lost[:, :rank, rank], solved[..., 1])
    freedom = counts.called - ranks - 1
    with np.errstate(all="ignore"):
        effect = cross / spread
        rest = total - cross * effect
        usable = (spread > _COLLINEAR * counts.squares) & (freedom > 0) & (rest > _CONSTANT * total)
        error = np.where(usable, np.sqrt(rest / freedom / spread), np.nan)
        effect = np.where(usable, effect, np.nan)
        statistic = effect / error
        frequency = counts.copies / (2 * counts.called)
    p = 2 * stdtr(freedom, -np.abs(statistic))
    return BlockStatistics(counts.called, frequency, effect, error, statistic, p)


def _lost(rows: PackedRows, model: NullModel, gaps: Integers) -> Floats:
    """Return for each variant of ``gaps`` what subjects with a missing call add to the products of all columns.

    Float, shape (gaps, rank + 1, rank + 1).
    """
    row, place = missing_calls(rows[gaps], model.mask)
    ends = np.cumsum(np.bincount(row, minlength=len(gaps)))
    lost = np.empty((len(gaps), model.rank + 1, model.rank + 1))
    start = 0
    for index, end in enumerate(ends):
        subjects = model.columns.take(place[start:end], axis=0)
        np.matmul(subjects.T, subjects, out=lost[index])
        start = end
    return lost


def _solve(lost: Floats, inner: Floats, residual: Floats) -> tuple[Floats, Integers]:
    """Solve (I - lost) x = inner and = residual; return the solutions, shape (gaps, rank, 2), and the ranks."""
    right = np.stack([inner, residual], axis=-1)
    system = np.eye(lost.shape[1]) - lost
    ranks = np.full(len(lost), lost.shape[1])
    solved = np.empty_like(right)
    safe = np.trace(lost, axis1=1, axis2=2) < _SAFE_LEVERAGE
    solved[safe] = np.linalg.solve(system[safe], right[safe])
    values, vectors = np.linalg.eigh(system[~safe])
    there = values > REDUNDANT
    inverse = np.where(there, 1 / np.where(there, values, 1.0), 0.0)
    solved[~safe] = vectors @ (inverse[..., None] * (vectors.swapaxes(1, 2) @ right[~safe]))
    ranks[~safe] = there.sum(axis=1)
    return solved, ranks
