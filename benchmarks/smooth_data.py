"""Random smooth problems, and data that have no minimizer, all but have none, or just have one."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.optimize as so
from numpy.typing import NDArray
from smooth_oracle import Long, Smooth

import dsketch as ds

Floats = NDArray[np.float64]

# family, its words, name in the oracle, parameter
FAMILIES: dict[str, tuple[dict[str, Any], str, float]] = {
    "logit": ({"family": "binomial"}, "logit", 0.0),
    "probit": ({"family": "binomial", "link": "probit"}, "probit", 0.0),
    "cloglog": ({"family": "binomial", "link": "cloglog"}, "cloglog", 0.0),
    "poisson": ({"family": "poisson"}, "poisson", 0.0),
    "gamma": ({"family": "gamma"}, "gamma", 0.0),
    "gaussian": ({"family": "gaussian"}, "gaussian", 0.0),
    "tweedie 1.2": ({"family": "tweedie", "power": 1.2}, "tweedie", 1.2),
    "tweedie 1.7": ({"family": "tweedie", "power": 1.7}, "tweedie", 1.7),
    "negative_binomial": ({"family": "negative_binomial", "theta": 1.5}, "negative_binomial", 1.5),
    "huber": ({"family": "huber", "delta": 0.8}, "huber", 0.8),
    "multinomial": ({"classes": 3}, "multinomial", 0.0),
}


@dataclass(frozen=True)
class Drawn:
    """Rows, what was drawn beside them, and a family of ``FAMILIES``."""

    name: str
    A: Floats
    y: Floats
    more: dict[str, Any] = field(default_factory=dict)

    def problem(self) -> Any:
        """Return it as dsketch takes it."""
        words = FAMILIES[self.name][0] | self.more
        return ds.Multinomial(self.A, self.y, **words) if self.name == "multinomial" else ds.GLM(self.A, self.y, **words)

    def exact(self) -> Smooth:
        """Return it as the oracle takes it."""
        n, d = self.A.shape
        q = FAMILIES[self.name][0].get("classes", 2) - 1
        has_intercept = self.more.get("intercept", False)
        A = np.c_[self.A, np.ones(n)] if has_intercept else self.A
        penalty = np.r_[np.broadcast_to(self.more.get("alpha", 0.0), (d,)), np.zeros(int(has_intercept))]
        between = np.eye(q) - 1 / (q + 1) if self.name == "multinomial" else np.eye(1)
        offset, weights = (self.more.get(name) for name in ("offset", "weights"))
        return Smooth(
            FAMILIES[self.name][1],
            A.astype(Long),
            self.y.astype(Long),
            (np.zeros(n) if offset is None else offset).astype(Long),
            (np.ones(n) if weights is None else weights).astype(Long),
            np.kron(between, np.diag(penalty)).astype(Long),
            FAMILIES[self.name][2],
            q,
        )


def problem(rng: np.random.Generator, name: str) -> Drawn:
    """Draw a problem of a family: columns in units up to 1e±3, heavy rows, offsets, weights, penalties by column, an intercept."""
    d, n = int(rng.integers(1, 9)), int(np.exp(rng.uniform(np.log(20), np.log(400))))
    A = rng.standard_normal((n, d))
    if rng.random() < 0.3:
        A *= rng.standard_exponential((n, 1))
    if rng.random() < 0.3:
        A[:, -1] = A[:, -1] > 1.0
    more: dict[str, Any] = {"intercept": bool(rng.random() < 0.5)}
    if rng.random() < 0.3 and name != "multinomial":
        more["offset"] = rng.normal(size=n) * rng.uniform(0, 2)
    if rng.random() < 0.3:
        more["weights"] = 10.0 ** rng.uniform(-1, 1, n) * (rng.random(n) < 0.95)
    units = 10.0 ** rng.uniform(-3, 3, d)
    if rng.random() < 0.4:
        alpha = 10.0 ** rng.uniform(-3, 1.5, d) * units**2
        more["alpha"] = alpha.tolist() if d > 1 else float(alpha[0])
    q = FAMILIES[name][0].get("classes", 2) - 1
    eta = A @ rng.standard_normal((d, q)) * rng.uniform(0.2, 2.0) / np.sqrt(d) + rng.normal(size=q) * 0.5
    if "offset" in more:
        eta = eta + more["offset"][:, None]
    return Drawn(name, A * units, response(rng, name, eta), more)


def response(rng: np.random.Generator, name: str, eta: Floats) -> Floats:
    """Draw y by a family's own law."""
    t = eta[:, 0]
    if name == "multinomial":
        return np.argmax(np.c_[np.zeros(len(t)), eta] + rng.gumbel(size=(len(t), eta.shape[1] + 1)), axis=1).astype(float)
    if name in ("logit", "probit", "cloglog"):
        ones = (rng.random(len(t)) < 1 / (1 + np.exp(-t))).astype(float)
        return ones if rng.random() < 0.7 else np.round((ones + rng.random(len(t))) / 2, 2)
    mean = np.exp(np.clip(t, -10, 10))
    draws: dict[str, Callable[[], Floats]] = {
        "poisson": lambda: rng.poisson(mean).astype(float),
        "negative_binomial": lambda: rng.poisson(mean * rng.gamma(1.5, 1 / 1.5, len(t))).astype(float),
        "gamma": lambda: rng.gamma(1.5, mean) + 1e-12,
        "gaussian": lambda: t + rng.standard_normal(len(t)),
        "huber": lambda: t + rng.standard_t(1.5, len(t)),
    }
    return draws[name]() if name in draws else rng.gamma(1.5, mean) * (rng.random(len(t)) < 0.7)


def separable(rng: np.random.Generator) -> Drawn:
    """Draw labels that a plane separates, however narrowly."""
    A, plane, name = _binary(rng)
    return Drawn(name, A, (A @ plane[:-1] + plane[-1] > 0).astype(float), {"intercept": True})


def quasi(rng: np.random.Generator) -> Drawn:
    """Draw labels of which only a group, which a column marks, is all of one kind."""
    A, plane, name = _binary(rng, least=2)
    y = _noisy(rng, A[:, :-1], plane)
    group = rng.permutation(len(y))[: int(rng.integers(1, max(len(y) // 4, 2)))]
    A[:, -1] = 0.0
    A[group, -1] = 1.0
    y[group] = float(rng.random() < 0.5)
    return Drawn(name, A, y, {"intercept": True})


def nearly(rng: np.random.Generator) -> Drawn:
    """Draw labels that one row keeps from being separable or quasi-separable, as a linear program confirms."""
    while True:
        drawn = (separable if rng.random() < 0.5 else quasi)(rng)
        y = drawn.y.copy()
        rows = np.flatnonzero(drawn.A[:, -1] == 1.0)
        y[rng.choice(rows if 1 < len(rows) < len(y) else len(y))] += 1.0
        y %= 2.0
        if overlaps(drawn.A, y):
            return Drawn(drawn.name, drawn.A, y, drawn.more)


def zero_cell(rng: np.random.Generator) -> Drawn:
    """Draw counts or amounts that are all 0 in a group, which a column marks."""
    name = str(rng.choice(["poisson", "negative_binomial", "tweedie 1.2", "tweedie 1.7"]))
    A, plane, _ = _binary(rng, least=2)
    y = response(rng, name, (A[:, :-1] @ plane[:-2] / 2)[:, None] + 0.5)
    group = rng.permutation(len(y))[: int(rng.integers(1, max(len(y) // 4, 2)))]
    A[:, -1] = 0.0
    A[group, -1] = 1.0
    y[group] = 0.0
    return Drawn(name, A, y, {"intercept": True})


def one_class(rng: np.random.Generator) -> Drawn:
    """Draw classes of which one is never, or always, in a group, which a column marks."""
    A, plane, _ = _binary(rng, least=2)
    eta = np.c_[A[:, :-1] @ plane[:-2], A[:, :-1] @ plane[::-1][:-2]]
    y = response(rng, "multinomial", eta)
    group = rng.permutation(len(y))[: int(rng.integers(1, max(len(y) // 4, 2)))]
    A[:, -1] = 0.0
    A[group, -1] = 1.0
    chosen = float(rng.integers(0, 3))
    y[group] = chosen if rng.random() < 0.5 else (chosen + rng.integers(1, 3, len(group))) % 3
    return Drawn("multinomial", A, y, {"intercept": True})


def _binary(rng: np.random.Generator, least: int = 1) -> tuple[Floats, Floats, str]:
    """Return rows, a plane, and one of three links."""
    d, n = int(rng.integers(least, 9)), int(np.exp(rng.uniform(np.log(20), np.log(400))))
    units = 10.0 ** rng.uniform(-2, 2, d)
    name = str(rng.choice(["logit", "logit", "probit", "cloglog"]))
    plane = np.r_[rng.standard_normal(d) / units, rng.normal() * 0.3]
    return rng.standard_normal((n, d)) * units, plane, name


def _noisy(rng: np.random.Generator, A: Floats, plane: Floats) -> Floats:
    eta = A @ plane[: A.shape[1]] + plane[-1]
    return (eta + 2.0 * rng.logistic(size=len(A)) > 0).astype(float)


def overlaps(A: Floats, y: Floats) -> bool:
    """Whether no plane separates the labels, not even with rows on it: only v = 0 has (2y − 1) aᵀv ≥ 0 for all rows.

    The best Σ (2y − 1) aᵀv within a box is 0 then, and of the size of the box if not; what lies between is not decided, and is False.
    """
    X = np.c_[A, np.ones(len(A))]
    X = (2 * y - 1)[:, None] * (X / np.abs(X).max(axis=0))
    if np.linalg.matrix_rank(X) < X.shape[1]:
        return False
    found = so.linprog(-X.sum(axis=0), A_ub=-X, b_ub=np.zeros(len(X)), bounds=(-1, 1))
    return bool(found.status == 0 and -found.fun < 1e-9)
