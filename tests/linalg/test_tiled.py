"""Tiled work on triangles: LAPACK's numbers, and the same bits for any number of threads."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from dsketch._linalg.arrays import Floats
from dsketch._linalg.blas import add_product, add_square, solve_in_place
from dsketch._linalg.threads import one_blas_thread, run_all, side_by_side
from dsketch._linalg.tiled import (
    factor_in_place,
    invert,
    mirror,
    multiply_by_square,
    multiply_by_turned_square,
    norms_of_square,
    solve_turned,
    square,
)

EPS = np.finfo(float).eps
SIZES = (1, 127, 128, 129, 300, 513)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """As our arithmetic runs."""
    with one_blas_thread():
        yield


def gram(d: int) -> Floats:
    """Return a well-conditioned Gram matrix."""
    A = np.random.default_rng(d).standard_normal((2 * d + 5, d))
    return np.asarray(A.T @ A)


def triangle(d: int) -> Floats:
    """Return its Cholesky factor."""
    return np.ascontiguousarray(np.linalg.cholesky(gram(d)).T)


def solved(R: Floats) -> Floats:
    """Return R⁻ᵀ 1 for three sides."""
    B = np.ones((len(R), 3))
    solve_turned(R, B)
    return B


WORK: dict[str, Callable[[int], Floats]] = {
    "factor": lambda d: factor_in_place(gram(d)),
    "inverse": lambda d: invert(triangle(d)),
    "square": lambda d: square(triangle(d)),
    "norms": lambda d: norms_of_square(triangle(d)),
    "product": lambda d: multiply_by_square(triangle(d), np.ones(d)),
    "turned product": lambda d: multiply_by_turned_square(triangle(d), np.ones(d)),
    "solve": lambda d: solved(triangle(d)),
}


@pytest.mark.parametrize("name", sorted(WORK))
@pytest.mark.parametrize("d", [300, 513])
def test_bits_do_not_depend_on_threads(name: str, d: int) -> None:
    """One, two and four threads give the same bits: tiles have one shape, and each is one call on one thread."""
    found = []
    for threads in (1, 2, 4):
        with side_by_side(threads):
            found.append(WORK[name](d).tobytes())

    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("d", SIZES)
def test_factor_is_lapack_s(d: int) -> None:
    """UᵀU = G to d eps of its diagonal, with zeros below; what stands below the diagonal of G is not read."""
    G = gram(d)
    with_rubbish = np.triu(G) + np.tril(np.full((d, d), np.nan), -1)

    U = factor_in_place(with_rubbish)

    assert np.array_equal(U, np.triu(U))
    size = np.sqrt(np.diag(G))
    assert (np.abs(U.T @ U - G) <= (d + 1) * EPS * np.outer(size, size)).all()


def test_what_has_no_factor_is_refused() -> None:
    """An eigenvalue below zero shows, wherever its tile is."""
    for place in (0, 140, 299):
        G = gram(300)
        G[place, place] = -1.0
        with pytest.raises(np.linalg.LinAlgError):
            factor_in_place(G)


@pytest.mark.parametrize("d", SIZES)
def test_inverse_has_the_residual_that_proofs_use(d: int) -> None:
    """|R X − I| ≤ d eps |R| |X| in every number, also where R is ill-conditioned."""
    R = triangle(d) * np.geomspace(1.0, 1e-6, d)
    R[:, -1] = R[:, 0] + 1e-9 * R[:, -1]
    R = np.triu(R)
    np.fill_diagonal(R, np.where(np.diag(R) == 0, 1.0, np.diag(R)))

    X = invert(R)

    assert np.array_equal(X, np.triu(X))
    assert (np.abs(R @ X - np.eye(d)) <= d * EPS * (np.abs(R) @ np.abs(X)) + EPS).all()


@pytest.mark.parametrize("d", SIZES)
def test_products_are_numpy_s(d: int) -> None:
    """Squares, norms, products and solves are those of whole arrays, to d eps."""
    R, v = triangle(d), np.random.default_rng(1).standard_normal(d)
    size = float(np.linalg.norm(R))

    assert np.allclose(np.triu(square(R)), np.triu(R.T @ R), rtol=0, atol=d * EPS * size**2)
    assert np.allclose(norms_of_square(R), np.linalg.norm(R @ R.T, axis=1), rtol=d * EPS)
    assert np.allclose(multiply_by_square(R, v), R.T @ (R @ v), rtol=0, atol=d * EPS * size**2 * np.linalg.norm(v))
    assert np.allclose(multiply_by_turned_square(R, v), R @ (R.T @ v), rtol=0, atol=d * EPS * size**2 * np.linalg.norm(v))
    assert np.allclose(R.T @ solved(R), 1.0, rtol=0, atol=100 * d * EPS)
    assert np.array_equal(mirror(np.triu(gram(d)) + np.tril(np.ones((d, d)), -1)), np.triu(gram(d)) + np.triu(gram(d), 1).T)


def test_routines_work_on_views_in_place() -> None:
    """A view of a larger array is changed where it lies, its neighbours are not."""
    rng = np.random.default_rng(0)
    whole = rng.standard_normal((20, 30))
    before, C = whole.copy(), whole[2:9, 3:14]
    A, B = rng.standard_normal((7, 5)), rng.standard_normal((5, 11))

    add_product(C, A, B, -2.0)
    add_product(C, np.ascontiguousarray(A.T), B, turn=True)

    expected = before.copy()
    expected[2:9, 3:14] -= A @ B
    assert np.allclose(whole, expected, rtol=0, atol=64 * EPS * 10)
    S = np.zeros((5, 5))
    add_square(S, A)
    assert np.allclose(S, np.triu(A.T @ A))
    U, Y = np.triu(rng.standard_normal((5, 5))) + 4 * np.eye(5), B.copy()
    solve_in_place(U, Y)
    assert np.allclose(U @ Y, B)
    with pytest.raises(ValueError, match="rows in one piece"):
        add_square(S, np.asfortranarray(A))


def test_pieces_come_back_in_their_order() -> None:
    """Whatever finishes first, results stand where their pieces stood; an error is not lost."""
    with side_by_side(3):
        assert run_all(lambda number: number**2, range(50)) == [number**2 for number in range(50)]
        with pytest.raises(ZeroDivisionError):
            run_all(lambda number: 1 / number, [1, 0])
