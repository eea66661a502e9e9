"""A coordinate as numbers: dates count by their differences, exactly, so that no fit depends on how far their origin lies."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.errors import DataError, SpecError

_DAY = 86_400.0
# Seconds in a unit of time.  A year is that of the calendar of the dates: 365.2425 days on average in the Gregorian one.
SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3_600.0, "day": _DAY, "week": 7 * _DAY}
_YEARS = {"year": 1, "decade": 10, "century": 100}
_DAYS_OF_YEAR = {
    "julian": 365.25,
    "noleap": 365.0,
    "365_day": 365.0,
    "all_leap": 366.0,
    "366_day": 366.0,
    "360_day": 360.0,
}
_GREGORIAN = 365.2425
_EPOCH = np.datetime64("1970-01-01")


@dataclass(frozen=True)
class Clock:
    """A coordinate along the rows, as numbers around its middle.

    Attributes
    ----------
    steps : ndarray, shape (n,)
        Of the coordinate from ``reference``: seconds where it is dates, else its own numbers.
    reference : object
        What is 0: the date, or number, in the middle between the first and the last.
    is_dates : bool
    calendar : str
    origin : float
        ``reference`` as xarray's ``polyfit`` and ``polyval`` count: nanoseconds from 1970-01-01, or the number itself.
    """

    steps: Floats
    reference: Any
    is_dates: bool
    calendar: str
    origin: float

    def unit(self, per: str | float | None) -> tuple[float, str]:
        """Return how many steps a unit has, and its word.

        Raises
        ------
        SpecError
            If ``per`` is no unit of time, for dates, or no number above 0, for numbers.
        """
        if not self.is_dates:
            if per is not None and (isinstance(per, str) or not per > 0):
                raise SpecError(f"per must be a number above 0 where the coordinate is numbers; got {per!r}. Leave it out for 1.")
            return (1.0, "1") if per is None else (float(per), f"{per:g}")
        words = {**SECONDS, **{word: years * self._days_of_year * _DAY for word, years in _YEARS.items()}}
        word = "year" if per is None else per
        if not isinstance(word, str) or word not in words:
            raise SpecError(f"per must be one of {', '.join(words)}; got {per!r}. Leave it out for year.")
        return words[word], word

    @property
    def _days_of_year(self) -> float:
        return _DAYS_OF_YEAR.get(self.calendar, _GREGORIAN)


def clock_of(array: Any, dim: str) -> Clock:
    """Return the coordinate of a DataArray along ``dim``; 0, 1, 2 … where it has none.

    Raises
    ------
    SpecError
        If ``dim`` is no dimension of it.
    DataError
        If the coordinate is neither numbers nor dates, or misses one.
    """
    if dim not in array.dims:
        raise SpecError(
            f"dim must be one of the array's, which has {', '.join(map(str, array.dims)) or 'none'}; got {dim!r}. Correct it."
        )
    if dim not in array.coords:
        return _of_numbers(np.arange(array.sizes[dim]), dim)
    coordinate = array.coords[dim]
    if coordinate.dtype.kind in "iuf":
        return _of_numbers(coordinate.to_numpy(), dim)
    if coordinate.dtype.kind == "M":
        return _of_dates(coordinate.to_numpy(), dim)
    if coordinate.dtype.kind == "O" and hasattr(array.indexes[dim], "calendar"):
        return _of_calendar(array.indexes[dim])
    raise DataError(
        f"{dim} must have numbers or dates as its coordinate; it has {coordinate.dtype}. Give it others: assign_coords({dim}=…)."
    )


def _of_numbers(values: Any, dim: str) -> Clock:
    numbers = np.asarray(values, dtype=np.float64)
    if not np.isfinite(numbers).all():
        raise DataError(f"{dim} must be finite; it is not at place {np.argmin(np.isfinite(numbers))}. Correct it.")
    middle = numbers[0] + (numbers[-1] - numbers[0]) / 2 if len(numbers) else 0.0
    return Clock(numbers - middle, float(middle), is_dates=False, calendar="", origin=float(middle))


def _of_dates(dates: Any, dim: str) -> Clock:
    if np.isnat(dates).any():
        raise DataError(
            f"{dim} must have no missing dates; {np.argmax(np.isnat(dates))} is NaT. Leave such rows out: dropna({dim!r})."
        )
    middle = dates[0] + (dates[-1] - dates[0]) // 2
    origin = (middle - _EPOCH) / np.timedelta64(1, "ns")
    return Clock((dates - middle) / np.timedelta64(1, "s"), middle, is_dates=True, calendar="standard", origin=float(origin))


def _of_calendar(index: Any) -> Clock:
    """Return dates of another calendar than the Gregorian, as cftime has them."""
    middle = index[0] + (index[-1] - index[0]) / 2
    seconds = np.array([(date - middle).total_seconds() for date in index])
    epoch = type(middle)(1970, 1, 1)
    return Clock(seconds, middle, is_dates=True, calendar=str(index.calendar), origin=1e9 * (middle - epoch).total_seconds())
