"""What all targets share: the rows of A as numbers, their factor, the constant among the columns, the penalty.

A has few columns here, and all its rows are in the memory of every task: X = √w [A − 1 sᵀ, 1], rows that count for no target set to 0.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats, State
from dsketch._linalg.factor import Factor, solve_small
from dsketch._linalg.householder import householder
from dsketch._linalg.threads import one_blas_thread
from dsketch.errors import DataError
from dsketch.matrix.base import AnyArray
from dsketch.matrix.rows import Rows, find_nonfinite
from dsketch.passes import Slope
from dsketch.problems.linear.statistics.constant import FITS
from dsketch.problems.linear.statistics.estimates import Fit
from dsketch.problems.linear.statistics.observations import require_weight
from dsketch.problems.linear.statistics.uncentred import as_stored
from dsketch.settings import EPS

_DISTANCE = 64 * EPS  # ‖Yᵀ1‖² is known to this times kappa, columns scaled (dsketch.problems.linear.statistics.constant)


@dataclass(frozen=True)
class Design:
    """The regressors of every target.

    Attributes
    ----------
    X : ndarray, shape (n, d)
        Rows of √w [A − 1 sᵀ, 1]; those that count for no target are 0.
    roots : ndarray, shape (n,)
        √w, 0 for rows that count for no target.
    penalty : ndarray, shape (d,)
        p ≥ 0 of min ‖A x − b‖² + Σ p x²; times a target's own factor where ``has_own_penalties``.
    typical : float
        The middle of those factors; 1 without any.
    shift : ndarray, shape (d − 1,), or None
        s.
    intercept : bool
    """

    X: Floats
    roots: Floats
    penalty: Floats
    typical: float
    shift: AnyArray | None
    intercept: bool

    def state(self) -> Iterator[State]:
        """Yield what tells it apart."""
        yield from (self.X, self.roots, self.penalty, repr(self.typical), repr(self.intercept))
        yield repr(None if self.shift is None else self.shift.tolist())

    @property
    def columns(self) -> int:
        """d, the intercept counted."""
        return int(self.X.shape[1])

    @cached_property
    def counting(self) -> NDArray[np.bool_]:
        """Which rows count."""
        return np.asarray(self.roots > 0)

    @cached_property
    def rows(self) -> int:
        """How many rows count."""
        return int(np.count_nonzero(self.roots))

    @property
    def is_penalized(self) -> bool:
        """Whether any penalty is positive."""
        return bool(self.penalty.any())

    @cached_property
    def R(self) -> Floats:  # noqa: N802 - a matrix
        """The triangle of X, shape (d, d)."""
        with one_blas_thread():
            return Factor.of(householder(self.X)).R

    @cached_property
    def factor(self) -> Factor:
        """Of X with the penalty's rows below."""
        return Factor.of(np.concatenate([self.R, self.penalty_rows])) if self.is_penalized else Factor(self.R)

    @property
    def penalty_rows(self) -> Floats:
        """√p on a diagonal, rows of 0 left out, shape (q, d)."""
        rows = np.diag(np.sqrt(self.penalty * self.typical))
        return np.asarray(rows[self.penalty > 0])

    @property
    def rank(self) -> int:
        """Of A, with the penalty."""
        return self.factor.rank

    @cached_property
    def whitened(self) -> Floats:
        """Y = X T, shape (n, r), in the basis of ``factor.solve``; each row by a triangular solve, so that its error is backward."""
        with one_blas_thread():
            return np.ascontiguousarray(self.factor.solve_transposed(self.X.T).T)

    @cached_property
    def triangle(self) -> Floats:
        """R with Y R = X, in the same basis, shape (r, d)."""
        return self.factor.whitener.matrix if self.factor.is_deficient else self.factor.R

    @cached_property
    def basis(self) -> Floats:
        """T, told of A as it is stored, shape (d, r): the covariance of x is T G⁻¹ Tᵀ."""
        return self.told.restate(self.factor.solve(np.eye(self.rank)))

    @cached_property
    def told(self) -> Fit:
        """A fit of this design with nothing in it: what says how solutions are told of A as it is stored."""
        return told_of(self.factor, self.shift, self.rows)

    @cached_property
    def constant(self) -> Floats | None:
        """v with X v = √w, of a model that holds a constant; None of others."""
        if self.intercept:
            return np.asarray(np.eye(self.columns)[-1])
        q = self.whitened.T @ self.roots
        weight = float(self.roots @ self.roots)
        distance = weight - float(q @ q)
        if self.is_penalized or not distance <= _DISTANCE * max(self.factor.scaled_condition, 1.0) * weight:
            return None
        with one_blas_thread():  # the square of a distance of 1e-8 is rounding, the distance itself is not
            left = self.roots[:, None] - self.X @ solve_small(self.X, self.roots[:, None])[1]
        is_one = np.linalg.norm(left) <= FITS * np.sqrt(weight)
        return np.asarray(self.factor.solve(q[:, None])[:, 0]) if is_one else None


def told_of(factor: Factor, shift: AnyArray | None, rows: int) -> Fit:
    """Return a fit with nothing in it: how solutions by a factor are told of A as it is stored, and which coefficients data determine."""
    d, nothing = factor.R.shape[0], np.zeros(1)
    slope = Slope(np.zeros((d, 1)), nothing, np.ones(1), nothing, nothing, np.array([float(rows)]), nothing)
    return as_stored(Fit(np.zeros((d, 1)), slope, factor), shift)


def read_design(rows: Rows, penalty: Floats, typical: float, *, may_lack: bool) -> Design:
    """Return the design of some rows, read in this process.

    Parameters
    ----------
    rows : Rows
        [A 1] without b, with the weights and the shift.
    penalty : ndarray, shape (d,)
    typical : float
    may_lack : bool
        Whether a row of A with a NaN is left out for all targets; False: it is refused.

    Raises
    ------
    DataError
        If a row cannot be read or holds an infinity, or a NaN that may not be; if no row counts.
    """
    X, roots = np.empty(rows.shape), np.ones(rows.shape[0])
    with np.errstate(over="ignore", invalid="ignore"):
        for start, stop in zip(rows.cuts[:-1].tolist(), rows.cuts[1:].tolist(), strict=True):
            block = rows.block(start, stop)
            for low, part, _ in block.slices():
                X[low : low + len(part)] = part
            if block.weights is not None:
                roots[start:stop] = np.sqrt(block.weights[:, 0].astype(np.float64))
            if not may_lack and not np.isfinite(X[start:stop]).all():
                find_nonfinite(block)
    _require_no_infinity(X, rows.names[0])
    lacking = np.isnan(X).any(axis=1)
    X[lacking], roots[lacking] = 0.0, 0.0
    if lacking.all():
        raise DataError("A must have a row without a NaN; every row has one. Look at its columns: one of them may be all NaN.")
    require_weight(roots)
    return Design(X, roots, penalty, typical, rows.shift, rows.intercept)


def _require_no_infinity(X: Floats, what: str) -> None:
    found = np.argwhere(np.isinf(X))
    if found.size:
        row, column = found[0].tolist()
        raise DataError(
            f"{what} must be finite, or NaN where a value is missing; row {row}, column {column} is {X[row, column]}. Correct it, or "
            "make it NaN."
        )
