"""Masked entries are missing values, wherever they stand; other classes of arrays are plain arrays."""

from collections.abc import Callable
from typing import Any

import dask.array as da
import numpy as np
import pytest

import dsketch as ds
from dsketch.errors import DataError
from dsketch.matrix.head import Head
from dsketch.sklearn import KernelRidge, LinearRegression, Ridge

N = 40
X = np.random.default_rng(0).standard_normal((N, 2))
Y = X @ [1.0, -2.0] + 0.5
W = np.random.default_rng(1).uniform(0.5, 2.0, N)
BAD = 1e6  # what a device wrote where it measured nothing


def masked(array: np.ndarray, row: int, column: int = 0, below: float = BAD) -> Any:
    """Return an array with one masked entry, below which there is a number that is none."""
    found = np.ma.array(array.copy())
    place: Any = (row, column)[: array.ndim]
    found[place] = np.ma.masked
    found.data[place] = below
    return found


def lazy(array: Any, chunks: tuple[int, ...]) -> Any:
    """Return a dask array whose blocks are of the array's own class."""
    return da.from_array(array, chunks=chunks, asarray=False)


ASKED: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "A": ("A", lambda m: ds.lstsq(m(X), Y)),
    "A of ridge": ("A", lambda m: ds.ridge(m(X), Y, 1.0)),
    "A of a kernel": ("A", lambda m: ds.solve(ds.problems.ExpKernel(m(X), Y), progress=False)),
    "A of a power": ("A", lambda m: ds.solve(ds.problems.GramPower(m(X), np.ones(2)), progress=False)),
    "b": ("b", lambda m: ds.lstsq(X, m(np.c_[Y, Y]))),
    "weights": ("weights", lambda m: ds.lstsq(X, Y, weights=m(W))),
    "check": ("A", lambda m: ds.check(ds.LeastSquares(m(X), Y), np.ones(2))),
    "predict": ("A", lambda m: ds.predict([2.0, 1.0], m(X))),
    "prediction of a solution": ("A", lambda m: ds.lstsq(X, Y).predict(m(X))),
    "rows of a list": ("A", lambda m: ds.lstsq(list(m(X)), Y)),
    "numbers of a list": ("weights", lambda m: ds.lstsq(X, Y, weights=list(m(W)))),
    "dask": ("A", lambda m: ds.lstsq(lazy(m(X), (10, 2)), Y)),
    "dask, columns": ("A", lambda m: ds.lstsq(lazy(m(X), (10, 1)), Y)),
    "dask b": ("b", lambda m: ds.lstsq(X, lazy(m(np.c_[Y, Y]), (10, 2)))),
    "fit": ("X", lambda m: LinearRegression().fit(m(X), Y)),
    "fit ridge y": ("y", lambda m: Ridge().fit(X, m(np.c_[Y, Y]))),
    "fit weights": ("sample_weight", lambda m: LinearRegression().fit(X, Y, m(W))),
    "fit a kernel": ("X", lambda m: KernelRidge().fit(m(X), Y)),
    "estimator's prediction": ("X", lambda m: LinearRegression().fit(X, Y).predict(m(X))),
    "score": ("y", lambda m: LinearRegression().fit(X, np.c_[Y, Y]).score(X, m(np.c_[Y, Y]))),
}


@pytest.mark.parametrize("below", [BAD, np.nan])
@pytest.mark.parametrize("name", sorted(ASKED))
def test_a_masked_entry_is_a_missing_value(name: str, below: float) -> None:
    """It is named by row and column, whatever lies below, in whatever belongs to the rows, on every way in."""
    what, ask = ASKED[name]
    column = 0 if "weights" in name or "numbers" in name else 1

    with pytest.raises(DataError, match=f"^{what} is masked at row 13, column {column}; .*Fill it"):
        ask(lambda array: masked(array, 13, column, below))


@pytest.mark.parametrize("kind", [np.ma.array, lambda v: np.ma.array(v, mask=np.zeros(np.shape(v), bool))])
def test_a_mask_of_nothing_is_no_mask(kind: Callable[[Any], Any]) -> None:
    """Without a masked entry the numbers are those of the plain array, bit for bit."""
    right = ds.lstsq(X, Y, weights=W).x

    assert np.array_equal(ds.lstsq(kind(X), kind(Y), weights=kind(W)).x, right)
    assert np.array_equal(ds.lstsq(lazy(kind(X), (N, 2)), Y, weights=W).x, right)
    assert np.array_equal(ds.predict(right, kind(X)), ds.predict(right, X))


def test_masked_x_is_refused() -> None:
    """A coefficient that is not known predicts nothing and can not be judged; nor does a masked projection make a head."""
    x = masked(np.array([1.0, 2.0]), 1)
    for ask in (lambda: ds.predict(x, X), lambda: ds.check(ds.LeastSquares(X, Y), x)):
        with pytest.raises(DataError, match=r"^x is masked at row 1, column 0"):
            ask()
    with pytest.raises(DataError, match=r"^projection is masked at row 1, column 0"):
        Head(X, projection=masked(np.eye(2), 1))


class Quantity(np.ndarray):
    """An array with a unit, whose products are not those of numbers."""

    def __array_ufunc__(self, *args: Any, **words: Any) -> Any:
        """Refuse to compute without units."""
        raise TypeError("units")


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize(
    "kind", [np.matrix, lambda v: np.reshape(v, (N, -1)).view(Quantity), lambda v: np.asarray(v).view(np.recarray)]
)
@pytest.mark.parametrize("method", ["tsqr", "whitened", "cholesky", "sketch_and_solve"])
def test_other_classes_are_plain_arrays(kind: Callable[[Any], Any], method: str) -> None:
    """A subclass's own operators never run: its numbers are what counts, in the shape that it has."""
    tall = [np.reshape(v, (N, -1)) for v in (X, Y, W)]
    A, b, w = (kind(v) for v in tall)
    found = ds.lstsq(A, b, weights=w, method=method)

    assert np.array_equal(found.x, ds.lstsq(tall[0], tall[1], weights=tall[2], method=method).x)
    assert found.x.shape == (2, 1)
    assert type(found.x) is np.ndarray
    assert np.array_equal(ds.predict(found, A), ds.predict(found, X))
    assert np.array_equal(ds.open_matrix(lazy(A, (10, 2))).read(0, N), X)


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([[1, 2], [3]], "row 1 has length 1, row 0 has length 2"),
        ([[1, 2], [3, 4], 5], "row 2 is one number, row 0 has length 2"),
        (([1.0], [2.0], [[3.0], [4.0, 5.0]]), "row 2 is ragged itself, row 0 has length 1"),
        ([np.ones(2), np.ones(3)], "row 1 has length 3, row 0 has length 2"),
    ],
)
def test_ragged_lists_are_named(rows: Any, found: str) -> None:
    """Rows of a list are equally long; the first that is not is named."""
    with pytest.raises(DataError, match=f"A must be a list of rows that are equally long; {found}"):
        ds.lstsq(rows, np.ones(len(rows)))
    assert ds.open_matrix([[1, 2], (3, 4)]).shape == (2, 2)
