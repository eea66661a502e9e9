"""Preconditioners P = F Fᵀ + D of G + diag shift: features F of rows and a diagonal D, applied by Woodbury's identity.

::

    P⁻¹ r = D⁻¹ (r − F w),    CᵀC = I + FᵀD⁻¹F,    CᵀC w = FᵀD⁻¹ r

F is made again at each reading, chunk by chunk; only C (m × m) and vectors of n numbers are kept.  D is the shift, and where
``residual`` is asked for also the diagonal that F leaves of G: for many columns of A what low degrees leave out is nearly
diagonal, and P then has it.

References
----------
M. A. Woodbury, "Inverting modified matrices", Princeton Statistical Research Group, Memorandum 42, 1950.
K. Cutajar, M. Osborne, J. Cunningham, M. Filippone, "Preconditioning kernel matrices", ICML 2016.
"""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import scipy.linalg as sl
from numpy.typing import NDArray

from dsketch._linalg.householder import householder
from dsketch.features.base import RowMap
from dsketch.features.centres import Centres
from dsketch.features.view import FeatureView
from dsketch.passes import Gram, Look, Triangle
from dsketch.passes.base import Flow
from dsketch.passes.rowwise import RowSquares, Rowwise
from dsketch.passes.transposed import Transposed
from dsketch.problems.kernel.system import LEAST_DIAGONAL, KernelSystem

Floats = NDArray[np.float64]

# I + FᵀD⁻¹F from a Gram matrix is off by u·‖FᵀD⁻¹F‖ against an identity that matters: 1e-7 at 1e9; from there on take it from a QR.
GRAM_LIMIT = 1e9
_LEAST_SHARE = 1e-6  # of D's mean, where pivots leave nothing and there is no ridge: D⁻¹ must not drown the others' digits


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
    R: Floats = yield Look(Triangle(), rows)
    C = householder(np.concatenate([R, np.eye(view.shape[1])]))
    return Woodbury(system, plain, D, C, name, mix)
