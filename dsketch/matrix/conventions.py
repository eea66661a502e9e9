"""The numbers that stored numbers stand for, by the CF conventions: packed with a scale and an offset, some of them marks for "missing".

An array is packed where its attributes have ``scale_factor`` s or ``add_offset`` o: a stored p stands for p s + o.  A cell that holds its
``_FillValue`` or ``missing_value``, or lies outside its ``valid_range`` (``valid_min``, ``valid_max``), stands for no number at all; it is
refused where it is read, by row and column, as a NaN is.  ``_Unsigned`` says how integers are to be looked at.

Attributes that change no number change nothing here: a ``_FillValue`` of NaN, a scale of 1 with an offset of 0, a mark that no cell of
this dtype can hold.  In format 2 a ``_FillValue`` is the array's own fill value (so xarray writes it), but other writers have 0 there
by habit: it counts as a mark where attributes show that someone meant it, and 0 only where they are both xarray's and CF's.

Unpacked numbers are float64 whatever the stored ones are: the rounding of p s + o in float32 would be an error of 6e-8 of data that
is exact to its last stored digit, and passes compute in float64 anyway.

References
----------
B. Eaton et al., "NetCDF Climate and Forecast (CF) Metadata Conventions", sections 2.5.1 (missing data, valid range) and 8.1 (packed data).
"""

import base64
import binascii
import math
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsketch.errors import DataError
from dsketch.matrix.base import AnyArray

_PACKING = ("scale_factor", "add_offset")
MARKS = ("_FillValue", "missing_value")
_RANGE = ("valid_range", "valid_min", "valid_max")
_DIMENSIONS = "_ARRAY_DIMENSIONS"  # the attribute of xarray in format 2
_SLICE_NUMBERS = 50_000  # so many numbers, looked at and unpacked at once, stay in the cache beside the float64 that they become
_REMEDY = "Remove or impute such rows before solving (weight 0 does not hide a missing value)."

_SINCE = re.compile(
    r"\s*((common_|leap_)?years?|months?|weeks?|days?|d|hours?|hrs?|h|minutes?|mins?|(milli|micro|nano)?sec(ond)?s?|[mun]?s)\s+since\s",
    re.I,
)

Number = int | float


@dataclass(frozen=True)
class Bounds:
    """The least and the largest number that is valid.

    Attributes
    ----------
    low, high : number
    names : str
        The attributes that say so.
    are_unpacked : bool
        Whether they speak of what stored numbers stand for, and not of the stored numbers.
    """

    low: Number
    high: Number
    names: str
    are_unpacked: bool


@dataclass(frozen=True)
class Mark:
    """A cell that stands for no number: where it is in the array that was looked at, and why."""

    row: int
    column: int
    why: str


@dataclass(frozen=True)
class Conventions:
    """What the stored numbers of an array stand for.

    Attributes
    ----------
    stored : dtype
        As which the bytes are to be looked at: the array's own dtype but for ``_Unsigned``.
    scale, offset : float
    marks : tuple of (str, number)
        Attribute and stored number of each mark.
    bounds : Bounds or None
    """

    stored: np.dtype[np.generic]
    scale: float = 1.0
    offset: float = 0.0
    marks: tuple[tuple[str, Number], ...] = ()
    bounds: Bounds | None = None

    @property
    def is_packed(self) -> bool:
        """Whether numbers have to be computed."""
        return self.scale != 1.0 or self.offset != 0.0

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The dtype of the numbers that are meant."""
        return np.dtype(np.float64) if self.is_packed else self.stored

    def describe(self) -> str:
        """Return how stored numbers become those that are read; empty where they are the same."""
        attributes = zip(_PACKING, (self.scale, self.offset), (1.0, 0.0), strict=True)
        said = ", ".join(f"{name}={value!r}" for name, value, plain in attributes if value != plain)
        return f"unpacked by {said}" if said else ""

    def interpret(self, stored: AnyArray, out: AnyArray, what: str, row: int) -> None:
        """Fill ``out`` with what stored rows stand for; it may be ``stored`` itself where nothing is packed.

        Parameters
        ----------
        stored, out : ndarray, shape (rows, d)
        what : str
            The name that errors use.
        row : int
            Global number of the first row.

        Raises
        ------
        DataError
            Naming the first cell that stands for no number.
        """
        step = max(_SLICE_NUMBERS // max(stored.shape[1], 1), 1)
        for low in range(0, len(stored), step):
            piece, target = stored[low : low + step], out[low : low + step]
            values = self.unpack(piece, target)
            if mark := self.find(piece, values):
                refuse(what, row + low + mark.row, mark.column, mark.why)

    def unpack(self, stored: AnyArray, out: AnyArray) -> AnyArray:
        """Fill ``out`` with p s + o, in float64, and return it; ``stored`` itself where nothing is packed."""
        if not self.is_packed:
            return stored
        out[...] = stored
        if self.scale != 1.0:
            np.multiply(out, self.scale, out=out)
        if self.offset != 0.0:
            np.add(out, self.offset, out=out)
        return out

    def lacking(self, stored: AnyArray, values: AnyArray) -> Iterator[NDArray[np.bool_]]:
        """Yield, for each attribute that tells it, which cells stand for no number, of stored numbers and what they stand for."""
        for _, mark in self.marks:
            yield stored == mark
        if self.bounds is not None:
            judged: NDArray[Any] = values if self.bounds.are_unpacked else stored
            yield (judged < self.bounds.low) | (judged > self.bounds.high)

    def fill_gaps(self, stored: AnyArray) -> NDArray[np.float64]:
        """Return what stored numbers stand for as float64, NaN where they stand for none."""
        stored = stored.view(self.stored)
        values: NDArray[Any] = stored.astype(np.float64)
        if self.is_packed:
            self.unpack(stored, values)
        for _, mark in self.marks:
            values[stored == mark] = np.nan
        if self.bounds is not None:
            judged: NDArray[Any] = values if self.bounds.are_unpacked else stored
            values[(judged < self.bounds.low) | (judged > self.bounds.high)] = np.nan
        return values

    def find(self, stored: AnyArray, values: AnyArray) -> Mark | None:
        """Return the first cell that stands for no number, of stored numbers and what they stand for."""
        for name, mark in self.marks:
            if (found := _first(stored == mark)) is not None:
                return Mark(*found, f"is {stored[found]!s}, its {name}")
        if self.bounds is None:
            return None
        judged: NDArray[Any] = values if self.bounds.are_unpacked else stored
        found = _first((judged < self.bounds.low) | (judged > self.bounds.high))
        if found is None:
            return None
        return Mark(*found, f"is {judged[found]!s}, outside its {self.bounds.names} ({self.bounds.low} to {self.bounds.high})")


def is_missing(fill: Number, meaning: Conventions | None) -> bool:
    """Whether cells that hold a fill value would be refused: it is not finite, or marks what is missing."""
    return not np.isfinite(fill) or (meaning is not None and any(bool(mark == fill) for _, mark in meaning.marks))


def refuse(what: str, row: int, column: int, why: str) -> None:
    """Refuse a cell that stands for no number.

    Raises
    ------
    DataError
        Always, with the global row, the column, the value and the attribute.
    """
    raise DataError(f"{what} must have no missing values; row {row}, column {column} {why}. {_REMEDY}")


def conventions_of(array: Any, what: str) -> Conventions | None:
    """Return what the attributes of a Zarr array say of its numbers, or None if nothing that matters.

    Raises
    ------
    DataError
        If a scale or an offset is no number.
    """
    dtype = np.dtype(array.dtype).newbyteorder("=")
    attributes = _attributes(array)
    if dtype.kind not in "iuf" or attributes.keys().isdisjoint((*_PACKING, *MARKS, *_RANGE, "_Unsigned")):
        return None
    stored = _integer_dtype(dtype, attributes.get("_Unsigned"))
    scale, offset = (_require_number(attributes, name, plain, what) for name, plain in zip(_PACKING, (1.0, 0.0), strict=True))
    wraps = stored != dtype
    marks = marks_of(attributes, stored, wraps=wraps)
    bounds = _bounds(attributes, stored, is_packed=(scale, offset) != (1.0, 0.0), wraps=wraps)
    found = Conventions(stored, scale, offset, marks, bounds)
    return found if found.is_packed or found.marks or found.bounds or stored != dtype else None


def marks_of(
    attributes: Mapping[str, Any], dtype: np.dtype[np.generic], *, wraps: bool = False
) -> tuple[tuple[str, Number], ...]:
    """Return the numbers that attributes say are none, as cells of a dtype hold them, each with the name of its attribute.

    Parameters
    ----------
    attributes : mapping
    dtype : dtype
        Integer or floating point; others have no such numbers.
    wraps : bool
        Whether integers were written for the dtype of other sign.
    """
    if dtype.kind not in "iuf":
        return ()
    marks = {mark: name for name in reversed(MARKS) for mark in _marks(attributes.get(name), dtype, wraps=wraps)}
    return tuple((name, mark) for mark, name in marks.items())


def stored_time(array: Any) -> str:
    """Return the units of an array whose numbers count time since a date, or nothing."""
    units, calendar = array.attrs.get("units"), array.attrs.get("calendar")
    if isinstance(units, str) and _SINCE.match(units):
        return units + (f", calendar {calendar}" if calendar else "")
    return f"calendar {calendar}" if isinstance(calendar, str) else ""


# ---- inside ---------------------------------------------------------------------------------------------------------


def _attributes(array: Any) -> dict[str, Any]:
    """Return the attributes; in format 2 with the fill value that they show to be meant as a mark."""
    found: dict[str, Any] = {name: value for name, value in array.attrs.items() if value is not None}
    fill = array.fill_value
    if array.metadata.zarr_format != 2 or fill is None or "_FillValue" in found:
        return found
    is_xarrays, is_cf = _DIMENSIONS in found, not found.keys().isdisjoint((*_PACKING, "missing_value", *_RANGE))
    is_meant = (is_xarrays and is_cf) if fill == 0 else (is_xarrays or is_cf)
    return {**found, "_FillValue": fill.item() if isinstance(fill, np.generic) else fill} if is_meant else found


def _integer_dtype(dtype: np.dtype[np.generic], unsigned: Any) -> np.dtype[np.generic]:
    """Return the dtype as which integers are to be looked at."""
    said = str(unsigned).lower()
    if dtype.kind == "i" and said == "true":
        return np.dtype(f"u{dtype.itemsize}")
    if dtype.kind == "u" and said == "false":
        return np.dtype(f"i{dtype.itemsize}")
    return dtype


def _numbers(value: Any) -> Iterator[Number]:
    """Yield the numbers that an attribute holds: JSON's or NumPy's, in text, in lists, or base64 of a float64 (xarray's, in format 3)."""
    if isinstance(value, np.ndarray | np.generic):
        yield from _numbers(value.tolist())
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _numbers(item)
    elif isinstance(value, str):
        if (number := _read(value)) is not None:
            yield number
    elif isinstance(value, int | float):
        yield value if abs(value) < 2**64 or isinstance(value, float) else math.inf


def _read(text: str) -> Number | None:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    try:
        (number,) = struct.unpack("<d", base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, struct.error):
        return None
    return float(number)


def _require_number(attributes: Mapping[str, Any], name: str, plain: float, what: str) -> float:
    """Return a scale or an offset."""
    if name not in attributes:
        return plain
    found = list(_numbers(attributes[name]))
    if len(found) != 1 or not math.isfinite(found[0]):
        raise DataError(
            f"{name} of {what} must be one finite number; the attribute is {attributes[name]!r}. Correct it, or remove it if the "
            "numbers are stored as they are."
        )
    return float(found[0])


def _marks(value: Any, dtype: np.dtype[np.generic], *, wraps: bool) -> Iterator[Number]:
    """Yield the stored numbers that stand for a missing value, of those that an attribute holds and a cell can."""
    limits = _limits(dtype) if dtype.kind in "iu" else None
    for number in _numbers(value):
        if limits is None:
            with np.errstate(over="ignore"):
                held = float(dtype.type(number))
            if not math.isnan(held):
                yield held
        elif math.isfinite(number) and int(number) == number:
            integer = _wrap(int(number), dtype) if wraps else int(number)
            if limits.min <= integer <= limits.max:
                yield integer


def _limits(dtype: np.dtype[np.generic]) -> "np.iinfo[Any]":
    kind: Any = dtype.type
    return np.iinfo(kind)


def _wrap(number: int, dtype: np.dtype[np.generic]) -> int:
    """Return an integer that was written for the dtype of other sign as this dtype holds the same bits."""
    limits, all_values = _limits(dtype), 1 << (8 * dtype.itemsize)
    if -all_values // 2 <= number < limits.min:
        return number + all_values
    return number - all_values if limits.max < number < all_values else number


def _bounds(attributes: Mapping[str, Any], dtype: np.dtype[np.generic], *, is_packed: bool, wraps: bool) -> Bounds | None:
    """Return what is valid, or None where every number is.

    Bounds of packed integers that are no integers themselves speak of the unpacked numbers, others of the stored ones.
    """
    given = {name: list(_numbers(attributes.get(name))) for name in _RANGE}
    pair = given["valid_range"] if len(given["valid_range"]) == 2 else []
    lows = [number for number in (*pair[:1], *given["valid_min"][:1]) if not math.isnan(number)]
    highs = [number for number in (*pair[1:], *given["valid_max"][:1]) if not math.isnan(number)]
    is_integer = dtype.kind in "iu"
    are_unpacked = is_packed and is_integer and any(isinstance(number, float) for number in (*lows, *highs))
    if is_integer and not are_unpacked:
        lows, highs = ([_fit_bound(number, dtype, wraps=wraps) for number in numbers] for numbers in (lows, highs))
        limits = _limits(dtype)
        lows, highs = [low for low in lows if low > limits.min], [high for high in highs if high < limits.max]
    low, high = max(lows, default=-math.inf), min(highs, default=math.inf)
    if low > high or (low, high) == (-math.inf, math.inf):  # nonsense, or nothing
        return None
    return Bounds(low, high, ", ".join(name for name in _RANGE if given[name]), are_unpacked)


def _fit_bound(bound: Number, dtype: np.dtype[np.generic], *, wraps: bool) -> Number:
    """Return a bound of integers as this dtype holds it, as far as it can."""
    held = _wrap(bound, dtype) if wraps and isinstance(bound, int) else None
    return bound if held is None else held


def _first(wrong: NDArray[np.bool_]) -> tuple[int, int] | None:
    if not wrong.any():
        return None
    row, column = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
    return int(row), int(column)
