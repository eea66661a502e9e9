"""Arrays of other classes than ndarray as plain arrays: a masked entry is a missing value, whatever number lies below the mask.

NumPy's masked arrays keep some number (often a bad reading) under each masked entry, and whatever makes a plain array of them brings it
to light.  Other subclasses have operators of their own (``*`` of ``numpy.matrix`` is a product of matrices), which passes must not meet.
"""

from typing import Any

import numpy as np

from dsketch.errors import DataError
from dsketch.matrix.base import AnyArray


def unmask(array: AnyArray, what: str, first: tuple[int, int] = (0, 0)) -> AnyArray:
    """Return an array of any class as an ndarray of the same memory.

    Parameters
    ----------
    array : ndarray
    what : str
        The name that errors use.
    first : (int, int)
        Global numbers of its first row and column.

    Raises
    ------
    DataError
        Naming the first masked entry, if there is one.

    Examples
    --------
    >>> unmask(np.ma.array([[1.0, 2.0]]), "A")
    array([[1., 2.]])
    """
    if type(array) is np.ndarray:
        return array
    require_unmasked(array, what, first)
    return (array.data if isinstance(array, np.ma.MaskedArray) else array).view(np.ndarray)


def require_unmasked(values: Any, what: str, first: tuple[int, int] = (0, 0)) -> None:
    """Refuse a masked array, or a list with one, of which an entry is masked; anything else is let through.

    Raises
    ------
    DataError
        With the global row and the column.
    """
    place = _place(values)
    if place is not None:
        raise DataError(
            f"{what} is masked at row {first[0] + place[0]}, column {first[1] + place[1]}; every number must be known. Fill it, or leave "
            "the row out (weight 0 does not hide a missing value)."
        )


def _place(values: Any) -> tuple[int, int] | None:
    """Return row and column of the first masked entry, or None."""
    if isinstance(values, np.ma.MaskedArray):
        mask = np.ma.getmask(values)
        if mask is np.ma.nomask or not mask.any():
            return None
        row, column, *_ = (*(int(index) for index in np.unravel_index(int(np.argmax(mask)), mask.shape or (1,))), 0)
        return row, column
    if isinstance(values, list | tuple):
        for row, entry in enumerate(values):
            if isinstance(entry, np.ma.MaskedArray | list | tuple) and (found := _place(entry)) is not None:
                return row, found[0]
    return None


def array_of_list(rows: "list[Any] | tuple[Any, ...]", what: str) -> AnyArray:
    """Return a list of numbers, or of rows, as an array.

    Raises
    ------
    DataError
        Naming the first row of another length than row 0, or of something that has no length.

    Examples
    --------
    >>> array_of_list([[1, 2], [3, 4]], "A").shape
    (2, 2)
    """
    require_unmasked(rows, what)
    try:
        return np.asarray(rows)
    except ValueError as error:
        shapes = [_shape(row) for row in rows]
        odd = next((number for number, shape in enumerate(shapes) if shape != shapes[0] or shape is None), None)
        found = (
            "rows of other lengths within rows"
            if odd is None
            else f"row {odd} {_say_length(shapes[odd])}, row 0 {_say_length(shapes[0])}"
        )
        raise DataError(
            f"{what} must be a list of rows that are equally long; {found}. Correct it, or fill what is missing."
        ) from error


def _shape(row: Any) -> tuple[int, ...] | None:
    try:
        return tuple(np.shape(row))
    except ValueError:
        return None


def _say_length(shape: tuple[int, ...] | None) -> str:
    if shape is None:
        return "is ragged itself"
    return "is one number" if not shape else f"has length {shape[0]}" if len(shape) == 1 else f"has shape {shape}"
