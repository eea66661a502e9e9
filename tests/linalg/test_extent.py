"""What an inverse proves: never a rank that singular values deny, and no bound better than the truth."""

from collections.abc import Iterator

import numpy as np
import pytest

from dsketch._linalg.arrays import Floats
from dsketch._linalg.backward import backward_error, backward_error_by
from dsketch._linalg.extent import DECOMPOSED_COLUMNS, extent_of
from dsketch._linalg.factor import Factor
from dsketch._linalg.lanczos import SLACK, largest_eigenvalue
from dsketch._linalg.threads import one_blas_thread
from dsketch.problems.linear.distance import _apply_inverse
from dsketch.sketch.sparse_sign import SparseSign

EPS = np.finfo(float).eps
D = 160
ROUGH = 1e-3  # of the decomposition itself at condition 1e10: d eps kappa


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """As our arithmetic runs."""
    with one_blas_thread():
        yield


def triangle(condition: float, seed: int = 0, d: int = D) -> Floats:
    """Return R with singular values that are graded evenly."""
    rng = np.random.default_rng(seed)
    U, V = (np.linalg.qr(rng.standard_normal((d, d)))[0] for _ in range(2))
    return np.asarray(np.linalg.qr((U * np.geomspace(1.0, 1 / condition, d)) @ V, mode="r"))


def decomposed(R: Floats) -> Factor:
    """Return a factor that knows of no extent."""
    factor = Factor(R)
    factor.__dict__["extent"] = None
    return factor


DEFICIENT = {
    "duplicate": lambda R: np.column_stack([R[:, :-1], R[:, 3]]),
    "zero column": lambda R: R * (np.arange(D) != 7),
    "sum of others": lambda R: np.column_stack([R[:, :-1], R[:, :5].sum(axis=1)]),
    "half of the columns": lambda R: np.tile(R[:, : D // 2], 2),
    "duplicate in other units": lambda R: np.column_stack([R[:, :-1], 1e-140 * R[:, 3]]) * np.geomspace(1e-150, 1e150, D),
}


@pytest.mark.parametrize("name", sorted(DEFICIENT))
def test_a_deficient_triangle_has_no_extent(name: str) -> None:
    """Where a direction is missing, singular values decide as ever: the inverse is far too large to prove anything."""
    factor = Factor.of(DEFICIENT[name](np.random.default_rng(1).standard_normal((400, D))))

    assert factor.extent is None
    assert factor.rank == decomposed(factor.R).rank < D


@pytest.mark.parametrize("condition", [1.0, 1e3, 1e6, 1e9, 1e11, 1e13, 1e14, 1e15, 1e16, 1e17])
@pytest.mark.parametrize("units", [0, 6, 150])
def test_rank_is_that_of_singular_values(condition: float, units: int) -> None:
    """An extent is proven only where the rank is full, in any units, and hundreds of times before a rank is in doubt."""
    R = triangle(condition) * np.geomspace(10.0**-units, 10.0**units, D)

    factor, known = Factor(R), decomposed(R)

    assert factor.rank == known.rank
    assert factor.is_deficient == known.is_deficient
    if factor.extent is not None:
        assert known.scaled_singular[-1] > 100 * known.rank_tolerance * known.scaled_singular[0]
    assert factor.extent is not None or condition > 1e9
    assert factor.extent is None or condition < 1e14


@pytest.mark.parametrize("condition", [1.0, 1e3, 1e6, 1e10])
def test_bounds_hold_and_conditions_are_near(condition: float) -> None:
    """All singular values lie within the bounds; condition numbers are right to a factor of 1.1², from below."""
    factor, known = (
        Factor(triangle(condition) * np.geomspace(1e-3, 1e5, D)),
        decomposed(triangle(condition) * np.geomspace(1e-3, 1e5, D)),
    )
    if factor.extent is None:
        pytest.skip("singular values tell")

    (least, largest), s = factor.scaled_bounds, known.scaled_singular

    assert least <= s[-1]
    assert s[0] <= largest <= SLACK * s[0] * (1 + ROUGH)
    assert s[-1] <= SLACK * (1 + ROUGH) * (1 + factor.extent.doubt) * least
    for found, true in ((factor.scaled_condition, known.scaled_condition), (factor.condition, known.condition)):
        assert true / SLACK**2 <= found <= true * (1 + ROUGH)


@pytest.mark.parametrize("mode", ["any", "seen", "least"])
@pytest.mark.parametrize("condition", [1.0, 1e3, 1e6, 1e9])
def test_backward_errors_are_not_below_those_of_singular_values(condition: float, mode: str) -> None:
    """For residuals from nothing to all of b: at least the estimate, and a tenth more at most."""
    factor, rng = Factor(triangle(condition) * np.geomspace(1e-3, 1e5, D)), np.random.default_rng(2)
    s, Vt = factor.scaled_decomposition
    h = {"any": rng.standard_normal((D, 1)), "seen": factor.scaled.T @ rng.standard_normal((D, 1)), "least": Vt[-1:].T}[mode]
    x, g = rng.standard_normal((D, 1)) / factor.scale[:, None], factor.scale[:, None] * h
    assert factor.extent is not None

    for residual in 10.0 ** np.arange(-15.0, 8.0):
        rr = np.array([residual**2])
        found, true = backward_error_by(factor, x, g, rr)[0], backward_error(s, Vt, factor.scale, x, g, rr)[0]
        assert true * (1 - ROUGH) <= found <= SLACK * true * (1 + ROUGH)


@pytest.mark.parametrize("sides", [3, 40])
def test_backward_errors_of_many_sides(sides: int) -> None:
    """Sides of like residuals share a Cholesky factor; of many unlike ones the singular values serve all."""
    factor, rng = Factor(triangle(1e3)), np.random.default_rng(3)
    s, Vt = factor.scaled_decomposition
    x, g, rr = rng.standard_normal((D, sides)), rng.standard_normal((D, sides)), 10.0 ** np.linspace(-8, 4, sides)
    x[:, 0], g[:, 1] = 0.0, 0.0

    found, true = backward_error_by(factor, x, g, rr), backward_error(s, Vt, factor.scale, x, g, rr)

    assert (true * (1 - ROUGH) <= found).all()
    assert (found <= SLACK * true * (1 + ROUGH)).all()
    assert found[1] == 0


@pytest.mark.parametrize("condition", [1.0, 1e6, 1e9])
def test_rows_of_the_inverse_are_bounded(condition: float) -> None:
    """Errors of coefficients start from the norms of rows of R⁻¹ and R⁻¹R⁻ᵀ: rounded up, by little."""
    R, h = triangle(condition), np.ones((D, 1))

    found, true = _apply_inverse(Factor(R), h), _apply_inverse(decomposed(R), h)

    for mine, theirs in zip(found[2:], true[2:], strict=True):
        assert (mine >= theirs * (1 - ROUGH)).all()
        assert (mine <= theirs * (1 + ROUGH)).all()
    assert np.allclose(found[1], true[1], rtol=0, atol=ROUGH * np.abs(true[1]).max())


def test_few_columns_are_decomposed() -> None:
    """Up to 128 columns singular values cost milliseconds, and are what is told."""
    assert extent_of(np.eye(DECOMPOSED_COLUMNS)) is None
    assert extent_of(np.eye(DECOMPOSED_COLUMNS + 1)) is not None


def test_bits_are_the_same_every_time() -> None:
    """Lanczos starts from one vector: condition numbers are facts of a run, not of a day."""
    assert Factor(triangle(1e5)).scaled_condition == Factor(triangle(1e5)).scaled_condition


def test_lanczos_finds_the_largest_of_few() -> None:
    """A space that is whole after a step, and one of zeros, are no trouble; what is not finite is told as such."""
    assert largest_eigenvalue(lambda v: 3.0 * v, 50) == pytest.approx(3.0, rel=1e-12)
    assert largest_eigenvalue(lambda v: 0.0 * v, 50) == 0.0
    assert np.isnan(largest_eigenvalue(lambda v: np.nan * v, 50))


def test_a_sketch_s_factor_has_an_extent_too() -> None:
    """What R is of does not matter."""
    A = np.random.default_rng(5).standard_normal((3000, D))

    assert Factor.of(SparseSign(8 * D, 1).operator(0, 3000)(A)).extent is not None
