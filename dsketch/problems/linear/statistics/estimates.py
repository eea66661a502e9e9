"""The numbers of a summary, from a fit whose factor is A's own: no pass, d × d arithmetic only.

With √W A = Q R and T = R⁻¹ (where rank is lost: the kept directions, projected on the complement of the null space): the residual
variance is s² = ‖r‖²/(n − rank), the covariance of x is s² T Tᵀ, so a standard error is s times the norm of a row of T.  Nothing is
ever inverted but the triangle; a Gram matrix would square the condition number.  The robust covariance is T M Tᵀ with M from
:class:`~dsketch.passes.Sandwich`.  F compares with the constant by the Wald form ‖V x − q qᵀV x/‖q‖²‖², where V x are the
whitened coordinates of A x (for a robust M premultiplied by M^(-1/2)) and q those of the constant.

References
----------
W. H. Greene, "Econometric Analysis", 8th ed., 2018, sections 4 and 5.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.linalg as sl
from numpy.typing import NDArray
from scipy import special

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import norms, powers_near
from dsketch._linalg.factor import Factor
from dsketch._linalg.whitener import Whitener
from dsketch.passes import Slope
from dsketch.problems.linear.full_answer import FullAnswer
from dsketch.problems.linear.statistics.rounding import is_rounding, size_of, terms_of
from dsketch.settings import EPS

_SINGULAR = 1e-12  # below this relative eigenvalue of a robust meat F would be rounding
_IN_NULL_SPACE = float(np.sqrt(EPS))  # rounding alone does not make such a share of a column in dependent directions


@dataclass(frozen=True)
class Fit:
    """A least-squares fit.

    Attributes
    ----------
    x : ndarray, shape (d, k)
    slope : Slope
        At x, from the data.
    factor : Factor
        Of √W A.
    full : FullAnswer or None
        The exact minimizer, rounded, where that is known: x, least squares and (AᵀA)⁻¹ are then its own.
    """

    x: Floats
    slope: Slope
    factor: Factor
    full: FullAnswer | None = None

    @property
    def rows(self) -> int:
        """Observations: rows of positive weight."""
        return int(self.slope.rows[0])

    @property
    def whitener(self) -> Whitener:
        """T with √W A T orthonormal."""
        return self.factor.whitener

    @cached_property
    def basis(self) -> Floats:
        """T itself, shape (d, r)."""
        return self.whitener.apply(np.eye(self.factor.R.shape[0]))

    def restate(self, V: Floats) -> Floats:
        """Return solutions, shape (d, m), as x is told: the shortest of the minimizers."""
        return self.factor.shortest(V)

    def is_touched(self, directions: Floats, limit: float) -> NDArray[np.bool_]:
        """Return which coefficients have a part in directions, shape (d, m), that are orthonormal with columns scaled."""
        return np.asarray(norms(directions.T) > limit)

    @cached_property
    def spread(self) -> Floats:
        """T projected, such that x = T Qᵀb: the covariance of x is T M Tᵀ."""
        return self.restate(self.basis)

    @property
    def degrees(self) -> int:
        """Residual degrees of freedom, n − rank."""
        return max(self.rows - self.factor.rank, 0)

    @cached_property
    def is_met(self) -> NDArray[np.bool_]:
        """By side, whether the residual is nothing but rounding; never so of exact sums."""
        if self.full is not None:
            return np.zeros(len(self.slope.rr), dtype=bool)
        return is_rounding(np.sqrt(self.slope.rr), np.hypot(size_of(self.slope), terms_of(self.factor.R, self.x)))

    @cached_property
    def variance(self) -> Floats:
        """Residual variance by side; NaN if no degree of freedom is left, or nothing but rounding."""
        if not self.degrees:
            return np.full_like(self.slope.rr, np.nan)
        return np.where(self.is_met, np.nan, self.slope.rr / self.degrees)

    @cached_property
    def is_estimable(self) -> NDArray[np.bool_]:
        """For each coefficient, whether the data determine it: whether it has no part in the null space."""
        if not self.factor.is_deficient:
            return np.ones(self.factor.R.shape[0], dtype=bool)
        null = sl.qr(self.factor.null * self.factor.scale[:, None], mode="economic")[0]
        return ~self.is_touched(null, _IN_NULL_SPACE)


def standard_errors(fit: Fit) -> Floats:
    """Return the standard errors for equal variances, shape (d, k)."""
    lengths = norms(fit.spread.T) if fit.full is None else fit.full.deviations
    return np.asarray(lengths[:, None] * np.sqrt(fit.variance))


def robust_errors(fit: Fit, meat: Floats, halves: Floats) -> Floats:
    """Return the standard errors of the covariance T M Tᵀ + V Vᵀ, shape (d, k).

    Rows of T and M are divided by powers of two: no square leaves the range of float64, whatever the units.

    Parameters
    ----------
    fit : Fit
    meat : ndarray, shape (k, r, r)
        M.
    halves : ndarray, shape (k, d, m)
        V.
    """
    unit = powers_near(norms(fit.spread.T))
    T = fit.spread / unit[:, None]
    sides = [np.hypot(_half_size(T, M) * unit, norms(V.T)) for M, V in zip(meat, halves, strict=True)]
    return np.stack(sides, axis=1)


def _half_size(T: Floats, M: Floats) -> Floats:
    """Return the root of the diagonal of T M Tᵀ for T of moderate size."""
    root = powers_near(np.sqrt(np.abs(np.diagonal(M)).max(initial=0.0, keepdims=True)))
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", T @ (M / root / root), T).clip(min=0.0)) * root)


def significance(fit: Fit, errors: Floats, degrees: int) -> tuple[Floats, Floats]:
    """Return t and the two-sided p for so many degrees of freedom; NaN for coefficients that the data do not determine one by one."""
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(fit.is_estimable[:, None], fit.x / errors, np.nan)
    return t, 2 * special.stdtr(max(degrees, 1), -np.abs(t))


def is_flat(fit: Fit, is_centred: bool) -> NDArray[np.bool_]:
    """Return by side whether b has nothing to explain: it varies by rounding only, or is 0 where R² compares with 0."""
    size = size_of(fit.slope)
    return is_rounding(np.sqrt(fit.slope.spread), size) if is_centred else size == 0


def explain_variance(fit: Fit, is_centred: bool) -> tuple[Floats, Floats]:
    """Return R² and adjusted R², about the mean of b or about 0; NaN for a b that does not vary."""
    slope = fit.slope
    total = slope.spread if is_centred else size_of(slope) ** 2  # neither cancels
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(is_flat(fit, is_centred), np.nan, slope.rr / total)
        return 1 - share, 1 - (fit.rows - is_centred) * share / (fit.degrees or np.nan)


def wald(fit: Fit, q: Floats | None, meat: Floats | None, degrees: int) -> tuple[Floats, Floats]:
    """Return F and its p by side: NaN without degrees of freedom, or where a robust covariance is singular.

    Parameters
    ----------
    q : ndarray, shape (r,), or None
        Whitened coordinates of the constant, if the model has one.
    degrees : int
        Of the errors: n − rank, or one below the number of groups.
    """
    model = fit.factor.rank - (q is not None)
    if not (model and fit.degrees):
        return np.full(fit.x.shape[1], np.nan), np.full(fit.x.shape[1], np.nan)
    V = fit.whitener.matrix
    with np.errstate(divide="ignore", invalid="ignore"):
        if meat is None:
            F = norms(_beside_constant(V, q, fit.x) / np.sqrt(fit.variance)) ** 2 / model
        else:
            roots = enumerate(_inverse_root(M) for M in meat)
            z = [_beside_constant(root @ V, None if q is None else root @ q, fit.x[:, [side]]) for side, root in roots]
            F = norms(np.concatenate(z, axis=1)) ** 2 / model
        return F, special.fdtrc(model, degrees, F)


def _inverse_root(M: Floats) -> Floats:
    """Return B with BᵀB = M⁻¹, NaN if M is singular."""
    if not np.isfinite(M).all():
        return np.full_like(M, np.nan)
    values, vectors = sl.eigh(M)
    if not values[0] > _SINGULAR * values[-1]:
        return np.full_like(M, np.nan)
    return np.asarray(vectors.T / np.sqrt(values)[:, None])


def _beside_constant(V: Floats, q: Floats | None, x: Floats) -> Floats:
    """Return V x without its component along q, taken out of V first: a large intercept must not cancel."""
    if q is None:
        return V @ x
    unit = q / np.linalg.norm(q)
    return np.asarray((V - np.outer(unit, unit @ V)) @ x)
