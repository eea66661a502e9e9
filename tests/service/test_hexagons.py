"""Hexagons hold the points that are nearest to their centres, as looking at every centre finds, in whatever unit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from dsketch._cli.residuals import residuals_text
from dsketch.service.hexagons import COLUMNS, LINES, count_hexagons, ends_of, place_of
from dsketch.service.residuals import count_cells

Floats = NDArray[np.float64]
ROUNDING = 1e-12  # of squared distances of some hundreds of widths
WIDE = np.finfo(np.float64).max


def all_centres(columns: int, lines: int) -> list[tuple[int, int, float, float]]:
    """Return column, line and place of every centre."""
    return [
        (column, line, column + line % 2 / 2, line * np.sqrt(3) / 2)
        for line in range(lines + 1)
        for column in range(columns + 1 - line % 2)
    ]


def nearest_counts(across: Floats, up: Floats, columns: int, lines: int) -> dict[tuple[int, int], tuple[int, int]]:
    """Return of each hexagon how many points are nearer to it than to others, and how many are as near as to another, by looking at all."""
    centres = all_centres(columns, lines)
    least, most = np.zeros(len(centres), int), np.zeros(len(centres), int)
    for u, v in zip(across * columns, up * lines * np.sqrt(3) / 2, strict=True):
        squares = np.array([(u - x) ** 2 + (v - y) ** 2 for _, _, x, y in centres])
        near = np.flatnonzero(squares <= squares.min() + ROUNDING)
        most[near] += 1
        least[near] += len(near) == 1
    return {(column, line): (int(few), int(many)) for (column, line, _, _), few, many in zip(centres, least, most, strict=True)}


@pytest.mark.parametrize(("columns", "lines"), [(COLUMNS, LINES), (5, 2), (1, 4)])
def test_points_are_counted_at_the_nearest_centre(columns: int, lines: int) -> None:
    """As a look at every centre says, also for points on edges and corners, which belong to one of those that are as near."""
    rng = np.random.default_rng(3)
    edges = [(x / 4 / columns, y / 6 / lines) for x in range(4 * columns + 1) for y in range(6 * lines + 1)][
        :: max(columns * lines // 8, 1)
    ]
    across, up = np.concatenate([rng.random((1_500, 2)), np.array(edges)]).T
    nearest = nearest_counts(across, up, columns, lines)
    counted = {(column, line): count for column, line, count in count_hexagons(across, up, columns, lines)}
    assert sum(counted.values()) == len(across)
    assert counted.keys() <= nearest.keys()
    wrong = {at: (counted.get(at, 0), span) for at, span in nearest.items() if not span[0] <= counted.get(at, 0) <= span[1]}
    assert wrong == {}


@given(
    arrays(np.float64, st.integers(1, 30), elements=st.floats(-1e3, 1e3)),
    st.sampled_from([5e-324, 1e-300, 1.0, 1e300, WIDE / 1e3]),
)
def test_every_unit_is_counted(values: Floats, unit: float) -> None:
    """All rows are in some hexagon of the picture, and ends are finite and apart, in the least unit and in the largest."""
    picture = count_cells("x", values * unit, values[::-1] * unit)
    assert picture["rows"] == len(values)
    for low, high in picture["ends"]:
        assert -WIDE <= low < high <= WIDE
    assert sum(count for _, _, count in picture["hexagons"]) == len(values) == picture["mean_rows"].sum()
    places = {(column, line) for column, line, _, _ in all_centres(COLUMNS, LINES)}
    assert {(column, line) for column, line, _ in picture["hexagons"]} <= places
    known = picture["means"][picture["mean_rows"] > 0]
    low, high = picture["ends"][1]
    assert np.isfinite(known).all()
    assert (known >= low - 1e-9 * abs(low)).all()
    assert (known <= high + 1e-9 * abs(high)).all()


@given(
    arrays(np.float64, st.integers(2, 30), elements=st.floats(-1e3, 1e3).map(lambda value: round(value, 3))),
    st.integers(-900, 900),
)
def test_the_unit_does_not_matter(values: Floats, power: int) -> None:
    """Powers of two, which change no digit, change no hexagon."""
    one, other = (count_cells("x", values * unit, values[::-1] * unit) for unit in (1.0, 2.0**power))
    if np.ptp(values) > 0:  # else zeros have ends of their own
        assert one["hexagons"] == other["hexagons"]


@pytest.mark.parametrize("value", [0.0, 1.0, -3e9, 5e-324, WIDE, -WIDE])
def test_rows_that_are_the_same_lie_in_one_hexagon(value: float) -> None:
    """One row, or many of the same value, lie in the middle of the picture, or at its end where floats reach no farther."""
    for rows in (1, 50):
        picture = count_cells("x", np.full(rows, value), np.zeros(rows))
        ((column, line, count),) = picture["hexagons"]
        assert (count, line) == (rows, LINES // 2)
        assert 0 <= column <= COLUMNS
        assert abs(value) == WIDE or column in (COLUMNS // 2 - 1, COLUMNS // 2)


def test_rows_without_a_value_are_left_out() -> None:
    """Of a column that is infinite or absent in some rows, the others are drawn; of one without any value nothing is."""
    holes = np.array([1.0, np.nan, np.inf, -np.inf, 2.0])
    picture = count_cells("x", holes, np.arange(5.0))
    assert (picture["rows"], picture["ends"]) == (2, ((1.0, 2.0), (0.0, 4.0)))
    nothing = count_cells("x", np.full(3, np.nan), np.arange(3.0))
    assert (nothing["rows"], nothing["hexagons"], nothing["ends"]) == (0, [], ((-0.5, 0.5), (-0.5, 0.5)))


def test_means_are_those_of_bands() -> None:
    """Bands are even, the largest value is in the last one, and each tells its rows."""
    across = np.linspace(0, 1, 241)
    picture = count_cells("x", across, across**2)
    rows, means = picture["mean_rows"], picture["means"]
    assert (len(rows), rows.sum(), rows[-1]) == (24, 241, 11)
    assert np.isclose(means[0], (across[:10] ** 2).mean())
    assert np.isclose(means[-1], (across[230:] ** 2).mean())
    assert list(place_of(np.array([-1.0, 3.0]), ends_of(np.array([-1.0, 3.0])))) == [0.0, 1.0]


def test_letters_stand_where_hexagons_do() -> None:
    """Two letters a hexagon, odd lines shifted by one; the line of 0 is marked; what the darkest letter means is said."""
    picture = {"x": "age", "ends": [[0, 10], [-1, 3]], "columns": 4, "lines": 4, "hexagons": [[0, 0, 1], [1, 1, 7], [4, 4, 50]]}
    lines = residuals_text({"kind": "response", "rows": 58, "of": 100, "pictures": [picture]}).splitlines()
    assert lines[2:7] == [
        "          3 │        @@",
        "            │",
        "            │",
        "          0 │   ==",
        "         -1 │..",
    ]
    assert lines[-1].strip() == "rows in a hexagon: . 1, @ 50"
