"""Cross-validation of a path from the sums of its folds: each fold is fitted by the others' sums and tested by its own.

The squared error on a fold with sums (G, c, bb) is bb − 2 xᵀc + xᵀG x: no row is read again.  It is right to about u ‖b‖²/‖r‖².
All points of a fold are fitted together: what was found with all rows is near each of them.

References
----------
L. Breiman, J. H. Friedman, R. A. Olshen, C. J. Stone, Classification and Regression Trees, 1984, section 3.4.3 (one standard error).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.errors import DataError
from dsketch.passes.fold_grams import FoldSums
from dsketch.problems.penalized.cost import Cost
from dsketch.problems.penalized.guess import minimize_all
from dsketch.problems.penalized.quadratic import GramQuadratic


@dataclass(frozen=True)
class CrossValidation:
    """What held-out rows say of each of m points.

    Attributes
    ----------
    by_fold : ndarray, shape (K, m)
        Mean (by weight) of the squared errors on each fold.
    best : int
        The point with the least mean.
    simplest : int
        Of those whose mean is within one standard error of the least, with the best point's l1_ratio: the one with the largest alpha.
    """

    by_fold: Floats
    best: int
    simplest: int

    @property
    def mean(self) -> Floats:
        """Mean over folds, shape (m,)."""
        return np.asarray(self.by_fold.mean(axis=0))

    @property
    def standard_error(self) -> Floats:
        """Of that mean, shape (m,)."""
        return np.asarray(self.by_fold.std(axis=0, ddof=1) / np.sqrt(len(self.by_fold)))


def cross_validate(
    folds: FoldSums,
    x: Floats,
    scale: Floats,
    cost_of: Callable[[float], Cost],
    ratios: Floats,
    length: int,
) -> CrossValidation:
    """Return the errors of all points on all folds, and which point to take.

    Parameters
    ----------
    x : ndarray, shape (d, m)
        Fitted to all rows.
    scale : ndarray, shape (d,)
        Powers of two near the norms of the columns.
    cost_of : callable
        Returns the cost of all points for rows of a weight.
    ratios : ndarray, shape (m,)
    length : int
        Alphas for each ratio.

    Raises
    ------
    DataError
        If a fold has no weight.
    """
    if not (folds.weight > 0).all():
        raise DataError(
            f"every fold needs a row of positive weight; fold {int(np.argmin(folds.weight))} has none. Give fewer folds, or more rows."
        )
    by_fold = np.array([_errors(folds, fold, x * scale[:, None], scale, cost_of) for fold in range(len(folds.weight))])
    mean = by_fold.mean(axis=0)
    best = int(np.argmin(mean))
    limit = mean[best] + by_fold[:, best].std(ddof=1) / np.sqrt(len(by_fold))
    first = best - best % length
    simplest = next(point for point in range(first, best + 1) if mean[point] <= limit and ratios[point] == ratios[best])
    return CrossValidation(by_fold, best, simplest)


def _errors(folds: FoldSums, fold: int, near: Floats, scale: Floats, cost_of: Callable[[float], Cost]) -> Floats:
    """Return the mean squared errors on a fold of all points, fitted without it."""
    others = np.arange(len(folds.weight)) != fold
    G = folds.G[others].sum(axis=0) / np.outer(scale, scale)
    quadratic = GramQuadratic(H=G, pull=folds.c[others, :, 0].sum(axis=0) / scale)
    own, c = folds.G[fold] / np.outer(scale, scale), folds.c[fold, :, 0] / scale
    z = minimize_all(quadratic, cost_of(float(folds.weight[others].sum())).scaled(scale), near)
    squares = folds.bb[fold, 0] - 2 * (c @ z) + np.einsum("ij,ij->j", z, own @ z)
    return np.asarray(np.maximum(squares, 0.0) / folds.weight[fold])
