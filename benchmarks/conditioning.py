"""Claim: a sketch of m rows makes the preconditioned matrix as well conditioned as the Gaussian law says, whatever A's own condition.

For R from a QR of S A with m = γd rows, cond(A R⁻¹) is to be at most 15 % above (1 + γ^-½) / (1 − γ^-½), for γ from 2 to 50 and
condition numbers of A from 10 to 1e14; every sketch of the library, through the pass and the engine that solve for users.  The
judge is a QR of A itself in 80-bit arithmetic: cond(R_A R⁻¹), so nothing that the library computed is taken for granted but R.
Each condition number has its own draw of A and of S, and what a table shows is the largest over all of them.

Kinds
    incoherent       A = U diag(s) Vᵀ with random orthonormal U, V, singular values from 1 to 1/kappa
    heavy rows       the same, but d rows of U anywhere carry all; the others are 1e-9 of it
    adjacent heavy   the same, but those d rows lie together, as in sorted data

References
----------
K. R. Davidson, S. J. Szarek, "Local operator theory, random matrices and Banach spaces", 2001, Theorem II.13.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from oracle import Long, solve_transposed, triangle
from record import Case, Record, arguments, figure, show, table

from dsketch._linalg.factor import Factor
from dsketch.engine import SerialEngine
from dsketch.events import ignore
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.rows import Rows
from dsketch.passes import Look, Sketching
from dsketch.sketch import SKETCHES, Sketch

Floats = NDArray[np.float64]

KINDS = ("incoherent", "heavy rows", "adjacent heavy")
CONDITIONS = (1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e8, 1e10, 1e12, 1e14)
RATIOS = (2, 3, 4, 6, 8, 12, 16, 25, 50)
WANTED = 0.15
HIGHEST = 10  # of the figure
SAFE = ("gaussian", "sparse_sign", "block_srht")


def bound(ratio: float) -> float:
    """Return the Gaussian law's cond(A R⁻¹) for m/d = ratio."""
    distortion = ratio**-0.5
    return (1 + distortion) / (1 - distortion)


def matrix(kind: str, condition: float, n: int, d: int, rng: np.random.Generator) -> Floats:
    """Return A, shape (n, d), of a kind and a condition number."""
    U = np.linalg.qr(rng.standard_normal((n, d)))[0]
    if kind != "incoherent":
        first = int(rng.integers(0, n - d))
        rows = rng.permutation(n)[:d] if kind == "heavy rows" else np.arange(first, first + d)
        U *= 1e-9
        U[rows] += np.linalg.qr(rng.standard_normal((d, d)))[0]
    V = np.linalg.qr(rng.standard_normal((d, d)))[0]
    return np.asarray((U * np.logspace(0, -np.log10(condition), d)) @ V.T)


def preconditioner(A: Floats, sketch: Sketch) -> Floats:
    """Return R of S A, upper triangular, as the library's own pass, engine and factor give it."""
    look = Look(Sketching(sketch), Rows(ArrayMatrix(A)))
    SA, _ = look.pass_.finish(SerialEngine(1).run(look, ignore))
    return Factor.of(SA).R


def preconditioned(R_A: NDArray[Any], R: Floats) -> float:
    """Return cond(A R⁻¹), infinite for a singular R, from R of A in 80 bits.

    Parameters
    ----------
    R_A : ndarray of longdouble, shape (d, d)
        From :func:`oracle.triangle`.
    R : ndarray, shape (d, d)
    """
    if not np.diagonal(R).all():
        return np.inf
    Y = solve_transposed(R.astype(Long), R_A.T)
    s = np.linalg.svd(Y.astype(np.float64), compute_uv=False)
    return float(s[0] / s[-1]) if s[-1] > 0 else np.inf


def measure(A: Floats, ratios: Iterable[int], seed: int) -> dict[str, dict[str, float]]:
    """Return cond(A R⁻¹) by sketch and m/d."""
    R_A, d = triangle(A.astype(Long)), A.shape[1]
    return {
        name: {str(ratio): preconditioned(R_A, preconditioner(A, family(ratio * d, seed))) for ratio in ratios}
        for name, family in sorted(SKETCHES.items())
    }


def tables(cases: list[Case]) -> dict[str, str]:
    """Return the tables of the README."""
    if not cases:
        return {}
    return {"conditioning-claim": claim(cases), "conditioning-rows": _by_rows(cases), "conditioning-kappa": _by_condition(cases)}


def found(cases: list[Case], sketch: str, ratio: str, **having: Any) -> list[float]:
    """Return the condition numbers of a sketch and m/d in the cases that have these properties."""
    chosen = [case for case in cases if all(case[key] == value for key, value in having.items())]
    return [case["found"][sketch][ratio] for case in chosen]


def departures(cases: list[Case], sketch: str, kind: str | None = None) -> list[float]:
    """Return cond(A R⁻¹) / bound − 1 of a sketch, over all condition numbers and m/d."""
    having = {} if kind is None else {"kind": kind}
    return [value / bound(int(ratio)) - 1 for ratio in _ratios(cases) for value in found(cases, sketch, ratio, **having)]


def claim(cases: list[Case]) -> str:
    """Return what is wanted of the safe sketches and what was found, and what CountSketch does."""
    lines = []
    for sketch in SAFE:
        here = departures(cases, sketch)
        holds = "at most" if max(here) <= WANTED else "**not at most**"
        lines.append(
            f"- {sketch}: {holds} {WANTED:.0%} above the bound: the worst {max(here):+.1%}, the median {np.median(here):+.1%}."
        )
    for kind in KINDS:
        worst = max(departures(cases, "count_sketch", kind)) + 1
        lines.append(f"- count_sketch, {kind}: up to {worst:.2g} times the bound.")
    smallest, largest = min(case["condition"] for case in cases), max(case["condition"] for case in cases)
    count = len(cases) * len(_ratios(cases))
    head = (
        f"cond(A R⁻¹) for {count} draws of each sketch, kappa from {smallest:.0e} to {largest:.0e}, "
        f"{cases[0]['n']:,} × {cases[0]['d']}:"
    )
    return "\n".join([head, "", *lines])


def _ratios(cases: list[Case]) -> list[str]:
    return list(next(iter(cases[0]["found"].values())))


def _by_rows(cases: list[Case]) -> str:
    names = [*SAFE, *(name for name in cases[0]["found"] if name not in SAFE)]
    rows = [
        [kind, int(ratio), bound(int(ratio)), *(max(found(cases, name, ratio, kind=kind)) for name in names)]
        for kind in KINDS
        for ratio in _ratios(cases)
    ]
    return table(["rows of A", "m/d", "bound", *names], rows)


def _by_condition(cases: list[Case]) -> str:
    def cell(name: str, condition: float) -> float:
        here = [case for case in cases if case["condition"] == condition and (name in SAFE or case["kind"] == "incoherent")]
        return max(departures(here, name)) + 1

    names = [*SAFE, *(name for name in cases[0]["found"] if name not in SAFE)]
    heads = ["kappa", *(name if name in SAFE else f"{name}, incoherent" for name in names)]
    conditions = sorted({case["condition"] for case in cases})
    return table(heads, ([f"{kappa:.0e}", *(cell(name, kappa) for name in names)] for kappa in conditions))


def draw(cases: list[Case]) -> Callable[[Any], None]:
    """Return a drawer: cond(A R⁻¹) against m/d for each kind, with the bound, and against kappa."""

    def into(canvas: Any) -> None:
        canvas.set_size_inches(12, 8)
        axes = canvas.subplots(2, 2).ravel()
        ratios = [int(ratio) for ratio in _ratios(cases)]
        fine = np.geomspace(ratios[0], ratios[-1], 200)
        for axis, kind in zip(axes, KINDS, strict=False):
            axis.loglog(fine, [bound(ratio) for ratio in fine], "k-", lw=1, label="bound")
            axis.loglog(fine, [bound(ratio) * (1 + WANTED) for ratio in fine], "k:", lw=1, label=f"bound + {WANTED:.0%}")
            for name in cases[0]["found"]:
                worst = [max(found(cases, name, str(ratio), kind=kind)) for ratio in ratios]
                beyond = f" (up to {max(worst):.0e})" if max(worst) > HIGHEST else ""
                axis.loglog(ratios, np.minimum(worst, HIGHEST), ".-", label=name + beyond)
            axis.set(title=kind, xlabel="sketch rows m/d", ylabel="largest cond(A R⁻¹)", ylim=(1, HIGHEST))
            axis.set_xticks(ratios, ratios)
            axis.set_yticks([1, 2, 3, 5, HIGHEST], [1, 2, 3, 5, HIGHEST])
            axis.minorticks_off()
            axis.legend(fontsize=8)
        conditions = sorted({case["condition"] for case in cases})
        middle = str(ratios[len(ratios) // 2])
        axes[3].axhline(bound(int(middle)), color="k", lw=1)
        for name in cases[0]["found"]:
            values = [found(cases, name, middle, kind="incoherent", condition=kappa)[0] for kappa in conditions]
            axes[3].semilogx(conditions, values, ".-")
        axes[3].set(title=f"incoherent, m = {middle}d", xlabel="condition number of A", ylabel="cond(A R⁻¹)", ylim=(1, 3))
        for axis in axes:
            axis.grid(alpha=0.3)

    return into


def main() -> None:
    """Measure, print, draw."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--rows", type=int, default=8192, help="n")
    parser.add_argument("--columns", type=int, default=64, help="d")
    options = parser.parse_args()
    conditions, ratios = CONDITIONS, RATIOS
    if options.tiny:
        conditions, ratios, options.rows, options.columns = (1e1, 1e14), (4, 16), 1024, 16
    record = Record(options.out, "conditioning")
    for i, kind in enumerate(KINDS):
        for j, condition in enumerate(conditions):
            A = matrix(kind, condition, options.rows, options.columns, np.random.default_rng([i, j]))
            case = {"kind": kind, "condition": condition, "n": options.rows, "d": options.columns}
            record.add(**case, found=measure(A, ratios, seed=i * len(conditions) + j))
    show(tables(record.cases))
    figure(options.out / "conditioning.png", draw(record.cases))


if __name__ == "__main__":
    main()
