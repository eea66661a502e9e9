"""Elastic net and lasso whose penalty held-out rows choose, as scikit-learn estimators."""

import os
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from sklearn.model_selection import check_cv

from dsketch._linalg.arrays import Floats
from dsketch._results.solution import Solution
from dsketch.api import solve
from dsketch.errors import DataError, SpecError
from dsketch.problems import ElasticNetPath
from dsketch.problems.arguments import as_flag
from dsketch.sklearn.affine import Affine
from dsketch.sklearn.data import NUMBERS, check_training, is_stored

_FOLDS = 5  # of cv=None, as in scikit-learn


class _Training(NamedTuple):
    """X, y and weights as they were checked."""

    X: Any
    y: Any
    weights: Any


class _CrossValidated(Affine):
    """What both share: a path of penalties, errors on held-out rows, the model of the least mean error."""

    alphas: Any
    eps: float
    cv: Any
    alpha_: float
    alphas_: Floats
    mse_path_: Floats

    def _ratios(self) -> Any:
        raise NotImplementedError

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "_CrossValidated":
        """Fit the models of all penalties, and take the one with the least mean squared error on held-out rows.

        Parameters
        ----------
        X : array_like, sparse matrix, dask array, zarr.Array, path or URL, shape (n, d)
            May have fewer rows than columns.
        y : likewise, shape (n,)
        sample_weight : likewise, shape (n,), optional
            Only the ratios of weights count.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the data is not as it must be, or has fewer rows than folds.
        """
        as_flag("fit_intercept", self.fit_intercept)
        data = _Training(*check_training(self, X, y, sample_weight, dtype=NUMBERS, multi_output=False))
        folds = _folds_of(self.cv, data.X)
        problem = self._path(data, folds)
        solution = self._solve(problem)
        answer, length = solution.answer, problem.grid.length
        alphas = answer.alphas.reshape(-1, length)
        ratios = len(alphas)
        errors = answer.cross_validation.by_fold if folds else self._validate(data, alphas, answer.l1_ratios[::length])
        best = int(np.argmin(errors.mean(axis=0)))
        self.alpha_ = float(answer.alphas[best])
        self._note_ratio(float(answer.l1_ratios[best]))
        self.alphas_ = alphas[0] if ratios == 1 or not np.ptp(alphas, axis=0).any() else alphas
        path = errors.T.reshape(ratios, length, -1)
        self.mse_path_ = path[0] if ratios == 1 else path
        x = self._undo_shift(answer.x[:, [best]], solution.problem.rows.shift, True)
        self.coef_ = x[:-1] if self.fit_intercept else x
        self.intercept_ = x[-1] if self.fit_intercept else 0.0
        return self

    def _note_ratio(self, ratio: float) -> None:
        """Keep the chosen l1_ratio where there is a choice."""

    def _path(self, data: _Training, folds: int) -> ElasticNetPath:
        return ElasticNetPath(
            data.X, data.y, alphas=self.alphas, l1_ratio=self._ratios(), eps=self.eps, folds=folds, weights=data.weights,
            intercept=bool(self.fit_intercept),
        )  # fmt: skip

    def _solve(self, problem: ElasticNetPath) -> Solution:
        names = ("method", "tol", "seed", "cluster", "journal", "memory_limit", "replicas")
        solution = solve(problem, progress=False, **{name: getattr(self, name) for name in names})
        self._keep(solution)
        return solution

    def _validate(self, data: _Training, alphas: Floats, ratios: Floats) -> Floats:
        """Return the mean squared errors of all points on the held-out rows of each split, shape (splits, points)."""
        splits = list(check_cv(self.cv).split(data.X, data.y))
        return np.array([self._errors(data, alphas, ratios, train, test) for train, test in splits])

    def _errors(self, data: _Training, alphas: Floats, ratios: Floats, train: Any, test: Any) -> Floats:
        parts = [self._fit_rows(data, own, ratio, train) for own, ratio in zip(alphas.tolist(), ratios.tolist(), strict=True)]
        x = np.concatenate(parts, axis=1)
        found = data.X[test] @ (x[:-1] if self.fit_intercept else x) + (x[-1] if self.fit_intercept else 0.0)
        weights = None if data.weights is None else data.weights[test]
        return np.asarray(np.average((found - data.y[test][:, None]) ** 2, axis=0, weights=weights))

    def _fit_rows(self, data: _Training, alphas: list[float], ratio: float, rows: Any) -> Floats:
        """Return x of the points of one l1_ratio, fitted to some rows."""
        problem = ElasticNetPath(
            data.X[rows], data.y[rows], alphas=alphas, l1_ratio=ratio, folds=0,
            weights=None if data.weights is None else data.weights[rows], intercept=bool(self.fit_intercept),
        )  # fmt: skip
        names = ("method", "tol", "seed", "cluster", "memory_limit", "replicas")
        return np.asarray(solve(problem, progress=False, **{name: getattr(self, name) for name in names}).x)


def _folds_of(cv: Any, X: Any) -> int:
    """Return the number of folds; 0 where splits are given.

    Raises
    ------
    SpecError
        If there are splits for stored rows, or the number is none.
    DataError
        If there are fewer rows than folds.
    """
    cv = _FOLDS if cv is None else cv
    if not isinstance(cv, str | np.ndarray) and (hasattr(cv, "split") or isinstance(cv, Iterable)):
        if is_stored(X):
            raise SpecError("cv must be a number of folds where X is stored; got splits. Give a number, or X in memory.")
        return 0
    if isinstance(cv, bool) or not isinstance(cv, int | np.integer) or cv < 2:
        raise SpecError(f"cv must be a number of folds from 2 on, or give splits; got {cv!r}. Five is common.")
    if X.shape[0] < cv:
        raise DataError(
            f"at least as many rows as the {cv} folds of cv are needed; got n_samples = {X.shape[0]}. Give fewer folds."
        )
    return int(cv)


class ElasticNetCV(_CrossValidated):
    """Elastic net with alpha and l1_ratio by cross-validation: the whole path and all folds in two passes.

    Parameters
    ----------
    l1_ratio : float or list of float
        From 0 (ridge) to 1 (lasso); of several, held-out rows choose.
    eps : float
        The smallest alpha over the largest, where alphas are counted.
    alphas : int or array_like
        How many, from the least that makes all coefficients 0 down to ``eps`` times it, or the values.
    fit_intercept : bool
        Whether there is an intercept, which is not penalized.
    cv : int, splitter, iterable of (train, test), or None
        A number: so many folds, drawn by ``seed``, from the same two passes (None: 5).  Splits, for X in memory: as scikit-learn has them,
        fitted one by one.
    method, tol, seed, cluster, journal, memory_limit, replicas
        As in :class:`~dsketch.sklearn.LinearRegression`.

    Attributes
    ----------
    alpha_, l1_ratio_ : float
        The choice.
    coef_ : ndarray, shape (d,)
    intercept_ : float
    alphas_ : ndarray, shape (m,), or (number of l1_ratios, m)
    mse_path_ : ndarray, shape (m, folds), or (number of l1_ratios, m, folds)
        Mean squared errors on held-out rows.
    solution_ : Solution or None
        Of the path: a certificate with the duality gap of each point.
    n_features_in_, feature_names_in_
        As in :class:`~dsketch.sklearn.LinearRegression`.

    Notes
    -----
    scikit-learn's ElasticNetCV takes runs of rows as folds (``cv=KFold(5)`` says so here too); drawn ones do not suffer from an order in
    the rows.

    Examples
    --------
    >>> import numpy as np
    >>> from dsketch.sklearn import ElasticNetCV
    >>> X = np.random.default_rng(0).standard_normal((100, 3))
    >>> model = ElasticNetCV(l1_ratio=[0.5, 1.0], alphas=20).fit(X, X @ [2.0, 0.0, -1.0] + 1.0)
    >>> model.l1_ratio_, len(model.solution_.passes), model.mse_path_.shape
    (1.0, 2, (2, 20, 5))
    """

    l1_ratio_: float

    def __init__(
        self,
        *,
        l1_ratio: Any = 0.5,
        eps: float = 1e-3,
        alphas: Any = 100,
        fit_intercept: bool = True,
        cv: Any = None,
        method: str = "auto",
        tol: float | None = None,
        seed: int = 0,
        cluster: Any = None,
        journal: str | os.PathLike[str] | None = None,
        memory_limit: str | int | None = None,
        replicas: int = 1,
    ) -> None:
        self.l1_ratio = l1_ratio
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.cv = cv
        self.method = method
        self.tol = tol
        self.seed = seed
        self.cluster = cluster
        self.journal = journal
        self.memory_limit = memory_limit
        self.replicas = replicas

    def _ratios(self) -> Any:
        return self.l1_ratio

    def _note_ratio(self, ratio: float) -> None:
        self.l1_ratio_ = ratio


class LassoCV(_CrossValidated):
    """Lasso with alpha by cross-validation: the whole path and all folds in two passes.

    Parameters
    ----------
    eps, alphas, fit_intercept, cv, method, tol, seed, cluster, journal, memory_limit, replicas
        As in :class:`~dsketch.sklearn.ElasticNetCV`.

    Attributes
    ----------
    alpha_ : float
    coef_ : ndarray, shape (d,)
    intercept_ : float
    alphas_ : ndarray, shape (m,)
    mse_path_ : ndarray, shape (m, folds)
    solution_ : Solution or None
    n_features_in_, feature_names_in_
        As in :class:`~dsketch.sklearn.ElasticNetCV`.

    Examples
    --------
    >>> import numpy as np
    >>> from dsketch.sklearn import LassoCV
    >>> X = np.random.default_rng(0).standard_normal((100, 3))
    >>> model = LassoCV(alphas=[1.0, 0.1, 0.01]).fit(X, X @ [2.0, 0.0, -1.0] + 1.0)
    >>> model.alpha_, bool(model.coef_[1] == 0)
    (0.01, True)
    """

    def __init__(
        self,
        *,
        eps: float = 1e-3,
        alphas: Any = 100,
        fit_intercept: bool = True,
        cv: Any = None,
        method: str = "auto",
        tol: float | None = None,
        seed: int = 0,
        cluster: Any = None,
        journal: str | os.PathLike[str] | None = None,
        memory_limit: str | int | None = None,
        replicas: int = 1,
    ) -> None:
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.cv = cv
        self.method = method
        self.tol = tol
        self.seed = seed
        self.cluster = cluster
        self.journal = journal
        self.memory_limit = memory_limit
        self.replicas = replicas

    def _ratios(self) -> Any:
        return 1.0
