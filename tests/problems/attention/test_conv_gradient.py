"""Gradients of causal attention by a convolution basis: those of the dense formula and of differences, within their claims."""

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dsketch as ds
from dsketch.testing.convolution import rotary_rows
from tests.problems.attention.dense import data, gradients, gradients_by_heads, softmax

each_side = pytest.mark.parametrize("wrt", ["Q", "K", "V"])


def solve(arrays: tuple[np.ndarray, ...], wrt: str, **options: object) -> ds.Solution:
    """Return a gradient by a basis in this process, of scale 1."""
    Q, K, V, dY = arrays
    asked = {"kind": "conv", "method": "conv", "causal": True, "scale": 1.0, "cluster": "serial", "progress": False, **options}
    return ds.attention_gradient(Q, K, V, dY, wrt=wrt, **asked)


def rows(n: int, p: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return V and dY."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, p)), rng.standard_normal((n, p))


@each_side
@pytest.mark.parametrize("size", [1.0, 15.0])
@pytest.mark.parametrize(
    ("n", "d", "p", "starts"),
    [(1, 1, 1, (0,)), (3, 1, 2, (0, 2)), (1300, 6, 3, (0, 100, 101, 700)), (700, 2, 5, (0,)), (1300, 24, 20, (0, 600))],
)
def test_gradients_are_those_of_the_dense_formula(wrt: str, n: int, d: int, p: int, starts: tuple[int, ...], size: float) -> None:
    """One row, one column, several blocks and segments: to rounding, and within the claim."""
    Q, K = rotary_rows(n, d, starts, size=size)
    V, dY = rows(n, p)

    found = solve((Q, K, V, dY), wrt)

    assert (found.method, found.status, found.certificate.profiles) == ("conv", ds.Status.ESTIMATED, len(starts))
    exact = gradients(Q, K, V, dY, causal=True, scale=1.0)[wrt]
    off = np.abs(np.reshape(found.x, exact.shape) - exact).max(axis=0)
    assert off.max() <= 1e-13 * size * max(np.abs(exact).max(), 1.0)
    known = np.abs(exact).max(axis=0) > 0  # a gradient of 0 has no relative error
    assert (off[known] <= 2 * found.certificate.forward_error[known] * np.abs(exact).max(axis=0)[known]).all()


@each_side
def test_gradients_are_those_of_differences(wrt: str) -> None:
    """Of the dense loss, along a random direction: to 1e-6."""
    starts, n = (0, 90), 300
    Q, K = rotary_rows(n, 4, starts)
    V, dY = rows(n, 3)
    given = {"Q": Q, "K": K, "V": V}
    step = 1e-5 * np.random.default_rng(5).standard_normal(given[wrt].shape)

    found = solve((Q, K, V, dY), wrt)

    more, less = (softmax(**(given | {wrt: given[wrt] + sign * step}), causal=True, scale=1.0) for sign in (1, -1))
    change = np.sum(dY * (more - less)) / 2
    assert abs(np.sum(found.x * step) - change) <= 1e-6 * abs(change)


@each_side
@given(seed=st.integers(0, 2**32), size=st.sampled_from([1e-3, 1.0, 20.0]), large=st.sampled_from([1e-30, 1.0, 1e30]))
@settings(max_examples=15, deadline=None)
def test_no_claim_is_better_than_the_truth(wrt: str, seed: int, size: float, large: float) -> None:
    """Each number is within the bound of its value in 50 digits, whoever made it."""
    Q, K = rotary_rows(9, 3, (0, 4), size=size, seed=seed)
    V, dY = (large * A for A in rows(9, 2, seed))

    found = solve((Q, K, V, dY), wrt)

    with mpmath.workdps(50):
        true = true_causal(Q, K, V, dY)[wrt]
        off = np.abs(np.vectorize(mpmath.mpf, otypes=[object])(found.x) - true).max(axis=0)
        largest = np.abs(found.x).max(axis=0)
    assert (off.astype(float) <= found.certificate.forward_error * largest).all()


def true_causal(Q: np.ndarray, K: np.ndarray, V: np.ndarray, dY: np.ndarray) -> dict[str, np.ndarray]:
    """Return dQ, dK, dV of causal attention in the digits of the moment."""
    q, k, v, y = (np.vectorize(mpmath.mpf, otypes=[object])(A) for A in (Q, K, V, dY))
    W = np.vectorize(mpmath.exp, otypes=[object])(q @ k.T)
    W[np.triu(np.ones(W.shape, bool), 1)] = mpmath.mpf(0)
    S = W / W.sum(axis=1, keepdims=True)
    P = y @ v.T
    E = S * (P - np.sum(S * P, axis=1, keepdims=True))
    return {"Q": E @ k, "K": E.T @ q, "V": S.T @ y}


@each_side
def test_heads_have_bases_of_their_own(wrt: str) -> None:
    """Two heads beside each other, as the dense formula by heads."""
    sides = [rotary_rows(600, 4, starts, seed=number) for number, starts in enumerate([(0, 400), (0, 10, 599)])]
    Q, K = (np.concatenate(side, axis=1) for side in zip(*sides, strict=True))
    V, dY = rows(600, 4)

    found = solve((Q, K, V, dY), wrt, heads=2)

    exact = gradients_by_heads(2, Q, K, V, dY, causal=True, scale=1.0)[wrt]
    assert found.certificate.profiles == 5
    assert np.abs(found.x - exact).max() <= 1e-12 * np.abs(exact).max()


def test_an_attention_of_this_kind_has_gradients_of_it() -> None:
    """By its own verb; without a basis the sweep makes them, and the reason is told; the judge agrees."""
    Q, K = rotary_rows(300, 4, (0, 90))
    V, dY = rows(300, 3)
    problem = ds.Attention(Q, K, V, kind="conv", causal=True, scale=1.0).gradient(dY, "K")
    found = ds.solve(problem, method="conv", cluster="serial", progress=False)
    other = solve((*data(300, 300, 4, 3), dY), "K")

    assert problem.parameters["kind"] == "conv"
    assert (ds.check(problem, found.x, cluster="serial", progress=False).forward_error <= found.certificate.forward_error).all()
    assert (other.method, other.status) == ("sweep", ds.Status.SOLVED)
    assert "conv gave way to sweep" in other.notes[0]


def test_lengths_beyond_products_are_left_to_the_sweep() -> None:
    """Values of 1e100 times keys and gradients, summed, might be no numbers."""
    Q, K = rotary_rows(40, 4, (0,))
    V, dY = rows(40, 2)

    found = solve((Q, K, 1e100 * V, dY), "Q")

    assert found.method == "sweep"
    assert "rows of lengths from 1e-70 to 1e+70" in found.notes[0]


def test_what_cannot_be_is_refused() -> None:
    """A basis is for kind='conv', and that for causal rows."""
    Q, K, V = data(5, 5, 2, 1)

    with pytest.raises(ds.SpecError, match="kind='conv' is for rows that see their own past"):
        ds.AttentionGradient(Q, K, V, V, kind="conv")
    with pytest.raises(ds.SpecError, match="method='conv' is for kind='conv'"):
        solve((Q, K, V, V), "Q", kind="softmax")
