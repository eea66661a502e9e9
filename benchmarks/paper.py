"""Claim: the first experiments of the attention-regression paper come out as its theory says, and show where its unit step does not.

two
    AᵀA x = b for A of 50 × 2, sketched to 16 Gaussian rows, many draws: conjugate gradients end in two steps, with a residual of at
    most 50 u kappa² ‖b‖ (what rounding in AᵀA alone may cost).  Gradient descent depends on its step: with d = 2 the eigenvalues of
    16 rows leave the interval that the law promises in many draws.
spectrum
    A of 100 × 10, kappa 10⁴: in how many draws cond(A R⁻¹) ≤ 3.
steps
    Plain gradient descent, as the paper writes it, against the number of sketch rows.  With the Gaussian law's eigenvalues of
    H = R⁻ᵀAᵀA R⁻¹, at most 1/(1 − (d/m)^½)²:  z ← z + (c − Hz) for least squares needs them below 2, m > 11.7 d;
    z ← z + H(c − Hz) for AᵀA x = b needs them below √2, m > 39.5 d, and two products a step.  Beside it the best
    fixed step for the law's interval, the library's heavy ball, and its conjugate gradients.

Everything that reads A is the library's own pass on its serial engine; the residuals are recomputed in 80-bit arithmetic.

References
----------
Z. Song, J. Yin, L. Zhang, "Solving attention kernel regression problem via pre-conditioner", AISTATS 2024, arXiv 2308.14304.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from conditioning import bound, matrix, preconditioned, preconditioner
from numpy.typing import NDArray
from oracle import Long, triangle
from record import Case, Record, arguments, figure, show, table

import dsketch
from dsketch._linalg.factor import Factor
from dsketch.engine import SerialEngine
from dsketch.engine.drive import Drive
from dsketch.events import ignore
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.rows import Rows
from dsketch.passes.base import Flow
from dsketch.problems.linear.methods import METHODS
from dsketch.problems.linear.refinement import Inner
from dsketch.problems.linear.system import LinearSystem
from dsketch.problems.method import Breakdown
from dsketch.sketch import SKETCHES, Sketch, SparseSign

Floats = NDArray[np.float64]

U = np.finfo(float).eps / 2
CONSTANT = 50  # of u kappa² in the first experiment
LIMIT = 3.0  # of cond(A R⁻¹) in the second
CLOSE = 1e-10  # relative error at which the third counts a step sequence as done
MOST = 400  # steps
ROUNDS = 12
LS_ROWS, PSD_ROWS = (1 - 0.5**0.5) ** -2, (1 - 0.5**0.25) ** -2  # m/d where the largest eigenvalue is 2, √2
FAMILIES: dict[str, Callable[[int, int], Sketch]] = {
    "gaussian": SKETCHES["gaussian"],
    "sparse_sign, z = 4": lambda size, seed: SparseSign(size, seed, nonzeros=4),
    "count_sketch": SKETCHES["count_sketch"],
    "block_srht": SKETCHES["block_srht"],
}


# ---- flows and step rules ---------------------------------------------------------------------------------------------


def answered(flow: Flow[Any]) -> tuple[Any, int]:
    """Return what a flow returns and the passes that it took, on the serial engine."""
    drive = Drive(SerialEngine(1), ignore)
    return drive.run(flow), len(drive.passes)


def system_of(A: Floats, b: Floats | None = None) -> LinearSystem:
    """Return the library's linear system of in-memory data."""
    return LinearSystem(Rows(ArrayMatrix(A), None if b is None else ArrayMatrix(b)), np.zeros(A.shape[1]))


def gram_solve(system: LinearSystem, factor: Factor, b: Floats, inner: Inner, epsilon: float, tol: float) -> Flow[Floats]:
    """Return x with ‖R⁻ᵀ(AᵀA x − b)‖ ≤ tol · ‖R⁻ᵀb‖ by rounds of the library's inner iteration."""
    x, c = np.zeros_like(b), factor.solve_transposed(b)
    allowed = tol * np.linalg.norm(c)
    for _ in range(ROUNDS):
        y = yield from inner(system, factor, c, epsilon, float(allowed / np.linalg.norm(c)))
        x = x + factor.solve(y)
        c = factor.solve_transposed(b - (yield from system.normal(x)))
        if np.linalg.norm(c) <= allowed:
            break
    return x


def steps(H: Floats, c: Floats, step: float, *, squared: bool, tol: float = CLOSE) -> tuple[Floats, int, bool]:
    """Return z, the steps and whether they converge, of z ← z + step · (c − Hz), or · H(c − Hz) if ``squared``.

    Converging means that the error shrank in the second half of the steps, even if it did not reach ``tol``.
    """
    exact, z, errors = np.linalg.solve(H, c), np.zeros_like(c), [1.0]
    while errors[-1] > tol and len(errors) <= MOST and errors[-1] < 1 / U:
        r = c - H @ z
        z = z + step * (H @ r if squared else r)
        errors.append(float(np.linalg.norm(z - exact) / np.linalg.norm(exact)))
    return z, len(errors) - 1, errors[-1] <= tol or errors[-1] < errors[len(errors) // 2] < 1 / U


def damped(ratio: float, power: int) -> float:
    """Return the best fixed step for eigenvalues in 1/(1 ± (d/m)^½)² to a power, for m/d = ratio."""
    return 2 / ((1 + ratio**-0.5) ** (-2 * power) + (1 - ratio**-0.5) ** (-2 * power))


# ---- the three experiments --------------------------------------------------------------------------------------------


def two(condition: float, draws: int, n: int = 50, d: int = 2, rows: int = 16) -> Case:
    """Return steps and residuals of each contestant over many draws.

    An iteration stops at a preconditioned residual of 32 u kappa, for ‖AᵀA x − b‖ ≤ kappa ‖c − H z‖ / ‖c‖ · ‖b‖.
    """
    seen: dict[str, list[tuple[int, float]]] = {}
    tol = 32 * U * condition
    for number in range(draws):
        rng = np.random.default_rng([1, int(np.log10(condition)), number])
        A, b = matrix("incoherent", condition, n, d, rng), rng.standard_normal((d, 1))
        system, factor = system_of(A), Factor(preconditioner(A, SKETCHES["gaussian"](rows, number)))
        H, c = _gram(system, factor), factor.solve_transposed(b)
        lowest, *_, highest = np.linalg.eigvalsh(H)
        for name, step in (
            ("unit step", 1.0),
            ("damped step", damped(rows / d, 2)),
            ("step from eigenvalues", 2 / (lowest**2 + highest**2)),
        ):
            z, count, _ = steps(H, c, step, squared=True, tol=tol)
            seen.setdefault(f"gradient descent, {name}", []).append((count, residual(A, b, factor.solve(z))))
        for name, method in (
            ("heavy ball (library)", "gradient_descent"),
            ("conjugate gradients (library)", "conjugate_gradient"),
        ):
            try:
                z, count = answered(METHODS[method].inner(system, factor, c, (d / rows) ** 0.5, tol))
                seen.setdefault(name, []).append((count, residual(A, b, factor.solve(z))))
            except Breakdown:
                seen.setdefault(name, []).append((MOST, np.inf))
    return {name: _summary(found, CONSTANT * U * condition**2) for name, found in seen.items()}


def _gram(system: LinearSystem, factor: Factor) -> Floats:
    """Return H = R⁻ᵀAᵀA R⁻¹: one pass with d vectors."""
    H = factor.solve_transposed(answered(system.normal(factor.solve(np.eye(factor.R.shape[0]))))[0])
    return (H + H.T) / 2


def residual(A: Floats, b: Floats, x: Floats) -> float:
    """Return ‖AᵀA x − b‖ / ‖b‖, formed in 80 bits."""
    wide = A.astype(Long)
    r = (wide.T @ (wide @ x.astype(Long)) - b).astype(np.float64)
    return float(np.linalg.norm(r) / np.linalg.norm(b)) if np.isfinite(r).all() else np.inf


def _summary(found: list[tuple[int, float]], allowed: float) -> Case:
    good = [(count, error) for count, error in found if error <= allowed]
    counts = [count for count, _ in good] or [MOST]
    return {
        "solved": len(good) / len(found),
        "steps": float(np.median(counts)),
        "most_steps": max(counts),
        "residual": max((error for _, error in good), default=np.inf),
    }


def spectrum(family: str, rows: int, draws: int, n: int = 100, d: int = 10, condition: float = 1e4) -> Case:
    """Return quantiles of cond(A R⁻¹) and the share of draws below the limit."""
    values = []
    for number in range(draws):
        A = matrix("incoherent", condition, n, d, np.random.default_rng([2, number]))
        values.append(preconditioned(triangle(A.astype(Long)), preconditioner(A, FAMILIES[family](rows, number))))
    levels = (0.5, 0.9, 0.99, 1.0)
    return {"share": float(np.mean(np.array(values) <= LIMIT)), "quantiles": list(np.quantile(values, levels, method="lower"))}


def gradient_steps(ratio: int, draws: int, solves: int, n: int, d: int, condition: float = 1e6) -> Case:
    """Return what each step rule does with m = ratio · d rows, for least squares and for AᵀA x = b."""
    rng = np.random.default_rng([3, ratio])
    A = matrix("incoherent", condition, n, d, rng)
    fitted = A @ rng.standard_normal((d, 1))
    b = fitted + 1e-3 * np.linalg.norm(fitted) / n**0.5 * rng.standard_normal((n, 1))
    g, system = rng.standard_normal((d, 1)), system_of(A, b)
    rules: dict[str, list[tuple[int, bool, float]]] = {}
    passes: dict[str, list[int]] = {}
    for seed in range(draws):
        factor = Factor(preconditioner(A, SKETCHES["sparse_sign"](ratio * d, seed)))
        H, c = _gram(system, factor), factor.solve_transposed(A.T @ b)
        eigenvalues = np.linalg.eigvalsh(H)
        for squared, side, name in ((False, c, "ls"), (True, factor.solve_transposed(g), "psd")):
            for step, kind in ((1.0, "unit"), (damped(ratio, 1 + squared), "damped")):
                _, count, converges = steps(H, side, step, squared=squared)
                rate = float(np.abs(1 - step * eigenvalues ** (1 + squared)).max())
                rules.setdefault(f"{name} {kind}", []).append((count, converges, rate))
        if seed < solves:
            for method in ("gradient_descent", "conjugate_gradient"):
                solution = dsketch.lstsq(
                    A, b[:, 0], method=method, sketch_rows=ratio * d, seed=seed, cluster="serial", progress=False
                )
                passes.setdefault(f"ls {method}", []).append(len(solution.passes))
                flow = gram_solve(system, factor, g, METHODS[method].inner, ratio**-0.5, CLOSE)
                passes.setdefault(f"psd {method}", []).append(answered(flow)[1])
    return {
        "rules": {
            name: {
                "converging": float(np.mean([converges for _, converges, _ in found])),
                "rate": float(np.median([rate for *_, rate in found])),
                "steps": float(np.median([count for count, *_ in found])),
            }
            for name, found in rules.items()
        },
        "passes": {name: float(np.median(counts)) for name, counts in passes.items()},
    }


# ---- tables and figure ------------------------------------------------------------------------------------------------


def tables(cases: list[Case]) -> dict[str, str]:
    """Return the tables of the README."""
    by = {name: [case for case in cases if case["experiment"] == name] for name in ("two", "spectrum", "steps")}
    written = {"paper-two": _two, "paper-spectrum": _spectrum, "paper-steps": _steps}
    return {name: write(by[name.removeprefix("paper-")]) for name, write in written.items() if by[name.removeprefix("paper-")]}


def _two(cases: list[Case]) -> str:
    heads = ["iteration", "kappa", "draws solved", "steps, median", "steps, most", "largest residual", "50 u kappa²"]
    rows = [
        [
            name,
            f"{case['condition']:.0e}",
            f"{facts['solved']:.1%}",
            facts["steps"],
            facts["most_steps"],
            facts["residual"],
            CONSTANT * U * case["condition"] ** 2,
        ]
        for name in cases[0]["found"]
        for case in cases
        for facts in [case["found"][name]]
    ]
    return table(heads, rows)


def _spectrum(cases: list[Case]) -> str:
    heads = ["sketch", "m", "law", f"draws with cond ≤ {LIMIT:.0f}", "median", "90 %", "99 %", "largest"]
    return table(
        heads,
        ([case["sketch"], case["m"], bound(case["m"] / case["d"]), f"{case['share']:.1%}", *case["quantiles"]] for case in cases),
    )


def _steps(cases: list[Case]) -> str:
    def row(case: Case) -> list[Any]:
        cells: list[Any] = [case["ratio"], (1 / case["ratio"]) ** 0.5]
        for name in ("ls", "psd"):
            unit, slow = case["rules"][f"{name} unit"], case["rules"][f"{name} damped"]
            cells += [f"{unit['converging']:.0%}", unit["rate"], _count(unit), _count(slow)]
            cells += [case["passes"][f"{name} gradient_descent"], case["passes"][f"{name} conjugate_gradient"]]
        return cells

    heads = ["m/d", "(d/m)^½"]
    for name in ("LS", "AᵀA"):
        heads += [f"{name}: unit step converges", "its rate", "its steps", "damped", "heavy ball, passes", "CG, passes"]
    return table(heads, (row(case) for case in cases))


def _count(facts: Case) -> Any:
    """Return the median of the steps, or ∞ for most draws not done in time."""
    return np.inf if facts["steps"] >= MOST or facts["converging"] < 0.5 else int(facts["steps"])


def draw(cases: list[Case]) -> Callable[[Any], None]:
    """Return a drawer: residuals of the 2 × 2 problem, quantiles of the spectrum, rates of the unit step, steps."""

    def into(canvas: Any) -> None:
        canvas.set_size_inches(12, 8)
        by = {name: [case for case in cases if case["experiment"] == name] for name in ("two", "spectrum", "steps")}
        small, spectra, rates, counts = canvas.subplots(2, 2).ravel()
        conditions = [case["condition"] for case in by["two"]]
        small.loglog(conditions, [CONSTANT * U * kappa**2 for kappa in conditions], "k-", lw=1, label="50 u kappa²")
        for name in by["two"][0]["found"]:
            small.loglog(conditions, [case["found"][name]["residual"] for case in by["two"]], ".-", label=name)
        small.set(title="2 × 2: largest residual where solved", xlabel="condition number of A", ylabel="‖AᵀA x − b‖ / ‖b‖")
        for i, name in enumerate(FAMILIES):
            for case in by["spectrum"]:
                if case["sketch"] == name:
                    style = {"ls": "-" if case["m"] == 40 else "--", "marker": ".", "color": f"C{i}"}
                    spectra.plot(["50 %", "90 %", "99 %", "100 %"], case["quantiles"], label=f"{name}, m = {case['m']}", **style)
        spectra.axhline(LIMIT, color="k", lw=1)
        spectra.set(title="100 × 10: cond(A R⁻¹)", xlabel="of all draws at most", ylabel="cond(A R⁻¹)")
        _draw_steps(rates, counts, by["steps"])
        for axis in (small, spectra, rates, counts):
            axis.grid(alpha=0.3)
            axis.legend(fontsize=7)

    return into


def _draw_steps(rates: Any, counts: Any, cases: list[Case]) -> None:
    ratios = [case["ratio"] for case in cases]
    fine = np.geomspace(min(ratios), max(ratios), 200)
    for i, (name, power, threshold) in enumerate((("ls", 1, LS_ROWS), ("psd", 2, PSD_ROWS))):
        law = [max(abs(1 - (1 + sign * r**-0.5) ** (-2 * power)) for sign in (1, -1)) for r in fine]
        rates.semilogy(fine, law, f"C{i}-", lw=1, label=f"{name}: law")
        rates.semilogy(ratios, [case["rules"][f"{name} unit"]["rate"] for case in cases], f"C{i}.", label=f"{name}: measured")
        rates.axvline(threshold, color=f"C{i}", ls=":", lw=1)
        for rule, style in (("unit", "--"), ("damped", "-")):
            values = [_count(case["rules"][f"{name} {rule}"]) for case in cases]
            counts.semilogy(ratios, np.where(np.isfinite(values), values, np.nan), f"C{i}.{style}", label=f"{name}, {rule} step")
        for j, method in enumerate(("gradient_descent", "conjugate_gradient")):
            values = [case["passes"][f"{name} {method}"] for case in cases]
            counts.semilogy(ratios, values, f"C{2 + 2 * j + i}.-", label=f"{name}, library {method}")
    rates.axhline(1, color="k", lw=1)
    rates.set(title="unit step: error per step", xlabel="sketch rows m/d", ylabel="largest |1 − λ|, |1 − λ²|")
    counts.set(title=f"steps to {CLOSE:.0e} (library: passes)", xlabel="sketch rows m/d", ylabel="steps")


def main() -> None:
    """Measure, print, draw."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--rows", type=int, default=8192, help="n of the third experiment")
    parser.add_argument("--columns", type=int, default=64, help="d of the third experiment")
    options = parser.parse_args()
    pairs, draws, seeds, solves = 200, 500, 20, 3
    ratios = (4, 8, 10, 11, 12, 13, 14, 16, 20, 24, 32, 36, 38, 40, 42, 44, 48)
    if options.tiny:
        pairs, draws, seeds, solves, ratios, options.rows, options.columns = 5, 5, 2, 1, (4, 48), 512, 8
    record = Record(options.out, "paper")
    for condition in (1e1, 1e3, 1e6):
        record.add(experiment="two", condition=condition, draws=pairs, found=two(condition, pairs))
    for family in FAMILIES:
        for rows in (40, 64):
            record.add(experiment="spectrum", sketch=family, n=100, d=10, m=rows, draws=draws, **spectrum(family, rows, draws))
    for ratio in ratios:
        sizes = {"n": options.rows, "d": options.columns}
        record.add(experiment="steps", ratio=ratio, draws=seeds, **sizes, **gradient_steps(ratio, seeds, solves, **sizes))
    show(tables(record.cases))
    figure(options.out / "paper.png", draw(record.cases))


if __name__ == "__main__":
    main()
