"""Preconditioners P = F Fᵀ + D of G + diag shift: features F of rows and a diagonal D, applied by Woodbury's identity.

::

    P⁻¹ r = D⁻¹ (r − F w),    CᵀC = I + FᵀD⁻¹F,    CᵀC w = FᵀD⁻¹ r

F is made again at each reading, chunk by chunk; only C (m × m) and vectors of n numbers are kept.  D is the shift, and where
``residual`` is asked for also the diagonal that F leaves of G: for many columns of A what low degrees leave out is nearly
diagonal, and P then has it.

*Taylor's monomials* of degree ≤ q are exact and carry no variance, so that what is left of G is positive semidefinite and starts at degree
q + 1.  For few columns of A a high degree fits; for many the remainder is nearly diagonal, and D has it.  The rule for q: what the degrees
≤ q leave has a largest eigenvalue of about n ρ^(q+1) / ((q+1)! C(d+q, q+1)) for rows spread in all directions, ρ = s ‖c‖².

*Sketched tensor powers* are the attention-regression paper's features: TensorSketch and TensorSRHT keep the low degrees exactly where
those fit and sketch the others.  A sketch of m columns has an error of about 1/√m of the whole, and a preconditioner helps only down to a
ridge of that size: take it where no degree of monomials fits and rows are too many for pivots, or to compare.

References
----------
M. A. Woodbury, "Inverting modified matrices", Princeton Statistical Research Group, Memorandum 42, 1950.
K. Cutajar, M. Osborne, J. Cunningham, M. Filippone, "Preconditioning kernel matrices", ICML 2016.
A. Cotter, J. Keshet, N. Srebro, "Explicit approximations of the Gaussian kernel", arXiv 1109.4603, 2011.
Z. Song, J. Yin, L. Zhang, "Solving attention kernel regression problem via pre-conditioner", AISTATS 2024, arXiv 2308.14304.
"""

import math
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import scipy.linalg as sl

from dsketch._linalg.arrays import Floats
from dsketch._linalg.householder import householder
from dsketch.features.base import RowMap
from dsketch.features.centres import Centres
from dsketch.features.stacking import HIGHEST_DEGREE
from dsketch.features.taylor import Taylor
from dsketch.features.tensor_sketch import TensorSketch
from dsketch.features.tensor_srht import TensorSRHT
from dsketch.features.view import FeatureView
from dsketch.passes import Gram, Look, Triangle
from dsketch.passes.base import Flow
from dsketch.passes.rowwise import RowSquares, Rowwise
from dsketch.passes.transposed import Transposed
from dsketch.problems.kernel.system import LEAST_DIAGONAL, KernelSystem

# I + FᵀD⁻¹F from a Gram matrix is off by u·‖FᵀD⁻¹F‖ against an identity that matters: 1e-7 at 1e9; from there on take it from a QR.
GRAM_LIMIT = 1e9
_TAIL = 1e-3  # the share of the series that is left to the residual diagonal: far below the error of a tensor sketch itself
_LEAST_SHARE = (
    1e-6  # D is at least this share of its mean: where pivots leave nothing and there is no ridge D⁻¹ would drown others' digits
)


class Preconditioner(Protocol):
    """What conjugate gradients need of P."""

    @property
    def name(self) -> str:
        """Its word."""

    @property
    def columns(self) -> int:
        """Features m."""

    def apply(self, r: Floats) -> Flow[Floats]:
        """Return P⁻¹ r, shape (n, k)."""


@dataclass(frozen=True)
class Diagonal:
    """P = D alone: what conjugate gradients take without features."""

    D: Floats
    name: str = "none"
    columns: int = 0

    def apply(self, r: Floats) -> Flow[Floats]:
        """Return D⁻¹ r.  No pass."""
        yield from ()
        return r / self.D


@dataclass(frozen=True)
class Woodbury:
    """P = F Fᵀ + D.

    Attributes
    ----------
    system : KernelSystem
    view : FeatureView, shape (n, m)
    D : ndarray, shape (n, 1)
    C : ndarray, shape (m, m)
        Upper triangular factor of I + FᵀD⁻¹F.
    name : str
    mix : ndarray, shape (m, m), optional
        T of F = Φ T where the view gives Φ: m numbers are mixed here rather than n rows there.
    """

    system: KernelSystem
    view: FeatureView
    D: Floats
    C: Floats
    name: str
    mix: Floats | None = None

    @property
    def columns(self) -> int:
        """Features m."""
        return self.view.shape[1]

    def apply(self, r: Floats) -> Flow[Floats]:
        """Return P⁻¹ r.  Two passes over the features."""
        rows, u = self.system.features(self.view), r / self.D
        w: Floats = yield Look(Transposed(u), rows)
        w = sl.cho_solve((self.C, False), w if self.mix is None else self.mix.T @ w)
        Fw: Floats = yield Look(Rowwise(w if self.mix is None else self.mix @ w), rows)
        return u - Fw / self.D


def no_features(system: KernelSystem) -> Flow[Diagonal]:
    """Return the diagonal of G + diag shift."""
    yield from ()
    return Diagonal(1.0 + system.shift)


def woodbury(system: KernelSystem, features: RowMap, name: str, *, residual: bool) -> Flow[Woodbury]:
    """Return the preconditioner of some features.  Two passes over them.

    Parameters
    ----------
    residual : bool
        Whether D holds the diagonal that F leaves of G.
    """
    view, plain, mix = FeatureView(system.A, features), FeatureView(system.A, features), None
    if isinstance(features, Centres) and features.mix is not None:
        plain, mix = FeatureView(system.A, replace(features, mix=None)), features.mix
    squares: Floats = yield Look(RowSquares(), system.features(view))
    left = np.maximum(1.0 - squares, 0.0) if residual else 0.0
    D = system.shift + left
    D = np.maximum(D, max(LEAST_DIAGONAL, _LEAST_SHARE * float(D.mean())))
    rows = system.features(view, 1.0 / D)
    if float(np.sum(squares / D)) <= GRAM_LIMIT:
        W, _, _ = yield Look(Gram(), rows)
        return Woodbury(system, plain, D, np.asarray(sl.cholesky(W + np.eye(view.shape[1]))), name, mix)
    R: Floats = (yield Look(Triangle(), rows)).R
    C = householder(np.concatenate([R, np.eye(view.shape[1])]))
    return Woodbury(system, plain, D, C, name, mix)


def taylor(system: KernelSystem, degree: int) -> Flow[Woodbury]:
    """Return the preconditioner of all monomials of degree ≤ ``degree``.  Two passes over them."""
    return (yield from woodbury(system, Taylor(system.mean, system.scale, degree), "taylor", residual=True))


def tensor(system: KernelSystem, name: str, size: int, seed: int) -> Flow[Woodbury]:
    """Return the preconditioner of ``size`` sketched features.  Two passes over them."""
    return (yield from woodbury(system, tensor_map(system, name, size, seed, _TAIL), name, residual=True))


def tensor_map(system: KernelSystem, name: str, size: int, seed: int, tail: float) -> TensorSketch | TensorSRHT:
    """Return the map of a family, of a degree beyond which the series of a typical row has less than a share ``tail``."""
    kind, radius = {"tensor_sketch": TensorSketch, "tensor_srht": TensorSRHT}[name], typical_radius(system)
    made = kind(system.mean, system.scale, size, _degree_within(radius, tail), seed, radius)
    assert isinstance(made, TensorSketch | TensorSRHT)  # noqa: S101 - the table has no others
    return made


def typical_radius(system: KernelSystem) -> float:
    """Return s ‖c‖² of a typical row."""
    return max(float(np.mean(system.radius)), 1e-3)


def _degree_within(radius: float, tail: float) -> int:
    """Return the degree q beyond which the series of e^ρ has less than a share ``tail``.

    Examples
    --------
    >>> _degree_within(1.0, 1e-3), _degree_within(4.0, 1e-3)
    (5, 11)
    """
    left, degree = 1.0, -1
    while left > tail and degree < HIGHEST_DEGREE:
        degree += 1
        left -= math.exp(degree * math.log(radius) - math.lgamma(degree + 1) - radius)
    return max(degree, 1)
