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
from record import Case, Record, arguments, figure, show, spread, table
from threadpoolctl import threadpool_limits

import dsketch
from dsketch.matrix.head import Head
from dsketch.problems import GramExponential, GramPower, OddGramPower
from dsketch.problems.heads import Heads

Floats = NDArray[np.float64]

U = np.finfo(float).eps / 2
WANTED = 10.0  # times 2j·kappa·u
DIGITS = 60
CONDITIONS = (1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8)
POWERS = (1, 2, 4, 8, 16)
METHODS = ("factored", "factored_whitened", "alternating", "alternating_cg")
DIRECT = METHODS[:2]
EXPERIMENTS = ("accuracy", "exponential", "accumulation", "heads", "time")
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


RIVALS: dict[str, Callable[[Floats, Floats, int], Floats]] = {
    "formed power": formed,
    "Gram + Cholesky": gram_solves,
    "SciPy SVD": scipy_svd,
}


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
                for name, rival in RIVALS.items() if kind == "even" else ():
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
            **{name: partial(_uncounted, rival, A, b, power) for name, rival in RIVALS.items()},
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


# ---- tables ----------------------------------------------------------------------------------------------------------


def tables(cases: list[Case]) -> dict[str, str]:
    """Return the tables of the README."""
    by = {name: [case for case in cases if case["experiment"] == name] for name in EXPERIMENTS}
    makers = {
        "powers-claim": (claim, "accuracy"),
        "powers-accuracy": (_accuracy_table, "accuracy"),
        "powers-exponential": (_exponential_table, "exponential"),
        "powers-accumulation": (_accumulation_table, "accumulation"),
        "powers-levels": (_levels_table, "accumulation"),
        "powers-heads": (_heads_table, "heads"),
        "powers-time": (_time_table, "time"),
    }
    return {name: make(by[of]) for name, (make, of) in makers.items() if by[of]}


def used(case: Case, name: str) -> float:
    """Return the error as a multiple of (2j or 2j + 1)·kappa·u."""
    return float(case["found"][name]["error"] / (case["uses"] * case["condition"] * U))


def claim(cases: list[Case]) -> str:
    """Return the statement on accuracy, with the cases that break it."""
    worst = {name: max(used(case, name) for case in cases) for name in METHODS}
    passes = {name: sorted({case["found"][name]["passes"] for case in cases}) for name in METHODS}
    text = ", ".join(
        f"{name} {worst[name]:.2g} ({passes[name][0]}{'' if len(passes[name]) == 1 else f'–{passes[name][-1]}'} passes)"
        for name in METHODS
    )
    lines = [
        f"Largest error of x as a multiple of (number of uses of A)·kappa·u, over {len(cases)} problems with kappa "
        f"{_span(cases, 'condition')} and j {_span(cases, 'power')} (wanted: {WANTED:.0f}): {text}."
    ]
    broken = [(case, name) for case in cases for name in METHODS if used(case, name) > WANTED]
    lines += [
        f"- {case['kind']}, kappa {case['condition']:.0e}, j = {case['power']}: {name} {used(case, name):.2g}"
        for case, name in broken
    ]
    return "\n".join(lines)


def _span(cases: list[Case], key: str) -> str:
    values = sorted({case[key] for case in cases})
    return f"{values[0]:g} to {values[-1]:g}"


def _accuracy_table(cases: list[Case]) -> str:
    names = [*METHODS, *RIVALS]
    rows = []
    for kappa in sorted({case["condition"] for case in cases}):
        for power in sorted({case["power"] for case in cases}):
            chosen = [case for case in cases if case["condition"] == kappa and case["power"] == power]
            even = next(case for case in chosen if case["kind"] == "even")
            odd = next(case for case in chosen if case["kind"] == "odd")
            found = [even["found"][name]["error"] for name in names]
            rows.append([f"{kappa:.0e}", power, 2 * power * kappa * U, *found, odd["found"]["factored"]["error"]])
    return table(["kappa", "j", "2j·kappa·u", *names, "odd: factored"], rows)


def _exponential_table(cases: list[Case]) -> str:
    heads = ["‖A‖", "series", "error", "bound of the certificate", "SciPy expm(−AᵀA) b", "passes"]
    rows = [
        [
            case["size"],
            "whole" if case["terms"] is None else f"to {case['terms']}",
            case["error"],
            case["bound"],
            case["expm"],
            case["passes"],
        ]
        for case in cases
    ]
    return table(heads, rows)


def _accumulation_table(cases: list[Case]) -> str:
    heads = ["kappa", "j", "passes by stage", "contraction of a step", "steps end at", "passes: alternating", "factored"]

    def row(case: Case) -> list[Any]:
        own = case["alternating"]
        rates = [rate for rate in own["contraction"] if np.isfinite(rate)]
        stages = own["stage_passes"]
        return [
            f"{case['condition']:.0e}",
            case["power"],
            f"{stages[0]} … {stages[-1]}",
            f"{min(rates):.2f}–{max(rates):.2f}" if rates else None,
            f"{min(own['floor']):.0e}–{max(own['floor']):.0e}",
            own["passes"],
            case["factored"]["passes"],
        ]

    return table(heads, (row(case) for case in cases))


def _levels_table(cases: list[Case]) -> str:
    heads = [
        "kappa",
        "j",
        "last move of a level",
        "alternating: error of y₁",
        "y_j",
        "backward",
        "factored: error of y₁",
        "y_j",
        "backward",
    ]

    def row(case: Case) -> list[Any]:
        cells: list[Any] = [f"{case['condition']:.0e}", case["power"], case["factored"]["level_moves"][-1]]
        for method in ("alternating", "factored"):
            cells += [case[method]["errors"][0], case[method]["errors"][-1], case[method]["backward"]]
        return cells

    return table(heads, (row(case) for case in cases))


def _heads_table(cases: list[Case]) -> str:
    heads = [
        "n",
        "columns a head",
        "heads",
        "passes: together",
        "alone",
        "GB read: together",
        "alone",
        "seconds: together",
        "alone",
        "same bits",
    ]

    def row(case: Case) -> list[Any]:
        both = ("together", "alone")
        passes, read = [case["passes"][name] for name in both], [case["read_bytes"][name] / 1e9 for name in both]
        seconds = [case["seconds"][name]["median"] for name in both]
        return [case["n"], case["d"], case["heads"], *passes, *read, *seconds, case["same_bits"]]

    return table(heads, (row(case) for case in cases))


def _time_table(cases: list[Case]) -> str:
    names = [*METHODS, *RIVALS]

    def cell(case: Case, name: str) -> str:
        found = case["found"][name]
        passes = "" if found["passes"] is None else f" ({found['passes']})"
        error = "" if found["error"] is None else f", {found['error']:.0e}"
        return f"{found['seconds']['median']:.3g} s{passes}{error}"

    rows = [
        [f"{case['n']:,}", case["d"], f"{case['condition']:.0e}", case["power"], *(cell(case, name) for name in names)]
        for case in cases
    ]
    return table(["n", "d", "kappa", "j", *names], rows)


# ---- figure ----------------------------------------------------------------------------------------------------------


def draw(cases: list[Case]) -> Callable[[Any], None]:
    """Return a drawer of four panels: steps of the stages, errors by level, errors by power, passes by power."""

    def into(canvas: Any) -> None:
        canvas.set_size_inches(13, 9)
        axes = canvas.subplots(2, 2).ravel()
        chosen = [case for case in cases if case["experiment"] == "accumulation"]
        _draw_steps(axes[0], max(chosen, key=lambda case: (case["power"] == 8, -case["condition"])))
        _draw_levels(axes[1], [case for case in chosen if case["power"] == max(other["power"] for other in chosen)])
        _draw_errors(axes[2], [case for case in cases if case["experiment"] == "accuracy" and case["kind"] == "even"])
        _draw_passes(axes[3], chosen)
        for axis in axes:
            axis.grid(alpha=0.3)
            axis.legend(fontsize=8)

    return into


def _draw_steps(axis: Any, case: Case) -> None:
    stages = case["alternating"]["moves"]
    for level, moves in enumerate(stages, start=1):
        label = f"stage {level}" if level in (1, len(stages)) else None
        axis.semilogy(np.arange(1, len(moves) + 1), moves, lw=1, color=f"{0.75 - 0.65 * level / len(stages):.2f}", label=label)
    i = np.arange(1, max(len(moves) for moves in stages) + 1)
    axis.semilogy(i, 0.5**i, "r--", label="0.5ⁱ")
    axis.semilogy(i, 12.0 ** (-i / 2), "b:", label="εⁱ, ε = 1/√12")
    axis.set_ylim(1e-18, 10)
    axis.set_title(f"alternating: relative step, kappa {case['condition']:.0e}, j = {case['power']}")
    axis.set_xlabel("step i of a stage")


def _draw_levels(axis: Any, cases: list[Case]) -> None:
    for case, color in zip(cases, ("C0", "C1", "C2", "C3"), strict=False):
        for method, style in (("alternating", "o-"), ("factored", "s--")):
            errors = case[method]["errors"]
            label = f"{method}, kappa {case['condition']:.0e}"
            axis.semilogy(range(1, len(errors) + 1), errors, style, ms=3, color=color, label=label)
        axis.semilogy(range(1, len(errors) + 1), 2 * np.arange(1, len(errors) + 1) * case["condition"] * U, ":", color=color)
    axis.set_title("error of level y_k against 60 digits (dotted: 2k·kappa·u)")
    axis.set_xlabel("level k")


def _draw_errors(axis: Any, cases: list[Case]) -> None:
    top = max(case["power"] for case in cases)
    chosen = sorted((case for case in cases if case["power"] == top), key=lambda case: case["condition"])
    for name in [*METHODS, *RIVALS]:
        values = np.array([case["found"][name]["error"] for case in chosen], dtype=float)
        style = "-o" if name in METHODS else "--x"
        axis.loglog([case["condition"] for case in chosen], np.clip(values, 1e-17, 10), style, ms=4, label=name)
    kappas = [case["condition"] for case in chosen]
    axis.loglog(kappas, [WANTED * 2 * top * kappa * U for kappa in kappas], "k:", label="10 · 2j·kappa·u")
    axis.set_title(f"error of x, j = {top} (clipped at 10)")
    axis.set_xlabel("kappa")


def _draw_passes(axis: Any, cases: list[Case]) -> None:
    for kappa in sorted({case["condition"] for case in cases}):
        own = [case for case in cases if case["condition"] == kappa]
        label = f"alternating, kappa {kappa:.0e}"
        axis.loglog([case["power"] for case in own], [case["alternating"]["passes"] for case in own], "o-", label=label)
    axis.loglog([case["power"] for case in own], [case["factored"]["passes"] for case in own], "ks--", label="factored")
    axis.set_title("passes over A")
    axis.set_xlabel("power j")


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
