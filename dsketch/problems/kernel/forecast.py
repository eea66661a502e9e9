"""What condition number a preconditioner will leave, told from a few rows before anything is computed with all of them.

With D pointwise and F exact, P⁻¹(G + diag shift) restricted to m rows is the same problem with fewer rows.  Its extreme eigenvalues
grow like a power of the rows, between √m (what is left is like noise) and m (it is smooth), so the step from m/4 to m rows says how
they go on to n.  Measured on spheres, Gaussians and clusters for n = 4000: mostly within a factor 2 of what the iteration then shows.

A sample smaller than the space of the next degree's monomials does not see yet that with more rows than those the growth becomes that of
smooth parts; so the forecast for Taylor's features is at least that of the rule for spread-out rows (:meth:`Sample.rule`).
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.linalg as sl

from dsketch._linalg.arrays import Floats
from dsketch._linalg.random_words import draw, uniforms
from dsketch._linalg.streams import KERNEL_SAMPLE
from dsketch.features.base import RowMap
from dsketch.features.taylor import Taylor
from dsketch.passes import Look
from dsketch.passes.base import Flow
from dsketch.passes.rowwise import Picked
from dsketch.problems.kernel.system import LEAST_DIAGONAL, KernelSystem

_ROWS = 512  # the most rows of a sample: its eigenvalues take a tenth of a second
_SHARE = 8  # of few rows only one in so many is sampled: looking must cost less than solving
_LEAST_ROWS = 128
_NUMBERS = 4_000_000  # a sample holds no more numbers: rows of very many columns are fewer
_EFFECTIVE = 0.55  # r random pivots leave about the eigenvalue number 0.55 r (measured 0.5 to 0.7, r = 512 and 1024)


@dataclass(frozen=True)
class Sample:
    """A few rows of a system, chosen evenly at random.

    Attributes
    ----------
    system : KernelSystem
    X : ndarray, shape (m, d)
    shift : ndarray, shape (m,)
    rows : int
        n, what it stands for.
    """

    system: KernelSystem
    X: Floats
    shift: Floats
    rows: int

    @property
    def ratio(self) -> float:
        """n/m."""
        return self.rows / len(self.X)

    @cached_property
    def gaussian(self) -> Floats:
        """The Gaussian of the sample."""
        return self.system.gaussian(self.X, self.X)

    @cached_property
    def sizes(self) -> Floats:
        """Singular values of the centred sample, descending."""
        return np.asarray(np.linalg.svd(self.X - self.system.mean, compute_uv=False))

    def condition(self, features: RowMap | None, *, residual: bool = True) -> float:
        """Return the condition number to expect of P⁻¹(G + diag shift) with n rows, with or without residual diagonal."""
        F = np.zeros((len(self.X), 0)) if features is None else features.apply(self.X)
        left = np.maximum(1.0 - np.einsum("ij,ij->i", F, F), 0.0) if residual else 0.0
        D = np.maximum(self.shift + left, LEAST_DIAGONAL)
        ends = [self._ends(F[:m], D[:m], m) for m in (max(len(self.X) // 4, 1), len(self.X))]
        doublings = np.log2(self.ratio)
        above, below = (_extrapolate_growth(small, large, doublings) for small, large in zip(*ends, strict=True))
        return float((1 + above) * min(1 + below, np.max(D / np.maximum(self.shift, np.finfo(float).tiny))))

    def taylor(self, degree: int) -> float:
        """Return the condition number to expect with all monomials of degree ≤ ``degree``."""
        return max(self.condition(Taylor(self.system.mean, self.system.scale, degree)), self.rule(degree))

    def rule(self, degree: int) -> float:
        """Return the condition number that monomials of degree ≤ q leave of rows of one length, spread in all directions.

        The kernel's mass at degree p is t_p = e^(−ρ) ρ^p / p! of a row.  That of degree q + 1 is shared by N = C(d+q, q+1) monomials, so n
        rows give it eigenvalues of about t (1 + n/N) beside the ridge and the mass of later degrees, which is nearly diagonal.  For d
        stands the effective number of directions, (tr Σ)²/tr Σ² of the covariance.
        """
        sizes = self.sizes
        squares = (sizes / (sizes[0] or 1.0)) ** 2  # whatever the unit of the rows, their fourth powers are numbers
        directions = max(float(np.sum(squares) ** 2 / max(np.sum(squares**2), np.finfo(float).tiny)), 1.0)
        radius = max(float(np.sum((np.sqrt(self.system.scale) * sizes) ** 2)) / len(self.X), np.finfo(float).tiny)
        masses = [math.exp(power * math.log(radius) - math.lgamma(power + 1) - radius) for power in range(degree + 2)]
        monomials = math.lgamma(directions + degree + 1) - math.lgamma(directions) - math.lgamma(degree + 2)
        rest = float(np.median(self.shift)) + max(1.0 - sum(masses), 0.0)
        return 1 + masses[-1] * (1 + self.rows / math.exp(monomials)) / max(rest, LEAST_DIAGONAL)

    def _ends(self, F: Floats, D: Floats, m: int) -> tuple[float, float]:
        """Return λ_max − 1 and 1/λ_min − 1 of the pencil of the first m rows."""
        A, P = self.gaussian[:m, :m].copy(), F @ F.T
        A[np.diag_indices(m)] += self.shift[:m]
        P[np.diag_indices(m)] += D
        L = sl.cholesky(P, lower=True)
        W = sl.solve_triangular(L, sl.solve_triangular(L, A, lower=True).T, lower=True)
        values = np.linalg.eigvalsh(W)
        return max(float(values[-1]) - 1, 0.0), max(1 / max(float(values[0]), 1e-16) - 1, 0.0)

    @cached_property
    def spectrum(self) -> Floats:
        """Estimates of the leading eigenvalues of shift^(-½) G shift^(-½) with n rows, descending; the first half of m."""
        scale = 1 / np.sqrt(np.maximum(self.shift, np.finfo(float).tiny))
        values = np.linalg.eigvalsh(self.gaussian * scale * scale[:, None])[::-1] * self.ratio
        return np.asarray(np.maximum(values[: max(len(values) // 2, 2)], np.finfo(float).tiny))

    def condition_after(self, rank: int) -> float:
        """Return the condition number to expect after so many random pivots, without residual diagonal.

        The spectrum of a sample of m rows falls off too early: number m/2 was 1 to 10 times too small on 4,000 rows of the families of
        benchmarks/kernel.py, number m/8 at most 3 times.  So what lies beyond either part is continued by its own power law, and the
        larger is believed.
        """
        place = _EFFECTIVE * rank
        return 1 + max(
            _extrapolate(self.spectrum[:known], place) for known in (len(self.spectrum), max(len(self.spectrum) // 4, 2))
        )


def _extrapolate(values: Floats, place: float) -> float:
    """Return value number ``place`` of a falling sequence, beyond its end by the power law of its last three quarters."""
    known = len(values)
    if place < known:
        return float(values[int(place)])
    first = known // 4
    slope = np.log(values[known - 1] / values[first]) / np.log(known / (first + 1))
    return float(values[-1] * (place / known) ** slope)


def draw_sample(system: KernelSystem, seed: int) -> Flow[Sample]:
    """Return a sample of rows.  One light pass."""
    n, d = system.A.shape
    size = min(_ROWS, max(n // _SHARE, _LEAST_ROWS), max(_NUMBERS // d, 8), n)
    order = np.argsort(uniforms(draw(seed, KERNEL_SAMPLE, 0, n, 1))[:, 0], kind="stable")
    numbers = order[:size].astype(np.int64)
    X: Floats = yield Look(Picked(numbers), system.features(system.A))
    return Sample(system, X, system.shift[numbers, 0], n)


def _extrapolate_growth(small: float, large: float, doublings: float) -> float:
    """Return what a value that grew from ``small`` to ``large`` in two doublings comes to after more of them."""
    if large <= 0:
        return 0.0
    growth = min(max(float(np.sqrt(large / small)) if small > 0 else 2.0, 1.0), 2.0)
    return float(large * growth**doublings)
