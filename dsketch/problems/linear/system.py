"""A linear system of rows and a penalty, and which passes give its sketch, Gram matrix, triangle, gradient and curvature.

Least squares and ridge are one family: min ‖A x − b‖² + Σ pᵢ xᵢ².  The penalty is d extra rows √p eᵢᵀ of A with zero right-hand
side; they live on the driver and are added to the result of each pass, exactly.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch.matrix.excerpt import Excerpt
from dsketch.matrix.head import Head
from dsketch.matrix.rows import Rows
from dsketch.passes import (
    BareGradient,
    Both,
    BothAsTree,
    ColumnSums,
    CountedGram,
    Gradient,
    Gram,
    GramDepth,
    Look,
    Moments,
    Normal,
    Pass,
    Reduced,
    Sketching,
    Slope,
    Squares,
    Triangle,
    TriangleDepth,
    WhitenedGram,
)
from dsketch.passes.base import Flow
from dsketch.passes.counted import reflections
from dsketch.passes.triangle import join_rows_below
from dsketch.sketch import Sketch

_RUNS, _ROWS_A_RUN, _ROWS_A_COLUMN = 8, 8, 16  # a guess is made of up to so many runs of rows, of 16 d rows or a little more
_ROWS_OF_A_FACTOR = 6  # for a factor that whitens, of 6 d: cond(A R⁻¹) ≈ 2.4 where rows are alike
_SPARSE = 8  # and of no more than an eighth of all, chunks of b that are decoded for it counted


def can_spare_rows(n: int, d: int) -> bool:
    """Return whether a factor of a few rows is one of at most an eighth of all."""
    return n >= _SPARSE * _RUNS * _ROWS_A_RUN * -(-(_ROWS_OF_A_FACTOR * d) // (_RUNS * _ROWS_A_RUN))


@dataclass(frozen=True)
class LinearSystem:
    """min ‖A x − b‖² + Σ pᵢ xᵢ² over x, for every column of b.

    Attributes
    ----------
    rows : Rows
        [A 1], b and the weights.
    penalty : ndarray, shape (d,), or (d, k)
        p ≥ 0; zeros for least squares and for an intercept.  One for each target as well is what
        :mod:`~dsketch.problems.linear.by_target` takes apart.
    """

    rows: Rows
    penalty: Floats

    @property
    def shape(self) -> tuple[int, int]:
        """(n, d) of [A 1]."""
        return self.rows.shape

    @property
    def sides(self) -> int:
        """Number of right-hand sides k."""
        return self.rows.sides

    @property
    def is_penalized(self) -> bool:
        """Whether any penalty is positive."""
        return bool(self.penalty.any())

    @cached_property
    def without_sides(self) -> "LinearSystem":
        """The system as passes see it that do not ask for b, which is then not read: itself where b decides how rows are cut."""
        bare = replace(self.rows, b=None)
        return LinearSystem(bare, self.penalty) if len(bare.cuts) == len(self.rows.cuts) else self

    def _look(self, pass_: Pass[Any]) -> Flow[Any]:
        return (yield Look(pass_, self.rows))

    def _penalty_rows(self) -> Floats:
        return np.diag(np.sqrt(self.penalty))

    def _stack(self, SA: Floats, Sb: Floats) -> tuple[Floats, Floats]:
        """Add the penalty's own rows below a sketch (it embeds them exactly)."""
        if not self.is_penalized:
            return SA, Sb
        return np.concatenate([SA, self._penalty_rows()]), np.concatenate([Sb, np.zeros((self.shape[1], Sb.shape[1]))])

    def sketch(self, sketch: Sketch) -> Flow[tuple[Floats, Floats]]:
        """Return (SA, Sb), with the penalty's rows.  One pass."""
        return self._stack(*(yield from self._look(Sketching(sketch))))

    def gram(self) -> Flow[tuple[Floats, Floats, Floats]]:
        """Return (AᵀA + diag p, Aᵀb, bᵀb).  One pass."""
        G, c, bb = yield from self._look(Gram())
        return self._penalize_square(G), c, bb

    def counted_gram(self) -> Flow[tuple[CountedGram, Slope]]:
        """Return AᵀA + diag p, Aᵀb, bᵀb with the depth of their sums, and the moments of b.  One pass."""
        found, moments = yield from self._look(Both(GramDepth(), Moments()))
        return found._replace(G=self._penalize_square(found.G), depth=found.depth + 1), moments

    def counted_triangle(self, seed: int) -> Flow[tuple[Reduced, float, Slope]]:
        """Return what a QR leaves of [A b], how far it may have moved a column in units of u, and the moments of b.  One pass."""
        (found, depth), moments = yield from self._look(BothAsTree(TriangleDepth(Triangle(seed)), Moments()))
        if self.is_penalized:
            found, width = join_rows_below(found, self._penalty_rows(), np.zeros_like(found.z)), self.shape[1] + self.sides
            depth += reflections(2 * width, width)
        return found, depth, moments

    def sketch_and_gram(self, sketch: Sketch) -> Flow[tuple[tuple[Floats, Floats], tuple[Floats, Floats, Floats]]]:
        """Return the sketch and (AᵀA + diag p, Aᵀb, bᵀb).  One pass."""
        sketched, (G, c, bb) = yield from self._look(Both(Sketching(sketch), Gram()))
        return self._stack(*sketched), (self._penalize_square(G), c, bb)

    def _penalize_square(self, G: Floats) -> Floats:
        """Return AᵀA + diag p; without a penalty G itself."""
        if self.is_penalized:
            G = G.copy()
            G.flat[:: len(G) + 1] += self.penalty
        return G

    def whitened(self, factor: Factor) -> Flow[tuple[Floats, Floats]]:
        """Return (YᵀY, Yᵀb) for Y = [A; √p] T.  One pass."""
        whitener = factor.whitener
        W, c = yield from self._look(WhitenedGram(whitener))
        if self.is_penalized:
            Y = whitener.apply(self._penalty_rows())
            W = W + Y.T @ Y
        return W, c

    def triangle(self, seed: int) -> Flow[tuple[Floats, Floats, Floats]]:
        """Return R, z = Qᵀb and the residual norms of min ‖R x − z‖.  One pass."""
        found: Reduced = yield from self._look(Triangle(seed))
        if self.is_penalized:
            found = join_rows_below(found, self._penalty_rows(), np.zeros_like(found.z))
        return found.R, found.z, found.rest

    def triangle_of_columns(self, seed: int) -> Flow[Floats]:
        """Return R of A and the penalty, shape (d, d).  One pass over A; b is not read."""
        found: Reduced = yield Look(Triangle(seed), replace(self.rows, b=None))
        return join_rows_below(found, self._penalty_rows(), np.zeros((self.shape[1], 0))).R if self.is_penalized else found.R

    def guess(self, seed: int) -> Flow[Floats]:
        """Return the minimizer of a few rows, evenly spread, shape (d, k); 0 where there are no more than those.  One look at them."""
        found = yield from self._triangle_of_some(self.rows, seed, _ROWS_A_COLUMN)
        return np.zeros((self.shape[1], self.sides)) if found is None else Factor(found.R).least_squares(found.z)

    def factor_of_some(self, seed: int) -> Flow[Factor | None]:
        """Return the factor of a few rows, evenly spread, None where there are no more than those.  One look at them.

        None of heads either, which go in lockstep through rows of their one matrix.
        """
        if isinstance(self.rows.A, Head):
            return None
        found = yield from self._triangle_of_some(replace(self.rows, b=None), seed, _ROWS_OF_A_FACTOR)
        return None if found is None else Factor(found.R)

    def _triangle_of_some(self, rows: Rows, seed: int, rows_a_column: int) -> Flow[Reduced | None]:
        """Return the triangle of runs of rows, evenly spread, with their share of the penalty; None where that is much of all rows."""
        (n, d), unit = rows.shape, 1 if rows.b is None or rows.b.unit_rows is None else rows.b.unit_rows
        runs = min(max(n // (_SPARSE * unit), 1), _RUNS)
        height = _ROWS_A_RUN * -(-(rows_a_column * d) // (runs * _ROWS_A_RUN))
        if n < _SPARSE * runs * height:
            return None
        starts = tuple((2 * run + 1) * (n - height) // (2 * runs) for run in range(runs))
        b, weights = (None if part is None else Excerpt(part, starts, height) for part in (rows.b, rows.weights))
        found: Reduced = yield Look(Triangle(seed), replace(rows, A=Excerpt(rows.A, starts, height), b=b, weights=weights))
        if self.is_penalized:
            found = join_rows_below(found, self._penalty_rows() * np.sqrt(runs * height / n), np.zeros_like(found.z))
        return found

    def slope_at(self, x: Floats) -> Gradient:
        """Return the pass that finds the slope at x, of the rows alone; where b has more columns than A, without moments of b."""
        return BareGradient(x) if self.sides > self.shape[1] else Gradient(x)

    def gradient(self, x: Floats) -> Flow[Slope]:
        """Return the slope at x: Aᵀ(b − A x) − p∘x and ‖b − A x‖² + Σ p x².  One pass."""
        slope: Slope = yield from self._look(self.slope_at(x))
        return penalize(slope, self.penalty, x) if self.is_penalized else slope

    def column_sums(self, *, is_exact: bool = False) -> Flow[ColumnSums]:
        """Return the squares of the columns, the penalty's rows among them, and Aᵀb.  One pass."""
        found: ColumnSums = yield from self._look(Squares(is_exact))
        return found._replace(squares=found.squares + self.penalty)

    def normal(self, v: Floats) -> Flow[Floats]:
        """Return (AᵀA + diag p) v.  One pass."""
        product: Floats = yield from self._look(Normal(v))
        return product + self.penalty[:, None] * v


def penalize(slope: Slope, penalty: Floats, x: Floats) -> Slope:
    """Return the slope at x of the rows with that of a penalty, shape (d,)."""
    weighted = penalty[:, None] * x
    return slope._replace(g=slope.g - weighted, rr=slope.rr + np.einsum("ij,ij->j", x, weighted))
