"""Separation: a direction along which no row's loss ever rises, so that there is no minimizer.

Along v with δᵢ = aᵢᵀv the loss of a row keeps the slope φ∞(δᵢ) for ever (of a label 1: δ⁻; of a count 0: 0 to the left, ∞ to the right; of
a positive count y: yδ⁻ …).  If none is positive and not all δ are 0, F falls for ever: complete separation if all δ differ from 0,
quasi-complete otherwise, and a group of zero counts is of the same kind.  The proof is a look at all rows with a v whose δ of the rows that
must stay are 0 to rounding: the direction of a Newton step, projected on the null space of those rows.

References
----------
A. Albert, J. A. Anderson, "On the existence of maximum likelihood estimates in logistic regression models", Biometrika 71, 1984.
S. Correia, P. Guimarães, T. Zylkin, "Verifying the existence of maximum likelihood estimates for generalized linear models", arXiv
1903.01633, 2019.
"""

from dataclasses import dataclass

import numpy as np
import scipy.linalg as sl

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import powers_near
from dsketch.passes import Look
from dsketch.passes.base import Flow
from dsketch.passes.margins import Extreme, Margin, Margins
from dsketch.problems.smooth.metric import Metric
from dsketch.problems.smooth.system import Model, flat, unflatten

_CANDIDATE = 1e-2  # a Newton step with slopes above this, relative to its largest δ, is no candidate
_SMALL = (
    1e-3  # a v by which no row moves farther (or one by its inverse) is scaled: what is far along it must be far for rows, too
)
_FLAT = 1e-6  # rows whose δ is at most this, relative to the largest, are taken for those that must stay
_AROUND = 10.0  # and those whose δ is at most this many times the largest slope: what moves them is what is not yet converged
_PROVEN = 1e-10  # what a slope may be by rounding, relative likewise
_SHARED = 1e-6  # columns with a smaller share in the direction are not named
_NULL = 1e-12  # eigenvalues of the flat rows' AᵀA, columns scaled, at or below this are null
_MOST_COLUMNS = 5


@dataclass(frozen=True)
class Separation:
    """Why there is no minimizer.

    Attributes
    ----------
    direction : ndarray, shape (d, outputs)
        v.
    columns : tuple of int
        Those with a share in v, the largest first; the intercept is the last column.
    is_complete : bool
        Whether v fits every row ever better; of separable data one may be found that leaves a few next to the plane as they are.
    rows : tuple of Extreme
        A row of each side that v moves.
    """

    direction: Floats
    columns: tuple[int, ...]
    is_complete: bool
    rows: tuple[Extreme, ...]

    def explain(self, names: tuple[str, ...] | None, columns: int) -> str:
        """Return a sentence that names columns and rows.

        Parameters
        ----------
        names : tuple of str or None
            Of A's columns.
        columns : int
            d, an intercept counted.
        """
        told = ", ".join(_name(column, names, columns) for column in self.columns[:_MOST_COLUMNS])
        more = f" and {len(self.columns) - _MOST_COLUMNS} more" if len(self.columns) > _MOST_COLUMNS else ""
        kind = "all rows" if self.is_complete else "some rows, and none worse,"
        rows = " and ".join(f"row {row.row} (y = {row.y:g}, η {'rises' if row.step > 0 else 'falls'})" for row in self.rows)
        are = "fits" if len(self.columns) == 1 else "together fit"
        return f"separation: {told}{more} {are} {kind} ever better without end, such as {rows}"


def _name(column: int, names: tuple[str, ...] | None, columns: int) -> str:
    if names is None:
        return f"column {column}"
    return f"column {names[column]}" if column < len(names) else "the intercept" if column == columns - 1 else f"column {column}"


def look_for_separation(model: Model, metric: Metric, step: Floats, x: Floats) -> Flow[Separation | None]:
    """Return the separation along what a factor drops of x, where curvatures may have vanished, along the step or along x itself.

    Parameters
    ----------
    step, x : ndarray, shape (d, outputs)
    """
    is_suspect = metric.factor.is_deficient and not metric.is_whole
    for candidate in (*((metric.dropped_part(x),) if is_suspect else ()), step, x):
        found = yield from find_separation(model, candidate, metric.lengths, metric.longest)
        if found is not None:
            return found
    return None


def find_separation(model: Model, candidate: Floats, lengths: Floats, longest: float) -> Flow[Separation | None]:
    """Return the separation along a direction near ``candidate``, or None where there is none to be found.  One to three passes.

    Parameters
    ----------
    candidate : ndarray, shape (d, outputs)
        A Newton step, or x.
    lengths : ndarray, shape (d,)
        D.
    longest : float
        max ‖D⁻¹aᵢ‖.
    """
    v = _rescale(_drop_penalized(model, candidate), lengths, longest)
    if not v.any():
        return None
    found = yield Look(Margins(model.loss, model.places, v), model.rows)
    if found.most > 0 and not _SMALL <= found.most <= 1.0 / _SMALL:
        v = v / found.most
        found = yield Look(Margins(model.loss, model.places, v), model.rows)
    if not (found.most > 0 and found.worst <= _CANDIDATE * found.most):
        return None
    if found.worst > _PROVEN * found.most:
        level = max(_FLAT * found.most, _AROUND * found.worst)
        found = yield Look(Margins(model.loss, model.places, v, level), model.rows)
        v = _project(v, found, model.penalty)
        if not v.any():
            return None
        v = v / float((found.heights[:, None] * np.abs(v)).sum())
        found = yield Look(Margins(model.loss, model.places, v), model.rows)
    if not (found.most > 0 and found.worst <= _PROVEN * found.most):
        return None
    return _describe(v, found)


def _drop_penalized(model: Model, v: Floats) -> Floats:
    """Return v without what a penalty holds back."""
    return np.where(model.penalty > 0, 0.0, v)


def _rescale(v: Floats, lengths: Floats, longest: float) -> Floats:
    """Return v of such a size that abs δ ≤ 1 for every row."""
    size = float(np.linalg.norm(lengths[:, None] * v)) * (longest if np.isfinite(longest) and longest > 0 else 1.0)
    return v / size if size > 0 and np.isfinite(size) else np.zeros_like(v)


def _project(v: Floats, found: Margin, penalty: Floats) -> Floats:
    """Return v without what moves the flat rows or a penalized column; 0 where next to nothing is left."""
    units = np.tile(found.heights, v.shape[1])
    held = found.flat + np.diag(np.where(flat(penalty)[:, 0] > 0, units**2, 0.0))
    scale = powers_near(np.sqrt(np.diag(held)))
    eigenvalues, vectors = sl.eigh(held / scale[:, None] / scale)
    kept = vectors[:, eigenvalues > _NULL * max(float(eigenvalues[-1]), 0.0)]
    left = scale[:, None] * flat(v)
    for _ in range(2):
        left = left - kept @ (kept.T @ left)
    left = unflatten(left / scale[:, None], v)
    heights = found.heights[:, None]
    is_left = np.linalg.norm(heights * left) > _SHARED * np.linalg.norm(heights * v)
    return left if is_left else np.zeros_like(v)


def _describe(v: Floats, found: Margin) -> Separation:
    shares = np.abs(found.heights[:, None] * v).max(axis=1)
    order = np.argsort(-shares, kind="stable")
    columns = tuple(int(column) for column in order if shares[column] > _SHARED * shares.max())
    rows = tuple(
        row for row in (found.up, found.down) if abs(row.step) > _FLAT * found.most and (row is found.up) == (row.step > 0)
    )
    return Separation(v, columns, found.least > _FLAT * found.most, rows)
