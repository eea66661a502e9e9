"""Claim: leverage scores of all rows as exact as LAPACK's, written by whoever reads them; regressions on rows drawn by them keep ε.

scores
    300,000 × 40, five heavy rows, kappa 1e6 by the units of the columns, by their directions, by both, 1e10, and ridge scores.  The judge
    is a QR in 80-bit arithmetic of the same rows, and what they must add up to.
spread
    Scores by a sketch of m = 8 d rows in 8, 40 or 64 random directions: their ratio to the exact ones, and Σ/d against m/(m − d − 1).
regressions
    One right-hand side, a hundred, and ridge (rows by its statistical dimension), with and without spike rows, by either method: in how
    many of 100 seeds is ‖A x − b‖² within 1 + ε of its minimum by LAPACK, with s = 4 (d ln d + d/ε)?
epsilon
    The same for ε of 0.05 to 0.5, beside as many rows drawn evenly, and beside a quarter of s.
coreset
    A coreset drawn, stored, and solved on; √(n s) modelled quantum row queries beside the n rows that each pass reads.

References
----------
Z. Song, J. Yin, R. Zhang, "Revisiting quantum algorithms for linear regressions", arXiv 2311.14823, 2023.
"""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from oracle import Long, solve_transposed, triangle
from record import Case, Record, arguments, figure, show, table

import dsketch as ds
from dsketch._linalg.factor import Factor
from dsketch.engine import SerialEngine
from dsketch.events import ignore
from dsketch.matrix.rows import Rows
from dsketch.passes import Look, Sketching
from dsketch.passes.drawing import Drawing
from dsketch.problems.leverage.directions import directions
from dsketch.problems.leverage.sampled_system import rows_wanted
from dsketch.sketch import SparseSign

Floats = NDArray[np.float64]

EPSILON = 0.1
EPSILONS = (0.5, 0.2, 0.1, 0.05)
WIDTHS = (8, 40, 64)
METHODS = ("exact", "sketched")


# ---- scores ------------------------------------------------------------------------------------------------------------


def rows_of(n: int, d: int, condition: float, rng: np.random.Generator) -> Floats:
    """Return rows of a condition number that no units of columns mend, five of them heavy: of leverage near 1."""
    A = rng.standard_normal((n, d))
    A[:5] *= np.sqrt(n) * 3
    return np.asarray((A * np.logspace(0, -np.log10(condition), d)) @ np.linalg.qr(rng.standard_normal((d, d)))[0])


def true_scores(A: Floats, alpha: float) -> NDArray[Any]:
    """Return the scores in 80-bit arithmetic."""
    d = A.shape[1]
    R = triangle(np.concatenate([A, np.sqrt(alpha) * np.eye(d)]).astype(Long))
    return np.concatenate([np.sum(solve_transposed(R, piece.T.astype(Long)) ** 2, axis=0) for piece in np.array_split(A, 20)])


def measure_scores(record: Record, n: int, d: int, folder: Path) -> None:
    """Compare the scores that workers wrote with the judge's."""
    kinds: list[tuple[str, float, float, float]] = [
        ("kappa 1e6 by units", 1.0, 1e3, 0.0),
        ("kappa 1e6", 1e6, 1.0, 0.0),
        ("kappa 1e6, units 1e±4", 1e6, 1e4, 0.0),
        ("kappa 1e10", 1e10, 1.0, 0.0),
        ("kappa 1e6, alpha 10", 1e6, 1.0, 10.0),
    ]
    for number, (kind, condition, units, alpha) in enumerate(kinds):
        A = rows_of(n, d, condition, np.random.default_rng(number)) * np.geomspace(units, 1 / units, d)
        began = perf_counter()
        found = ds.leverage_scores(A, folder / f"h{number}.zarr", alpha=alpha, cluster="serial", progress=False)
        seconds, h = perf_counter() - began, np.asarray(found.x[...])
        truth = true_scores(A, alpha)
        began = perf_counter()
        Q = np.linalg.qr(np.concatenate([A, np.sqrt(alpha) * np.eye(d)]))[0]
        dense = np.einsum("ij,ij->i", Q[:n], Q[:n])
        lapack = perf_counter() - began
        record.add(
            part="scores",
            kind=kind,
            n=n,
            d=d,
            error=float(np.abs(h / truth - 1).max()),
            absolute=float(np.abs(h - truth).max()),
            lapack=float(np.abs(dense / truth - 1).max()),
            claimed=float(found.certificate.forward_error[0]),
            total=abs(float(h.sum()) - float(truth.sum())) / d,
            passes=len(found.passes),
            largest=float(h.max()),
            seconds=seconds,
            lapack_seconds=lapack,
        )


def measure_spread(record: Record, n: int, d: int) -> None:
    """Compare scores by a sketch with the exact ones, for each number of directions."""
    A = rows_of(n, d, 1e6, np.random.default_rng(9))
    exact = np.asarray(ds.leverage_scores(A, cluster="serial", progress=False).x)
    sketch = SparseSign(8 * d, 1)
    look = Look(Sketching(sketch), Rows(ds.open_matrix(A)))
    SA, _ = look.pass_.finish(SerialEngine(1).run(look, ignore))
    T = Factor.of(SA).whitener.apply(np.eye(d))
    for width in (*WIDTHS, None):
        G = np.eye(d) if width is None else directions(1, d, width)
        scores = np.einsum("ij,ij->i", A @ (T @ G), A @ (T @ G))
        low, middle, high = np.quantile(scores / exact, [0.01, 0.5, 0.99])
        record.add(
            part="spread",
            width="all" if width is None else width,
            low=low,
            middle=middle,
            high=high,
            total=float(scores.sum()) / d,
            law=8 * d / (8 * d - d - 1),
            shares=np.quantile(scores / exact, np.linspace(0.005, 0.995, 100)).tolist(),
        )


# ---- regressions -------------------------------------------------------------------------------------------------------


def regression(n: int, d: int, sides: int, spikes: int) -> tuple[Floats, Floats]:
    """Return rows, of which some are heavy and off the line of the others, and right-hand sides with noise."""
    rng = np.random.default_rng([n, d, sides, spikes])
    A = rng.standard_normal((n, d))
    b = A @ rng.standard_normal((d, sides)) + rng.standard_normal((n, sides))
    A[:spikes] *= np.sqrt(n)
    b[:spikes] = A[:spikes] @ rng.standard_normal((d, sides))
    return A, b


class Judge:
    """How far x is above the least residual², by LAPACK: of all sides together, and of the worst."""

    def __init__(self, A: Floats, b: Floats, alpha: float) -> None:
        d = A.shape[1]
        M, z = np.concatenate([A, np.sqrt(alpha) * np.eye(d)]), np.concatenate([b, np.zeros((d, b.shape[1]))])
        self.best = np.linalg.lstsq(M, z)[0]
        self.R = np.linalg.qr(M, mode="r")
        self.least = np.sum((M @ self.best - z) ** 2, axis=0)

    def __call__(self, x: Floats) -> tuple[float, float]:
        """Return both: ‖M(x − x*)‖² by R, of all sides and of the worst."""
        above = np.sum((self.R @ (x.reshape(self.best.shape) - self.best)) ** 2, axis=0)
        return float(above.sum() / self.least.sum()), float((above / self.least).max())


def measure_regressions(record: Record, n: int, d: int, sides: int, seeds: int) -> None:
    """Solve each regression with many seeds by both methods, and judge."""
    for kind, k, alpha in (("one side", 1, 0.0), (f"{sides} sides", sides, 0.0), ("ridge", 1, float(n))):
        for spikes in (0, 5):
            A, b = regression(n, d, k, spikes)
            judge = Judge(A, b, alpha)
            for method in METHODS:
                answers = [solve(A, b, EPSILON, alpha, method, seed) for seed in range(seeds)]
                truth = np.array([judge(answer.x) for answer in answers])
                told = np.array([answer.certificate.excess.max() for answer in answers])
                bars = [(answer.certificate.excess_low.max(), answer.certificate.excess_high.max()) for answer in answers]
                record.add(
                    part="regressions",
                    kind=kind,
                    spikes=spikes,
                    method=method,
                    n=n,
                    d=d,
                    seeds=seeds,
                    wanted=answers[0].certificate.rows_wanted,
                    drawn=float(np.median([answer.certificate.rows_drawn for answer in answers])),
                    kept=float(np.mean(truth[:, 0] <= EPSILON)),
                    kept_worst=float(np.mean(truth[:, 1] <= EPSILON)),
                    excess=float(np.median(truth[:, 0])),
                    most=float(truth[:, 1].max()),
                    told_off=float(np.abs(told / truth[:, 1] - 1).max()),
                    in_bar=float(
                        np.mean(
                            [
                                low <= true[1] * 1.001 and true[1] <= high * 1.001
                                for (low, high), true in zip(bars, truth, strict=True)
                            ]
                        )
                    ),
                    queries=answers[0].certificate.modelled_queries,
                )


def solve(A: Floats, b: Floats, epsilon: float, alpha: float, method: str, seed: int) -> ds.Solution:
    """Return an answer in this process."""
    problem = ds.SampledLeastSquares(A, b, epsilon=epsilon, alpha=alpha)
    return ds.solve(problem, method=method, seed=seed, cluster="serial", progress=False)


def measure_epsilons(record: Record, n: int, d: int, seeds: int) -> None:
    """Draw with either method, with a quarter of the rows, and evenly, for each ε."""
    A, b = regression(n, d, 1, 5)
    judge, factor = Judge(A, b, 0.0), Factor.of(A)
    rows = Rows(ds.open_matrix(A), ds.open_matrix(b))
    for epsilon in EPSILONS:
        wanted = rows_wanted(d, epsilon)
        how: dict[str, Callable[[int], Floats]] = {
            "exact": partial(sampled_x, A, b, epsilon, "exact"),
            "sketched": partial(sampled_x, A, b, epsilon, "sketched"),
            "exact, s/4": partial(on_drawn, factor, rows, wanted / 4),
            "evenly": partial(evenly, A, b, round(wanted)),
        }
        for name, one in how.items():
            truth = np.array([judge(one(seed))[0] for seed in range(seeds)])
            record.add(
                part="epsilon",
                epsilon=epsilon,
                how=name,
                n=n,
                d=d,
                rows=round(wanted / 4 if "4" in name else wanted),
                failed=float(np.mean(truth > epsilon)),
                excess=float(np.median(truth)),
                excesses=truth.tolist(),
            )


def sampled_x(A: Floats, b: Floats, epsilon: float, method: str, seed: int) -> Floats:
    """Return x alone."""
    return np.asarray(solve(A, b, epsilon, 0.0, method, seed).x)


def on_drawn(factor: Factor, rows: Rows, wanted: float, seed: int) -> Floats:
    """Return x on so many rows, in the mean, drawn by exact scores."""
    look = Look(Drawing(factor.whitener, wanted / factor.rank, seed), rows)
    drawn = look.pass_.finish(SerialEngine(1).run(look, ignore))
    root = np.sqrt(drawn.counts)[:, None]
    return np.asarray(np.linalg.lstsq(root * drawn.X, root * drawn.Y)[0])


def evenly(A: Floats, b: Floats, count: int, seed: int) -> Floats:
    """Return x on so many rows, each as likely as any other."""
    picked = np.random.default_rng(seed).choice(len(A), min(count, len(A)), replace=False)
    return np.asarray(np.linalg.lstsq(A[picked], b[picked])[0])


def measure_coreset(record: Record, n: int, d: int, folder: Path) -> None:
    """Draw a coreset, solve on it, and compare with solving on all rows."""
    A, b = regression(n, d, 1, 5)
    judge = Judge(A, b, 0.0)
    began = perf_counter()
    few = ds.coreset(A, b[:, 0], folder / "few.zarr", epsilon=EPSILON, cluster="serial", progress=False)
    drawing, began = perf_counter() - began, perf_counter()
    x = ds.lstsq(few.A, few.b, weights=few.weights, cluster="serial", progress=False).x
    solving, began = perf_counter() - began, perf_counter()
    ds.lstsq(A, b[:, 0], cluster="serial", progress=False)
    record.add(
        part="coreset",
        n=n,
        d=d,
        rows=int(few.A.shape[0]),
        wanted=few.wanted,
        queries=float(np.sqrt(n * few.wanted)),
        excess=judge(x)[0],
        drawing=drawing,
        solving=solving,
        whole=perf_counter() - began,
    )


# ---- tables and figure -------------------------------------------------------------------------------------------------


def tables(cases: list[Case]) -> dict[str, str]:
    """Return the tables of the README."""
    parts = {part: [case for case in cases if case["part"] == part] for part in {case["part"] for case in cases}}
    makers = {
        "scores": scores_table,
        "spread": spread_table,
        "regressions": regressions_table,
        "epsilon": epsilon_table,
        "coreset": coreset_table,
    }
    return {f"leverage-{part}": make(parts[part]) for part, make in makers.items() if part in parts}


def scores_table(cases: list[Case]) -> str:
    """Return errors of the scores."""
    heads = ["rows", "passes", "worst relative error", "claimed", "LAPACK's Q", "absolute", "sum, relative", "seconds", "LAPACK"]
    keys = ("passes", "error", "claimed", "lapack", "absolute", "total", "seconds", "lapack_seconds")
    return table(heads, ([f"{case['n']:,} × {case['d']}, {case['kind']}", *(case[key] for key in keys)] for case in cases))


def spread_table(cases: list[Case]) -> str:
    """Return ratios of sketched to exact scores."""
    heads = ["directions", "ratio at 1 %", "50 %", "99 %", "Σ/d", "m/(m − d − 1)"]
    return table(heads, ([case[key] for key in ("width", "low", "middle", "high", "total", "law")] for case in cases))


def regressions_table(cases: list[Case]) -> str:
    """Return how often ε is kept."""
    heads = [
        "regression",
        "spikes",
        "method",
        "rows wanted",
        "drawn",
        "within 1 + ε",
        "every side",
        "median excess",
        "most",
        "told within",
        "bar holds",
    ]
    keys = ("spikes", "method", "wanted", "drawn", "kept", "kept_worst", "excess", "most", "told_off", "in_bar")
    return table(heads, ([case["kind"], *(case[key] for key in keys)] for case in cases))


def epsilon_table(cases: list[Case]) -> str:
    """Return failures by ε."""
    heads = ["ε", "drawn", "rows", "failed", "median excess"]
    return table(heads, ([case["epsilon"], case["how"], case["rows"], case["failed"], case["excess"]] for case in cases))


def coreset_table(cases: list[Case]) -> str:
    """Return what a coreset saves."""
    heads = ["A", "rows drawn", "√(n s), modelled", "excess", "seconds to draw", "to solve on it", "to solve on all"]
    keys = ("rows", "queries", "excess", "drawing", "solving", "whole")
    return table(heads, ([f"{case['n']:,} × {case['d']}", *(case[key] for key in keys)] for case in cases))


def draw(cases: list[Case]) -> Callable[[Any], None]:
    """Return a drawer: spread of sketched scores, and excess by ε."""

    def into(canvas: Any) -> None:
        canvas.set_size_inches(11, 4.5)
        left, right = canvas.subplots(1, 2)
        for case in cases:
            if case["part"] == "spread":
                left.plot(np.linspace(0.005, 0.995, 100), case["shares"], label=f"{case['width']} directions")
        left.set(xlabel="share of the rows", ylabel="sketched ÷ exact score", title="a sketch of 8 d rows")
        here = [case for case in cases if case["part"] == "epsilon"]
        for name in dict.fromkeys(case["how"] for case in here):
            mine = [case for case in here if case["how"] == name]
            points = [(case["epsilon"], value) for case in mine for value in case["excesses"]]
            right.loglog(*np.array(points).T, ".", alpha=0.5, label=name)
        ends = [min(EPSILONS), max(EPSILONS)]
        right.loglog(ends, ends, "k-", lw=1, label="allowed")
        right.set(xlabel="ε", ylabel="‖A x − b‖² over its minimum, less 1", title="five spike rows")
        for axis in (left, right):
            axis.grid(alpha=0.3)
            axis.legend(fontsize=8)

    return into


def main() -> None:
    """Measure, print, draw."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--rows", type=int, default=300_000, help="n of the scores")
    parser.add_argument("--seeds", type=int, default=100, help="draws of each regression")
    options = parser.parse_args()
    columns, n, d, sides, many = 40, 20_000, 20, 100, 1_000_000
    if options.tiny:
        options.rows, options.seeds, columns, n, d, sides, many = 2000, 4, 8, 3000, 5, 3, 5000
    record = Record(options.out, "leverage")
    with tempfile.TemporaryDirectory() as folder:
        measure_scores(record, options.rows, columns, Path(folder))
        measure_spread(record, options.rows, columns)
        measure_regressions(record, n, d, sides, options.seeds)
        measure_epsilons(record, n, d, options.seeds)
        for size in (n, many):
            measure_coreset(record, size, d, Path(folder) / str(size))
    show(tables(record.cases))
    figure(options.out / "leverage.png", draw(record.cases))


if __name__ == "__main__":
    main()
