"""Claim: on real data attention to what a ridge regression leaves predicts rows held out better than ridge alone, in one sweep.

Arrival delays of all flights that left New York City in 2013, 48 standardised columns of numbers and categories.  Attention is a smoother
(Nadaraya and Watson's): a new row takes the mean of what known rows have, with weights exp(s⟨q, k⟩ − s‖k‖²/2), which are Gaussian in their
distance, or with powers of the products of rows of length 1.  It knows no slopes, so alone it loses to ridge; of the residuals of ridge it
finds what is common to near rows.  s and the power are those of the least median error on rows that are neither trained nor tested on.

References
----------
E. A. Nadaraya, "On estimating regression", 1964; G. S. Watson, "Smooth regression analysis", 1964.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from kernel import FLIGHTS_RIDGE, FLIGHTS_SCALE, flights_rows
from numpy.typing import NDArray
from record import Case, Record, arguments, figure, show, table

import dsketch

Floats = NDArray[np.float64]

RIDGE = {"alpha": 1.0, "intercept": True}
SCALES = (0.3, 1.0, 2.0, 4.0, 8.0, 16.0)
DEGREES = (4, 8, 16, 32, 64)


class Split(NamedTuple):
    """Rows and delays to train on, to choose by, and to test on."""

    A: Floats
    b: Floats
    chosen: Floats
    chosen_delays: Floats
    new: Floats
    truth: Floats


def split(F: Floats, y: Floats, tested: int, chosen: int) -> Split:
    """Return the parts of rows that were shuffled."""
    first, last = tested, tested + chosen
    return Split(F[last:], y[last:], F[first:last], y[first:last], F[:first], y[:first])


def by_distance(new: Floats, A: Floats, values: Floats, scale: float) -> Floats:
    """Return means with weights exp(−s‖q − k‖²/2): a column more, as s‖q‖²/2 is common to all weights of a row."""
    Q, K = np.column_stack([new, np.ones(len(new))]), np.column_stack([A, -0.5 * np.sum(A * A, axis=1)])
    return np.asarray(dsketch.attention(Q, K, values, scale=scale, cluster="serial", progress=False).x)


def by_powers(new: Floats, A: Floats, values: Floats, degree: float) -> Floats:
    """Return means with weights ⟨q, k⟩^p of rows (1, x) divided by their lengths."""
    Q, K = (_unit(np.column_stack([np.full(len(X), X.shape[1] ** 0.5), X])) for X in (new, A))
    options = {"kind": "polynomial", "degree": int(degree), "method": "sweep"}
    return np.asarray(dsketch.attention(Q, K, values, cluster="serial", progress=False, **options).x)


def _unit(X: Floats) -> Floats:
    return np.asarray(X / np.linalg.norm(X, axis=1, keepdims=True))


def models(parts: Split, centres: tuple[int, ...]) -> Iterator[tuple[str, Any, Callable[[], tuple[Floats, Any]]]]:
    """Yield name, columns of what is chosen, and what predicts the rows that are tested."""
    d, mean = parts.A.shape[1], float(parts.b.mean())
    ridge = _solved(dsketch.Ridge(parts.A, parts.b, **RIDGE))
    left = parts.b - ridge.predict(parts.A)

    def smoothed(smoother: Callable[..., Floats], grid: tuple[float, ...], values: Floats, base: Any) -> tuple[Floats, Any]:
        errors = [
            np.median(np.abs(parts.chosen_delays - base(parts.chosen) - smoother(parts.chosen, parts.A, values, word)))
            for word in grid
        ]
        best = grid[int(np.argmin(errors))]
        return base(parts.new) + smoother(parts.new, parts.A, values, best), best

    yield "ridge", "", lambda: (_solved(dsketch.Ridge(parts.A, parts.b, **RIDGE)).predict(parts.new), None)
    for count in centres:
        words = {"alpha": FLIGHTS_RIDGE, "scale": FLIGHTS_SCALE / d, "centres": count}
        yield (
            f"kernel, {count} centres",
            "",
            lambda words=words: (  # type: ignore[misc]
                mean + _solved(dsketch.RestrictedKernel(parts.A, parts.b - mean, **words)).predict(parts.new),
                None,
            ),
        )
    yield "attention to delays", "s", lambda: smoothed(by_distance, SCALES, parts.b, lambda X: np.zeros(len(X)))
    yield "ridge and attention to what it leaves", "s", lambda: smoothed(by_distance, SCALES, left, ridge.predict)
    yield "the same by powers", "p", lambda: smoothed(by_powers, DEGREES, left, ridge.predict)


def _solved(problem: Any) -> Any:
    return dsketch.solve(problem, cluster="serial", progress=False)


def measure(record: Record, parts: Split, centres: tuple[int, ...]) -> None:
    """Record each model's errors on the rows tested."""
    for name, chosen, predict in models(parts, centres):
        began = time.process_time()
        guess, word = predict()
        spread = np.sum((parts.truth - parts.truth.mean()) ** 2)
        record.add(
            model=name, n=len(parts.b), tested=len(parts.truth), d=parts.A.shape[1],
            chosen=None if word is None else f"{chosen} = {word:g}", r_squared=1 - float(np.sum((parts.truth - guess) ** 2) / spread),
            absolute=float(np.median(np.abs(parts.truth - guess))), seconds=time.process_time() - began,
        )  # fmt: skip


def tables(cases: list[Case]) -> dict[str, str]:
    """Return the table of models."""
    heads = ["model", "rows", "tested", "chosen", "R² held out", "median absolute error, minutes", "processor seconds"]
    words = ("model", "n", "tested", "chosen", "r_squared", "absolute", "seconds")
    return {"smoother": table(heads, [[case[word] for word in words] for case in cases])}


def draw(cases: list[Case]) -> Callable[[Any], None]:
    """Return what draws the median errors."""

    def into(canvas: Any) -> None:
        canvas.set_size_inches(7, 3)
        axis = canvas.subplots()
        names = [case["model"] for case in cases]
        axis.barh(names, [case["absolute"] for case in cases])
        axis.invert_yaxis()
        axis.set(xlabel="median absolute error held out, minutes")
        axis.grid(axis="x", alpha=0.3)

    return into


def main() -> None:
    """Measure, print, draw."""
    options = arguments(__doc__ or "").parse_args()
    rows, tested, chosen, centres = None, 10_000, 2000, (500, 1000)
    if options.tiny:
        rows, tested, chosen, centres = 4000, 500, 200, (40,)
    record = Record(options.out, "smoother")
    measure(record, split(*flights_rows(rows), tested, chosen), centres)
    show(tables(record.cases))
    figure(options.out / "smoother.png", draw(record.cases))


if __name__ == "__main__":
    main()
