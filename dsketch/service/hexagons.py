"""Points counted in hexagons: what a picture of many rows is made of.

A hexagon has no corner farther from its centre than it must, so that a count stands for points that are near each other, and no
direction that the eye would follow, as rows of rectangles have.  Regular hexagons are the points nearest to one centre of two
rectangular lattices, one shifted by half a step both ways: a point is counted at the nearer of its nearest centre in each.

References
----------
D. B. Carr, R. J. Littlefield, W. L. Nicholson, J. S. Littlefield, Scatterplot Matrix Techniques for Large N, Journal of the American
Statistical Association 82 (1987), section 3.
"""

import numpy as np
from numpy.typing import NDArray

# Steps across and up: 33 × 23 hexagons are a picture of 1.63 to 1, and two letters each fit in 80 of a terminal.
COLUMNS, LINES = 32, 22
_APART = 1e-12  # relative: ends that are nearer are one value and its rounding
_RATIO = 0.75  # of squares of steps: lines are √3/2 of a hexagon's width apart

Floats = NDArray[np.float64]
Ends = tuple[float, float]


def ends_of(values: Floats) -> Ends:
    """Return least and largest of finite values, some way apart: half of the value to each side where all are the same, or 1/2 of 0."""
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
    size = max(abs(low), abs(high))
    if high / 2 - low / 2 > _APART * size / 2:
        return low, high
    most, least = np.finfo(np.float64).max, np.finfo(np.float64).tiny
    away = max(size / 2, float(least)) if size else 0.5
    with np.errstate(over="ignore"):
        return max(float(np.subtract(low, away)), -float(most)), min(float(np.add(high, away)), float(most))


def place_of(values: Floats, ends: Ends) -> Floats:
    """Return where values lie between the ends, from 0 to 1; in whatever unit, also where the ends are farther apart than floats reach."""
    unit = max(abs(end) for end in ends)
    low, high = (end / unit for end in ends)
    return np.clip((values / unit - low) / (high - low), 0.0, 1.0)


def count_hexagons(across: Floats, up: Floats, columns: int = COLUMNS, lines: int = LINES) -> list[tuple[int, int, int]]:
    """Return how many points lie in each hexagon that has some: column, line and count, from the lowest line on.

    Lines 0, 2, … have centres at columns 0 to ``columns``, lines 1, 3, … half a column to the right of 0 to ``columns − 1``; the first and
    the last column and line lie on the ends.

    Parameters
    ----------
    across, up : ndarray
        Of shape (rows,), between 0 and 1.
    columns, lines : int
        Steps between the ends; lines are even, so that first and last are alike.
    """
    u, v = across * columns, up * lines
    even_column, even_line = np.rint(u), 2 * np.rint(v / 2)
    odd_column = np.clip(np.floor(u), 0, columns - 1)
    odd_line = 2 * np.clip(np.floor(v / 2), 0, lines // 2 - 1) + 1
    is_even = _square(u - even_column, v - even_line) <= _square(u - odd_column - 0.5, v - odd_line)
    line = np.where(is_even, even_line, odd_line).astype(np.int64)
    column = np.where(is_even, even_column, odd_column).astype(np.int64)
    numbers, counts = np.unique(line * (columns + 1) + column, return_counts=True)
    return [
        (int(number % (columns + 1)), int(number // (columns + 1)), int(count))
        for number, count in zip(numbers, counts, strict=True)
    ]


def _square(across: Floats, up: Floats) -> Floats:
    """Return the square of a distance in widths of hexagons."""
    squared: Floats = across**2 + _RATIO * up**2
    return squared
