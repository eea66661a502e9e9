"""What a method for linear systems costs."""

import math

from dsketch.planning.price import Estimate, Workload, price_passes, rate
from dsketch.settings import Settings
from dsketch.sketch.size import FOR_GUARDING, FOR_ITERATING, FOR_SOLVING, FOR_WHITENING, distortion, rows_for


def works(method: str, settings: Settings, d: int) -> list[tuple[str, int]]:
    """Return what the method does to every row: (kind of work, times), several kinds in one pass joined by ``+``."""
    sketch = f"sketch_{settings.sketch}"
    is_sparse = settings.sketch == "sparse_sign"  # with fewer signs a row where a Gram matrix follows
    if method == "cholesky":
        return [("gram", 1), ("gradient", 1)]
    if method == "gram":
        return [(f"{'sketch_sparse_sign_guarding' if is_sparse else sketch}+gram", 1), ("gradient", 1)]
    if method == "whitened":
        return [("sketch_sparse_sign_whitening" if is_sparse else sketch, 1), ("whitened", 1), ("gradient", 1)]
    if method == "tsqr":
        return [("triangle", 1), ("gradient", 1)]
    if method == "sketch_and_solve":
        return [(sketch, 1)]
    steps, rounds = _steps(settings, d)
    return [(sketch, 1), ("normal", steps), ("gradient", rounds + 1)]


def _steps(settings: Settings, d: int) -> tuple[int, int]:
    """Return inner steps and rounds of the iterative methods: each step gains a factor √(d/m), a round at most 10⁶."""
    rate = distortion(d, settings.sketch_rows or rows_for(d, FOR_ITERATING, settings.sketch))
    digits = math.log(1 / settings.goal) + math.log(1e3)  # from the sketch-and-solve start, with the floor of a round
    steps = math.ceil(digits / max(-math.log(rate), 0.02))
    return steps, max(2, math.ceil(steps / 12))


def part_bytes(method: str, settings: Settings, d: int, k: int) -> int:
    """Return the bytes of the largest part that the method makes."""
    purpose = {"gram": FOR_GUARDING, "whitened": FOR_WHITENING, "sketch_and_solve": FOR_SOLVING}.get(method, FOR_ITERATING)
    sketch = 0 if method == "tsqr" else 8 * (settings.sketch_rows or rows_for(d, purpose, settings.sketch)) * (d + k)
    square = 8 * (d + k) ** 2
    return {"gram": sketch + square, "cholesky": square, "tsqr": square}.get(method, max(sketch, square))


def estimate(method: str, settings: Settings, workload: Workload) -> Estimate:
    """Return the predicted cost of a method."""
    rates = [
        (sum(rate(kind, workload) for kind in kinds.split("+")), times) for kinds, times in works(method, settings, workload.d)
    ]
    return price_passes(rates, part_bytes(method, settings, workload.d, workload.k), workload)
