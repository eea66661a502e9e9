"""Work of d³ flops on triangles, in tiles of one shape whatever the number of threads, so that bits do not depend on it.

A BLAS that runs on several threads cuts its work by their number, and sums in another order.  Here every tile is one BLAS call on one
thread, with its sums in a fixed order; which thread runs it does not matter (:func:`~dsketch._linalg.threads.run_all`).  Squares are
symmetric: only their upper triangles are made.
"""

from collections.abc import Iterator

import numpy as np
from scipy.linalg import lapack

from dsketch._linalg.arrays import Floats
from dsketch._linalg.blas import add_product, solve_in_place
from dsketch._linalg.threads import run_all

TILE = 128  # rows of a tile: what is done one after the other, on the diagonal, is a small share
_PANEL = 64  # columns of a panel of QR: reflectors that are made one by one, and then applied at once
_WIDTH = 256  # columns of a tile: gemm is near its full speed, and there are tiles for many threads


def _spans(start: int, stop: int, step: int) -> Iterator[slice]:
    for low in range(start, stop, step):
        yield slice(low, min(low + step, stop))


def factor_in_place(G: Floats) -> Floats:
    """Return U, upper triangular with UᵀU = G, in the place of G, of which the upper triangle is read.

    Parameters
    ----------
    G : ndarray, shape (d, d), C order

    Raises
    ------
    numpy.linalg.LinAlgError
        If G is not positive definite to rounding.
    """
    d = len(G)
    for own in _spans(0, d, TILE):
        above, row = G[: own.start], G[own]

        def subtract(columns: slice, own: slice = own, above: Floats = above, row: Floats = row) -> None:
            add_product(row[:, columns], above[:, own], above[:, columns], -1.0, turn=True)

        run_all(subtract, _spans(own.start, d, _WIDTH))
        diagonal = np.linalg.cholesky(np.ascontiguousarray(row[:, own]), upper=True)
        row[:, own], row[:, : own.start] = diagonal, 0.0

        def divide(columns: slice, row: Floats = row, diagonal: Floats = diagonal) -> None:
            solve_in_place(diagonal, row[:, columns], turn=True)

        run_all(divide, _spans(own.stop, d, _WIDTH))
    return G


def invert(R: Floats) -> Floats:
    """Return X with R X = I + E, |E| ≤ 2 d u |R| |X| in every number; R upper triangular, shape (d, d)."""
    X = np.zeros_like(R, order="C")

    def columns_of(own: slice) -> None:
        target = X[:, own]
        target[own] = np.eye(own.stop - own.start)
        for rows in reversed(list(_spans(0, own.stop, TILE))):
            solve_in_place(R[rows, rows], target[rows])
            add_product(target[: rows.start], R[: rows.start, rows], target[rows], -1.0)

    run_all(columns_of, reversed(list(_spans(0, len(R), TILE))))  # the longest first
    return X


def square(T: Floats) -> Floats:
    """Return the upper triangle of TᵀT for upper triangular T, shape (d, d); below it stand zeros or what belongs above."""
    S = np.zeros_like(T, order="C")

    def tile(place: tuple[slice, slice]) -> None:
        rows, columns = place
        add_product(S[rows, columns], T[: rows.stop, rows], T[: rows.stop, columns], turn=True)

    d = len(T)
    run_all(tile, [(rows, columns) for rows in _spans(0, d, TILE) for columns in _spans(rows.start, d, _WIDTH)])
    return S


def norms_of_square(T: Floats) -> Floats:
    """Return the norms of the rows of T Tᵀ for upper triangular T, shape (d,), without making it."""

    def tile(place: tuple[slice, slice]) -> tuple[slice, Floats, slice, Floats]:
        rows, others = place
        found = T[rows, others.start :] @ T[others, others.start :].T
        found *= found
        mirrored = np.zeros(others.stop - others.start) if rows == others else found.sum(axis=0)
        return rows, found.sum(axis=1), others, mirrored

    d = len(T)
    squares, places = np.zeros(d), [(rows, others) for rows in _spans(0, d, TILE) for others in _spans(rows.start, d, TILE)]
    for rows, own, others, mirrored in run_all(tile, places):
        squares[rows] += own
        squares[others] += mirrored
    return np.sqrt(squares)


def multiply_by_square(T: Floats, v: Floats) -> Floats:
    """Return TᵀT v for upper triangular T, shape (d,); T is read once."""

    def part(rows: slice) -> Floats:
        own = T[rows, rows.start :]
        return np.asarray((own @ v[rows.start :]) @ own)

    places = list(_spans(0, len(T), TILE))
    found = np.zeros(len(T))
    for rows, more in zip(places, run_all(part, places), strict=True):
        found[rows.start :] += more
    return found


def multiply_by_turned_square(T: Floats, v: Floats) -> Floats:
    """Return T Tᵀ v for upper triangular T, shape (d,); T is read once."""

    def part(columns: slice) -> Floats:
        own = T[: columns.stop, columns]
        return np.asarray(own @ (v[: columns.stop] @ own))

    places = list(_spans(0, len(T), TILE))
    found = np.zeros(len(T))
    for columns, more in zip(places, run_all(part, places), strict=True):
        found[: columns.stop] += more
    return found


def solve_turned(U: Floats, B: Floats) -> None:
    """Write U⁻ᵀB into B; U upper triangular, shape (d, d), B of shape (d, k) in C order."""
    for own in _spans(0, len(U), TILE):
        add_product(B[own], U[: own.start, own], B[: own.start], -1.0, turn=True)
        solve_in_place(U[own, own], B[own], turn=True)


def mirror(G: Floats) -> Floats:
    """Return G, with what is above its diagonal written below it too."""
    for rows in _spans(0, len(G), TILE):
        for columns in _spans(rows.stop, len(G), TILE):
            G[columns, rows] = G[rows, columns].T
        own = G[rows, rows]
        own[...] = np.triu(own) + np.triu(own, 1).T
    return G


def triangularize(M: Floats) -> Floats:
    """Return the upper triangular R of M = Q R by Householder reflections, shape (min(m, c), c).

    Parameters
    ----------
    M : ndarray, shape (m, c)
    """
    A = np.array(M, dtype=np.float64, order="F")
    rows, columns = A.shape
    for own in _spans(0, min(rows, columns), _PANEL):
        panel, factors, _, _ = lapack.dgeqrf(A[own.start :, own])
        A[own.start :, own] = panel

        def reflect(others: slice, low: int = own.start, panel: Floats = panel, factors: Floats = factors) -> None:
            A[low:, others] = lapack.dormqr("L", "T", panel, factors, A[low:, others], _PANEL * _WIDTH)[0]

        run_all(reflect, _spans(own.stop, columns, _WIDTH))
    return np.triu(np.ascontiguousarray(A[: min(rows, columns)]))
