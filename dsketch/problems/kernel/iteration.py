"""Preconditioned conjugate gradients on the guarded kernel system, all right-hand sides in one sweep; a side that is done leaves it.

The recurrences' coefficients are those of Lanczos' method for P⁻¹(G + diag shift): the eigenvalues of their tridiagonal matrix tell the
condition number that the preconditioner has left, with no further product.

References
----------
G. H. Golub, C. F. Van Loan, "Matrix Computations", 4th ed., 2013, section 11.3 (Ritz values from the coefficients).
"""

from dataclasses import dataclass, field

import numpy as np
import scipy.linalg as sl
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import norms, ratio
from dsketch.events import Converged
from dsketch.passes.base import Flow
from dsketch.problems.iterations import Recurrence, Sides, Step, pcg
from dsketch.problems.kernel.preconditioners import Preconditioner
from dsketch.problems.kernel.system import KernelSystem, bound_norm

_POWER_STEPS = 3  # steps of the power iteration are enough: K is positive, so its row sums are near its leading eigenvector


@dataclass
class Norm:
    """A lower bound of ‖K + λ I‖, from a vector that rides along in the first sweeps and from every product.

    Attributes
    ----------
    value : float
    steps : int
        Of the power iteration done so far.
    """

    system: KernelSystem
    value: float = 0.0
    steps: int = 0
    x: Floats = field(init=False)

    def __post_init__(self) -> None:
        """Begin with the row sums that long rows dominate."""
        frame = self.system.frame
        self.x = frame / norms(frame)

    def product(self, y: Floats) -> Flow[Floats]:
        """Return (G + diag shift) y, taking the power iteration a step further on the way.  One sweep."""
        if self.steps >= _POWER_STEPS:
            product = yield from self.system.product(y)
        else:
            both = yield from self.system.product(np.column_stack([y, self.system.frame * self.x]))
            product, moved = both[:, :-1], self.system.frame * both[:, -1:]
            size = norms(moved)
            self.value, self.steps, self.x = max(self.value, float(size[0])), self.steps + 1, moved / size
        self.value = max(self.value, bound_norm(self.system, y, product))
        return product


class ConjugateGradients:
    """The iteration from y = 0, to be advanced step by step.

    Parameters
    ----------
    system : KernelSystem
    preconditioner : Preconditioner
    norm : Norm
    right : ndarray, shape (n, k)
    wanted : ndarray, shape (k,)
        Residual norms (in the frame) at which a side has finished.
    offset : ndarray, shape (n, k)
        What y will be added to: rounding is relative to their sum.

    Attributes
    ----------
    at : Recurrence
        Where the iteration is.
    history : list of ndarray, shape (k,)
        Residual norms in the frame, before the first step and after each.
    """

    def __init__(
        self, system: KernelSystem, preconditioner: Preconditioner, norm: Norm, right: Floats, wanted: Floats, offset: Floats
    ) -> None:
        self.system, self.preconditioner, self.norm, self.wanted, self.offset = system, preconditioner, norm, wanted, offset
        self.at = Recurrence.begin(np.ascontiguousarray(right))
        self.at.p[:] = 0.0  # a −0 of the first residual is no −0 of the first direction
        self.history = [norms(system.frame * right)]
        self.broken = np.zeros(right.shape[1], dtype=bool)
        self.coefficients: list[list[tuple[float, float]]] = [[] for _ in range(right.shape[1])]

    @property
    def y(self) -> Floats:
        """The iterate."""
        return self.at.y

    @property
    def r(self) -> Floats:
        """Its residual by recurrence."""
        return self.at.r

    @property
    def iterations(self) -> int:
        """Steps taken."""
        return len(self.history) - 1

    @property
    def live(self) -> NDArray[np.int64]:
        """Sides that have not finished: neither small enough nor broken down; what rounding allows, a fresh residual tells."""
        return np.flatnonzero((self.history[-1] > self.wanted) & ~self.broken)

    @property
    def lengths(self) -> Floats:
        """Norms of x, shape (k,)."""
        return norms((self.offset + self.y) / self.system.frame)

    def advance(self, steps: int) -> Flow[None]:
        """Take up to so many steps.  Each costs a sweep and what the preconditioner costs."""
        yield from pcg(self.norm.product, self.preconditioner.apply, self.at, steps, self._sides_to_go, self._note)

    def _sides_to_go(self) -> Sides | None:
        live = self.live
        return live if live.size else None

    def _note(self, step: Step) -> Converged:
        """Keep the coefficients and the residual norms of a step."""
        numbers = np.arange(len(self.broken))[step.sides]
        self.broken[numbers] = ~step.is_good
        for side, length, beta, good in zip(numbers, step.lengths, step.betas, step.is_good, strict=True):
            if good:
                self.coefficients[side].append((float(length), float(beta)))
        self.history.append(norms(self.system.frame * self.r))
        return Converged(self._backward(), float(self.history[-1].max(initial=0.0)))

    def _backward(self) -> float:
        """Return the largest backward error by the recurrence."""
        size = self.norm.value * self.lengths + norms(self.system.frame * self.system.beta)
        return float(np.max(ratio(self.history[-1], size), initial=0.0))

    def ritz(self) -> tuple[float, float]:
        """Return the smallest and the largest Ritz value of P⁻¹(G + diag shift) over all sides; (1, 1) before the first step."""
        found = [_ritz_values(pairs) for pairs in self.coefficients if pairs]
        return (min(low for low, _ in found), max(high for _, high in found)) if found else (1.0, 1.0)


def _ritz_values(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    """Return the extreme eigenvalues of Lanczos' tridiagonal matrix from the steps and the betas of conjugate gradients."""
    steps, betas = np.array(pairs).T
    diagonal = 1.0 / steps
    diagonal[1:] += betas[1:] / steps[:-1]
    values = sl.eigvalsh_tridiagonal(diagonal, np.sqrt(betas[1:]) / steps[:-1])
    return float(max(values[0], np.finfo(float).tiny)), float(values[-1])
