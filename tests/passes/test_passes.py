"""Passes: each equals its dense formula, merges as it says, and gives the same bits on any engine."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsketch._linalg.factor import Factor
from dsketch.engine import SerialEngine
from dsketch.engine.panels import merge_parts
from dsketch.events import ignore
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.rows import Rows
from dsketch.passes import Both, Gradient, Gram, JointTriangle, Look, Normal, Pass, Sandwich, Sketching, Triangle, WhitenedGram
from dsketch.passes.base import contents, leaves
from dsketch.sketch import SparseSign
from dsketch.testing.recut import Recut

EPS = np.finfo(float).eps
N, D = 500, 6


@dataclass(frozen=True)
class Data:
    """Rows in uneven blocks, and the dense float64 [A 1] and b, scaled by √w, that they stand for."""

    rows: Rows
    A: np.ndarray
    b: np.ndarray
    raw: np.ndarray
    w: np.ndarray


def data(dtype: str = "float64", k: int = 1, intercept: bool = False, weighted: bool = False, cuts: Any = None) -> Data:
    """Return random rows."""
    rng = np.random.default_rng(3)
    A = 10 * rng.standard_normal((N, D))
    A = A > 0 if dtype == "bool" else A.astype(dtype)
    b = rng.standard_normal((N, k))
    w = rng.uniform(0, 3, N).round(1) if weighted else np.ones(N)
    cuts = np.array([0, 1, 17, 200, 201, 420, N]) if cuts is None else np.asarray(cuts)
    rows = Rows(Recut(ArrayMatrix(A), cuts), ArrayMatrix(b) if k else None, ArrayMatrix(w) if weighted else None, intercept)
    full = np.concatenate([A.astype(float), np.ones((N, 1))], axis=1) if intercept else A.astype(float)
    root = np.sqrt(w)[:, None]
    return Data(rows, root * full, root * b, b, w)


def run(pass_: Pass[Any], rows: Rows, threads: int = 1) -> Any:
    """Return the result of a pass."""
    return pass_.finish(SerialEngine(threads).run(Look(pass_, rows), ignore))


def point(d: int, k: int) -> np.ndarray:
    """Return some x."""
    return np.random.default_rng(9).standard_normal((d, max(k, 1)))


def close(found: np.ndarray, expected: np.ndarray, size: np.ndarray) -> bool:
    """Whether found is within n eps of expected, entry by entry, ``size`` being the sum of absolute terms."""
    return found.shape == expected.shape and bool((np.abs(found - expected) <= 4 * N * EPS * size).all())


cases = pytest.mark.parametrize(
    "case",
    [
        {},
        {"k": 0},
        {"k": 3},
        {"dtype": "float32", "k": 3},
        {"dtype": "int16"},
        {"dtype": "bool"},
        {"intercept": True, "k": 3},
        {"weighted": True, "k": 3},
        {"weighted": True, "intercept": True, "dtype": "int16"},
        {"cuts": [0, N]},
        {"cuts": range(0, N + 1, 5), "k": 3},
        {"k": 11, "weighted": True},
    ],
    ids=str,
)


@cases
def test_gram_is_its_formula(case: dict[str, Any]) -> None:
    """AᵀA, Aᵀb, the diagonal of bᵀb."""
    d = data(**case)

    G, c, squares = run(Gram(), d.rows)

    for found, (left, right) in zip((G, c), ((d.A, d.A), (d.A, d.b)), strict=True):
        assert close(found, left.T @ right, np.abs(left).T @ np.abs(right))
    assert close(squares, np.sum(d.b**2, axis=0), np.sum(d.b**2, axis=0))


@cases
def test_gradient_is_its_formula(case: dict[str, Any]) -> None:
    """Aᵀ(b − A x), ‖b − A x‖² and the weighted moments of b."""
    d = data(**case)
    if not d.b.shape[1]:
        pytest.skip("a gradient needs b")
    x = point(d.A.shape[1], d.b.shape[1])

    slope = run(Gradient(x), d.rows)

    r, size = d.b - d.A @ x, np.abs(d.b) + np.abs(d.A) @ np.abs(x)
    mean = np.average(d.raw, axis=0, weights=d.w)
    assert close(slope.g, d.A.T @ r, np.abs(d.A).T @ size)
    assert close(slope.rr, np.sum(r**2, axis=0), np.sum(size**2, axis=0))
    assert close(slope.weight, np.array([d.w.sum()]), d.w.sum())
    assert close(slope.mean, mean, np.average(np.abs(d.raw), axis=0, weights=d.w))
    assert close(slope.spread, (d.w[:, None] * (d.raw - mean) ** 2).sum(axis=0), (d.w[:, None] * d.raw**2).sum(axis=0))


@cases
def test_normal_is_its_formula(case: dict[str, Any]) -> None:
    """AᵀA v, for one vector and for several."""
    d = data(**case)
    for k in (1, 3):
        v = point(d.A.shape[1], k)

        found = run(Normal(v), d.rows)

        assert close(found, d.A.T @ (d.A @ v), np.abs(d.A).T @ (np.abs(d.A) @ np.abs(v)))


@cases
def test_sketching_is_its_formula(case: dict[str, Any]) -> None:
    """S A and S b with the S of the global row numbers."""
    d, sketch = data(**case), SparseSign(40, 2)
    S = sketch.columns(0, N)

    for found, dense in zip(run(Sketching(sketch), d.rows), (d.A, d.b), strict=True):
        assert close(found, S @ dense, np.abs(S) @ np.abs(dense))


@cases
def test_triangle_is_its_formula(case: dict[str, Any]) -> None:
    """Upper triangular R with RᵀR = AᵀA, Rᵀz = Aᵀb and ‖z‖² + the rest = ‖b‖², to n eps of the product of column norms."""
    d = data(**case)

    R, z, rr = run(Triangle(), d.rows)

    norms, sides = np.linalg.norm(d.A, axis=0), np.linalg.norm(d.b, axis=0)
    assert np.array_equal(R, np.triu(R))
    assert close(R.T @ R, d.A.T @ d.A, np.outer(norms, norms))
    assert close(R.T @ z, d.A.T @ d.b, np.outer(norms, sides))
    assert close(np.sum(z**2, axis=0) + rr, sides**2, sides**2)


@cases
def test_joint_triangle_is_its_formula(case: dict[str, Any]) -> None:
    """Upper triangular R with RᵀR = [A b]ᵀ[A b], to n eps of the product of column norms."""
    d = data(**case)
    Z = np.concatenate([d.A, d.b], axis=1)

    R, z, rr = run(JointTriangle(), d.rows)

    norms = np.linalg.norm(Z, axis=0)
    assert z.shape == (Z.shape[1], 0)
    assert rr.shape == (0,)
    assert np.array_equal(R, np.triu(R))
    assert close(R.T @ R, Z.T @ Z, np.outer(norms, norms))


def test_rest_of_b_keeps_its_digits() -> None:
    """A residual of 1e-12 ‖b‖ is right to 1e-3, of one side beside the columns and of many: no difference of squares."""
    rng = np.random.default_rng(0)
    A, x = rng.standard_normal((4000, 3)), rng.standard_normal((3, 12))
    noise = 1e-12 * rng.standard_normal((4000, 12))
    b = A @ x + noise
    left = np.linalg.norm(b - A @ np.linalg.lstsq(A, b)[0], axis=0)

    for sides in (slice(0, 1), slice(0, 12)):
        found = run(Triangle(), Rows(ArrayMatrix(A), ArrayMatrix(b[:, sides])))
        assert np.allclose(found.rest, left[sides], rtol=1e-3, atol=0)


@cases
def test_whitened_gram_is_its_formula(case: dict[str, Any]) -> None:
    """YᵀY and Yᵀb for Y = A R⁻¹; with A's own R this is the identity, to n eps."""
    d = data(**case)
    factor = Factor.of(d.A)

    W, c = run(WhitenedGram(factor.whitener), d.rows)

    Y = factor.whitener.apply(d.A)
    assert close(W, Y.T @ Y, np.ones_like(W))
    assert close(W, np.eye(d.A.shape[1]), np.full(W.shape, np.linalg.cond(d.A)))
    assert close(c, Y.T @ d.b, np.abs(Y).T @ np.abs(d.b))


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("k", [1, 3])
def test_sandwich_is_its_formula(k: int, weighted: bool, power: float) -> None:
    """Σ ω yᵢ yᵢᵀ with ω = r²/(1 − h)^(2 power)."""
    d = data(k=k, weighted=weighted)
    factor, x = Factor.of(d.A), point(D, k)
    Y = factor.whitener.apply(d.A)
    h, r = np.sum(Y**2, axis=1), d.b - d.A @ x

    found = run(Sandwich(x, factor.whitener, power), d.rows)

    omega = r**2 / (1 - h)[:, None] ** (2 * power)
    assert not found.rows.size
    for side in range(k):
        expected = Y.T @ (omega[:, side : side + 1] * Y)
        # r and 1 − h lose a few digits to cancellation: their terms are at most 8 times their value here.
        assert close(found.meat[side], expected, np.full((D, D), 8 * np.trace(expected)))


def test_both_is_the_pair() -> None:
    """A product of passes gives each one's bits in one reading, and names both; products nest."""
    d = data(k=2)
    first, second, third = Sketching(SparseSign(40, 2)), Gram(), Normal(point(D, 1))

    (sketched, products), curved = run(Both(first & second, third), d.rows)

    assert all(np.array_equal(*pair) for pair in zip(sketched, run(first, d.rows), strict=True))
    assert all(np.array_equal(*pair) for pair in zip(products, run(second, d.rows), strict=True))
    assert np.array_equal(curved, run(third, d.rows))
    assert Both(first & second, third).names() == "sketch & gram & normal"


def test_triangle_beside_another_pass_is_a_triangle() -> None:
    """Beside a pass that accumulates, triangles are folded within a panel: the same R to rounding, up to the signs of its rows."""
    d = data(k=2)
    Z = np.concatenate([d.A, d.b], axis=1)

    (R, z, rr), slope = run(Both(Triangle(), Gradient(point(D, 2))), d.rows)

    norms = np.linalg.norm(Z, axis=0)
    T = np.concatenate([R, z], axis=1)
    assert close(T[:, :D].T @ T, d.A.T @ Z, np.outer(norms[:D], norms))
    assert close(np.sum(z**2, axis=0) + rr, norms[D:] ** 2, norms[D:] ** 2)
    assert np.array_equal(slope.g, run(Gradient(point(D, 2)), d.rows).g)


def test_moments_survive_a_large_offset() -> None:
    """The spread of b + 1e8 is that of b to 1e8 eps relative: no Σb² − n mean² anywhere."""
    rng = np.random.default_rng(1)
    b = rng.standard_normal(N)
    rows = Rows(Recut(ArrayMatrix(rng.standard_normal((N, 2))), np.arange(0, N + 1, 20)), ArrayMatrix(b + 1e8))

    slope = run(Gradient(np.zeros((2, 1))), rows)

    assert abs(slope.spread[0] - np.sum((b - b.mean()) ** 2)) <= 1e8 * EPS * 8 * np.sqrt(N) * np.linalg.norm(b)
    assert abs(slope.mean[0] - np.mean(b + 1e8)) <= 4 * EPS * 1e8


def test_moments_of_rows_without_weight() -> None:
    """Blocks whose weights are all zero leave the moments of the others alone."""
    rng = np.random.default_rng(1)
    b, w = rng.standard_normal(N) + 5, np.zeros(N)
    w[200:300] = 1.0
    rows = Rows(Recut(ArrayMatrix(rng.standard_normal((N, 2))), np.arange(0, N + 1, 50)), ArrayMatrix(b), ArrayMatrix(w))

    slope = run(Gradient(np.zeros((2, 1))), rows)

    assert np.isclose(slope.mean[0], b[200:300].mean(), rtol=1e-13)
    assert np.isclose(slope.spread[0], np.sum((b[200:300] - b[200:300].mean()) ** 2), rtol=1e-12)


# ---- the algebra of parts --------------------------------------------------------------------------------------------

PASSES: dict[str, Callable[[int, int], Pass[Any]]] = {
    "both": lambda d, k: Both(Gram(), Gradient(point(d, k))),
    "gradient": lambda d, k: Gradient(point(d, k)),
    "gram": lambda _d, _k: Gram(),
    "normal": lambda d, k: Normal(point(d, k)),
    "sandwich": lambda d, k: Sandwich(point(d, k), Factor.of(data().A).whitener, 1.0),
    "sketching": lambda _d, _k: Sketching(SparseSign(40, 2)),
    "joint triangle": lambda _d, _k: JointTriangle(),
    "triangle": lambda _d, _k: Triangle(),
    "whitened": lambda _d, _k: WhitenedGram(Factor.of(data().A).whitener),
}


def parts_of(pass_: Pass[Any], d: Data) -> list[Any]:
    """Return the part of every block."""
    cuts = d.rows.cuts.tolist()
    return [pass_.map(d.rows.block(start, stop), None) for start, stop in itertools.pairwise(cuts)]


@pytest.mark.parametrize("name", sorted(PASSES))
def test_merge_leaves_its_inputs_unchanged(name: str) -> None:
    """A merge that is tried again after a worker's death must find its parts whole."""
    d, pass_ = data(k=2), PASSES[name](D, 2)
    left, right = parts_of(pass_, d)[2:4]
    before = [array.copy() for array in leaves(left) + leaves(right)]

    merged_part = pass_.merge(left, right)

    assert all(np.array_equal(*pair) for pair in zip(before, leaves(left) + leaves(right), strict=True))
    assert not any(np.shares_memory(new, old) for new in leaves(merged_part) for old in leaves(left) + leaves(right))


@pytest.mark.parametrize("name", sorted(PASSES))
def test_merge_is_associative_up_to_rounding(name: str) -> None:
    """Folding left, folding right and the tree give the same result to n eps of its size."""
    d, pass_ = data(k=2), PASSES[name](D, 2)
    parts = parts_of(pass_, d)

    left, right = parts[0], parts[-1]
    for part in parts[1:]:
        left = pass_.merge(left, part)
    for part in parts[-2::-1]:
        right = pass_.merge(part, right)

    for one, two, three in zip(leaves(left), leaves(right), leaves(merge_parts(pass_, parts)), strict=True):
        if name.endswith("triangle"):  # unique up to the sign of rows
            one, two, three = (abs(array) for array in (one, two, three))
        limit = 10 * N * EPS * np.abs(one).max(initial=0.0)
        assert np.abs(one - two).max(initial=0.0) <= limit
        assert np.abs(one - three).max(initial=0.0) <= limit


@pytest.mark.parametrize("name", sorted(PASSES))
def test_part_bytes_are_kept(name: str) -> None:
    """No part is larger than the plan counts on."""
    d, pass_ = data(k=2), PASSES[name](D, 2)

    for part in parts_of(pass_, d):
        # The moments of b and their weight are a handful of numbers that the count may leave out.
        assert sum(array.nbytes for array in leaves(part)) <= pass_.part_bytes(D, 2) + 64


@pytest.mark.parametrize("name", sorted(PASSES))
@given(st.integers(0, 2**32 - 1))
def test_block_order_in_a_panel_is_a_fold(name: str, seed: int) -> None:
    """``map`` with a part adds to it: two blocks in turn are the merge of their parts, to rounding."""
    rng = np.random.default_rng(seed)
    middle = int(rng.integers(1, N))
    d, pass_ = data(k=2, cuts=[0, middle, N]), PASSES[name](D, 2)
    first, second = d.rows.block(0, middle), d.rows.block(middle, N)

    folded = leaves(pass_.map(second, pass_.map(first, None)))
    joined = leaves(pass_.merge(pass_.map(first, None), pass_.map(second, None)))

    for one, two in zip(folded, joined, strict=True):
        assert np.abs(np.abs(one) - np.abs(two)).max(initial=0.0) <= 10 * N * EPS * np.abs(one).max(initial=0.0)


@pytest.mark.parametrize("name", sorted(PASSES))
def test_result_does_not_depend_on_threads(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tree law: 1, 2, 3 or 4 threads give the same bits, with many panels and with few."""
    for panel_bytes in (1, 3000, 10**6):
        monkeypatch.setattr("dsketch.engine.panels.PANEL_BYTES", panel_bytes)
        d, pass_ = data(k=2, cuts=range(0, N + 1, 10)), PASSES[name](D, 2)
        one, *others = (leaves(SerialEngine(threads).run(Look(pass_, d.rows), ignore)) for threads in (1, 2, 3, 4))

        for other in others:
            assert all(np.array_equal(*pair) for pair in zip(one, other, strict=True))


def test_triangle_of_few_rows_is_padded() -> None:
    """Fewer rows than columns still give a square R."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((3, 5))

    R = run(Triangle(), Rows(ArrayMatrix(A))).R

    assert R.shape == (5, 5)
    assert np.allclose(R.T @ R, A.T @ A, rtol=0, atol=1e-13)


def test_triangle_by_randomized_cholesky_is_as_good() -> None:
    """A wide slice (here of 8 d rows) takes the faster way: RᵀR = AᵀA to n eps, and all singular values are right to d eps."""
    rng = np.random.default_rng(0)
    n, d = 3300, 400
    U, V = (np.linalg.qr(rng.standard_normal((rows, d)))[0] for rows in (n, d))
    A = U * np.geomspace(1, 1e-12, d) @ V

    R = run(Triangle(), Rows(ArrayMatrix(A))).R

    s, exact = np.linalg.svd(R, compute_uv=False), np.geomspace(1, 1e-12, d)
    assert np.abs(s - exact).max() <= d * EPS
    norms = np.linalg.norm(A, axis=0)
    assert (np.abs(R.T @ R - A.T @ A) <= n * EPS * np.outer(norms, norms)).all()


def test_contents_open_nested_passes() -> None:
    """What a digest is made of: the kind and every parameter, of nested passes too."""
    x = np.ones((2, 1))

    assert contents(Gradient(x))[:2] == ["gradient", "x"]
    assert "gram" in contents(Both(Gram(), Gradient(x)))
    assert any(value is x for value in contents(Both(Gram(), Gradient(x))))
