"""Columns of any kind in memory as one array of numbers: what is missing or no number is refused by row and column.

Tables bring a type for each column; objects (``None``, ``Decimal``, text) are looked at one by one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsketch.errors import DataError
from dsketch.matrix.base import AnyArray

EXACT = 2**53  # integers up to here are floats
# The absent values of pandas and Arrow; None and NaN are known by themselves.
_ABSENT_TYPES = ("NAType", "NaTType", "Null", "NullScalar")
_REMEDY = "Remove or impute such rows before solving (weight 0 does not hide it)"


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    name : str or None
    kind : str
        Its type, in the word of who made it.
    values : ndarray, shape (n,)
        Numbers; or objects, to be looked at.
    absent : ndarray of bool, shape (n,), optional
        Where a value is missing.
    is_quantity : bool
        False for types that are no numbers whatever the values look like: text, categories, times.
    """

    name: str | None
    kind: str
    values: NDArray[Any]
    absent: NDArray[np.bool_] | None = None
    is_quantity: bool = True


def join_columns(columns: Sequence[Column], rows: int, what: str, first: int = 0) -> AnyArray:
    """Return columns side by side in their common type, C order; ``first`` is the number of their first row.

    Raises
    ------
    DataError
        Naming a column that holds no numbers, or row and column of the first value that is missing or not finite.
    """
    numbers = [numbers_in(column, place, what, first) for place, column in enumerate(columns)]
    dtype = np.result_type(*numbers) if numbers else np.dtype(np.float64)
    table = np.empty((rows, len(numbers)), dtype)
    for place, values in enumerate(numbers):
        table[:, place] = values
        if dtype.kind == "f" and values.dtype.kind in "iu":
            _require_exact(values, _name_of(columns[place].name, place), what)
    return table


def numbers_in(column: Column, place: int, what: str, first: int = 0) -> NDArray[Any]:
    """Return the numbers of a column; ``place`` is its number, ``first`` that of its first row.

    Raises
    ------
    DataError
        As :func:`join_columns`.
    """
    name = _name_of(column.name, place)
    if column.absent is not None and column.absent.any():
        _refuse_absent(first + int(np.argmax(column.absent)), name, "missing", what)
    if not column.is_quantity:
        _refuse_kind(name, column.kind, column.values, what)
    values = from_objects(column.values[:, None], what, (name,))[:, 0] if column.values.dtype.kind == "O" else column.values
    if values.dtype.kind not in "biuf":
        _refuse_kind(name, column.kind, values, what)
    if values.dtype.kind == "f":
        bad = ~np.isfinite(values)
        if bad.any():
            row = int(np.argmax(bad))
            _refuse_absent(first + row, name, f"{values[row]}", what)
    return values


def from_objects(values: NDArray[Any], what: str, names: Sequence[str] = ()) -> AnyArray:
    """Return an array of Python objects as numbers of one type; ``names`` are those of the columns, as errors say them.

    Raises
    ------
    DataError
        Naming row and column of the first that is missing or no real number.
    """
    for place, value in np.ndenumerate(values):
        if isinstance(value, Real | Decimal | np.bool_) and value == value:
            continue
        row = place[0] if place else 0
        column = place[1] if len(place) > 1 else 0
        name = names[column] if names else _name_of(None, column)
        if _is_absent(value):
            _refuse_absent(row, name, f"missing ({value})", what)
        _refuse_kind(name, _kind_of(value), values[row:, column] if values.ndim > 1 else values[row:], what, row)
    found = np.array(values.tolist())
    return found if found.dtype.kind in "biuf" else values.astype(np.float64)


def _is_absent(value: Any) -> bool:
    """Whether an object stands for a missing value, in whatever library."""
    return value is None or type(value).__name__ in _ABSENT_TYPES or (isinstance(value, Real | Decimal) and value != value)


def names_in(labels: Sequence[Any]) -> tuple[str, ...] | None:
    """Return labels as names; None where they say nothing but the places 0, 1, 2 …, or one is missing."""
    labels = list(labels)
    if any(label is None for label in labels) or labels == list(range(len(labels))):
        return None
    return tuple(map(str, labels))


def _name_of(name: str | None, place: int) -> str:
    return f"column {place}" if name is None else f"column {name!r}"


def _refuse_absent(row: int, name: str, found: str, what: str) -> None:
    raise DataError(f"{what} must be finite; row {row}, {name} is {found}. {_REMEDY}.")


def _refuse_kind(name: str, kind: str, values: Any, what: str, first: int = 0) -> None:
    shown = f" (row {first}: {str(values[0])[:40]!r})" if len(values) else ""
    raise DataError(f"numbers were expected; {name} of {what} holds {kind}{shown}. {_remedy_for(kind)}")


def _remedy_for(kind: str) -> str:
    if kind in ("strings", "categories"):
        return "Leave it out, or make dummies, a column for each level: dsketch ingest does so for files and keeps the levels for new rows."
    if kind.startswith(("date", "time", "duration", "period")):
        return "Leave it out, or turn it into numbers first, for example into seconds since the first one."
    return "Leave it out, or turn it into real numbers of at most 64 bits first."


def _kind_of(value: Any) -> str:
    return "strings" if isinstance(value, str | bytes) else f"objects of type {type(value).__name__}"


def _require_exact(values: NDArray[Any], name: str, what: str) -> None:
    """Refuse integers that a float beside them would round: their differences may be all that matters."""
    if not values.size or max(abs(int(values.min())), abs(int(values.max()))) <= EXACT:
        return
    rounded = values.astype(np.float64)
    wrong = np.flatnonzero((rounded < 2.0**63 if values.dtype.kind == "i" else rounded < 2.0**64) & (np.abs(rounded) > EXACT))
    wrong = wrong[rounded[wrong].astype(values.dtype) != values[wrong]] if wrong.size else wrong
    if wrong.size:
        raise DataError(
            f"integers that float64 holds were expected beside columns of floats; row {wrong[0]}, {name} of {what} is "
            f"{values[wrong[0]]}. Subtract its first value from the column, here and from new rows."
        )
