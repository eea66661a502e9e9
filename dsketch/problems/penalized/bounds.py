"""Bounds as users give them: a number, one a column, with infinities or None where there is none."""

import os
from typing import Any

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.errors import SpecError
from dsketch.problems.arguments import numbers_of_text

_REMEDY = "Give one number, or one for each column of A; None (or an infinity) is no bound."


def as_bounds(name: str, value: Any, columns: int, absent: float) -> Floats:
    """Return a bound for every column, shape (d,).

    Parameters
    ----------
    absent : float
        What stands for no bound: −∞ or ∞.

    Raises
    ------
    SpecError
        If they are no numbers, do not fit, or nothing lies within.

    Examples
    --------
    >>> as_bounds("lower", [0, None], 2, -np.inf)
    array([  0., -inf])
    """
    if value is None:
        return np.full(columns, absent)
    found = numbers_of_text(name, os.fspath(value), _REMEDY) if isinstance(value, str | os.PathLike) else value
    found = [absent if item is None else item for item in found] if isinstance(found, list | tuple) else found
    try:
        bounds = np.array(found, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise SpecError(f"{name} must be numbers; got {value!r:.80}. {_REMEDY}") from error
    if bounds.size not in (1, columns) or bounds.ndim > 1:
        raise SpecError(f"{name} must be one number or {columns}, one a column; it has shape {bounds.shape}. {_REMEDY}")
    if np.isnan(bounds).any() or (bounds == -absent).any():
        raise SpecError(
            f"{name} must be numbers that leave x room; got {bounds[np.isnan(bounds) | (bounds == -absent)][0]}. {_REMEDY}"
        )
    return np.full(columns, bounds.item()) if bounds.size == 1 else bounds


def list_bounds(bounds: Floats) -> Any:
    """Return bounds as JSON can hold them: None where there is none, one value if it is the same for all."""
    values = [float(bound) if np.isfinite(bound) else None for bound in bounds]
    return values[0] if len(set(values)) == 1 else values
