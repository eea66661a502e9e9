"""Claim: no distance that a smooth problem's certificate calls proven is exceeded, and separation is named where it is, and only there.

Random small problems of all convex families (20 to 400 rows, 1 to 8 columns in units up to 1e±3, heavy rows, offsets, weights with zeros,
penalties by column, intercepts), and every iterate of Newton's method on them, points around the minimizer, and the x that dsketch
answers with.  The judge finds the minimizer in 80-bit arithmetic by formulas of its own.  Then data that are separable, however
narrowly; in which one group of rows is all of one kind; and such in which one row keeps them from it: by construction, and by a linear
program.  Each of these is also begun, and judged, at an x so far out along what separates it, or along a column, that rows there have
next to no curvature left, or none.

References
----------
F. Bach, "Self-concordant analysis for logistic regression", Electronic Journal of Statistics 4, 2010.
A. Albert, J. A. Anderson, "On the existence of maximum likelihood estimates in logistic regression models", Biometrika 71, 1984.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from record import Case, Record, arguments, figure, show, table
from smooth_data import FAMILIES, Drawn, nearly, one_class, problem, quasi, separable, zero_cell
from smooth_oracle import Long, Longs, Smooth, distance, newton_step

import dsketch as ds

Floats = NDArray[np.float64]

KINDS: dict[str, tuple[Callable[[np.random.Generator], Drawn], str]] = {
    "separable": (separable, "SEPARATED"),
    "quasi-separable": (quasi, "SEPARATED"),
    "nearly separable": (nearly, "SOLVED"),
    "a group of zeros": (zero_cell, "SEPARATED"),
    "a group without a class": (one_class, "SEPARATED"),
}
_METHODS = ("newton", "newton_qr", "newton_sketch", "conjugate_gradient", "gradient_descent")
_MOST = 12  # iterates of a problem that are judged
_AROUND = 3  # points around its minimizer
_ROUNDING = 1e-9  # of the judge: norms in double precision


def iterates(exact: Smooth) -> Iterator[Floats]:
    """Yield where Newton's method with halved steps goes from 0, in double precision."""
    x = np.zeros(exact.A.shape[1] * exact.outputs)
    value, gradient, hessian = exact.sums(x.astype(Long))
    for _ in range(_MOST):
        yield x
        step, decrement = newton_step(hessian, gradient)
        if decrement < 1e-14:
            return
        for halving in range(30):
            moved = x + 0.5**halving * step.astype(np.float64)
            found = exact.sums(moved.astype(Long))
            if np.isfinite(found[0]) and np.isfinite(found[2]).all() and (found[0] < value or decrement < 1e-6):
                break
        else:
            return
        x, (value, gradient, hessian) = moved, found


def around(exact: Smooth, best: Longs, rng: np.random.Generator) -> Iterator[Floats]:
    """Yield points from 1e-9 to 3 standard errors from the minimizer."""
    hessian = exact.sums(best)[2]
    scale = 1 / np.sqrt(np.maximum(np.diag(hessian), 1e-300))
    values, vectors = np.linalg.eigh(hessian * scale[:, None] * scale)
    for _ in range(_AROUND if values[-1] > 0 else 0):
        direction = rng.standard_normal(len(scale)) / np.sqrt(np.maximum(values, 1e-12 * values[-1]))
        yield best.astype(np.float64) + scale * (vectors @ direction) * 10.0 ** rng.uniform(-9, 0.5) / np.sqrt(len(scale))


def judged(exact: Smooth, best: Longs | None, x: Floats, certificate: Any) -> Case:
    """Return claim and truth of one x; flat, output by output."""
    claim = float(certificate.reach)
    if best is None:
        return {"claim": claim, "true": np.inf}
    true = distance(exact.sums(x.astype(Long))[2], x.astype(Long) - best)
    return {"claim": claim, "true": true, "decrement": float(certificate.decrement)}


def measured(seed: int) -> Iterator[Case]:
    """Judge all iterates of a random problem, and dsketch's answer to it."""
    rng = np.random.default_rng([seed, 10])
    name = list(FAMILIES)[seed % len(FAMILIES)]
    drawn = problem(rng, name)
    asked, exact = drawn.problem(), drawn.exact()
    best = exact.minimizer()
    shape = (exact.outputs, exact.A.shape[1])
    points = [*iterates(exact), *(around(exact, best, rng) if best is not None else ())]
    for x in points:
        certificate = ds.check(asked, _as_asked(x, shape), cluster="serial", progress=False)
        yield {"seed": seed, "family": name, "way": "iterate", **judged(exact, best, x, certificate)}
    solution = ds.solve(asked, cluster="serial", progress=False)
    x = np.atleast_2d(solution.x.T).ravel()
    found = judged(exact, best, x, solution.certificate)
    is_there = "none" if best is None else "minimizer"
    yield {"seed": seed, "family": name, "way": "answer", "status": solution.status.name, "truth": is_there, **found}


def _as_asked(x: Floats, shape: tuple[int, int]) -> Floats:
    return x if shape[0] == 1 else np.ascontiguousarray(x.reshape(shape).T)


def named(kind: str, seed: int) -> Case:
    """Solve one data set of a kind; say how it was named."""
    draw, expected = KINDS[kind]
    drawn = draw(np.random.default_rng([seed, len(kind)]))
    solution = ds.solve(drawn.problem(), cluster="serial", progress=False)
    status = solution.status.name
    return {
        "seed": seed,
        "kind": kind,
        "family": drawn.name,
        "status": status,
        "right": status == expected,
        "passes": len(solution.passes),
    }


def far_out(kind: str, seed: int) -> Case:
    """Judge an x far out along what separates a data set, or along a column if nothing does, and solve from there by one of the methods."""
    draw, expected = KINDS[kind]
    drawn, rng = draw(np.random.default_rng([seed, len(kind)])), np.random.default_rng([seed, 99])
    solution = ds.solve(drawn.problem(), cluster="serial", progress=False)
    found, x = solution.answer.separation, solution.x.reshape(len(solution.x), -1)
    v = np.zeros_like(x)
    v[int(rng.integers(0, drawn.A.shape[1]))] = rng.choice([-1.0, 1.0])
    v = v if found is None else found.direction
    v = v / np.abs(np.c_[drawn.A, np.ones(len(drawn.A))] @ v).max()
    far = ((x if rng.random() < 0.5 else 0.0 * x) + 10.0 ** rng.uniform(1, 4.5) * v).reshape(solution.x.shape)
    judged = ds.check(drawn.problem(), far, cluster="serial", progress=False)
    begun = replace(drawn, more={**drawn.more, "start": far}).problem()
    method = _METHODS[seed % len(_METHODS)]
    status = ds.solve(begun, method=method, cluster="serial", progress=False).status.name
    return {"seed": seed, "right": status == expected, "claimed": bool(np.isfinite(judged.reach))}


def main() -> None:
    """Judge problems and name data sets; write one line for each family and kind."""
    parser = arguments(__doc__)
    parser.add_argument("--problems", type=int, default=1_500)
    parser.add_argument("--each", type=int, default=1_000, help="data sets of each kind")
    chosen = parser.parse_args()
    problems, each = (2 * len(FAMILIES), 3) if chosen.tiny else (chosen.problems, chosen.each)
    record = Record(chosen.out, "claims_smooth")
    cases = [case for seed in range(problems) for case in measured(seed)]
    for family in FAMILIES:
        record.add(**_summary(family, [case for case in cases if case["family"] == family]))
    for kind in KINDS:
        found = [named(kind, seed) for seed in range(each)]
        wrong = [case["seed"] for case in found if not case["right"]]
        passes = [case["passes"] for case in found]
        far = [far_out(kind, seed) for seed in range(max(each // 10, 3))]
        lost = [case["seed"] for case in far if not case["right"]]
        record.add(
            kind=kind, sets=each, wrong=len(wrong), seeds=wrong[:20], passes=float(np.median(passes)), most=max(passes),
            begun_far_out=len(far), claimed_far_out=sum(case["claimed"] for case in far), wrong_far_out=len(lost), seeds_far_out=lost[:20],
        )  # fmt: skip
    show(tables(record.cases))
    figure(chosen.out / "claims_smooth.png", draw(cases))


def _summary(family: str, cases: list[Case]) -> Case:
    proven = [case for case in cases if np.isfinite(case["claim"])]
    ratios = np.array([case["true"] / case["claim"] for case in proven if case["claim"] > 0])
    answers = [case for case in cases if case["way"] == "answer"]
    exceeded = [case["seed"] for case in proven if case["true"] > case["claim"] * (1 + _ROUNDING)]
    right = [
        case for case in answers if case["status"] in (("SEPARATED",) if case["truth"] == "none" else ("SOLVED", "MINIMUM_NORM"))
    ]
    return {
        "family": family,
        "judged": len(cases),
        "proven": len(proven),
        "exceeded": len(exceeded),
        "seeds": exceeded[:20],
        "worst": float(ratios.max(initial=0.0)),
        "median": float(np.median(ratios)) if len(ratios) else 0.0,
        "answers": len(answers),
        "right": len(right),
        "others": sorted({f"{case['seed']} {case['status']}" for case in answers if case not in right})[:20],
    }


def tables(cases: list[Case]) -> dict[str, str]:
    """Return the tables of claims by family and of names by kind."""
    families, kinds = ([case for case in cases if word in case] for word in ("judged", "kind"))
    heads = ["family", "x judged", "proven", "exceeded", "true ÷ proven: worst", "median", "answers", "of the right status"]
    words = ("family", "judged", "proven", "exceeded", "worst", "median", "answers", "right")
    names = ["data", "sets", "named wrongly", "passes: median", "most"]
    return {
        "claims-smooth": table(heads, [[case[word] for word in words] for case in families]),
        "claims-separation": table(
            names, [[case[word] for word in ("kind", "sets", "wrong", "passes", "most")] for case in kinds]
        ),
    }


def draw(cases: list[Case]) -> Callable[[Any], None]:
    """Return what draws truth against claim."""
    proven = [(case["claim"], case["true"]) for case in cases if np.isfinite(case["claim"]) and case["claim"] > 0 < case["true"]]

    def into(canvas: Any) -> None:
        axes = canvas.subplots()
        axes.loglog(*zip(*proven, strict=True), ".", markersize=2)
        ends = [1e-17, 10.0]
        axes.loglog(ends, ends, color="0.5", linewidth=1)
        axes.set(xlabel="proven distance from the minimizer, standard errors", ylabel="true distance")

    return into


if __name__ == "__main__":
    main()
