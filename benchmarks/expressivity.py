"""Claim: attention with powers for weights tells one large feature from none from a degree on, which is the predicted one within 15 %.

One product z₁ among n − 1 products z₀ has the share 1/(1 + (n − 1)(z₀/z₁)^β) of a row's weights: half of them at β* = ln(n − 1)/ln(z₁/z₀).
Data of two classes: with such a product, and with none; products have 2 % noise.  A detector sees a row of weights c through 16 vectors y
of random signs, which is attention with values y, and calls Σ(|⟨c, y⟩| − ½)₊ > 0 the first class.

weights
    The share itself, from every weight.
signs
    The detector, from every weight.
sketched
    The detector, where weights are those of a sketch of half the power, squared.
self
    The detector on all rows of a self-attention, Q = K: one row of n is longer, and only it can see that; by monomials, in linear time.

Each transition is where half of the trials, or half of the share, are reached, between degrees by a line.  Trials are as many as fit into
six minutes of one core, so that there are few where one is dear; the table says how many, and a share of them is known no better.

References
----------
Z. Song, G. Xu, J. Yin, "The expressibility of polynomial based attention scheme", arXiv 2310.20051, KDD 2025.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from record import Case, Record, arguments, figure, show, table

import dsketch

Floats = NDArray[np.float64]

RATIO, NOISE, THRESHOLD, SIGNS = np.sqrt(2), 0.02, 0.5, 16
WIDTH, ACROSS = 6, 0.1  # columns of a row of K, and the spread of those that the row of Q is orthogonal to
SKETCH_ROWS, BATCH = 32, 10
DETECTORS = ("weights", "signs", "sketched", "self")
TRIALS = {2**12: (100, 100, 6, 20), 2**16: (20, 20, 2, 6)}  # of each detector, by n


def predicted(n: int) -> float:
    """Return β*."""
    return float(np.log(n - 1) / np.log(RATIO))


def attend(Q: Floats, K: Floats, V: Floats, degree: int, heads: int, method: str) -> Floats:
    """Return polynomial attention in this process."""
    problem = dsketch.Attention(Q, K, V, kind="polynomial", degree=degree, heads=heads)
    options = {"sketch_rows": SKETCH_ROWS} if method == "sketched" else {}
    return np.asarray(dsketch.solve(problem, method=method, cluster="serial", progress=False, **options).x)


def _products(rng: np.random.Generator, n: int, trials: int, *, has_spike: bool) -> tuple[Floats, NDArray[np.int64]]:
    """Return the products z of each trial, shape (n, trials), and where its large one is."""
    z, places = np.ones((n, trials)), rng.integers(0, n, trials)
    if has_spike:
        z[places, np.arange(trials)] = RATIO
    return z * (1 + NOISE * rng.standard_normal(z.shape)), places


def _keys(rng: np.random.Generator, z: Floats) -> Floats:
    """Return rows whose first number is z, a head for each trial."""
    K = ACROSS * rng.standard_normal((*z.shape, WIDTH))
    K[:, :, 0] = z
    return K.reshape(len(z), -1)


def _signs(rng: np.random.Generator, n: int, trials: int) -> Floats:
    return np.asarray(rng.choice([-1.0, 1.0], (n, SIGNS * trials)))


def _alarms(rows: Floats, trials: int) -> NDArray[np.bool_]:
    """Return which trials the detector puts into the first class: any row counts."""
    F = np.maximum(np.abs(rows.reshape(len(rows), trials, SIGNS)) - THRESHOLD, 0).sum(axis=2)
    return np.asarray((F > 0).any(axis=0))


def detect_rows(rng: np.random.Generator, n: int, degree: int, trials: int, detector: str, *, has_spike: bool) -> Floats:
    """Return for each trial its share, or 1 where there was an alarm; one row of Q each, ten trials at once."""
    found = []
    for low in range(0, trials, BATCH):
        some = min(BATCH, trials - low)
        z, places = _products(rng, n, some, has_spike=has_spike)
        Q, K = np.tile(np.eye(1, WIDTH), (1, some)), _keys(rng, z)
        if detector == "weights":
            V = (np.arange(n)[:, None] == places).astype(float)
            found.append(attend(Q, K, V, degree, some, "sweep")[0])
        else:
            rows = attend(Q, K, _signs(rng, n, some), degree, some, "sketched" if detector == "sketched" else "sweep")
            found.append(_alarms(rows, some).astype(float))
    return np.concatenate(found)


def detect_self(rng: np.random.Generator, n: int, degree: int, trials: int, detector: str, *, has_spike: bool) -> Floats:
    """Return the same for self-attention: rows (1, 0), one of them (1, √(ratio − 1)), each number with noise."""
    del detector
    found = []
    for _ in range(trials):
        A = np.zeros((n, 2))
        A[:, 0] = 1.0
        if has_spike:
            A[rng.integers(n), 1] = np.sqrt(RATIO - 1)
        A *= 1 + NOISE / 2 * rng.standard_normal(A.shape)  # a product has two of them
        found.append(_alarms(attend(A, A, _signs(rng, n, 1), degree, 1, "features"), 1)[0])
    return np.array(found, dtype=float)


def measure(record: Record, n: int, detector: str, trials: int) -> None:
    """Record what is found at degrees around the predicted one, and where the transition is."""
    star, rng = predicted(n), np.random.default_rng(n)
    detect = detect_self if detector == "self" else detect_rows
    near = 2 * np.arange(int(0.75 * star) // 2, int(1.3 * star) // 2 + 1)
    degrees = sorted({2 * round(star / 4), *near.tolist(), 2 * round(0.75 * star)})
    present, absent = (
        [float(np.median(found) if detector == "weights" else found.mean()) for found in runs]
        for runs in ([detect(rng, n, degree, trials, detector, has_spike=has) for degree in degrees] for has in (True, False))
    )
    at = crossing(degrees, present)
    record.add(
        n=n, detector=detector, trials=trials, predicted=star, degrees=degrees, present=present, absent=absent,
        transition=at, ratio=at / star, holds=abs(at / star - 1) <= 0.15, early=present[0], late=present[-1],
        false_alarms=max(absent),
    )  # fmt: skip


def crossing(degrees: list[int], shares: list[float]) -> float:
    """Return where a rising line first reaches ½; NaN: nowhere."""
    for (low, left), (high, right) in zip(
        zip(degrees, shares, strict=True), zip(degrees[1:], shares[1:], strict=True), strict=False
    ):
        if left < 0.5 <= right:
            return low + (high - low) * (0.5 - left) / (right - left)
    return float("nan")


def measure_softmax(record: Record, n: int) -> None:
    """Record the share that exponentials of the same products give, and at which difference of products they switch."""
    K, V = np.ones((n, 1)), np.zeros(n)
    K[n // 3], V[n // 3] = RATIO, 1.0
    differences = np.linspace(0.5, 1.5, 21)
    raw, *shares = (
        float(dsketch.solve(dsketch.Attention(np.ones((1, 1)), K, V, scale=scale), cluster="serial", progress=False).x[0])
        for scale in (1.0, *(differences * np.log(n) / (RATIO - 1)))
    )
    record.add(n=n, detector="softmax", raw=raw, switch=crossing(differences.tolist(), shares))


def tables(cases: list[Case]) -> dict[str, str]:
    """Return what is measured against predicted, and what softmax does."""
    powers = [case for case in cases if case["detector"] != "softmax"]
    softmax = [case for case in cases if case["detector"] == "softmax"]
    words = {
        "n": "n",
        "detector": "seen by",
        "trials": "trials",
        "predicted": "β* predicted",
        "transition": "transition measured",
        "ratio": "÷ β*",
        "holds": "within 15 %",
        "early": "at ½ β*",
        "late": "at 1.5 β*",
        "false_alarms": "without the feature",
    }
    return {
        "expressivity": table(list(words.values()), [[case[word] for word in words] for case in powers]),
        "expressivity-softmax": table(
            ["n", "share of the large product by softmax", "(z₁ − z₀) ÷ ln n where it has half"],
            [[case[word] for word in ("n", "raw", "switch")] for case in softmax],
        ),
    }  # fmt: skip


def draw(cases: list[Case]) -> Callable[[Any], None]:
    """Return what draws shares and detections by degrees, a panel for each n."""

    def into(canvas: Any) -> None:
        sizes = sorted({case["n"] for case in cases})
        canvas.set_size_inches(5.5 * len(sizes), 4)
        axes = np.atleast_1d(canvas.subplots(1, len(sizes), sharey=True))
        for axis, n in zip(axes, sizes, strict=True):
            star = predicted(n)
            grid = np.linspace(0.4 * star, 1.55 * star, 200)
            axis.plot(grid, 1 / (1 + RATIO ** (star - grid)), color="black", lw=0.8, label="1/(1 + (z₁/z₀)^(β* − β))")
            for case in (each for each in cases if each["n"] == n and each["detector"] != "softmax"):
                axis.plot(case["degrees"], case["present"], marker="o", ms=3, label=case["detector"])
            axis.axvspan(0.85 * star, 1.15 * star, color="gray", alpha=0.15)
            axis.axvline(star, color="gray", ls="--")
            axis.set(xlabel="degree β", ylabel="share, or trials with an alarm", title=f"n = {n:,}, β* = {star:.1f}")
            axis.grid(alpha=0.3)
        axes[0].legend(fontsize=8)

    return into


def main() -> None:
    """Measure, print, draw."""
    options = arguments(__doc__ or "").parse_args()
    record = Record(options.out, "expressivity")
    for n, counts in ({2**9: (6, 6, 3, 3)} if options.tiny else TRIALS).items():
        for detector, trials in zip(DETECTORS, counts, strict=True):
            measure(record, n, detector, trials)
        measure_softmax(record, n)
    show(tables(record.cases))
    figure(options.out / "expressivity.png", draw(record.cases))


if __name__ == "__main__":
    main()
