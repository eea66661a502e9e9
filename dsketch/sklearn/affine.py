"""What estimators that predict X w + c share: predictions and scores in one pass, with the digits of columns far from 0."""

import os
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from dsketch._results.predict import predict_centred
from dsketch.api import predict
from dsketch.matrix.centring import recentre_answer
from dsketch.matrix.masked import require_unmasked
from dsketch.matrix.open import open_matrix
from dsketch.matrix.rows import Rows
from dsketch.sklearn.centred import Centred
from dsketch.sklearn.data import NUMBERS, check_new_rows, check_targets, is_stored, read_targets, spread_weights
from dsketch.sklearn.mixin import SharedCluster
from dsketch.sklearn.scoring import r_squared


class Affine(Centred, SharedCluster, RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn publishes no types
    """Predict and score by ``coef_`` and ``intercept_``, in one pass each."""

    fit_intercept: bool
    memory_limit: Any
    replicas: int

    def predict(self, X: Any, out: str | os.PathLike[str] | None = None) -> Any:
        """Return X coef_ᵀ + intercept_.

        Parameters
        ----------
        X : array_like, sparse matrix, dask array, zarr.Array, path or URL, shape (m, d)
        out : path or URL, optional
            Where to write the predictions as a Zarr array, for rows that are too many for memory (see :func:`dsketch.predict`).

        Returns
        -------
        ndarray or zarr.Array, shape (m,) or (m, k)
        """
        check_is_fitted(self)
        rows, centre = check_new_rows(self, X, dtype=NUMBERS), self._valid_centre()
        if out is None and not is_stored(X) and centre is None:
            return rows @ np.asarray(self.coef_).T + self.intercept_
        if centre is not None:
            return predict_centred(centre, rows, out, cluster=self._machines(), progress=False)
        return predict(self._x(), rows, out, intercept=True, progress=False, cluster=self.cluster, memory_limit=self.memory_limit)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R² of the predictions for X, the mean over targets; one pass and no n-vector where X is stored.

        Parameters
        ----------
        X, y, sample_weight
            As in :meth:`fit`.
        """
        y = read_targets(y) if is_stored(y) and not is_stored(X) else y
        if not is_stored(X):
            require_unmasked(y, "y")
            require_unmasked(sample_weight, "sample_weight")
        if not is_stored(X) and np.ptp(check_targets(y), axis=0).all():
            return float(super().score(X, y, sample_weight))
        check_is_fitted(self)  # a target that does not vary is met or not, to rounding; scikit-learn's ratio would be noise
        A, rows, x = open_matrix(check_new_rows(self, X), what="X"), None, self._x()
        weights = None if sample_weight is None else spread_weights(sample_weight, A.shape[0])
        if (centre := self._valid_centre()) is not None:
            x, shift = recentre_answer(centre.x.reshape(len(x), -1), centre.shift, A.dtype)
            rows = Rows(A, intercept=True, shift=shift)
        return r_squared(rows or Rows(A, intercept=True), check_targets(y), weights, x, self._machines())
