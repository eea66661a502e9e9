"""Gradients of attention with powers for weights against dense formulas, differences and 60 digits, by tiles and by features."""

from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
import zarr
from distributed import Client
from hypothesis import given, settings
from hypothesis import strategies as st

import dsketch as ds
from dsketch.features.taylor import Monomials
from tests.problems.attention.dense import (
    data,
    gradients_by_heads,
    polynomial,
    polynomial_gradients,
    true_polynomial_gradients,
)

METHODS, WANTED = ("sweep", "features"), ("Q", "K", "V")
each_method = pytest.mark.parametrize("method", METHODS)
each_wanted = pytest.mark.parametrize("wrt", WANTED)
each_sight = pytest.mark.parametrize("causal", [False, True], ids=["all", "causal"])


def with_above(n: int, m: int, d: int, p: int, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Return Q, K, V and dY."""
    return *data(n, m, d, p, seed), np.random.default_rng(seed + 1).standard_normal((n, p))


def gradient(given: tuple[np.ndarray, ...], wrt: str, degree: int = 4, method: str = "auto", **options: Any) -> ds.Solution:
    """Return a gradient in this process."""
    problem = ds.AttentionGradient(*given, wrt=wrt, kind="polynomial", degree=degree, **options)
    return ds.solve(problem, method=method, cluster="serial", progress=False)


@each_method
@each_sight
@each_wanted
@pytest.mark.parametrize(("n", "m", "d", "heads", "degree"), [(600, 700, 8, 1, 4), (200, 1500, 4, 2, 6), (1, 3, 2, 1, 2)])
def test_gradients_are_those_of_the_dense_formulas(
    method: str, causal: bool, wrt: str, n: int, m: int, d: int, heads: int, degree: int
) -> None:
    """To 1e-12 of the largest and to the claim: several heads, several blocks, rows of K that come before all of Q, one row."""
    given = with_above(n, m, d, 2)

    found = gradient(given, wrt, degree, method, heads=heads, causal=causal)

    expected = gradients_by_heads(heads, *given, of=polynomial_gradients, degree=degree, causal=causal)[wrt]
    gap, largest = np.abs(found.x - expected).max(axis=0), np.abs(found.x).max(axis=0)
    assert found.method == method
    assert found.status is ds.Status.SOLVED
    assert found.x.shape == expected.shape
    assert (gap <= 1e-12 * np.abs(expected).max()).all()
    assert (gap <= 2 * found.certificate.forward_error * largest).all()


@each_method
@each_sight
@each_wanted
def test_gradients_are_what_differences_show(method: str, causal: bool, wrt: str) -> None:
    """Of the loss ⟨dY, attention⟩, along one direction, centred: to 1e-6."""
    Q, K, V, dY = with_above(40, 60, 4, 3)
    arrays = {"Q": Q, "K": K, "V": V}
    D, h = np.random.default_rng(9).standard_normal(arrays[wrt].shape), 1e-6

    problem = ds.Attention(Q, K, V, kind="polynomial", degree=6, causal=causal).gradient(dY, wrt)
    found = ds.solve(problem, method=method, cluster="serial", progress=False)

    ahead, behind = (np.sum(dY * polynomial(**{**arrays, wrt: arrays[wrt] + t * D}, degree=6, causal=causal)) for t in (h, -h))
    assert np.sum(found.x * D) == pytest.approx((ahead - behind) / (2 * h), rel=1e-6)


@given(
    seed=st.integers(0, 2**32),
    degree=st.sampled_from([2, 4, 10]),
    sizes=st.tuples(*[st.sampled_from([1e-100, 1e-3, 1.0, 1e4, 1e100])] * 4),
    narrow=st.sampled_from([1.0, 1e-3, 1e-7, 1e-15]),
    wrt=st.sampled_from(WANTED),
    method=st.sampled_from(METHODS),
    causal=st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_no_claim_is_better_than_the_truth(
    seed: int, degree: int, sizes: tuple[float, ...], narrow: float, wrt: str, method: str, causal: bool
) -> None:
    """Each number is within the bound of its value in 60 digits, for rows of any length and keys near a plane that Q is orthogonal to."""
    given = tuple(size * A for size, A in zip(sizes, with_above(4, 9, 3, 2, seed), strict=True))
    given[1][:, 0] *= narrow
    given[0][0, 1:] = 0.0

    found = gradient(given, wrt, degree, method, causal=causal)

    true = true_polynomial_gradients(*given, degree=degree, causal=causal)[wrt]
    with mpmath.workdps(60):
        gap, largest = np.abs(found.x - true).max(axis=0), np.abs(found.x).max(axis=0)
        claims = zip(gap, found.certificate.forward_error, largest, strict=True)
        assert all(np.isinf(claim) or off <= mpmath.mpf(claim) * mpmath.mpf(size) for off, claim, size in claims)


@pytest.mark.cluster
@each_method
@each_wanted
def test_workers_write_the_bits_of_one_process_and_resume(tmp_path: Path, client: Client, method: str, wrt: str) -> None:
    """Causal, of stored chunks that are no blocks, two heads; a run of which one record is left goes on to the same bits."""
    arrays = with_above(1100, 1300, 4, 2)
    options = {"kind": "polynomial", "degree": 4, "heads": 2, "causal": True, "wrt": wrt}
    here = ds.attention_gradient(*arrays, method=method, cluster="serial", progress=False, **options)
    places = [str(tmp_path / f"{number}.zarr") for number in range(4)]
    for place, A in zip(places, arrays, strict=True):
        zarr.create_array(store=place, data=A, chunks=(200, A.shape[1]))
    journal, out = tmp_path / "journal", tmp_path / "out"

    found = ds.attention_gradient(*places, out, method=method, cluster=client, journal=journal, progress=False, **options)
    for record in sorted(journal.glob("pass-*.npz"))[1:]:
        record.unlink()
    again = ds.resume(journal, cluster="serial", progress=False)

    assert zarr.open_array(out, mode="r")[...].tobytes() == here.x.tobytes()
    assert np.asarray(again.x[...]).tobytes() == here.x.tobytes()
    assert found.certificate.forward_error.tobytes() == here.certificate.forward_error.tobytes()


@each_method
@each_sight
def test_a_row_without_weights_is_named(method: str, causal: bool) -> None:
    """Orthogonal to all rows of K."""
    given = with_above(40, 45, 3, 1)
    given[1][:, 2] = 0.0
    given[0][17, :2] = 0.0

    with pytest.raises(ds.DataError, match="all weights of row 17 are 0"):
        gradient(given, "K", 4, method, causal=causal)


def test_a_row_that_features_round_away_is_named_and_unsolved() -> None:
    """Its weights are 1e-16 of what its length allows; tiles have their digits all the same."""
    given = with_above(40, 30, 3, 1)
    given[1][:, 2] *= 1e-4
    given[0][17, :2] = 0.0

    by_features, by_tiles = (gradient(given, "Q", 4, method) for method in ("features", "sweep"))

    assert by_features.status is ds.Status.NOT_SOLVED
    assert "row 17 of Q is nearly orthogonal" in by_features.notes[0]
    assert by_tiles.status is ds.Status.SOLVED
    expected = polynomial_gradients(*given, degree=4)["Q"]
    assert (
        np.abs(by_tiles.x - expected).max(axis=0) <= 2 * by_tiles.certificate.forward_error * np.abs(expected).max(axis=0)
    ).all()


@each_wanted
def test_of_zeros_all_gradients_are(wrt: str) -> None:
    """A dY of zeros: exactly."""
    Q, K, V, dY = with_above(5, 6, 3, 2)

    for method in METHODS:
        found = gradient((Q, K, V, 0 * dY), wrt, 4, method)
        assert not found.x.any()
        assert not found.certificate.forward_error.any()
        assert found.status is ds.Status.SOLVED


def test_what_is_wrong_is_found() -> None:
    """A number of dK by features moved by 1e-6 of the largest is told from rounding, and by how much."""
    given = with_above(200, 300, 4, 3)
    problem = ds.AttentionGradient(*given, wrt="K", kind="polynomial")
    rows = ds.solve(problem, method="features", cluster="serial", progress=False).x
    moved = rows.copy()
    moved[17, 2] += 1e-6 * np.abs(rows[:, 2]).max()

    right, wrong = (ds.check(problem, x, cluster="serial", progress=False) for x in (rows, moved))

    assert right.forward_error.max() <= 1e-12
    assert wrong.forward_error[2] == pytest.approx(1e-6, rel=1e-3)


def test_a_plan_for_many_rows_takes_features() -> None:
    """n = m = 200,000 of 8 columns: 330 monomials a row in place of 200,000 weights."""
    Q = np.ones((200_000, 8))
    plan = ds.plan(ds.AttentionGradient(Q, Q, Q, Q, wrt="K", kind="polynomial"), cluster="serial")

    assert plan.method == "features"
    assert "330 monomials of degree 4" in str(plan)


def test_what_cannot_be_is_refused() -> None:
    """Another kind, a power of exponentials, features of exponentials."""
    Q, K, V, dY = with_above(5, 6, 3, 2)

    with pytest.raises(ds.SpecError, match="kind must be one of softmax, polynomial, conv; got 'cubic'"):
        ds.AttentionGradient(Q, K, V, dY, kind="cubic")
    with pytest.raises(ds.SpecError, match="degree is for kind='polynomial'"):
        ds.AttentionGradient(Q, K, V, dY, degree=4)
    with pytest.raises(ds.SpecError, match="method='features' is for kind='polynomial'"):
        ds.attention_gradient(Q, K, V, dY, method="features", cluster="serial", progress=False)


def test_slopes_at_monomials_are_pulled_back() -> None:
    """To rows: the slope of ⟨x, y⟩^p is p ⟨x, y⟩^{p−1} y, whichever features it has; more rows than one slice."""
    X, Y = np.random.default_rng(0).standard_normal((2, 3000, 5))
    map_ = Monomials(4)

    found = map_.pull(X, map_.apply(Y))

    expected = 4 * np.einsum("ij,ij->i", X, Y)[:, None] ** 3 * Y
    assert np.abs(found - expected).max() <= 1e-12 * np.abs(expected).max()


def test_a_sketch_has_no_gradients_and_names_what_has() -> None:
    """The exact methods stand in the message."""
    A = np.ones((5, 2))
    problem = ds.AttentionGradient(A, A, A, A, kind="polynomial", degree=4)

    with pytest.raises(ds.SpecError, match=r"got 'sketched'.*'features'.*'sweep'"):
        ds.plan(problem, method="sketched", cluster="serial")
