"""Where an iteration begins, and penalties by column: numbers that a problem takes one by one or all alike."""

from typing import Any

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.errors import SpecError
from dsketch.problems.arguments import as_numbers, as_penalty


def as_start(start: Any, shape: tuple[int, int]) -> Floats | None:
    """Return where to begin, of the shape of x; None where nobody says.

    Parameters
    ----------
    start : Solution, array_like, str, path or None

    Raises
    ------
    SpecError
        If it does not fit.
    """
    if start is None:
        return None
    given = getattr(start, "x", start)
    return as_numbers("start", given, shape, "Give an x of this problem, or of one with the same columns, or leave it out.")


def as_penalties(alpha: Any, columns: int) -> tuple[Floats, Any]:
    """Return alpha for every column, shape (d,), and as JSON can hold it: a number if it is one for all.

    Raises
    ------
    SpecError
        If one is negative or not finite, or they are not one a column.
    """
    remedy = "Give one number, or one for each column of A; use 0 for no penalty."
    penalties = as_numbers("alpha", alpha, (columns,), remedy)
    if (penalties < 0).any():
        raise SpecError(f"alpha must be numbers ≥ 0; got {penalties.min():g}. {remedy}")
    as_penalty(float(penalties.max(initial=0.0)), remedy)
    is_one = columns > 0 and bool(np.all(penalties == penalties[0]))
    return penalties, float(penalties[0]) if is_one else penalties.tolist()
