"""One reading: what its rounding can be at most proves a backward error, never better than the truth, and spares the second reading."""

from typing import Any

import numpy as np
import pytest

import dsketch as ds
from dsketch._linalg.backward import backward_error
from dsketch._linalg.columns import powers_near_norms
from dsketch.errors import SpecError
from dsketch.matrix.rows import Rows
from dsketch.passes import Gram, GramDepth, Triangle, TriangleDepth
from dsketch.passes.counted import reflections
from dsketch.problems.outcome import Status

Floats = np.ndarray[Any, np.dtype[np.float64]]
LONG = np.longdouble
has_80_bits = pytest.mark.skipif(np.finfo(LONG).eps > 1e-18, reason="the judge needs 80-bit floats")


def drawn(seed: int) -> tuple[Floats, Floats]:
    """Return rows of a random condition, units, offset, coherence and residual."""
    rng = np.random.default_rng([5, seed])
    n, d = int(rng.integers(300, 3000)), int(rng.integers(1, 20))
    U = rng.standard_normal((n, d))
    if seed % 5 == 0:
        U[d:] *= 1e-7  # a few rows carry all
    V, _ = np.linalg.qr(rng.standard_normal((d, d)))
    A = (U * np.logspace(0, -rng.uniform(0, 8), d)) @ V.T
    if seed % 3 == 0:
        A *= 10.0 ** rng.uniform(-8, 8, d)
    if seed % 4 == 0:
        A += 10.0 ** rng.uniform(-2, 3) * np.linalg.norm(A, axis=0) / np.sqrt(n)
    b = A @ (rng.standard_normal(d) / np.linalg.norm(A, axis=0))
    noise = rng.standard_normal(n) / np.sqrt(n)
    return A, b + 10.0 ** rng.uniform(-12, 3) * np.linalg.norm(b) * noise


def true_error(A: Floats, b: Floats, x: Floats) -> tuple[float, float]:
    """Return the backward error of x, columns scaled, and the norm of its residual, sums in 80 bits."""
    residual = b.astype(LONG) - A.astype(LONG) @ x.astype(LONG)
    g, rr = A.astype(LONG).T @ residual, float(residual @ residual)
    D = powers_near_norms(A)
    _, s, Vt = np.linalg.svd(np.linalg.qr(A / D, mode="r"))
    error = backward_error(s, Vt, D, x[:, None], g.astype(float)[:, None], np.array([rr]))
    return float(error[0]), float(np.sqrt(rr))


def minimizer(A: Floats, b: Floats, x: Floats) -> Floats:
    """Return the minimizer, refined from x with residuals in 80 bits."""
    D = np.linalg.norm(A, axis=0)
    R, near = np.linalg.qr(A / D, mode="r"), x.astype(LONG)
    for _ in range(6):
        g = ((A / D).astype(LONG).T @ (b.astype(LONG) - A.astype(LONG) @ near)).astype(float)
        near = near + (np.linalg.solve(R, np.linalg.solve(R.T, g)) / D).astype(LONG)
    return near.astype(float)


@has_80_bits
@pytest.mark.parametrize("method", ["cholesky", "tsqr"])
@pytest.mark.parametrize("seed", range(30))
def test_no_claim_of_one_reading_is_better_than_the_truth(method: str, seed: int) -> None:
    """Backward error, residual, distance and each coefficient's error are bounds, in any units, for coherent and for shifted rows."""
    A, b = drawn(seed)
    found = ds.lstsq(A, b, method=method, tol=1e-5, cluster="serial", progress=False)
    if len(found.passes) > 1:
        assert method == "cholesky"  # a QR proves it of these, whatever their condition is
        return
    error, residual = true_error(A, b, found.x)
    exact, D = minimizer(A, b, found.x), np.linalg.norm(A, axis=0)

    assert error <= found.certificate.backward_error[0] <= 1e-5
    assert residual <= found.certificate.residual_norm[0] * (1 + 1e-12)
    assert np.linalg.norm(D * (found.x - exact)) <= found.certificate.forward_error[0] * np.linalg.norm(D * exact)
    assert (np.abs(found.x - exact) <= found.coefficient_errors).all()


def well_conditioned(n: int = 5000, d: int = 12) -> tuple[Floats, Floats]:
    """Return rows that any method solves."""
    rng = np.random.default_rng(3)
    A = rng.standard_normal((n, d))
    return A, A @ np.arange(1.0, d + 1) + rng.standard_normal(n)


@pytest.mark.parametrize("method", ["auto", "cholesky", "tsqr"])
def test_a_tol_that_is_proven_needs_no_second_reading(method: str) -> None:
    """The plan foresees one pass and says why, the run takes one, the answer says that its errors are bounds."""
    A, b = well_conditioned()
    found = ds.lstsq(A, b, method=method, tol=1e-6, cluster="serial", progress=False)

    assert found.plan.estimate.passes == len(found.passes) == 1
    assert found.status is Status.SOLVED
    assert "one reading" in str(found.plan)
    assert any("read once" in note for note in found.notes)


def test_without_a_tol_x_is_measured() -> None:
    """LAPACK's own accuracy is beyond what a bound on all rounding proves."""
    A, b = well_conditioned()

    assert len(ds.lstsq(A, b, cluster="serial", progress=False).passes) == 2


@pytest.mark.parametrize("method", ["cholesky", "tsqr"])
def test_what_is_not_proven_is_measured(method: str) -> None:
    """A tol between what one reading proves and what it reaches costs the second one."""
    A, b = well_conditioned()
    found = ds.lstsq(A, b, method=method, tol=1e-14, cluster="serial", progress=False)

    assert [line.kind for line in found.passes][1:] == ["gradient"]
    assert found.certificate.backward_error[0] <= 1e-14


def test_a_triangle_proves_at_any_condition() -> None:
    """At condition 1e12 one pass by QR has a bound of a few E, and passes=1 takes it without a tol."""
    rng = np.random.default_rng(0)
    V, _ = np.linalg.qr(rng.standard_normal((10, 10)))
    A = (rng.standard_normal((4000, 10)) * np.logspace(0, -12, 10)) @ V.T
    b = A @ np.ones(10) + 1e-3 * rng.standard_normal(4000)
    found = ds.lstsq(A, b, max_passes=1, cluster="serial", progress=False)

    assert found.method == "tsqr"
    assert len(found.passes) == 1
    assert found.status is Status.SOLVED
    assert found.certificate.backward_error[0] <= 1e-9


def test_of_dependent_columns_one_reading_proves_nothing() -> None:
    """Another reading measures the shortest x, and a note says so."""
    A, b = well_conditioned()
    A[:, 3] = A[:, 1] + A[:, 2]
    found = ds.lstsq(A, b, method="tsqr", max_passes=1, cluster="serial", progress=False)

    assert found.status is Status.MINIMUM_NORM
    assert len(found.passes) == 2
    assert any("one reading" in note for note in found.notes)


@pytest.mark.parametrize(("method", "tol", "most"), [("auto", 1e-13, 1), ("whitened", None, 1), ("conjugate_gradient", None, 3)])
def test_fewer_readings_than_it_takes_are_refused(method: str, tol: float | None, most: int) -> None:
    """The message says how often each method reads, to what error, and what to change."""
    A, b = well_conditioned()
    with pytest.raises(SpecError, match=r"reads all rows \d times? at most .* Give a larger tol, or a larger max_passes"):
        ds.plan(ds.LeastSquares(A, b), method=method, tol=tol, max_passes=most, cluster="serial")


def test_a_summary_of_one_reading_has_all_digits() -> None:
    """After a Gram matrix a triangle is read for it, after a triangle nothing is."""
    A, b = well_conditioned()
    exact = ds.lstsq(A, b, method="tsqr", cluster="serial", progress=False).summary()
    for method, passes in (("cholesky", ("triangle",)), ("tsqr", ())):
        told = ds.lstsq(A, b, method=method, tol=1e-6, cluster="serial", progress=False).summary()
        assert told.passes == passes
        assert np.allclose(told.standard_errors, exact.standard_errors, rtol=1e-12)
        assert np.allclose(told.r_squared, exact.r_squared, rtol=1e-12)


def test_ridge_with_weights_and_an_intercept_is_proven_too() -> None:
    """The penalty's rows, the roots of weights and the shift count among the roundings."""
    A, b = well_conditioned()
    found = ds.ridge(
        A + 50.0, b, alpha=2.0, intercept=True, weights=np.linspace(0.0, 3.0, len(b)), tol=1e-6, cluster="serial", progress=False
    )

    assert len(found.passes) == 1
    assert ds.check(found.problem, found.x).backward_error[0] <= found.certificate.backward_error[0]


def test_depths_are_counted_as_sums_are_made() -> None:
    """Of a Gram matrix the tallest slice and the sums above it; of a triangle the QRs from a leaf to the root."""
    A, b = well_conditioned(5000, 4)
    rows = Rows(ds.open_matrix(A), ds.open_matrix(b))
    block = rows.block(0, 5000)
    gram = GramDepth().finish(GramDepth().map(block, None))
    pass_ = TriangleDepth(Triangle(0))
    part = pass_.map(block, None)

    assert gram.depth == 2048 + 3  # three slices
    assert all(np.array_equal(one, other) for one, other in zip(gram[:3], Gram().finish(Gram().map(block, None)), strict=True))
    # 128 rows a leaf, 40 leaves: two levels of eight, and one for what is left over
    assert pass_.finish(part)[1] == reflections(128, 5) + 3 * reflections(40, 5)
    assert pass_.finish(pass_.merge(part, part))[1] == pass_.finish(part)[1] + reflections(10, 5)
