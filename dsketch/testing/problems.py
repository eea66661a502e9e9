"""The contract of a problem: every look it offers is that of the dense system [A; √p] x ≈ [b; 0] which it stands for."""

from typing import Any

import numpy as np
import pytest

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch.problems.linear.problem import LinearProblem
from dsketch.sketch import SparseSign
from dsketch.testing.flows import run_flow

EPS = float(np.finfo(np.float64).eps)


class ProblemTests:
    """What every linear problem guarantees; give it and its dense system as fixture ``case``."""

    @pytest.fixture
    def case(self) -> tuple[LinearProblem, Floats, Floats]:
        """Return the problem, and M (all rows, those of the penalty last) and z with min ‖M x − z‖ the same problem."""
        raise NotImplementedError

    def test_shape_is_the_system_s(self, case: tuple[LinearProblem, Floats, Floats]) -> None:
        """d columns, k sides; the penalty's rows do not count as data."""
        problem, M, z = case

        assert problem.shape[1] == M.shape[1]
        assert problem.sides == z.shape[1]
        assert problem.penalty.shape == (M.shape[1],)
        assert problem.is_penalized == bool(problem.penalty.any())

    def test_gradient_is_the_system_s(self, case: tuple[LinearProblem, Floats, Floats]) -> None:
        """Mᵀ(z − M x) and ‖z − M x‖²."""
        problem, M, z = case
        x = _some(M.shape[1], z.shape[1])

        slope = run_flow(problem.gradient(x)).result

        r = z - M @ x
        size = np.abs(z) + np.abs(M) @ np.abs(x)
        _close(slope.g, M.T @ r, np.abs(M).T @ size, M)
        _close(slope.rr, np.sum(r**2, axis=0), np.sum(size**2, axis=0), M)

    def test_curvature_is_the_system_s(self, case: tuple[LinearProblem, Floats, Floats]) -> None:
        """MᵀM v."""
        problem, M, _ = case
        v = _some(M.shape[1], 2)

        _close(run_flow(problem.normal(v)).result, M.T @ (M @ v), np.abs(M).T @ (np.abs(M) @ np.abs(v)), M)

    def test_gram_is_the_system_s(self, case: tuple[LinearProblem, Floats, Floats]) -> None:
        """MᵀM, Mᵀz beside the sketch, whose penalty rows are exact: a sketch of the rows that embeds all is MᵀM itself."""
        problem, M, z = case
        sketch = SparseSign(64, 3)

        (SM, Sz), (G, c, _) = run_flow(problem.sketch_and_gram(sketch)).result
        alone = run_flow(problem.sketch(sketch)).result

        _close(G, M.T @ M, np.abs(M).T @ np.abs(M), M)
        _close(c, M.T @ z, np.abs(M).T @ np.abs(z), M)
        assert np.array_equal(SM, alone[0])
        assert np.array_equal(Sz, alone[1])
        n = problem.shape[0]
        S = sketch.columns(0, n)
        expected = (S @ M[:n]).T @ (S @ M[:n]) + M[n:].T @ M[n:]
        _close(SM.T @ SM, expected, np.full(expected.shape, np.trace(expected)), M)

    def test_triangle_is_the_system_s(self, case: tuple[LinearProblem, Floats, Floats]) -> None:
        """RᵀR = MᵀM, Rᵀ(Qᵀz) = Mᵀz and the residual norm of the minimizer."""
        problem, M, z = case

        R, Qz, left = run_flow(problem.triangle(0)).result

        norms, sides = np.linalg.norm(M, axis=0), np.linalg.norm(z, axis=0)
        _close(R.T @ R, M.T @ M, np.outer(norms, norms), M)
        _close(R.T @ Qz, M.T @ z, np.outer(norms, sides), M)
        _close(left, np.linalg.norm(z - M @ np.linalg.lstsq(M, z)[0], axis=0), sides, M)

    def test_whitened_is_the_system_s(self, case: tuple[LinearProblem, Floats, Floats]) -> None:
        """YᵀY and Yᵀz for Y = M T."""
        problem, M, z = case
        factor = Factor.of(M)

        W, c = run_flow(problem.whitened(factor)).result

        Y = factor.whitener.apply(M)
        _close(W, Y.T @ Y, np.ones_like(W), M)
        _close(c, Y.T @ z, np.ones((W.shape[0], 1)) * np.linalg.norm(z, axis=0), M)

    def test_words_make_the_problem_again(self, case: tuple[LinearProblem, Floats, Floats]) -> None:
        """What was asked is text and numbers, with the name of the problem in the table."""
        problem = case[0]

        assert isinstance(problem.parameters["problem"], str)
        assert all(isinstance(value, str | int | float | bool) for value in problem.parameters.values())


def _some(d: int, k: int) -> Floats:
    return np.random.default_rng(11).standard_normal((d, k))


def _close(found: Any, expected: Floats, size: Floats, M: Floats) -> None:
    """Check entry by entry to rows · eps of the sum of absolute terms."""
    assert found.shape == expected.shape
    assert (np.abs(found - expected) <= 4 * M.shape[0] * EPS * size).all()
