"""Softmax attention against the dense formula and 50 digits: every shape, every size of logits, and claims that hold."""

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dsketch as ds
from dsketch.engine import SerialEngine
from dsketch.events import ignore
from dsketch.matrix.array import ArrayMatrix
from dsketch.passes import Look
from dsketch.passes.attention import SoftmaxRows, attention_rows
from dsketch.passes.spans import Spans
from tests.problems.attention.dense import by_heads, data, softmax, true_softmax

EPS = float(np.finfo(float).eps)


def attention(Q: np.ndarray, K: np.ndarray, V: np.ndarray, **options: object) -> ds.Solution:
    """Return attention in this process."""
    return ds.attention(Q, K, V, cluster="serial", progress=False, **options)


@given(
    n=st.integers(1, 60),
    more=st.integers(0, 30),
    tile=st.integers(3, 40),
    height=st.integers(2, 50),
    causal=st.booleans(),
    tame=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_each_row_meets_each_row_that_it_sees_once(n: int, more: int, tile: int, height: int, causal: bool, tame: bool) -> None:
    """Of logits that are all 0 the answer is the mean of integers, exactly but for one division, for any tiles and spans."""
    m = n + more
    V = np.random.default_rng(n).integers(-9, 10, (m, 4)).astype(float)
    others = Spans((ArrayMatrix(np.ones((m, 2))), ArrayMatrix(V)), height)
    pass_ = SoftmaxRows(others, 2, more if causal else None, tile, 1.0, tame)
    rows = attention_rows(ArrayMatrix(np.zeros((n, 2))), None, 4, ("Q", "b"), tile)

    found = pass_.finish(SerialEngine(1).run(Look(pass_, rows), ignore))

    counts = (np.arange(n) + more + 1 if causal else np.full(n, m))[:, None]
    assert np.array_equal(found, np.cumsum(V, axis=0)[counts[:, 0] - 1] / counts)


@pytest.mark.parametrize(
    ("n", "m", "d", "p", "heads"), [(700, 1300, 8, 6, 1), (1300, 1300, 8, 6, 2), (1, 600, 6, 3, 3), (5, 1, 2, 2, 1)]
)
@pytest.mark.parametrize("causal", [False, True], ids=["all", "causal"])
@pytest.mark.parametrize("size", [1.0, 300.0], ids=["tame", "wild"])
def test_rows_are_those_of_the_dense_formula(n: int, m: int, d: int, p: int, heads: int, causal: bool, size: float) -> None:
    """To twice the claim, as the dense formula rounds too; rectangular, causal, several heads."""
    if causal and n > m:
        n, m = m, n
    Q, K, V = data(n, m, d, p, size=size)

    found = attention(Q, K, V, heads=heads, causal=causal)

    assert found.status is ds.Status.SOLVED
    assert found.x.shape == (n, p)
    gap = np.abs(found.x - by_heads(heads, Q, K, V, causal=causal)).max(axis=0) / np.abs(V).max(axis=0)
    assert (gap <= 2 * found.certificate.forward_error).all()


def test_a_dense_reference_agrees_to_twelve_digits() -> None:
    """n = m = 4096, d = p = 64."""
    Q, K, V = data(4096, 4096, 64, 64)

    assert np.abs(attention(Q, K, V).x - softmax(Q, K, V)).max() <= 1e-12


@given(seed=st.integers(0, 2**32), size=st.sampled_from([1e-3, 1.0, 30.0, 1e4, 1e8]), causal=st.booleans())
@settings(max_examples=40, deadline=None)
def test_no_claim_is_better_than_the_truth(seed: int, size: float, causal: bool) -> None:
    """Each number is within the bound of its value in 50 digits, for logits up to 1e8."""
    Q, K, V = data(4, 9, 3, 2, seed, size)

    found = attention(Q, K, V, causal=causal, scale=0.7)

    with mpmath.workdps(50):
        gap = np.abs(found.x - true_softmax(Q, K, V, 0.7, causal=causal)).max(axis=0) / np.abs(V).max(axis=0)
        assert (gap <= found.certificate.forward_error).all()


def test_large_logits_do_not_overflow() -> None:
    """Logits of 1e4 and −1e4 in every order: the largest takes all, whenever it comes."""
    K = np.concatenate([np.linspace(-1, 1, 2000), np.linspace(1, -1, 2000)])[:, None]
    V = np.arange(4000.0)

    found = attention(np.array([[1e5], [-1e5]]), K, V, scale=1.0)

    assert np.abs(found.x - 1999.5).max() <= 1999.5 * EPS  # rows 1999 and 2000, and the first and the last
    assert found.status is ds.Status.SOLVED


def test_logits_beyond_all_digits_are_not_called_solved() -> None:
    """At 1e17 a logit has no digit behind its point: the bound says so."""
    Q, K, V = data(3, 40, 2, 1, size=1e17)

    found = attention(Q, K, V)

    assert found.status is ds.Status.NOT_SOLVED
    assert (found.certificate.forward_error > 1).all()


def test_values_of_any_unit_keep_their_digits() -> None:
    """Columns of 1e±200 and one of zeros: errors are relative to each column; at 1e-308 the claim is given up, not wrong."""
    Q, K, V = data(30, 700, 3, 4)
    V *= [1e200, 1e-200, 0.0, 1e-308]

    found = attention(Q, K, V)

    error = found.certificate.forward_error
    assert (error[:2] < 1e-12).all()
    assert error[2] == 0
    assert error[3] > 1e-3
    assert (np.abs(found.x[:, :2] - softmax(Q, K, V)[:, :2]) <= 1e-12 * np.abs(V[:, :2]).max(axis=0)).all()
    assert not found.x[:, 2].any()
