"""Claim: on CSR rows a sketch, and so a solve, costs what is stored, and the answer is the dense solver's.

Four acceptance tests and one rival, all through the library's own passes and public functions:

time       the sketch pass takes at most 2.4 times as long when the stored numbers double, and at most 1.2 times when the columns
           double at the same stored numbers and the same m; processor time of one thread, rounds over all sizes interleaved
condition  cond(A R⁻¹) of the sketch of CSR rows is that of the same rows made dense, for the same m
heavy      d heavy rows among light sparse ones: eight signs a row keep cond(A R⁻¹) below 2.5 at m = 8d, one sign exceeds 100
solution   x differs from that of dense rows by at most 1e-12, relative; kappa is stated
rival      scipy.sparse.linalg.lsqr at its smallest tolerances, on a well and an ill conditioned A, judged in 80 bits

References
----------
K. L. Clarkson, D. P. Woodruff, "Low-rank approximation and regression in input sparsity time", STOC 2013.
C. C. Paige, M. A. Saunders, "LSQR: an algorithm for sparse linear equations and sparse least squares", ACM Trans. Math. Softw. 8, 1982.
"""

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from oracle import Long, judge_stored, solve_transposed, triangle
from record import Case, Record, arguments, figure, show, spread, table
from scipy.sparse.linalg import lsqr
from threadpoolctl import threadpool_limits

import dsketch
from dsketch._linalg.factor import Factor
from dsketch.engine import SerialEngine
from dsketch.events import ignore
from dsketch.matrix.open import open_matrix
from dsketch.matrix.rows import Rows
from dsketch.passes import Look, Normal, Sketching
from dsketch.sketch import CountSketch, Sketch, SparseSign

Floats = NDArray[np.float64]

WANTED_NONZEROS, WANTED_COLUMNS, WANTED_CONDITION, WANTED_CHANGE = 2.4, 1.2, 2.5, 1e-12
METHODS = ("cholesky", "gram", "whitened", "tsqr", "conjugate_gradient")
FAMILIES: dict[str, Callable[[int, int], Sketch]] = {
    "z = 8": lambda size, seed: SparseSign(size, seed, nonzeros=8),
    "z = 4": lambda size, seed: SparseSign(size, seed, nonzeros=4),
    "z = 1": CountSketch,
}


def rows_of(n: int, d: int, per_row: int, seed: int = 0) -> Any:
    """Return n × d CSR with ``per_row`` normal numbers a row at random columns."""
    rng = np.random.default_rng([seed, n, d, per_row])
    columns = rng.integers(0, d, n * per_row, dtype=np.int32)
    pointers = np.arange(0, n * per_row + 1, per_row, dtype=np.int32)
    return scipy.sparse.csr_array((rng.standard_normal(n * per_row), columns, pointers), shape=(n, d))


def run(pass_: Any, A: Any) -> Any:
    """Return the result of a pass over A on one thread."""
    look = Look(pass_, Rows(open_matrix(A)))
    return pass_.finish(SerialEngine(1).run(look, ignore))


# ---- what is measured ------------------------------------------------------------------------------------------------


def times(n: int, grids: dict[int, list[int]], per_row: list[int], repeats: int) -> Iterator[Case]:
    """Yield processor seconds of a pass: stored numbers double at the middle d, columns double at the middle number a row."""
    half = per_row[len(per_row) // 2]
    shapes = {(m, d, half) for m, columns in grids.items() for d in columns}
    shapes |= {(m, columns[len(columns) // 2], count) for m, columns in grids.items() for count in per_row}
    matrices = {shape: rows_of(n, *shape[1:]) for shape in sorted(shapes)}
    passes = {name: (lambda m, _, make=make: Sketching(make(m, 0))) for name, make in FAMILIES.items()}
    passes["light"] = lambda _, d: Normal(np.ones((d, 1)))
    seconds: dict[tuple[str, tuple[int, int, int]], list[float]] = {}
    for _ in range(repeats):
        for name, make in passes.items():
            for shape, A in matrices.items():
                began = time.process_time()
                run(make(*shape[:2]), A)
                seconds.setdefault((name, shape), []).append(time.process_time() - began)
    for (name, (m, d, count)), found in seconds.items():
        yield {"work": name, "n": n, "d": d, "nonzeros": n * count, "m": m, "seconds": spread(found)}


def conditioned(A: Any, R_A: NDArray[Any], sketch: Sketch) -> float:
    """Return cond(A R⁻¹) for R of the sketch, judged by a QR of A in 80 bits."""
    R = Factor.of(run(Sketching(sketch), A)[0]).R
    if not np.diagonal(R).all():
        return np.inf
    s = np.linalg.svd(solve_transposed(R.astype(Long), R_A.T).astype(np.float64), compute_uv=False)
    return float(s[0] / s[-1]) if s[-1] > 0 else np.inf


def conditions(n: int, d: int, ratios: tuple[int, ...], seeds: int) -> Iterator[Case]:
    """Yield cond(A R⁻¹) of CSR and of dense rows; columns run from 1 to 1e-6."""
    A = rows_of(n, d, max(d // 20, 2))
    A = (A * np.logspace(0, -6, d)).tocsr()
    dense = A.toarray()
    R_A, kappa = triangle(dense.astype(Long)), float(np.linalg.cond(dense))
    for ratio in ratios:
        for name, make in FAMILIES.items():
            pairs = [
                (conditioned(A, R_A, make(ratio * d, seed)), conditioned(dense, R_A, make(ratio * d, seed)))
                for seed in range(seeds)
            ]
            apart = max(abs(one - other) / other for one, other in pairs)
            yield {
                "n": n,
                "d": d,
                "kappa": kappa,
                "ratio": ratio,
                "sketch": name,
                "csr": max(pairs)[0],
                "dense": max(pairs)[1],
                "apart": apart,
            }


def heavy(n: int, d: int, ratios: tuple[int, ...], seeds: int) -> Iterator[Case]:
    """Yield cond(A R⁻¹) where d rows, anywhere, carry all columns: sparse rows times 1e-4 but for those."""
    light = rows_of(n, d, max(d // 20, 2), seed=1) * 1e-4
    rng = np.random.default_rng(1)
    carriers = rng.permutation(n)[:d]
    lifted = scipy.sparse.csr_array((np.ones(d), (carriers, np.arange(d))), shape=(n, d))
    A = (light + lifted).tocsr()
    R_A = triangle(A.toarray().astype(Long))
    for ratio in ratios:
        for name, make in FAMILIES.items():
            found = [conditioned(A, R_A, make(ratio * d, seed)) for seed in range(seeds)]
            yield {
                "n": n,
                "d": d,
                "ratio": ratio,
                "sketch": name,
                "worst": max(found),
                "median": float(np.median(found)),
                "seeds": seeds,
            }


def coupled(A: Any, times: int) -> Any:
    """Return A, a few times each column minus the one before: kappa grows like (4d/π) to that power, and sparse stays sparse."""
    d = A.shape[1]
    difference = scipy.sparse.diags_array([np.ones(d), np.full(d - 1, -1.0)], offsets=[0, 1], format="csr")
    for _ in range(times):
        A = (A @ difference).tocsr()
    return A


def answers(n: int, d: int, couplings: tuple[int, ...]) -> Iterator[Case]:
    """Yield how far x of CSR rows is from x of dense rows, by the same method and by LAPACK."""
    for times_coupled in couplings:
        A = coupled(rows_of(n, d, max(d // 20, 2), seed=2), times_coupled)
        rng = np.random.default_rng(2)
        b = A @ rng.standard_normal(d) + 1e-3 * rng.standard_normal(n)
        dense = A.toarray()
        lapack = np.linalg.lstsq(dense, b, rcond=None)[0]
        for method in METHODS:
            x, other = (dsketch.lstsq(M, b, method=method, cluster="serial", progress=False).x for M in (A, dense))
            size = np.linalg.norm(lapack)
            yield {
                "n": n,
                "d": d,
                "nonzeros": A.nnz,
                "kappa": float(np.linalg.cond(dense)),
                "method": method,
                "from_same": float(np.linalg.norm(x - other) / size),
                "from_lapack": float(np.linalg.norm(x - lapack) / size),
            }


def rivals(n: int, d: int, per_row: int, couplings: tuple[int, ...], limit: int) -> Iterator[Case]:
    """Yield seconds, passes over A and backward error of ``auto``, of conjugate gradients and of SciPy's LSQR."""
    for times_coupled in couplings:
        A = coupled(rows_of(n, d, per_row, seed=3), times_coupled)
        rng = np.random.default_rng(3)
        b = A @ rng.standard_normal(d) + 1e-3 * rng.standard_normal(n)
        R = None
        for name, solve in contestants(limit).items():
            began, cpu = time.perf_counter(), time.process_time()
            x, facts = solve(A, b)
            seconds = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu}
            blocks = partial(_dense_blocks, A, b)
            backward, R = judge_stored(blocks, R, x)
            s = np.linalg.svd(R, compute_uv=False)
            size = {"n": n, "d": d, "nonzeros": A.nnz, "kappa": float(s[0] / s[-1])}
            yield {**size, "contestant": name, **seconds, "backward": backward, **facts}


def _dense_blocks(A: Any, b: Floats) -> Iterator[tuple[Floats, Floats]]:
    step = max(4_000_000 // A.shape[1], 1)
    for low in range(0, A.shape[0], step):
        yield A[low : low + step].toarray(), b[low : low + step]


def contestants(limit: int) -> dict[str, Callable[[Any, Floats], tuple[Floats, Case]]]:
    """Return who solves, by name."""

    def ours(method: str) -> Callable[[Any, Floats], tuple[Floats, Case]]:
        def solve(A: Any, b: Floats) -> tuple[Floats, Case]:
            found = dsketch.lstsq(A, b, method=method, cluster="serial", progress=False)
            return found.x, {"passes": len(found.passes), "by": found.method, "status": found.status.name.lower()}

        return solve

    def scipys(A: Any, b: Floats) -> tuple[Floats, Case]:
        x, stop, steps = lsqr(A, b, atol=0.0, btol=0.0, conlim=0.0, iter_lim=limit)[:3]
        return x, {"passes": steps, "by": "lsqr", "status": "step limit" if stop == 7 else "solved"}

    return {"dsketch auto": ours("auto"), "dsketch conjugate_gradient": ours("conjugate_gradient"), "scipy lsqr": scipys}


# ---- what is said ----------------------------------------------------------------------------------------------------


def tables(cases: list[Case]) -> dict[str, str]:
    """Return the tables of the README."""
    if not cases:
        return {}
    by = {
        name: [case for case in cases if case["experiment"] == name]
        for name in ("time", "condition", "heavy", "solution", "rival")
    }
    condition = [[c["sketch"], c["ratio"], c["csr"], c["dense"], c["apart"]] for c in by["condition"]]
    heavy_rows = [[c["sketch"], c["ratio"], c["median"], c["worst"]] for c in by["heavy"]]
    solution = [[c["method"], c["kappa"], c["from_same"], c["from_lapack"]] for c in by["solution"]]
    rival = [[c["contestant"], c["kappa"], c["seconds"], c["cpu"], c["passes"], c["backward"], c["status"]] for c in by["rival"]]
    return {
        "sparse-claim": claim(by),
        "sparse-time": table(["work", "m", "d", "nonzeros", "seconds", "ns a nonzero"], map(_timed, by["time"])),
        "sparse-condition": table(["sketch", "m/d", "cond(A R⁻¹), CSR", "dense", "largest difference"], condition),
        "sparse-heavy": table(["sketch", "m/d", "cond(A R⁻¹), median", "worst"], heavy_rows),
        "sparse-solution": table(["method", "kappa", "from its dense answer", "from LAPACK's"], solution),
        "sparse-rival": table(["contestant", "kappa", "seconds", "processor", "passes", "backward error", "status"], rival),
    }


def _timed(case: Case) -> list[Any]:
    seconds = case["seconds"]["median"]
    return [case["work"], case["m"], case["d"], case["nonzeros"], seconds, 1e9 * seconds / case["nonzeros"]]


def growth(cases: list[Case], work: str, m: int, key: str, other: str) -> list[float]:
    """Return the ratios of seconds when ``key`` doubles and ``other`` and m stay."""
    mine = [case for case in cases if case["work"] == work and case["m"] == m]
    at = {(case[key], case[other]): case["seconds"]["median"] for case in mine}
    return [at[2 * value, same] / seconds for (value, same), seconds in at.items() if (2 * value, same) in at]


def claim(by: dict[str, list[Case]]) -> str:
    """Return the acceptance tests with what was found."""
    small, large = sorted({case["m"] for case in by["time"]})
    doubled = {m: growth(by["time"], "z = 8", m, "nonzeros", "d") for m in (small, large)}
    widened = {m: growth(by["time"], "z = 8", m, "d", "nonzeros") for m in (small, large)}
    apart = max(case["apart"] for case in by["condition"])
    eight, one = (
        next(case for case in by["heavy"] if case["sketch"] == name and case["ratio"] == 8) for name in ("z = 8", "z = 1")
    )
    change, kappa = max((case["from_same"], case["kappa"]) for case in by["solution"])
    lines = [
        f"- the sketch takes {_span(doubled[small] + doubled[large])} times as long when stored numbers double (wanted: at most "
        f"{WANTED_NONZEROS});",
        f"- it takes {_span(widened[small])} times as long when columns double at m = {small:,}, where S A stays in a core's cache "
        f"(wanted: at most {WANTED_COLUMNS}), and {_span(widened[large])} times at m = {large:,}, where it does not: as many "
        "additions, to places that are further away;",
        f"- cond(A R⁻¹) of CSR and of dense rows differ by {apart:.1e} at most;",
        f"- with d heavy rows and m = 8d, eight signs give at most {eight['worst']:.3g} (wanted: below {WANTED_CONDITION}), one sign a "
        f"median of {one['median']:.3g} over {one['seeds']} draws;",
        f"- no method's x is further than {change:.1e} from its x of dense rows (wanted: {WANTED_CHANGE:.0e}), at kappa {kappa:.2g}.",
    ]
    return "\n".join(lines)


def _span(ratios: list[float]) -> str:
    return f"{min(ratios):.2f} to {max(ratios):.2f}" if len(ratios) > 1 else f"{ratios[0]:.2f}"


def draw(cases: list[Case]) -> Callable[[Any], None]:
    """Return a drawer of seconds against stored numbers and against columns."""

    def into(canvas: Any) -> None:
        canvas.set_size_inches(11, 4.5)
        timed = [case for case in cases if case["experiment"] == "time"]
        large = max(case["m"] for case in timed)
        for axis, key, other in zip(canvas.subplots(1, 2, sharey=True), ("nonzeros", "d"), ("d", "nonzeros"), strict=True):
            mine = [case for case in timed if case["m"] == large]
            counts = [case[other] for case in mine]
            same = max(set(counts), key=counts.count)
            for work in dict.fromkeys(case["work"] for case in mine):
                points = sorted((c[key], c["seconds"]["median"]) for c in mine if c["work"] == work and c[other] == same)
                axis.loglog(*zip(*points, strict=True), marker="o", label="light pass" if work == "light" else f"sketch, {work}")
            if key == "nonzeros":
                ends = np.array(sorted({case[key] for case in mine}))
                top = max(case["seconds"]["median"] for case in mine if case[key] == ends[0] and case[other] == same)
                axis.loglog(ends, top * ends / ends[0], color="grey", ls="--", label="proportional")
            axis.set_xlabel(f"stored numbers, d = {same:,}" if key == "nonzeros" else f"columns, {same:,} stored numbers")
            axis.set_title(f"m = {large:,}")
            axis.grid(alpha=0.3)
            axis.legend(fontsize=8)
        canvas.supylabel("processor seconds of a pass")

    return into


def main() -> None:
    """Measure, print, draw."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--rows", type=int, default=200_000, help="n of the timings")
    parser.add_argument("--repeats", type=int, default=5, help="of every timing")
    options = parser.parse_args()
    sizes: dict[str, Any] = {
        "time": (times, (options.rows, {1000: [64, 128, 256], 8000: [500, 1000, 2000]}, [8, 16, 32], options.repeats)),
        "condition": (conditions, (20_000, 100, (4, 8, 12), 3)),
        "heavy": (heavy, (20_000, 100, (4, 8, 16), 10)),
        "solution": (answers, (50_000, 200, (0, 1))),
        "rival": (rivals, (150_000, 300, 10, (0, 2), 20_000)),
    }
    if options.tiny:
        sizes = {
            "time": (times, (4000, {80: [10, 20, 40], 320: [20, 40, 80]}, [4, 8, 16], 2)),
            "condition": (conditions, (2000, 20, (4, 8), 1)),
            "heavy": (heavy, (2000, 40, (8,), 5)),
            "solution": (answers, (2000, 20, (0, 1))),
            "rival": (rivals, (3000, 20, 4, (0, 2), 500)),
        }
    record = Record(options.out, "csr")
    with threadpool_limits(1):
        for name, (measure, given) in sizes.items():
            for case in measure(*given):
                record.add(experiment=name, threads=1, **case)
    show(tables(record.cases))
    figure(options.out / "csr.png", draw(record.cases))


if __name__ == "__main__":
    main()
