"""Many right-hand sides: everything in proportion to their number, each as right as alone, of any number of dimensions."""

from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pytest
import scipy.sparse as sp
import zarr

import dsketch as ds
from dsketch._results.output import Output, attributes_of
from dsketch.engine.serial import SerialEngine
from dsketch.events import ignore
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.open import open_matrix
from dsketch.matrix.rows import Rows
from dsketch.passes import BareGradient, Gram, Look, Triangle
from dsketch.passes.fold_grams import FoldGrams
from dsketch.problems.linear.methods import METHODS
from dsketch.settings import Settings

EPS = float(np.finfo(float).eps)
N, D, K = 3000, 4, 60


def data(k: int = K, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return A and b of k sides."""
    rng = np.random.default_rng(k)
    A = rng.standard_normal((N, D)) + 1.0
    return A, A @ rng.standard_normal((D, k)) + noise * rng.standard_normal((N, k))


def test_parts_are_in_proportion_to_the_sides() -> None:
    """Ten times the sides are at most ten times the bytes, of passes and of methods."""
    for pass_ in (Gram(), Triangle(), FoldGrams(5, 0)):
        assert pass_.part_bytes(10, 100_000) <= 10 * pass_.part_bytes(10, 10_000)
    for method in METHODS.values():
        assert method.part_bytes(Settings(), 10, 100_000) <= 10 * method.part_bytes(Settings(), 10, 10_000)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_each_side_is_as_right_as_alone(method: str) -> None:
    """By every method: x within kappa² n eps of LAPACK's, a backward error for each side, and what is left of b by its own sum."""
    A, b = data()

    found = ds.lstsq(A, b, method=method, cluster="serial")

    x = np.linalg.lstsq(A, b)[0]
    if METHODS[method].is_estimate:
        assert found.certificate.backward_error.shape == (K,)
        return
    assert np.abs(found.x - x).max() <= N * EPS * np.linalg.cond(A) ** 2
    assert found.certificate.backward_error.shape == (K,)
    assert np.allclose(found.certificate.residual_norm, np.linalg.norm(b - A @ x, axis=0), rtol=N * EPS)
    assert found.status is ds.Status.SOLVED


def test_a_wide_b_is_read_once() -> None:
    """By semi_normal the passes read b once and a few rows of it; A twice."""
    A, b = data(200)

    found = ds.lstsq(A, b, method="semi_normal", cluster="serial")

    assert found.method == "semi_normal"
    assert sum(record.read_bytes for record in found.passes) <= 1.05 * b.nbytes + 2 * A.nbytes
    assert found.plan.read_bytes <= 1.05 * b.nbytes + 2 * A.nbytes


@pytest.mark.parametrize("noise", [0.0, 1e-9, 1e-3])
def test_what_is_left_of_b_keeps_its_digits(noise: float) -> None:
    """However little of b is left, its norm is measured: to 10 eps of the terms, not to the root of eps of b."""
    A, b = data(20, noise)

    found = ds.lstsq(A, b, method="semi_normal", cluster="serial")

    left = np.linalg.norm(b - A @ found.x, axis=0)
    terms = np.linalg.norm(np.abs(b) + np.abs(A) @ np.abs(found.x), axis=0)
    assert (np.abs(found.certificate.residual_norm - left) <= 10 * EPS * terms).all()


def test_slopes_without_moments_are_the_slopes() -> None:
    """Tile by tile of a wide b, dense or CSR: Aᵀ(b − A x) and its squares, to n eps of the terms."""
    A, b = data(300)
    A[np.abs(A) < 0.8] = 0.0
    x = np.random.default_rng(1).standard_normal((D, 300))
    r = b - A @ x

    for matrix in (A, sp.csr_array(A)):
        rows = Rows(open_matrix(matrix), ArrayMatrix(b))
        pass_ = BareGradient(x)
        slope = pass_.finish(SerialEngine().run(Look(pass_, rows), ignore))
        assert np.allclose(slope.g, A.T @ r, rtol=0, atol=N * EPS * np.linalg.norm(A) * np.linalg.norm(r, axis=0).max())
        assert np.allclose(slope.rr, np.sum(r**2, axis=0), rtol=N * EPS)
        assert not slope.has_moments


def test_blocks_are_cut_by_b_too(tmp_path: Path) -> None:
    """100,000 rows of 3 columns and 400 sides, a block for A alone, are blocks of 8 MB of raw b, and the plan prices them."""
    A = zarr.create_array(str(tmp_path / "A"), shape=(100_000, 3), chunks=(1000, 3), dtype="f8", compressors=None)
    b = zarr.create_array(str(tmp_path / "b"), shape=(100_000, 400), chunks=(1000, 400), dtype="f8", compressors=None)
    rows = Rows(open_matrix(A), open_matrix(b))

    assert len(rows.A.cuts) == 2
    assert np.diff(rows.cuts).max() * 400 * 8 <= 8_000_000
    assert rows.beside_bytes >= 2 * np.diff(rows.cuts).max() * 400 * 8
    assert len(Rows(open_matrix(A)).cuts) == 2


def test_bits_do_not_depend_on_threads() -> None:
    """A wide b in panels: the same x by one thread, two and three."""
    rng = np.random.default_rng(0)
    A, b = rng.standard_normal((8000, 2)), rng.standard_normal((8000, 100))

    solutions = [ds.lstsq(A, b, cluster="serial", threads=threads, method="semi_normal").x for threads in (1, 2, 3)]

    assert all(np.array_equal(solutions[0], other) for other in solutions[1:])


def test_a_summary_of_many_sides_is_that_of_each() -> None:
    """Errors, t, p, R², F, variance and covariance; one look at b for its moments."""
    A, b = data()

    whole = ds.lstsq(A, b, intercept=True, cluster="serial").summary()

    for side in (0, 17, K - 1):
        one = ds.lstsq(A, b[:, side], intercept=True, cluster="serial").summary()
        for name in ("coefficients", "standard_errors", "t_values", "p_values"):
            assert np.allclose(getattr(whole, name)[:, side], getattr(one, name), rtol=1e-10, atol=1e-300)
        for name in ("r_squared", "adjusted_r_squared", "residual_variance", "f_statistic", "f_p_value"):
            assert np.allclose(getattr(whole, name)[side], getattr(one, name), rtol=1e-10, atol=1e-300)
        assert np.allclose(whole.covariance(side), one.covariance(), rtol=1e-10)
    assert whole.passes == ("moments",)
    assert "and 40 more right-hand sides, not printed" in str(whole)


# ---- targets of several dimensions -----------------------------------------------------------------------------------

SHAPE = (7, 5)


def cube() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return A, b of three dimensions, and x."""
    A, b = data(35)
    return A, b.reshape(N, *SHAPE), np.linalg.lstsq(A, b)[0].reshape(D, *SHAPE)


def stored(folder: Path, b: np.ndarray, kind: str) -> Any:
    """Return b in some storage."""
    if kind == "memmap":
        mapped = np.memmap(folder / "b", dtype=b.dtype, mode="w+", shape=b.shape)
        mapped[:] = b
        return mapped
    if kind.startswith("dask"):
        return dask.array.from_array(b, chunks=(1000, *SHAPE) if kind == "dask" else (1000, 3, 2))
    ways: dict[str, dict[str, Any]] = {
        "raw": {"chunks": (700, *SHAPE), "compressors": None},
        "chunked": {"chunks": (700, 3, 2)},
        "one target a chunk": {"chunks": (N, 1, 1)},
        "sharded": {"chunks": (350, 3, 2), "shards": (700, 6, 4)},
    }
    array = zarr.create_array(str(folder / "b.zarr"), shape=b.shape, dtype=b.dtype, **ways[kind])
    array[:] = b
    return str(folder / "b.zarr")


@pytest.mark.parametrize("kind", ["array", "memmap", "dask", "dask in tiles", "raw", "chunked", "one target a chunk", "sharded"])
def test_targets_of_several_dimensions_come_back_in_x(tmp_path: Path, kind: str) -> None:
    """From memory, dask and Zarr chunked along any dimension: x of shape (d, …), the bits of the same b with one."""
    A, b, x = cube()

    found = ds.lstsq(A, b if kind == "array" else stored(tmp_path, b, kind), cluster="serial")

    assert found.x.shape == (D, *SHAPE)
    assert np.abs(found.x - x).max() <= N * EPS * np.linalg.cond(A) ** 2
    assert found.certificate.backward_error.shape == (35,)
    assert ds.check(found.problem, found).is_right(found.problem.accepted(None))


def test_targets_go_through_files(tmp_path: Path) -> None:
    """x at --out, predictions in memory and as Zarr, a journal, a summary, JSON: all have the targets' dimensions."""
    A, b, _ = cube()
    zarr.save_array(str(tmp_path / "A.zarr"), A)
    problem = ds.LeastSquares(str(tmp_path / "A.zarr"), stored(tmp_path, b, "chunked"), intercept=True)

    found = ds.solve(problem, cluster="serial", journal=str(tmp_path / "run"))
    Output.at(tmp_path / "x.zarr").write(found.x, attributes_of(found, None))

    y = found.predict(A)
    assert zarr.open_array(str(tmp_path / "x.zarr"), mode="r").shape == (D + 1, *SHAPE)
    assert y.shape == (N, *SHAPE)
    assert np.array_equal(ds.predict(str(tmp_path / "x.zarr"), A, str(tmp_path / "y.zarr"))[:], y)
    assert np.array_equal(ds.resume(str(tmp_path / "run")).x, found.x)
    summary = found.summary()
    assert summary.standard_errors.shape == (D + 1, *SHAPE)
    assert summary.r_squared.shape == SHAPE
    assert np.shape(found.to_dict()["x"]) == (D + 1, *SHAPE)
    assert np.shape(summary.to_dict()["p_values"]) == (D + 1, *SHAPE)


def test_targets_belong_to_b_alone() -> None:
    """A, weights, and b of problems without targets refuse a third dimension, naming the shape."""
    A, b, _ = cube()

    for wrong in (lambda: ds.lstsq(b, A[:, 0]), lambda: ds.lstsq(A, A[:, 0], weights=b), lambda: ds.solve(ds.ElasticNet(A, b))):
        with pytest.raises(ds.DataError, match=r"one or two dimensions; its shape is \(3000, 7, 5\)"):
            wrong()
    with pytest.raises(ds.DataError, match="Where x is linear in them"):
        ds.solve(ds.ElasticNet(A, b))
    with pytest.raises(ds.DataError, match="Answers are written columns of G × targets"):
        ds.marginal(A, b)


@pytest.mark.parametrize(
    "problem",
    [
        lambda A, b: ds.SampledLeastSquares(A, b, epsilon=0.5),
        lambda A, b: ds.ExpKernel(A / 10, b, alpha=0.1),
        lambda A, b: ds.RestrictedKernel(A / 10, b, alpha=0.1, centres=30),
    ],
    ids=["sampled", "kernel", "restricted kernel"],
)
def test_problems_that_are_linear_in_b_keep_its_dimensions(problem: Any, tmp_path: Path) -> None:
    """x has them behind its rows, predictions too, written ones and those of a resumed run."""
    A, b, _ = cube()
    A, b = A[:200], b[:200]
    own = problem(A, b)
    found, flat = ds.solve(own), ds.solve(problem(A, b.reshape(200, -1)))

    assert found.x.shape == (len(flat.x), *SHAPE)
    np.testing.assert_array_equal(found.x.reshape(flat.x.shape), flat.x)
    assert found.predict(A[:5]).shape == (5, *SHAPE)
    assert ds.check(own, found.x).backward_error.shape == (np.prod(SHAPE),)


def test_a_coreset_keeps_the_dimensions_of_b(tmp_path: Path) -> None:
    """Its rows are rows of A and b."""
    A, b, _ = cube()
    core = ds.coreset(A, b, str(tmp_path / "core.zarr"), epsilon=0.5)
    assert core.b.shape[1:] == SHAPE
    assert ds.lstsq(core.A, core.b, weights=core.weights).x.shape[1:] == SHAPE


def test_an_absent_chunk_of_a_cube_is_named(tmp_path: Path) -> None:
    """Lost data beside other targets are found where they lie."""
    A, b, _ = cube()
    path = stored(tmp_path, b, "chunked")
    (tmp_path / "b.zarr" / "c" / "2" / "1" / "2").unlink()

    with pytest.raises(ds.DataError, match=r"chunk 2 of b is absent .*c/2/1/2"):
        ds.lstsq(A, path, cluster="serial")
