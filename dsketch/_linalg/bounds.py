"""What is known of A without a factor of it: the norms of its columns, and between which bounds the singular values lie.

Conjugate gradients on M = D⁻¹AᵀA D⁻¹ for a random right-hand side v, each entry normal, leave the residual φ(M) v with
φ(λ) = Π (1 − λ/θ), θ the Ritz values of the steps so far.  Along an eigenvector u of M it is φ(λ) uᵀv, and ‖φ(M) v‖ is no less: so
|φ(λ)| ≤ ‖φ(M) v‖/|uᵀv|.  As uᵀv is normal whatever u, it is below t with a probability of at most t √(2/π).  The eigenvalues next to the
ends therefore lie where |φ| is at most ‖φ(M) v‖/t: a bound that holds for the spectrum at hand, where those of Lanczos' method for the
worst one tell little.  A direction that A lacks would keep its share of v for ever: a residual below t proves the rank.

References
----------
J. Kuczyński, H. Woźniakowski, "Estimating the largest eigenvalue by the power and Lanczos algorithms with a random start", SIAM J. Matrix
Anal. Appl. 13, 1992 (random starts).
G. H. Golub, C. F. Van Loan, "Matrix Computations", 4th ed., 2013, section 11.3 (Ritz values from conjugate gradients).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg as sl

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import norms, ratio
from dsketch._linalg.factor import Factor

FAILING = 1e-8  # of all random right-hand sides, no more than this share hide a direction
_SHARE = (
    FAILING / 2 * float(np.sqrt(np.pi / 2))
)  # the least part of v along an eigenvector; of two, each fails with half the probability
_HALVINGS = 60


@dataclass(frozen=True)
class Bounds:
    """Norms of columns, and bounds on the singular values of A with columns divided by them.

    Attributes
    ----------
    scale : ndarray, shape (d,)
        D, the norms, or near them; none is 0.
    least, most : float
        0 < least ≤ σ(A D⁻¹) ≤ most, but for a probability of :data:`FAILING`.
    is_rough : bool
        Whether D are not the norms themselves: those are then within ``least`` and ``most`` times D, as every vector's image is.
    """

    scale: Floats
    least: float
    most: float
    is_rough: bool = False

    @property
    def sizes(self) -> Floats:
        """Norms of the columns."""
        return self.scale

    @property
    def rank(self) -> int:
        """All columns: what lacks rank has no such bounds."""
        return len(self.scale)

    @property
    def is_deficient(self) -> bool:
        """Never."""
        return False

    @property
    def rank_reason(self) -> str:
        """One sentence."""
        return (
            f"full column rank {self.rank}: no singular value (columns scaled) is below {self.least:.2g}, by Lanczos' method from a random "
            "start"
        )

    @property
    def scaled_condition(self) -> float:
        """A bound on the condition number of A with columns divided by their norms."""
        return self.most / self.least * self.unit

    @property
    def unit(self) -> float:
        """By how much the ratio of two columns in D may be another than in their norms."""
        return self.most / self.least if self.is_rough else 1.0

    def measure(self, norms_: Floats) -> "Bounds":
        """Return the bounds for columns divided by their norms, once these are known."""
        apart = norms_ / self.scale
        return Bounds(norms_, self.least / float(apart.max()), self.most / float(apart.min()))

    @property
    def condition(self) -> float:
        """A bound on the condition number of A in its own units."""
        with np.errstate(over="ignore"):
            return float(self.most / self.least * (self.scale.max() / self.scale.min()))

    def solve(self, y: Floats) -> Floats:
        """Return D⁻¹ y."""
        return y / self.scale[:, None]

    def solve_transposed(self, g: Floats) -> Floats:
        """Return D⁻¹ g."""
        return g / self.scale[:, None]

    def shortest(self, x: Floats) -> Floats:
        """Return x: there is no null space."""
        return x

    def fitted(self, x: Floats) -> Floats:
        """Return a bound on ‖A x‖ of each column of x."""
        return self.most * norms(self.scale[:, None] * x)

    def backward_error(self, x: Floats, g: Floats, rr: Floats) -> Floats:
        """Return a bound on the Karlson–Waldén estimate for each right-hand side (:mod:`dsketch._linalg.backward`).

        ‖(‖D x‖² M + ‖r‖² I)^(-½) D⁻¹g‖ is at most ‖D⁻¹g‖/(‖D x‖² λ + ‖r‖²)^½ for the least eigenvalue λ.
        """
        weight = np.hypot(self.least * norms(self.scale[:, None] * x), np.sqrt(rr))
        unit = self.least if self.is_rough else 1.0
        return np.asarray(ratio(norms(self.solve_transposed(g)), weight) / (np.sqrt(self.rank) * unit))


Known = Factor | Bounds


@dataclass(frozen=True)
class Spectrum:
    """Bounds on the eigenvalues of M, if the steps so far tell any: ``least`` is 0 if not.

    Attributes
    ----------
    least, most : float
        Bounds.
    first, last : float
        The smallest and the largest Ritz value: within the spectrum.
    """

    least: float
    most: float
    first: float
    last: float

    @property
    def is_sharp(self) -> bool:
        """Whether another step would tell little: the lower bound is half of the smallest Ritz value, or more."""
        return self.least >= self.first / 2 > 0


def spectrum_of(lengths: Sequence[float], betas: Sequence[float], residual: float, start: float) -> Spectrum:
    """Return what conjugate gradients for a random right-hand side tell of M.

    Parameters
    ----------
    lengths, betas : sequences of float
        The coefficients of the steps (:class:`dsketch.problems.iterations.Step`).
    residual, start : float
        ‖φ(M) v‖ and ‖v‖.
    """
    ritz = ritz_values(lengths, betas)
    first, last = float(ritz[0]), float(ritz[-1])
    if not first > 0:
        return Spectrum(0.0, np.inf, 0.0, last)
    # Rounding moves M p by u ‖M‖ ‖p‖ a step, which the step length makes up to u κ(M) of v, in whatever direction.
    residual = residual + 2 * np.finfo(float).eps * np.sqrt(len(ritz)) * (last / first) * start
    limit = float(np.log(residual / _SHARE)) if residual > 0 else -np.inf

    def excess(value: float) -> float:
        """Return log |φ| less its limit: not positive where an eigenvalue may lie."""
        with np.errstate(divide="ignore"):
            return float(np.log(np.abs(1 - value / ritz)).sum()) - limit

    if excess(0.0) <= 0:
        return Spectrum(0.0, np.inf, first, last)
    least = _bisect(excess, 0.0, first)
    far = 2 * last
    while excess(far) <= 0:
        far *= 2
    return Spectrum(least, _bisect(excess, far, last), first, last)


def ritz_values(lengths: Sequence[float], betas: Sequence[float]) -> Floats:
    """Return the Ritz values of conjugate gradients from the coefficients of their steps, ascending."""
    alphas, shares = np.asarray(lengths), np.asarray(betas)
    diagonal = 1 / alphas
    diagonal[1:] += shares[1:] / alphas[:-1]
    return np.asarray(sl.eigh_tridiagonal(diagonal, np.sqrt(shares[1:]) / alphas[:-1], eigvals_only=True))


def _bisect(excess: Callable[[float], float], outside: float, inside: float) -> float:
    """Return the place next to the spectrum, on the outer side, where it ends to be possible."""
    for _ in range(_HALVINGS):
        middle = (outside + inside) / 2
        if excess(middle) > 0:
            outside = middle
        else:
            inside = middle
    return outside
