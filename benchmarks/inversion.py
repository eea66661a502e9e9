"""Claim: x from the gradient of leverage scores, or from the scores, to rounding: n = 1,000,000 in at most 9 steps and 20 passes.

recovery     x at 30 to 90 % of the way from the start to the boundary: steps, passes, error, what is claimed, what NumPy says of g and σ
rates        by what an error is multiplied at a step near the answer: the convex form, the paper's penalized loss, sampled and first-order
             steps, and the same for scores
contraction  ‖I − K⁻¹H‖ of a whole step by a sampled matrix K, by NumPy alone: by leverage and evenly, with and without heavy rows
bias         how far the papers' penalties move x; how large one must be for a definite Hessian at the start
cells        slacks of both signs, starts at several distances: in how many the same x is found, another exact one, or none
named        data that do not determine x: the least singular value of the Jacobian by NumPy, and what is said

Every x is judged by g(x) and σ(x) as NumPy's QR gives them, and by the x that the data were made from.

References
----------
C. Li, Z. Song, Z. Xu, J. Yin, "Inverting the leverage score gradient", arXiv 2408.11267, 2024.
Z. Li, Z. Song, W. Wang, J. Yin, Z. Yu, "How to inverting the leverage score distribution?", arXiv 2404.13785, 2024.
"""

import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from inversion_data import (
    OPEN,
    Data,
    Floats,
    Watch,
    jacobian,
    make,
    misfit,
    rows,
    scores,
    sized,
    slope_of_penalized,
    start_near,
    unit,
    watch_gradient,
    watch_scores,
    weight_for_definite,
)
from record import Case, Record, arguments, figure, show, table
from threadpoolctl import threadpool_limits

import dsketch

MOST_STEPS, MOST_PASSES, WANTED = 9, 20, 1e-12
CLAIMED_SHARE = 0.9  # of the way to the boundary
CLAIMED_RATE = 0.4  # of the papers' approximate Newton, a step
EXACT = 1e-9  # ‖g(x) − c‖ or ‖σ(x) − σ*‖, relative, by NumPy: x is an answer
SAME = 1e-6  # of its size: the same x
PARTS = ("recovery", "rates", "contraction", "bias", "cells", "named")


def solve(problem: Any, **choices: Any) -> dsketch.Solution:
    """Solve in this process."""
    return dsketch.solve(problem, cluster="serial", progress=False, **choices)


# ---- experiments -----------------------------------------------------------------------------------------------------


def recovery(n: int, columns: tuple[int, int], shares: dict[float, int]) -> Iterator[Case]:
    """Yield a case for each problem, share of the way, and seed."""
    for share, seeds in shares.items():
        for seed in range(seeds):
            for kind, d in zip(("gradient", "scores"), columns, strict=True):
                data = make(n, d, share, seed)
                asked = problem_of(kind, data)
                began = time.perf_counter()
                found = solve(asked)
                seconds = time.perf_counter() - began
                ended: Any = found.answer
                yield {
                    "part": "recovery",
                    "kind": kind,
                    "n": n,
                    "d": d,
                    "share": share,
                    "seed": seed,
                    "steps": ended.found.steps if kind == "gradient" else ended.answers[0].steps,
                    "passes": len(found.passes),
                    "error": data.error(found.x),
                    "claimed": float(found.certificate.forward_error[0]),
                    "judged": judged(kind, data, found.x),
                    "status": found.status.name,
                    "seconds_a_pass": seconds / len(found.passes),
                }


def problem_of(kind: str, data: Data, **options: Any) -> Any:
    """Return one of the two problems."""
    if kind == "gradient":
        return dsketch.LeverageGradient(data.A, data.b, data.c, **options)
    return dsketch.LeverageDistribution(data.A, data.b, data.sigma, **options)


def judged(kind: str, data: Data, x: Floats) -> float:
    """Return by how much g(x) differs from c, or σ(x) from σ*, relatively, as NumPy has them."""
    if kind == "gradient":
        return misfit(data, x)
    sigma = data.sigma
    return float(np.linalg.norm(scores(data.A, data.b, x) - sigma) / np.linalg.norm(sigma))


def rates(n: int, columns: tuple[int, int], samples: tuple[int, ...], w: float) -> Iterator[Case]:
    """Yield a case for each form and method, begun 5 % off, x half way to the boundary."""
    data, other = make(n, columns[0], 0.5, 0), make(n, columns[1], 0.5, 0)
    sampled = [("newton_sampled", size) for size in samples]
    near, off = start_near(data, 0.05), start_near(other, 0.05)
    best = watch_gradient(data, "newton", start_near(data, 0.01), w).seen[-1][1]
    for method, size in [("newton", 0), ("quasi_newton", 0), *sampled, ("gradient_descent", 0)]:
        yield rate("convex", data, data.x, method, size, watch_gradient(data, method, near, **sized(data, size)))
    for method, size in [("newton", 0), *sampled, ("gradient_descent", 0)]:
        yield rate(f"penalized, w = {w:g}", data, best, method, size, watch_gradient(data, method, near, w, **sized(data, size)))
    for method, size in [("levenberg", 0), ("newton", 0), *sampled, ("gradient_descent", 0)]:
        yield rate("scores", other, other.x, method, size, watch_scores(other, method, off, **sized(other, size)))


def rate(form: str, data: Data, best: Floats, method: str, size: int, run: Watch) -> Case:
    """Return what a run tells: the factor a step, and looks to nine digits."""
    errors = run.errors(data, best)
    looks = [look for (look, _), error in zip(run.seen, errors, strict=True) if error <= 1e-9]
    losses = [judged("scores", data, x) for _, x in run.seen] if (form, method) == ("scores", "gradient_descent") else []
    losses = [loss for loss in losses if loss > 1e-12]  # below, NumPy's own rounding rises and falls
    return {
        "part": "rates",
        "form": form,
        "method": method,
        "samples": size or None,
        "n": len(data.A),
        "d": len(data.x),
        "rate": rate_of(errors),
        "steps": len(errors) - 1,
        "looks": looks[0] if looks else None,
        "error": errors[-1],
        "from_x": run.errors(data)[-1],
        "end": run.end,
        "falls": all(after <= before for before, after in pairwise(losses)) if losses else None,
        "errors": errors[:80],
    }


def rate_of(errors: list[float]) -> float:
    """Return the factor a step by which errors fell from below a tenth of the first to above rounding."""
    near = [(step, error) for step, error in enumerate(errors) if 1e-11 < error < 0.1 * errors[0]]
    if len(near) < 2:
        return 0.0
    (first, high), (last, low) = near[0], near[-1]
    return float((low / high) ** (1 / (last - first)))


def contraction(n: int, d: int, heavy: int, samples: tuple[int, ...], draws: int) -> Iterator[Case]:
    """Yield a case for each kind of rows and of drawing: the norm of I − K⁻¹H, K of so many drawn rows, in the metric of H."""
    for count in (0, heavy):
        data = make(n, d, 0.5, 0, heavy=count)
        A_x, sigma = rows(data.A, data.b, data.x), data.sigma
        M = A_x * np.sqrt(3 * sigma)[:, None]  # MᵀM = 3Q, the larger part of H = ∇²V
        H = M.T @ M - 2 * tensor_pairs(A_x)
        root = np.linalg.cholesky(H)
        chances = {"by leverage": np.sum(np.linalg.qr(M)[0] ** 2, axis=1) / d, "evenly": np.full(n, 1 / n)}
        about = {"part": "contraction", "heavy": count, "n": n, "d": d}
        for how, chance in chances.items():
            for size in samples:
                factors = []
                for draw in range(draws):
                    picked = np.random.default_rng([draw, size]).choice(n, size * d, p=chance)
                    factors.append(factor_of(M[picked] / np.sqrt(size * d * chance[picked])[:, None], root))
                yield about | {"how": how, "samples": size, "factor": float(np.median(factors)), "all": factor_of(M, root)}


def factor_of(few: Floats, root: Floats) -> float:
    """Return ‖I − K⁻¹H‖ in the metric of H, H = root rootᵀ, K the Gram matrix of a few rows."""
    inner = np.linalg.solve(root, np.linalg.solve(root, few.T @ few).T)
    values = np.linalg.eigvalsh((inner + inner.T) / 2)
    return float(np.abs(1 - 1 / np.maximum(values, 1e-300)).max())


def tensor_pairs(A_x: Floats) -> Floats:
    """Return A_xᵀ(P∘P)A_x without P: T Tᵀ for T = Σ a ⊗ vec(q qᵀ)."""
    d, Q = A_x.shape[1], np.linalg.qr(A_x)[0]
    T = np.zeros((d, d * d))
    for piece, q in zip(np.array_split(A_x, 100), np.array_split(Q, 100), strict=True):
        T += piece.T @ (q[:, :, None] * q[:, None, :]).reshape(len(q), -1)
    return np.asarray(T @ T.T)


def bias(sizes: tuple[int, ...], d: int, weights: tuple[float, ...], shares: tuple[float, ...]) -> Iterator[Case]:
    """Yield a case for each problem, n and w: how far its minimizer is; and the w that a definite Hessian at the start takes."""
    for n in sizes:
        data = make(n, d, 0.5, 0)
        for w in weights:
            yield moved(data, w, "w") | {"slope": slope_of_penalized(data, solve(penalized(data, w)).x, w)}
            found = solve(problem_of("scores", data, alpha=w**2 * n))
            yield {
                "part": "bias",
                "kind": "scores",
                "n": n,
                "d": d,
                "w": w,
                "bias": data.error(found.x),
                "status": found.status.name,
            }
    for share in shares:
        data = make(sizes[0], d, share, 0)
        needed = weight_for_definite(data, np.zeros(d))
        yield moved(data, needed, "definite") | {"share": share}


def penalized(data: Data, w: float) -> Any:
    """Return the problem of the paper's loss."""
    return dsketch.LeverageGradient(data.A, data.b, data.c, w=w)


def moved(data: Data, w: float, kind: str) -> Case:
    """Return by how much w moves x, by the x that c was made from, and by what is told."""
    found = solve(penalized(data, w))
    told = float(getattr(found.answer, "bias", 0.0))
    n, d = data.A.shape
    about = {"part": "bias", "kind": kind, "n": n, "d": d, "w": w}
    return about | {"bias": data.error(found.x), "told": told, "status": found.status.name}


def cells(n: int, d: int, distances: tuple[float, ...], seeds: int) -> Iterator[Case]:
    """Yield a case for each problem and distance of the start, relative to x, slacks of both signs."""
    for kind in ("gradient", "scores"):
        for distance in distances:
            counts = {"in cell": 0, "the same x": 0, "another exact x": 0, "solved": 0, "solved wrongly": 0}
            for seed in range(seeds):
                data = make(n, d, 0.5, seed, mixed=True)
                way = np.random.default_rng(seed).standard_normal(d)
                start = data.x + distance * np.linalg.norm(data.x) * way / np.linalg.norm(way)
                found = solve(problem_of(kind, data, start=start))
                is_same, is_exact = data.error(found.x) <= SAME, judged(kind, data, found.x) <= EXACT
                counts["in cell"] += data.in_cell(start)
                counts["the same x"] += is_same
                counts["another exact x"] += is_exact and not is_same
                counts["solved"] += found.status.name == "SOLVED"
                counts["solved wrongly"] += found.status.name == "SOLVED" and not is_exact
            yield {"part": "cells", "kind": kind, "n": n, "d": d, "distance": distance, "starts": seeds, **counts}


def named(n: int, d: int, seeds: int) -> Iterator[Case]:
    """Yield a case for each kind of data that leaves x open, or nearly."""
    for kind, problem in OPEN.items():
        found = [problem(np.random.default_rng([seed, 7]), n, d) for seed in range(seeds)]
        ends = [solve(dsketch.LeverageDistribution(data.A, data.b, data.sigma, start=start)) for data, start in found]
        values = [
            np.linalg.svd(unit(jacobian(data, end.x)), compute_uv=False) for (data, _), end in zip(found, ends, strict=True)
        ]
        errors = [data.error(end.x) for (data, _), end in zip(found, ends, strict=True)]
        yield {
            "part": "named",
            "kind": kind,
            "least": max(value[-1] / max(value[0], np.finfo(float).tiny) for value in values),
            "judged": max(judged("scores", data, end.x) for (data, _), end in zip(found, ends, strict=True)),
            "error": max(errors),
            "claimed": float(np.nanmax([end.certificate.forward_error[0] for end in ends])),
            "status": ", ".join(sorted({end.status.name for end in ends})),
            "noted": sum(bool(end.notes) for end in ends),
            "seeds": seeds,
        }


# ---- what is shown ---------------------------------------------------------------------------------------------------


def tables(cases: list[Case]) -> dict[str, str]:
    """Return the tables of the README."""
    makers = dict(zip(PARTS, (recovery_table, rates_table, contraction_table, bias_table, cells_table, named_table), strict=True))
    by = {part: [case for case in cases if case["part"] == part] for part in PARTS}
    return {f"inversion-{part}": make_(by[part]) for part, make_ in makers.items() if by[part]}


def recovery_table(cases: list[Case]) -> str:
    """Return the worst of the seeds of each problem and share."""
    lines = []
    for kind, share in dict.fromkeys((case["kind"], case["share"]) for case in cases):
        mine = [case for case in cases if (case["kind"], case["share"]) == (kind, share)]
        worst = [max(case[key] for case in mine) for key in ("steps", "passes", "error", "claimed", "judged")]
        keeps = worst[0] <= MOST_STEPS and worst[1] <= MOST_PASSES and worst[2] <= WANTED
        status = ", ".join(sorted({case["status"] for case in mine}))
        seconds = float(np.median([case["seconds_a_pass"] for case in mine]))
        size = f"{mine[0]['n']:,} × {mine[0]['d']}"
        held = keeps if kind == "gradient" else worst[2] <= EXACT and worst[0] <= MOST_STEPS + 1
        held = held if share <= CLAIMED_SHARE else None
        lines.append([f"{kind}, {size}", f"{share:.0%}", len(mine), *worst, status, seconds, held])
    heads = ["x from", "of the way", "seeds", "steps", "passes", "error of x", "claimed", "g or σ by NumPy", "status", "s a pass"]
    return table([*heads, "as wanted"], lines)


def rates_table(cases: list[Case]) -> str:
    """Return the factor a step of each method."""
    heads = ["form", "method", "factor a step", "≤ 0.4", "steps", "passes to 1e-9", "its own error", "from x", "end"]
    lines = []
    for case in cases:
        method = case["method"] + (f", {case['samples']} d rows" if case["samples"] else "")
        is_papers = case["rate"] <= CLAIMED_RATE if case["samples"] else None
        keys = ("steps", "looks", "error", "from_x", "end")
        lines.append([case["form"], method, case["rate"], is_papers, *(case[key] for key in keys)])
    return table(heads, lines)


def contraction_table(cases: list[Case]) -> str:
    """Return the factor of a whole step, rows of the table by kind, columns by sampled rows."""
    sizes = list(dict.fromkeys(case["samples"] for case in cases))
    lines = []
    for heavy, how in dict.fromkeys((case["heavy"], case["how"]) for case in cases):
        mine = {case["samples"]: case["factor"] for case in cases if (case["heavy"], case["how"]) == (heavy, how)}
        whole = next(case["all"] for case in cases if case["heavy"] == heavy)
        lines.append([f"{heavy} heavy rows" if heavy else "none heavy", how, *(mine[size] for size in sizes), whole])
    return table(["rows", "drawn", *(f"{size} d" for size in sizes), "all rows: 3Q"], lines)


def bias_table(cases: list[Case]) -> str:
    """Return how far each w moves x."""
    says = {"w": "½w²‖A x‖²", "scores": "the same, scores", "definite": "the least w for a definite Hessian at 0"}
    lines = []
    for case in cases:
        where = f", x at {case['share']:.0%}" if "share" in case else ""
        judge = (case.get("told"), case.get("slope"), case["status"])
        lines.append([f"{says[case['kind']]}{where}", case["n"], case["w"], case["bias"], *judge])
    return table(["penalty", "n", "w", "moves x by", "told", "slope by NumPy", "status"], lines)


def cells_table(cases: list[Case]) -> str:
    """Return what starts reach."""
    keys = ("in cell", "the same x", "another exact x", "solved", "solved wrongly")
    return table(
        ["x from", "start off by", "starts", *keys],
        ([case["kind"], case["distance"], case["starts"], *(case[key] for key in keys)] for case in cases),
    )


def named_table(cases: list[Case]) -> str:
    """Return what is said of data that leave x open."""
    heads = ["data", "least singular value of J", "σ by NumPy", "error of x", "claimed", "status", "with a note"]
    keys = ("least", "judged", "error", "claimed", "status")
    return table(heads, ([case["kind"], *(case[key] for key in keys), f"{case['noted']} of {case['seeds']}"] for case in cases))


def draw(canvas: Any, cases: list[Case]) -> None:
    """Draw errors by step: of x from the gradient, where the penalized loss ends elsewhere, and from scores."""
    canvas.set_size_inches(11, 4.2)
    left, right = canvas.subplots(1, 2)
    for case in cases:
        if case["part"] == "rates":
            name = case["method"] + (f", {case['samples']} d" if case["samples"] else "")
            is_scores, is_convex = case["form"] == "scores", case["form"] == "convex"
            axis = right if is_scores else left
            axis.semilogy(
                np.maximum(case["errors"][:40], 1e-16),
                "-" if is_scores or is_convex else "--",
                label=f"{name}{'' if is_scores or is_convex else ', w'}",
            )
    left.set(title="g(x) = c; dashed: the penalized loss, to its own minimum", xlabel="step", ylabel="relative error of x")
    right.set(title="σ(x) = σ*", xlabel="step")
    for axis in (left, right):
        axis.legend(fontsize=6)
        axis.grid(alpha=0.3)


def main() -> None:
    """Run all experiments."""
    given = arguments(__doc__ or "").parse_args()
    record = Record(given.out, "inversion")
    with threadpool_limits(1):
        for case in experiments(tiny=given.tiny):
            record.add(**case)
    figure(Path(given.out) / "inversion.png", lambda canvas: draw(canvas, record.cases))
    show(tables(record.cases))


def experiments(*, tiny: bool) -> Iterator[Case]:
    """Yield the cases of all experiments."""
    if tiny:
        yield from recovery(4000, (5, 4), {0.3: 1, 0.9: 1})
        yield from rates(3000, (4, 3), (16, 40), 0.01)
        yield from contraction(4000, 5, 5, (16, 100), 2)
        yield from bias((400,), 3, (1e-2, 1e-1), (0.9,))
        yield from cells(300, 3, (1e-3, 3.0), 2)
        yield from named(200, 3, 1)
        return
    yield from recovery(1_000_000, (20, 10), {0.3: 1, 0.6: 1, 0.9: 2})
    yield from rates(20_000, (20, 10), (4, 8, 16, 40, 100), 0.01)
    yield from contraction(100_000, 40, 20, (4, 8, 16, 40, 100), 5)
    yield from bias((2000, 20_000), 20, (1e-3, 1e-2, 1e-1, 1.0), (0.3, 0.6, 0.9))
    yield from cells(2000, 20, (0.1, 1.0, 3.0, 10.0), 10)
    yield from named(2000, 5, 5)


if __name__ == "__main__":
    main()
