"""In few passes, whatever the power, and it is said how many."""

from typing import Any

import numpy as np
import pytest

import dsketch as ds
from dsketch.events import Converged, PassFinished, PassStarted
from dsketch.problems import GramPower, OddGramPower
from tests.problems.powers.digits import D, N, matrix, side, solve

EPS = float(np.finfo(float).eps)


# ---- passes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [GramPower, OddGramPower])
@pytest.mark.parametrize(("method", "passes"), [("factored", 2), ("factored_whitened", 3)])
@pytest.mark.parametrize("sides", [0, 3])
def test_passes_do_not_grow_with_the_power_or_the_sides(kind: Any, method: str, passes: int, sides: int) -> None:
    """Two or three for any j and k, certificate included."""
    for power in (1, 16):
        problem = kind(matrix(100.0), side(D if kind is GramPower else N, sides), power=power)

        assert len(solve(problem, method=method).passes) == passes


def test_a_check_takes_a_pass_for_each_power() -> None:
    """One for the triangle, j real products, and one for b where that has n rows."""
    A, seen = matrix(10.0), []

    for problem, passes in ((GramPower(A, side(D), power=5), 6), (OddGramPower(A, side(N), power=5), 7)):
        seen.clear()
        ds.check(problem, np.ones(D), cluster="serial", progress=seen.append)
        assert sum(isinstance(event, PassFinished) for event in seen) == passes


def test_stages_report_their_passes() -> None:
    """The ledger is the sketch, two looks for ‖A‖, the stages' own, and j − 1 for the certificate; conjugate gradients likewise."""
    for method in ("alternating", "alternating_cg"):
        solution = solve(GramPower(matrix(10.0), side(D), power=4), method=method, tol=1e-8)

        assert len(solution.passes) == 1 + 2 + sum(stage.passes for stage in solution.answer.stages) + 3
        assert [stage.level for stage in solution.answer.stages] == [1, 2, 3, 4]
        assert any(note.startswith("passes by stage") for note in solution.notes)


@pytest.mark.parametrize(("condition", "power"), [(2.0, 8), (10.0, 4), (100.0, 2)])
def test_the_absolute_rule_reaches_the_tolerance_in_stages_that_grow(condition: float, power: int) -> None:
    """The relative residual is at most ε though no kappa enters the rule; later stages take more passes (2 log kappa each)."""
    A, b, epsilon = matrix(condition, 400), side(D), 1e-6

    solution = solve(GramPower(A, b, power=power), method="alternating", tol=epsilon)

    stages = solution.answer.stages
    assert all(stage.end == "rule" and stage.residual <= 0 for stage in stages)
    assert float(ds.check(solution.problem, solution.x).relative_residual[0]) <= epsilon
    assert stages[-1].passes > stages[0].passes


def test_steps_contract_by_the_sketch_s_distortion() -> None:
    """Within a stage the step shrinks by about ε = 1/√12 on average: the paper's 0.5ⁱ holds with room."""
    solution = solve(GramPower(matrix(1e3, 400), side(D)), method="alternating")

    moves = np.array(solution.answer.stages[0].moves)
    clear = moves[moves > 1e3 * EPS]
    assert len(clear) > 10
    assert (clear[-1] / clear[0]) ** (1 / (len(clear) - 1)) <= 0.5


# ---- what is told on the way -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [ds.GramPower, ds.OddGramPower])
def test_check_says_how_many_passes_it_will_take(kind: Any) -> None:
    """The first pass already knows the last one's number."""
    A = np.random.default_rng(0).standard_normal((40, 3))
    b = np.ones(3 if kind is ds.GramPower else 40)
    problem, told = kind(A, b, power=4), []

    ds.check(problem, np.ones(3), progress=told.append, cluster="serial")

    started = [event for event in told if isinstance(event, PassStarted)]
    assert {event.expected_passes for event in started} == {len(started)}


def test_check_does_not_guess_how_many_passes_it_will_take() -> None:
    """How many terms exp(AᵀA) needs only ‖A‖ tells; a truncated series has as many as it has."""
    A = np.random.default_rng(0).standard_normal((40, 3)) / 10
    for terms, expected in ((None, 0), (4, 5)):
        told: list[Any] = []
        ds.check(ds.GramExponential(A, np.ones(3), terms=terms), np.ones(3), progress=told.append, cluster="serial")

        started = [event for event in told if isinstance(event, PassStarted)]
        assert {event.expected_passes for event in started} == {expected}
        assert expected in (0, len(started))


@pytest.mark.parametrize("method", ["alternating", "alternating_cg"])
@pytest.mark.parametrize("kind", [ds.GramPower, ds.OddGramPower])
def test_stages_tell_how_far_they_have_come(kind: Any, method: str) -> None:
    """Every look at an iterate is a point to draw; each stage goes down to rounding."""
    A, told = matrix(10.0), list[Any]()
    problem = kind(A, side(D if kind is ds.GramPower else N), power=2)

    solution = ds.solve(problem, method=method, cluster="serial", progress=told.append)

    points = [event for event in told if isinstance(event, Converged)]
    stages = solution.answer.stages
    assert len(points) > len(stages)
    assert sum(point.backward_error <= 100 * EPS for point in points) >= len(stages)
    assert max(point.backward_error for point in points) > 1e-6
    assert all(np.isfinite([point.backward_error, point.residual_norm]).all() for point in points)
