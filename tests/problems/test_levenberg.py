"""Levenberg and Marquardt's flow on small models that look at no data: what it reaches, when it ends, what it takes for a bad step."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
import scipy.optimize

from dsketch._linalg.arrays import Floats
from dsketch.passes.base import Flow
from dsketch.problems.levenberg import LevenbergAnswer, Local, levenberg
from dsketch.settings import EPS, Settings
from dsketch.testing.flows import run_flow

TIMES = np.linspace(0, 1, 50)


@dataclass
class Residuals:
    """½‖r(x)‖² with its Jacobian."""

    residual: Callable[[Floats], Floats]
    jacobian: Callable[[Floats], Floats]
    seen: list[Floats] = field(default_factory=list)

    def evaluate(self, x: Floats) -> Flow[Local]:
        """Return loss, gradient and JᵀJ."""
        yield from ()
        self.seen.append(x)
        r, J = self.residual(x), self.jacobian(x)
        value = 0.5 * float(r @ r)
        return Local(value if np.isfinite(value) else np.inf, J.T @ r, J.T @ J, value)


def run(model: Residuals, start: list[float], **settings: float) -> LevenbergAnswer:
    """Run the flow."""
    with np.errstate(over="ignore", invalid="ignore"):
        return run_flow(levenberg(model, np.array(start), Settings(**settings))).result


def decay(y: Floats, units: float = 1.0) -> Residuals:
    """Return x₀ exp(−x₁ t) − y, x₁ in other units."""
    return Residuals(
        lambda x: x[0] * np.exp(-units * x[1] * TIMES) - y,
        lambda x: np.stack([np.exp(-units * x[1] * TIMES), -units * x[0] * TIMES * np.exp(-units * x[1] * TIMES)], axis=1),
    )


def test_curved_valley() -> None:
    """Rosenbrock's valley ends at its floor, where the loss is 0."""
    found = run(
        Residuals(lambda x: np.array([10 * (x[1] - x[0] ** 2), 1 - x[0]]), lambda x: np.array([[-20 * x[0], 10.0], [-1.0, 0.0]])),
        [-1.2, 1.0],
    )

    assert found.is_stationary
    assert np.abs(found.x - 1).max() <= 4 * EPS
    assert (np.diff(found.losses) < 0).all()


@pytest.mark.parametrize("noise", [0.0, 0.1, 3.0])
def test_minimum_is_scipy_s(noise: float) -> None:
    """With a residual of any size the end is the minimum that SciPy finds, with more digits: the gradient is rounding."""
    y = 2 * np.exp(-3 * TIMES) + noise * np.random.default_rng(0).standard_normal(50)
    model = decay(y)

    found = run(model, [1.0, 1.0])

    best = scipy.optimize.least_squares(model.residual, [1.0, 1.0], model.jacobian, xtol=1e-15, ftol=1e-15, gtol=1e-15)
    assert found.is_stationary
    assert np.abs(found.x - best.x).max() <= 1e-6 * np.abs(best.x).max()
    J, r = model.jacobian(found.x), model.residual(found.x)
    # Each entry of Jᵀr has an error of some eps of its terms; y itself is such a term where the residual is small.
    assert (np.abs(J.T @ r) <= 50 * EPS * np.abs(J).T @ (np.abs(r) + np.abs(y))).all()


def test_a_step_that_failed_is_shortened_at_once() -> None:
    """However small damping was beside the eigenvalues: the next trial is between a tenth and half as far, columns scaled."""
    model = Residuals(
        lambda x: np.arctan(1e3 * x), lambda x: np.diag(1e3 / (1 + 1e6 * x**2))
    )  # Gauss–Newton overshoots more and more

    found = run(model, [0.01, 0.02])

    (first, *others), lengths = model.seen, list[float]()
    for x in others:
        r, J = model.residual(first), model.jacobian(first)
        better = float(model.residual(x) @ model.residual(x)) < float(r @ r)
        lengths.append(float(np.linalg.norm(J @ (x - first))))
        if better:
            break
    shares = np.array(lengths[1:]) / lengths[:-1]
    assert len(shares) >= 2
    assert (shares <= 0.5 * (1 + 8 * EPS)).all()
    assert (shares >= 0.05).all()  # damping is doubled until it is enough
    assert found.is_stationary
    assert np.abs(found.x).max() <= 1e-15


@pytest.mark.parametrize("units", [1e-6, 1e6])
def test_units_do_not_matter(units: float) -> None:
    """A coefficient in other units takes the same steps: damping, rank and the end are those of scaled columns."""
    y = 2 * np.exp(-3 * TIMES)

    plain, scaled = run(decay(y), [1.0, 1.0]), run(decay(y, units), [1.0, 1.0 / units])

    assert abs(scaled.trials - plain.trials) <= 2  # D is a power of two near the norm
    assert np.abs(scaled.x * [1.0, units] / [2.0, 3.0] - 1).max() <= 1e-14


def test_overflow_is_a_bad_step() -> None:
    """A trial whose loss is not finite is rejected, and a shorter one taken."""
    model = Residuals(lambda x: np.exp(x) - 1e-8, lambda x: np.diag(np.exp(x)))

    found = run(model, [-30.0])

    assert max(float(x[0]) for x in model.seen) > 710  # the first full step overflows
    assert abs(found.x[0] - np.log(1e-8)) <= 1e-14 * 20
    assert found.is_stationary


def test_start_without_a_loss() -> None:
    """Where the loss does not exist at the start, nothing is tried."""
    found = run(Residuals(lambda x: np.exp(x), lambda x: np.diag(np.exp(x))), [1e3])

    assert (found.end, found.trials) == ("outside", 0)


def test_column_without_effect_stays() -> None:
    """A coefficient that no residual depends on keeps its start; dependent ones share a step."""
    model = Residuals(
        lambda x: np.array([x[0] + x[2] - 2.0, x[0] + x[2] - 4.0]), lambda _: np.array([[1.0, 0, 1.0], [1.0, 0, 1.0]])
    )

    found = run(model, [0.0, 7.0, 0.0])

    assert found.is_stationary
    assert found.x[1] == 7.0
    assert np.abs(found.x[[0, 2]] - 1.5).max() <= 1e-9  # the damping of the last steps leaves μ of the way
    assert len(found.local.spectrum[0]) == 1


def test_tolerance_saves_steps() -> None:
    """A larger tol ends earlier, within it."""
    y = 2 * np.exp(-3 * TIMES) + 0.1 * np.random.default_rng(1).standard_normal(50)
    best = run(decay(y), [1.0, 1.0])

    found = run(decay(y), [1.0, 1.0], tol=1e-3)

    assert found.trials < best.trials
    assert np.abs(found.x - best.x).max() <= 1e-2 * np.abs(best.x).max()


def test_root_tells_what_a_square_hides() -> None:
    """With R from a QR a direction of 1e-10 is still a direction; of JᵀJ it is rounding."""
    J = np.array([[1.0, 1.0], [0.0, 1e-10]])
    J2 = J.T @ J

    by_root = Local(1.0, J2 @ [1.0, -1.0], J2, 1.0, root=J)
    by_square = Local(1.0, J2 @ [1.0, -1.0], J2, 1.0)

    assert (len(by_root.spectrum[0]), len(by_square.spectrum[0])) == (2, 1)


def test_promise_is_that_of_the_model() -> None:
    """The promised fall is that of the quadratic along the step, and the decrement that of the undamped one."""
    rng = np.random.default_rng(2)
    J, g = rng.standard_normal((9, 4)) * [1e3, 1.0, 1e-3, 1.0], rng.standard_normal(4)
    local = Local(1.0, g, J.T @ J, 1.0)

    for damping in (0.0, 1e-3, 10.0):
        p = local.step(damping)
        assert np.isclose(local.promise(damping), -(g @ p + 0.5 * p @ local.matrix @ p), rtol=1e-10)
    assert np.isclose(local.decrement, np.sqrt(2 * local.promise(0.0)), rtol=1e-12)
    assert np.isclose(local.measure(g), local.decrement, rtol=1e-15)
