"""Claim: attention with powers for weights takes time that is linear in n and m, to a million rows, causal or not, right to rounding.

So do its gradients; and its sketch of 1,024 rows is within 5 % of the largest value on random keys of unit length.

time
    Processor seconds of both threads together, of n = m rows of 8 columns, degree 4, and 24 rows drawn at random against the formula.
gradient
    The same of dQ and dK.
sketch
    What method "sketched" is off by, relative to the largest |v| and to the answer, beside what it says itself; it takes monomials or all
    weights where these are fewer operations.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from record import Case, Record, arguments, figure, show, table

import dsketch

Floats = NDArray[np.float64]

COLUMNS, DEGREE, VALUES = 8, 4, 3


def measure_time(record: Record, n: int, *, causal: bool) -> None:
    """Record the seconds of so many rows, and their errors."""
    Q, K, V = (np.random.default_rng(seed).standard_normal((n, COLUMNS)) for seed in range(3))
    problem = dsketch.Attention(Q, K, V, kind="polynomial", degree=DEGREE, causal=causal)
    began = time.process_time()
    found = dsketch.solve(problem, method="features", cluster="serial", progress=False)
    seconds = time.process_time() - began
    errors = []
    for row in np.random.default_rng(3).choice(n, 24, replace=False):
        seen = slice(0, row + 1) if causal else slice(None)
        weights = (K[seen] @ Q[row]) ** DEGREE
        errors.append(np.abs(found.x[row] - weights @ V[seen] / weights.sum()).max() / np.abs(V).max())
    record.add(
        part="time", n=n, d=COLUMNS, causal="yes" if causal else "all", status=found.status.name.lower(), seconds=seconds,
        microseconds_per_row=1e6 * seconds / n, error=float(max(errors)), claimed=float(found.certificate.forward_error.max()),
    )  # fmt: skip


def measure_gradient(record: Record, n: int, wrt: str, *, causal: bool) -> None:
    """Record the seconds of a gradient at so many rows, and of dQ the errors of 24 of them."""
    Q, K, V, dY = (np.random.default_rng(seed).standard_normal((n, COLUMNS)) for seed in range(4))
    problem = dsketch.AttentionGradient(Q, K, V, dY, wrt=wrt, kind="polynomial", degree=DEGREE, causal=causal)
    began = time.process_time()
    found = dsketch.solve(problem, method="features", cluster="serial", progress=False)
    seconds, errors = time.process_time() - began, []
    for row in np.random.default_rng(3).choice(n, 24, replace=False) if wrt == "Q" else ():
        seen = slice(0, row + 1) if causal else slice(None)
        z = K[seen] @ Q[row]
        P, weight = V[seen] @ dY[row], np.sum(z**DEGREE)
        slopes = DEGREE * z ** (DEGREE - 1) * (P - np.sum(z**DEGREE * P) / weight) / weight
        errors.append(np.abs(found.x[row] - slopes @ K[seen]).max() / np.abs(found.x).max())
    record.add(
        part="gradient", n=n, wrt=f"d{wrt}", causal="yes" if causal else "all", status=found.status.name.lower(), seconds=seconds,
        microseconds_per_row=1e6 * seconds / n, error=float(max(errors)) if errors else None,
        claimed=float(found.certificate.forward_error.max()),
    )  # fmt: skip


def measure_sketch(record: Record, d: int, size: int, keys: int) -> None:
    """Record how far sketched rows are from the formula."""
    Q, K, V = (_unit(rows, width, seed) for seed, (rows, width) in enumerate(((300, d), (keys, d), (keys, VALUES))))
    problem = dsketch.Attention(Q, K, V, kind="polynomial", degree=DEGREE)
    found = dsketch.solve(problem, method="sketched", sketch_rows=size, cluster="serial", progress=False)
    W = (Q @ K.T) ** DEGREE
    exact = W @ V / W.sum(axis=1, keepdims=True)
    taken = "sketch" if not found.notes else "weights" if "weights are taken" in found.notes[0] else "monomials"
    record.add(
        part="sketch", d=d, size=size, m=keys, taken=taken, status=found.status.name.lower(),
        error=float((np.abs(found.x - exact).max(axis=0) / np.abs(V).max(axis=0)).max()),
        said=float(found.certificate.forward_error.max()), relative=float(np.linalg.norm(found.x - exact) / np.linalg.norm(exact)),
    )  # fmt: skip


def _unit(rows: int, columns: int, seed: int) -> Floats:
    A = np.random.default_rng(seed).standard_normal((rows, columns))
    return np.asarray(A / np.linalg.norm(A, axis=1, keepdims=True))


def tables(cases: list[Case]) -> dict[str, str]:
    """Return a table for each part."""
    timed, sloped, sketched = ([case for case in cases if case["part"] == part] for part in ("time", "gradient", "sketch"))
    words = ("n", "causal", "status", "seconds", "microseconds_per_row", "error", "claimed")
    return {
        "polynomial-gradient": table(
            ["", "n = m", "causal", "status", "processor seconds", "µs a row", "error, 24 rows", "claimed"],
            [[case[word] for word in ("wrt", *words)] for case in sloped],
        ),
        "polynomial-time": table(
            ["n = m", "causal", "status", "processor seconds", "µs a row", "error, 24 rows", "claimed"],
            [[case[word] for word in words] for case in timed],
        ),
        "polynomial-sketch": table(
            [
                "d",
                "rows of the sketch",
                "m",
                "taken",
                "status",
                "largest error ÷ largest \\|v\\|",
                "as it says",
                "error ÷ answer",
            ],
            [[case[word] for word in ("d", "size", "m", "taken", "status", "error", "said", "relative")] for case in sketched],
        ),
    }


def draw(cases: list[Case]) -> Callable[[Any], None]:
    """Return what draws seconds by rows."""

    def into(canvas: Any) -> None:
        axis = canvas.subplots()
        for causal in ("all", "yes"):
            timed = [case for case in cases if case["part"] == "time" and case["causal"] == causal]
            axis.loglog([case["n"] for case in timed], [case["seconds"] for case in timed], marker="o", label=f"causal: {causal}")
        axis.set(xlabel="n = m", ylabel="processor seconds", title=f"{COLUMNS} columns of Q, K and V, degree {DEGREE}")
        axis.grid(alpha=0.3)
        axis.legend()

    return into


def main() -> None:
    """Measure, print, draw."""
    options = arguments(__doc__ or "").parse_args()
    sizes, slopes = (62_500, 250_000, 1_000_000), (62_500, 250_000)
    sketches = ((16, 1024, 200), (16, 1024, 90_000), (64, 1024, 200), (64, 1024, 4000), (64, 256, 10_000), (64, 1024, 90_000))
    if options.tiny:
        sizes, slopes, sketches = (700, 1400), (700,), ((6, 32, 500), (20, 24, 500))
    record = Record(options.out, "polynomial")
    for n in sizes:
        for causal in (False, True):
            measure_time(record, n, causal=causal)
    for n in slopes:
        for causal in (False, True):
            for wrt in ("Q", "K"):
                measure_gradient(record, n, wrt, causal=causal)
    for d, size, keys in sketches:
        measure_sketch(record, d, size, keys)
    show(tables(record.cases))
    figure(options.out / "polynomial.png", draw(record.cases))


if __name__ == "__main__":
    main()
