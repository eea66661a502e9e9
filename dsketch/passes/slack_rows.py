"""Rows of Jacobians and Hessians of leverage scores σ(x) of S⁻¹A, s = A x − b, for :class:`~dsketch.passes.jacobian.Jacobian`."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dsketch._linalg.arrays import Floats, State
from dsketch._linalg.whitener import Whitener
from dsketch.passes.jacobian import ResidualRows, Residuals
from dsketch.passes.slack_leverage import whitened_rows


@dataclass(frozen=True)
class VolumeRows(ResidualRows):
    """√(3σ) q, in the basis of the whitener: their Gram matrix is 3Q, the larger part of the Hessian of V.

    Attributes
    ----------
    x : ndarray, shape (d,)
    whitener : Whitener
    """

    x: Floats
    whitener: Whitener

    def state(self) -> Iterator[State]:
        """Yield what tells them apart."""
        yield from (type(self).__name__, self.x, *self.whitener.state())

    def of(self, X: Floats, Y: Floats) -> Residuals:
        """Return them, without a residual."""
        q, sigma, _ = whitened_rows(X, self.x, Y[:, 0], self.whitener)
        return Residuals(q * np.sqrt(3 * sigma)[:, None], np.zeros(len(q)), np.zeros(len(q)))


@dataclass(frozen=True)
class LeverageRows(ResidualRows):
    """J = −2(Σ − P∘P) S⁻¹A and r = σ(x) − σ*, in the columns of A; σ* is the second column of what belongs to the rows.

    Attributes
    ----------
    x : ndarray, shape (d,)
    whitener : Whitener
    cube : ndarray, shape (r, r, r)
        Σ q ⊗ q ⊗ q.
    """

    x: Floats
    whitener: Whitener
    cube: Floats

    def state(self) -> Iterator[State]:
        """Yield what tells them apart."""
        yield from (type(self).__name__, self.x, *self.whitener.state(), self.cube)

    def of(self, X: Floats, Y: Floats) -> Residuals:
        """Return J, r, and σ times the relative doubt of the slack."""
        q, sigma, doubt = whitened_rows(X, self.x, Y[:, 0], self.whitener)
        J = q * sigma[:, None]
        for first, face in enumerate(self.cube):
            twice = np.where(np.arange(first, len(face)) > first, 2.0, 1.0)[:, None]
            J -= q[:, first, None] * (q[:, first:] @ (twice * face[first:]))
        return Residuals(-2.0 * (J @ self.whitener.matrix), sigma - Y[:, 1], sigma * doubt)
