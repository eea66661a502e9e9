"""Claim: powers of the Gram matrix in 2 or 3 passes at any power, with an error of 2j·kappa·u; the paper's alternation, side by side.

Three experiments on A = U diag(s) Vᵀ with singular values from 1 down to 1/kappa and a right-hand side without special direction.

accuracy       relative error of x against 60 digits (AᵀA without rounding), kappa 1e1 … 1e8, j = 1 … 16; even and odd powers, the
               exponential; beside: G = AᵀA with a formed power, G with a Cholesky solve a level, SciPy's SVD of A
accumulation   the alternation stage by stage: how a step of a stage contracts, where rounding ends it, passes; and the error of each
               level y_k against 60 digits, alternating and factored
heads          several heads of one stored A together and one after the other: passes, bytes read, seconds
time           seconds and passes against n, d, kappa and j, one BLAS thread for everybody, A in memory

No claim rests on the library's word: errors are against exact arithmetic, passes are counted by the ledger of what was read.
"""

import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import scipy.linalg as sl
import zarr
from numpy.typing import NDArray
from oracle import exact_gram
from powers_tables import METHODS, RIVALS, draw, tables
from record import Case, Record, arguments, figure, show, spread
from threadpoolctl import threadpool_limits

import dsketch
from dsketch.matrix.head import Head
from dsketch.problems import GramExponential, GramPower, OddGramPower
from dsketch.problems.heads.problem import Heads

Floats = NDArray[np.float64]

DIGITS = 60
CONDITIONS = (1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8)
POWERS = (1, 2, 4, 8, 16)
DIRECT = METHODS[:2]
TOL = 1e-8  # of the timed alternation: a relative residual


def matrix(condition: float, n: int, d: int, seed: int = 0) -> Floats:
    """Return A, shape (n, d)."""
    rng = np.random.default_rng([seed, n, d])
    left = np.linalg.qr(rng.standard_normal((n, d)))[0]
    V = np.linalg.qr(rng.standard_normal((d, d)))[0]
    return np.asarray((left * np.geomspace(1, 1 / condition, d)) @ V.T)


def side(rows: int, seed: int = 1) -> Floats:
    """Return b."""
    return np.random.default_rng([seed, rows]).standard_normal(rows)


# ---- references and rivals -------------------------------------------------------------------------------------------


def exact_levels(A: Floats, b: Floats, power: int) -> list[Any]:
    """Return y₁ … y_j with AᵀA y_k = y_{k−1} in 60 digits; a b with n rows is first replaced by its least-squares solution."""
    with mpmath.workdps(DIGITS):
        L = mpmath.cholesky(exact_gram(A, A))
        y = mpmath.matrix(b.tolist())
        if len(b) != A.shape[1]:
            y = _cholesky_solved(L, exact_gram(A, b[:, None]))
        levels = []
        for _ in range(power):
            y = _cholesky_solved(L, y)
            levels.append(y)
        return levels


def _cholesky_solved(L: Any, y: Any) -> Any:
    d, z = L.rows, y.copy()
    for i in range(d):
        z[i] = (z[i] - mpmath.fsum(L[i, t] * z[t] for t in range(i))) / L[i, i]
    for i in reversed(range(d)):
        z[i] = (z[i] - mpmath.fsum(L[t, i] * z[t] for t in range(i + 1, d))) / L[i, i]
    return z


def relative(x: Floats, truth: Any, exponent: int = 0) -> float:
    """Return ‖x·2^exponent − truth‖/‖truth‖, at least what float64 can show; ∞ for what is no number."""
    if not np.isfinite(x).all():
        return float("inf")
    with mpmath.workdps(DIGITS):
        found = mpmath.matrix([mpmath.ldexp(mpmath.mpf(value), exponent) for value in x.ravel().tolist()])
        return float(mpmath.norm(found - truth) / mpmath.norm(truth))


def formed(A: Floats, b: Floats, power: int) -> Floats:
    """Return x by forming the power of G: repeated squaring, one solve."""
    return np.asarray(np.linalg.solve(np.linalg.matrix_power(A.T @ A, power), b))


def gram_solves(A: Floats, b: Floats, power: int) -> Floats:
    """Return x by a Cholesky factor of G and j solves."""
    factor = sl.cho_factor(A.T @ A)
    for _ in range(power):
        b = sl.cho_solve(factor, b)
    return np.asarray(b)


def scipy_svd(A: Floats, b: Floats, power: int) -> Floats:
    """Return x by SciPy's singular value decomposition of A, in memory."""
    _, s, Vt = sl.svd(A, full_matrices=False)
    return np.asarray(Vt.T @ ((Vt @ b) * s ** (-2.0 * power)))


SOLVERS: dict[str, Callable[[Floats, Floats, int], Floats]] = dict(zip(RIVALS, (formed, gram_solves, scipy_svd), strict=True))


def attempt(rival: Callable[[Floats, Floats, int], Floats], A: Floats, b: Floats, power: int) -> Floats:
    """Return what a rival finds; NaN where it breaks down."""
    try:
        with np.errstate(all="ignore"):
            return rival(A, b, power)
    except (np.linalg.LinAlgError, sl.LinAlgError):
        return np.full(A.shape[1], np.nan)


def ours(problem: Any, method: str, tol: float | None = None) -> dsketch.Solution:
    """Solve in this process."""
    return dsketch.solve(problem, method=method, tol=tol, cluster="serial", progress=False)


# ---- experiments -----------------------------------------------------------------------------------------------------


def accuracy(n: int, d: int, conditions: tuple[float, ...], powers: tuple[int, ...]) -> Iterator[Case]:
    """Yield a case for each kind, kappa and j."""
    for kappa in conditions:
        A = matrix(kappa, n, d)
        for kind, b in (("even", side(d)), ("odd", side(n))):
            levels = exact_levels(A, b, max(powers))
            for power in powers:
                problem = (GramPower if kind == "even" else OddGramPower)(A, b, power=power)
                found = {}
                for method in METHODS:
                    solution = ours(problem, method)
                    found[method] = {
                        "error": relative(solution.x, levels[power - 1]),
                        "passes": len(solution.passes),
                        "status": solution.status.name.lower(),
                        "backward": float(solution.certificate.backward_error[0]),
                    }
                for name, rival in SOLVERS.items() if kind == "even" else ():
                    found[name] = {"error": relative(attempt(rival, A, b, power), levels[power - 1]), "passes": None}
                uses = 2 * power + (kind == "odd")
                yield {
                    "experiment": "accuracy",
                    "kind": kind,
                    "condition": kappa,
                    "power": power,
                    "uses": uses,
                    "n": n,
                    "d": d,
                } | {"found": found}


def exponential(n: int, d: int, sizes: tuple[float, ...]) -> Iterator[Case]:
    """Yield a case for each ‖A‖ and number of terms: error, forward bound, and that of SciPy's expm of the formed Gram matrix."""
    for size in sizes:
        A, b = size * matrix(1e2, n, d), side(d)
        with mpmath.workdps(DIGITS):
            G = exact_gram(A, A)
            inverse = mpmath.expm(-G) * mpmath.matrix(b.tolist())
        for terms in (None, 8):
            truth = inverse if terms is None else _series_inverse(G, b, terms)
            solution = ours(GramExponential(A, b, terms=terms), "factored")
            rival = sl.expm(-A.T @ A) @ b if terms is None else None
            yield {
                "experiment": "exponential",
                "size": size,
                "terms": terms,
                "n": n,
                "d": d,
                "passes": len(solution.passes),
                "error": relative(solution.x, truth),
                "bound": float(solution.certificate.forward_error[0]),
                "expm": None if rival is None else relative(rival, truth),
            }


def _series_inverse(G: Any, b: Floats, terms: int) -> Any:
    with mpmath.workdps(DIGITS):
        total = term = mpmath.eye(G.rows)
        for p in range(1, terms + 1):
            term = term * G / p
            total = total + term
        return _cholesky_solved(mpmath.cholesky(total), mpmath.matrix(b.tolist()))


def accumulation(n: int, d: int, conditions: tuple[float, ...], powers: tuple[int, ...]) -> Iterator[Case]:
    """Yield a case for each kappa and j: the stages of the alternation, and the errors of all levels by both methods."""
    for kappa in conditions:
        A, b = matrix(kappa, n, d), side(d)
        levels = exact_levels(A, b, max(powers))
        for power in powers:
            case: Case = {"experiment": "accumulation", "condition": kappa, "power": power, "n": n, "d": d}
            for method in ("alternating", "factored"):
                solution = ours(GramPower(A, b, power=power), method)
                found = solution.answer.levels[1:]
                case[method] = {
                    "passes": len(solution.passes),
                    "errors": [relative(y.mantissas, t, int(y.exponents[0])) for y, t in zip(found, levels, strict=False)],
                    "level_moves": _level_moves(found),
                    "backward": float(solution.certificate.backward_error[0]),
                }
                if method == "alternating":
                    stages = solution.answer.stages
                    case[method] |= {
                        "stage_passes": [stage.passes for stage in stages],
                        "moves": [list(stage.moves) for stage in stages],
                        "contraction": [contraction(stage.moves) for stage in stages],
                        "floor": [min(stage.moves) for stage in stages],
                    }
            yield case


def _level_moves(levels: tuple[Any, ...]) -> list[float]:
    """Return ‖y_{k+1} − y_k‖/‖y_k‖ from level to level."""
    return [float(2.0 ** (after.plus(before, -1.0).norms[0] - before.norms[0])) for before, after in itertools.pairwise(levels)]


def contraction(moves: tuple[float, ...]) -> float:
    """Return the mean factor between the first step and the last one above rounding (its floor times 100)."""
    floor = max(100 * min(moves), 1e-14)
    clear = [move for move in moves if move > floor]
    return float((clear[-1] / clear[0]) ** (1 / (len(clear) - 1))) if len(clear) > 2 else float("nan")


def timed(cases: list[tuple[int, int, float, int]], repeats: int, direct: int) -> Iterator[Case]:
    """Yield a case for each (n, d, kappa, j): seconds of every contestant, taken in turns, and passes; errors up to d = ``direct``."""
    for n, d, kappa, power in cases:
        A, b = matrix(kappa, n, d), side(d)
        truth = exact_levels(A, b, power)[-1] if d <= direct else None
        problem = GramPower(A, b, power=power)
        runs: dict[str, Callable[[], tuple[Floats, int | None]]] = {
            **{method: partial(_counted, problem, method) for method in METHODS},
            **{name: partial(_uncounted, rival, A, b, power) for name, rival in SOLVERS.items()},
        }
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        found: dict[str, Case] = {}
        for turn in range(repeats):
            for name, run in runs.items():
                if turn and name.startswith("alternating") and seconds[name][0] > 5:
                    continue
                began = time.perf_counter()
                x, passes = run()
                seconds[name].append(time.perf_counter() - began)
                found[name] = {"passes": passes, "error": None if truth is None else relative(x, truth)}
        for name in runs:
            found[name]["seconds"] = spread(seconds[name])
        yield {"experiment": "time", "n": n, "d": d, "condition": kappa, "power": power, "tol": TOL, "found": found}


def several(n: int, d: int, counts: tuple[int, ...], repeats: int) -> Iterator[Case]:
    """Yield a case for each number of heads of d columns: together, and one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "A.zarr"
        shape, chunks = (n, d * max(counts)), (max(n // 8, 1), d * max(counts))
        stored = zarr.create_array(store=path, shape=shape, dtype=float, chunks=chunks, compressors=None)
        stored[:] = np.random.default_rng(0).standard_normal(stored.shape)
        A = dsketch.open_matrix(path)
        for count in counts:
            problems = [GramPower(Head(A, columns=(d * h, d * h + d)), side(d, h), power=1 + h % 4) for h in range(count)]
            seconds: dict[str, list[float]] = {"together": [], "alone": []}
            for _ in range(repeats):
                began = time.perf_counter()
                together = ours(Heads(problems), "factored")
                seconds["together"].append(time.perf_counter() - began)
                began = time.perf_counter()
                alone = [ours(problem, "factored") for problem in problems]
                seconds["alone"].append(time.perf_counter() - began)
            x = np.concatenate([solution.x for solution in alone])
            yield {
                "experiment": "heads",
                "n": n,
                "d": d,
                "heads": count,
                "same_bits": np.array_equal(together.x.ravel(), x),
                "passes": {"together": len(together.passes), "alone": sum(len(solution.passes) for solution in alone)},
                "read_bytes": {
                    "together": sum(record.read_bytes for record in together.passes),
                    "alone": sum(record.read_bytes for solution in alone for record in solution.passes),
                },
                "seconds": {name: spread(times) for name, times in seconds.items()},
            }


def _counted(problem: Any, method: str) -> tuple[Floats, int]:
    solution = ours(problem, method, None if method in DIRECT else TOL)
    return solution.x, len(solution.passes)


def _uncounted(rival: Callable[[Floats, Floats, int], Floats], A: Floats, b: Floats, power: int) -> tuple[Floats, None]:
    return attempt(rival, A, b, power), None


# ---- the command -----------------------------------------------------------------------------------------------------


def main() -> None:
    """Measure, print, draw."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--repeats", type=int, default=3, help="turns of the timed contestants")
    options = parser.parse_args()
    conditions, powers, chosen, small = CONDITIONS, POWERS, (2, 4, 8, 16), (2000, 20)
    kappas = (1e1, 1e3, 1e6)
    times = [(n, 50, 1e4, 2) for n in (50_000, 100_000, 200_000, 400_000)]
    times += [(100_000, d, 1e4, 2) for d in (10, 25, 100, 200)]
    times += [(100_000, 50, kappa, 2) for kappa in (1e1, 1e6, 1e8)]
    times += [(100_000, 50, 1e4, power) for power in (1, 4, 8, 16)]
    if options.tiny:
        conditions, powers, chosen, small, kappas = (1e1, 1e6), (1, 4), (2, 4), (200, 6), (1e1, 1e3)
        times, options.repeats = [(400, 6, 1e2, 2)], 1
    record = Record(options.out, "powers")
    with threadpool_limits(1):
        for case in accuracy(*small, conditions, powers):
            record.add(**case)
        for case in exponential(*small, (0.5, 1.0, 4.0, 10.0)):
            record.add(**case)
        for case in accumulation(*small, kappas, chosen):
            record.add(**case)
        for case in several(*((400, 3, (1, 2), 1) if options.tiny else (100_000, 16, (1, 2, 4, 8, 16), options.repeats))):
            record.add(**case)
        for case in timed(times, options.repeats, direct=50):
            record.add(**case)
    show(tables(record.cases))
    figure(options.out / "powers.png", draw(record.cases))


if __name__ == "__main__":
    main()
