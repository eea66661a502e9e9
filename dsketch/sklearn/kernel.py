"""Kernel ridge regression with the attention kernel as a scikit-learn estimator."""

import os
from typing import Any

from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted

from dsketch._linalg.arrays import Floats
from dsketch._results.predict import predict_by
from dsketch._results.solution import Solution
from dsketch.api import solve
from dsketch.errors import SpecError
from dsketch.matrix.masked import require_unmasked
from dsketch.matrix.open import open_matrix
from dsketch.matrix.rows import Rows
from dsketch.problems import ExpKernel
from dsketch.sklearn.data import check_new_rows, check_training, is_stored, read_targets
from dsketch.sklearn.mixin import SharedCluster
from dsketch.sklearn.scoring import mean_square


class KernelRidge(SharedCluster, MultiOutputMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Kernel ridge regression, (K + alpha I) x = y with K_ij = exp(scale ⟨x_i, x_j⟩), K never formed.

    Parameters
    ----------
    alpha : float
        The ridge, above 0; scikit-learn's meaning.
    kernel : {"exp"}
    scale : float, optional
        None: 1 / mean squared length of the rows (one more light pass), so that the unit of X does not matter.
    method, tol, features, rank, seed, cluster, journal, memory_limit, replicas
        As in :func:`dsketch.solve` for :class:`~dsketch.problems.kernel.problem.ExpKernel`.  A cluster is best given by its address where
        estimators travel to other processes.  A journal is for one fit.

    Attributes
    ----------
    dual_coef_ : ndarray, shape (n,) or (n, k)
    X_fit_ : ndarray, csr_array or Matrix, shape (n, d)
        The rows of fit, which predictions read again; a stored matrix stays where it is.
    scale_ : float
    solution_ : Solution or None
        Certificate, iterations, notes; None in an estimator that was pickled.
    n_features_in_, feature_names_in_
        As everywhere.

    Notes
    -----
    There is no intercept and there are no weights, as the kernel holds a constant already (its Taylor series begins with 1).

    Examples
    --------
    >>> import numpy as np
    >>> from dsketch.sklearn import KernelRidge
    >>> X = np.linspace(-1, 1, 50)[:, None]
    >>> model = KernelRidge(alpha=1e-6, scale=1.0).fit(X, X[:, 0] ** 3)
    >>> model.predict([[0.5]]).round(3)
    array([0.125])
    """

    dual_coef_: Floats
    X_fit_: Any
    scale_: float
    solution_: Solution | None

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        kernel: str = "exp",
        scale: float | None = None,
        method: str = "auto",
        tol: float | None = None,
        features: str = "auto",
        rank: int | None = None,
        seed: int = 0,
        cluster: Any = None,
        journal: str | os.PathLike[str] | None = None,
        memory_limit: str | int | None = None,
        replicas: int = 1,
    ) -> None:
        self.alpha = alpha
        self.kernel = kernel
        self.scale = scale
        self.method = method
        self.tol = tol
        self.features = features
        self.rank = rank
        self.seed = seed
        self.cluster = cluster
        self.journal = journal
        self.memory_limit = memory_limit
        self.replicas = replicas

    def fit(self, X: Any, y: Any) -> "KernelRidge":
        """Fit the model.

        Parameters
        ----------
        X : array_like, sparse matrix, dask array, zarr.Array, path or URL, shape (n, d)
        y : likewise, shape (n,) or (n, k)

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the data is not as it must be, or a row is so long that its exponential overflows.
        """
        if self.kernel != "exp":
            raise SpecError(f"kernel must be 'exp'; got {self.kernel!r}. Use sklearn.kernel_ridge.KernelRidge for others.")
        self.X_fit_, y, _ = check_training(self, X, y, None)
        self.scale_ = self._scale() if self.scale is None else self.scale
        names = ("method", "tol", "features", "rank", "seed", "cluster", "journal", "memory_limit", "replicas")
        solution = solve(self._problem(y), progress=False, **{name: getattr(self, name) for name in names})
        self._keep(solution)
        self.dual_coef_ = solution.x
        return self

    def _scale(self) -> float:
        return 1.0 / (mean_square(Rows(open_matrix(self.X_fit_)), self._machines()) or 1.0)

    def _problem(self, y: Any) -> ExpKernel:
        return ExpKernel(self.X_fit_, y, alpha=self.alpha, scale=self.scale_)

    def predict(self, X: Any, out: str | os.PathLike[str] | None = None) -> Any:
        """Return exp(scale X X_fit_ᵀ) dual_coef_, by one sweep over the rows of fit for each block of X.

        Parameters
        ----------
        X : array_like, sparse matrix, dask array, zarr.Array, path or URL, shape (m, d)
        out : path or URL, optional
            Where to write the predictions as a Zarr array (see :func:`dsketch.predict`).

        Returns
        -------
        ndarray or zarr.Array, shape (m,) or (m, k)
        """
        check_is_fitted(self)
        problem = self._problem(self.dual_coef_)  # predictions look at x and not at y, which is gone
        return predict_by(problem, self.dual_coef_, check_new_rows(self, X), out, cluster=self._machines(), progress=False)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R² of the predictions for X, the mean over targets.

        Parameters
        ----------
        X, y
            As in :meth:`fit`.
        sample_weight : likewise, shape (m,), optional
        """
        require_unmasked(y, "y")
        require_unmasked(sample_weight, "sample_weight")
        weights = read_targets(sample_weight) if is_stored(sample_weight) else sample_weight
        return float(r2_score(read_targets(y) if is_stored(y) else y, self.predict(X), sample_weight=weights))
