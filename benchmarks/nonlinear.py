"""Claim: softmax regression, its residual and two-layer sisters: x to 1e-12 within 8 looks from a start 30 % off, a look a step.

recovery     b = f(x) exactly: looks until x is right to 1e-12 (softmax, resnet) or the loss is 1e-20 of the first (two layers), passes in
             all, error, status; n = 1,000,000
rates        by what an error is multiplied at a look near the answer: each method, b with and without noise, samples from 4 d to 100 d,
             gradient steps at several condition numbers
starts       two layers from drawn starts: how many of so many reach the answer
rivals       the same answer by SciPy's least_squares with the whole Jacobian in memory: seconds, error

Errors are those of x against the x that b was made from, or against the end of a long run; looks are counted by who answers them.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy.optimize
from nonlinear_tables import KINDS, draw, tables
from numpy.typing import NDArray
from record import Case, Record, arguments, figure, show, spread
from threadpoolctl import threadpool_limits

import dsketch
from dsketch.engine import SerialEngine
from dsketch.engine.drive import Drive
from dsketch.events import ignore
from dsketch.problems.nonlinear.methods import METHODS
from dsketch.problems.nonlinear.problem import NonlinearProblem
from dsketch.settings import Settings

Floats = NDArray[np.float64]

ROWWISE = KINDS[:2]
WANTED_X, WANTED_LOSS = 1e-12, 1e-20


def exponentials(z: Floats) -> Floats:
    """Return exp(z) over its sum."""
    e = np.exp(z - z.max())
    return np.asarray(e / e.sum())


def value(kind: str, A: Floats, A2: Floats, x: Floats) -> Floats:
    """Return f(x)."""
    z = A @ x
    if kind == "softmax":
        return exponentials(z)
    if kind == "resnet":
        u = np.exp(z) + z
        return np.asarray(u / u.sum())
    if kind == "softmax first":
        return np.maximum(total(exponentials(z), A2), 0)
    return exponentials(total(np.maximum(z, 0), A2))


def total(weights: Floats, A2: Floats) -> Floats:
    """Return A₂ᵀ weights, block by block: one long sum would round more than what is to be found."""
    return np.sum([weights[low : low + 2048] @ A2[low : low + 2048] for low in range(0, len(weights), 2048)], axis=0)


class Data:
    """A, A₂, x, b and a start."""

    def __init__(
        self, kind: str, n: int, d: int, m: int, seed: int, *, off: float = 0.3, noise: float = 0.0, condition: float = 1.0
    ) -> None:
        rng = np.random.default_rng([seed, n, d])
        self.kind, self.A = kind, rng.standard_normal((n, d))
        if condition > 1:
            V = np.linalg.qr(rng.standard_normal((d, d)))[0]
            self.A = self.A @ ((V * np.geomspace(1, 1 / condition, d)) @ V.T)
        self.A2 = rng.standard_normal((n, m)) if kind not in ROWWISE else np.empty((n, 0))
        self.x = rng.standard_normal(d) / np.sqrt(d * (n if kind == "relu first" else 1))
        b = value(kind, self.A, self.A2, self.x)
        self.b = b * (1 + noise * rng.standard_normal(len(b)))
        self.start = self.x * (1 + off * rng.standard_normal(d))

    def problem(self, start: Floats | None = None, restarts: int = 0) -> NonlinearProblem:
        """Return it as a problem."""
        start = self.start if start is None and not restarts else start
        if self.kind == "softmax":
            return dsketch.SoftmaxRegression(self.A, self.b, start=start, restarts=restarts)
        if self.kind == "resnet":
            return dsketch.SoftmaxResNet(self.A, self.b, start=start, restarts=restarts)
        inner, outer = ("softmax", "relu") if self.kind == "softmax first" else ("relu", "softmax")
        return dsketch.TwoLayer(self.A, self.A2, self.b, inner=inner, outer=outer, start=start, restarts=restarts)

    def loss(self, x: Floats) -> float:
        """Return ½‖f(x) − b‖²."""
        return 0.5 * float(np.sum((value(self.kind, self.A, self.A2, x) - self.b) ** 2))


class Watched:
    """A system that notes each x that it is asked about, and after how many looks."""

    def __init__(self, system: Any, drive: Drive) -> None:
        self._system, self._drive, self.seen = system, drive, []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._system, name)

    def evaluate(self, x: Floats, curvature: Any, near: Any) -> Any:
        """Ask the system, and note where and when."""
        found = yield from self._system.evaluate(x, curvature, near)
        self.seen.append((len(self._drive.passes), x.copy(), found.value))
        return found


def watch(data: Data, method: str, start: Floats, **settings: Any) -> tuple[list[tuple[int, Floats, float]], Any, Drive]:
    """Run a method; return (looks, x, loss) for every point it asked about, and what it found."""
    from dsketch.problems.nonlinear.method import NonlinearTask

    drive = Drive(SerialEngine(1), ignore)
    system = Watched(data.problem().system, drive)
    found = drive.run(METHODS[method].solve(NonlinearTask(system, start), Settings(**settings)))  # type: ignore[arg-type]
    return system.seen, found, drive


# ---- experiments -----------------------------------------------------------------------------------------------------


def recovery(n: int, sizes: dict[str, tuple[int, int]], seeds: int) -> Iterator[Case]:
    """Yield a case for each kind and seed."""
    for kind, (d, m) in sizes.items():
        for seed in range(seeds if kind not in ROWWISE else max(seeds // 2, 1)):
            data = Data(kind, n, d, m, seed)
            began = time.perf_counter()
            seen, found, drive = watch(data, "levenberg", data.start)
            seconds = time.perf_counter() - began
            errors = [float(np.linalg.norm(x - data.x) / np.linalg.norm(data.x)) for _, x, _ in seen]
            first = data.loss(data.start)
            reached = [looks for (looks, x, _), error in zip(seen, errors, strict=True) if error <= WANTED_X]
            fitted = [looks for looks, x, _ in seen if data.loss(x) <= WANTED_LOSS * first] if kind not in ROWWISE else reached
            solution = dsketch.solve(data.problem(found.x[:, 0]), cluster="serial", progress=False)
            yield {
                "experiment": "recovery",
                "kind": kind,
                "n": n,
                "d": d,
                "m": m,
                "seed": seed,
                "active": int(np.count_nonzero(data.b)) if kind == "softmax first" else None,
                "looks_x": reached[0] if reached else None,
                "looks_loss": fitted[0] if fitted else None,
                "passes": len(drive.passes) + 1 + (kind == "softmax first"),
                "error": errors[-1],
                "errors": errors,
                "status": solution.status.name,
                "claimed": float(solution.certificate.forward_error[0]),
                "seconds_a_pass": seconds / len(drive.passes),
            }


def rate_of(errors: list[float], looks: list[int]) -> float:
    """Return the factor a look by which the last errors fell, those above rounding that are below a hundredth of the first."""
    near = [(error, look) for error, look in zip(errors, looks, strict=True) if 1e-12 < error < 1e-2 * errors[0]]
    if len(near) < 2:
        return 0.0
    (first, start), (last, end) = near[0], near[-1]
    return float((last / first) ** (1 / (end - start)))


def rates(n: int, d: int, m: int, samples: tuple[int, ...], conditions: tuple[float, ...]) -> Iterator[Case]:
    """Yield a case for each kind, noise, method, number of samples, condition."""
    for kind in KINDS:
        for noise in (0.0, 0.5) if kind in ROWWISE else (0.0, 0.05):
            data = Data(kind, n, d, m, 0, off=0.1, noise=noise)
            best = dsketch.solve(data.problem(), cluster="serial", progress=False, method="newton").x if noise else data.x
            runs: list[tuple[str, int | None]] = [("levenberg", None), ("newton", None), ("gradient_descent", None)]
            runs += [("newton_sampled", size) for size in samples if kind != "relu first"]
            for method, size in runs:
                yield rate(data, best, method, size, noise, 1.0)
    for kind in ROWWISE:
        for condition in conditions:
            data = Data(kind, n, d, m, 0, off=0.1, condition=condition)
            yield rate(data, data.x, "gradient_descent", None, 0.0, condition)


def rate(data: Data, best: Floats, method: str, size: int | None, noise: float, condition: float) -> Case:
    """Return the rate of one method."""
    d = len(best)
    more = {} if size is None else {"sketch_rows": size * d}
    seen, found, drive = watch(data, method, data.start, **more)
    kept = [(looks, float(np.linalg.norm(x - best) / np.linalg.norm(best))) for looks, x, _ in seen]
    looks, errors = [look for look, _ in kept], [error for _, error in kept]
    steps = list(range(len(errors)))
    return {
        "experiment": "rates",
        "kind": data.kind,
        "n": len(data.A),
        "d": d,
        "noise": noise,
        "method": method,
        "samples": size,
        "condition": condition,
        "rate": rate_of(errors, steps),
        "steps": found.steps,
        "looks": len(drive.passes),
        "error": min(errors),
        "end": found.end,
        "errors": errors[:60],
        "looks_at": looks[:60],
    }


def starts(n: int, sizes: tuple[tuple[int, int], ...], draws: int, seeds: int) -> Iterator[Case]:
    """Yield a case for each size of two layers: how many of the drawn starts reach the answer."""
    for kind in KINDS[2:]:
        for d, m in sizes:
            reached, best = 0, 0
            for seed in range(seeds):
                data = Data(kind, n, d, m, seed)
                found = dsketch.solve(data.problem(restarts=draws), cluster="serial", progress=False)
                losses = [answer.local.value for answer in found.answer.answers]
                reached += sum(loss <= WANTED_LOSS * data.loss(np.zeros(d)) for loss in losses)
                best += found.certificate.is_zero  # type: ignore[attr-defined]
            yield {
                "experiment": "starts",
                "kind": kind,
                "d": d,
                "m": m,
                "starts": seeds * len(losses),
                "reached": reached,
                "seeds": seeds,
                "best": best,
            }


def rivals(n: int, d: int, repeats: int) -> Iterator[Case]:
    """Yield a case for each kind with rows: SciPy with the whole J, and this package."""
    for kind in ROWWISE:
        data = Data(kind, n, d, 0, 0)
        ours, theirs = [], []
        for _ in range(repeats):
            began = time.perf_counter()
            mine = dsketch.solve(data.problem(), cluster="serial", progress=False)
            ours.append(time.perf_counter() - began)
            began = time.perf_counter()
            other = by_scipy(data)
            theirs.append(time.perf_counter() - began)
        yield {
            "experiment": "rivals",
            "kind": kind,
            "n": n,
            "d": d,
            "ours": spread(ours),
            "scipy": spread(theirs),
            "our_error": float(np.linalg.norm(mine.x - data.x) / np.linalg.norm(data.x)),
            "scipy_error": float(np.linalg.norm(other.x - data.x) / np.linalg.norm(data.x)),
            "passes": len(mine.passes),
            "evaluations": int(other.nfev),
        }


def by_scipy(data: Data) -> Any:
    """Return what SciPy finds by MINPACK's Levenberg–Marquardt."""
    return scipy.optimize.least_squares(
        lambda x: value(data.kind, data.A, data.A2, x) - data.b,
        data.start,
        lambda x: jacobian(data.kind, data.A, x),
        method="lm",
        xtol=1e-15,
        ftol=1e-15,
        gtol=1e-15,
    )


def jacobian(kind: str, A: Floats, x: Floats) -> Floats:
    """Return J as SciPy wants it, whole."""
    z = A @ x
    if kind == "softmax":
        f = exponentials(z)
        return np.asarray(f[:, None] * (A - f @ A))
    e = np.exp(z)
    alpha, v = np.sum(e + z), e + 1
    return np.asarray((v[:, None] * A - np.outer((e + z) / alpha, v @ A)) / alpha)


# ---- what is shown ---------------------------------------------------------------------------------------------------


def main() -> None:
    """Run all experiments."""
    parser = arguments(__doc__ or "")
    given = parser.parse_args()
    record = Record(given.out, "nonlinear")
    with threadpool_limits(1):
        for case in experiments(tiny=given.tiny):
            record.add(**case)
    figure(Path(given.out) / "nonlinear.png", lambda canvas: draw(canvas, record.cases))
    show(tables(record.cases))


def experiments(*, tiny: bool) -> Iterator[Case]:
    """Yield the cases of all experiments."""
    if tiny:
        yield from recovery(2000, dict.fromkeys(ROWWISE, (5, 0)) | dict.fromkeys(KINDS[2:], (5, 40)), 2)
        yield from rates(2000, 4, 30, (40,), (10.0,))
        yield from starts(500, ((3, 20),), 2, 1)
        yield from rivals(2000, 5, 1)
        return
    yield from recovery(1_000_000, dict.fromkeys(ROWWISE, (50, 0)) | dict.fromkeys(KINDS[2:], (20, 100)), 10)
    yield from rates(100_000, 20, 100, (4, 8, 16, 40, 100), (3.0, 10.0, 30.0))
    yield from starts(20_000, ((10, 40), (20, 50), (20, 100)), 4, 5)
    yield from rivals(200_000, 40, 3)


if __name__ == "__main__":
    main()
