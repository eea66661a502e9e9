"""What a user hands to an estimator: arrays that scikit-learn checks, or stored data that is never brought into memory."""

import os
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from sklearn.utils.validation import check_array, validate_data

from dsketch.engine.session import say
from dsketch.matrix.base import Matrix
from dsketch.matrix.columns import Columns, in_order
from dsketch.matrix.labelled import is_elsewhere
from dsketch.matrix.masked import require_unmasked
from dsketch.matrix.open import open_matrix
from dsketch.sklearn.compat import check_sample_weight
from dsketch.sklearn.unheard import refuse_unheard, with_integers

_FLOATS = (np.float64, np.float32)  # these are kept as they are; anything else becomes float64
# These are kept too; the passes take nanoseconds as integers, of which float64 holds 53 bits.
NUMBERS = (*_FLOATS, np.int64, np.uint64)


def is_stored(X: Any) -> bool:
    """Whether X is a path, a URL, a Zarr, dask or HDF5 array, a DataArray of one, or a Matrix, and not in memory."""
    return isinstance(X, str | os.PathLike | zarr.Array | zarr.Group | Matrix) or is_elsewhere(X)


def check_training(estimator: Any, X: Any, y: Any, sample_weight: Any, **checks: Any) -> tuple[Any, Any, Any]:
    """Return X, y and the weights as :class:`~dsketch.problems.LeastSquares` takes them; the estimator learns names and number of columns.

    Raises
    ------
    ValueError
        As scikit-learn words it for arrays in memory; a :class:`~dsketch.errors.DataError` for stored data.
    """
    for what, values in (("X", X), ("y", y), ("sample_weight", sample_weight)):
        require_unmasked(values, what)
        refuse_unheard(values, what)
    if is_stored(X):
        A = open_matrix(X, what="X")
        _learn_columns(estimator, A)
        return A, open_matrix(check_targets(y), what="y"), None if sample_weight is None else _open_weights(sample_weight, A)
    checks = {"dtype": _FLOATS, "accept_sparse": "csr", "y_numeric": True, "multi_output": True, **checks}
    estimator._columns_in = None
    X, y = validate_data(estimator, with_integers(X), read_targets(y) if is_stored(y) else y, **checks)
    if sample_weight is not None:
        sample_weight = check_sample_weight(sample_weight, X)
    return X, y, sample_weight


def check_new_rows(estimator: Any, X: Any, dtype: Any = _FLOATS) -> Any:
    """Return X for a prediction, with the columns that the estimator was fitted with: checked rows, or an open Matrix.

    Raises
    ------
    ValueError
        If the columns differ in number, name or levels; in memory also if they differ in order, as everywhere in scikit-learn.
    """
    require_unmasked(X, "X")
    if not is_stored(X):
        refuse_unheard(X, "X")
        return validate_data(estimator, with_integers(X), reset=False, dtype=dtype, accept_sparse="csr")
    A, note = in_order(_columns_of(estimator), open_matrix(X, what="X"), "the columns of X")
    if note is not None:
        say(note, progress=False)
    return A


def _columns_of(estimator: Any) -> Columns | None:
    """Return the columns of fit, with their levels where X was stored."""
    names = getattr(estimator, "feature_names_in_", None)
    learned: Columns | None = getattr(estimator, "_columns_in", None)
    if names is None or (learned is not None and list(learned.names) == list(names)):
        return None if names is None else learned
    return Columns(tuple(map(str, names)))


def check_targets(y: Any) -> Any:
    """Return what belongs to stored rows: itself if stored, else an array."""
    require_unmasked(y, "y")
    return y if is_stored(y) else check_array(y, ensure_2d=False, dtype=_FLOATS)


def spread_weights(sample_weight: Any, rows: int) -> Any:
    """Return weights, one a row: stored ones as they are, a number repeated."""
    if is_stored(sample_weight):
        return sample_weight
    require_unmasked(sample_weight, "sample_weight")
    return np.ascontiguousarray(np.broadcast_to(np.asarray(sample_weight, dtype=np.float64), (rows,)))


def _open_weights(sample_weight: Any, A: Matrix) -> Matrix:
    return open_matrix(spread_weights(sample_weight, A.shape[0]), what="sample_weight")


def read_targets(y: Any) -> NDArray[np.float64]:
    """Return stored targets as an array."""
    matrix = open_matrix(y, what="y")
    values = np.asarray(matrix.read(0, matrix.shape[0]), dtype=np.float64)
    return values[:, 0] if matrix.is_vector else values


def _learn_columns(estimator: Any, A: Matrix) -> None:
    """Set ``n_features_in_`` and, where the storage knows them, ``feature_names_in_`` and the levels."""
    estimator.n_features_in_ = A.shape[1]
    estimator._columns_in = Columns.of(A)
    if A.names is not None:
        estimator.feature_names_in_ = np.asarray(A.names, dtype=object)
    elif hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_
