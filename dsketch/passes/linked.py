"""The pass of smooth problems: at one x the loss Σ w φ(aᵀx + offset; y), its gradient, and its weighted Gram matrix.

References
----------
P. McCullagh, J. A. Nelder, "Generalized Linear Models", 2nd ed., Chapman & Hall, 1989, Section 2.5 (iterative weighted least squares).
"""

import itertools
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import scipy.sparse

from dsketch._linalg.arrays import Floats
from dsketch._linalg.scratch import scratch
from dsketch.losses.base import Loss, Terms
from dsketch.matrix.beside import Places
from dsketch.matrix.rows import SLICE_BYTES
from dsketch.passes.base import Part, SlicePass, heavy_rows
from dsketch.passes.class_gram import add_class_gram, is_paired
from dsketch.passes.gram import add_sparse_gram

_LEAST_ROWS = 256
_CURVATURE_BYTES = 16_000_000  # of a slice
_FAR = 1e150  # η is taken as no further from 0: its square is finite
_RATIO = 1e200  # and so is the ratio of a squared slope to a curvature that all but vanishes


class Local(NamedTuple):
    """What a smooth problem looks like at one x; r = φ′ and h = φ″ of a row, w its weight.

    Attributes
    ----------
    loss : float
        Σ w φ.
    gradient : ndarray, shape (d, outputs)
        Σ w a rᵀ.
    gram : ndarray or None
        Σ w h ⊗ aaᵀ, shape (d · outputs, d · outputs): block (k, l) belongs to outputs k and l.  None where it was not asked for.
    ratio : float
        Σ w r²/h, for several outputs at most Σ w rᵀh⁻¹r: the squared residual of the tangent problem.
    squares : float
        Σ (w r)².
    curvature : float
        Σ w tr h.
    weight, rows : float
        Σ w, and the number of rows with w > 0.
    low, high : float
        Least and largest η.
    longest : float
        The largest ‖D⁻¹a‖, or ‖Tᵀa‖; 0 where it was not asked for.
    """

    loss: float
    gradient: Floats
    gram: Floats | None
    ratio: float
    squares: float
    curvature: float
    weight: float
    rows: float
    low: float
    high: float
    longest: float


@dataclass(frozen=True)
class Linked(SlicePass[Local]):
    """Finish to loss, gradient, Gram matrix and extremes at x.

    Parameters
    ----------
    loss : Loss
    places : Places
        Of y, offset, weights and frequencies among the columns of b.
    x : ndarray, shape (d, outputs)
    has_gram : bool
    is_expected : bool
        Whether curvatures are those expected given η rather than those of y: Fisher's information.
    lengths : ndarray or None
        D, shape (d,), or T, shape (d, r): in which lengths the longest row is looked for.
    begins : bool
        Whether η is not Xx but what the loss would begin with, from y alone: the gradient is then Σ w a (r − h(η − offset)), so that x
        = −H⁻¹ times it is the first step.

    Notes
    -----
    One read.  With a Gram matrix n d² flops for each pair of outputs and 4 n d for each output, (d · outputs)² numbers a part; without, 4
    n d for each output.  Rows with weight 0 count for nothing, but their y must be of the domain.
    """

    loss: Loss
    places: Places
    x: Floats
    has_gram: bool = True
    is_expected: bool = False
    lengths: Floats | None = None
    begins: bool = False

    kind: ClassVar[str] = "linked"
    takes_sparse: ClassVar[bool] = True

    def rows_at_once(self, columns: int) -> int:
        """Return a height for BLAS-3 with a Gram matrix, else one that stays in the cache between the two products."""
        height = heavy_rows(columns) if self.has_gram else max(SLICE_BYTES // (8 * columns), _LEAST_ROWS)
        return min(height, self.csr_rows_at_once() or height)

    def csr_rows_at_once(self) -> int | None:
        """Return how many rows' curvatures are made at once, of several outputs; one output: as many as there are."""
        outputs = int(self.x.shape[1])
        return None if outputs == 1 else max(_CURVATURE_BYTES // (8 * outputs**2), 16)

    def zero(self, columns: int, sides: int) -> Part:
        """Return nothing: six sums, the gradient, the Gram matrix; the extremes of −η, η and of lengths."""
        del sides
        wide = columns * self.x.shape[1] if self.has_gram else 0
        return np.zeros(6), np.zeros(self.x.shape), np.zeros((wide, wide)), np.array([-_FAR, -_FAR, 0.0])

    def add(self, part: Part, start: int, X: Any, Y: Floats) -> None:
        """Add loss, gradient and Gram matrix of a slice."""
        sums, gradient, gram, most = part
        y, weight, offset = Y[:, 0], self.places.weight(Y), self.places.of("offset", Y)
        self.loss.require(y, start)
        eta = self._predictor(X, y, offset)
        terms = self._terms(eta, y)
        slope, curvature, ratio = terms.slope, terms.curvature, _ratio(terms)
        if self.begins:
            away = eta if offset is None else eta - offset[:, None]
            slope = slope - curvature[:, None] * away
        value = terms.value
        if weight is not None:
            value, ratio, slope = value * weight, ratio * weight, slope * weight[:, None]
            curvature = curvature * (weight if curvature.ndim == 1 else weight[:, None, None])
        trace = curvature.sum() if curvature.ndim == 1 else np.einsum("ikk->", curvature)
        rows, heavy = (len(y), len(y)) if weight is None else (np.count_nonzero(weight), weight.sum())
        sums += (value.sum(), ratio.sum(), np.vdot(slope, slope), trace, heavy, rows)
        gradient += _project(X, slope)
        if self.has_gram:
            add_weighted_gram(gram, X, curvature)
        np.maximum(most, (-eta.min(), eta.max(), self._longest(X)), out=most)

    def _predictor(self, X: Any, y: Floats, offset: Floats | None) -> Floats:
        """Return η, shape (rows, outputs), no further from 0 than its square allows."""
        if self.begins:
            return np.asarray(self.loss.start(y)[:, None])
        return predictor(X, self.x, offset)

    def _terms(self, eta: Floats, y: Floats) -> Terms:
        terms = self.loss.terms(eta, y)
        return terms._replace(curvature=self.loss.expected_curvature(eta)) if self.is_expected else terms

    def _longest(self, X: Any) -> float:
        """Return the largest length of a row, 0 if nobody asks."""
        if self.lengths is None:
            return 0.0
        if self.lengths.ndim == 2:
            return float(row_lengths(X @ self.lengths).max())
        if not self.lengths.min() > _FAR**-0.5:  # D of curvatures that have all but vanished: squares of 1/D overflow
            inverse = 1.0 / self.lengths
            Z = X.multiply(inverse).tocsr().toarray() if scipy.sparse.issparse(X) else X * inverse
            return float(row_lengths(Z).max())
        weights = 1.0 / self.lengths**2
        if scipy.sparse.issparse(X):
            squares = scipy.sparse.csr_array((X.data**2, X.indices, X.indptr), shape=X.shape)
            return float(np.sqrt((squares @ weights).max()))
        Z = np.multiply(X, X, out=scratch("squares", X.shape))
        return float(np.sqrt((Z @ weights).max()))

    def merge(self, left: Part, right: Part) -> Part:
        """Add sums; keep the larger of the extremes."""
        return (*(mine + other for mine, other in zip(left[:3], right[:3], strict=True)), np.maximum(left[3], right[3]))

    def added(self, part: Part) -> list[Floats]:
        """Return the sums."""
        return list(part[:3])

    def finish(self, part: Part) -> Local:
        """Return what was found."""
        sums, gradient, gram, most = part
        loss, *others = sums.tolist()
        ratio, squares, curvature, weight, rows = others
        low, high, longest = -float(most[0]), float(most[1]), float(most[2])
        gram = gram if self.has_gram else None
        return Local(loss, gradient, gram, ratio, squares, curvature, weight, rows, low, high, longest)

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return (d · outputs)² numbers, or d · outputs."""
        del sides
        wide = columns * int(self.x.shape[1])
        return 8 * (wide * (wide + 1 if self.has_gram else 1) + 8)


def predictor(X: Any, x: Floats, offset: Floats | None) -> Floats:
    """Return η = Xx + offset, shape (rows, outputs), no further from 0 than its square allows.

    An x that is beyond everything (a step that overshot) is no fault of the data: what is no number in Xx, ∞ − ∞, is taken as far away.
    """
    eta = (X @ x[:, 0])[:, None] if x.shape[1] == 1 else X @ x
    if offset is not None:
        eta += offset[:, None]
    if not (eta.min(initial=0.0) > -_FAR and eta.max(initial=0.0) < _FAR) and np.abs(x).max() > _FAR:
        eta = np.nan_to_num(np.clip(eta, -_FAR, _FAR), nan=_FAR)
    return np.asarray(eta)


def row_lengths(Z: Floats) -> Floats:
    """Return the norm of each row, shape (rows,); sizes are taken out first where squares may overflow."""
    size = np.abs(Z).max(initial=0.0)
    if size < _FAR:
        return np.asarray(np.sqrt(np.einsum("ij,ij->i", Z, Z)))
    sizes = np.maximum(np.abs(Z).max(axis=1), 1.0)
    Z = Z / sizes[:, None]
    return np.asarray(sizes * np.sqrt(np.einsum("ij,ij->i", Z, Z)))


def _ratio(terms: Terms) -> Floats:
    """Return r²/h of each row; for several outputs ‖r‖²/tr h, which rᵀh⁻¹r is not below."""
    squares = np.einsum("ik,ik->i", terms.slope, terms.slope)
    below = terms.curvature if terms.curvature.ndim == 1 else np.einsum("ikk->i", terms.curvature)
    return np.asarray(np.minimum(squares / np.maximum(below, 1.0 / _RATIO), _RATIO))


def _project(X: Any, slope: Floats) -> Floats:
    """Return Xᵀr."""
    if slope.shape[1] == 1:
        return np.asarray(slope[:, 0] @ X)[:, None]
    return np.asarray(X.T @ slope)


def add_weighted_gram(gram: Floats, X: Any, curvature: Floats) -> None:
    """Add Σ h ⊗ xxᵀ, in place.

    Parameters
    ----------
    gram : ndarray, shape (d · outputs, d · outputs)
    X : ndarray or csr_array, shape (rows, d)
    curvature : ndarray, shape (rows,) or (rows, outputs, outputs)
    """
    if curvature.ndim == 1:
        _add_block(gram, X, curvature)
        return
    d = X.shape[1]
    if is_paired(d, curvature.shape[1]) and not scipy.sparse.issparse(X):
        add_class_gram(gram, X, curvature)
        return
    for k, m in itertools.combinations_with_replacement(range(curvature.shape[1]), 2):
        block = gram[k * d : (k + 1) * d, m * d : (m + 1) * d]
        _add_block(block, X, curvature[:, k, m])
        if k != m:
            gram[m * d : (m + 1) * d, k * d : (k + 1) * d] = block.T


def _add_block(block: Floats, X: Any, weights: Floats) -> None:
    """Add Xᵀ diag(weights) X, by BLAS syrk where all weights have one sign."""
    sign = 1.0 if weights.min(initial=0.0) >= 0 else -1.0 if weights.max(initial=0.0) <= 0 else 0.0
    if scipy.sparse.issparse(X):
        _add_sparse_block(block, X, weights, sign)
        return
    Z = scratch("weighted", X.shape)
    if sign:
        np.multiply(X, np.sqrt(np.abs(weights))[:, None], out=Z)
        if sign > 0:
            block += Z.T @ Z
        else:
            block -= Z.T @ Z
    else:
        np.multiply(X, weights[:, None], out=Z)
        block += Z.T @ X


def _add_sparse_block(block: Floats, X: Any, weights: Floats, sign: float) -> None:
    """Do the same for CSR rows; weights of both signs are two sums."""
    if not sign:
        _add_sparse_block(block, X, np.maximum(weights, 0.0), 1.0)
        _add_sparse_block(block, X, np.minimum(weights, 0.0), -1.0)
        return
    roots = np.repeat(np.sqrt(np.abs(weights)), np.diff(X.indptr))
    total = np.zeros(block.shape)
    add_sparse_gram(total, scipy.sparse.csr_array((X.data * roots, X.indices, X.indptr), shape=X.shape))
    if sign > 0:
        block += total
    else:
        block -= total
