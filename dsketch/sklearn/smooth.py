"""What estimators of generalised linear models share: a fit by :func:`dsketch.solve`, and predictions of the mean."""

import itertools
import os
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from dsketch._linalg.arrays import Floats
from dsketch._results.predict import predict_centred, predict_means
from dsketch._results.solution import Solution
from dsketch.api import predict, solve
from dsketch.losses.base import Loss
from dsketch.matrix.base import AnyArray
from dsketch.matrix.open import open_matrix
from dsketch.problems.smooth.problem import SmoothProblem
from dsketch.sklearn.centred import Centred
from dsketch.sklearn.data import NUMBERS, check_new_rows, is_stored
from dsketch.sklearn.mixin import SharedCluster


class Smooth(Centred, SharedCluster, BaseEstimator):  # type: ignore[misc]  # scikit-learn publishes no types
    """A fit and predictions, in memory or where the rows are."""

    fit_intercept: bool
    memory_limit: Any
    replicas: int

    def _solve(self, problem: SmoothProblem) -> tuple[Floats, AnyArray | None]:
        """Return x for shifted columns, shape (d + 1, outputs), and their shift, after keeping the solution."""
        names = ("method", "tol", "seed", "cluster", "journal", "memory_limit", "replicas")
        solution: Solution = solve(problem, progress=False, **{name: getattr(self, name) for name in names})
        self._keep(solution)
        return problem.told_for_shifted(solution.answer), solution.problem.rows.shift

    def _centred_x(self) -> tuple[Floats, AnyArray | None]:
        """Return coefficients and intercept, of shape (d + 1,) or (d + 1, K), that predict X less the shift, which may be none."""
        centre = self._valid_centre()
        return (self._x(), None) if centre is None else (centre.x, centre.shift)

    def _predictors(self, X: Any, out: str | os.PathLike[str] | None = None) -> Any:
        """Return the linear predictor of each row of X."""
        if (centre := self._valid_centre()) is not None:
            rows = check_new_rows(self, X, dtype=NUMBERS)
            return predict_centred(centre, rows, out, cluster=self._machines(), progress=False)
        rows = check_new_rows(self, X)
        if out is None and not is_stored(X):
            return rows @ np.asarray(self.coef_).T + self.intercept_
        return predict(self._x(), rows, out, intercept=True, progress=False, cluster=self.cluster, memory_limit=self.memory_limit)

    def _means(self, loss: Loss, X: Any, out: str | os.PathLike[str] | None, x: Floats, shift: AnyArray | None) -> Any:
        """Return the mean of each row of X, for coefficients x of the loss's outputs with the intercept last, of shifted columns."""
        rows = check_new_rows(self, X) if shift is None else check_new_rows(self, X, dtype=NUMBERS)
        if out is None and not is_stored(X) and shift is None:
            eta = rows @ x[:-1] + x[-1]
            means = loss.mean(eta)
            return means[:, 0] if means.shape[1] == 1 else means
        return predict_means(loss, x, rows, out, shift=shift, cluster=self._machines(), progress=False)


def total_weight(sample_weight: Any, rows: int) -> float:
    """Return Σ w, n without weights; stored ones are read once."""
    if sample_weight is None:
        return float(rows)
    matrix = open_matrix(sample_weight, what="sample_weight")
    cuts = matrix.cuts.tolist()
    return float(sum(matrix.read(low, high).sum(dtype=np.float64) for low, high in itertools.pairwise(cuts)))
