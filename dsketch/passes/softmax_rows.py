"""What softmax predicts for rows: a share of 1, so that a first pass sums what a second divides by."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.errors import DataError
from dsketch.passes.base import Part
from dsketch.passes.online import LARGEST, OnlineSums
from dsketch.passes.rowwise import PART_ROWS, RowPass

LEAST_ALPHA = float(np.sqrt(np.finfo(float).eps))  # of Σ abs(u): a smaller sum of u has lost half its digits


class Total(NamedTuple):
    """``top`` = σ, the largest z, with a residual connection at least 0; ``total`` = Σu e^{−σ} and ``size`` = Σ abs(u) e^{−σ}."""

    top: float
    total: float
    size: float


@dataclass(frozen=True)
class SoftmaxTotal(OnlineSums[Total]):
    """Finish to Σu, u = exp(A x), with a residual connection exp(A x) + A x.

    Parameters
    ----------
    x : ndarray, shape (d,)
    has_residual : bool

    Notes
    -----
    One read, 2 n d flops, three numbers a part.
    """

    x: Floats
    has_residual: bool = False

    kind: ClassVar[str] = "softmax total"
    orders: ClassVar[tuple[int, ...]] = (1, 1)

    def zero(self, columns: int, sides: int) -> Part:
        """Return no rows; where A x is a summand, the scale is never below 1."""
        part = super().zero(columns, sides)
        return (np.zeros(1), *part[1:]) if self.has_residual else part

    def zeros(self, columns: int, sides: int) -> Part:
        """Return both sums of no rows."""
        del columns, sides
        return np.zeros(1), np.zeros(1)

    def exponents(self, X: Floats) -> Floats:
        """Return A x."""
        return X @ self.x

    def add_terms(self, sums: Part, X: Floats, Y: Floats, z: Floats, top: float) -> None:
        """Add the rows."""
        del X, Y
        u = summands(z, top, has_residual=self.has_residual)
        sums[0][...] += u.sum()
        sums[1][...] += np.abs(u).sum()

    def conclude(self, top: float, sums: Part) -> Total:
        """Return the sums."""
        return Total(top, float(sums[0][0]), float(sums[1][0]))

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return three numbers."""
        del columns, sides
        return 24


def summands(z: Floats, top: float, *, has_residual: bool) -> Floats:
    """Return u e^{−top}."""
    e = np.exp(z - top)
    return np.asarray(e + np.exp(-top) * z if has_residual else e)


@dataclass(frozen=True)
class SoftmaxPrediction(RowPass):
    """Finish to f = u/⟨u, 1⟩ of these rows, shape (n, 1); they sum to 1.

    Parameters
    ----------
    x : ndarray, shape (d,)
    has_residual : bool
        Whether u = exp(A x) + A x.
    total : Total or None
        Of all rows; None before :meth:`ahead` has been answered.

    Notes
    -----
    Two reads, 2 n d flops each.
    """

    x: Floats
    has_residual: bool = False
    total: Total | None = None

    kind: ClassVar[str] = "softmax rows"

    def ahead(self) -> SoftmaxTotal:
        """Return the pass that sums u."""
        return SoftmaxTotal(self.x, self.has_residual)

    def informed_by(self, found: Any) -> "SoftmaxPrediction":
        """Return the pass that divides by the sum.

        Raises
        ------
        DataError
            If a sum with A x has vanished.
        """
        if not found.total > LEAST_ALPHA * found.size:
            raise DataError(
                f"α = ⟨exp(A x) + A x, 1⟩ must be above {LEAST_ALPHA:.1e} of the sum of absolute values; for these rows it is "
                f"{found.total / max(found.size, np.finfo(float).tiny):.1e} of it. Give rows like those that x was fitted to."
            )
        return replace(self, total=found)

    def of(self, X: Floats, Y: Floats) -> Floats:
        """Return u over its sum."""
        del Y
        top, total, _ = self.total or Total(0.0, 1.0, 1.0)
        z = np.clip(X @ self.x, -LARGEST, LARGEST)
        return (summands(z, top, has_residual=self.has_residual) / total)[:, None]

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return a number a row of the largest block, at least."""
        del columns, sides
        return 8 * PART_ROWS
