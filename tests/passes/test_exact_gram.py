"""The exact sums: those of fractions, of whatever is stored, the same bits on any engine and for any cut of the rows."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dsketch.engine import SerialEngine
from dsketch.errors import DataError
from dsketch.events import ignore
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.rows import Rows
from dsketch.passes import Look, Pass
from dsketch.passes.exact_gram import ExactGram, ExactSums, Peaks
from dsketch.testing.recut import Recut

N = 700


def run(pass_: Pass[Any], rows: Rows, threads: int = 1) -> Any:
    """Return the result of a pass."""
    return pass_.finish(SerialEngine(threads).run(Look(pass_, rows), ignore))


def sums_of(rows: Rows, threads: int = 1) -> ExactSums:
    """Return the exact sums by both passes."""
    found: ExactSums = run(ExactGram(*run(Peaks(), rows), rows.shape[1]), rows, threads)
    return found


def rows_of(A: NDArray[Any], b: NDArray[Any], w: NDArray[Any] | None, cuts: list[int], intercept: bool = False) -> Rows:
    """Return rows in blocks."""
    return Rows(Recut(ArrayMatrix(A), np.array(cuts)), ArrayMatrix(b), None if w is None else ArrayMatrix(w), intercept)


def fractions_of(A: NDArray[Any], b: NDArray[Any], w: NDArray[Any] | None) -> list[list[Fraction]]:
    """Return [A b]ᵀW[A b] row by row of A."""
    Z = [[Fraction(value) for value in row] for row in np.concatenate([A.astype(object), b.astype(object)], axis=1).tolist()]
    W = [Fraction(1)] * len(Z) if w is None else [Fraction(value) for value in w.tolist()]
    places = range(len(Z[0]))
    return [[sum((c * row[i] * row[j] for c, row in zip(W, Z, strict=True)), Fraction(0)) for j in places] for i in places]


def require_equal(sums: ExactSums, truth: list[list[Fraction]]) -> None:
    """Hold the sums to fractions."""
    d, two = len(sums.units), Fraction(2)
    for i, unit in enumerate(sums.units.tolist()):
        for j, other in enumerate(sums.units.tolist()):
            assert Fraction(sums.squares[i, j]) * two ** (unit + other - sums.bits) == truth[i][j]
        for j, other in enumerate(sums.units_of_b.tolist()):
            assert Fraction(sums.cross[i, j]) * two ** (unit + other - sums.bits) == truth[i][d + j]
    for j, other in enumerate(sums.units_of_b.tolist()):
        assert Fraction(sums.sizes[j]) * two ** (2 * other - sums.bits) == truth[d + j][d + j]


def make(kind: str) -> NDArray[Any]:
    """Return a matrix of some kind of numbers."""
    A = np.random.default_rng(2).standard_normal((N, 3))
    A[::91] *= 1e-12
    kinds: dict[str, Any] = {
        "float64": lambda: A,
        "float32": lambda: A.astype(np.float32),
        "int8": lambda: np.rint(30 * A).astype(np.int8),
        "uint64": lambda: (np.rint(2.0**60 * np.abs(A)).astype(np.uint64) | np.uint64(1)) << np.uint64(1),
        "far apart": lambda: A * 10.0 ** np.array([-120, 0, 140]),
        "zeros": lambda: 0 * A,
    }
    return np.asarray(kinds[kind]())


@pytest.mark.parametrize("kind", ["float64", "float32", "int8", "uint64", "far apart", "zeros"])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_sums_are_those_of_fractions(kind: str, is_weighted: bool) -> None:
    """No digit of any number, nor of a weight, is lost."""
    rng = np.random.default_rng(3)
    A, b, w = make(kind), rng.standard_normal((N, 2)), rng.random(N) if is_weighted else None

    require_equal(sums_of(rows_of(A, b, w, [0, 1, 300, N])), fractions_of(A, b, w))


def test_the_column_of_ones() -> None:
    """An intercept is a column of ones, also beside integers that float64 does not hold."""
    A, b = make("uint64"), np.ones((N, 1))

    sums = sums_of(rows_of(A, b, None, [0, N], intercept=True))

    require_equal(sums, fractions_of(np.concatenate([A.astype(object), np.ones((N, 1), dtype=object)], axis=1), b, None))


@pytest.mark.parametrize("threads", [1, 2])
def test_cuts_and_threads_change_no_bit(threads: int) -> None:
    """Rows cut otherwise, added by another number of threads: the same integers, and the same part."""
    A, b = make("float64"), np.random.default_rng(4).standard_normal((N, 1))
    whole = sums_of(rows_of(A, b, None, [0, N]))

    for cuts in ([0, 13, 600, N], [*range(0, N, 50), N]):
        found = sums_of(rows_of(A, b, None, cuts), threads)
        assert (found.squares == whole.squares).all()
        assert (found.cross == whole.cross).all()
        assert found.bits == whole.bits


def test_a_nan_is_named() -> None:
    """A NaN is refused with its row, as by any pass."""
    A = make("float64").copy()
    A[345, 1] = np.nan
    rows = rows_of(A, np.ones((N, 1)), None, [0, 300, N])

    for pass_ in (Peaks(), ExactGram(np.full(4, 8.0), np.zeros(1), 3)):
        with pytest.raises(DataError, match="row 345, column 1"):
            run(pass_, rows)


def test_peaks_decide_speed_alone() -> None:
    """Sums do not depend on the largest numbers that are said, however wrong."""
    A, b = make("float64"), np.ones((N, 1))
    rows = rows_of(A, b, None, [0, N])

    for said in (1e-30, 1e30):
        require_equal(run(ExactGram(np.full(4, said), np.zeros(1), 3), rows), fractions_of(A, b, None))
