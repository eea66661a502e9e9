"""An answer for the exponential kernel in the user's rows, with what is known about it."""

from dataclasses import dataclass

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import ratio
from dsketch._linalg.factor import Factor
from dsketch.problems.kernel.system import KernelSystem
from dsketch.settings import EPS


@dataclass(frozen=True)
class KernelAnswer:
    """What a method found.

    Attributes
    ----------
    x : ndarray, shape (n, k)
    residual_norm : ndarray, shape (k,)
        ‖b − (K + λ I) x‖, in the rows of the frame.
    reducible : ndarray, shape (k,)
        The part of it that a better x could remove: all of it but for least squares.
    x_norm, b_norm : ndarray, shape (k,)
        In the rows of the frame.
    norm : float
        ‖K + λ I‖, from below.
    condition : float
        Of K + λ I, an upper bound where there is a ridge; infinite where it is not known.
    rank : int
    rank_reason : str
    preconditioned : float
        Condition number that the preconditioner left, from Ritz values; NaN without conjugate gradients.
    iterations, columns : int
        Of conjugate gradients; features in use.
    distance : float
        ‖(K − F Fᵀ) v‖/‖K v‖ where features stand for the kernel; 0 where the kernel is exact.
    is_approximate : bool
        Whether features stand for the kernel.
    is_scaled : bool
        Whether norms are taken in rows scaled by exp(−s‖a‖²/2).
    resolution : float
        Relative to an entry of K, how well any program that reads float64 knows it.
    notes : tuple of str
    """

    x: Floats
    residual_norm: Floats
    reducible: Floats
    x_norm: Floats
    b_norm: Floats
    norm: float
    condition: float
    rank: int
    rank_reason: str
    preconditioned: float = float("nan")
    iterations: int = 0
    columns: int = 0
    distance: float = 0.0
    is_approximate: bool = False
    is_scaled: bool = False
    resolution: float = EPS
    notes: tuple[str, ...] = ()

    @property
    def relative_residual(self) -> Floats:
        """‖residual‖/‖b‖, the reducible part."""
        return ratio(self.reducible, self.b_norm)

    @property
    def backward_error(self) -> Floats:
        """‖residual‖/(‖K + λ I‖‖x‖ + ‖b‖), the reducible part."""
        return ratio(self.reducible, self.norm * self.x_norm + self.b_norm)

    @property
    def outside(self) -> Floats:
        """Norm of the part of the residual that no x could remove, shape (k,)."""
        return np.asarray(np.sqrt(np.maximum(self.residual_norm**2 - self.reducible**2, 0.0)))

    @property
    def factor(self) -> Factor | None:
        """None: K is not factored."""
        return None


def resolve_entries(system: KernelSystem) -> float:
    """Return how well entries of K are known: an exponent s⟨a, a'⟩ of d + 1 products is off by γ(d + 2) of the largest s‖a‖²."""
    return EPS * (1.0 + (system.A.shape[1] + 2) * float(system.half.max(initial=0.0)))


def bound_condition(system: KernelSystem, norm: float) -> float:
    """Return an upper bound of the condition number of K + λ I: K is positive semidefinite."""
    return norm / system.alpha if system.alpha else float("inf")


def explain_rank(system: KernelSystem) -> str:
    """Say why the rank is what it is."""
    if system.alpha:
        return f"full rank {system.rows}: no eigenvalue is below the ridge {system.alpha:.3g}"
    return "rank not determined"
