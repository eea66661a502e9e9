"""Refuse a y that no model of the family allows: its row, its value, what to do."""

from numbers import Real

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats
from dsketch.errors import DataError, SpecError


def refuse_rows(y: Floats, is_wrong: NDArray[np.bool_], start: int, expected: str, remedy: str) -> None:
    """Refuse the first wrong row of a slice; a NaN is none of ours (it is named where it is read).

    Parameters
    ----------
    y : ndarray, shape (rows,)
    is_wrong : ndarray of bool, shape (rows,)
    start : int
        Global number of the first row.
    expected : str
        "counts ≥ 0".

    Raises
    ------
    DataError
        Naming the row, its value and the remedy.
    """
    if is_wrong.any():
        row = int(np.argmax(is_wrong))
        raise DataError(f"y must hold {expected}; row {start + row} holds {y[row]:g}. {remedy}")


def require_parameter(name: str, value: float, low: float, high: float, remedy: str) -> None:
    """Refuse a family's parameter that does not lie strictly between two numbers.

    Raises
    ------
    SpecError
        With the value and the remedy.
    """
    if not (isinstance(value, Real) and low < float(value) < high):
        raise SpecError(f"{name} must be a number between {low:g} and {high:g}; got {value!r}. {remedy}")
