"""The contract of a method: right on every known answer, judged by the data; honest, repeatable, replayable, no worse for many sides."""

from typing import Any

import numpy as np
import pytest
import scipy.linalg as sl

from dsketch._results.solution import Solution
from dsketch.api import solve
from dsketch.engine.journal import digest
from dsketch.matrix.array import ArrayMatrix
from dsketch.passes import Look
from dsketch.problems import LeastSquares
from dsketch.problems.fallback import with_fallback
from dsketch.problems.linear.methods import METHODS
from dsketch.problems.outcome import Status
from dsketch.settings import Settings
from dsketch.testing.flows import run_flow
from dsketch.testing.judge import EPS, estimated_backward_error, residual
from dsketch.testing.known import KNOWN, Known, tall
from dsketch.testing.recut import Recut

known_answers = pytest.mark.parametrize("name", sorted(KNOWN))


def forward_bound(known: Known) -> float:
    """Return 64 u kappa (1 + kappa ‖r‖/(‖A‖ ‖x‖)): what a backward error of some u allows x to be wrong, relative to ‖x‖.

    References
    ----------
    N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed., SIAM 2002, Theorem 20.1.
    """
    A = known.A / (float(np.abs(known.A).max()) or 1.0)
    size = float(np.linalg.norm(A, 2)) * float(np.abs(known.A).max())
    length = np.linalg.norm(known.x, axis=0)
    left = np.linalg.norm(residual(known.A, known.b, known.x).astype(np.float64), axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(left > 0, left / (size * length), 0.0)
    return float(np.max(64 * EPS / 2 * known.condition * (1 + known.condition * share)))


class MethodTests:
    """What every method guarantees; give its name in ``METHODS`` as fixture ``method``.

    What it promises besides, its object says: ``is_direct`` methods promise LAPACK's accuracy (a backward error at most ten times its
    own, or at rounding), an ``is_estimate`` an error bar instead of a certified answer.
    """

    @pytest.fixture
    def method(self) -> str:
        """Return the name of the method to test."""
        raise NotImplementedError

    @known_answers
    def test_backward_error_recomputed_from_the_data_is_small(self, method: str, name: str) -> None:
        """From A, b and x alone: within what counts as solved; for direct methods within 10 × LAPACK's + 2 eps."""
        if METHODS[method].is_estimate:
            pytest.skip("promises an error bar only")
        known = KNOWN[name]()

        error = estimated_backward_error(known.A, known.b, solve_known(known, method).x).max()

        assert error <= Settings().accepted
        if METHODS[method].is_direct:
            lapack = estimated_backward_error(known.A, known.b, sl.lstsq(known.A, known.b)[0]).max()
            assert error <= 10 * lapack + 2 * EPS

    @known_answers
    def test_status_and_rank_are_right(self, method: str, name: str) -> None:
        """SOLVED at full rank, MINIMUM_NORM below; the rank is the known one."""
        known = KNOWN[name]()

        found = solve_known(known, method)

        expected = Status.SOLVED if known.rank == known.A.shape[1] else Status.MINIMUM_NORM
        assert found.status is (Status.ESTIMATED if METHODS[method].is_estimate else expected)
        assert found.certificate.rank == known.rank

    @known_answers
    def test_answer_is_the_known_one(self, method: str, name: str) -> None:
        """x is the (minimum-norm) minimizer, as far as its condition allows anyone to say."""
        if METHODS[method].is_estimate:
            pytest.skip("promises an error bar only")
        known = KNOWN[name]()

        found = solve_known(known, method)

        assert found.x.shape == known.x.shape
        bound = forward_bound(known) if known.rank else 0.0
        assert np.linalg.norm(found.x - known.x) <= bound * np.linalg.norm(known.x)

    @known_answers
    def test_certificate_is_honest(self, method: str, name: str) -> None:
        """What the certificate says of backward error and residual is what the data say, to a factor and rounding."""
        if METHODS[method].is_estimate:
            pytest.skip("has no certificate")
        known = KNOWN[name]()

        found = solve_known(known, method)

        left = np.linalg.norm(residual(known.A, known.b, found.x).astype(np.float64), axis=0)
        # ‖r‖² is summed from float64 residuals: each entry is uncertain by d eps of its terms.
        terms = np.linalg.norm(np.abs(known.b) + np.abs(known.A) @ np.abs(found.x), axis=0)
        error = estimated_backward_error(known.A, known.b, found.x)
        assert (np.abs(found.certificate.residual_norm - left) <= 2 * known.A.shape[1] * EPS * terms).all()
        assert (error <= 2 * found.certificate.backward_error + 2 * EPS).all()

    @known_answers
    def test_passes_are_not_more_than_promised(self, method: str, name: str) -> None:
        """A method that did not give way looks as often as the plan says, at most; beyond 1e5 what squares it once more."""
        found = solve_known(KNOWN[name](), method)

        if found.method == method:
            spare = (METHODS[method].is_squared or method == "semi_normal") and found.certificate.condition > 1e5
            assert len(found.passes) <= found.plan.estimate.passes + spare
        else:
            assert any("gave way" in note for note in found.notes)

    @pytest.mark.parametrize("name", ["condition 1e6", "dependent columns", "several sides"])
    def test_same_seed_same_bits(self, method: str, name: str) -> None:
        """Nothing but the data, the settings and the seed decides."""
        known = KNOWN[name]()

        assert np.array_equal(solve_known(known, method).x, solve_known(known, method).x)

    @pytest.mark.parametrize("name", ["condition 1e3", "condition 1e10", "dependent columns", "several sides", "one column"])
    def test_replay_law(self, method: str, name: str) -> None:
        """Fed with the recorded parts, wholly or in part, a method asks for the very same passes and returns the very same bits."""
        known = KNOWN[name]()
        problem, settings = LeastSquares(known.A, known.b), Settings()
        first = run_flow(with_fallback(METHODS, method, problem, settings))

        for kept in (len(first.parts), len(first.parts) // 2, 1):
            again = run_flow(with_fallback(METHODS, method, problem, settings), first.parts[:kept])

            assert again.digests == first.digests
            assert np.array_equal(again.result[0].x, first.result[0].x)
            assert again.result[1] == first.result[1]

    def test_flow_is_lazy(self, method: str) -> None:
        """Making a flow reads nothing; its first look tells the whole pass."""
        known = tall(50, 3)
        flow = with_fallback(METHODS, method, LeastSquares(known.A, known.b), Settings())

        first, again = next(flow), next(with_fallback(METHODS, method, LeastSquares(known.A, known.b), Settings()))
        assert isinstance(first, Look)
        assert isinstance(again, Look)
        assert digest(first) == digest(again)
        flow.close()

    def test_many_sides_are_as_one_at_a_time(self, method: str) -> None:
        """Each column of x is what it is alone, within its forward bound; together they need no more passes than promised for one."""
        known = tall(500, 6, condition=100.0, sides=4, seed=8)
        together = solve_known(known, method)
        alone = [solve_known(Known(known.A, known.b[:, side], known.x[:, side], 6, 100.0), method) for side in range(4)]

        if METHODS[method].is_direct or METHODS[method].is_estimate:
            assert len(together.passes) == max(len(one.passes) for one in alone)
        assert len(together.passes) <= max(one.plan.estimate.passes for one in alone)
        for side, one in enumerate(alone):
            scale = EPS if METHODS[method].is_estimate else forward_bound(known)
            bound = 64 * known.condition * scale if METHODS[method].is_estimate else 2 * scale
            assert np.linalg.norm(together.x[:, side] - one.x) <= bound * np.linalg.norm(one.x)

    @pytest.mark.parametrize("seed", [1, 2, 3, 2**40])
    def test_any_seed_will_do(self, method: str, seed: int) -> None:
        """Another seed is another road to the same place."""
        if METHODS[method].is_estimate:
            pytest.skip("promises an error bar only")
        known = tall(600, 8, condition=1e5, rows="coherent")

        found = solve_known(known, method, seed=seed)

        assert found.status is Status.SOLVED
        assert estimated_backward_error(known.A, known.b, found.x).max() <= Settings().accepted

    @pytest.mark.parametrize("tol", [1e-2, 1e-6, 1e-10])
    def test_tolerance_is_kept_and_saves_passes(self, method: str, tol: float) -> None:
        """A larger tol is met, and never costs more passes than none."""
        if METHODS[method].is_estimate:
            pytest.skip("promises an error bar only")
        known = tall(600, 8, condition=1e4)

        found = solve_known(known, method, tol=tol)

        assert found.status is Status.SOLVED
        assert estimated_backward_error(known.A, known.b, found.x).max() <= tol
        assert len(found.passes) <= len(solve_known(known, method).passes)

    @pytest.mark.parametrize("blocks", [1, 2, 7, 60])
    def test_ragged_grids_change_last_bits_only(self, method: str, blocks: int) -> None:
        """However the rows are cut into blocks, the answer is the known one."""
        if METHODS[method].is_estimate:
            pytest.skip("promises an error bar only")
        known = tall(601, 5, condition=1e3)
        cuts = np.unique(np.linspace(0, 601, blocks + 1).astype(int) // 2 * 2)
        cuts[-1] = 601

        found = solve(LeastSquares(Recut(ArrayMatrix(known.A), cuts), known.b), method=method, cluster="serial")

        assert np.linalg.norm(found.x - known.x) <= forward_bound(known) * np.linalg.norm(known.x)


def solve_known(known: Known, method: str, **choices: Any) -> Solution:
    """Solve a known problem in this process."""
    return solve(LeastSquares(known.A, known.b), method=method, cluster="serial", **choices)
