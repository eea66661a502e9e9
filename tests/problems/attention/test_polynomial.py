"""Attention with powers for weights against the dense formula and 60 digits, by tiles and by features; claims that hold."""

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dsketch as ds
from tests.problems.attention.dense import data, polynomial, true_polynomial

METHODS = ("sweep", "features")
each_method = pytest.mark.parametrize("method", METHODS)
each_sight = pytest.mark.parametrize("causal", [False, True], ids=["all", "causal"])


def attend(Q: np.ndarray, K: np.ndarray, V: np.ndarray, degree: int, method: str = "auto", **options: object) -> ds.Solution:
    """Return polynomial attention in this process."""
    return ds.attention(Q, K, V, kind="polynomial", degree=degree, method=method, cluster="serial", progress=False, **options)


@each_method
@each_sight
@pytest.mark.parametrize(
    ("n", "m", "d", "heads", "degree"), [(700, 1300, 8, 1, 4), (300, 1030, 6, 2, 6), (1, 9, 9, 3, 2), (5, 1, 2, 1, 8)]
)
def test_rows_are_those_of_the_dense_formula(method: str, causal: bool, n: int, m: int, d: int, heads: int, degree: int) -> None:
    """To 1e-12; several heads, several blocks, one row, one key."""
    if causal and n > m:
        n, m = m, n
    Q, K, V = data(n, m, d, 6)
    parts = (np.split(A, heads, axis=1) for A in (Q, K, V))
    dense = np.concatenate([polynomial(*head, degree, causal=causal) for head in zip(*parts, strict=True)], axis=1)

    found = attend(Q, K, V, degree, method, heads=heads, causal=causal)

    assert (found.method, found.status) == (method, ds.Status.SOLVED)
    assert np.abs(found.x - dense).max() <= 1e-12
    assert (np.abs(found.x - dense).max(axis=0) / np.abs(V).max(axis=0) <= 2 * found.certificate.forward_error).all()


@each_method
@each_sight
@given(
    seed=st.integers(0, 2**32),
    degree=st.sampled_from([2, 4, 6, 10]),
    sizes=st.tuples(*[st.sampled_from([1e-140, 1e-3, 1.0, 1e4, 1e140])] * 3),
    narrow=st.sampled_from([1.0, 1e-3, 1e-7, 1e-15]),
)
@settings(max_examples=40, deadline=None)
def test_no_claim_is_better_than_the_truth(
    method: str, causal: bool, seed: int, degree: int, sizes: tuple[float, float, float], narrow: float
) -> None:
    """Each number is within the bound of its value in 60 digits, for rows of any length and keys near a plane that Q is orthogonal to."""
    Q, K, V = (size * A for size, A in zip(sizes, data(4, 9, 3, 2, seed), strict=True))
    K[:, 0] *= narrow
    Q[0, 1:] = 0.0

    found = attend(Q, K, V, degree, method, causal=causal)

    true = true_polynomial(Q, K, V, degree, causal=causal)
    off = np.abs(np.vectorize(mpmath.mpf, otypes=[object])(found.x) - true).max(axis=0) / np.abs(V).max(axis=0)
    assert (off.astype(float) <= found.certificate.forward_error).all()


@each_method
@each_sight
def test_a_row_without_weights_is_named(method: str, causal: bool) -> None:
    """Orthogonal to all rows of K, or of zeros."""
    Q, K, V = data(40, 45, 3, 1)
    K[:, 2] = 0.0
    Q[17, :2] = 0.0

    with pytest.raises(ds.DataError, match="all weights of row 17 are 0"):
        attend(Q, K, V, 4, method, causal=causal)


def test_a_row_that_features_round_away_is_named_and_unsolved() -> None:
    """Its weights are 1e-16 of what its length allows; tiles have their digits all the same."""
    Q, K, V = data(40, 30, 3, 1)
    K[:, 2] *= 1e-4
    Q[17, :2] = 0.0

    by_features, by_tiles = attend(Q, K, V, 4, "features"), attend(Q, K, V, 4, "sweep")

    assert by_features.status is ds.Status.NOT_SOLVED
    assert "row 17 of Q is nearly orthogonal" in by_features.notes[0]
    assert by_tiles.status is ds.Status.SOLVED
    assert np.abs(by_tiles.x - polynomial(Q, K, V, 4)[:, 0]).max() <= float(by_tiles.certificate.forward_error.max())


@pytest.mark.parametrize("power", [12, 16])
def test_the_switch_is_where_the_logarithms_say(power: int) -> None:
    """One product twice the others among n = 2^β + 1: the spike has half of the mass at degree β; ½ β more or less is all or none.

    Z. Song, G. Xu, J. Yin, "The expressibility of polynomial based attention scheme", arXiv 2310.20051, KDD 2025.
    """
    K, V = np.ones((2**power + 1, 1)), np.zeros(2**power + 1)
    K[5], V[5] = 2.0, 1.0
    degrees = (power // 2, power, power * 3 // 2)

    mass = [float(attend(np.ones((1, 1)), K, V, degree).x[0]) for degree in degrees]

    assert np.allclose(mass, [1 / (1 + 2.0 ** (power - degree)) for degree in degrees], rtol=1e-12)
    assert mass[0] < 0.02 < 0.98 < mass[2]


def test_scale_changes_nothing() -> None:
    """Weights are divided by their sum: the same bits."""
    Q, K, V = data(30, 40, 3, 2)

    assert attend(Q, K, V, 4, scale=7.3).x.tobytes() == attend(Q, K, V, 4).x.tobytes()


@each_method
def test_given_rows_are_judged(method: str) -> None:
    """Right ones are within rounding, by tiles; of a wrong number the distance is told."""
    Q, K, V = data(300, 200, 4, 2)
    problem = ds.Attention(Q, K, V, kind="polynomial")
    x = ds.solve(problem, method=method, cluster="serial", progress=False).x.copy()
    right = ds.check(problem, x, cluster="serial", progress=False)
    x[200, 1] += 0.01
    wrong = ds.check(problem, x, cluster="serial", progress=False)

    assert right.forward_error.max() <= 1e-13
    assert wrong.forward_error[1] == pytest.approx(0.01 / np.abs(V[:, 1]).max(), rel=1e-6)


def test_a_plan_for_many_rows_takes_features() -> None:
    """n = m = 200,000 of 8 columns: 330 monomials a row in place of 200,000 weights."""
    Q = np.ones((200_000, 8))
    plan = ds.plan(ds.Attention(Q, Q, Q, kind="polynomial"), cluster="serial")

    assert plan.method == "features"
    assert "330 monomials of degree 4" in str(plan)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "cubic"}, "kind must be one of softmax, polynomial, conv; got 'cubic'"),
        ({"kind": "polynomial", "degree": 3}, "degree must be an even integer from 2 to 64"),
        ({"kind": "polynomial", "degree": 0}, "degree must be an even integer"),
        ({"kind": "polynomial", "degree": True}, "degree must be an even integer"),
        ({"degree": 4}, "degree is for kind='polynomial'"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, object], message: str) -> None:
    """At the door."""
    Q, K, V = data(5, 5, 2, 1)

    with pytest.raises(ds.SpecError, match=message):
        ds.Attention(Q, K, V, **options)


def test_what_is_for_one_kind_is_refused_for_the_other() -> None:
    """Exponentials have no features."""
    Q, K, V = data(5, 5, 2, 1)

    with pytest.raises(ds.SpecError, match="method='features' is for kind='polynomial'"):
        ds.attention(Q, K, V, method="features", cluster="serial", progress=False)
