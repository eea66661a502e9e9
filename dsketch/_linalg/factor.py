"""The triangular factor R of a tall matrix (or of its sketch): solve, whiten, decide the rank, say what was dropped.

Everything that is d × d and matters for trust happens here, once for all methods.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.linalg as sl

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import norms, powers_near_norms, ratio
from dsketch._linalg.extent import Extent, extent_of
from dsketch._linalg.householder import householder
from dsketch._linalg.whitener import Whitener, dense, substitution

# A computed R of an exactly rank-deficient A has trailing singular values (columns scaled to norm one) of 0.1 to 2.8 eps: measured
# for d = 5 to 400, n to two million; duplicate, dependent, one-hot and product columns, by triangle and by sketch.  Dropping what
# is at most 4 eps costs a backward error of at most 4 eps/√d.
RANK_TOLERANCE = 4 * np.finfo(float).eps
# Null vectors whose unit is that much smaller than the largest are mixed with its rounding.
_UNRESOLVED = 64 * np.finfo(float).eps
# Between these, products of two units, with singular values of R D⁻¹ and their inverses, are normal numbers.
_NORMAL = 1e-60, 1e60


@dataclass(frozen=True)
class Factor:
    """R with RᵀR = AᵀA, shape (d, d), and what follows from it.

    Attributes
    ----------
    R : ndarray, shape (d, d)
        Upper triangular.

    Notes
    -----
    The rank is decided with columns scaled to norm one by powers of two (exact), so that a column measured in nanometres is not
    taken for a dependent one.  Minimum norm is meant in the user's own units all the same: the basic solution is projected on
    the complement of the null space.

    From 129 columns on no singular value is computed where the inverse proves that the rank is full
    (:mod:`~dsketch._linalg.extent`); condition numbers are then known to a factor of 1.1², from below.
    """

    R: Floats

    @classmethod
    def of(cls, M: Floats) -> "Factor":
        """Return the factor of a small matrix with the same MᵀM."""
        R = householder(M)
        return cls(np.concatenate([R, np.zeros((R.shape[1] - R.shape[0], R.shape[1]))]))

    @cached_property
    def scale(self) -> Floats:
        """Powers of two near the column norms; 1 for zero columns."""
        return powers_near_norms(self.R)

    @cached_property
    def sizes(self) -> Floats:
        """Norms of the columns."""
        return norms(self.R)

    @cached_property
    def scaled(self) -> Floats:
        """R D⁻¹: columns of norm between ½ and 1 (or 0)."""
        return self.R / self.scale

    @cached_property
    def _svd(self) -> tuple[Floats, Floats, Floats]:
        U, s, Vt = sl.svd(self.scaled)
        return U, s, Vt

    @property
    def scaled_decomposition(self) -> tuple[Floats, Floats]:
        """Singular values and right singular vectors (as rows) of R with scaled columns."""
        return self._svd[1], self._svd[2]

    @cached_property
    def scaled_singular(self) -> Floats:
        """Singular values of R with scaled columns: what rounding feels, and what decides the rank."""
        return np.asarray(sl.svdvals(self.scaled))

    @cached_property
    def extent(self) -> Extent | None:
        """What the inverse of R D⁻¹ proves; None where singular values must tell."""
        return extent_of(self.scaled)

    @cached_property
    def rank(self) -> int:
        """Numerical rank of A, columns scaled."""
        if self.extent is not None:
            return len(self.R)
        s = self.scaled_singular
        return int(np.count_nonzero(s > self.rank_tolerance * s[0])) if s[0] > 0 else 0

    @property
    def rank_tolerance(self) -> float:
        """Relative singular value (columns scaled) at or below which a direction is absent: 4 eps, from d = 400 on 4 eps √(d/400)."""
        return RANK_TOLERANCE * max(1.0, float(np.sqrt(self.R.shape[0] / 400)))

    @property
    def is_deficient(self) -> bool:
        """Whether directions were dropped."""
        return self.rank < int(self.R.shape[0])

    @property
    def rank_reason(self) -> str:
        """One sentence: the rank and the singular values that decided it."""
        d = self.R.shape[0]
        if not self.is_deficient:
            return f"full column rank {d}"
        s = self.scaled_singular / (self.scaled_singular[0] or 1.0)
        kept = f"the last kept is {s[self.rank - 1]:.1e}, " if self.rank else ""
        return (
            f"rank {self.rank} of {d}: of the singular values relative to the largest (columns scaled), {kept}the first dropped is "
            f"{s[self.rank]:.1e}, the limit {self.rank_tolerance:.1e}"
        )

    @property
    def scaled_bounds(self) -> tuple[float, float]:
        """A lower bound of the least singular value of R D⁻¹ (of those kept), and an upper one of the largest."""
        if self.extent is not None:
            return self.extent.bounds
        return float(self.scaled_singular[max(self.rank - 1, 0)]), float(self.scaled_singular[0])

    @property
    def scaled_condition(self) -> float:
        """Condition number of A with scaled columns over the kept directions."""
        if self.extent is not None:
            return self.extent.largest / self.extent.least
        return float(self.scaled_singular[0] / self.scaled_singular[self.rank - 1]) if self.rank else 1.0

    @cached_property
    def condition(self) -> float:
        """Condition number of A in its own units over the kept directions; infinite beyond units of 1e308."""
        if self.extent is not None and _NORMAL[0] < self.scale.min() and self.scale.max() < _NORMAL[1]:
            return self.extent.condition(self.scale)
        s = sl.svdvals(self.R)
        return float(ratio(s[:1], s[self.rank - 1 : self.rank])[0]) if self.rank else 1.0

    @cached_property
    def singular(self) -> tuple[Floats, Floats]:
        """Singular values of A in its own units, and its right singular vectors as rows (a decomposition of R, never of a Gram)."""
        _, s, Vt = sl.svd(self.R)
        return s, Vt

    @cached_property
    def scaled_null(self) -> Floats:
        """Basis of the null space of R D⁻¹, orthonormal to rounding, shape (d, d − rank).

        LAPACK stops a singular value decomposition at some 90 eps (dbdsqr): one step takes out what is left of the kept directions.
        """
        U, s, Vt = self._svd
        basis, kept = Vt[self.rank :].T, Vt[: self.rank].T
        return np.asarray(basis - kept @ ((U[:, : self.rank].T @ (self.scaled @ basis)) / s[: self.rank, None]))

    @property
    def null(self) -> Floats:
        """Orthonormal basis of the numerical null space in the user's units, shape (d, d − rank)."""
        return self._null[0]

    @cached_property
    def _null(self) -> tuple[Floats, int]:
        """The basis, and how many of its vectors, the first ones, are more than rounding of the others.

        Its rows are as different in size as the units of the columns, and A meets the small rows with large columns: so each row
        must be right relative to its own size, which Householder QR is with rows sorted and columns pivoted (A. J. Cox, N. J.
        Higham, "Stability of Householder QR factorization for weighted least squares problems", 1998).  A zero column has no unit;
        it gets the smallest (at most 1), and so its own vector.
        """
        present = self.scaled.any(axis=0)
        units = np.where(present, self.scale, self.scale[present].min(initial=1.0))
        basis = self.scaled_null / units[:, None]
        order = np.argsort(-np.abs(basis).max(axis=1, initial=0.0), kind="stable")
        null = np.empty_like(basis)
        null[order], triangle, _ = sl.qr(basis[order], mode="economic", pivoting=True)
        sizes = np.abs(np.diagonal(triangle))
        return null, int(np.count_nonzero(sizes > _UNRESOLVED * sizes.max(initial=0.0)))

    @cached_property
    def whitener(self) -> Whitener:
        """T with A T nearly orthonormal, shape (d, rank)."""
        if not self.is_deficient:
            return substitution(self.R)
        U, s, Vt = self._svd
        T = Vt[: self.rank].T / s[: self.rank] / self.scale[:, None]
        return dense(T, U[:, : self.rank].T @ self.R)

    def solve(self, y: Floats) -> Floats:
        """Return T y in the basis of :meth:`solve_transposed`: R⁻¹ y, or the kept directions only."""
        if not self.is_deficient:
            return np.asarray(sl.solve_triangular(self.scaled, y)) / self.scale[:, None]
        return self.whitener.inverses[0] @ y

    def solve_transposed(self, g: Floats) -> Floats:
        """Return Tᵀ g, shape (rank, k)."""
        if not self.is_deficient:
            return np.asarray(sl.solve_triangular(self.scaled, g / self.scale[:, None], trans="T"))
        return self.whitener.inverses[0].T @ g

    def fitted(self, x: Floats) -> Floats:
        """Return ‖A x‖ of each column of x."""
        return norms(self.R @ x)

    def least_squares(self, z: Floats) -> Floats:
        """Return the minimum-norm x of min ‖R x − z‖, shape (d, k)."""
        if not self.is_deficient:
            return self.solve(z)
        U = self._svd[0][:, : self.rank]
        return self.shortest(self.solve(U.T @ z))

    def shortest(self, x: Floats) -> Floats:
        """Return x without its component in the null space.

        Projected twice: the component may be 1/units times the rest, and once leaves eps times it.  What is below the rounding of
        that component stays.
        """
        if not self.is_deficient:
            return x
        null = self._null[0][:, : self._null[1]]
        x = x - null @ (null.T @ x)
        return x - null @ (null.T @ x)


def solve_small(M: Floats, z: Floats) -> tuple[Factor, Floats]:
    """Return the factor of M and the minimum-norm x of min ‖M x − z‖, by QR of [M z].

    Parameters
    ----------
    M : ndarray, shape (m, d)
    z : ndarray, shape (m, k)
    """
    d = M.shape[1]
    triangle = householder(np.concatenate([M, z], axis=1))
    square = np.zeros((d, d + z.shape[1]))
    square[: min(d, triangle.shape[0])] = triangle[:d]
    factor = Factor(square[:, :d])
    return factor, factor.least_squares(square[:, d:])
