"""What data in memory say of themselves where scikit-learn does not listen; dsketch's own door does."""

from typing import Any

from dsketch.matrix.labelled import is_elsewhere, is_labelled
from dsketch.matrix.numbers import EXACT
from dsketch.matrix.opening import open_matrix

_TIMES = ("datetime", "date", "timedelta", "time", "duration", "period")
_WIDE = ("int64", "uint64")


def heed(data: Any, what: str) -> None:
    """Refuse packed numbers, fill values, times, and integers that the floats beside them would round.

    scikit-learn makes floats of all of them, of NaT -9.2e18.

    Raises
    ------
    DataError
        As :func:`~dsketch.matrix.opening.open_matrix` words it.
    """
    if (is_labelled(data) and not is_elsewhere(data)) or _says_unheard(data):
        open_matrix(data, what=what)


def _says_unheard(data: Any) -> bool:
    words = _types(data)
    return any(word.startswith(_TIMES) for word in words) or _rounds(data, words)


def _types(data: Any) -> list[str]:
    """Return the words for the types of an array, or of the columns of a table."""
    found = getattr(data, "dtypes", None)
    if found is None or not hasattr(data, "columns"):
        found = [getattr(data, "dtype", "")]
    return [str(dtype).lower() for dtype in found]


def _rounds(data: Any, words: list[str]) -> bool:
    """Whether a table has integers beyond those that are floats in a column beside one of floats."""
    wide = [place for place, word in enumerate(words) if word in _WIDE]
    if not wide or not any(word.startswith("float") for word in words):
        return False
    column = data.get_columns().__getitem__ if hasattr(data, "get_columns") else lambda place: data.iloc[:, place]
    return any(len(found) and max(abs(int(found.min())), abs(int(found.max()))) > EXACT for found in map(column, wide))
