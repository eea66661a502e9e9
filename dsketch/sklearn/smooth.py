"""What estimators of generalised linear models share: a fit by :func:`dsketch.solve`, and predictions of the mean."""

import itertools
import os
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from dsketch._linalg.arrays import Floats
from dsketch._results.predict import predict_means
from dsketch._results.solution import Solution
from dsketch.api import predict, solve
from dsketch.losses.base import Loss
from dsketch.matrix.open import open_matrix
from dsketch.problems.smooth.problem import SmoothProblem
from dsketch.sklearn.data import check_new_rows, is_stored
from dsketch.sklearn.mixin import SharedCluster


class Smooth(SharedCluster, BaseEstimator):  # type: ignore[misc]  # scikit-learn publishes no types
    """A fit and predictions, in memory or where the rows are."""

    fit_intercept: bool
    memory_limit: Any
    coef_: Floats
    intercept_: Any

    def _solve(self, problem: SmoothProblem) -> Floats:
        """Return x, after keeping the solution."""
        names = ("method", "tol", "seed", "cluster", "journal", "memory_limit")
        solution: Solution = solve(problem, progress=False, **{name: getattr(self, name) for name in names})
        self._keep(solution)
        return solution.x

    def _x(self) -> Floats:
        """Return coefficients and intercept as dsketch has them, shape (d + 1,) or (d + 1, K)."""
        w = np.asarray(self.coef_).T
        return np.concatenate([w, np.broadcast_to(self.intercept_, (1, *w.shape[1:]))])

    def _predictors(self, X: Any, out: str | os.PathLike[str] | None = None) -> Any:
        """Return the linear predictor of each row of X."""
        rows = check_new_rows(self, X)
        if out is None and not is_stored(X):
            return rows @ np.asarray(self.coef_).T + self.intercept_
        return predict(self._x(), rows, out, intercept=True, progress=False, cluster=self.cluster, memory_limit=self.memory_limit)

    def _means(self, loss: Loss, X: Any, out: str | os.PathLike[str] | None, x: Floats) -> Any:
        """Return the mean of each row of X, for coefficients x of the loss's outputs with the intercept last."""
        rows = check_new_rows(self, X)
        if out is None and not is_stored(X):
            eta = rows @ x[:-1] + x[-1]
            means = loss.mean(eta)
            return means[:, 0] if means.shape[1] == 1 else means
        return predict_means(loss, x, rows, out, cluster=self._machines(), progress=False)


def total_weight(sample_weight: Any, rows: int) -> float:
    """Return Σ w, n without weights; stored ones are read once."""
    if sample_weight is None:
        return float(rows)
    matrix = open_matrix(sample_weight, what="sample_weight")
    cuts = matrix.cuts.tolist()
    return float(sum(matrix.read(low, high).sum(dtype=np.float64) for low, high in itertools.pairwise(cuts)))
