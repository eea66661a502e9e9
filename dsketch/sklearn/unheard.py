"""What data in memory say of themselves where scikit-learn does not listen; dsketch's own door does."""

from typing import Any

import numpy as np

from dsketch.errors import DataError
from dsketch.matrix.labelled import is_elsewhere, is_labelled
from dsketch.matrix.numbers import EXACT
from dsketch.matrix.open import open_matrix

_TIMES = ("datetime", "date", "timedelta", "time", "duration", "period")
_WIDE = ("int64", "uint64")


def refuse_unheard(data: Any, what: str) -> None:
    """Refuse packed numbers, fill values, times, tables that are not there yet, and integers that floats would round.

    scikit-learn makes floats of all of them, of NaT -9.2e18.

    Raises
    ------
    DataError
        As :func:`~dsketch.matrix.open.open_matrix` words it.
    """
    if hasattr(type(data), "to_dask_array") or hasattr(type(data), "collect"):  # tables that would have to be computed
        open_matrix(data, what=what)
    if (is_labelled(data) and not is_elsewhere(data)) or _says_unheard(data):
        open_matrix(data, what=what)
    if hasattr(data, "get_columns") and _has_wide(data, _types(data)):
        raise DataError(
            f"integers that float64 holds were expected in a table of polars, of which scikit-learn makes floats; {what} has larger ones. "
            f"Pass {what}.to_numpy(), or subtract the first value from such columns, here and from new rows."
        )


def with_integers(rows: Any) -> Any:
    """Return lists of rows of integers as an array of them, where scikit-learn would make floats of a list; anything else as it is."""
    if not isinstance(rows, list | tuple):
        return rows
    try:
        values = np.asarray(rows)
    except ValueError:  # ragged: for scikit-learn to say
        return rows
    return values if str(values.dtype) in _WIDE else rows


def _says_unheard(data: Any) -> bool:
    kinds = _types(data)
    return any(word.startswith(_TIMES) for word in kinds) or _rounds(data, kinds)


def _types(data: Any) -> list[str]:
    """Return the kinds for the types of an array, or of the columns of a table."""
    found = getattr(data, "dtypes", None)
    if found is None or not hasattr(data, "columns"):
        found = [getattr(data, "dtype", "")]
    return [str(dtype).lower() for dtype in found]


def _rounds(data: Any, kinds: list[str]) -> bool:
    """Whether a table has integers beyond those that are floats in a column beside one of floats."""
    return any(word.startswith("float") for word in kinds) and _has_wide(data, kinds)


def _has_wide(data: Any, kinds: list[str]) -> bool:
    wide = [place for place, word in enumerate(kinds) if word in _WIDE]
    if hasattr(data, "get_columns"):
        found = [data.get_columns()[place] for place in wide]
    elif hasattr(data, "iloc") and hasattr(data, "columns"):
        found = [data.iloc[:, place] for place in wide]
    else:
        return False
    return any(len(column) and max(abs(int(column.min())), abs(int(column.max()))) > EXACT for column in found)
