"""A computed block of a dask array against what the array declares: dtype and shape are a promise of the user's code.

What keeps it (numbers of the declared kind, in the declared number of rows and columns) is taken, also from a DataFrame or in Fortran
order.  What does not is an error, never bent to fit: a float truncated to a declared integer, or a transposed block in another order, is
other data.
"""

from typing import Any

import numpy as np
import scipy.sparse

from dsketch.errors import DataError
from dsketch.matrix.base import AnyArray
from dsketch.matrix.masked import unmask

_REMEDY = "The function that makes the blocks disagrees with what the array declares: correct one of them."


def require_declared(
    block: Any, name: str, what: str, shape: tuple[int, int], dtype: np.dtype[np.generic], first: tuple[int, int]
) -> AnyArray:
    """Return a block as the array of the declared shape and dtype that it is.

    Parameters
    ----------
    block : Any
        What the graph computed.
    name : str
        Of the block, for errors: "block 3 of A".
    what : str
        Of the matrix.
    shape : (int, int)
        Of the block; a vector counts as one column.
    dtype : dtype
    first : (int, int)
        Global numbers of its first row and column.

    Raises
    ------
    DataError
        Naming the block, and dtypes or shapes.
    """
    values = unmask(_as_array(block, name), what, first)
    if values.shape != shape and not (shape[1] == 1 and values.shape == shape[:1]):
        raise DataError(f"{name} must have shape {shape}; it has {values.shape}. {_REMEDY}")
    return _cast(values.reshape(shape), name, dtype)


def _as_array(block: Any, name: str) -> AnyArray:
    """Return a block as an array, of a subclass still."""
    if scipy.sparse.issparse(block):
        raise DataError(
            f"{name} must be an array; it is a sparse {type(block).__name__} of shape {block.shape}. Make blocks dense "
            "(map_blocks(lambda block: block.toarray())), or store the matrix as CSR."
        )
    try:
        return np.asanyarray(block)
    except Exception as error:
        raise DataError(
            f"{name} must be an array; it is a {type(block).__name__} that becomes none ({type(error).__name__}: {error}). Make its "
            "blocks NumPy arrays with map_blocks."
        ) from error


def _cast(values: AnyArray, name: str, dtype: np.dtype[np.generic]) -> AnyArray:
    """Return C-order values of the declared dtype."""
    if values.dtype == dtype:
        return np.ascontiguousarray(values)
    is_kept = values.dtype.kind == "O" or np.can_cast(values.dtype, dtype, "same_kind")
    try:
        with np.errstate(over="raise"):
            found = np.ascontiguousarray(values, dtype=dtype) if is_kept else None
    except (TypeError, ValueError, OverflowError, FloatingPointError):
        found = None
    if found is None or not _is_same(values, found):
        raise DataError(f"{name} must have dtype {dtype}; it has {values.dtype}, which would change its numbers. {_REMEDY}")
    return found


def _is_same(values: AnyArray, found: AnyArray) -> bool:
    """Whether a cast kept the numbers; between floats they may be rounded."""
    if values.dtype.kind == "O":
        return bool(((values == found) | (values != values)).all())
    if found.dtype.kind in "iu" and not np.can_cast(values.dtype, found.dtype, "safe"):
        return bool((values == found).all())
    return True
