"""A's own factor made ready for powers: scaled by 2^-e, and on the complement of the null space where A lacks rank.

With RᵀR = AᵀA = G, G⁻¹v is two triangular solves and Gv two products.  They are applied one at a time: Gʲ is never formed, so the
error of x grows like 2j·kappa·u and not like kappa^(2j)·u.

Where A lacks rank the pseudoinverse is meant in the user's own units: with Q an orthonormal basis of the complement of the null space
(:attr:`dsketch._linalg.factor.Factor.null`, which columns in small units do not spoil) A ≈ (A Q) Qᵀ, and the triangle of R Q takes R's
place.  A truncated singular value decomposition of R would lose the columns measured in small units.  A null vector is known to eps
times the ratio of its columns' units to the smallest ones, so that the pseudoinverse means something for ratios well below 1/eps.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.linalg as sl

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch._linalg.householder import householder
from dsketch.problems.powers.wide_range import WideColumns, exponent_of


@dataclass(frozen=True)
class Core:
    """G = AᵀA through its factor, forwards and backwards.

    Attributes
    ----------
    factor : Factor
        Of A (or of its sketch).
    """

    factor: Factor

    @cached_property
    def exponent(self) -> int:
        """e with ‖A‖ · 2^-e between ½ and 1."""
        return exponent_of(float(self.factor.singular[0][0]))

    @cached_property
    def R(self) -> Floats:  # noqa: N802 - the field's name
        """R · 2^-e, shape (d, d)."""
        return np.ldexp(self.factor.R, -self.exponent)

    @cached_property
    def basis(self) -> Floats | None:
        """Q, orthonormal, shape (d, rank); None where A has full rank."""
        if not self.factor.is_deficient:
            return None
        whole = sl.qr(self.factor.null)[0]
        return np.ascontiguousarray(whole[:, whole.shape[0] - self.factor.rank :])

    @cached_property
    def _triangle(self) -> Factor:
        return Factor(householder(self.R @ self.basis)) if self.basis is not None else Factor(self.R)

    @cached_property
    def singular(self) -> tuple[Floats, Floats]:
        """Singular values kept, of A · 2^-e, and their right singular vectors as rows, shapes (rank,) and (rank, d)."""
        if not self.factor.rank:
            return np.zeros(0), np.zeros((0, self.factor.R.shape[0]))
        if self.basis is None:
            s, Vt = self.factor.singular
            return np.ldexp(s, -self.exponent), Vt
        s, Vt = self._triangle.singular
        return s, Vt @ self.basis.T

    @property
    def norm(self) -> float:
        """Log₂ of ‖A‖."""
        return float(np.log2(self.singular[0][0])) + self.exponent if self.factor.rank else -np.inf

    @property
    def smallest(self) -> float:
        """Log₂ of the smallest singular value kept."""
        return float(np.log2(self.singular[0][-1])) + self.exponent if self.factor.rank else -np.inf

    @property
    def condition(self) -> float:
        """Largest over smallest singular value kept, in the user's units."""
        return float(self.singular[0][0] / self.singular[0][-1]) if self.factor.rank else 1.0

    def times_units(self, v: WideColumns) -> WideColumns:
        """Return D v, D the norms of the columns (powers of two)."""
        return WideColumns.of(self.factor.scale[:, None] * v.mantissas, v.exponents)

    def over_units(self, v: WideColumns) -> WideColumns:
        """Return D⁻¹ v."""
        return WideColumns.of(v.mantissas / self.factor.scale[:, None], v.exponents)

    def within(self, v: WideColumns) -> WideColumns:
        """Return v without its component in the null space."""
        if self.basis is None:
            return v
        return v.times(self.basis.T).times(self.basis)

    def outside(self, v: WideColumns) -> Floats:
        """Return log₂ of the norm of v's component in the null space, shape (k,)."""
        if self.basis is None:
            return np.full(v.exponents.shape, -np.inf)
        return v.times(self.factor.null.T).norms

    def inverse(self, v: WideColumns) -> WideColumns:
        """Return G⁺v: two triangular solves, normalized in between."""
        if not self.factor.rank:
            return WideColumns.of(np.zeros_like(v.mantissas))
        half = self.half_inverse(v)
        full = WideColumns.of(_solve(self._triangle, half.mantissas), half.exponents).shift(-self.exponent)
        return full if self.basis is None else full.times(self.basis)

    def inverses(self, v: WideColumns, count: int) -> list[WideColumns]:
        """Return [v, G⁺v, …, (G⁺)^count v]."""
        chain = [v]
        for _ in range(count):
            chain.append(self.inverse(chain[-1]))
        return chain

    def half(self, v: WideColumns) -> WideColumns:
        """Return R v, which has the length of A v."""
        return v.times(self.R).shift(self.exponent)

    def half_inverse(self, g: WideColumns) -> WideColumns:
        """Return (Rᵀ)⁺g: for g = Aᵀr it has the length of r's projection on the range of A."""
        if not self.factor.rank:
            return WideColumns.of(np.zeros_like(g.mantissas))
        inner = g if self.basis is None else g.times(self.basis.T)
        return WideColumns.of(_solve_transposed(self._triangle, inner.mantissas), inner.exponents).shift(-self.exponent)

    def forward(self, v: WideColumns) -> WideColumns:
        """Return G v."""
        return v.times(self.R).times(self.R.T).shift(2 * self.exponent)


def _solve(triangle: Factor, v: Floats) -> Floats:
    """Return T⁻¹v with the columns of T scaled to norm one: nothing overflows that need not."""
    return np.asarray(sl.solve_triangular(triangle.scaled, v)) / triangle.scale[:, None]


def _solve_transposed(triangle: Factor, v: Floats) -> Floats:
    """Return T⁻ᵀv."""
    return np.asarray(sl.solve_triangular(triangle.scaled, v / triangle.scale[:, None], trans="T"))
