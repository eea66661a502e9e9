"""The metric of Newton's method: a factor of the Hessian, the length of a row in it, and what a small decrement proves.

Let abs φ‴ ≤ c φ″ for every row, H the Hessian at x, λ = ‖H^(−½) g‖ the decrement, ℓ = max ‖H^(−½) aᵢ‖ and κ = c ℓ.  On a line from
x with a direction of H-norm 1 the slope at distance s is at least −λ + (1 − e^(−κs))/κ.  If λκ < 1 it reaches 0 in every direction, at
−ln(1 − λκ)/κ at the latest: a minimizer x* exists and ‖x − x*‖_H is at most that, the *reach*.  As H⁻¹ is the covariance of x, every
contrast of x is within ``reach`` of its own standard errors of the exact optimum.  Where c depends on η, that of the η which rows can
have within the reach is meant.

The theorem is one about the directions that H has.  Where H is singular it holds on all others, and says something of F only if
F does not change along a null direction of H: if that moves no row (and no penalty).  Of dependent columns it is so.  It is not where
curvatures have vanished: e^(−1000) is 0 in float64, rows that are fitted so well are absent from H, and what moves them alone looks like a
null direction though F falls along it for ever.  So a proof by a singular factor asks for a look at the rows themselves: along what the
factor drops every row must stay, to rounding (:func:`dsketch.problems.smooth.face.look_along_dropped`).

References
----------
F. Bach, "Self-concordant analysis for logistic regression", Electronic Journal of Statistics 4, 2010.
T. Sun, Q. Tran-Dinh, "Generalized self-concordant functions: a recipe for Newton-type methods", Mathematical Programming 178, 2019.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import scipy.linalg as sl

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import powers_near
from dsketch._linalg.factor import Factor
from dsketch.losses.base import Loss
from dsketch.problems.method import Breakdown
from dsketch.problems.smooth.system import flat, unflatten

_TRUSTED = 1e-12  # eigenvalues of a Hessian, columns scaled, relative to the largest: a condition number of √H A of 1e6
_LEAST_SQUARE = float(np.finfo(float).tiny / np.finfo(float).eps)  # a sum of products above it has all its digits
MARGIN = 0.9  # λκ beyond which nothing is called proven
_DOUBLINGS = 40


class Proof(NamedTuple):
    """What a decrement proves: κ, and the reach; ∞ where nothing is proven."""

    kappa: float
    reach: float


@dataclass(frozen=True)
class Metric:
    """A factor of a Hessian and how long rows are in it.

    Attributes
    ----------
    factor : Factor
        R with RᵀR = H at ``x``.
    x : ndarray, shape (d, outputs)
    lengths : ndarray, shape (d,)
        D.
    longest : float
        max ‖D⁻¹aᵢ‖; ∞ where it was not measured.
    measured : float
        max ‖H^(−½)aᵢ‖ itself, where that was; for several outputs no less.
    is_whole : bool or None
        Whether what the factor drops moves no row, so that the rows have no direction that H lacks; None: nobody looked.
    """

    factor: Factor
    x: Floats
    lengths: Floats
    longest: float = np.inf
    measured: float = np.inf
    is_whole: bool | None = None

    @cached_property
    def length(self) -> float:
        """ℓ, or what it cannot exceed: max ‖D⁻¹aᵢ‖/σ(R D⁻¹), σ the smallest singular value kept."""
        if not self.factor.rank:
            return 0.0
        if not np.isfinite(self.longest):
            return self.measured
        units = np.tile(self.lengths, self.x.shape[1])
        ratios = self.factor.scale / units
        if (ratios == ratios[0]).all():
            least = float(self.factor.scaled_singular[self.factor.rank - 1] * ratios[0])
        else:
            least = float(sl.svdvals(self.factor.R / units)[self.factor.rank - 1])
        return min(self.longest / least if least > 0 else np.inf, self.measured)

    @property
    def whitening(self) -> Floats:
        """T with Tᵀaᵢ as long as H^(−½)aᵢ, shape (d, rank); of one output."""
        return self.factor.solve(np.eye(self.factor.rank))

    def knowing(self, lengths: Floats, longest: float) -> "Metric":
        """Return the same with the longest row measured, by D or by the whitening."""
        return replace(self, measured=longest) if lengths.ndim == 2 else replace(self, longest=longest)

    def seeing(self, *, is_whole: bool, measured: float) -> "Metric":
        """Return the same with the rows looked at along what the factor drops, and the longest of them in the rest."""
        return replace(self, is_whole=is_whole, measured=measured)

    def dropped_part(self, x: Floats) -> Floats:
        """Return x without what the kept directions make of it, shape of x, columns scaled: what moves no row that H knows of."""
        null, scale = self.factor.scaled_null, self.factor.scale[:, None]
        with np.errstate(
            over="ignore", invalid="ignore"
        ):  # of an x near the end of float64: then it is no candidate for anything
            return unflatten(null @ (null.T @ (scale * flat(x))) / scale, x)

    def step(self, gradient: Floats) -> tuple[Floats, float]:
        """Return −H⁻¹g, shape of g, of the shortest where H is singular, and ‖H^(−½)g‖."""
        white = self.factor.solve_transposed(flat(gradient))
        return unflatten(-self.factor.shortest(self.factor.solve(white)), gradient), float(np.linalg.norm(white))

    def distance(self, x: Floats) -> float:
        """Return ‖x − x₀‖ in the metric, x₀ where it was taken."""
        return float(np.linalg.norm(self.factor.R @ flat(x - self.x)))


def units_of(factor: Factor, shape: tuple[int, int]) -> Floats:
    """Return D, shape (d,), from the scale of a Hessian's factor: of several outputs the largest."""
    return np.asarray(factor.scale.reshape(shape[1], shape[0]).max(axis=0))


def factor_of_gram(G: Floats) -> Factor:
    """Return R with RᵀR = G by Cholesky, columns scaled.

    Raises
    ------
    Breakdown
        If the eigenvalues of G do not vouch for it.
    """
    squares = np.maximum(np.diag(G), 0.0)
    if ((squares > 0) & (squares < _LEAST_SQUARE)).any():
        raise Breakdown(f"the squares of a column sum up to {squares[squares > 0].min():.1e}, where float64 has lost digits")
    scale = powers_near(np.sqrt(squares))
    scaled = G / scale[:, None] / scale
    eigenvalues = sl.eigvalsh(scaled) if np.isfinite(scaled).all() else np.zeros(1)
    if not eigenvalues[0] > _TRUSTED * eigenvalues[-1]:
        raise Breakdown(
            f"the smallest eigenvalue of the Hessian (columns scaled) is {eigenvalues[0] / (eigenvalues[-1] or 1.0):.1e} of the largest: "
            "too near rounding to be squared"
        )
    return Factor(np.asarray(sl.cholesky(scaled)) * scale)


def prove(loss: Loss, decrement: float, length: float, low: float, high: float) -> Proof:
    """Return what a decrement proves.

    Parameters
    ----------
    decrement : float
        λ, with what rounding may hide.
    length : float
        ℓ, or what it cannot exceed.
    low, high : float
        Least and largest η of the rows.
    """
    if not (np.isfinite(length) and np.isfinite(decrement)):
        return Proof(np.inf, np.inf)
    radius, kappa = 2.0 * decrement, np.inf
    for _ in range(_DOUBLINGS):
        concordance = loss.concordance(low - length * radius, high + length * radius)
        kappa = concordance * length if np.isfinite(concordance) else np.inf
        reach = reach_of(decrement, kappa)
        if reach <= radius or not np.isfinite(reach):
            return Proof(kappa, reach)
        radius *= 2.0
    return Proof(kappa, np.inf)


def reach_of(decrement: float, kappa: float) -> float:
    """Return −ln(1 − λκ)/κ; ∞ where λκ is too near 1 or above, or κ is unknown."""
    if not np.isfinite(kappa):
        return np.inf
    if decrement == 0.0:
        return 0.0
    if not decrement * kappa < MARGIN:
        return np.inf
    return float(-np.log1p(-decrement * kappa) / kappa) if kappa > 0 else decrement
