"""Problems of known x for ``inversion.py``, judges of them that use NumPy alone, and runs that note every x that a method looks at.

With s = A x − b and P the projection on the range of diag(s)⁻¹A the judges are, of n × n where it says dense::

    σ = diag P      g = −A_xᵀσ      ∇²V = A_xᵀ(3Σ − 2P∘P)A_x      J = ∂σ/∂x = −2(Σ − P∘P)A_x
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import dsketch
from dsketch.engine import SerialEngine
from dsketch.engine.drive import Drive
from dsketch.events import ignore
from dsketch.problems.inversion.distribution_methods import METHODS as SCORES
from dsketch.problems.inversion.method import GradientTask
from dsketch.problems.inversion.methods import METHODS
from dsketch.problems.inversion.weighted import WeightedSystem
from dsketch.problems.nonlinear.method import NonlinearTask
from dsketch.settings import Settings

Floats = NDArray[np.float64]
DEPENDENT = 1e-12  # a singular value that small, of columns of norm 1, is rounding


@dataclass(frozen=True)
class Data:
    """A, b, and the x that c and σ* are made from."""

    A: Floats
    b: Floats
    x: Floats

    @property
    def c(self) -> Floats:
        """g at x."""
        return gradient(self.A, self.b, self.x)

    @property
    def sigma(self) -> Floats:
        """Scores at x."""
        return scores(self.A, self.b, self.x)

    def error(self, x: Floats) -> float:
        """Return ‖x − x*‖/‖x*‖."""
        return float(np.linalg.norm(x - self.x) / np.linalg.norm(self.x))

    def in_cell(self, x: Floats) -> bool:
        """Whether every slack has the sign that it has at x*."""
        return bool(((self.A @ x - self.b > 0) == (self.A @ self.x - self.b > 0)).all())


def make(n: int, d: int, share: float, seed: int, *, mixed: bool = False, heavy: int = 0) -> Data:
    """Return a problem with x at a share of the way from 0 to the nearest slack of 0; slacks below 0, or of both signs."""
    rng = np.random.default_rng([seed, n, d])
    A, b = rng.standard_normal((n, d)), rng.uniform(0.5, 1.5, n)
    A[:heavy] *= np.sqrt(n) / 3
    if mixed:
        b *= np.where(rng.random(n) < 0.5, 1.0, -1.0)
    x = rng.standard_normal(d)
    ways = b / (A @ x)
    return Data(A, b, share * ways[ways > 0].min() * x)


# ---- data that do not determine x, or hardly -----------------------------------------------------------------------------


def cone(rng: np.random.Generator, n: int, d: int, off: float) -> tuple[Data, Floats]:
    """Return a problem with b = A y but for a part of size ``off``, all slacks above 0 at x and at the start."""
    A, y, h = rng.uniform(0, 1, (n, d)), rng.standard_normal(d), rng.uniform(0.5, 1, d)
    return Data(A, A @ y - off * rng.uniform(0.5, 1, n), y + h), y + rng.uniform(0.5, 1, d)


def square(rng: np.random.Generator, n: int, d: int) -> tuple[Data, Floats]:
    """Return a problem with as many rows as columns."""
    data = make(n, d, 0.5, int(rng.integers(99)))
    return Data(data.A[:d], data.b[:d], data.x), np.zeros(d)


def double(rng: np.random.Generator, n: int, d: int) -> tuple[Data, Floats]:
    """Return a problem with a column given twice."""
    data = make(n, d, 0.5, int(rng.integers(99)))
    return Data(np.column_stack([data.A, data.A[:, 0]]), data.b, np.append(data.x, 0.0)), np.zeros(d + 1)


def parted(rng: np.random.Generator, n: int, d: int) -> tuple[Data, Floats]:
    """Return a problem of two parts that share no column, the first with b in its range."""
    (first, start), second = cone(rng, n // 2, d, 0.0), make(n - n // 2, d, 0.5, 0)
    A = np.block([[first.A, np.zeros((n // 2, d))], [np.zeros((n - n // 2, d)), second.A]])
    return Data(A, np.append(first.b, second.b), np.append(first.x, second.x)), np.append(start, np.zeros(d))


OPEN: dict[str, Callable[[np.random.Generator, int, int], tuple[Data, Floats]]] = {
    "b in the range of A": lambda rng, n, d: cone(rng, n, d, 0.0),
    "b in it to 1e-8": lambda rng, n, d: cone(rng, n, d, 1e-8),
    "b in it to 1e-4": lambda rng, n, d: cone(rng, n, d, 1e-4),
    "b in it to 1e-1": lambda rng, n, d: cone(rng, n, d, 0.1),
    "two parts, one in its range": parted,
    "a column twice": double,
    "n = d": square,
}


# ---- judges ----------------------------------------------------------------------------------------------------------


def rows(A: Floats, b: Floats, x: Floats) -> Floats:
    """Return A_x = diag(A x − b)⁻¹A."""
    return A / (A @ x - b)[:, None]


def scores(A: Floats, b: Floats, x: Floats) -> Floats:
    """Return σ(x), by LAPACK's QR and one refinement of its R; by its SVD where columns depend on others."""
    A_x = rows(A, b, x)
    A_x = A_x / np.linalg.norm(A_x, axis=0)
    R = np.linalg.qr(A_x, mode="r")
    if np.abs(np.diag(R)).min() <= DEPENDENT:
        U, s, _ = np.linalg.svd(A_x, full_matrices=False)
        return np.sum(U[:, s > DEPENDENT * s[0]] ** 2, axis=1)
    Q = np.linalg.solve(R.T, A_x.T).T
    L = np.linalg.cholesky(total(Q, Q))
    return np.sum(np.linalg.solve(L, Q.T) ** 2, axis=0)


def gradient(A: Floats, b: Floats, x: Floats) -> Floats:
    """Return g(x)."""
    return -total(rows(A, b, x), scores(A, b, x))


def total(left: Floats, right: Floats) -> Floats:
    """Return leftᵀ right, block by block: one long sum would round more than what is to be found."""
    return np.sum([left[low : low + 2048].T @ right[low : low + 2048] for low in range(0, len(left), 2048)], axis=0)


def misfit(data: Data, x: Floats) -> float:
    """Return ‖D⁻¹(g(x) − c)‖/‖D⁻¹c‖, D the norms of A's columns."""
    D, c = np.linalg.norm(data.A, axis=0), data.c
    return float(np.linalg.norm((gradient(data.A, data.b, x) - c) / D) / np.linalg.norm(c / D))


def projection(data: Data, x: Floats) -> tuple[Floats, Floats]:
    """Return A_x, and P; dense."""
    A_x = rows(data.A, data.b, x)
    U, s, _ = np.linalg.svd(A_x / np.linalg.norm(A_x, axis=0), full_matrices=False)
    Q = U[:, s > DEPENDENT * s[0]]
    return A_x, Q @ Q.T


def jacobian(data: Data, x: Floats) -> Floats:
    """Return J of the scores; dense."""
    A_x, P = projection(data, x)
    return -2 * (np.diag(P)[:, None] * A_x - (P * P) @ A_x)


def unit(J: Floats) -> Floats:
    """Return J with columns of norm 1; columns of rounding stay what they are."""
    size = np.linalg.norm(J, axis=0)
    return J / np.where(size > 1e-10, size, 1.0)


def hessian_of_volume(data: Data, x: Floats) -> Floats:
    """Return ∇²V; dense."""
    A_x, P = projection(data, x)
    return A_x.T @ (3 * np.diag(P)[:, None] * A_x - 2 * (P * P) @ A_x)


def weight_for_definite(data: Data, x: Floats) -> float:
    """Return the least w with which the Hessian of the paper's loss is positive semidefinite at x; dense.

    ∇²L = J² + A_xᵀN A_x + w²AᵀA with J = ∇²V, u = A_x(g − c) and N = −12 diag(σu) + 6 diag(P₂u) + 6(P₂D_u + D_uP₂) − 8 P∘(P D_u P).
    """
    A_x, P = projection(data, x)
    sigma, squares, J = np.diag(P), P * P, hessian_of_volume(data, x)
    u = A_x @ (gradient(data.A, data.b, x) - data.c)
    N = 6 * (squares * u + u[:, None] * squares) - 8 * P * ((P * u) @ P)
    N[np.diag_indices_from(N)] += 6 * squares @ u - 12 * sigma * u
    R = np.linalg.qr(data.A)[1]
    inner = np.linalg.solve(R.T, np.linalg.solve(R.T, J @ J + A_x.T @ N @ A_x).T)
    return float(np.sqrt(max(0.0, -np.linalg.eigvalsh((inner + inner.T) / 2)[0])))


def slope_of_penalized(data: Data, x: Floats, w: float) -> float:
    """Return ‖∇L‖ of the paper's loss, relative to the sizes of its two parts, J(g − c) and w²AᵀA x; dense."""
    J, v = hessian_of_volume(data, x), gradient(data.A, data.b, x) - data.c
    pull = w**2 * (data.A.T @ (data.A @ x))
    return float(np.linalg.norm(J @ v + pull) / (np.linalg.norm(J, 2) * np.linalg.norm(v) + np.linalg.norm(pull)))


# ---- runs that are watched -------------------------------------------------------------------------------------------


class Watched:
    """A system that notes each x at which it is asked, and after how many looks."""

    def __init__(self, system: Any, drive: Drive) -> None:
        self._system, self._drive, self.seen = system, drive, []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._system, name)

    def measure(self, edge: Any, *, has_cube: bool) -> Any:
        """Ask a system of g(x) = c."""
        found = yield from self._system.measure(edge, has_cube=has_cube)
        self.seen.append((len(self._drive.passes), edge.x.copy()))
        return found

    def evaluate(self, x: Floats, curvature: Any, near: Any) -> Any:
        """Ask a system of a loss; trials that do not lower it are not noted."""
        found = yield from self._system.evaluate(x, curvature, near)
        if near is None or found.value < near.value:
            self.seen.append((len(self._drive.passes), x.copy()))
        return found


@dataclass(frozen=True)
class Watch:
    """What a run looked at: (looks, x) of every point, how it ended, looks in all."""

    seen: list[tuple[int, Floats]]
    end: str
    looks: int

    def errors(self, data: Data, best: Floats | None = None) -> list[float]:
        """Return ‖x − best‖/‖x*‖ by step; best is x* where none is given."""
        best = data.x if best is None else best
        return [float(np.linalg.norm(x - best) / np.linalg.norm(data.x)) for _, x in self.seen]


def watch_gradient(data: Data, method: str, start: Floats, w: float = 0.0, **settings: Any) -> Watch:
    """Run a method for g(x) = c, or with w for the paper's loss."""
    drive, problem = Drive(SerialEngine(1), ignore), dsketch.LeverageGradient(data.A, data.b, data.c, start=start, w=w)
    if w:
        loss = Watched(WeightedSystem(problem.rows, 0.0, problem.c, w * np.linalg.qr(data.A)[1]), drive)
        found: Any = drive.run(METHODS[method].weighted.solve(NonlinearTask(loss, start), Settings(**settings)))  # type: ignore[arg-type, union-attr]
        return Watch(loss.seen, found.end, len(drive.passes))
    system = Watched(problem.system, drive)
    edge = drive.run(problem.system.approach(start))
    ended = drive.run(METHODS[method].solve(GradientTask(system, edge), Settings(**settings))).found  # type: ignore[arg-type]
    return Watch(system.seen, ended.end, len(drive.passes))


def watch_scores(data: Data, method: str, start: Floats, **settings: Any) -> Watch:
    """Run a method for σ(x) = σ*."""
    drive = Drive(SerialEngine(1), ignore)
    system = Watched(dsketch.LeverageDistribution(data.A, data.b, data.sigma).system, drive)
    found = drive.run(SCORES[method].solve(NonlinearTask(system, start), Settings(**settings)))  # type: ignore[arg-type]
    return Watch(system.seen, found.end, len(drive.passes))


def start_near(data: Data, off: float) -> Floats:
    """Return a start some share off, each coefficient by its own."""
    return data.x * (1 + off * np.random.default_rng(1).standard_normal(len(data.x)))


def sized(data: Data, size: int) -> dict[str, int]:
    """Return the setting for so many sampled rows a column."""
    return {"sketch_rows": size * len(data.x)} if size else {}
