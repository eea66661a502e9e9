"""Causal attention by a convolution basis: right where there is one, by the sweep and with a reason where there is none."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dsketch as ds
from dsketch.testing.convolution import rotary_rows
from tests.problems.attention.dense import by_heads, data, hidden, softmax, true_softmax


def attend(Q: np.ndarray, K: np.ndarray, V: np.ndarray, **options: object) -> ds.Solution:
    """Return attention by a basis in this process, of scale 1."""
    asked = {"kind": "conv", "causal": True, "scale": 1.0, "cluster": "serial", "progress": False, **options}
    return ds.attention(Q, K, V, **asked)


def values(n: int, p: int = 3, seed: int = 0) -> np.ndarray:
    """Return V of Gaussian rows."""
    return np.random.default_rng(seed).standard_normal((n, p))


@pytest.mark.parametrize("size", [0.1, 1.0, 20.0])
@pytest.mark.parametrize(
    ("n", "d", "starts"),
    [
        (1, 1, (0,)),
        (2, 1, (0, 1)),
        (700, 6, (0, 100, 101, 350)),
        (1500, 5, (0,)),
        (2049, 8, (0, 1, 2, 3, 1000, 2048)),
        (1300, 2, (0, 1299)),
    ],
)
def test_rows_are_those_of_the_dense_formula(n: int, d: int, starts: tuple[int, ...], size: float) -> None:
    """One profile and several, segments of one column, one row, lengths that are no power of two, one column: within the claim."""
    Q, K = rotary_rows(n, d, starts, size=size)
    V = values(n)

    found = attend(Q, K, V)

    assert (found.method, found.status, found.certificate.profiles) == ("conv", ds.Status.ESTIMATED, len(starts))
    off = np.abs(found.x - softmax(Q, K, V, causal=True, scale=1.0)).max(axis=0) / np.abs(V).max(axis=0)
    assert (off <= found.certificate.forward_error).all()
    assert off.max() <= 1e-12 * max(size, 1.0)
    assert found.certificate.forward_error.max() <= 2e-9


def test_a_plan_knows_its_passes() -> None:
    """Of the rows, and of each gradient: as many as a run takes."""
    Q, K = rotary_rows(40, 4, (0, 10))
    V = values(40)
    problem = ds.Attention(Q, K, V, kind="conv", causal=True, scale=1.0)

    for asked, passes in ((problem, 8), (problem.gradient(V, "Q"), 9), (problem.gradient(V, "K"), 10)):
        plan = ds.plan(asked, method="conv", cluster="serial")
        assert plan.estimate.passes == len(ds.solve(plan, progress=False).passes) == passes


def test_constant_logits_give_running_means() -> None:
    """Of zeros, whatever d."""
    V = values(3000, 2)

    found = attend(np.zeros((3000, 3)), np.ones((3000, 3)), V)

    assert found.certificate.profiles == 1
    assert np.abs(found.x - np.cumsum(V, axis=0) / np.arange(1, 3001)[:, None]).max() <= 1e-13


def test_heads_have_bases_of_their_own() -> None:
    """Two heads with different segments, beside each other."""
    sides = [rotary_rows(900, 4, starts, seed=number) for number, starts in enumerate([(0, 400), (0, 10, 899)])]
    Q, K = (np.concatenate(side, axis=1) for side in zip(*sides, strict=True))
    V = values(900, 4)

    found = attend(Q, K, V, heads=2)

    assert (found.method, found.certificate.profiles) == ("conv", 5)
    assert np.abs(found.x - by_heads(2, Q, K, V, causal=True, scale=1.0)).max() <= 1e-13


def peaked(n: int, height: float, lag: int) -> tuple[np.ndarray, np.ndarray]:
    """Return Q and K, one-hot, with one profile: logits 0, but for one of that height at a lag."""
    Q, K = np.zeros((n, n)), np.eye(n)
    Q[np.arange(lag, n), np.arange(n - lag)] = height
    return Q, K


@pytest.mark.parametrize("height", [30.0, 100.0, 700.0, 5000.0])
def test_rows_that_do_not_see_a_peak_keep_their_digits(height: float) -> None:
    """The range is e^height: FFT refuses rows, which are made weight by weight; the certificate says so, and all are right."""
    Q, K = peaked(1200, height, 600)
    V = values(1200)

    found = attend(Q, K, V)

    assert found.method == "conv"
    assert found.certificate.refused > 0
    off = np.abs(found.x - softmax(Q, K, V, causal=True, scale=1.0)).max(axis=0) / np.abs(V).max(axis=0)
    assert (off <= found.certificate.forward_error).all()
    assert off.max() <= 1e-11


@given(seed=st.integers(0, 2**32), size=st.sampled_from([1e-3, 1.0, 30.0, 1e3]), large=st.sampled_from([1e-300, 1.0, 1e300]))
@settings(max_examples=40, deadline=None)
def test_no_claim_is_better_than_the_truth(seed: int, size: float, large: float) -> None:
    """Each number is within the bound of its value in 50 digits, for logits and values of any size, whoever made it."""
    rng = np.random.default_rng(seed)
    starts = (0, *sorted({int(place) for place in rng.integers(1, 10, 2)}))
    Q, K = rotary_rows(12, 3, starts, size=size, seed=seed)
    V = large * values(12, 2, seed)

    found = attend(Q, K, V)

    true = true_softmax(Q, K, V, 1.0, causal=True)
    off = np.abs((found.x - true).astype(float)).max(axis=0) / np.abs(V).max(axis=0)
    assert (off <= found.certificate.forward_error).all()


def test_noise_moves_rows_by_no_more_than_its_bound() -> None:
    """In 100 of 100 draws: (e^{2ε} − 1) max|v|, ε the largest distance of a logit from the basis, and within the claim."""
    starts, n = (0, 90, 200), 260
    clean, K = rotary_rows(n, 4, starts)
    V, seen = values(n), ~hidden(n, n)
    for seed in range(100):
        Q = clean + 1e-4 * np.random.default_rng(seed).uniform(-1, 1, clean.shape)
        profiles = np.array([Q @ K[first] for first in starts])
        place = np.searchsorted(starts, np.arange(n), side="right") - 1
        lag = np.maximum(np.arange(n)[:, None] - np.arange(n)[None, :] + np.array(starts)[place], 0)
        noise = float(np.abs(np.where(seen, Q @ K.T - profiles[place[None, :], np.minimum(lag, n - 1)], 0.0)).max())

        found = attend(Q, K, V, tol=1e-2)

        off = np.abs(found.x - softmax(Q, K, V, causal=True, scale=1.0)).max(axis=0) / np.abs(V).max(axis=0)
        assert (found.method, found.certificate.profiles) == ("conv", 3)
        assert off.max() <= np.expm1(2 * noise) + 1e-12
        assert (off <= found.certificate.forward_error).all()
        assert found.certificate.forward_error.max() <= 1e-2


def without_basis() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return Gaussian rows."""
    return data(600, 600, 4, 3)


def changed_out_of_sight() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return one profile, but for lags from 300 on of the columns from 100 on, which first entries do not show."""
    Q, K = peaked(600, 0.0, 0)
    Q[np.arange(400, 600), np.arange(100, 300)] = 1.0
    return Q, K, values(600)


def turned_key() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return one profile, but for a single column beyond the entries that are looked at."""
    Q, K = peaked(600, 0.0, 0)
    Q[450:, 77] = 1.0
    return Q, K, values(600)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (without_basis, "the first 8 entries of columns change at least"),
        (changed_out_of_sight, "logits of probed rows and columns are up to 1.00e+00 off"),
        (turned_key, "logits of probed rows and columns are up to 1.00e+00 off"),
    ],
)
def test_rows_without_a_basis_are_swept_and_told_why(rows: Callable[[], tuple[np.ndarray, ...]], reason: str) -> None:
    """Too many profiles, or a change that the first entries of a column do not show: exact rows, with the reason."""
    Q, K, V = rows()

    found = attend(Q, K, V)
    exact = ds.attention(Q, K, V, causal=True, scale=1.0, cluster="serial", progress=False)

    assert (found.method, found.status) == ("sweep", ds.Status.SOLVED)
    assert "conv gave way to sweep" in found.notes[0]
    assert reason in found.notes[0]
    assert found.x.tobytes() == exact.x.tobytes()
    assert found.certificate.profiles == 0


def test_logits_too_large_for_profiles_are_left_to_the_sweep() -> None:
    """Rounding of logits of 1e10 would hide other profiles; where no tolerance allows that, nothing is said by a basis."""
    Q, K = rotary_rows(200, 4, (0,), size=1e10)

    found = attend(Q, K, values(200))

    assert found.method == "sweep"
    assert "the basis may be off by" in found.notes[0]


@pytest.mark.parametrize(
    ("given", "options", "error", "message"),
    [
        ((5, 5), {"causal": False}, ds.SpecError, "kind='conv' is for rows that see their own past"),
        ((4, 5), {}, ds.DataError, "as many rows of Q as of K; Q has 4 rows, K 5"),
        ((5, 5), {"degree": 4}, ds.SpecError, "degree is for kind='polynomial'; got degree=4 with conv"),
        ((5, 5), {"kind": "softmax", "method": "conv"}, ds.SpecError, "method='conv' is for kind='conv'"),
    ],
)
def test_what_cannot_be_is_refused(
    given: tuple[int, int], options: dict[str, object], error: type[Exception], message: str
) -> None:
    """At the door."""
    Q, K, V = data(*given, 2, 1)

    with pytest.raises(error, match=message):
        attend(Q, K, V, **options)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_what_is_not_finite_is_named(place: int) -> None:
    """A NaN in Q, K or V."""
    rows = [*rotary_rows(300, 4, (0,)), values(300)]
    rows[place][170, 0] = np.nan

    with pytest.raises(ds.DataError, match="170"):
        attend(*rows)


def test_any_rows_are_judged_by_the_sweep() -> None:
    """The judge's distance is within the claim, and rows that were changed are found."""
    Q, K = rotary_rows(600, 4, (0, 300))
    V = values(600)
    found = attend(Q, K, V)
    problem = ds.Attention(Q, K, V, kind="conv", causal=True, scale=1.0)
    wrong = found.x.copy()
    wrong[33, 1] += 1e-3

    judged = ds.check(problem, found.x, cluster="serial", progress=False)

    assert (judged.forward_error <= found.certificate.forward_error).all()
    assert ds.check(problem, wrong, cluster="serial", progress=False).forward_error.max() > 1e-4
