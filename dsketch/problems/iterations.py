"""The iterations that several families run on their own systems, as flows: what a step costs, and when to stop, is the caller's."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats
from dsketch.events import Converged
from dsketch.passes.base import Flow

Operator = Callable[[Floats], Flow[Floats]]  # of sides beside each other, shape (n, k), whatever passes that takes
Sides = slice | NDArray[np.int64]  # a slice keeps the memory layout of what it takes, numbers do not
ALL: Sides = slice(None)


def heavy_ball(
    descent: Callable[[Floats], Flow[Floats | None]],
    y: Floats,
    epsilon: float,
    is_last: Callable[[Floats, Floats], bool],
    *,
    before: Floats | None = None,
) -> Flow[Floats]:
    """Return y near the zero of a residual c − H y, the spectrum of H within [1/(1 + ε)², 1/(1 − ε)²].

    With momentum ε² and damping (1 − ε²)² the error shrinks by ε a step, as that of conjugate gradients does, with nothing to measure
    on the way but the residual itself.

    Parameters
    ----------
    descent : callable
        Looks at the data for the (preconditioned) residual at y, shape (d, k); None ends the iteration at this y.
    y : ndarray, shape (d, k)
        Where to begin.
    epsilon : float
        The distortion that a sketch promised.
    is_last : callable
        Told every step and the y after it; whether to end there, without another look.
    before : ndarray, shape (d, k), optional
        What came before y; y itself if left out.

    References
    ----------
    B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", USSR Comput. Math. Math. Phys. 4, 1964.
    I. K. Ozaslan, M. Pilanci, O. Arikan, "Iterative Hessian sketch with momentum", ICASSP 2019.
    """
    momentum, old = epsilon**2, y if before is None else before
    while (residual := (yield from descent(y))) is not None:
        step = damp(residual, epsilon) + momentum * (y - old)
        y, old = y + step, y
        if is_last(step, y):
            break
    return y


def damp(residual: Floats, epsilon: float) -> Floats:
    """Return the part of a heavy ball's step that its residual gives: the whole step from rest."""
    return (1 - epsilon**2) ** 2 * residual


@dataclass
class Recurrence:
    """Where conjugate gradients are.

    Attributes
    ----------
    y, r : ndarray, shape (n, k)
        The iterate, and its residual by recurrence.
    p : ndarray, shape (n, k)
        The last directions.
    rho : ndarray, shape (k,)
        ⟨r, P⁻¹ r⟩ before the last step; 0 at the start.
    """

    y: Floats
    r: Floats
    p: Floats
    rho: Floats

    @classmethod
    def begin(cls, right: Floats) -> "Recurrence":
        """Return the start y = 0, laid out in memory as the right-hand sides are: sums are then taken in one order throughout."""
        p = np.full_like(right, -0.0)  # what is added to −0 keeps every bit, its sign too
        return cls(np.zeros_like(right), right.copy(order="K"), p, np.zeros(right.shape[1]))


class Step(NamedTuple):
    """What a step did.

    Attributes
    ----------
    sides : slice or ndarray
        Which took it.
    lengths, betas : ndarray
        Of the step along p, and of the old direction in the new one, a number for each of these sides.
    is_good : ndarray of bool
        Whether the curvature along p was positive; the length is 0 where it was not.
    """

    sides: Sides
    lengths: Floats
    betas: Floats
    is_good: NDArray[np.bool_]


def pcg(
    apply: Operator,
    precondition: Operator,
    at: Recurrence,
    most: int,
    going: Callable[[], Sides | None],
    note: Callable[[Step], Converged | None] = lambda _: None,
) -> Flow[None]:
    """Take up to so many steps of preconditioned conjugate gradients, all right-hand sides beside each other, each with its own lengths.

    Lengths and betas are the coefficients of Lanczos' method for P⁻¹H: who keeps them has the Ritz values for nothing.  Scalings belong
    to the operators.

    Parameters
    ----------
    apply : callable
        Returns H p, H positive definite.
    precondition : callable
        Returns P⁻¹ r; :func:`unpreconditioned` for r itself.
    at : Recurrence
        Changed in place, so that the iteration can be stopped and taken up again.
    most : int
        Steps.
    going : callable
        Asked before every step for the sides that take it; None ends the iteration.
    note : callable, optional
        Told every step; what it returns is passed on to listeners.

    References
    ----------
    M. R. Hestenes, E. Stiefel, "Methods of conjugate gradients for solving linear systems", J. Res. NBS 49, 1952.
    G. H. Golub, C. F. Van Loan, "Matrix Computations", 4th ed., 2013, sections 11.3 and 11.5.
    """
    for _ in range(most):
        if (sides := going()) is None:
            return
        r, old = at.r[:, sides], at.rho[sides]
        z = yield from precondition(r)
        rho = inner_products(r, z)
        betas = np.where(old > 0, rho / np.where(old > 0, old, 1.0), 0.0)
        p = z + betas * at.p[:, sides]
        q = yield from apply(p)
        curvature = inner_products(p, q)
        good = (curvature > 0) & (rho > 0)
        lengths = np.where(good, rho / np.where(good, curvature, 1.0), 0.0)
        at.y[:, sides] += lengths * p
        at.r[:, sides] -= lengths * q
        at.p[:, sides], at.rho[sides] = p, rho
        if (told := note(Step(sides, lengths, betas, good))) is not None:
            yield told


def unpreconditioned(r: Floats) -> Flow[Floats]:
    """Return r itself.  No pass."""
    yield from ()
    return r


def inner_products(V: Floats, W: Floats) -> Floats:
    """Return ⟨v, w⟩ for each pair of columns."""
    return np.asarray(np.einsum("ij,ij->j", V, W))
