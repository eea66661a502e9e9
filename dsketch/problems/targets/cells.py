"""The cells of b, a slice of targets at a time: widened to float64, and what stands in a cell that no answer can be made of."""

from collections.abc import Iterator
from math import prod

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.scratch import scratch
from dsketch.errors import DataError
from dsketch.matrix.base import AnyArray
from dsketch.matrix.targets import Box, LackingError, Targets
from dsketch.matrix.tiles import SLAB_NUMBERS

_LEAST_WIDTH = 16


def slices_of(rows: int, width: int) -> Iterator[slice]:
    """Yield slices of ``width`` targets, with ``rows`` rows each in a cache."""
    step = max(SLAB_NUMBERS // rows, _LEAST_WIDTH)
    for low in range(0, width, step):
        yield slice(low, min(low + step, width))


def cells(targets: Targets, stored: AnyArray, which: slice, row: int, box: Box, *, is_changed: bool = True) -> Floats:
    """Return some targets of stored rows as float64, shape (rows, targets), in memory that the next call reuses.

    Parameters
    ----------
    stored : ndarray, shape (rows, w)
    which : slice
        Of the w targets.
    row : int
        Number of the first row.
    box : Box
        Of the w targets.
    is_changed : bool
        Whether the caller writes into them.  If not, numbers that were read as float64 are returned where they are.

    Raises
    ------
    DataError
        For a cell that is marked as missing, where none may be.
    """
    part = stored[:, which]
    if not (is_changed or targets.is_local) and part.dtype == np.float64 and targets.conventions is None:
        return part.view(np.float64)
    out = scratch("cells", part.shape)
    try:
        return targets.widen(part, out)
    except LackingError as found:
        place = name_of(box, which.start + found.column)
        raise DataError(
            f"{targets.what} must have no missing values; row {row + found.row}, target {place} {found.why}. Leave such rows out for their "
            "targets alone with missing='drop'."
        ) from None


def name_of(box: Box, number: int) -> str:
    """Return a target of a box as errors name it: its numbers along the trailing dimensions."""
    shape = tuple(one.stop - one.start for one in box)
    place = np.unravel_index(number, shape) if shape else ()
    numbers = [int(at) + one.start for at, one in zip(place, box, strict=True)]
    return str(numbers[0]) if len(numbers) == 1 else str(tuple(numbers))


def size_of(box: Box) -> int:
    """Return how many targets a box has."""
    return prod(one.stop - one.start for one in box)


def refuse_nonfinite(targets: Targets, S: Floats, which: slice, row: int, box: Box) -> None:
    """Raise the error that names the first infinity among cells, or NaN where none may be, if there is one.

    Raises
    ------
    DataError
        With row, target and value.
    """
    wrong = np.isinf(S) if targets.may_lack else ~np.isfinite(S)
    if not wrong.any():
        return
    at, column = (int(index) for index in np.unravel_index(int(np.argmax(wrong)), S.shape))
    value, place = S[at, column], name_of(box, which.start + column)
    advice = (
        "Leave such rows out for their targets alone with missing='drop'."
        if np.isnan(value)
        else "Correct it, or make it NaN and give missing='drop'."
    )
    raise DataError(f"{targets.what} must be finite; row {row + at}, target {place} is {value}. {advice}")


def refuse_overflow(what: str, box: Box, number: int) -> None:
    """Raise the error for squares that overflowed though every number is finite.

    Raises
    ------
    DataError
        Always.
    """
    raise DataError(
        f"the squares of {what} must be finite in float64; those of target {name_of(box, number)} overflow. Rescale A and {what} "
        "(units!) to entries below 1e150."
    )
