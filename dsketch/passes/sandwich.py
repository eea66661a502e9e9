"""The pass behind heteroscedasticity-robust standard errors: Σ ωᵢ yᵢ yᵢᵀ in whitened coordinates.

References
----------
H. White, "A heteroskedasticity-consistent covariance matrix estimator and a direct test for heteroskedasticity", Econometrica 48,
1980 (HC0).
J. G. MacKinnon, H. White, "Some heteroskedasticity-consistent covariance matrix estimators with improved finite sample
properties", Journal of Econometrics 29, 1985 (HC1 to HC3).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.whitener import Whitener
from dsketch.matrix.rows import Block
from dsketch.passes.base import Part, Pass, heavy_rows
from dsketch.passes.triangle import Triangle


class Meat(NamedTuple):
    """What a sandwich pass finds.

    ``meat[s]`` = Σᵢ rᵢ²/(1 − hᵢ)^(2 power) yᵢ yᵢᵀ over all rows but those set aside, shape (k, r, r); of these, few, the numbers ``rows``,
    shape (m,), and √w A and √w b as they are: ``X``, shape (m, d), and ``Y``, shape (m, k).
    """

    meat: Floats
    rows: Floats
    X: Floats
    Y: Floats


@dataclass(frozen=True)
class Sandwich(Pass[Meat]):
    """Finish to the meat of a robust covariance, and the rows whose leverage is too near 1 for it.

    Parameters
    ----------
    x : ndarray, shape (d, k)
        The solution; r = √w (b − A x).
    whitener : Whitener
        T with Y = √W A T orthonormal (from A's own factor), so that hᵢ = ‖yᵢ‖² is the leverage and the covariance is T M Tᵀ.
    power : float
        0 for HC0 (and HC1, which is HC0 · n/(n − rank)), ½ for HC2, 1 for HC3.
    near : float
        Rows with 1 − h at most this are set aside: 1 − ‖y‖² has lost its digits there, and so has r.  As Σ h = rank, they are
        hardly more than the rank.

    Notes
    -----
    One read, about 2.3 + 2k times n d² flops, k d² numbers a part and those of the rows set aside.
    """

    x: Floats
    whitener: Whitener
    power: float = 0.0
    near: float = 1e-5

    kind: ClassVar[str] = "sandwich"

    def map(self, block: Block, part: Part | None) -> Part:
        """Add the block's weighted Gram matrices."""
        k, r = self.x.shape[1], self.whitener.rank
        meat, *aside = part or (np.zeros((k, r, r)),)
        for start, X, B in block.slices(heavy_rows(block.columns)):
            Y = self.whitener.apply(X)
            residual = B - X @ self.x
            room = 1.0 - np.einsum("ij,ij->i", Y, Y)
            is_near = room <= self.near
            if is_near.any():
                aside = join_rows(aside, [start + np.flatnonzero(is_near).astype(np.float64), X[is_near], B[is_near]])
                residual, room = np.where(is_near[:, None], 0.0, residual), np.where(is_near, 1.0, room)
            if self.power:
                residual = residual / room[:, None] ** self.power
            for side in range(k):
                Z = Y * residual[:, side : side + 1]
                meat[side] += Z.T @ Z
        return (meat, *aside)

    def merge(self, left: Part, right: Part) -> Part:
        """Add the meats; put the rows set aside behind each other."""
        return (left[0] + right[0], *join_rows(left[1:], right[1:]))

    def finish(self, part: Part) -> Meat:
        """Return the meats and the rows set aside, in order."""
        meat, *aside = part
        rows, X, Y = aside or (np.zeros(0), np.zeros((0, len(self.x))), np.zeros((0, self.x.shape[1])))
        order = np.argsort(rows)
        return Meat(meat, rows[order], X[order], Y[order])

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return k d² numbers, and d rows."""
        return 8 * (sides * columns**2 + columns * (columns + sides + 1))


def join_rows(left: Sequence[Floats], right: Sequence[Floats]) -> Sequence[Floats]:
    """Return the rows set aside on both sides; a part has none of the three arrays where there is no such row."""
    return [np.concatenate(pair) for pair in zip(left, right, strict=True)] if left and right else left or right


@dataclass(frozen=True)
class Rest(Triangle):
    """Finish to R and Qᵀb of [A b] without some rows.

    Parameters
    ----------
    left_out : ndarray
        Numbers of the rows.
    """

    left_out: Floats = field(default_factory=lambda: np.zeros(0))

    kind: ClassVar[str] = "rest"

    def _leaf(self, X: Floats, Y: Floats, start: int) -> Part:
        places = self.left_out[(self.left_out >= start) & (self.left_out < start + len(X))] - start
        if places.size:
            X, Y = X.copy(), Y.copy()
            X[places.astype(np.int64)] = Y[places.astype(np.int64)] = 0.0
        return super()._leaf(X, Y, start)
