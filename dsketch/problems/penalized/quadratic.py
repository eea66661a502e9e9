"""½‖A z − b‖² as a d × d problem, from the Gram matrix or from the triangle of [A b]: its pull, its steps, its measures.

Columns are scaled by powers of two to norms between ½ and 1 (z = D x), so that neither rank nor rounding depends on units.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np
import scipy.linalg as sl
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats
from dsketch._linalg.bordered import Bordered, block
from dsketch._linalg.columns import beside
from dsketch._linalg.householder import householder
from dsketch.settings import EPS

_NOISE = 8 * EPS  # a pull, summed over d numbers, is right to a few eps of its terms
_SINGULAR = 64 * EPS  # an eigenvalue of AᵀA, times its order, that is no more, relative to the largest, is 0
_LEAST_NULL = 1e3 * EPS  # what is less of a linear function along a direction without curvature is rounding, times the order

Indices = NDArray[np.intp]


class Correction(NamedTuple):
    """A Newton step of some columns, and what is known of M = H + diag ridge there.

    Attributes
    ----------
    step : ndarray, shape (c,)
        M⁻¹ excess.
    least : float
        At most the smallest eigenvalue of M, within a factor of its order.
    condition : float
        About the condition number of M^½.
    rank : int
        Numerical rank of M.
    least_kept : float
        The same as ``least`` within the range of M, where that lacks directions and ``least`` is 0.
    """

    step: Floats
    least: float
    condition: float
    rank: int
    least_kept: float


_NOTHING = Correction(np.zeros(0), np.inf, 1.0, 0, np.inf)


@dataclass(frozen=True, kw_only=True)
class Quadratic(ABC):
    """½‖A z − b‖² around a point where its pull is known.

    Attributes
    ----------
    pull : ndarray, shape (d,)
        Aᵀ(b − A z) at ``origin``.
    origin : ndarray, shape (d,), or None
        None: 0, where the pull is Aᵀb.
    rounding : float
        How far the pull of a column of norm one may be off already.
    spread : float
        How far H may be from that of A, in norm.
    """

    pull: Floats
    origin: Floats | None = None
    rounding: float = 0.0
    spread: float = 0.0

    def around(self, z: Floats, pull: Floats, rounding: float) -> Self:
        """Return the same quadratic by a pull that was measured at z."""
        return replace(self, pull=pull, origin=z, rounding=rounding)

    def _moved(self, z: Floats) -> Floats:
        return z if self.origin is None else z - self.origin

    def slope(self, z: Floats) -> Floats:
        """Return Aᵀ(b − A z), for z of shape (d,), or (d, m)."""
        return beside(self.pull, z) - self.curve(self._moved(z))

    def noise(self, z: Floats) -> Floats:
        """Return about how far rounding may move :meth:`slope`, of the same shape."""
        fitted = self.sizes @ np.abs(self._moved(z))
        return beside(_NOISE * np.abs(self.pull), z) + np.multiply.outer(self.sizes, self.rounding + _NOISE * fitted)

    def misfit(self, z: Floats) -> float:
        """Return ½‖A z − b‖² to the accuracy that its square root has; NaN where only the pull is known."""
        del z
        return math.nan

    @cached_property
    @abstractmethod
    def sizes(self) -> Floats:
        """Norms of the columns of A, shape (d,)."""

    @abstractmethod
    def curve(self, v: Floats) -> Floats:
        """Return AᵀA v."""

    @abstractmethod
    def step(self, columns: Indices, z: Floats, excess: Floats, held: Floats, ridge: Floats) -> Floats:
        """Return the step of some columns to the minimum of the quadratic, ½ ridge z² and a linear function, the others fixed.

        Parameters
        ----------
        columns : ndarray of int, shape (c,)
        z : ndarray, shape (d,)
            Where the step begins.
        excess : ndarray, shape (c,)
            Minus the gradient there.
        held : ndarray, shape (c,)
            The part of the gradient that is the linear function's.
        ridge : ndarray, shape (c,)
        """

    @abstractmethod
    def correct(self, columns: Indices, excess: Floats, ridge: Floats) -> Correction:
        """Return the step of some columns that makes an excess vanish, the others fixed."""

    @abstractmethod
    def trust(self, least: float) -> float:
        """Return by how much more than computed a step may weigh, relatively, where the smallest eigenvalue is ``least``."""

    @abstractmethod
    def weigh(self, columns: Indices, excess: Floats, length: float, residual: float) -> float:
        """Return ‖(length² H + residual² I)^-½ excess‖ / ‖A‖_F for some columns: how much they must change for the excess to vanish."""


@dataclass(frozen=True, kw_only=True)
class GramQuadratic(Quadratic):
    """By H = D⁻¹AᵀA D⁻¹, whose small eigenvalues have lost digits to rounding."""

    H: Floats

    @cached_property
    def sizes(self) -> Floats:
        """Norms of the columns."""
        return np.sqrt(np.diagonal(self.H))

    def curve(self, v: Floats) -> Floats:
        """Return H v."""
        return np.asarray(self.H @ v)

    def solve(self, columns: Indices, side: Floats, ridge: Floats) -> Floats | None:
        """Return (H + diag ridge)⁻¹ side for some columns, None where that is singular to rounding."""
        return self._blocks.solve(columns, side) if self._blocks.factor(columns, ridge) else None

    @cached_property
    def _blocks(self) -> Bordered:
        return Bordered(self.H)

    def step(self, columns: Indices, z: Floats, excess: Floats, held: Floats, ridge: Floats) -> Floats:
        """Return the step by a Cholesky factor."""
        del z
        if (found := self.solve(columns, excess, ridge)) is not None:
            return found
        M = block(self.H, columns, ridge)
        values, vectors = np.linalg.eigh(M)
        level = len(M) * _SINGULAR
        lacking = vectors[:, values <= level * values[-1]]
        step = _within_range(values, vectors, level, excess).step
        return step + _along_null(lacking, held, 1 / (level * float(values[-1]) or 1.0))

    def correct(self, columns: Indices, excess: Floats, ridge: Floats) -> Correction:
        """Return the step by a Cholesky factor."""
        if not columns.size:
            return _NOTHING
        if (step := self.solve(columns, excess, ridge)) is None:
            M = block(self.H, columns, ridge)
            return _within_range(*np.linalg.eigh(M), len(M) * _SINGULAR, excess)
        least, condition = self._blocks.extent()
        return Correction(step, least, condition, columns.size, least)

    def trust(self, least: float) -> float:
        """Return what the rounding of H does to the smallest eigenvalue."""
        return self.spread / least if least > 0 else 0.0

    def weigh(self, columns: Indices, excess: Floats, length: float, residual: float) -> float:
        """Return it by a Cholesky factor of the weighted matrix."""
        size = float(np.linalg.norm(self.sizes[columns]))
        if not size or not excess.any():
            return 0.0
        M = length**2 * block(self.H, columns, np.zeros(columns.size))
        M.flat[:: len(M) + 1] += residual**2
        if not M.any():
            return np.inf
        return float(np.linalg.norm(sl.lapack.dtrtrs(_factor(M), excess, trans=1)[0]) / size)


def _factor(M: Floats) -> Floats:
    """Return U with UᵀU = M, or of M with a little more on its diagonal where it is singular to rounding."""
    size = float(np.diagonal(M).max(initial=0.0)) or 1.0
    U, info = sl.lapack.dpotrf(M.T)  # Fortran's order, so that it is copied as it lies
    if info == 0 and float(np.diagonal(U).min(initial=np.inf)) ** 2 > 4 * EPS * len(M) * size:
        return np.asarray(U)
    U, _ = sl.lapack.dpotrf(M + len(M) * _SINGULAR * size * np.eye(len(M)))
    return np.asarray(U)


@dataclass(frozen=True, kw_only=True)
class TriangleQuadratic(Quadratic):
    """By R D⁻¹ and Qᵀb of [A b]: stable for every condition number."""

    R: Floats
    side: Floats

    @cached_property
    def sizes(self) -> Floats:
        """Norms of the columns."""
        return np.asarray(np.linalg.norm(self.R, axis=0))

    def curve(self, v: Floats) -> Floats:
        """Return Rᵀ(R v)."""
        return np.asarray(self.R.T @ (self.R @ v))

    def slope(self, z: Floats) -> Floats:
        """Return Rᵀ(Qᵀb − R z), or what follows from a pull that was measured."""
        return np.asarray(self.R.T @ (self.side - self.R @ z)) if self.origin is None else super().slope(z)

    def misfit(self, z: Floats) -> float:
        """Return ½‖Qᵀb − R z‖², but for what b has outside the range; NaN where a measured pull says more."""
        rest = self.side - self.R @ z
        return 0.5 * float(rest @ rest) if self.origin is None else math.nan

    def noise(self, z: Floats) -> Floats:
        """Return about how far rounding may move :meth:`slope`: of what Qᵀb − R z is, however small."""
        if self.origin is not None:
            return super().noise(z)
        return np.asarray(_NOISE * self.sizes * float(np.linalg.norm(self.side - self.R @ z)))

    def step(self, columns: Indices, z: Floats, excess: Floats, held: Floats, ridge: Floats) -> Floats:
        """Return the step by a QR of the columns, and of Qᵀb − R z beside them unless the pull was measured."""
        if self.origin is not None:
            return self.correct(columns, excess, ridge).step
        c = columns.size
        M = np.concatenate([self.R[:, columns], np.diag(np.sqrt(ridge))])
        rest = np.concatenate([self.side - self.R @ z, -np.sqrt(ridge) * z[columns]])
        triangle = _square(householder(np.concatenate([M, rest[:, None]], axis=1)), c)
        T, y = triangle[:, :c], triangle[:, c]
        if not _is_singular(T):
            lift = sl.solve_triangular(T, held, trans="T") if held.any() else 0.0
            return np.asarray(sl.solve_triangular(T, y - lift))
        U, s, Vt = sl.svd(T)
        kept, level = s > 4 * EPS * c * s[0], (4 * EPS * c) ** 2
        step = Vt[kept].T @ ((U[:, kept].T @ y) / s[kept] - (Vt[kept] @ held) / s[kept] ** 2)
        return np.asarray(step + _along_null(Vt[~kept].T, held, 1 / (level * float(s[0]) ** 2 or 1.0)))

    def correct(self, columns: Indices, excess: Floats, ridge: Floats) -> Correction:
        """Return the step by the semi-normal equations."""
        if not columns.size:
            return _NOTHING
        T = _square(householder(np.concatenate([self.R[:, columns], np.diag(np.sqrt(ridge))])), columns.size)
        if _is_singular(T):
            _, singular, Vt = sl.svd(T)
            return _within_range(singular[::-1] ** 2, Vt[::-1].T, (4 * EPS * len(T)) ** 2, excess)
        y = sl.solve_triangular(T, sl.solve_triangular(T, excess, trans="T"))
        least, condition = _extent(T)
        return Correction(np.asarray(y), least, condition, columns.size, least)

    def trust(self, least: float) -> float:
        """Return what rounding does to a triangular solve."""
        return EPS * self.pull.size / float(np.sqrt(least)) if least > 0 else 0.0

    def weigh(self, columns: Indices, excess: Floats, length: float, residual: float) -> float:
        """Return it by a QR of [length R; residual I]."""
        M = np.concatenate([length * self.R[:, columns], residual * np.eye(columns.size)])
        size = float(np.linalg.norm(self.R[:, columns]))
        T = _square(householder(M), columns.size)
        if not size or not excess.any():
            return 0.0
        if not np.diagonal(T).all():
            return np.inf
        return float(np.linalg.norm(sl.solve_triangular(T, excess, trans="T")) / size)


def _extent(T: Floats) -> tuple[float, float]:
    """Return a lower bound of the smallest eigenvalue of TᵀT, within a factor of its order, and about the condition number of T."""
    inverse = float(np.linalg.norm(sl.lapack.dtrtri(T)[0]))
    return 1 / inverse**2, float(np.linalg.norm(T)) * inverse / len(T)


def _within_range(values: Floats, vectors: Floats, level: float, excess: Floats) -> Correction:
    """Return the correction by the eigenvalues (ascending) above a level of the largest; along the others nothing is known."""
    kept = values > level * values[-1]
    if not kept.any():
        return Correction(np.zeros_like(excess), 0.0, 1.0, 0, np.inf)
    V, rank = vectors[:, kept], int(np.count_nonzero(kept))
    least = float(values[kept][0])
    step = V @ ((V.T @ excess) / values[kept])
    return Correction(step, least if rank == kept.size else 0.0, float(np.sqrt(values[-1] / least)), rank, least)


def _square(R: Floats, rows: int) -> Floats:
    """Return the first rows of a triangle, zeros below where there are fewer."""
    return np.concatenate([R[:rows], np.zeros((max(rows - len(R), 0), R.shape[1]))])


def _is_singular(T: Floats) -> bool:
    return bool(not np.diagonal(T).all() or sl.lapack.dtrcon(T)[0] < 4 * EPS * len(T))


def _along_null(vectors: Floats, held: Floats, large: float) -> Floats:
    """Return a step along what the columns lack, as far as a linear function goes down there; its curvature is 0, kinks end it."""
    null = vectors @ (vectors.T @ held)
    is_rounding = float(np.linalg.norm(null)) <= _LEAST_NULL * len(held) * float(np.linalg.norm(held))
    return np.zeros_like(held) if is_rounding else -large * null
