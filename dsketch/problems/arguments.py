"""Options as users give them: a number that may come in an array of one, a flag that is one."""

import math
import os
from numbers import Real
from typing import Any

import numpy as np
import zarr

from dsketch._linalg.arrays import Floats
from dsketch.errors import SpecError
from dsketch.matrix.masked import require_unmasked

_LARGEST = 1e300  # no penalty is larger: sums over columns would overflow


def as_penalty(alpha: Any, remedy: str, name: str = "alpha") -> float:
    """Return alpha, or whatever its name is.

    Raises
    ------
    SpecError
        If it is no finite number that is not negative, or there are several.
    """
    found: Any = _as_one(name, alpha, "Give one, and solve for one column of b at a time where targets want their own.")
    is_number = isinstance(found, Real)
    if not (is_number and np.isfinite(found) and found >= 0):
        raise SpecError(f"{name} must be a number ≥ 0; got {alpha!r}. {remedy}")
    if found > _LARGEST:
        raise SpecError(
            f"{name} must be at most {_LARGEST:g}, or its sums overflow; got {alpha!r}. Use a smaller one: x is all but 0 long before that."
        )
    return float(found)


def as_scale(scale: Any) -> float:
    """Return the s of a kernel.

    Raises
    ------
    SpecError
        If it is no finite number above 0.
    """
    found: Any = _as_one("scale", scale, "Solve for one scale at a time.")
    is_number = isinstance(found, Real)
    if not (is_number and np.isfinite(found) and found > 0):
        raise SpecError(f"scale must be a number above 0; got {scale!r}. Use 1 for exp(⟨a, a'⟩).")
    return float(found)


def as_numbers(name: str, value: Any, shape: tuple[int, ...], remedy: str) -> Floats:
    """Return one number or several as an array of ``shape``; one number stands for all.

    Parameters
    ----------
    value : number, array_like, str or path
        A text holds numbers with commas between, or is the path of a Zarr array or ``.npy`` file; what has an ``x`` (a Solution) gives it.

    Raises
    ------
    SpecError
        If they are no finite numbers, or do not fit; ``remedy`` is what the message advises.
    """
    numbers = read_numbers(name, value, remedy)
    if not np.isfinite(numbers).all():
        raise SpecError(f"{name} must be finite; got {numbers[~np.isfinite(numbers)].flat[0]}. {remedy}")
    if numbers.size == 1:
        return np.full(shape, numbers.item())
    if numbers.size != math.prod(shape) or (numbers.ndim > 1 and numbers.shape != shape):
        raise SpecError(f"{name} must be one number, or of shape {shape}; it has shape {numbers.shape}. {remedy}")
    return numbers.reshape(shape)


def jsonable_numbers(name: str, value: Any, remedy: str) -> Any:
    """Return a number or a list as JSON can hold it, of a value as :func:`as_numbers` takes it; None for an infinity: no bound.

    Raises
    ------
    SpecError
        If they are no numbers.
    DataError
        If one is masked.

    Examples
    --------
    >>> jsonable_numbers("lower", "0,-inf", "Give numbers.")
    [0.0, None]
    """
    found = [math.inf if item is None else item for item in value] if isinstance(value, list | tuple) else value
    numbers = read_numbers(name, found, remedy)
    if np.isnan(numbers).any():
        raise SpecError(f"{name} must be numbers; got nan. {remedy}")
    return _without_infinities(numbers.tolist())


def _without_infinities(numbers: Any) -> Any:
    if isinstance(numbers, list):
        return [_without_infinities(item) for item in numbers]
    return None if math.isinf(numbers) else numbers


def read_numbers(name: str, value: Any, remedy: str) -> Floats:
    """Return the numbers that a value holds, of any shape.

    Raises
    ------
    SpecError
        If they are no numbers.
    DataError
        If one is masked.
    """
    found = (
        numbers_of_text(name, os.fspath(value), remedy) if isinstance(value, str | os.PathLike) else getattr(value, "x", value)
    )
    require_unmasked(found, name)
    try:
        return np.array(found, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise SpecError(f"{name} must be numbers; got {value!r:.80}. {remedy}") from error


def numbers_of_text(name: str, text: str, remedy: str) -> Floats:
    """Return the numbers that a text holds with commas between, or those at the path that it is.

    Raises
    ------
    SpecError
        If it is neither.
    """
    try:
        numbers = [float(word) for word in text.split(",")]
        return np.array(numbers if len(numbers) > 1 else numbers[0])
    except ValueError:
        pass
    try:
        return np.asarray(
            np.load(text, allow_pickle=False) if text.endswith(".npy") else zarr.open_array(text, mode="r")[...], np.float64
        )
    except Exception as error:
        raise SpecError(
            f"{name} must be numbers with commas between, or the path of a Zarr array or .npy file; {text!r:.80} is neither "
            f"({type(error).__name__}). {remedy}"
        ) from error


def as_flag(name: str, value: Any) -> bool:
    """Return True or False.

    Raises
    ------
    SpecError
        For anything else but 1 and 0.
    """
    if not (isinstance(value, bool | int | np.bool_ | np.integer) and value in (0, 1)):
        raise SpecError(f"{name} must be True or False; got {value!r}. Give one of them.")
    return bool(value)


def _as_one(name: str, value: Any, remedy: str) -> Any:
    """Return a value itself, or the one that an array or a list holds.

    Raises
    ------
    SpecError
        If it holds several.
    """
    if isinstance(value, str) or not (isinstance(value, list | tuple) or hasattr(value, "__array__")):
        return value
    values = np.asarray(value)
    if values.size != 1:
        raise SpecError(f"{name} must be one number; got {values.size} of them. {remedy}")
    return values.reshape(()).item()
