"""Claim: an attention layer is found that made the data, from starts 10 % and 30 % off, in at most 8 steps and to a loss at rounding.

starts
    n = m = 4,096, d = 8: ten layers, each from both starts, by Levenberg's method with Y eliminated; steps, looks, what is left of the
    loss, how far X is off.
noise
    The same with 10 % noise in B, where no layer fits: steps, and how far the answer is from a stationary point.
drawn
    Layers of few rows, n = m = 16 d, with noise, from starts that are drawn: how many end at a minimum, steps, how much longer Y became;
    and how many do with a penalty that the others seem to need.
columns
    One layer of each number of columns, from 30 % off, by the method that the plan takes, which is conjugate gradients beyond d = 32;
    of each what the plan of one thread said in seconds, and what came.
heads
    Layers of two heads, from both starts.
agree
    Levenberg's method and conjugate gradients on the same layers: how far their X and Y are apart, looks and processor seconds.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from record import Case, Record, arguments, figure, show, table

import dsketch
from dsketch.engine import SerialEngine

Floats = NDArray[np.float64]

_ROWS = 512  # at once, of what makes B


class Layer(NamedTuple):
    """Data, the X that made them, and a direction as long as it."""

    A1: Floats
    A2: Floats
    A3: Floats
    B: Floats
    X: Floats
    off: Floats


def layer(n: int, d: int, seed: int, noise: float = 0.0, heads: int = 1) -> Layer:
    """Return Gaussian queries, keys and values, and the rows of a layer whose logits have a spread of about 1."""
    rng, shape = np.random.default_rng(seed), (d, d) if heads == 1 else (heads, d, d)
    A1, A2, A3 = rng.standard_normal((3, n, d))
    X, Y = rng.standard_normal(shape) / d, rng.standard_normal(shape)
    parts = list(zip(X.reshape(-1, d, d), Y.reshape(-1, d, d), strict=True))
    B = sum(
        np.concatenate([_rows(A1[start : start + _ROWS], own, A2, A3 @ mine) for start in range(0, n, _ROWS)])
        for own, mine in parts
    )
    off = rng.standard_normal(shape)
    B += noise * np.linalg.norm(B) / np.sqrt(B.size) * rng.standard_normal(B.shape)
    return Layer(A1, A2, A3, B, X, off * np.linalg.norm(X) / np.linalg.norm(off))


def _rows(A1: Floats, X: Floats, A2: Floats, V: Floats) -> Floats:
    Z = A1 @ X @ A2.T
    S = np.exp(Z - Z.max(axis=1, keepdims=True))
    return np.asarray(S @ V / S.sum(axis=1, keepdims=True))


def measure(
    record: Record, part: str, data: Layer, share: float, method: str = "auto", apart: Floats | None = None, **about: Any
) -> Floats:
    """Record a solve from a start that is off by a share of X; return x, and record how far it is from another."""
    heads = 1 if data.X.ndim == 2 else len(data.X)
    problem = dsketch.AttentionLayer(*data[:4], heads=heads, start=data.X + share * data.off)
    began = time.process_time()
    found = dsketch.solve(problem, cluster="serial", method=method, progress=False)
    record.add(
        part=part, n=len(data.B), d=data.X.shape[-1], heads=heads, share=share, **about, method=found.method,
        status=found.status.name.lower(), steps=found.answer.answers[found.answer.best].steps, looks=len(found.passes),
        seconds=time.process_time() - began,
        loss=2 * found.certificate.loss / float((data.B**2).sum()), backward=float(found.certificate.backward_error[0]),
        error=float(np.linalg.norm(found.answer.X - data.X) / np.linalg.norm(data.X)),
        apart="" if apart is None else float(np.linalg.norm(found.x - apart) / np.linalg.norm(apart)),
    )  # fmt: skip
    return np.asarray(found.x)


def draw_start(record: Record, d: int, noise: float, seed: int, alpha: float) -> str:
    """Record a solve of few rows from a start that is drawn; return its status."""
    data = layer(16 * d, d, seed, noise)
    found = dsketch.solve(dsketch.AttentionLayer(*data[:4], alpha=alpha), cluster="serial", method="levenberg", progress=False)
    status = found.status.name.lower()
    record.add(
        part="drawn", n=16 * d, d=d, noise=noise, seed=seed, alpha=alpha, status=status, steps=found.answer.answers[0].steps,
        is_told=any("along a valley" in note for note in found.notes), values=float(np.linalg.norm(found.answer.Y)),
    )  # fmt: skip
    return status


def draw_starts(record: Record, widths: tuple[int, ...], seeds: int) -> None:
    """Record drawn starts of every noise; again with a penalty where no minimum was found."""
    for width in widths:
        for noise in (0.01, 0.1, 0.3):
            for seed in range(seeds):
                if draw_start(record, width, noise, seed, 0.0) != "local":
                    draw_start(record, width, noise, seed, 1e-6)


def forecast(record: Record, n: int, d: int) -> None:
    """Record the processor seconds that a plan foretells: those of both threads."""
    plan = dsketch.plan(dsketch.AttentionLayer(*layer(n, d, 0)[:4]), cluster=SerialEngine(1))
    record.add(part="plans", n=n, d=d, method=plan.method, seconds=plan.estimate.seconds)


def tables(cases: list[Case]) -> dict[str, str]:
    """Return a table for each part."""
    names = ("starts", "noise", "drawn", "columns", "heads", "agree", "plans")
    starts, noise, drawn, columns, heads, agree, plans = ([case for case in cases if case["part"] == part] for part in names)
    return {
        "layer-starts": table(
            [f"n = {starts[0]['n']:,}, d = {starts[0]['d']}: start off by", "solved", "steps", "looks", "loss ÷ ‖B‖²", "X, relative"],
            [[f"{share:.0%}", *_worst([case for case in starts if case["share"] == share])] for share in (0.1, 0.3)],
        ),
        "layer-noise": table(
            ["noise in B", "status", "steps", "looks", "backward error"],
            [[f"{case['noise']:.0%}", *(case[word] for word in ("status", "steps", "looks", "backward"))] for case in noise],
        ),
        "layer-drawn": table(
            ["noise in B", "alpha", "starts", "local", "steps, median", "largest", "not solved, of these told that Y grew", "largest ‖Y‖"],
            [
                _count([case for case in drawn if (case["noise"], case["alpha"]) == kind])
                for kind in sorted({(case["noise"], case["alpha"]) for case in drawn})
            ],
        ),
        "layer-columns": table(
            ["n", "d", "method", "status", "steps", "looks", "processor seconds", "planned", "loss ÷ ‖B‖²"],
            [
                [*(case[word] for word in ("n", "d", "method", "status", "steps", "looks", "seconds")),
                 next((plan["seconds"] for plan in plans if plan["d"] == case["d"]), ""), case["loss"]]
                for case in columns
            ],
        ),
        "layer-heads": table(
            [f"two heads, d = {heads[0]['d']}: start off by", "solved", "steps", "looks", "loss ÷ ‖B‖²", "X, relative"],
            [[f"{share:.0%}", *_worst([case for case in heads if case["share"] == share])] for share in (0.1, 0.3)],
        ),
        "layer-agree": table(
            ["d", "noise in B", "method", "status", "looks", "processor seconds", "backward error", "x apart"],
            [
                [case["d"], f"{case['noise']:.0%}",
                 *(case[word] for word in ("method", "status", "looks", "seconds", "backward", "apart"))]
                for case in agree
            ],
        ),
    }  # fmt: skip


def _worst(cases: list[Case]) -> list[Any]:
    solved = sum(case["status"] == "solved" for case in cases)
    return [f"{solved} of {len(cases)}", *(max(case[word] for case in cases) for word in ("steps", "looks", "loss", "error"))]


def _count(cases: list[Case]) -> list[Any]:
    steps, lost = [case["steps"] for case in cases], [case for case in cases if case["status"] == "not_solved"]
    told = f"{sum(case['is_told'] for case in lost)} of {len(lost)}"
    return [
        f"{cases[0]['noise']:.0%}", cases[0]["alpha"], len(cases), len(cases) - len(lost), float(np.median(steps)), max(steps), told,
        max(case["values"] for case in cases),
    ]  # fmt: skip


def draw(cases: list[Case]) -> Callable[[Any], None]:
    """Return what draws the steps of every start."""

    def into(canvas: Any) -> None:
        axis = canvas.subplots()
        for share in (0.1, 0.3):
            chosen = [case for case in cases if case["part"] == "starts" and case["share"] == share]
            axis.plot([case["seed"] for case in chosen], [case["steps"] for case in chosen], "o-", label=f"start {share:.0%} off")
        axis.set(xlabel="seed", ylabel="steps", title="an attention layer that made the data", ylim=(0, None))
        axis.legend()

    return into


def main() -> None:
    """Measure, print, draw."""
    options = arguments(__doc__ or "").parse_args()
    n, d, seeds, widths = (200, 3, 2, (2, 4)) if options.tiny else (4096, 8, 10, (4, 8, 16, 30, 40, 64))
    record = Record(options.out, "attention_layer")
    for seed in range(seeds):
        for share in (0.1, 0.3):
            measure(record, "starts", layer(n, d, seed), share, seed=seed)
    for noise in (0.01, 0.1):
        measure(record, "noise", layer(n, d, 0, noise), 0.1, noise=noise)
    draw_starts(record, (3,) if options.tiny else (6, 9), 1 if options.tiny else 5)
    for width in widths:
        measure(record, "columns", layer(n, width, 0), 0.3)
        forecast(record, n, width)
    for seed in range(min(seeds, 5)):
        for share in (0.1, 0.3):
            measure(record, "heads", layer(n, d, seed, heads=2), share, seed=seed)
    for noise in (0.0, 0.1):
        data = layer(n, d, 1, noise)
        x = measure(record, "agree", data, 0.3, "levenberg", noise=noise)
        measure(record, "agree", data, 0.3, "gauss_newton_cg", x, noise=noise)
    show(tables(record.cases))
    figure(options.out / "attention_layer.png", draw(record.cases))


if __name__ == "__main__":
    main()
