"""Any pass on the rows of a Jacobian and the residual beside it, made from the rows of A as they are read and never stored.

Where a one-pass sum has given what a row needs of all others (a normalizer, a mean), the rows of J and r can be had one by one: a
``Triangle`` of them has no square to lose digits in, a ``Gram`` sums ‖r‖² without cancellation, a sample of them is a sampled Hessian.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, ClassVar, NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats, State
from dsketch.matrix.rows import Block
from dsketch.passes.base import Part, Pass, heavy_rows
from dsketch.passes.online import LARGEST, absolute_sums, centre_rows

_HEIGHT = 4  # slices of so many heavy heights: the inner pass cuts them again


class Residuals(NamedTuple):
    """Rows of a nonlinear least-squares problem.

    ``J``, shape (rows, d); ``r``, shape (rows,); ``doubt``, shape (rows,): by how many units of rounding f may be off.
    """

    J: Floats
    r: Floats
    doubt: Floats


@dataclass(frozen=True)
class ResidualRows(ABC):
    """How rows of A and b become rows of J and r."""

    @abstractmethod
    def of(self, X: Floats, Y: Floats) -> Residuals:
        """Return them for a slice."""

    def state(self) -> Iterator[State]:
        """Yield what tells them apart."""
        yield type(self).__name__
        for field in fields(self):
            value = getattr(self, field.name)
            yield value if isinstance(value, np.ndarray) else repr(value)


@dataclass(frozen=True)
class SoftmaxRows(ResidualRows):
    """f = exp(A x)/⟨exp(A x), 1⟩: J = f∘(A − 1 f̄), f̄ = Aᵀf, and r = f − b.

    Attributes
    ----------
    x, centre : ndarray, shape (d,)
        ``centre`` is Aᵀf.
    top, total : float
        The largest of (A − 1 centreᵀ)x and the sum of the exponentials relative to it.
    """

    x: Floats
    centre: Floats
    top: float
    total: float

    def of(self, X: Floats, Y: Floats) -> Residuals:
        """Return J, r, and f times the absolute sum in z."""
        C = centre_rows(X, self.centre)
        f = np.exp(np.clip(C @ self.x, -LARGEST, LARGEST) - self.top) / self.total
        return Residuals(f[:, None] * C, f - Y[:, 0], f * absolute_sums(C, self.x))


@dataclass(frozen=True)
class ResnetRows(ResidualRows):
    """f = u/α with u = exp(A x) + A x: J = (v∘A − f (Aᵀv)ᵀ)/α, v = exp(A x) + 1, and r = f − b.

    Attributes
    ----------
    x : ndarray, shape (d,)
    slope : ndarray, shape (d,)
        Aᵀv/α.
    top, alpha : float
        σ, and α e^{−σ}.
    """

    x: Floats
    slope: Floats
    top: float
    alpha: float

    def of(self, X: Floats, Y: Floats) -> Residuals:
        """Return J, r, and v/α times the absolute sum in z."""
        z, one = np.clip(X @ self.x, -LARGEST, LARGEST), np.exp(-self.top)
        e = np.exp(z - self.top)
        f, v = (e + one * z) / self.alpha, (e + one) / self.alpha
        return Residuals(v[:, None] * X - np.outer(f, self.slope), f - Y[:, 0], np.abs(v) * absolute_sums(X, self.x) + np.abs(f))


class Doubt(NamedTuple):
    """How far rounding may have moved f, in units of rounding of one operation: its norm, and its sum."""

    norm: float
    total: float


@dataclass(frozen=True)
class Jacobian(Pass[tuple[Any, Doubt]]):
    """A pass on J and r; finishes to its result and the doubt about f.

    Parameters
    ----------
    pass_ : Pass
    rows : ResidualRows

    Notes
    -----
    About 4 n d flops more than the pass itself, and two numbers a part.
    """

    pass_: Pass[Any]
    rows: ResidualRows

    kind: ClassVar[str] = "jacobian"
    accumulates: ClassVar[bool] = False

    def map(self, block: Block, part: Part | None) -> Part:
        """Make J and r slice by slice, and map them."""
        inner, doubt = part or (None, np.zeros(2))
        for start, X, Y in block.slices(_HEIGHT * heavy_rows(block.columns)):
            J, r, moved = self.rows.of(X, Y)
            own = Block(start, start + len(J), J, r[:, None], None, False)
            inner = self.pass_.map(own, inner)
            doubt = doubt + np.array([moved @ moved, moved.sum()])
        return inner, doubt

    def merge(self, left: Part, right: Part) -> Part:
        """Merge by the pass's own rule."""
        return self.pass_.merge(left[0], right[0]), left[1] + right[1]

    def added(self, part: Part) -> list[Floats]:
        """Return the pass's, and the doubt."""
        return [*self.pass_.added(part[0]), part[1]]

    def finish(self, part: Part) -> tuple[Any, Doubt]:
        """Finish by the pass's own rule."""
        return self.pass_.finish(part[0]), Doubt(float(np.sqrt(part[1][0])), float(part[1][1]))

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return the bytes of the pass's part, and two numbers."""
        del sides
        return self.pass_.part_bytes(columns, 1) + 16

    def names(self) -> str:
        """Return the kinds of both."""
        return f"{self.kind} {self.pass_.names()}"
