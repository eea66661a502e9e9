"""Elastic net and lasso as scikit-learn estimators."""

import os
from typing import Any

from sklearn.base import MultiOutputMixin

from dsketch._linalg.arrays import Floats
from dsketch.api import solve
from dsketch.problems import ElasticNet as ElasticNetProblem
from dsketch.problems.arguments import as_flag
from dsketch.sklearn.affine import Affine
from dsketch.sklearn.data import NUMBERS, check_training


class _Penalized(MultiOutputMixin, Affine):  # type: ignore[misc]  # scikit-learn publishes no types
    """What both share: min ‖W^½ (X w + c − y)‖²/(2 Σ weights) + alpha (l1_ratio ‖w‖₁ + (1 − l1_ratio) ‖w‖²/2)."""

    alpha: float

    def _ratio(self) -> float:
        raise NotImplementedError

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "_Penalized":
        """Fit the model.

        Parameters
        ----------
        X : array_like, sparse matrix, dask array, zarr.Array, path or URL, shape (n, d)
            May have fewer rows than columns.
        y : likewise, shape (n,) or (n, k)
            Each column is a model of its own.
        sample_weight : likewise, shape (n,), optional
            Only the ratios of weights count.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the data is not as it must be (dsketch's own errors are ValueErrors too).
        """
        as_flag("fit_intercept", self.fit_intercept)
        X, y, weights = check_training(self, X, y, sample_weight, dtype=NUMBERS)
        problem = ElasticNetProblem(
            X, y, alpha=self.alpha, l1_ratio=self._ratio(), weights=weights, intercept=bool(self.fit_intercept)
        )
        x = self._solve(problem)
        self.coef_ = (x[:-1] if self.fit_intercept else x).T
        self.intercept_ = x[-1] if self.fit_intercept else 0.0
        return self

    def _solve(self, problem: ElasticNetProblem) -> Floats:
        """Return x, after keeping the solution."""
        names = ("method", "tol", "seed", "cluster", "journal", "memory_limit", "replicas")
        solution = solve(problem, progress=False, **{name: getattr(self, name) for name in names})
        self._keep(solution)
        return self._undo_shift(solution.answer.x, solution.problem.rows.shift, solution.x.ndim == 1)


class ElasticNet(_Penalized):
    """Elastic net, min ‖W^½ (X w + c − y)‖²/(2 Σ weights) + alpha (l1_ratio ‖w‖₁ + (1 − l1_ratio) ‖w‖²/2), certified, in two passes.

    Parameters
    ----------
    alpha : float
        At least 0; scikit-learn's meaning.
    l1_ratio : float
        From 0 (ridge) to 1 (lasso).
    fit_intercept : bool
        Whether there is a c, which is not penalized.
    method, tol, seed, cluster, journal, memory_limit, replicas
        As in :class:`~dsketch.sklearn.LinearRegression`.

    Attributes
    ----------
    coef_ : ndarray, shape (d,) or (k, d)
        Those that are 0 are 0 exactly.
    intercept_ : float or ndarray of shape (k,)
    solution_ : Solution or None
        Certificate with the duality gap, passes, notes.
    n_features_in_, feature_names_in_
        As in :class:`~dsketch.sklearn.LinearRegression`.

    Notes
    -----
    The minimizer of scikit-learn's ElasticNet, which stops at a duality gap of ``tol`` ‖y‖²; this one goes on to rounding.  Columns are
    not standardized, as there.

    Examples
    --------
    >>> import numpy as np
    >>> from dsketch.sklearn import ElasticNet
    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, -1.0]])
    >>> ElasticNet(alpha=0.1, l1_ratio=1.0, fit_intercept=False).fit(X, [3.0, 0.1, 3.0, 3.0]).coef_.round(4)
    array([2.8667, 0.    ])
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        l1_ratio: float = 0.5,
        fit_intercept: bool = True,
        method: str = "auto",
        tol: float | None = None,
        seed: int = 0,
        cluster: Any = None,
        journal: str | os.PathLike[str] | None = None,
        memory_limit: str | int | None = None,
        replicas: int = 1,
    ) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.method = method
        self.tol = tol
        self.seed = seed
        self.cluster = cluster
        self.journal = journal
        self.memory_limit = memory_limit
        self.replicas = replicas

    def _ratio(self) -> float:
        return self.l1_ratio


class Lasso(_Penalized):
    """Lasso, min ‖W^½ (X w + c − y)‖²/(2 Σ weights) + alpha ‖w‖₁, certified, in two passes: an elastic net of ``l1_ratio`` 1.

    Parameters
    ----------
    alpha : float
        At least 0; scikit-learn's meaning.
    fit_intercept : bool
        Whether there is a c, which is not penalized.
    method, tol, seed, cluster, journal, memory_limit, replicas
        As in :class:`~dsketch.sklearn.LinearRegression`.

    Attributes
    ----------
    coef_ : ndarray, shape (d,) or (k, d)
    intercept_ : float or ndarray of shape (k,)
    solution_ : Solution or None
    n_features_in_, feature_names_in_
        As in :class:`~dsketch.sklearn.ElasticNet`.

    Examples
    --------
    >>> import numpy as np
    >>> from dsketch.sklearn import Lasso
    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, -1.0]])
    >>> Lasso(alpha=0.1, fit_intercept=False).fit(X, [3.0, 0.1, 3.0, 3.0]).coef_.round(4)
    array([2.8667, 0.    ])
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        fit_intercept: bool = True,
        method: str = "auto",
        tol: float | None = None,
        seed: int = 0,
        cluster: Any = None,
        journal: str | os.PathLike[str] | None = None,
        memory_limit: str | int | None = None,
        replicas: int = 1,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.method = method
        self.tol = tol
        self.seed = seed
        self.cluster = cluster
        self.journal = journal
        self.memory_limit = memory_limit
        self.replicas = replicas

    def _ratio(self) -> float:
        return 1.0
