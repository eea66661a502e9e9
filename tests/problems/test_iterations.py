"""The iterations that families share, on matrices in memory."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dsketch._linalg.arrays import Floats
from dsketch.events import Converged
from dsketch.passes.base import Flow
from dsketch.problems.iterations import ALL, Operator, Recurrence, Sides, Step, pcg, unpreconditioned

EPS = float(np.finfo(float).eps)


def answered(flow: Flow[None]) -> list[Converged]:
    """Run a flow without passes; return what it told."""
    return [told for told in flow if isinstance(told, Converged)]


def times(M: Floats) -> Operator:
    """Return the product with M as an operator."""

    def product(V: Floats) -> Flow[Floats]:
        yield from ()
        return M @ V

    return product


def spectrum(values: Any, seed: int = 0) -> tuple[Floats, Floats]:
    """Return a symmetric matrix of these eigenvalues, and two right-hand sides."""
    rng = np.random.default_rng(seed)
    Q = np.linalg.qr(rng.standard_normal((len(values), len(values))))[0]
    return (Q * values) @ Q.T, rng.standard_normal((len(values), 2))


def always() -> Sides | None:
    """Let all sides go on."""
    return ALL


@pytest.mark.parametrize("precondition", [lambda _: unpreconditioned, lambda H: times(np.diag(1 / np.diag(H)))])
def test_as_many_steps_as_eigenvalues_solve(precondition: Callable[[Floats], Operator]) -> None:
    """H with five eigenvalues, scaled by Jacobi or not, is solved to its condition number times rounding."""
    H, right = spectrum(np.repeat([1.0, 2, 3, 4, 5], 6))
    at = Recurrence.begin(right)

    answered(pcg(times(H), precondition(H), at, 30, always))

    assert np.linalg.norm(H @ at.y - right) <= 100 * EPS * 5 * np.linalg.norm(right)


def test_an_iteration_taken_up_again_has_the_bits_of_one_run() -> None:
    """All that a step needs of those before is in the recurrence."""
    H, right = spectrum(np.linspace(1, 9, 40))
    whole, parts = Recurrence.begin(right), Recurrence.begin(right)

    answered(pcg(times(H), unpreconditioned, whole, 7, always))
    for steps in (3, 4):
        answered(pcg(times(H), unpreconditioned, parts, steps, always))

    assert np.array_equal(whole.y, parts.y)
    assert np.array_equal(whole.r, parts.r)


def test_sides_that_have_left_stay_as_they_are() -> None:
    """Only the sides that are named take a step, and None ends the iteration."""
    H, right = spectrum(np.linspace(1, 9, 40))
    at, turns = Recurrence.begin(right), iter([ALL, np.array([1]), None])

    answered(pcg(times(H), unpreconditioned, at, 30, lambda: next(turns)))

    one, two = Recurrence.begin(right), Recurrence.begin(right)
    answered(pcg(times(H), unpreconditioned, one, 1, always))
    answered(pcg(times(H), unpreconditioned, two, 2, always))
    assert np.array_equal(at.y[:, 0], one.y[:, 0])
    assert np.allclose(at.y[:, 1], two.y[:, 1], rtol=1e-12)


def test_steps_are_told_with_their_coefficients() -> None:
    """Lengths and betas are the entries of Lanczos' tridiagonal matrix; what the caller makes of a step goes to listeners."""
    H, right = spectrum(np.linspace(1, 3, 12))
    steps: list[Step] = []

    def note(step: Step) -> Converged:
        steps.append(step)
        return Converged(0.0, float(len(steps)))

    told = answered(pcg(times(H), unpreconditioned, Recurrence.begin(right), 12, always, note))

    assert [word.residual_norm for word in told] == list(range(1, 13))
    lengths, betas = (np.array([getattr(step, name)[0] for step in steps]) for name in ("lengths", "betas"))
    T = np.diag(1 / lengths + np.append(0.0, betas[1:] / lengths[:-1]))
    T += np.diag(np.sqrt(betas[1:]) / lengths[:-1], 1) + np.diag(np.sqrt(betas[1:]) / lengths[:-1], -1)
    assert np.allclose(np.linalg.eigvalsh(T), np.linspace(1, 3, 12), rtol=1e-6)


def test_a_direction_without_curvature_is_not_taken() -> None:
    """Where H is not positive along p the step is 0 and said to be no good: y stays a number."""
    steps: list[Step] = []
    at = Recurrence.begin(np.array([[0.0, 1.0], [1.0, 0.0]]))

    answered(pcg(times(np.diag([1.0, -1.0])), unpreconditioned, at, 1, always, steps.append))

    assert steps[0].is_good.tolist() == [False, True]
    assert at.y.tolist() == [[0.0, 1.0], [0.0, 0.0]]
