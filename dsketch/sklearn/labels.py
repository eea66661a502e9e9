"""Labels of any type as numbers 0 … K − 1, wherever they are: what a classifier makes of y before it solves."""

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from dsketch.errors import DataError
from dsketch.losses.domain import refuse_rows
from dsketch.matrix.base import Matrix
from dsketch.matrix.masked import require_unmasked
from dsketch.matrix.open import open_matrix
from dsketch.sklearn.data import check_training, is_stored

_MOST_CLASSES = 10_000  # of stored labels; more are no labels


def check_labels(estimator: Any, X: Any, y: Any, sample_weight: Any) -> tuple[Any, NDArray[Any], Any, Any]:
    """Return X, the labels that there are, sorted, the place of each row's among them, and the weights.

    Raises
    ------
    ValueError
        As scikit-learn words it for arrays in memory; a :class:`~dsketch.errors.DataError` for stored data, and for a single class.
    """
    if is_stored(y) and is_stored(X):
        classes, places = _count_off(open_matrix(y, what="y"))
        X, places, weights = check_training(estimator, X, places, sample_weight)
    elif is_stored(X):
        require_unmasked(y, "y")
        classes, places = _number(column_or_1d(y, warn=True))
        X, places, weights = check_training(estimator, X, places, sample_weight)
    else:
        y = read_labels(y) if is_stored(y) else y
        X, y, weights = check_training(estimator, X, y, sample_weight, y_numeric=False, multi_output=False)
        classes, places = _number(y)
    _require_classes(classes, places, weights)
    return X, classes, places, weights


def read_labels(y: Any) -> NDArray[Any]:
    """Return stored labels as an array of their own type, shape (n,).

    Raises
    ------
    DataError
        If they are not one a row.
    """
    matrix = open_matrix(y, what="y")
    _require_vector(matrix)
    return np.asarray(matrix.read(0, matrix.shape[0])[:, 0])


def _number(y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Return the labels of an array, sorted, and the place of each row's."""
    check_classification_targets(y)
    classes, places = np.unique(y, return_inverse=True)
    return classes, places.astype(np.float64)


def _count_off(y: Matrix) -> tuple[NDArray[Any], Any]:
    """Return the labels of stored rows, sorted, and what holds their places: y itself where they are 0, …, K − 1.

    Raises
    ------
    DataError
        If there are too many, one is no number, or they are not one a row.
    """
    _require_vector(y)
    classes: NDArray[Any] = np.zeros(0, y.dtype)
    for low, high in itertools.pairwise(y.cuts.tolist()):
        labels = np.asarray(y.read(low, high)[:, 0])
        if labels.dtype.kind == "f":
            is_wrong = ~np.isfinite(labels) | (labels != np.floor(labels))
            refuse_rows(labels.astype(np.float64), is_wrong, low, "labels that are whole numbers", "Remove such rows.")
        classes = np.union1d(classes, labels)
        if len(classes) > _MOST_CLASSES:
            raise DataError(f"at most {_MOST_CLASSES} classes were expected; y has more. Is it a measurement, and not a label?")
    if np.array_equal(classes, np.arange(len(classes))):
        return classes, y
    kind = np.min_scalar_type(len(classes))
    places = [np.searchsorted(classes, y.read(low, high)[:, 0]).astype(kind) for low, high in itertools.pairwise(y.cuts.tolist())]
    return classes, open_matrix(np.concatenate(places), what="y")


def _require_vector(y: Matrix) -> None:
    if y.shape[1] != 1:
        raise DataError(f"y must be one label a row; its shape is {y.shape}. Pass a vector of length {y.shape[0]}.")


def _require_classes(classes: NDArray[Any], places: Any, weights: Any) -> None:
    """Refuse labels of one class, or weights that leave one; stored weights are not read for it."""
    counted = places[weights > 0] if isinstance(places, np.ndarray) and isinstance(weights, np.ndarray) else places
    if len(classes) < 2 or (isinstance(counted, np.ndarray) and len(np.unique(counted)) < 2):
        raise DataError(
            f"samples of at least 2 classes are needed; those with weight contain one class: {classes[0]}. Add rows of another."
        )
