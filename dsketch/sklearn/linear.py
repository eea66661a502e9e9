"""Linear regression and ridge regression as scikit-learn estimators."""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import MultiOutputMixin

from dsketch._linalg.arrays import Floats
from dsketch._results.solution import factor_in
from dsketch.api import solve
from dsketch.problems import LeastSquares
from dsketch.problems import Ridge as RidgeProblem
from dsketch.problems.arguments import as_flag
from dsketch.problems.linear.full_answer import FullAnswer
from dsketch.problems.linear.problem import LinearProblem
from dsketch.problems.linear.ridge import require_alpha
from dsketch.problems.linear.statistics.observations import require_weight
from dsketch.sklearn.affine import Affine
from dsketch.sklearn.data import NUMBERS, check_training, is_stored
from dsketch.sklearn.minimum_norm import centred_singular_values, shorten_coefficients, solve_minimum_norm


class _Linear(MultiOutputMixin, Affine):  # type: ignore[misc]  # scikit-learn publishes no types
    """What both estimators share: fit by :func:`dsketch.solve`, rows fewer than columns in memory."""

    def _problem(self, X: Any, y: Any, weights: Any) -> LinearProblem:
        raise NotImplementedError

    def _penalty(self) -> float:
        return 0.0

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "_Linear":
        """Fit the model.

        Parameters
        ----------
        X : array_like, sparse matrix, dask array, zarr.Array, path or URL, shape (n, d)
            Stored data is read block by block and must have n ≥ d rows (d + 1 with an intercept).
        y : likewise, shape (n,) or (n, k)
        sample_weight : likewise, shape (n,), optional

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
        self._centre = None
        if not is_stored(X) and X.shape[0] < X.shape[1] + bool(self.fit_intercept):
            self.solution_ = None
            if weights is not None:
                require_weight(weights)
            found = solve_minimum_norm(X, y.reshape(len(y), -1), weights, self._penalty(), intercept=bool(self.fit_intercept))
            x = self._undo_shift(found.x, found.shift, y.ndim == 1)
            self._note_spectrum(lambda: (found.rank, found.singular))
        else:
            x = self._solve(self._problem(X, y, weights))
        self.coef_ = (x[:-1] if self.fit_intercept else x).T
        self.intercept_ = x[-1] if self.fit_intercept else 0.0
        return self

    def _solve(self, problem: LinearProblem) -> Floats:
        """Return x, after noting rank and singular values of (centred) X."""
        names = ("method", "tol", "sketch", "seed", "accuracy", "cluster", "journal", "memory_limit", "replicas")
        solution = solve(problem, progress=False, **{name: getattr(self, name) for name in names})
        self._keep(solution)
        rank = solution.certificate.rank
        if not problem.rows.intercept:
            self._note_spectrum(lambda: (rank, factor_in(solution).singular[0]))
            return solution.x
        self._note_spectrum(lambda: (rank - 1, centred_singular_values(factor_in(solution).R)))
        x = shorten_coefficients(solution.answer.x, solution.answer.factor)
        x = self._undo_shift(x, solution.problem.rows.shift, solution.x.ndim == 1)
        return solution.x if isinstance(solution.answer, FullAnswer) else x

    def _note_spectrum(self, found: Callable[[], tuple[int, Floats]]) -> None:
        """Keep the rank and singular values of X where the model has a use for them."""


class LinearRegression(_Linear):
    """Least squares, min ‖W^½ (X w + c − y)‖, certified, for rows that need not fit in memory.

    Parameters
    ----------
    fit_intercept : bool
        Whether there is a c.
    method, tol, sketch, seed, accuracy, cluster, journal, memory_limit, replicas
        As in :func:`dsketch.solve`.  A cluster is best given by its address where estimators travel to other
        processes.  A journal is for one fit, not for a search over parameters.

    Attributes
    ----------
    coef_ : ndarray, shape (d,) or (k, d)
    intercept_ : float or ndarray of shape (k,)
        0.0 without an intercept.
    rank_ : int
        Of X (centred, if there is an intercept), decided with columns scaled to norm one.
    singular_ : ndarray, shape (d,)
        Singular values of X (centred, likewise); of its sketch where ``solution_.certificate.is_exact`` is false.
    solution_ : Solution or None
        Certificate, passes, notes; it holds on to the data.  None if X had fewer rows than columns, and in a pickled estimator.
    n_features_in_, feature_names_in_
        As everywhere; names also of a Zarr array that ``dsketch ingest`` wrote.

    Notes
    -----
    Equal to scikit-learn's LinearRegression up to rounding times the condition number; where X is rank-deficient both take the
    shortest coefficients.  X in memory with fewer rows than columns is solved by a dense singular value decomposition.

    Examples
    --------
    >>> import numpy as np
    >>> from dsketch.sklearn import LinearRegression
    >>> X = np.array([[1.0, 1.0], [1.0, 2.0], [2.0, 2.0], [2.0, 3.0]])
    >>> model = LinearRegression().fit(X, X @ [1.0, 2.0] + 3.0)
    >>> model.coef_.round(10), round(float(model.intercept_), 10), model.predict([[3.0, 5.0]]).round(10)
    (array([1., 2.]), 3.0, array([16.]))
    """

    rank_: int
    singular_: Floats

    def __init__(
        self,
        *,
        fit_intercept: bool = True,
        method: str = "auto",
        tol: float | None = None,
        sketch: str = "sparse_sign",
        seed: int = 0,
        accuracy: str = "standard",
        cluster: Any = None,
        journal: str | os.PathLike[str] | None = None,
        memory_limit: str | int | None = None,
        replicas: int = 1,
    ) -> None:
        self.fit_intercept = fit_intercept
        self.method = method
        self.tol = tol
        self.sketch = sketch
        self.seed = seed
        self.accuracy = accuracy
        self.cluster = cluster
        self.journal = journal
        self.memory_limit = memory_limit
        self.replicas = replicas

    def _problem(self, X: Any, y: Any, weights: Any) -> LinearProblem:
        return LeastSquares(X, y, weights=weights, intercept=bool(self.fit_intercept))

    def _note_spectrum(self, found: Callable[[], tuple[int, Floats]]) -> None:
        self.rank_, self.singular_ = found()


class Ridge(_Linear):
    """Ridge regression, min ‖W^½ (X w + c − y)‖² + alpha ‖w‖², certified, for rows that need not fit in memory.

    Parameters
    ----------
    alpha : float or array_like, shape (k,)
        At least 0; scikit-learn's meaning, not divided by n.  Several are one for each column of y; rows fewer than columns take one.
    fit_intercept : bool
        Whether there is a c, which is not penalized.
    method, tol, sketch, seed, accuracy, cluster, journal, memory_limit, replicas
        As in :class:`LinearRegression`.

    Attributes
    ----------
    coef_ : ndarray, shape (d,) or (k, d)
    intercept_ : float or ndarray of shape (k,)
    solution_ : Solution or None
    n_features_in_, feature_names_in_
        As in :class:`LinearRegression`.

    Notes
    -----
    Equal to scikit-learn's Ridge up to rounding times the condition number, but that a y of one column keeps it in ``coef_`` and in
    predictions.

    Examples
    --------
    >>> import numpy as np
    >>> from dsketch.sklearn import Ridge
    >>> Ridge(alpha=1.0, fit_intercept=False).fit(np.eye(4)[:, :2], np.ones(4)).coef_
    array([0.5, 0.5])
    """

    def __init__(
        self,
        alpha: Any = 1.0,
        *,
        fit_intercept: bool = True,
        method: str = "auto",
        tol: float | None = None,
        sketch: str = "sparse_sign",
        seed: int = 0,
        accuracy: str = "standard",
        cluster: Any = None,
        journal: str | os.PathLike[str] | None = None,
        memory_limit: str | int | None = None,
        replicas: int = 1,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.method = method
        self.tol = tol
        self.sketch = sketch
        self.seed = seed
        self.accuracy = accuracy
        self.cluster = cluster
        self.journal = journal
        self.memory_limit = memory_limit
        self.replicas = replicas

    def _problem(self, X: Any, y: Any, weights: Any) -> LinearProblem:
        alpha: Any = self.alpha
        if np.ndim(alpha) == 1 and np.size(alpha) > 1:
            alpha = np.asarray(alpha)[None]  # one for each target, as in scikit-learn
        return RidgeProblem(X, y, alpha=alpha, weights=weights, intercept=bool(self.fit_intercept))

    def _penalty(self) -> float:
        return require_alpha(self.alpha)
