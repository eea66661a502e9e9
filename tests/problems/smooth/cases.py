"""Data of smooth problems, drawn from their models, and a reference solver that shares nothing with the library."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

import dsketch as ds
from dsketch.losses.base import Loss
from dsketch.losses.table import loss_of

Floats = NDArray[np.float64]
# family, link, parameters; and how y is drawn from η
MODELS: dict[str, tuple[str, str | None, dict[str, float]]] = {
    "logit": ("binomial", None, {}),
    "probit": ("binomial", "probit", {}),
    "cloglog": ("binomial", "cloglog", {}),
    "poisson": ("poisson", None, {}),
    "gamma": ("gamma", None, {}),
    "gaussian": ("gaussian", None, {}),
    "inverse_gaussian": ("inverse_gaussian", None, {}),
    "tweedie": ("tweedie", None, {"power": 1.5}),
    "negative_binomial": ("negative_binomial", None, {"theta": 2.0}),
    "huber": ("huber", None, {"delta": 1.5}),
}


def rows(n: int = 600, d: int = 4, seed: int = 0) -> Floats:
    """Return A."""
    return np.random.default_rng(seed).standard_normal((n, d)) / 2


def draw(name: str, A: Floats, seed: int = 1) -> Floats:
    """Return a y of the model with coefficients that alternate."""
    random = np.random.default_rng(seed)
    eta = A @ (0.8 * (-1.0) ** np.arange(A.shape[1])) + 0.3
    mean = np.exp(eta)
    if name in ("logit", "probit", "cloglog"):
        return (random.random(len(A)) < loss_of("binomial", name).mean(eta[:, None])[:, 0]).astype(float)
    drawn = {
        "poisson": lambda: random.poisson(mean).astype(float),
        "gamma": lambda: mean * random.gamma(2.0, 0.5, len(A)),
        "gaussian": lambda: eta + random.standard_normal(len(A)),
        "inverse_gaussian": lambda: random.wald(mean, 3.0),
        "tweedie": lambda: random.poisson(mean) * random.gamma(2.0, 1.0, len(A)),
        "negative_binomial": lambda: random.poisson(mean * random.gamma(2.0, 0.5, len(A))).astype(float),
        "huber": lambda: eta + random.standard_t(2, len(A)),
    }
    return np.asarray(drawn[name]())


def model(name: str, A: Any, y: Any, **options: Any) -> ds.GLM:
    """Return the problem."""
    family, link, parameters = MODELS[name]
    return ds.GLM(A, y, family=family, link=link, **parameters, **options)


def solve(problem: ds.Problem, **choices: Any) -> ds.Solution:
    """Solve in this process, silently."""
    return ds.solve(problem, **{"cluster": "serial", "progress": False, **choices})


def minimize(
    loss: Loss, A: Floats, y: Floats, *, offset: Any = 0.0, weights: Any = 1.0, alpha: Any = 0.0, start: Any = None
) -> tuple[Floats, Floats]:
    """Return the minimizer of Σ w φ + ½ Σ alpha x², and the Hessian there, by damped dense Newton steps."""
    x = np.zeros(A.shape[1]) if start is None else np.array(start, float)
    w, a = np.broadcast_to(weights, len(y)), np.broadcast_to(alpha, len(x))

    def value(x: Floats) -> float:
        return float(w @ loss.values((A @ x + offset)[:, None], y) + a @ x**2 / 2)

    for _ in range(200):
        eta = np.asarray(A.astype(np.longdouble) @ x + offset, float)
        terms = loss.terms(eta[:, None], y)
        gradient = np.asarray((w * terms.slope[:, 0]).astype(np.longdouble) @ A, float) + a * x
        hessian = (A * (w * terms.curvature)[:, None]).T @ A + np.diag(a)
        step = -np.linalg.solve(hessian, gradient)
        length = 1.0
        while value(x + length * step) > value(x) + 1e-10 * abs(value(x)) and length > 1e-6:
            length /= 2
        x = x + length * step
        if np.abs(step).max() <= 4e-16 * np.abs(x).max():
            break
    return x, hessian
