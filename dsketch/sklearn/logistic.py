"""Logistic regression, binary or of several classes, as a scikit-learn classifier."""

import os
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.validation import check_is_fitted

from dsketch._linalg.arrays import Floats
from dsketch.errors import SpecError
from dsketch.losses.binomial import Logit
from dsketch.losses.softmax import Softmax
from dsketch.problems import GLM, Multinomial
from dsketch.problems.arguments import as_flag
from dsketch.sklearn.data import is_stored, read_targets
from dsketch.sklearn.labels import check_labels, read_labels
from dsketch.sklearn.smooth import Smooth


class LogisticRegression(ClassifierMixin, Smooth):  # type: ignore[misc]  # scikit-learn publishes no types
    """Logistic regression, min C Σ w φ(Xw + c; y) + ½ ‖w‖², certified, for rows that need not fit in memory.

    Parameters
    ----------
    C : float
        Inverse of the penalty, above 0; ``np.inf`` for none, where a warning tells of classes that can be separated.
    fit_intercept : bool
        Whether there is a c, which is not penalized.
    class_weight : dict, "balanced" or None
        What the rows of a class weigh, as in scikit-learn; balanced classes weigh the same, sample weights counted (its newer meaning).
    method, tol, seed, cluster, journal, memory_limit, replicas
        As in :class:`~dsketch.sklearn.LinearRegression`.

    Attributes
    ----------
    classes_ : ndarray, shape (K,)
        The labels, sorted; of any type.
    coef_ : ndarray, shape (1, d), or (K, d) for K > 2 classes
    intercept_ : ndarray, shape (1,), or (K,)
    solution_ : Solution or None
        Certificate with the proven distance from the minimizer in standard errors, passes, notes.
    n_features_in_, feature_names_in_
        As in :class:`~dsketch.sklearn.LinearRegression`.

    Notes
    -----
    Equal to scikit-learn's LogisticRegression with an L2 penalty, also for several classes (multinomial, coefficients that add up to 0).
    Labels that are stored are numbers; what is not 0, …, K − 1 is counted off once, to a byte or two a row in memory.

    Examples
    --------
    >>> import numpy as np
    >>> from dsketch.sklearn import LogisticRegression
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> LogisticRegression().fit(X, ["no", "yes", "no", "yes"]).predict([[5.0], [-5.0]])
    array(['yes', 'no'], dtype='<U3')
    """

    classes_: NDArray[Any]

    def __init__(
        self,
        C: float = 1.0,
        *,
        fit_intercept: bool = True,
        class_weight: Mapping[Any, float] | str | None = None,
        method: str = "auto",
        tol: float | None = None,
        seed: int = 0,
        cluster: Any = None,
        journal: str | os.PathLike[str] | None = None,
        memory_limit: str | int | None = None,
        replicas: int = 1,
    ) -> None:
        self.C = C
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.method = method
        self.tol = tol
        self.seed = seed
        self.cluster = cluster
        self.journal = journal
        self.memory_limit = memory_limit
        self.replicas = replicas

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "LogisticRegression":
        """Fit the model.

        Parameters
        ----------
        X : array_like, sparse matrix, dask array, zarr.Array, path or URL, shape (n, d)
        y : likewise, shape (n,)
            Labels of any type; those that are stored are numbers.
        sample_weight : likewise, shape (n,), optional

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the data is not as it must be, or has one class only.
        """
        as_flag("fit_intercept", self.fit_intercept)
        alpha = _penalty_of(self.C)
        X, self.classes_, labels, weights = check_labels(self, X, y, sample_weight)
        weights = self._weigh_classes(labels, weights)
        options = {"weights": weights, "alpha": alpha, "intercept": bool(self.fit_intercept)}
        if len(self.classes_) == 2:
            x, shift = self._solve(GLM(X, labels, family="binomial", **options))
        else:
            x, shift = self._solve(Multinomial(X, labels, classes=len(self.classes_), **options))
            x = np.concatenate([np.zeros((len(x), 1)), x], axis=1)
            x = x - x.mean(axis=1, keepdims=True)
        x = self._undo_shift(x, shift, is_vector=False)
        self.coef_ = (x[:-1] if self.fit_intercept else x).T
        self.intercept_ = x[-1] if self.fit_intercept else np.zeros(x.shape[1])
        return self

    def _weigh_classes(self, labels: Any, weights: Any) -> Any:
        """Return weights with those of the classes in them."""
        if self.class_weight is None:
            return weights
        places = (labels if isinstance(labels, np.ndarray) else read_labels(labels)).astype(np.int64)
        own = np.ones(len(places)) if weights is None else weights if isinstance(weights, np.ndarray) else read_targets(weights)
        if isinstance(self.class_weight, str) and self.class_weight == "balanced":
            heavy = np.bincount(places, own, len(self.classes_))
            each = heavy.sum() / (len(heavy) * np.maximum(heavy, np.finfo(float).tiny))
        else:
            each = compute_class_weight(self.class_weight, classes=self.classes_, y=self.classes_[places])
        return each[places] * own

    def decision_function(self, X: Any) -> Any:
        """Return X w + c, shape (m,), or (m, K) for K > 2 classes: above 0, or the largest, is the class."""
        check_is_fitted(self)
        found = np.asarray(self._predictors(X))
        return found[:, 0] if found.ndim == 2 and found.shape[1] == 1 else found

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the likeliest class of each row."""
        scores = self.decision_function(X)
        places = (scores > 0).astype(np.int64) if scores.ndim == 1 else scores.argmax(axis=1)
        return np.asarray(self.classes_[places])

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of rows, by weight, whose class is predicted rightly.

        Parameters
        ----------
        X, y, sample_weight
            As in :meth:`fit`.
        """
        y = read_labels(y) if is_stored(y) else y
        weights = read_targets(sample_weight) if is_stored(sample_weight) else sample_weight
        return float(super().score(X, y, weights))

    def predict_proba(self, X: Any, out: str | os.PathLike[str] | None = None) -> Any:
        """Return the probabilities of the classes, shape (m, K); of stored rows with ``out`` as Zarr, for two classes those of the second.

        Parameters
        ----------
        X : array_like, sparse matrix, dask array, zarr.Array, path or URL, shape (m, d)
        out : path or URL, optional
        """
        check_is_fitted(self)
        x, shift = self._centred_x()
        if len(self.classes_) == 2:
            second = self._means(Logit(), X, out, x, shift)
            return second if out is not None else np.column_stack([1.0 - second, second])
        return self._means(Softmax(len(self.classes_)), X, out, x[:, 1:] - x[:, :1], shift)

    def predict_log_proba(self, X: Any) -> Floats:
        """Return the logarithms of the probabilities, shape (m, K)."""
        scores = self.decision_function(X)
        if scores.ndim == 1:
            return np.column_stack([-np.logaddexp(0.0, scores), -np.logaddexp(0.0, -scores)])
        return np.asarray(scores - np.logaddexp.reduce(scores, axis=1, keepdims=True))


def _penalty_of(C: Any) -> float:
    """Return alpha = 1/C.

    Raises
    ------
    SpecError
        If C is no number above 0.
    """
    if not isinstance(C, Real) or isinstance(C, bool) or not float(C) > 0:
        raise SpecError(f"C must be a number above 0; got {C!r}. Use np.inf for no penalty.")
    return 1.0 / float(C)
