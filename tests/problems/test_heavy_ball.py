"""The heavy ball contracts as its sketch promised, and stops where its caller says."""

import numpy as np
import pytest

from dsketch.passes.base import Flow
from dsketch.problems.iterations import damp, heavy_ball

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


class Ball:
    """A diagonal H with the spectrum that ε promises, seen without data; counts its looks."""

    def __init__(self, epsilon: float, d: int = 20) -> None:
        self.epsilon, self.looks, self.steps = epsilon, 0, 0
        self.H = np.linspace((1 + epsilon) ** -2, (1 - epsilon) ** -2, d)[:, None]
        self.c = np.random.default_rng(0).standard_normal((d, 2))

    def run(self, y: Floats, *, looks: int = 10**6, steps: int = 10**6, before: Floats | None = None) -> Floats:
        """Return y after at most so many looks or steps."""

        def descent(y: Floats) -> Flow[Floats | None]:
            yield from ()
            self.looks += 1
            return None if self.looks > looks else self.c - self.H * y

        def is_last(step: Floats, y: Floats) -> bool:
            self.steps += 1
            return self.steps == steps

        flow = heavy_ball(descent, y, self.epsilon, is_last, before=before)
        with pytest.raises(StopIteration) as end:
            next(flow)
        return end.value.value


@pytest.mark.parametrize("epsilon", [0.1, 1 / np.sqrt(12), 0.7])
def test_the_error_shrinks_by_epsilon_a_step(epsilon: float) -> None:
    """At the ends of the spectrum the two roots of the iteration meet at ε, which costs a factor k: ‖e_k‖ ≤ (1 + 2k) εᵏ ‖e₀‖ there."""
    ball, steps = Ball(epsilon), 25
    target = ball.c / ball.H

    y = ball.run(np.zeros_like(ball.c), steps=steps)

    rounding = 100 * np.finfo(float).eps / epsilon**2
    assert np.linalg.norm(y - target) <= ((1 + 2 * steps) * epsilon**steps + rounding) * np.linalg.norm(target)


def test_it_ends_before_a_look_or_after_one() -> None:
    """A residual of None ends it at the y that was looked at; a last step ends it without another look."""
    start = np.zeros((20, 2))
    before, after = Ball(0.3), Ball(0.3)

    one, other = before.run(start, looks=4), after.run(start, steps=4)

    assert np.array_equal(one, other)
    assert (before.looks, before.steps) == (5, 4)
    assert (after.looks, after.steps) == (4, 4)


def test_a_first_step_made_beforehand_is_the_same_step() -> None:
    """From rest the first step is the damped residual; who knows that residual already saves its look."""
    start = np.zeros((20, 2))
    whole, short = Ball(0.3), Ball(0.3)

    ahead = short.run(damp(short.c, 0.3), steps=5, before=start)

    assert np.array_equal(ahead, whole.run(start, steps=6))
    assert short.looks == whole.looks - 1
