"""Claim: no certificate is better than the truth.

Random small problems (columns in units up to 1e±12 apart, offsets, nearly dependent columns, residuals from rounding to a thousand
times the fit, weights, ridge, intercept, several sides), every method with every sketch, and x that dsketch did not make (``check``).
The judge solves each problem without any rounding, in fractions.  Of every certificate two numbers are compared with the truth: the
backward error (columns scaled) and the bound on ‖D (x − x*)‖/‖D x*‖, and of every coefficient its own bound.  What a figure shows is
truth over claim; above 3 a claim counts as wrong.

References
----------
N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed., SIAM, 2002, Chapter 20.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from record import Case, Record, arguments, figure, show, table

import dsketch as ds
from dsketch.problems.linear.methods import METHODS
from dsketch.sketch import SKETCHES
from dsketch.testing.rational import Exact, relative_distance

Floats = NDArray[np.float64]

KINDS = ("plain", "units", "offset", "close", "duplicate", "integers", "heavy rows", "zero column")
EPS = float(np.finfo(float).eps)
WANTED = 3.0
CERTIFIED = tuple(name for name in METHODS if name != "sketch_and_solve")


@dataclass(frozen=True)
class Drawn:
    """One random problem."""

    kind: str
    A: Floats
    b: Floats
    weights: Floats | None
    alpha: float
    intercept: bool

    def problem(self) -> ds.LeastSquares | ds.Ridge:
        """Return it as dsketch takes it."""
        more: dict[str, Any] = {"weights": self.weights, "intercept": self.intercept}
        return ds.Ridge(self.A, self.b, alpha=self.alpha, **more) if self.alpha else ds.LeastSquares(self.A, self.b, **more)

    def exact(self, side: int) -> Exact:
        """Return it as the judge takes it, for one side."""
        penalty = np.r_[np.full(self.A.shape[1], self.alpha), np.zeros(int(self.intercept))]
        return Exact.of(self.A, self.b[:, side], self.weights, penalty, intercept=self.intercept)


def drawn(rng: np.random.Generator) -> Drawn:
    """Draw a problem."""
    d, k = int(rng.integers(1, 5)), int(rng.integers(1, 3))
    intercept, kind = bool(rng.random() < 0.4), str(rng.choice(KINDS))
    n = int(rng.integers(d + intercept + 1, 40))
    A = _of_kind(kind, rng.standard_normal((n, d)), rng)
    if rng.random() < 0.3:
        A = _of_kind("units", A, rng)
    x = rng.standard_normal((d, k)) / np.where(np.linalg.norm(A, axis=0) > 0, np.linalg.norm(A, axis=0), 1.0)[:, None]
    b = A @ x + 10.0 ** rng.choice([-16, -8, -3, 0, 0, 3]) * rng.standard_normal((n, k))
    weights = 10.0 ** rng.uniform(-3, 3, n) if rng.random() < 0.3 else None
    alpha = float(10.0 ** rng.uniform(-12, 2)) if rng.random() < 0.25 else 0.0
    return Drawn(kind, A, b, weights, alpha, intercept)


def _of_kind(kind: str, A: Floats, rng: np.random.Generator) -> Floats:
    d = A.shape[1]
    if kind == "units":
        return (
            A * 10.0 ** rng.uniform(-1, 1, d) ** 3 * 10.0 ** rng.choice([0, 3, 6, 12], d) / 10.0 ** rng.choice([0, 3, 6, 12], d)
        )
    if kind == "offset":
        return A + 10.0 ** rng.integers(0, 13, d)
    if kind == "close" and d > 1:
        A[:, -1] = A[:, 0] + 10.0 ** rng.uniform(-16, -1) * A[:, -1]
    if kind == "duplicate" and d > 1:
        A[:, -1] = A[:, 0]
    if kind == "integers":
        return np.rint(2 * A)
    if kind == "heavy rows":
        return A * 10.0 ** rng.integers(-6, 1, (len(A), 1))
    if kind == "zero column":
        A[:, 0] = 0.0
    return A


def foreign(x: Floats, rng: np.random.Generator) -> tuple[str, Floats]:
    """Return an x that no method made, and what was done to it."""
    way = str(rng.choice(["stretched", "off", "float32", "one coefficient", "zero"]))
    size = 10.0 ** rng.uniform(-15, 1)
    if way == "stretched":
        return way, x * (1 + size)
    if way == "float32":
        return way, x.astype(np.float32).astype(np.float64)
    if way == "zero":
        return way, np.zeros_like(x)
    change = size * rng.standard_normal(x.shape)
    if way == "one coefficient":
        change[1:] = 0
    return way, x * (1 + change)


def judged(drawn_: Drawn, x: Floats, certificate: Any, errors: Floats) -> Iterator[dict[str, float]]:
    """Yield truth over claim for each side, of what has a claim; nothing where the rank is not the exact one."""
    for side in range(x.shape[1]):
        exact = drawn_.exact(side)
        best, rank = exact.minimizer()
        if rank != certificate.rank:
            yield {}
            continue
        claim = float(certificate.forward_error[side])
        missed = np.array([abs(float(Fraction(v) - w)) for v, w in zip(x[:, side].tolist(), best, strict=True)])
        with np.errstate(divide="ignore", invalid="ignore"):
            by_column = np.where(missed > 0, missed / errors[:, side], 0.0)
        true = relative_distance(x[:, side], best, exact.squares())
        yield {
            "backward": exact.backward_error(x[:, side]) / max(float(certificate.backward_error[side]), EPS / 8),
            "forward": 0.0 if np.isinf(claim) or true == 0 else true / claim if claim else np.inf,
            "coefficient": float(by_column.max()),
            "slack": claim / true if true > 0 and np.isfinite(claim) else np.nan,
        }


def measured(seed: int) -> Iterator[Case]:
    """Solve one random problem by one method, and check one x that is not its answer; yield what came of it."""
    rng = np.random.default_rng([seed, 8])
    problem = drawn(rng)
    method, sketch = str(rng.choice(["auto", *CERTIFIED])), str(rng.choice(sorted(SKETCHES)))
    about = {"seed": seed, "kind": problem.kind, "ridge": problem.alpha > 0, "weights": problem.weights is not None}
    solution = ds.solve(problem.problem(), method=method, sketch=sketch, cluster="serial", progress=False)
    errors = solution.coefficient_errors.reshape(solution.x.shape[0], -1)
    for found in judged(problem, solution.x.reshape(len(solution.x), -1), solution.certificate, errors):
        yield {**about, "method": method, "by": solution.method, "sketch": sketch, "status": solution.status.name, **found}
    way, x = foreign(solution.x, rng)
    certificate = ds.check(problem.problem(), x, cluster="serial", progress=False)
    for found in judged(problem, x.reshape(len(x), -1), certificate, certificate.coefficient_errors):
        yield {**about, "method": f"check: {way}", "by": "check", "sketch": "", "status": "", **found}


def main() -> None:
    """Run, write one line for each method, print the tables."""
    parser = arguments(__doc__)
    parser.add_argument("--problems", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    chosen = parser.parse_args()
    count = 40 if chosen.tiny else chosen.problems
    record, worst, counts = Record(chosen.out, "claims"), dict[str, Case](), Counter[str]()
    slack: list[float] = []
    for seed in range(chosen.first, chosen.first + count):
        for case in measured(seed):
            name = case["method"]
            counts[name] += 1
            if "backward" not in case:
                counts[f"{name}, other rank"] += 1
                continue
            kept = worst.setdefault(name, {"backward": 0.0, "forward": 0.0, "coefficient": 0.0, "wrong": 0})
            for key in ("backward", "forward", "coefficient"):
                if case[key] > kept[key]:
                    kept[key], kept[f"{key}_seed"] = case[key], seed
            kept["wrong"] += max(case["backward"], case["forward"], case["coefficient"]) > WANTED
            slack.append(case["slack"])
    for name in sorted(worst):
        record.add(
            method=name,
            judged=counts[name] - counts[f"{name}, other rank"],
            other_rank=counts[f"{name}, other rank"],
            **worst[name],
        )
    finite = np.array([value for value in slack if np.isfinite(value)])
    record.add(all="claim over truth", median=float(np.median(finite)), high=float(np.quantile(finite, 0.9)))
    show(tables(record.cases))
    figure(chosen.out / "claims.png", draw(finite))


def tables(cases: list[Case]) -> dict[str, str]:
    """Return the table of worst ratios by method, and one sentence."""
    return {"claims": _table(cases), "claims-worst": _sentence([case for case in cases if "judged" in case])}


def _sentence(cases: list[Case]) -> str:
    judged, wrong = (sum(case[key] for case in cases) for key in ("judged", "wrong"))
    backward, forward, coefficient = (max(case[key] for case in cases) for key in ("backward", "forward", "coefficient"))
    return (
        f"Of {judged:,} certificates, {wrong} are better than a third of the truth: the backward error is at most {backward:.2g} times "
        f"what is claimed, the distance from the minimizer {forward:.2g} times, that of a coefficient {coefficient:.2g} times."
    )


def _table(cases: list[Case]) -> str:
    heads = ["method", "judged", "worst truth ÷ claim: backward error", "‖D(x − x*)‖", "a coefficient", f"above {WANTED:g}"]
    rows = [[c["method"], c["judged"], c["backward"], c["forward"], c["coefficient"], c["wrong"]] for c in cases if "judged" in c]
    return table(heads, rows)


def draw(slack: Floats) -> Callable[[Any], None]:
    """Return what draws how much larger than the truth claims are."""

    def into(canvas: Any) -> None:
        axes = canvas.subplots()
        axes.hist(np.log10(np.maximum(slack, 1e-3)), bins=60)
        axes.set(xlabel="log₁₀ of claim over truth, ‖D (x − x*)‖/‖D x*‖", ylabel="answers")

    return into


if __name__ == "__main__":
    main()
