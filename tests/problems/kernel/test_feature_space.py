"""The kernel of features, solved in the features' space."""

import numpy as np
import pytest

from dsketch.features.taylor import Taylor
from dsketch.problems.kernel.candidates import candidate_named
from dsketch.problems.kernel.feature_space import solve_by_features
from dsketch.settings import Settings
from tests.problems.kernel.dense import answered, data, kernel, system

EPS = float(np.finfo(float).eps)


@pytest.mark.parametrize("family", ["pivoted_cholesky", "taylor", "tensor_sketch", "tensor_srht"])
def test_feature_space_solves_the_features_kernel(family: str) -> None:
    """With a ridge x solves (B Bᵀ + λ I) x = b for the features B; residual and distance are those of the exact kernel."""
    A, b = data("gaussian", 300)
    given = system(A, b, 0.1)
    wanted = candidate_named(given, family, 126, 126, 300)

    found = answered(solve_by_features(given, wanted, Settings()))

    K = kernel(A)
    assert np.allclose(found.residual, b - K @ found.x - given.alpha * found.x, rtol=0, atol=1e-9 * np.linalg.norm(b))
    shown = np.linalg.norm(found.residual, axis=0) / np.linalg.norm(b, axis=0)
    assert np.max(shown) > 1e-6
    assert 0 < found.distance < 1
    assert 1 <= found.stable_rank <= found.rank <= found.columns <= 126


def test_feature_space_is_exact_for_its_own_kernel() -> None:
    """Taylor's features, dense: the tall core in their space gives (B Bᵀ + λ I)⁻¹ b, their stable rank and their distance."""
    A, b = data("gaussian", 200)
    given = system(A, b, 0.1)
    B = given.growth * Taylor(given.mean, given.scale, 3).apply(A)
    inside = B @ B.T + given.alpha * np.eye(200)

    found = answered(solve_by_features(given, candidate_named(given, "taylor", 60, 60, 200), Settings()))

    expected = np.linalg.solve(inside, b)
    assert np.linalg.norm(found.x - expected) <= 1e4 * EPS * np.linalg.cond(inside) * np.linalg.norm(expected)
    s = np.linalg.svd(B, compute_uv=False)
    assert found.stable_rank == pytest.approx(float(np.sum((s / s[0]) ** 2)), rel=0.5)  # gradient descent has a sketch's factor


def test_feature_space_without_a_ridge_is_the_shortest_answer() -> None:
    """Λ = 0: x = B (BᵀB)⁻² Bᵀb, the pseudoinverse of B Bᵀ applied to b."""
    A, b = data("gaussian", 200)
    given = system(A, b, 0.0)
    B = given.growth * Taylor(given.mean, given.scale, 2).apply(A)

    found = answered(solve_by_features(given, candidate_named(given, "taylor", 21, 21, 200), Settings()))

    expected = np.linalg.pinv(B @ B.T, rcond=1e-12, hermitian=True) @ b
    assert found.rank == 21
    assert np.linalg.norm(found.x - expected) <= 1e3 * EPS * np.linalg.cond(B) ** 2 * np.linalg.norm(expected)
