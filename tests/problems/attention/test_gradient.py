"""Gradients of softmax attention against the dense formulas, differences and 50 digits, and on every engine."""

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
from tests.problems.attention.dense import data, gradients_by_heads, softmax, true_gradients

WANTED = ("Q", "K", "V")
wanted = pytest.mark.parametrize("wrt", WANTED)


def gradient(given: tuple[np.ndarray, ...], wrt: str, **options: Any) -> ds.Solution:
    """Return a gradient in this process."""
    return ds.solve(ds.AttentionGradient(*given, wrt=wrt, **options), cluster="serial", progress=False)


def with_above(*shape: int, size: float = 1.0, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Return Q, K, V and dY."""
    Q, K, V = data(*shape, seed, size)
    return Q, K, V, np.random.default_rng(seed + 1).standard_normal((len(Q), V.shape[1]))


@wanted
@pytest.mark.parametrize(("n", "m", "heads"), [(600, 1300, 1), (1300, 1300, 2), (1, 600, 2), (4, 1, 1)])
@pytest.mark.parametrize("causal", [False, True], ids=["all", "causal"])
@pytest.mark.parametrize("size", [1.0, 300.0], ids=["tame", "wild"])
def test_gradients_are_those_of_the_dense_formulas(wrt: str, n: int, m: int, heads: int, causal: bool, size: float) -> None:
    """To twice the claim, and nearer than 1e-11 of the largest for logits of ordinary size."""
    given = with_above(min(n, m) if causal else n, m, 8, 6, size=size)

    found = gradient(given, wrt, heads=heads, causal=causal)

    expected = gradients_by_heads(heads, *given, causal=causal)[wrt]
    assert found.status is ds.Status.SOLVED
    assert found.x.shape == expected.shape
    gap = np.abs(found.x - expected).max(axis=0)
    assert (gap <= 2 * found.certificate.forward_error * np.abs(found.x).max(axis=0) + 1e-300).all()
    assert size > 1 or gap.max() <= 1e-11 * max(np.abs(expected).max(), 1e-3)


@wanted
def test_gradients_are_what_differences_show(wrt: str) -> None:
    """Of the loss ⟨dY, attention⟩, along one direction, centred: to 1e-6."""
    Q, K, V, dY = with_above(40, 60, 4, 3)
    arrays = {"Q": Q, "K": K, "V": V}
    D, h = np.random.default_rng(9).standard_normal(arrays[wrt].shape), 1e-5

    found = ds.solve(ds.Attention(Q, K, V, causal=True).gradient(dY, wrt), cluster="serial", progress=False)

    ahead, behind = (np.sum(dY * softmax(**{**arrays, wrt: arrays[wrt] + t * D}, causal=True)) for t in (h, -h))
    assert np.sum(found.x * D) == pytest.approx((ahead - behind) / (2 * h), rel=1e-6)


@given(seed=st.integers(0, 2**32), size=st.sampled_from([1e-3, 1.0, 30.0, 1e4]), wrt=st.sampled_from(WANTED))
@settings(max_examples=40, deadline=None)
def test_no_claim_is_better_than_the_truth(seed: int, size: float, wrt: str) -> None:
    """Each number is within the bound of its value in 50 digits."""
    given = with_above(4, 7, 3, 2, size=size, seed=seed)

    found = gradient(given, wrt, scale=0.7)

    largest = np.abs(found.x).max(axis=0)
    with mpmath.workdps(50):
        gap = np.abs(found.x - true_gradients(*given, 0.7)[wrt]).max(axis=0)
        claims = zip(gap, found.certificate.forward_error, largest, strict=True)
        assert all(np.isinf(claim) or off <= claim * size for off, claim, size in claims)  # no claim where all of a column is 0


@pytest.mark.cluster
@wanted
def test_workers_write_the_bits_that_are_gathered(tmp_path: Path, client: Client, wrt: str) -> None:
    """Several blocks of either side on two workers, of stored data; at ``out`` lie the bits of one process."""
    given = with_above(1300, 1100, 4, 2)
    here = gradient(given, wrt, heads=2, causal=False)
    places = []
    for number, A in enumerate(given):
        places.append(str(tmp_path / f"{number}.zarr"))
        zarr.create_array(store=places[-1], data=A, chunks=(300, A.shape[1]))
    out = tmp_path / "out.zarr"

    ds.attention_gradient(*places, out, wrt=wrt, heads=2, cluster=client, progress=False)

    assert zarr.open_array(out, mode="r")[...].tobytes() == here.x.tobytes()


def test_what_is_wrong_is_found() -> None:
    """A number of dQ moved by 1e-6 of the largest is told from rounding, and by how much."""
    given = with_above(200, 300, 4, 3)
    problem = ds.AttentionGradient(*given)
    rows = gradients_by_heads(1, *given)["Q"]
    moved = rows.copy()
    moved[17, 2] += 1e-6 * np.abs(rows[:, 2]).max()

    right, wrong = (ds.check(problem, x, cluster="serial", progress=False) for x in (rows, moved))

    assert right.is_right(problem.accepted(None))
    assert not wrong.is_right(problem.accepted(None))
    assert wrong.forward_error[2] == pytest.approx(1e-6, rel=1e-3)


@wanted
def test_what_is_not_finite_is_named(wrt: str) -> None:
    """DY's own name, row and column."""
    Q, K, V, dY = with_above(900, 900, 3, 2)
    dY[765, 1] = np.inf

    with pytest.raises(ds.DataError, match="dY must be finite; row 765, column 1 is inf"):
        gradient((Q, K, V, dY), wrt)


def test_what_does_not_fit_is_refused() -> None:
    """A dY of another shape, and a wrt that is no matrix of attention's."""
    Q, K, V, dY = with_above(5, 6, 3, 2)

    with pytest.raises(ds.DataError, match=r"dY must have the shape of attention's rows, \(5, 2\)"):
        ds.AttentionGradient(Q, K, V, dY[:4])
    with pytest.raises(ds.SpecError, match="wrt must be one of Q, K, V"):
        ds.AttentionGradient(Q, K, V, dY, wrt="Y")


@wanted
def test_rows_of_any_unit_keep_their_claims(wrt: str) -> None:
    """Data of 1e-100 and 1e-160, whose squares are 0, and a dY of zeros: no claim is better than the truth, and zeros are exact."""
    Q, K, V, dY = with_above(4, 7, 3, 2)
    for unit in (1e-100, 1e-160):
        given = (Q, unit * K, V, unit * dY)
        found = gradient(given, wrt, scale=1.0)
        with mpmath.workdps(400):
            gap = np.abs(found.x - true_gradients(*given, 1.0)[wrt]).max(axis=0)
            claims = zip(gap, found.certificate.forward_error, np.abs(found.x).max(axis=0), strict=True)
            assert all(np.isinf(claim) or off <= mpmath.mpf(claim) * mpmath.mpf(size) for off, claim, size in claims)

    none = gradient((Q, K, V, 0 * dY), wrt)

    assert not none.x.any()
    assert not none.certificate.forward_error.any()
    assert none.status is ds.Status.SOLVED


@pytest.mark.parametrize("kind", [{}, {"kind": "polynomial", "degree": 4}])
def test_columns_in_units_of_their_own_are_claimed_as_they_are_known(kind: dict[str, Any]) -> None:
    """1e200 apart: where the bound does not carry a column the status says so and a note names it; else it is as sharp as for like ones."""
    Q, K, V = data(60, 40, 3, 2)
    dY = np.random.default_rng(1).standard_normal((60, 2))
    apart = 2.0 ** np.array([332, -332])

    def gradient(values: np.ndarray, above: np.ndarray, wrt: str, keys: np.ndarray = K) -> ds.Solution:
        problem = ds.AttentionGradient(Q, keys, values, above, wrt=wrt, **kind)
        return ds.solve(problem, cluster="serial", progress=False)

    plain = gradient(V, dY, "Q")
    turned = gradient(V * apart, dY / apart, "Q")
    assert np.abs(turned.x - plain.x).max() <= 1e-12 * np.abs(plain.x).max()
    assert (turned.certificate.forward_error <= 10 * plain.certificate.forward_error).all()

    values = gradient(V, dY * apart, "V")
    is_carried = bool((values.certificate.forward_error <= 1e-8).all())
    assert is_carried != bool(kind)  # of softmax each column has a bound of its own
    assert (values.status is ds.Status.SOLVED) == is_carried
    assert is_carried or "column 1 is known to" in values.notes[-1]

    small = gradient(V, dY, "Q", K * np.array([1, 1e-10, 1]))
    assert small.status is ds.Status.NOT_SOLVED
    assert "column 1 is known to" in small.notes[-1]


@wanted
@pytest.mark.parametrize("units", [1e3, 1e30, 1e100, 1e140])
def test_no_gradient_is_called_solved_where_no_digit_is_left(wrt: str, units: float) -> None:
    """Columns of Q in units far apart, with those of K inverse: logits may be anything that rows of such lengths allow, and are lost."""
    Q, K, V, dY = with_above(5, 6, 2, 2)
    given = Q * [units, 1 / units], K / [units, 1 / units], V, dY

    found = gradient(given, wrt)

    error = found.certificate.backward_error
    assert (units > 1e20) == (found.status is ds.Status.NOT_SOLVED) == bool(np.isinf(error).all())
    assert not np.isnan(error).any()
