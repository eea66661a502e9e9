"""Answers by tiles are those of each target by itself: coefficients, errors, t, p, R², certificates; weights, penalties, far columns."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

import dsketch as ds
from dsketch.matrix.open_targets import open_targets
from dsketch.matrix.tiles import Grid, TileMatrix
from dsketch.settings import EPS

N, D, K = 60, 3, 40
RNG = np.random.default_rng(5)
A = RNG.standard_normal((N, D))
B = A @ RNG.standard_normal((D, K)) + RNG.standard_normal((N, K)) + 2.0
LACKING = np.where(RNG.random(B.shape) < 0.2, np.nan, B)
W = RNG.integers(0, 4, N).astype(float)
BY_COEFFICIENT = {"x": "coefficients", "standard_errors": "standard_errors", "t": "t_values", "p": "p_values"}
BY_SIDE = {"r_squared": "r_squared", "residual_variance": "residual_variance"}
CLOSE = 1e-11  # two stable methods differ by u κ (1 + κ tan θ) and a few roundings; κ of these rows is below 30


def streamed(b: np.ndarray, rows: int = 7, box: int = 16) -> TileMatrix:
    """Return targets in tiles of some columns, a few rows in memory at once, answered in smaller pieces."""
    return TileMatrix(open_targets(b, missing="drop" if np.isnan(b).any() else "error"), Grid(b.shape, (box,), (box // 2,), rows))


def fit(b: Any, **asked: Any) -> ds.TargetFit:
    """Return the answers by tiles."""
    found = ds.solve(ds.TargetRegression(asked.pop("A", A), b, **asked))
    assert isinstance(found, ds.TargetFit)
    return found


def require_same(found: ds.TargetFit, b: np.ndarray, *, A: np.ndarray = A, weights: Any = None, **asked: Any) -> None:
    """Hold every field of a few targets to the table of that target alone, on the rows that it has."""
    for target in range(0, b.shape[1], 6):
        rows = ~np.isnan(b[:, target])
        own = None if weights is None else weights[rows]
        table = ds.lstsq(A[rows], b[rows, target], weights=own, method="tsqr", **asked).summary()
        for mine, theirs in (BY_COEFFICIENT | BY_SIDE).items():
            ours = getattr(found, mine)[..., target]
            np.testing.assert_allclose(
                ours,
                getattr(table, theirs),
                rtol=CLOSE,
                atol=1e-13 if mine == "r_squared" else 0,
                err_msg=f"{mine} of target {target}",
            )
        assert (found.counts[target], found.degrees_of_freedom[target]) == (table.rows, table.residual_degrees)


@pytest.mark.parametrize("b", [B, LACKING], ids=["complete", "lacking"])
@pytest.mark.parametrize("weights", [None, W], ids=["plain", "weighted"])
@pytest.mark.parametrize("intercept", [False, True])
def test_each_target_is_the_regression_on_its_rows(b: np.ndarray, weights: Any, intercept: bool) -> None:
    """Whole or a few rows at a time, every field is that of the table of the target alone."""
    missing = "drop" if b is LACKING else "error"
    for given in (b, streamed(b)):
        found = fit(given, weights=weights, intercept=intercept, missing=missing)
        require_same(found, b, weights=weights, intercept=intercept)
        assert found.status is ds.Status.SOLVED


def test_a_constant_among_the_columns_is_found() -> None:
    """R² is about the mean where columns add up to one, with and without missing values."""
    dummies = np.eye(3)[RNG.integers(0, 3, N)]
    for b in (B, LACKING):
        require_same(fit(b, A=dummies, missing="drop"), b, A=dummies)


def test_columns_far_from_zero_keep_their_digits() -> None:
    """Seconds since 1970 beside an intercept: slopes and intercepts are those of the shifted columns, put right."""
    time = 1.7e9 + 3600.0 * np.arange(N)[:, None]
    for b in (B, LACKING):
        found = fit(b, A=time, intercept=True, missing="drop" if b is LACKING else "error")
        require_same(found, b, A=time, intercept=True)
        assert "shifted" in found.notes[-1]


def test_any_number_of_dimensions_comes_back() -> None:
    """The first dimension is n, the others come back; a vector is one target."""
    cube = fit(LACKING.reshape(N, 5, 2, 4), missing="drop")
    flat = fit(LACKING, missing="drop")
    assert cube.x.shape == (D, 5, 2, 4)
    for name, array in cube.arrays.items():
        np.testing.assert_array_equal(array.reshape(flat.arrays[name].shape), flat.arrays[name])
    vector = fit(LACKING[:, 0], missing="drop")
    assert (vector.x.shape, vector.r_squared.shape) == ((D,), ())
    np.testing.assert_allclose(vector.x, flat.x[:, 0], rtol=CLOSE)


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("b", [B, LACKING], ids=["complete", "lacking"])
def test_penalties_of_columns_and_of_targets(b: np.ndarray, intercept: bool) -> None:
    """alpha is a number, one a column, or one a target: each is the ridge of that target alone, or its rows with √p below."""
    columns, targets = np.array([0.0, 3.0, 10.0]), np.geomspace(1e-3, 1e3, K)
    for alpha in (2.5, columns, targets):
        own = np.broadcast_to(alpha, (K,)) if alpha is not columns else None
        found = fit(b, alpha=alpha, intercept=intercept, missing="drop" if b is LACKING else "error")
        assert set(found.arrays) == {"x", "r_squared", "counts", "backward_error"}
        for target in range(K):
            rows = ~np.isnan(b[:, target])
            X = np.column_stack([A[rows], np.ones(rows.sum())]) if intercept else A[rows]
            p = np.append(columns if own is None else np.full(D, own[target]), np.zeros(int(intercept)))
            stacked = np.concatenate([X, np.diag(np.sqrt(p))]), np.append(b[rows, target], np.zeros(len(p)))
            x = np.linalg.lstsq(*stacked, rcond=None)[0]
            np.testing.assert_allclose(found.x[:, target], x, rtol=0, atol=CLOSE * np.linalg.norm(x))
            about = b[rows, target].mean() if intercept else 0.0
            r2 = 1 - np.sum((b[rows, target] - X @ x) ** 2) / np.sum((b[rows, target] - about) ** 2)
            np.testing.assert_allclose(found.r_squared[target], r2, atol=CLOSE)
    with pytest.raises(ds.SpecError, match="unbiased"):
        _ = found.standard_errors


def test_dependent_columns_give_the_shortest_answer() -> None:
    """As elsewhere: minimum norm, no t and p for what the data do not determine."""
    twice = np.column_stack([A, A[:, 0] + A[:, 1]])
    for b in (B, LACKING):
        found = fit(b, A=twice, missing="drop" if b is LACKING else "error")
        assert found.status is ds.Status.MINIMUM_NORM
        for target in range(0, K, 7):
            rows = ~np.isnan(b[:, target])
            shortest = np.linalg.lstsq(twice[rows], b[rows, target], rcond=None)[0]
            np.testing.assert_allclose(found.x[:, target], shortest, rtol=1e-10)
        assert np.isnan(found.p[[0, 1, 3]]).all()
        assert not np.isnan(found.p[2]).any()


@pytest.mark.parametrize("condition", [1.0, 1e8, 1e14])
@pytest.mark.parametrize("share", [0.0, 0.1])
def test_a_certificate_is_never_better_than_the_truth(condition: float, share: float) -> None:
    """The backward error from the residual in 80 bits is at most three times what is claimed of any target."""
    rng = np.random.default_rng(7)
    U, V = np.linalg.qr(rng.standard_normal((N, 4)))[0], np.linalg.qr(rng.standard_normal((4, 4)))[0]
    X = U * np.geomspace(1, 1 / condition, 4) @ V.T
    b = X @ rng.standard_normal((4, K)) + 1e-3 * rng.standard_normal((N, K))
    b[rng.random(b.shape) < share] = np.nan
    for given in (b, streamed(b)):
        found = fit(given, A=X, missing="drop" if share else "error")
        for target in range(K):
            rows = ~np.isnan(b[:, target])
            assert _least_backward_error(X[rows], b[rows, target], found.x[:, target]) <= 3 * found.backward_error[target]
        assert found.certificate.backward_error[0] == found.backward_error.max() <= 16 * EPS


def _least_backward_error(X: np.ndarray, b: np.ndarray, x: np.ndarray) -> float:
    """Return the Karlson–Waldén estimate, columns scaled, with residual and gradient in 80 bits."""
    sizes = np.linalg.norm(X, axis=0)
    wide = (X / sizes).astype(np.longdouble)
    r = b - X.astype(np.longdouble) @ x.astype(np.longdouble)
    g, rr, length = (wide.T @ r).astype(float), float(r @ r), np.linalg.norm(sizes * x)
    s, Vt = np.linalg.svd(X / sizes)[1:]
    return float(np.linalg.norm((Vt @ g) / np.hypot(s * length, np.sqrt(rr))) / np.sqrt(len(s)))


def test_rows_of_a_beyond_a_task_are_refused_before_any_is_read(tmp_path: Path) -> None:
    """All rows of A are in every task: a plan says both sizes, though A could not even be read."""
    zarr.create_array(tmp_path / "A.zarr", shape=(3_000_000, 4), chunks=(1000, 4), dtype="f8")  # no chunk is there
    problem = ds.TargetRegression(tmp_path / "A.zarr", np.broadcast_to(1.0, (3_000_000, 1)))
    with pytest.raises(ds.PlanError, match=r"240 MB would be needed: 3,000,000 rows of 4 columns of A .* leave out_dir"):
        ds.plan(problem, cluster="serial", memory_limit="100MB")


@pytest.mark.parametrize("chunks", [(N, 8), (11, 8), (1, K), (N, 1)])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("weights", [None, W], ids=["plain", "weighted"])
def test_raw_chunks_are_followed_slab_by_slab(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunks: tuple[int, int], dtype: str, weights: Any
) -> None:
    """However rows and targets are cut into slabs that stay in the cache, answers are those of each target by itself."""
    monkeypatch.setattr("dsketch.matrix.tiles.SLAB_NUMBERS", 120)
    b = B.astype(dtype)
    zarr.create_array(str(tmp_path / "b.zarr"), data=b, chunks=chunks, compressors=None)
    problem = ds.TargetRegression(A, str(tmp_path / "b.zarr"), weights=weights, intercept=True)
    grid: Any = problem.rows.A.grid  # type: ignore[attr-defined]
    assert grid.slab.rows * grid.slab.step <= 120

    found = ds.solve(problem)
    assert isinstance(found, ds.TargetFit)
    require_same(found, b.astype(float), weights=weights, intercept=True)
    assert found.certificate.backward_error.max() <= 16 * EPS


@pytest.mark.parametrize(("value", "words"), [(np.nan, "is nan"), (np.inf, "is inf"), (1e200, "overflow")])
def test_what_is_no_number_is_named_in_a_slab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: float, words: str) -> None:
    """Residuals take the place of what was read; what was wrong is read again, and named by its row and target."""
    monkeypatch.setattr("dsketch.matrix.tiles.SLAB_NUMBERS", 120)
    b = B.copy()
    b[37, 21] = value
    zarr.create_array(str(tmp_path / "b.zarr"), data=b, chunks=(N, 8), compressors=None)
    with pytest.raises(ds.DataError, match=words) as found:
        ds.solve(ds.TargetRegression(A, str(tmp_path / "b.zarr")))
    assert "target 21" in str(found.value)
    assert ("row 37" in str(found.value)) == (words != "overflow")
