"""Preconditioners of the kernel against their matrices."""

import numpy as np
import pytest

from dsketch.features.centres import Centres
from dsketch.features.taylor import Taylor
from dsketch.problems.kernel import preconditioners
from dsketch.problems.kernel.pivoted_cholesky import choose_pivots, pivoted_cholesky
from dsketch.problems.kernel.preconditioners import no_features, taylor, tensor, woodbury
from tests.problems.kernel.dense import answered, data, dense, iterations, matrix_of, system

EPS = float(np.finfo(float).eps)


@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("limit", [preconditioners.GRAM_LIMIT, 0.0], ids=["gram", "qr"])
def test_woodbury_is_the_inverse_of_the_sum(residual: bool, limit: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """P⁻¹ applied to the identity, through a Gram matrix or a QR, inverts F Fᵀ + D to u times its condition number."""
    monkeypatch.setattr(preconditioners, "GRAM_LIMIT", limit)
    A, b = data("gaussian", 150)
    given = system(A, b, 1e-3)
    features = Taylor(given.mean, given.scale, 3)
    F = features.apply(A)
    D = given.shift[:, 0] + (np.maximum(1 - np.sum(F * F, axis=1), 0) if residual else 0)
    P = F @ F.T + np.diag(D)

    found = matrix_of(answered(woodbury(given, features, "taylor", residual=residual)), 150)

    assert np.linalg.norm(found @ P - np.eye(150), 2) <= 100 * EPS * np.linalg.cond(P)


def test_mixed_columns_are_applied_without_mixing_rows() -> None:
    """Pivoted Cholesky's F = Φ L⁻ᵀ is applied through Φ alone; the inverse is the same."""
    A, b = data("clusters", 200)
    given = system(A, b, 1e-2)
    chosen = answered(choose_pivots(given, 40, 0, 0.0))
    features = chosen.features(given)
    F = features.apply(A)
    P = F @ F.T + np.diag(given.shift[:, 0])

    made = answered(woodbury(given, features, "pivoted_cholesky", residual=False))

    assert isinstance(made.view.map, Centres)
    assert made.view.map.mix is None
    assert np.linalg.norm(matrix_of(made, 200) @ P - np.eye(200), 2) <= 1000 * EPS * np.linalg.cond(P)


def test_pivots_factor_the_kernel_at_their_rows() -> None:
    """L Lᵀ is G at the pivots, what is left is G's diagonal less that of F Fᵀ, and no row is chosen twice."""
    A, b = data("gaussian", 500)
    given = system(A, b, 1e-2)

    chosen = answered(choose_pivots(given, 120, 3, 0.0))
    F = chosen.features(given).apply(A)

    assert chosen.rank == 120
    assert len(set(chosen.numbers.tolist())) == 120
    assert np.array_equal(chosen.centres, A[chosen.numbers])
    assert np.allclose(chosen.L @ chosen.L.T, given.gaussian(chosen.centres, chosen.centres), rtol=0, atol=200 * EPS)
    assert np.allclose(chosen.left, np.maximum(1 - np.sum(F * F, axis=1), 0), rtol=0, atol=1e-8)


def test_pivots_leave_little_more_than_the_best_columns_could() -> None:
    """The mean trace left by r ≥ k (1 + log(1/η)) pivots is at most twice the best that k columns leave, η of the whole (Chen et al.)."""
    A, b = data("clusters", 300)
    given = system(A, b, 1e-6)
    weight = np.exp(2 * given.half)
    values = np.sort(np.linalg.eigvalsh(np.sqrt(weight)[:, None] * (dense(given) - np.diag(given.shift[:, 0])) * np.sqrt(weight)))

    left = [float(np.sum(weight * answered(choose_pivots(given, 60, seed, 0.0)).left)) for seed in range(4)]

    tails = np.cumsum(values)[::-1]  # tails[k]: the best trace that k columns leave
    k = max(k for k in range(60) if k * (1 + np.log(tails[0] / tails[k])) <= 60)
    assert k >= 5
    assert np.mean(left) <= 2 * tails[k]


def test_duplicate_rows_end_the_pivots() -> None:
    """With 40 distinct rows among 400 there are 40 pivots, and nothing is left."""
    rng = np.random.default_rng(0)
    A = np.repeat(rng.standard_normal((40, 6)), 10, axis=0)
    given = system(A, np.ones((400, 1)), 0.0)

    chosen = answered(choose_pivots(given, 400, 0, 0.0))

    assert chosen.rank == 40
    assert np.max(chosen.left) <= 64 * EPS


@pytest.mark.parametrize(
    ("family", "good", "factor"),
    [
        ("sphere", "taylor", 5),
        ("gaussian", "taylor", 2),
        ("wide", "taylor", 2),
        ("clusters", "pivoted", 5),
        ("sphere", "tensor", 2),
    ],
)
def test_preconditioner_saves_iterations(family: str, good: str, factor: float) -> None:
    """Taylor on spheres, Gaussians and wide rows, pivots on clusters, sketched features at a large ridge: fewer steps by a factor."""
    A, b = data(family)
    given = system(A, b, 0.3 if good == "tensor" else 1e-2)
    made = {
        "taylor": lambda: taylor(given, 1 if family == "wide" else 4),
        "pivoted": lambda: pivoted_cholesky(given, 150, 0),
        "tensor": lambda: tensor(given, "tensor_sketch", 300, 0),
    }[good]()

    with_it, without = iterations(given, answered(made)), iterations(given, answered(no_features(given)))

    assert factor * with_it <= without


def test_what_low_degrees_leave_of_wide_rows_is_diagonal() -> None:
    """For 40 columns degree 1 with the diagonal it leaves halves the steps that it takes without."""
    A, b = data("wide")
    given = system(A, b, 1e-2)
    features = Taylor(given.mean, given.scale, 1)
    steps = [iterations(given, answered(woodbury(given, features, "", residual=residual))) for residual in (True, False)]

    assert 2 * steps[0] <= steps[1]
