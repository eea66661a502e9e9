"""Poisson, gamma and Tweedie regression as scikit-learn regressors."""

import os
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import d2_tweedie_score
from sklearn.utils.validation import check_is_fitted

from dsketch.errors import SpecError
from dsketch.losses.base import Loss
from dsketch.losses.table import loss_of
from dsketch.matrix.base import Matrix
from dsketch.matrix.centring import recentre_answer
from dsketch.problems import GLM
from dsketch.problems.arguments import as_flag, as_penalty
from dsketch.sklearn.data import check_new_rows, check_targets, check_training, is_stored, read_targets, spread_weights
from dsketch.sklearn.scoring import deviance_explained
from dsketch.sklearn.smooth import Smooth, total_weight


class _Regressor(RegressorMixin, Smooth):  # type: ignore[misc]  # scikit-learn publishes no types
    """What the three share: min Σ w d(y, μ)/(2 Σ w) + ½ alpha ‖w‖², d the unit deviance, μ the mean at Xw + c."""

    def __init__(
        self,
        *,
        alpha: float = 1.0,
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

    def _family(self) -> tuple[str, dict[str, Any]]:
        raise NotImplementedError

    def _power(self) -> float:
        """Return the power of the mean that the variance is."""
        raise NotImplementedError

    def _loss(self) -> Loss:
        family, parameters = self._family()
        return loss_of(family, None, **parameters)

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "_Regressor":
        """Fit the model.

        Parameters
        ----------
        X : array_like, sparse matrix, dask array, zarr.Array, path or URL, shape (n, d)
        y : likewise, shape (n,)
            In the domain of the family.
        sample_weight : likewise, shape (n,), optional

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the data is not as it must be: a y outside the domain by its row.
        """
        as_flag("fit_intercept", self.fit_intercept)
        alpha = as_penalty(self.alpha, "Use 0 for no penalty.")
        family, parameters = self._family()
        X, y, weights = check_training(self, X, y, sample_weight, multi_output=False)
        penalty = alpha * total_weight(weights, X.shape[0])
        problem = GLM(X, y, family=family, weights=weights, alpha=penalty, intercept=bool(self.fit_intercept), **parameters)
        x = self._undo_shift(*self._solve(problem), is_vector=True)
        self.coef_ = x[:-1] if self.fit_intercept else x
        self.intercept_ = float(x[-1]) if self.fit_intercept else 0.0
        return self

    def predict(self, X: Any, out: str | os.PathLike[str] | None = None) -> Any:
        """Return the mean μ of each row.

        Parameters
        ----------
        X : array_like, sparse matrix, dask array, zarr.Array, path or URL, shape (m, d)
        out : path or URL, optional
            Where to write the predictions as a Zarr array, for rows that are too many for memory.

        Returns
        -------
        ndarray or zarr.Array, shape (m,)
        """
        check_is_fitted(self)
        x, shift = self._centred_x()
        return self._means(self._loss(), X, out, x[:, None], shift)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return D², the share of the deviance that is explained: 1 is the best, 0 what the mean of y does.

        One pass over X and one over y, and no vector of n predictions, where X is stored.

        Parameters
        ----------
        X, y, sample_weight
            As in :meth:`fit`.
        """
        check_is_fitted(self)
        if is_stored(X):
            return self._score_stored(check_new_rows(self, X), y, sample_weight)
        y = read_targets(y) if is_stored(y) else y
        weights = read_targets(sample_weight) if is_stored(sample_weight) else sample_weight
        found: float = d2_tweedie_score(y, np.asarray(self.predict(X)), sample_weight=weights, power=self._power())
        return found

    def _score_stored(self, A: Matrix, y: Any, sample_weight: Any) -> float:
        family, parameters = self._family()
        weights = None if sample_weight is None else spread_weights(sample_weight, A.shape[0])
        problem = GLM(A, check_targets(y), family=family, weights=weights, intercept=True, **parameters)
        x, shift = self._centred_x()
        x = x[:, None]
        if shift is not None:
            x, shift = recentre_answer(x, shift, A.dtype)
        return deviance_explained(problem.model.within(replace(problem.rows, shift=shift)), x, self._machines())


class PoissonRegressor(_Regressor):
    """Poisson regression with a log link, certified, for rows that need not fit in memory.

    Parameters
    ----------
    alpha : float
        Penalty ½ alpha ‖w‖² beside the mean of half the deviance: scikit-learn's meaning.
    fit_intercept : bool
        Whether there is a c, which is not penalized.
    method, tol, seed, cluster, journal, memory_limit, replicas
        As in :class:`~dsketch.sklearn.LinearRegression`.

    Attributes
    ----------
    coef_ : ndarray, shape (d,)
    intercept_ : float
    solution_ : Solution or None
        Certificate with the proven distance from the minimizer in standard errors, passes, notes.
    n_features_in_, feature_names_in_
        As in :class:`~dsketch.sklearn.LinearRegression`.

    Examples
    --------
    >>> import numpy as np
    >>> from dsketch.sklearn import PoissonRegressor
    >>> X = np.array([[0.0], [1.0], [2.0]])
    >>> PoissonRegressor(alpha=0).fit(X, [1.0, 2.0, 4.0]).predict([[3.0]]).round(9)
    array([8.])
    """

    def _family(self) -> tuple[str, dict[str, Any]]:
        return "poisson", {}

    def _power(self) -> float:
        return 1.0

    def __sklearn_tags__(self) -> Any:
        """Say that y is no less than 0."""
        return _positive(super().__sklearn_tags__())


class GammaRegressor(_Regressor):
    """Gamma regression with a log link, certified, for rows that need not fit in memory.

    Parameters
    ----------
    alpha : float
        Penalty ½ alpha ‖w‖² beside the mean of half the deviance: scikit-learn's meaning.
    fit_intercept : bool
        Whether there is a c, which is not penalized.
    method, tol, seed, cluster, journal, memory_limit, replicas
        As in :class:`~dsketch.sklearn.LinearRegression`.

    Attributes
    ----------
    coef_ : ndarray, shape (d,)
    intercept_ : float
    solution_ : Solution or None
        Certificate with the proven distance from the minimizer in standard errors, passes, notes.
    n_features_in_, feature_names_in_
        As in :class:`~dsketch.sklearn.LinearRegression`.

    Examples
    --------
    >>> import numpy as np
    >>> from dsketch.sklearn import GammaRegressor
    >>> X = np.array([[0.0], [1.0], [2.0]])
    >>> GammaRegressor(alpha=0).fit(X, [1.0, 2.0, 4.0]).predict([[3.0]]).round(9)
    array([8.])
    """

    def _family(self) -> tuple[str, dict[str, Any]]:
        return "gamma", {}

    def _power(self) -> float:
        return 2.0

    def __sklearn_tags__(self) -> Any:
        """Say that y is above 0."""
        return _positive(super().__sklearn_tags__())


class TweedieRegressor(_Regressor):
    """Tweedie regression, the variance a power of the mean, certified, for rows that need not fit in memory.

    ``power`` 0 is least squares (identity link), 1 Poisson, 2 gamma, 3 inverse Gaussian, between 1 and 2 sums of gammas with a mass
    at 0; all but the first with a log link.

    Parameters
    ----------
    power : float
        0, or at least 1.
    alpha : float
        Penalty ½ alpha ‖w‖² beside the mean of half the deviance: scikit-learn's meaning.
    fit_intercept : bool
        Whether there is a c, which is not penalized.
    method, tol, seed, cluster, journal, memory_limit, replicas
        As in :class:`~dsketch.sklearn.LinearRegression`.

    Attributes
    ----------
    coef_ : ndarray, shape (d,)
    intercept_ : float
    solution_ : Solution or None
        Certificate with the proven distance from the minimizer in standard errors, passes, notes.
    n_features_in_, feature_names_in_
        As in :class:`~dsketch.sklearn.LinearRegression`.

    Examples
    --------
    >>> import numpy as np
    >>> from dsketch.sklearn import TweedieRegressor
    >>> X = np.array([[0.0], [1.0], [2.0]])
    >>> TweedieRegressor(power=1.5, alpha=0).fit(X, [1.0, 2.0, 4.0]).predict([[3.0]]).round(9)
    array([8.])
    """

    def __init__(
        self,
        *,
        power: float = 0.0,
        alpha: float = 1.0,
        fit_intercept: bool = True,
        method: str = "auto",
        tol: float | None = None,
        seed: int = 0,
        cluster: Any = None,
        journal: str | os.PathLike[str] | None = None,
        memory_limit: str | int | None = None,
        replicas: int = 1,
    ) -> None:
        super().__init__(
            alpha=alpha,
            fit_intercept=fit_intercept,
            method=method,
            tol=tol,
            seed=seed,
            cluster=cluster,
            journal=journal,
            memory_limit=memory_limit,
            replicas=replicas,
        )
        self.power = power

    def _family(self) -> tuple[str, dict[str, Any]]:
        if self.power == 0:
            return "gaussian", {}
        if not self.power >= 1:
            raise SpecError(f"power must be 0, or at least 1; got {self.power!r}. No distribution has another.")
        return "tweedie", {"power": float(self.power)}

    def _power(self) -> float:
        return float(self.power)

    def __sklearn_tags__(self) -> Any:
        """Say that y is positive where the power asks for it."""
        tags = super().__sklearn_tags__()
        return _positive(tags) if self.power else tags


def _positive(tags: Any) -> Any:
    tags.target_tags.positive_only = True
    return tags
