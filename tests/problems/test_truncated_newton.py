"""Newton's method by conjugate gradients in a trust region, on losses in memory."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from dsketch.passes.base import Flow
from dsketch.problems.truncated_newton import Place, TruncatedAnswer, truncated_newton
from dsketch.settings import EPS, Settings
from dsketch.testing.flows import run_flow

Floats = np.ndarray


@dataclass
class Loss:
    """A loss with its derivatives; ``squared`` stands for the Hessian until that is asked for."""

    value: Callable[[Floats], float]
    gradient: Callable[[Floats], Floats]
    hessian: Callable[[Floats], Floats]
    squared: Callable[[Floats], Floats]
    products: int = 0

    def evaluate(self, x: Floats) -> Flow[Place]:
        """Return the loss."""
        yield from ()
        with np.errstate(over="ignore", invalid="ignore"):
            value = self.value(x)
        return Place(x, value if np.isfinite(value) else np.inf, max(abs(value), 1.0), EPS)

    def differentiate(self, place: Place) -> Flow[Place]:
        """Return a place with its gradient."""
        yield from ()
        return replace(place, gradient=self.gradient(place.x))

    def multiply(self, place: Place, direction: Floats, *, is_exact: bool) -> Flow[Floats]:
        """Return a product, and count it."""
        yield from ()
        self.products += 1
        return (self.hessian if is_exact else self.squared)(place.x) @ direction


def squares(f: Callable[[Floats], Floats], J: Callable[[Floats], Floats], bend: Callable[[Floats], Floats]) -> Loss:
    """Return ½‖f‖²."""
    return Loss(
        lambda x: 0.5 * float(f(x) @ f(x)),
        lambda x: J(x).T @ f(x),
        lambda x: J(x).T @ J(x) + bend(x),
        lambda x: J(x).T @ J(x),
    )


def minimize(loss: Loss, start: list[float], tol: float | None = None) -> TruncatedAnswer:
    """Run the flow."""
    found: TruncatedAnswer = run_flow(truncated_newton(loss, np.array(start), Settings(tol))).result
    return found


def test_linear_least_squares_take_few_steps() -> None:
    """A quadratic of condition 100 in five directions: to its minimizer."""
    rng = np.random.default_rng(0)
    A = np.linalg.qr(rng.standard_normal((9, 5)))[0] * [10, 5, 3, 2, 1]
    b = rng.standard_normal(9)
    loss = squares(lambda x: A @ x - b, lambda _: A, lambda _: np.zeros((5, 5)))

    found = minimize(loss, [0.0] * 5)

    assert found.end in ("converged", "rounding")
    assert np.abs(found.place.x - np.linalg.lstsq(A, b, rcond=None)[0]).max() <= 1e-13


def test_a_curved_valley_is_followed() -> None:
    """Rosenbrock's, which no full step follows."""
    loss = squares(
        lambda x: np.array([10 * (x[1] - x[0] ** 2), 1 - x[0]]),
        lambda x: np.array([[-20 * x[0], 10], [-1, 0]]),
        lambda x: np.array([[-200 * (x[1] - x[0] ** 2), 0], [0, 0]]),
    )

    found = minimize(loss, [-1.2, 1.0])

    assert found.end in ("converged", "rounding")
    assert np.abs(found.place.x - 1).max() <= 1e-12


def test_at_a_large_misfit_steps_become_newtons() -> None:
    """Where JᵀJ leaves out as much as it has, as of (x² + 1, x − 3): the Hessian takes over, and few steps are left."""
    loss = squares(
        lambda x: np.array([x[0] ** 2 + 4, 0.5 * x[0] - 3]),
        lambda x: np.array([[2 * x[0]], [0.5]]),
        lambda x: np.array([[2 * (x[0] ** 2 + 4)]]),
    )

    found = minimize(loss, [0.1])

    assert found.is_exact
    assert abs(loss.gradient(found.place.x)[0]) <= 1e-13
    assert found.trials <= 15


def test_a_direction_without_curvature_ends_at_the_border() -> None:
    """Where the loss is concave the step goes as far as the region, and on to a minimum."""
    loss = Loss(
        lambda x: float(np.cos(x[0])),
        lambda x: -np.sin(x),
        lambda x: -np.cos(x)[:, None],
        lambda x: -np.cos(x)[:, None],
    )

    found = minimize(loss, [0.1])

    assert abs(found.place.x[0] - np.pi) <= 1e-7


def test_a_smaller_region_takes_no_further_product() -> None:
    """A step that fails is tried again on the path that is known."""
    wild = squares(np.arctan, lambda x: np.diag(1 / (1 + x**2)), lambda _: np.zeros((1, 1)))

    found = minimize(wild, [3.0])

    assert abs(found.place.x[0]) <= 1e-12
    assert wild.products < found.trials + 1 + 1


@pytest.mark.parametrize("start", [1e200, np.inf])
def test_where_there_is_no_loss_it_does_not_begin(start: float) -> None:
    """And says so."""
    loss = squares(lambda x: x**2, lambda x: np.diag(2 * x), lambda _: np.zeros((1, 1)))

    assert minimize(loss, [start]).end == "outside"
