"""The guarded form of the kernel's system."""

import numpy as np
import pytest

from dsketch.errors import DataError
from dsketch.matrix.open import open_matrix
from dsketch.problems.kernel import refinement
from dsketch.problems.kernel.refinement import Goal
from dsketch.problems.kernel.system import guard_system
from tests.problems.kernel.dense import answered, data, dense, kernel, on_sphere, system

EPS = float(np.finfo(float).eps)


def test_guarded_system_is_congruent_to_the_asked_one() -> None:
    """E (G + diag shift) E is K + λ I, entry by entry."""
    A, b = data("gaussian", 80)
    found = system(A, b, 0.1, 0.7)

    grown = found.growth * dense(found) * found.growth.T

    K = kernel(A, scale=0.7) + found.alpha * np.eye(80)
    assert np.allclose(grown, K, rtol=64 * EPS * (1 + 2 * found.half.max()), atol=0)
    assert np.allclose(found.growth * found.beta, b, rtol=4 * EPS, atol=0)


def test_rows_beyond_the_kernel_are_solved_in_the_guarded_form() -> None:
    """Where exp(s‖a‖²) is no number the guarded system still is: solved to its own rounding, and said."""
    rng = np.random.default_rng(0)
    A = 24 * on_sphere(rng.standard_normal((200, 6)))  # exp(576) is, its square is not
    hard = answered(guard_system(open_matrix(A), open_matrix(np.ones((200, 1))), 1.0, float(np.exp(560.0))))

    found = answered(refinement.refine(hard, None, Goal()))

    assert not hard.is_representable
    assert "beyond float64" in hard.notes[0]
    assert np.linalg.norm(hard.beta - dense(hard) @ found.y) <= 1e-10 * np.linalg.norm(hard.beta)


def test_a_row_that_overflows_is_named() -> None:
    """The longest row, its value, and the scale that would do."""
    A = np.ones((50, 4))
    A[31] = 20

    with pytest.raises(DataError, match=r"row 31 has 800 at scale=1. Use scale ≤ 0.88, or normalise the rows"):
        answered(guard_system(open_matrix(A), open_matrix(np.ones(50)), 1.0, 1.0))
