"""What a regression of targets on one column beside covariates needs, for all columns of a block in matrix products.

With Q an orthonormal basis of the covariates, ỹ = (I − Q Qᵀ) y and g̃ = (I − Q Qᵀ) g (Frisch and Waugh, 1933; Lovell, 1963)::

    g̃ᵀỹ = gᵀỹ        ‖g̃‖² = ‖g‖² − ‖Qᵀg‖²        β = g̃ᵀỹ/‖g̃‖²        ‖r‖² = ‖ỹ‖² − β g̃ᵀỹ

Both differences cancel where a column lies nearly in the span of the covariates, or explains a target nearly; there g̃, or r, is
formed.  Of a column with gaps whose rows are left out, the products with the rows that are missing are taken away again: with q and y
these rows of Q and ỹ, A = I − q qᵀ and v = −q ỹ, everything is projected by A⁻¹ instead.
"""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg as sl

from dsketch._linalg.arrays import Floats
from dsketch.passes.column_tiles import Columns
from dsketch.passes.partialled import EPS, Group, basis_of, project

Rows = np.ndarray[Any, Any]  # numbers of rows

CANCELLED = 1e-2  # ‖g̃‖²/‖g‖² below which g̃ is formed: the difference loses no more than two digits above it
_ROUNDING = 64 * EPS  # ‖r‖ below so much of what it was computed from is rounding (as in the table of a regression)
EXPLAINED = 1e-5  # ‖r‖²/‖ỹ‖² below which r is formed, likewise
_LEAST_EIGENVALUE = 1e-3  # of A, below which the rows that are left determine covariates by themselves, not by what is taken away


class Sums(NamedTuple):
    """Of each column with each target of a group.

    Attributes
    ----------
    products : ndarray, shape (columns, k)
        g̃ᵀỹ over the rows that are there.
    squares : ndarray, shape (columns,)
        ‖g̃‖²; NaN where the covariates determine the column.
    targets : ndarray, shape (columns, k) or (1, k)
        ‖ỹ‖².
    residuals : ndarray, shape (columns, k)
        ‖r‖²; NaN where a column explains a target but for rounding.
    counts : ndarray, shape (columns,)
        Entries that are there.
    freedom : ndarray, shape (columns,)
        Degrees of freedom.
    """

    products: Floats
    squares: Floats
    targets: Floats
    residuals: Floats
    counts: Floats
    freedom: Floats


def sums_of(columns: Columns, group: Group, *, drops: bool) -> Sums:
    """Return the sums of a block's columns with the targets of a group.

    Parameters
    ----------
    drops : bool
        Whether rows that miss the column are left out of its regression; False: they have its mean.
    """
    gaps = columns.gaps()
    columns = replace(columns, is_whole=not gaps.counts.any())
    fill = None if drops or not gaps.counts.any() else gaps.means
    products, norms = _multiply(columns, group, fill)
    k = group.Y.shape[1]
    inner = products[:, k:]
    squares = norms - np.einsum("ij,ij->i", inner, inner)
    doubtful = ~(squares > CANCELLED * norms)
    lacking = np.flatnonzero(gaps.counts) if drops else np.empty(0, np.int64)
    doubtful[lacking] = False
    found = products[:, :k].copy()
    if (some := np.flatnonzero(doubtful)).size:
        found[some], squares[some] = _form(
            columns.of(some), group, None if fill is None else fill[some], norms[some], inner[some]
        )
    targets = np.broadcast_to(group.squares, found.shape)
    freedom = np.full(columns.count, group.count - group.rank - 1.0)
    if lacking.size:
        targets, places = targets.copy(), columns.gap_rows()
        for number in lacking.tolist():
            one = _without(columns, number, places[number], group, norms[number], products[number])
            found[number], squares[number], targets[number], freedom[number] = one
    residuals = _residuals(columns, group, fill, norms, found, squares, targets)
    counts = (columns.samples - gaps.counts).astype(np.float64)
    return Sums(found, squares, targets, residuals, counts, freedom)


def _multiply(columns: Columns, group: Group, fill: Floats | None) -> tuple[Floats, Floats]:
    """Return the products of columns with [ỹ Q], and their squared norms.

    The sides stand on the left, where BLAS packs the narrow factor once and streams the wide one: a quarter less time.
    """
    products, norms = np.zeros((group.sides.shape[1], columns.count)), np.zeros(columns.count)
    made = np.empty_like(products)
    for low, high, tile in columns.tiles(fill):
        products += np.matmul(group.sides[low:high].T, tile.T, out=made)
        norms += np.einsum("ij,ij->i", tile, tile)
    return products.T, norms


def _form(columns: Columns, group: Group, fill: Floats | None, norms: Floats, inner: Floats) -> tuple[Floats, Floats]:
    """Return g̃ᵀỹ and ‖g̃‖² from g̃ itself, formed tile by tile and projected once more; NaN squares where only rounding is left."""
    Q = group.basis.Q
    products, squares = np.zeros((columns.count, group.sides.shape[1])), np.zeros(columns.count)
    for low, high, tile in columns.tiles(fill):
        left = tile - inner @ Q[low:high].T
        products += left @ group.sides[low:high]
        squares += np.einsum("ij,ij->i", left, left)
    k = group.Y.shape[1]
    again = products[:, k:]
    squares -= np.einsum("ij,ij->i", again, again)
    return products[:, :k], _blank_rounding(squares, norms, group.count)


def _blank_rounding(squares: Floats, norms: Floats, count: int) -> Floats:
    """Return squares with NaN where no more is left of a column than rounding leaves of one that covariates determine."""
    return np.where(squares > (max(count, 100) * EPS) ** 2 * norms, squares, np.nan)


def _without(
    columns: Columns, number: int, missing: Rows, group: Group, norm: float, products: Floats
) -> tuple[Floats, float, Floats, float]:
    """Return g̃ᵀỹ, ‖g̃‖², ‖ỹ‖² and the degrees of freedom of a column over the rows that it has.

    Parameters
    ----------
    missing : ndarray of int
        Rows that the column lacks.
    norm : float
        Of the column, 0 in its gaps; squared.
    products : ndarray, shape (k + rank,)
        Of the same with [ỹ Q].
    """
    k = group.Y.shape[1]
    taken = group.sides[missing]
    y, q = taken[:, :k], taken[:, k:]
    A = np.eye(group.rank) - q.T @ q
    if 2 * missing.size > group.count or (group.rank and np.linalg.eigvalsh(A)[0] < _LEAST_EIGENVALUE):
        return _over_rows(columns, number, group)
    v = -q.T @ y
    both = np.concatenate([products[k:, None], v], axis=1)
    solved = sl.cho_solve(sl.cho_factor(A), both) if group.rank else both
    targets = group.squares - np.einsum("ij,ij->j", y, y) - np.einsum("ij,ij->j", v, solved[:, 1:])
    square = norm - products[k:] @ solved[:, 0]
    if not square > CANCELLED * norm or (targets < CANCELLED * group.squares).any():
        return _over_rows(columns, number, group)
    freedom = group.count - missing.size - group.rank - 1.0
    return products[:k] - solved[:, 0] @ v, float(square), targets, freedom


def _over_rows(columns: Columns, number: int, group: Group) -> tuple[Floats, float, Floats, float]:
    """Return the same from these rows alone, by a basis of their own."""
    values, lacks = columns.column(number)
    rows = np.flatnonzero(~lacks)
    basis = basis_of(group.basis.Q[rows])
    g, Y = project(values[rows][:, None], basis.Q)[:, 0], project(group.Y[rows], basis.Q)
    square = _blank_rounding(np.array([g @ g]), np.array([values[rows] @ values[rows]]), len(rows))[0]
    targets = np.einsum("ij,ij->j", Y, Y)
    before = np.einsum("ij,ij->j", group.Y[rows], group.Y[rows])
    targets[targets <= (max(len(rows), 1) * EPS) ** 2 * before] = np.nan
    return g @ Y, float(square), targets, len(rows) - basis.Q.shape[1] - 1.0


def _residuals(
    columns: Columns, group: Group, fill: Floats | None, norms: Floats, products: Floats, squares: Floats, targets: Floats
) -> Floats:
    """Return ‖r‖², from r itself where a column explains a target nearly; NaN where no more is left than rounding of the data.

    Parameters
    ----------
    norms : ndarray, shape (columns,)
        ‖g‖².
    """
    left = targets - products**2 / squares[:, None]
    for number in np.flatnonzero((left < EXPLAINED * targets).any(axis=1)).tolist():
        sides = np.flatnonzero(left[number] < EXPLAINED * targets[number])
        g, Y = whole_column(columns, number, group, None if fill is None else fill[number], sides)
        beta = products[number, sides] / squares[number]
        r = Y - g[:, None] * beta
        size = np.hypot(np.sqrt(group.whole[sides]), np.abs(beta) * np.sqrt(norms[number]))
        met = np.linalg.norm(r, axis=0) <= _ROUNDING * size
        left[number, sides] = np.where(met, np.nan, np.einsum("ij,ij->j", r, r))
    return left


def whole_column(
    columns: Columns, number: int, group: Group, fill: float | None, sides: Rows | None = None
) -> tuple[Floats, Floats]:
    """Return g̃ and ỹ of some targets (None: all), over the rows that the regression of a column has.

    Parameters
    ----------
    fill : float or None
        What stands in the column's gaps; None: their rows are left out.
    """
    values, lacks = columns.column(number)
    if fill is not None:
        values[lacks] = fill
    Y = group.Y if sides is None else group.Y[:, sides]
    if fill is not None or not lacks.any():
        return project(values[:, None], group.basis.Q)[:, 0], Y
    rows = np.flatnonzero(~lacks)
    basis = basis_of(group.basis.Q[rows])
    return project(values[rows][:, None], basis.Q)[:, 0], project(Y[rows], basis.Q)
